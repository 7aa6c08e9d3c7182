// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include <fmt/format.h>

#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using base::Errc;
using base::Error;

Status show(const Options& options) {
    const auto host = host_of(options);
    if (!host) return fail(host.error());
    const auto machine = machine_of(*host);
    if (!machine) return fail(machine.error());
    const auto& pool = machine->pool;
    const bool agree =
        std::all_of(pool.begin(), pool.end(), [&](const auto& s) { return s.range == pool.front().range; });
    if (options.json) {
        print_json(handoff::show_document(*machine));
    } else {
        print_pool(*machine);
    }
    if (!agree) {
        const auto other =
            std::find_if(pool.begin(), pool.end(), [&](const auto& s) { return s.range != pool.front().range; });
        complain(fmt::format("{} shows the pool at {}, {} at {}", pool.front().where.text(),
                             base::to_string(pool.front().range), other->where.text(), base::to_string(other->range)));
        return Status::input;
    }
    if (!pool.empty()) return Status::ready;
    const bool hidden = std::any_of(machine->unread.begin(), machine->unread.end(),
                                    [](const Error& e) { return e.code == Errc::not_permitted; });
    return hidden && !machine->pool_torn_down ? Status::not_permitted : Status::not_needed;
}

}  // namespace tool
