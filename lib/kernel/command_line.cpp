// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/command_line.hpp"

#include <algorithm>
#include <array>

#include "base/number.hpp"
#include "base/text.hpp"
#include "e820/memmap.hpp"
#include "lib/kernel/behaviour.hpp"

namespace handoff {
namespace {

using base::Error;
using base::input_error;
using base::Result;

// lib/ctype.c is Latin-1: half of a UTF-8 letter can be the no-break space.
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0'; }

// kernel/params.c, parameq(): '-' and '_' are the same in a key.
bool same_key(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return (x == '-' ? '_' : x) == (y == '-' ? '_' : y); });
}

// lib/cmdline.c, next_arg(): a quote at the very start belongs to the whole
// word, one right after '=' to the value; others stay where they are.
Word make_word(std::string_view raw) {
    Word word;
    word.text = raw;
    std::string_view body = raw;
    const bool quoted = body.starts_with('"');
    if (quoted) body.remove_prefix(1);
    const auto equals = body.find('=', 1);  // next_arg() takes no '=' at 0 as one
    std::string_view value = equals == body.npos ? std::string_view{} : body.substr(equals + 1);
    const bool value_quoted = value.starts_with('"');
    if (value_quoted) value.remove_prefix(1);
    if ((quoted || value_quoted) && value.ends_with('"')) value.remove_suffix(1);
    if (equals == body.npos) {
        if (quoted && body.ends_with('"')) body.remove_suffix(1);
        word.key = body;
    } else {
        word.key = body.substr(0, equals);
        word.value = std::string(value);
    }
    return word;
}

}  // namespace

Result<CommandLine> CommandLine::parse(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (text.find('\0') != text.npos) return input_error(0, "expected a kernel command line, found a NUL byte");
    if (text.find('\n') != text.npos)
        return input_error(0, "expected a kernel command line of one line, found several");

    CommandLine line;
    while (true) {
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        if (text.empty()) return line;
        bool in_quote = false;
        std::size_t length = 0;
        for (; length < text.size() && (in_quote || !is_blank(text[length])); ++length)
            if (text[length] == '"') in_quote = !in_quote;
        if (in_quote)
            return input_error(
                0, base::text("expected a closing quote in '", text.substr(0, std::min<std::size_t>(length, 40)), "'"));
        Word word = make_word(text.substr(0, length));
        text.remove_prefix(length);
        word.for_init = line.dashes_;
        if (!line.dashes_ && word.key == "--" && !word.value) line.dashes_ = true;
        line.words_.push_back(std::move(word));
    }
}

std::vector<const Word*> CommandLine::all(std::string_view key) const {
    std::vector<const Word*> found;
    for (const Word& word : words_)
        if (!word.for_init && same_key(word.key, key)) found.push_back(&word);
    return found;
}

std::optional<std::string> CommandLine::last(std::string_view key) const {
    const auto found = all(key);
    if (found.empty()) return std::nullopt;
    return found.back()->value.value_or("");
}

std::string CommandLine::with(std::string_view more) const {
    std::string line;
    const auto append = [&line](std::string_view text) {
        if (text.empty()) return;
        if (!line.empty()) line += ' ';
        line += text;
    };
    bool added = false;
    for (const Word& word : words_) {
        if (!added && !word.for_init && word.key == "--" && !word.value) {
            append(more);
            added = true;
        }
        append(word.text);
    }
    if (!added) append(more);
    return line;
}

namespace {

// What is behind the numbers of a swiotlb= word. What a kernel of this release, or one of an unknown release, may read
// otherwise than it looks is not understood.
void take_swiotlb_flags(std::string_view text, std::optional<bool> by_prefix, SwiotlbOption& option) {
    constexpr std::string_view track = "track_hiwater";
    const bool prefix = by_prefix.value_or(false);
    std::string_view rest = text;
    for (const auto& [name, flag] : {std::pair{std::string_view("force"), &option.force}, {"noforce", &option.noforce}})
        if (rest == name || (prefix && rest.starts_with(name))) {
            *flag = true;
            rest.remove_prefix(name.size());
            // "forced" is "force", and the kernel reads on only behind a comma.
            rest.remove_prefix(std::min(rest.find(','), rest.size()));
            break;
        }
    if (rest.starts_with(',')) rest.remove_prefix(1);
    if (rest.empty()) return;
    // Alone it does nothing to a kernel that does not know it. Such a one reads no "force" in front of it either.
    if (rest == track || (prefix && rest.starts_with(track)))
        option.track_hiwater = true;
    else
        option.unknown.emplace_back(rest);
}

// The number of slabs or of areas; false where it is no number.
bool take_swiotlb_number(std::string_view part, bool slabs_taken, SwiotlbOption& option) {
    constexpr std::uint64_t segment_slabs = 128;  // IO_TLB_SEGSIZE
    const auto number = base::parse_prefixed(part);
    if (!number || *number > (std::uint64_t{1} << 40)) return false;
    if (slabs_taken)
        option.areas = *number;
    else
        option.slabs = (*number + segment_slabs - 1) / segment_slabs * segment_slabs;
    return true;
}

}  // namespace

Result<SwiotlbOption> swiotlb_option(const CommandLine& line, std::string_view release) {
    const auto by_prefix = reads_swiotlb_by_prefix(release);
    // The kernel that rounds slabs up is the first that has areas. One before it compares all behind the first comma
    // with "force" (kernel/dma/swiotlb.c, setup_io_tlb_npages()).
    const bool has_areas = rounds_slabs_up(release);
    SwiotlbOption option;
    for (const Word* word : line.all("swiotlb")) {
        const std::string value = word->value.value_or("");
        std::string_view rest = value;
        option.addr.reset();  // unlike the others it holds for its own word only
        bool slabs_taken = false;
        std::string flags;
        while (!rest.empty()) {
            const auto comma = std::min(rest.find(','), rest.size());
            const std::string_view part = rest.substr(0, comma);
            rest.remove_prefix(std::min(comma + 1, rest.size()));
            if (part.empty() && flags.empty()) {
                slabs_taken = true;  // "swiotlb=,4": areas only
            } else if (flags.empty() && part.front() >= '0' && part.front() <= '9' && (!slabs_taken || has_areas)) {
                if (!take_swiotlb_number(part, slabs_taken, option))
                    return input_error(0, base::text("expected a number of slabs in 'swiotlb=", *word->value, "'"));
                slabs_taken = true;
            } else if (part.starts_with("addr=")) {
                std::string_view address = part.substr(5);
                const auto number = base::take_memparse(address);
                if (!number || !address.empty())
                    return input_error(0, base::text("expected an address in 'swiotlb=", *word->value, "'"));
                option.addr = *number;
            } else {
                flags += (flags.empty() ? "" : ",") + std::string(part);
            }
        }
        take_swiotlb_flags(flags, by_prefix, option);
    }
    return option;
}

Result<e820::Table> apply_memory_words(const e820::Table& firmware, const CommandLine& line) {
    std::vector<e820::MemmapOp> all;
    for (const Word& word : line.words()) {
        if (word.for_init) continue;
        const bool is_mem = word.key == "mem";
        if (!is_mem && word.key != "memmap") continue;
        const auto ops =
            is_mem ? e820::parse_mem(word.value.value_or("")) : e820::parse_memmap(word.value.value_or(""));
        if (!ops) return input_error(0, base::text("in '", word.text, "': ", ops.error().what));
        all.insert(all.end(), ops->begin(), ops->end());
    }
    return e820::with_memmap(firmware, all);
}

bool adds_ram(const Word& word, const base::AddressRange& range) {
    if (word.key != "memmap" || word.for_init) return false;
    const auto ops = e820::parse_memmap(word.value.value_or(""));
    return ops && std::any_of(ops->begin(), ops->end(), [&](const e820::MemmapOp& op) {
               const auto* add = std::get_if<e820::AddRange>(&op);
               return add && add->type == e820::Type::ram && add->range == range;
           });
}

bool adds_ram(const CommandLine& line, const base::AddressRange& range) {
    return std::any_of(line.words().begin(), line.words().end(),
                       [&](const Word& word) { return adds_ram(word, range); });
}

bool is_of_crash_kernel(std::string_view command_line) {
    constexpr std::string_view word = "elfcorehdr=";
    for (auto at = command_line.find(word); at != command_line.npos; at = command_line.find(word, at + 1))
        if (at == 0 || is_blank(command_line[at - 1])) return true;
    return false;
}

CommandLine for_crash_kernel(const CommandLine& running) {
    // kexec-tools' remove_parameter() list for --reuse-cmdline, and the words
    // that all kdump scripts drop.
    constexpr std::array<std::string_view, 5> dropped = {"BOOT_IMAGE", "crashkernel", "initrd", "hugepages",
                                                         "hugepagesz"};
    std::string text;
    for (const Word& word : running.words()) {
        const bool drop = !word.for_init && std::any_of(dropped.begin(), dropped.end(),
                                                        [&](std::string_view key) { return same_key(word.key, key); });
        if (drop) continue;
        if (!text.empty()) text += ' ';
        text += word.text;
    }
    return *CommandLine::parse(text);
}

std::string marker(const base::AddressRange& pool, std::string_view key) {
    return base::text(key, "=", base::Hex{pool.start()}, "-", base::Hex{pool.end()});
}

Result<std::optional<base::AddressRange>> read_marker(const CommandLine& line, std::string_view key) {
    std::optional<base::AddressRange> found;
    for (const Word* word : line.all(key)) {
        const std::string_view value = word->value ? std::string_view(*word->value) : std::string_view{};
        const auto dash = value.find('-');
        const auto start = base::parse_prefixed(value.substr(0, dash));
        const auto end = dash == value.npos ? std::nullopt : base::parse_prefixed(value.substr(dash + 1));
        const auto range = start && end ? base::AddressRange::from_bounds(*start, *end) : std::nullopt;
        if (!range || range->empty())
            return input_error(0, base::text("expected '", key, "=START-END', found '", word->text, "'"));
        if (found && *found != *range)
            return input_error(
                0, base::text("expected one marker, found ", marker(*found, key), " and ", marker(*range, key)));
        found = *range;
    }
    return found;
}

}  // namespace handoff
