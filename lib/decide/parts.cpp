// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/parts.hpp"

#include <fmt/format.h>

#include "lib/decide/neighbours.hpp"

namespace handoff {

std::vector<Load> loads_of(const std::vector<Scenario>& scenarios) {
    std::vector<Load> loads;
    loads.reserve(scenarios.size());
    for (const Scenario& s : scenarios) loads.push_back(s.load);
    return loads;
}

bool sees_several_nodes(const Question& question) {
    const Machine& machine = question.machine;
    const bool several =
        machine.memory_nodes != 1u || machine.possible_nodes.value_or(1) > 1 || question.request.initrd_acpi_bytes != 0;
    return several && question.base.last("numa").value_or("") != "off";
}

void note_numa_off(const Question& question, Findings& found) {
    const auto &nodes = question.machine.memory_nodes, &possible = question.machine.possible_nodes;
    found.note(
        "numa-single",
        nodes.value_or(1) != 1u
            ? fmt::format("The word numa=off is added, because the machine has {} NUMA nodes with memory.", *nodes)
        : !nodes ? std::string("The word numa=off is added, because the number of NUMA nodes is not known.")
        : question.request.initrd_acpi_bytes != 0
            ? std::string("The word numa=off is added, because the initrd has ACPI tables, and one of them may name "
                          "other NUMA nodes.")
        : possible.value_or(1) > 1
            ? fmt::format("The word numa=off is added, because the machine may have {} NUMA nodes.", *possible)
            : std::string("The word numa=off is added, because ACPI's SRAT names memory above 4 GiB."));
}

void judge_rivals(const Question& question, const AddressRange& pool, const std::vector<AddressRange>& fences,
                  Findings& found) {
    judge_neighbours(question.machine, question.base, crash_release(question),
                     question.request.loader != Loader::kexec_load, pool, fences, found);
}

CommandLine without_handoff(const CommandLine& line, const AddressRange& pool) {
    std::string kept;  // the word that adds the pool has the fences behind it
    for (const Word& word : line.words()) {
        const bool of_handoff =
            word.key == marker_key || word.key == lent_key || word.key == "swiotlb" || adds_ram(word, pool);
        if (!of_handoff) kept += (kept.empty() ? "" : " ") + word.text;
    }
    return CommandLine::parse(kept).value_or(line);
}

}  // namespace handoff
