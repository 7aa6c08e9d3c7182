// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kallsyms_table.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/number.hpp"
#include "base/scan.hpp"

namespace handoff {

using base::Address;
using std::string_view;

namespace {

constexpr string_view symbol_mark = "SYMBOL(";
/// Documentation/arch/x86/x86_64/mm.rst: all of the kernel is there. Of an array VMCOREINFO has what its name evaluates
/// to (VMCOREINFO_SYMBOL_ARRAY), and mem_section is a pointer, to somewhere else.
constexpr Address kernel_mapping = 0xffffffff80000000;

/// Of "SYMBOL(init_uts_ns)=ffffffff82a17b40".
std::optional<std::pair<string_view, Address>> symbol_in(string_view line) {
    const auto end = line.find(")=");
    if (!line.starts_with(symbol_mark) || end == line.npos) return std::nullopt;
    const auto address = base::parse_number(line.substr(end + 2), 16);
    if (!address) return std::nullopt;
    return std::pair(line.substr(symbol_mark.size(), end - symbol_mark.size()), *address);
}

/// What VMCOREINFO says: where the parts of the table are, and addresses by which its form is known.
struct Vmcoreinfo {
    Address names = 0, count = 0, token_table = 0, token_index = 0, offsets = 0;
    Address relative_base = 0;  ///< 0: there is none
    std::vector<std::pair<string_view, Address>> known;
};

std::optional<Vmcoreinfo> read_vmcoreinfo(string_view text) {
    Vmcoreinfo said;
    const std::array<std::pair<string_view, Address*>, 6> parts = {{{"kallsyms_names", &said.names},
                                                                    {"kallsyms_num_syms", &said.count},
                                                                    {"kallsyms_token_table", &said.token_table},
                                                                    {"kallsyms_token_index", &said.token_index},
                                                                    {"kallsyms_offsets", &said.offsets},
                                                                    {"kallsyms_relative_base", &said.relative_base}}};
    while (!text.empty()) {
        const auto symbol = symbol_in(base::take_line(text));
        if (!symbol) continue;
        const auto part =
            std::find_if(parts.begin(), parts.end(), [&](auto& each) { return each.first == symbol->first; });
        if (part != parts.end())
            *part->second = symbol->second;
        else if (symbol->second >= kernel_mapping)
            said.known.push_back(*symbol);
    }
    const bool whole = said.names && said.count && said.token_table && said.token_index && said.offsets;
    return whole ? std::optional(std::move(said)) : std::nullopt;
}

/// The pieces that names are made of: scripts/kallsyms.c, "token table". The first letter of a symbol's first piece is
/// its type, as in /proc/kallsyms.
class Tokens {
public:
    static std::optional<Tokens> read(const Vmcoreinfo& said, const MemoryReader& memory) {
        constexpr std::size_t longest = 1024;  // of the last token; others are shorter than the table
        const auto index = memory(said.token_index, count * sizeof(std::uint16_t));
        if (!index) return std::nullopt;
        std::array<std::uint16_t, count> starts{};
        std::memcpy(starts.data(), index->data(), sizeof starts);
        const std::size_t size = *std::max_element(starts.begin(), starts.end()) + longest;
        const auto table = memory(said.token_table, size);
        if (!table) return std::nullopt;
        Tokens tokens;
        tokens.text_.assign(reinterpret_cast<const char*>(table->data()), size);
        for (std::size_t i = 0; i < count; ++i) {
            const auto end = tokens.text_.find('\0', starts[i]);
            if (end == std::string::npos) return std::nullopt;
            tokens.at_[i] = {starts[i], static_cast<std::uint16_t>(end - starts[i])};
        }
        return tokens;
    }

    [[nodiscard]] string_view operator[](std::byte token) const {
        const auto [start, size] = at_[std::to_integer<std::size_t>(token)];
        return string_view(text_).substr(start, size);
    }

private:
    static constexpr std::size_t count = 256;
    std::string text_;
    std::array<std::pair<std::uint16_t, std::uint16_t>, count> at_{};  ///< start and size
};

/// The names in the order of the table, as they are packed there: a length and so many tokens.
class PackedNames {
public:
    PackedNames(const MemoryReader& read, Address at) : read_(read), at_(at) {}

    /// The tokens of the next name, valid until the next call; empty where memory cannot be read or has no name there.
    std::span<const std::byte> next() {
        constexpr std::size_t longest = 2 + 0x7fff;
        if (rest_.size() < longest) read_more();
        if (rest_.size() < 2) return {};
        std::size_t length = std::to_integer<std::size_t>(rest_[0]), head = 1;
        if (length & 0x80) {  // Linux commit 73bbb94466fd ("kallsyms: support \"big\" kernel symbols") (in v6.1)
            length = (length & 0x7f) | std::to_integer<std::size_t>(rest_[1]) << 7;
            head = 2;
        }
        if (rest_.size() < head + length) return {};
        const auto name = rest_.subspan(head, length);
        rest_ = rest_.subspan(head + length);
        return name;
    }

private:
    /// Where there is no more, the names may still end before that.
    void read_more() {
        // With what is left of the last piece it is less than what malloc() maps, and unmaps, by itself.
        constexpr std::size_t piece = 64 * 1024;
        const auto more = read_(at_, piece);
        if (!more) return;
        at_ += piece;
        std::vector<std::byte> bytes;
        bytes.reserve(rest_.size() + piece);
        bytes.assign(rest_.begin(), rest_.end());
        bytes.insert(bytes.end(), more->begin(), more->end());
        bytes_ = std::move(bytes);
        rest_ = bytes_;
    }

    const MemoryReader& read_;
    Address at_;  ///< behind what is in bytes_
    std::vector<std::byte> bytes_;
    std::span<const std::byte> rest_;  ///< of bytes_
};

/// A name that was looked for, and its place in the table.
struct Place {
    string_view name;
    std::uint32_t index = 0;
};

/// Nearly all names differ from each of those in their first two letters, which one or two tokens tell.
class Wanted {
public:
    Wanted(std::vector<string_view> names, const Tokens& tokens)
        : tokens_(tokens), names_(std::move(names)), beginnings_(0x10000) {
        for (const string_view name : names_) {
            longest_ = std::max(longest_, name.size());
            if (name.size() >= 2) beginnings_[place_of(name[0], name[1])] = true;
        }
        for (std::size_t i = 0; i < may_begin_.size(); ++i) {
            const string_view text = tokens_[static_cast<std::byte>(i)];
            may_begin_[i] = text.empty() || begins_one(text.substr(1));
            may_follow_type_[i] = begins_one(text);
            is_type_[i] = text.size() == 1;
        }
    }
    /// False for nearly all names that are none of them. For each of the 200,000 names of a kernel.
    [[nodiscard]] bool may_be(std::span<const std::byte> packed) const {
        const std::size_t first = std::to_integer<std::size_t>(packed[0]);
        if (!may_begin_[first]) return false;
        return !is_type_[first] || packed.size() < 2 || may_follow_type_[std::to_integer<std::size_t>(packed[1])];
    }
    /// "" where it is none of them.
    [[nodiscard]] string_view find(std::span<const std::byte> packed) const {
        std::string name;  // with its type in front
        bool looked_at = false;
        for (const std::byte each : packed) {
            name += tokens_[each];
            if (name.size() > longest_ + 1) return {};
            if (looked_at || name.size() < 3) continue;
            if (!beginnings_[place_of(name[1], name[2])]) return {};
            looked_at = true;
        }
        const auto found =
            std::find(names_.begin(), names_.end(), string_view(name).substr(std::min<std::size_t>(1, name.size())));
        return found == names_.end() ? string_view() : *found;
    }

private:
    static std::size_t place_of(char first, char second) {
        return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8 | static_cast<unsigned char>(second);
    }
    /// The first letters of one of the names, two at most, are those of the text as far as it goes.
    [[nodiscard]] bool begins_one(string_view text) const {
        text = text.substr(0, 2);
        return std::any_of(names_.begin(), names_.end(), [&](string_view name) { return name.starts_with(text); });
    }

    const Tokens& tokens_;
    std::vector<string_view> names_;
    std::vector<bool> beginnings_;                                       ///< by the first two letters
    std::array<bool, 256> may_begin_{}, may_follow_type_{}, is_type_{};  ///< by token
    std::size_t longest_ = 0;
};

/// How an entry of kallsyms_offsets gives an address: kallsyms_sym_address() in kernel/kallsyms.c.
enum class Form {
    absolute_or_relative,  ///< CONFIG_KALLSYMS_ABSOLUTE_PERCPU, seen up to 6.12
    relative_to_base,      ///< without it
    relative_to_entry,     ///< seen in 7.2: there is no kallsyms_relative_base
};

Address address_of(Form form, std::int32_t offset, Address base, Address entry) {
    const auto sign_extended = static_cast<Address>(static_cast<std::int64_t>(offset));
    switch (form) {
        case Form::absolute_or_relative:
            return offset >= 0 ? sign_extended : base - 1 - sign_extended;
        case Form::relative_to_base:
            return base + static_cast<std::uint32_t>(offset);
        case Form::relative_to_entry:
            return entry + sign_extended;
    }
    return 0;
}

std::optional<std::vector<Place>> places_of(const Vmcoreinfo& said, std::vector<string_view> names,
                                            const MemoryReader& read) {
    constexpr std::uint32_t most = 4 << 20;  // a kernel with all its drivers built in has some 300,000
    const auto count = read_number<std::uint32_t>(read, said.count);
    const auto tokens = Tokens::read(said, read);
    if (!count || *count > most || !tokens) return std::nullopt;
    const Wanted wanted(std::move(names), *tokens);
    PackedNames packed(read, said.names);
    std::vector<Place> places;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const auto name = packed.next();
        if (name.empty()) return std::nullopt;
        if (!wanted.may_be(name)) continue;
        if (const string_view found = wanted.find(name); !found.empty()) places.push_back({found, i});
    }
    return places;
}

/// In the order of `places`; empty where memory cannot be read.
std::vector<Address> addresses_in(Form form, const Vmcoreinfo& said, std::span<const Place> places,
                                  const MemoryReader& read) {
    const auto base = said.relative_base ? read_number<Address>(read, said.relative_base) : base::Result<Address>(0);
    std::vector<Address> addresses;
    for (const Place& place : places) {
        const Address entry = said.offsets + Address{place.index} * sizeof(std::int32_t);
        const auto offset = read_number<std::uint32_t>(read, entry);
        if (!base || !offset) return {};
        addresses.push_back(address_of(form, static_cast<std::int32_t>(*offset), *base, entry));
    }
    return addresses;
}

/// Each symbol whose address is known has that address, and there are several of them.
bool is_understood(const Vmcoreinfo& said, std::span<const Place> places, std::span<const Address> addresses) {
    constexpr std::size_t enough = 3;
    std::size_t agree = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i)
        for (const auto& [name, address] : said.known) {
            if (name != places[i].name) continue;
            if (address != addresses[i]) return false;
            ++agree;
        }
    return agree >= enough;
}

/// nullopt where one name has two addresses.
std::optional<Symbols> chosen(std::span<const Place> places, std::span<const Address> addresses,
                              std::span<const string_view> names) {
    Symbols symbols;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (std::find(names.begin(), names.end(), places[i].name) == names.end()) continue;
        if (const auto known = find_symbol(symbols, places[i].name); known && *known != addresses[i])
            return std::nullopt;
        else if (!known)
            symbols.emplace_back(places[i].name, addresses[i]);
    }
    std::sort(symbols.begin(), symbols.end());
    return symbols;
}

}  // namespace

std::optional<Symbols> symbols_from_table(string_view vmcoreinfo, std::span<const string_view> names,
                                          const MemoryReader& read) {
    const auto said = read_vmcoreinfo(vmcoreinfo);
    if (!said) return std::nullopt;
    std::vector<string_view> looked_for(names.begin(), names.end());
    for (const auto& known : said->known)
        if (std::find(names.begin(), names.end(), known.first) == names.end()) looked_for.push_back(known.first);
    const auto places = places_of(*said, std::move(looked_for), read);
    if (!places) return std::nullopt;
    const std::array<Form, 2> with_base = {Form::absolute_or_relative, Form::relative_to_base};
    const std::array<Form, 1> without = {Form::relative_to_entry};
    for (const Form form : said->relative_base ? std::span<const Form>(with_base) : std::span<const Form>(without)) {
        const auto addresses = addresses_in(form, *said, *places, read);
        if (is_understood(*said, *places, addresses)) return chosen(*places, addresses, names);
    }
    return std::nullopt;
}

base::Result<Symbols> kernel_symbols(const Host& host, const Core& core, std::span<const string_view> names) {
    auto found = symbols_from_table(core.vmcoreinfo(), names,
                                    [&](Address address, std::size_t size) { return core.read(address, size); });
    if (found) return *std::move(found);
    return host.symbols(names);
}

}  // namespace handoff
