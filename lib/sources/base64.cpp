// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/base64.hpp"

#include <cstdint>

namespace handoff {

bool add_base64(std::string_view line, std::string& bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (line.ends_with('=')) line.remove_suffix(1);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : line) {
        const auto digit = digits.find(c);
        if (digit == digits.npos) return false;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    return true;
}

}  // namespace handoff
