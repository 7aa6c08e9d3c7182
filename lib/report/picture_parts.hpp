// SPDX-License-Identifier: GPL-2.0-or-later
// What the picture in the terminal and the one in SVG have in common.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/report/picture.hpp"

namespace handoff {

/// How a MemoryUse is shown.
struct Look {
    MemoryUse use;
    const char* name;
    char letter;
    const char* colour;  ///< ECMA-48: background, and a text that can be read on it
};
const Look& look_of(MemoryUse);
/// Those that the picture has, in the order of MemoryUse.
std::vector<Look> shown_looks(const Picture&);

/// "64 MiB".
std::string size_text(std::uint64_t bytes);

/// All below 4 GiB, the first window.
bool is_low(const AddressRange& window);
/// "below 4 GiB", or "close-up from 0x4054000000".
std::string window_name(const AddressRange& window);

/// Round addresses in the window, its end included: multiples of a power of two, at most one more than `most`.
std::vector<Address> round_addresses(const AddressRange& window, unsigned most);
/// "1 GiB" in the first window, else "0x40000000".
std::string address_text(Address, const AddressRange& window);

/// The items in lines of at most `width` letters, `between` two of a line. An item that is longer has a line of its
/// own.
std::vector<std::string> lines_of(const std::vector<std::string>& items, std::string_view between, std::size_t width);
/// The words of a text in such lines.
std::vector<std::string> lines_of(std::string_view text, std::size_t width);

}  // namespace handoff
