// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {

/// One word of a kernel command line.
struct Word {
    std::string text;                  ///< as written, quotes included
    std::string key;                   ///< up to the first '=', quotes off
    std::optional<std::string> value;  ///< after it, quotes off; none without '='
    bool for_init = false;             ///< after "--": the kernel does not read it
};

/// A kernel command line as lib/cmdline.c next_arg() and kernel/params.c
/// parse_args() take it apart: blanks separate words except inside double
/// quotes, "--" ends the kernel's part, and in keys '-' equals '_'.
class CommandLine {
public:
    CommandLine() = default;
    /// Input errors: a NUL byte, a newline that is not at the end, a quote
    /// that is never closed (the kernel takes the rest as one word, silently).
    static base::Result<CommandLine> parse(std::string_view text);

    /// Every word the kernel reads with this key, in order.
    [[nodiscard]] std::vector<const Word*> all(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const { return !all(key).empty(); }
    /// The value of the last word with this key; nullopt without one.
    [[nodiscard]] std::optional<std::string> last(std::string_view key) const;

    /// Those of a temporary come by value, so that nothing refers into it.
    [[nodiscard]] const std::vector<Word>& words() const& { return words_; }
    [[nodiscard]] std::vector<Word> words() && { return std::move(words_); }
    /// Puts words where the kernel reads them: before "--" where there is one.
    /// Returned as one line with single blanks between words.
    [[nodiscard]] std::string with(std::string_view more) const;
    [[nodiscard]] std::string text() const { return with({}); }
    /// There is a "--": words pasted at the end would go to init.
    [[nodiscard]] bool ends_in_init_words() const { return dashes_; }

private:
    std::vector<Word> words_;
    bool dashes_ = false;
};

/// What the swiotlb= words of a command line come to
/// (kernel/dma/swiotlb.c, setup_io_tlb_npages()).
struct SwiotlbOption {
    std::optional<std::uint64_t> slabs;  ///< last one given, rounded up to 128 as the kernel does
    std::optional<std::uint64_t> areas;
    std::optional<base::Address> addr;  ///< addr=, only with the patches in kernel/
    bool force = false;
    bool noforce = false;              ///< no pool at all
    bool track_hiwater = false;        ///< 7.3 and later count the most slabs ever in use only with it
    std::vector<std::string> unknown;  ///< "any" and what is yet to come; kept, not understood
};
/// As a kernel of this release reads them; "" is an unknown one, of which only that is taken which all read alike.
base::Result<SwiotlbOption> swiotlb_option(const CommandLine&, std::string_view release);

/// The map the kernel makes of `firmware` and the memmap= and mem= words.
base::Result<e820::Table> apply_memory_words(const e820::Table& firmware, const CommandLine&);

/// A memmap= word, or this word, adds exactly this range as RAM.
bool adds_ram(const CommandLine&, const base::AddressRange&);
bool adds_ram(const Word&, const base::AddressRange&);

/// /proc/cmdline as kexec --reuse-cmdline and the kdump scripts pass it on:
/// without crashkernel=, BOOT_IMAGE= and initrd=.
CommandLine for_crash_kernel(const CommandLine& running);

/// The command line is a crash kernel's: it has elfcorehdr=, which every loader adds to it and to no other's. Takes a
/// line that printk has cut.
bool is_of_crash_kernel(std::string_view command_line);

/// Marker word for the crash side: "swiotlb_handoff=0x75000000-0x79000000",
/// half-open. The kernel ignores words that it does not know and hands them to
/// init (init/main.c, unknown_bootoption()).
inline constexpr std::string_view marker_key = "swiotlb_handoff";
/// The same for a pool that is lent as ordinary RAM.
inline constexpr std::string_view lent_key = "swiotlb_lent";
std::string marker(const base::AddressRange& pool, std::string_view key = marker_key);
/// The pool that the marker on this command line promises; nullopt without
/// one. Input error: a marker that is malformed, or two that differ.
base::Result<std::optional<base::AddressRange>> read_marker(const CommandLine&, std::string_view key = marker_key);

}  // namespace handoff
