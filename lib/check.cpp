// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "e820/memmap.hpp"
#include "lib/command_line.hpp"

namespace handoff {
namespace {

using e820::Type;

constexpr std::uint64_t slab_size = 2 * e820::KiB;

class Check {
public:
    explicit Check(const CheckInput& input) : input_(input) {}

    CheckResult run() {
        if (read_command_line() && find_region()) {
            if (result_.loan) look_at_lent_words();
            else look_at_words();
            look_at_memmap();
            if (input_.map) look_at_map();
            if (input_.core) look_at_core();
            if (input_.machine) look_at_machine();
        }
        return std::move(result_);
    }

private:
    void refuse(std::string_view rule, std::string text, std::string advice = {}) {
        result_.reasons.push_back({std::string(rule), Severity::refusal, std::move(text), {}, std::move(advice)});
    }
    void note(std::string_view rule, std::string text) {
        result_.reasons.push_back({std::string(rule), Severity::info, std::move(text), {}, {}});
    }

    bool read_command_line() {
        const auto line = CommandLine::parse(input_.command_line);
        const auto option = line ? swiotlb_option(*line) : line.error();
        if (!option) {
            refuse("command-line-sound", option.error().message());
            return false;
        }
        line_ = *line;
        option_ = *option;
        for (const Word* word : line_.all("memmap")) {
            const auto ops = e820::parse_memmap(word->value.value_or(""));
            if (!ops) {
                refuse("command-line-sound", fmt::format("in '{}': {}", word->text, ops.error().what));
                return false;
            }
            ops_.insert(ops_.end(), ops->begin(), ops->end());
        }
        return true;
    }

    // The marker says what is meant; without one, RAM of the pool's size that a
    // memmap= word adds.
    bool find_region() {
        const auto marker = read_marker(line_);
        if (!marker) {
            refuse("command-line-sound", marker.error().message());
            return false;
        }
        const auto lent = read_marker(line_, lent_key);
        if (!lent) {
            refuse("command-line-sound", lent.error().message());
            return false;
        }
        if (*marker && *lent) {
            refuse("command-line-agrees", "the pool is handed over and lent at once");
            return false;
        }
        result_.loan = lent->has_value();
        result_.pool = *lent ? *lent : *marker;
        if (!result_.pool && option_.slabs)
            for (const e820::MemmapOp& op : ops_)
                if (const auto* add = std::get_if<e820::AddRange>(&op);
                    add && add->type == Type::ram && add->range.size() == *option_.slabs * slab_size)
                    result_.pool = add->range;
        if (result_.pool) return true;
        refuse("handoff-present", "there is no handoff on the command line: neither a marker nor RAM of the pool's size");
        return false;
    }

    void look_at_words() {
        const AddressRange& pool = *result_.pool;
        note("handoff-present", fmt::format("the handoff promises a pool at {}", e820::to_string(pool)));
        if (!option_.slabs || *option_.slabs * slab_size != pool.size())
            refuse("pool-slabs", fmt::format("swiotlb= asks for {} slabs, the region has {}",
                                             option_.slabs ? std::to_string(*option_.slabs) : "the default number of", pool.size() / slab_size));
        if (option_.noforce) refuse("command-line-agrees", "swiotlb=noforce: there will be no pool");
        if (option_.addr && *option_.addr != pool.start())
            refuse("command-line-agrees", fmt::format("addr={:#x} is not the region's start", *option_.addr));
    }

    void look_at_lent_words() {
        note("handoff-present", fmt::format("the pool at {} is lent as ordinary RAM", e820::to_string(*result_.pool)));
        if (option_.force && !option_.noforce) refuse("lend-no-bounce", "swiotlb=force: the crash kernel makes a pool of its own");
        if (line_.last("iommu").value_or("").find("soft") != std::string::npos) refuse("lend-no-bounce", "iommu=soft: the crash kernel makes a pool of its own");
    }

    void look_at_memmap() {
        const AddressRange& pool = *result_.pool;
        std::size_t added = 0;
        for (const e820::MemmapOp& op : ops_) {
            if (std::holds_alternative<e820::ExactMap>(op)) refuse("command-line-agrees", "memmap=exactmap replaces the crash kernel's map");
            const auto* add = std::get_if<e820::AddRange>(&op);
            if (!add || !add->range.overlaps(pool)) continue;
            if (add->type == Type::ram && add->range == pool) ++added;
            else refuse("command-line-agrees", fmt::format("memmap={} overlaps the region", e820::to_word(op)));
        }
        if (added > 1) refuse("map-once", "the region is added as RAM more than once");
        in_words_ = added == 1;
        if (!in_words_ && !input_.map) refuse("map-once", "no memmap= word adds the region as RAM, and no map was given");
    }

    void look_at_map() {
        const AddressRange& pool = *result_.pool;
        const auto map = apply_memory_words(*input_.map, line_);
        if (!map) {
            refuse("command-line-sound", map.error().message());
            return;
        }
        const bool in_table = input_.map->of(Type::ram).overlaps(pool);
        if (in_table && in_words_) refuse("map-once", "the region is RAM in the table already, and the words add it again");
        if (in_table && !line_.has("nokaslr"))
            refuse("kaslr-blind", "the region is in the boot_params table, where KASLR can put the kernel itself", "add nokaslr");
        if (!map->of(Type::ram).contains(pool)) refuse("map-once", "the region is not RAM as a whole in the crash kernel's map");
    }

    void look_at_core() {
        const AddressRange& pool = *result_.pool;
        std::vector<AddressRange> loads = input_.core->loads;
        // The kernel's own text is there twice, once by its virtual address.
        std::sort(loads.begin(), loads.end());
        loads.erase(std::unique(loads.begin(), loads.end()), loads.end());
        for (const AddressRange& load : loads) {
            if (!load.overlaps(pool)) continue;
            if (load.contains(pool) && result_.loan)
                note("elfcorehdr-agrees", fmt::format("the dump has the lent pool's pages, in PT_LOAD {}: only who maps /proc/vmcore can read them",
                                                      e820::to_string(load)));
            else if (load.contains(pool))
                note("elfcorehdr-agrees", fmt::format("the dump has the pool's pages, in PT_LOAD {}; they hold the crash kernel's own bounce data",
                                                      e820::to_string(load)));
            else
                refuse("elfcorehdr-agrees", fmt::format("PT_LOAD {} has only a part of the region", e820::to_string(load)));
        }
        if (input_.core->notes == 0) refuse("elfcorehdr-agrees", "the ELF headers have no notes: no CPU state, no vmcoreinfo");
    }

    void look_at_machine() {
        const Machine& machine = *input_.machine;
        PlanRequest request = input_.request;
        request.command_line = input_.command_line;
        request.lend = result_.loan;
        Plan reviewed = review(machine, request, *result_.pool);
        result_.proven = reviewed.verdict == Verdict::ready;
        for (Reason& reason : reviewed.reasons) result_.reasons.push_back(std::move(reason));
    }

    const CheckInput& input_;
    CheckResult result_;
    CommandLine line_;
    SwiotlbOption option_;
    std::vector<e820::MemmapOp> ops_;
    bool in_words_ = false;
};

}  // namespace

bool CheckResult::sound() const {
    return std::none_of(reasons.begin(), reasons.end(), [](const Reason& r) { return r.severity == Severity::refusal; });
}

CheckResult check(const CheckInput& input) { return Check(input).run(); }

const char* name(Landing landing) {
    switch (landing) {
        case Landing::exact: return "exact";
        case Landing::elsewhere: return "elsewhere";
        case Landing::no_pool: return "no-pool";
        case Landing::no_handoff: return "no-handoff";
        case Landing::lent: return "lent";
        case Landing::not_lent: return "not-lent";
    }
    return "unknown";
}

Result<Verification> verify(const Machine& machine) {
    Verification verification;
    const auto line = CommandLine::parse(machine.command_line);
    if (!line) return line.error();
    const auto promised = read_marker(*line);
    if (!promised) return promised.error();
    const auto lent = read_marker(*line, lent_key);
    if (!lent) return lent.error();
    verification.promised = *lent ? *lent : *promised;
    if (!machine.pool.empty()) verification.found = machine.pool.front();
    if (*lent)
        verification.landing = machine.ram.contains(**lent) && !verification.found ? Landing::lent : Landing::not_lent;
    else if (!verification.promised)
        verification.landing = Landing::no_handoff;
    else if (!verification.found)
        verification.landing = Landing::no_pool;
    else
        verification.landing = verification.found->range == *verification.promised ? Landing::exact : Landing::elsewhere;
    return verification;
}

}  // namespace handoff
