// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "lib/decide/loads.hpp"

namespace handoff {

// What more than one goal does.

/// The loads of the scenarios, in their order.
std::vector<Load> loads_of(const std::vector<Scenario>&);

/// The crash kernel may see several NUMA nodes: a node's memory map is allocated on the node itself, which may have
/// nothing but the pool (mm/sparse.c, sparse_init_nid()). Of a node without memory the kernel keeps 172 KiB all the
/// same (mm/numa.c, alloc_offline_node_data(), 5.19 and later), and there may be 1 << CONFIG_NODES_SHIFT of them.
bool sees_several_nodes(const Question&);

/// numa=off becomes one of the words, and this is why. Rule numa-single.
void note_numa_off(const Question&, Findings&);

/// Rules of judge_neighbours() for what this question loads.
void judge_rivals(const Question&, const AddressRange& pool, const std::vector<AddressRange>& fences, Findings&);

/// The command line without the words of a handoff of `pool`: as kdump would load without it.
CommandLine without_handoff(const CommandLine&, const AddressRange& pool);

}  // namespace handoff
