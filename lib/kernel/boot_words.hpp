// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/kernel/command_line.hpp"
#include "lib/kernel/early_take.hpp"
#include "lib/kernel/release.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

// What the words of the crash kernel's command line do to its memory before the pool is made. The table that answers
// this is word_classes.txt. It has every word that Debian's kernels of the five series read (words/*.txt, taken from
// the images by scripts/kernel-words), and those that the sources of these series have for other configurations. A word
// that it does not have is therefore no word of a kernel of these series: the kernel hands it to init. Of any other
// kernel nothing is known.

/// From what costs nothing to what cannot be proven, in this order.
enum class WordClass {
    no_kernel_word,   ///< the kernel does not read it
    harmless,         ///< what is taken before the pool stays within the model's bounds, and the memory map as it is
    elsewhere,        ///< judged by a rule of its own: memmap=, swiotlb=, nr_cpus=, …
    takes_memory,     ///< takes memory before the pool, and there is a bound on it
    same_as_running,  ///< harmless if the running kernel has the same word
    refused,          ///< takes memory without a bound, moves it, or changes the memory map
    not_covered,      ///< perhaps a word of a kernel that the table does not cover
};
const char* name(WordClass);

/// What takes the memory, and thereby the bound on it: taken() in boot_words.cpp.
enum class Taker { nothing, log_buffer, hash_table, stack_depot, small };

/// How the kernel reads a word, as in words/*.txt.
enum class WordKind : unsigned { early, setup, param, late, direct };

/// A set of kinds.
class WordKinds {
public:
    void add(WordKind kind) { bits_ |= bit(kind); }
    bool has(WordKind kind) const { return (bits_ & bit(kind)) != 0; }
    bool empty() const { return bits_ == 0; }

private:
    static unsigned bit(WordKind kind) { return 1U << static_cast<unsigned>(kind); }
    unsigned bits_ = 0;
};

/// One word of the table.
struct WordEntry {
    std::string_view name;  ///< as the kernel declares it: "audit=", "log_buf_len", "kfence.burst"; "rd.*"
    WordKinds kinds;
    WordClass effect = WordClass::refused;
    Taker taker = Taker::nothing;
    std::string_view unless;   ///< the rule by which a value is harmless; "" for none
    bool last_counts = false;  ///< the kernel forgets earlier words; otherwise each one counts
    /// In this series and in those that are not covered; a word is harmless in the others. nullopt with
    /// `only_uncovered`: in these alone.
    std::optional<Series> only_in;
    bool only_uncovered = false;
    std::string_view why;
};

/// The table from the text of word_classes.txt, into which the entries point. Input error: a heading, rule or kind that
/// is not known, or a word that comes twice.
base::Result<std::vector<WordEntry>> read_word_table(std::string_view text);
/// The one that is built in.
const std::vector<WordEntry>& word_table();

/// What one word does by itself.
struct WordEffect {
    WordClass effect = WordClass::harmless;
    Taker taker = Taker::nothing;
    std::string_view why;
};
/// Words match as in the kernel: '-' equals '_' (kernel/params.c, parameq()); a word that __setup() declared without
/// '=' also answers to every longer one (init/main.c, obsolete_checksetup()). Where several match, the worst one
/// counts.
WordEffect classify(const Word&, std::optional<Series>);

/// What a whole command line does.
struct WordsJudged {
    struct Finding {
        Word word;
        WordEffect effect;
    };
    /// Words that need an answer: same_as_running, refused, not_covered; in the order of the line.
    std::vector<Finding> findings;
    std::vector<Finding> takers;  ///< words that take memory, in the order of the line
};
/// Where the running kernel's line is known, a word that must be the same and is (every occurrence, in order) is no
/// finding.
WordsJudged judge_boot_words(const CommandLine&, std::optional<Series>, const CommandLine* running = nullptr);
/// What the words take before the pool in a crash kernel with so many bytes of memory, all together.
EarlyTake early_take(const WordsJudged&, std::uint64_t ram);

/// What the iommu= words of a line say of a pool: arch/x86/kernel/pci-dma.c, iommu_setup(), which reads each word, and
/// in it each part between commas.
struct IommuWords {
    bool off = false;   ///< there is none, if nothing else asks for it. Nothing undoes that
    bool soft = false;  ///< there is one
};
IommuWords iommu_words(const CommandLine&);

}  // namespace handoff
