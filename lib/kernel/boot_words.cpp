// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/boot_words.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_set>

#include <fmt/format.h>

#include "base/number.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

extern const std::string_view word_classes_text;  // word_classes.txt, by CMake

namespace {

using base::GiB;
using base::input_error;
using base::KiB;
using base::MiB;
using base::Result;

char fold(char c) { return c == '-' ? '_' : c; }

bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return fold(x) == fold(y); });
}

bool begins_with(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && same(text.substr(0, start.size()), start);
}

std::string_view take_until(std::string_view& text, char stop) {
    const auto end = std::min(text.find(stop), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

std::optional<std::uint64_t> size_in(std::string_view text) { return base::take_memparse(text); }

// --- values that make a word harmless. `value` is what follows '='.

// "0" or "0M", and nothing behind it: the kernel reads a size as far as it goes, so "64M:0" is 64 MiB.
bool zero(std::string_view value, std::optional<Series>) { return base::take_memparse(value) == 0 && value.empty(); }

// The same for each node: "0", "0:0,1:0".
bool zero_each(std::string_view value, std::optional<Series> series) {
    do {
        std::string_view size = take_until(value, ',');
        const auto node_end = size.find_first_not_of("0123456789");
        if (node_end != size.npos && node_end != 0 && size[node_end] == ':') size.remove_prefix(node_end + 1);
        if (!zero(size, series)) return false;
    } while (!value.empty());
    return true;
}

bool off(std::string_view value, std::optional<Series>) {
    return value == "off" || value == "0" || value == "n" || value == "no";
}

bool dash(std::string_view value, std::optional<Series>) { return value == "-"; }
bool embed(std::string_view value, std::optional<Series>) { return value == "embed"; }
bool no_fake(std::string_view value, std::optional<Series>) { return value.find("fake") == value.npos; }
bool no_pair(std::string_view value, std::optional<Series>) { return value.find(',') == value.npos; }
bool no_memaper(std::string_view value, std::optional<Series>) { return value.find("memaper") == value.npos; }
bool no_at(std::string_view value, std::optional<Series>) { return value.find('@') == value.npos; }
bool no_xdbc(std::string_view value, std::optional<Series>) { return value.find("xdbc") == value.npos; }

bool small_page(std::string_view value, std::optional<Series>) {
    const auto size = size_in(value);
    return size && *size < GiB;
}

bool low(std::string_view value, std::optional<Series>) {
    const auto size = size_in(value);
    return size && *size <= MiB;
}

// What iommu= says besides. 6.1 and later keep the pool whatever the IOMMUs do, and take an aperture for GART only
// where these words do not ask for it (arch/x86/kernel/pci-dma.c, aperture_64.c). "off" and "soft" decide whether there
// is a pool at all, which has a rule of its own.
bool iommu_plain(std::string_view value, std::optional<Series> series) {
    constexpr std::array<std::string_view, 14> plain = {"pt",      "nopt",  "off",       "soft",       "nomerge",
                                                        "noforce", "panic", "nopanic",   "nodac",      "allowdac",
                                                        "usedac",  "noagp", "fullflush", "nofullflush"};
    if (!series || *series == Series::linux_5_10) return false;
    while (!value.empty())
        if (std::find(plain.begin(), plain.end(), take_until(value, ',')) == plain.end()) return false;
    return true;
}

struct Rule {
    std::string_view name;
    bool (*harmless)(std::string_view value, std::optional<Series>);
    bool without_value = false;  // a word without a value is harmless, too
};
constexpr std::array<Rule, 13> rules_of_values = {{{"zero", zero},
                                                   {"zero_each", zero_each},
                                                   {"no_memaper", no_memaper, true},
                                                   {"off", off},
                                                   {"dash", dash},
                                                   {"embed", embed},
                                                   {"no_fake", no_fake, true},
                                                   {"no_pair", no_pair, true},
                                                   {"no_at", no_at, true},
                                                   {"no_xdbc", no_xdbc, true},
                                                   {"small_page", small_page},
                                                   {"low", low},
                                                   {"iommu_plain", iommu_plain}}};

template <typename Table>
auto find_named(const Table& table, std::string_view name) {
    return std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.name == name; });
}

template <typename Value>
struct Named {
    std::string_view name;
    Value value;
};
constexpr std::array<Named<WordKind>, 5> kind_names = {{{"early", WordKind::early},
                                                        {"setup", WordKind::setup},
                                                        {"param", WordKind::param},
                                                        {"late", WordKind::late},
                                                        {"direct", WordKind::direct}}};
constexpr std::array<Named<Taker>, 4> taker_names = {{{"log_buffer", Taker::log_buffer},
                                                      {"hash_table", Taker::hash_table},
                                                      {"stack_depot", Taker::stack_depot},
                                                      {"small", Taker::small}}};
constexpr std::array<Named<WordClass>, 6> class_names = {{{"no_kernel_word", WordClass::no_kernel_word},
                                                          {"harmless", WordClass::harmless},
                                                          {"elsewhere", WordClass::elsewhere},
                                                          {"takes", WordClass::takes_memory},
                                                          {"same_as_running", WordClass::same_as_running},
                                                          {"refused", WordClass::refused}}};

// "[refused unless zero last] why": what holds for the words below.
bool read_heading(std::string_view line, WordEntry& heading) {
    heading = {};
    line.remove_prefix(1);
    std::string_view said = take_until(line, ']');
    while (line.starts_with(' ')) line.remove_prefix(1);
    heading.why = line;
    const auto effect = find_named(class_names, take_until(said, ' '));
    if (effect == class_names.end() || line.empty()) return false;
    heading.effect = effect->value;
    if (heading.effect == WordClass::takes_memory) {
        const auto taker = find_named(taker_names, take_until(said, ' '));
        if (taker == taker_names.end()) return false;
        heading.taker = taker->value;
    }
    while (!said.empty()) {
        const std::string_view part = take_until(said, ' ');
        if (part == "last") {
            heading.last_counts = true;
        } else if (part == "unless") {
            heading.unless = take_until(said, ' ');
            if (find_named(rules_of_values, heading.unless) == rules_of_values.end()) return false;
        } else if (part == "on") {
            const std::string_view where = take_until(said, ' ');
            heading.only_uncovered = where == "older";
            heading.only_in = series_from(where);
            if (!heading.only_uncovered && !heading.only_in) return false;
        } else {
            return false;
        }
    }
    return true;
}

// "NAME KIND...", below that heading. nullopt: not so.
std::optional<WordEntry> read_word(std::string_view line, const WordEntry& heading) {
    WordEntry entry = heading;
    entry.name = take_until(line, ' ');
    while (!line.empty()) {
        const auto kind = find_named(kind_names, take_until(line, ' '));
        if (kind == kind_names.end()) return std::nullopt;
        entry.kinds.add(kind->value);
    }
    if (entry.kinds.empty() != (entry.effect == WordClass::no_kernel_word)) return std::nullopt;
    return entry;
}

bool says_nothing(std::string_view line) { return line.empty() || line.front() == '#'; }

// --- which entries a word meets

std::string_view key_of(const WordEntry& entry) {
    return entry.name.ends_with('=') ? entry.name.substr(0, entry.name.size() - 1) : entry.name;
}

bool meets(const WordEntry& entry, const Word& word) {
    if (same(word.key, key_of(entry))) return true;
    if (entry.name.ends_with(".*")) return begins_with(word.key, entry.name.substr(0, entry.name.size() - 1));
    // A longer word that a harmless one answers to may be another kernel's, of which nothing is known.
    return entry.kinds.has(WordKind::setup) && entry.effect > WordClass::harmless &&
           begins_with(word.value ? word.key + '=' + *word.value : word.key, entry.name);
}

bool holds_in(const WordEntry& entry, std::optional<Series> series) {
    if (!series || (!entry.only_in && !entry.only_uncovered)) return true;
    return entry.only_in == series;
}

bool harmless_value(const WordEntry& entry, const Word& word, std::optional<Series> series) {
    const auto rule = find_named(rules_of_values, entry.unless);
    if (rule == rules_of_values.end()) return false;
    return word.value ? rule->harmless(*word.value, series) : rule->without_value;
}

// --- bounds

// A word that is smaller than an earlier one does not undo it (kernel/printk/printk.c, log_buf_len_update()).
EarlyTake log_buffer(const std::vector<const Word*>& words) {
    std::uint64_t size = 0;
    for (const Word* word : words)
        size = std::max(size, size_in(word->value.value_or("0")).value_or(~std::uint64_t{0}));
    return log_buffer_take(size);
}

// `words` meet entries of this taker, at least one.
EarlyTake taken(Taker taker, const std::vector<const Word*>& words, std::uint64_t ram) {
    switch (taker) {
        case Taker::nothing:
            return {};
        case Taker::log_buffer:
            return log_buffer(words);
        case Taker::hash_table: {
            // mm/mm_init.c, alloc_large_system_hash(): at most 1/16 of memory, whatever is asked for.
            const bool both = std::any_of(words.begin(), words.end(),
                                          [&](const Word* word) { return !same(word->key, words.front()->key); });
            return {(both ? 2 : 1) * (ram / 16), ram / 16};
        }
        case Taker::stack_depot:
            return stack_depot_take(ram);
        case Taker::small: {
            // init/main.c, initcall_blacklist(): two cache lines a name, and a name may be empty. Masks of CPUs: up to
            // nine of 1 KiB for one word (kernel/sched/isolation.c, housekeeping_setup()).
            std::uint64_t bytes = 0;
            for (const Word* word : words) bytes += 16 * KiB + 128 * (word->text.size() + 1);
            return {bytes, 16 * KiB};
        }
    }
    return {};
}

bool same_words(const CommandLine& a, const CommandLine& b, std::string_view key) {
    const auto left = a.all(key);
    const auto right = b.all(key);
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const Word* x, const Word* y) { return x->value == y->value; });
}

bool sizes_pages(const Word& word) { return same(word.key, "hugepagesz") || same(word.key, "default_hugepagesz"); }

}  // namespace

const char* name(WordClass effect) {
    for (const auto& named : class_names)
        if (named.value == effect) return named.name.data();
    return "not_covered";
}

Result<std::vector<WordEntry>> read_word_table(std::string_view text) {
    std::vector<WordEntry> table;
    std::unordered_set<std::string_view> names;
    WordEntry heading;
    bool have_heading = false;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = take_until(text, '\n');
        if (says_nothing(line)) continue;
        if (line.front() == '[') {
            if (!read_heading(line, heading))
                return input_error(number, fmt::format("expected a heading, found '{}'", line));
            have_heading = true;
            continue;
        }
        const auto entry = have_heading ? read_word(line, heading) : std::nullopt;
        if (!entry || !names.insert(entry->name).second)
            return input_error(number, fmt::format("expected a new word and its kinds, found '{}'", line));
        table.push_back(*entry);
    }
    return table;
}

const std::vector<WordEntry>& word_table() {
    static const std::vector<WordEntry> table = *read_word_table(word_classes_text);
    return table;
}

namespace {

// The lines of the table that is built in, by the first character of their words: a command line meets few of them.
class Lines {
public:
    explicit Lines(std::string_view text) {
        while (!text.empty()) {
            const std::string_view line = take_until(text, '\n');
            if (says_nothing(line)) continue;
            if (line.front() == '[')
                read_heading(line, headings_.emplace_back());
            else
                lines_[first(line)].push_back({&headings_.back(), line});
        }
    }
    std::vector<WordEntry> met_by(const Word& word) const {
        std::vector<WordEntry> met;
        if (word.key.empty()) return met;  // "=1"
        for (const auto& [heading, line] : lines_[first(word.key)])
            if (const auto entry = read_word(line, *heading); entry && meets(*entry, word)) met.push_back(*entry);
        return met;
    }

private:
    struct Line {
        const WordEntry* heading;
        std::string_view text;
    };
    static std::size_t first(std::string_view word) { return static_cast<unsigned char>(fold(word.front())); }

    std::deque<WordEntry> headings_;
    std::array<std::vector<Line>, 256> lines_;
};

std::vector<WordEntry> entries_met(const Word& word) {
    static const Lines lines(word_classes_text);
    return lines.met_by(word);
}

WordEffect worst_of(const std::vector<WordEntry>& met, const Word& word, std::optional<Series> series) {
    if (word.for_init) return {WordClass::no_kernel_word, Taker::nothing, "It stands behind '--'."};
    std::optional<WordEffect> worst;
    for (const WordEntry& entry : met) {
        WordEffect effect{entry.effect, entry.taker, entry.why};
        if (!holds_in(entry, series)) effect = {WordClass::harmless, Taker::nothing, "Not in this kernel."};
        if (harmless_value(entry, word, series)) effect = {WordClass::harmless, Taker::nothing, "Not with this value."};
        if (!worst || effect.effect > worst->effect) worst = effect;
    }
    if (worst) return *worst;
    if (series) return {WordClass::no_kernel_word, Taker::nothing, "This kernel does not read it."};
    return {WordClass::not_covered, Taker::nothing, "It is not known what it does in this kernel."};
}

}  // namespace

WordEffect classify(const Word& word, std::optional<Series> series) {
    return worst_of(entries_met(word), word, series);
}

WordsJudged judge_boot_words(const CommandLine& line, std::optional<Series> series, const CommandLine* running) {
    WordsJudged judged;
    for (const Word& word : line.words()) {
        const auto met = entries_met(word);
        const WordEffect effect = worst_of(met, word, series);
        if (effect.effect <= WordClass::elsewhere) continue;
        const bool last_counts = std::any_of(met.begin(), met.end(), [](const WordEntry& e) { return e.last_counts; });
        if (last_counts && line.all(word.key).back() != &word) continue;
        if (sizes_pages(word) && !line.has("hugepages")) continue;  // a size alone takes nothing
        if (effect.effect == WordClass::takes_memory)
            judged.takers.push_back({word, effect});
        else if (effect.effect != WordClass::same_as_running || !running || !same_words(line, *running, word.key))
            judged.findings.push_back({word, effect});
    }
    return judged;
}

IommuWords iommu_words(const CommandLine& line) {
    IommuWords found;
    for (const Word* word : line.all("iommu")) {
        const std::string value = word->value.value_or("");
        bool ended = false;  // the kernel reads nothing behind "usedac"
        for (std::string_view rest = value; !rest.empty();) {
            const std::string_view part = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(rest.size(), part.size() + 1));
            // Where it is not sure that the word counts, it is sure that a handoff must not rest on a pool.
            found.off = found.off || part.starts_with("off");
            found.soft = found.soft || (!ended && part.starts_with("soft"));
            ended = ended || part.starts_with("usedac");
        }
    }
    return found;
}

EarlyTake early_take(const WordsJudged& judged, std::uint64_t ram) {
    EarlyTake sum;
    for (const auto& [name, taker] : taker_names) {
        std::vector<const Word*> words;
        for (const auto& [word, effect] : judged.takers)
            if (effect.taker == taker) words.push_back(&word);
        if (words.empty()) continue;
        sum += taken(taker, words, ram);
    }
    return sum;
}

}  // namespace handoff
