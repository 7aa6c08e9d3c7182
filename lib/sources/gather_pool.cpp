// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "lib/sources/gather.hpp"
#include "lib/sources/gathering.hpp"

namespace handoff {

Result<Machine> gather_pool(const Host& host) {
    if (auto error = host.unusable()) return std::move(*error);
    Gathering g{host};
    g.machine.live = host.live();
    if (auto failure = read_iomem(g)) return std::move(*failure);
    open_memory(g);
    read_pool_in_memory(g);
    if (g.machine.pool.empty() || !host.exists(Source::command_line)) {
        if (auto failure = read_log(g, is_known_log_line)) return std::move(*failure);
        take_log_facts(g);
    }
    if (auto failure = read_command_line(g)) return std::move(*failure);
    return std::move(g.machine);
}

}  // namespace handoff
