// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using e820::AddressRange;
using e820::Errc;
using e820::Error;
using nlohmann::json;

Status show(const Options& options) {
    const auto machine = handoff::gather(handoff::Host(options.root));
    if (!machine) return fail(machine.error());
    const auto& pool = machine->pool;
    const bool agree =
        std::all_of(pool.begin(), pool.end(), [&](const auto& s) { return s.range == pool.front().range; });
    if (options.json) {
        json j = {{"schema", 1}, {"pool", nullptr}, {"agree", agree}, {"sightings", json::array()}};
        const auto range = [](const AddressRange& r) {
            return json{
                {"start", fmt::format("{:#x}", r.start())}, {"end", fmt::format("{:#x}", r.end())}, {"size", r.size()}};
        };
        if (!pool.empty()) {
            j["pool"] = range(pool.front().range);
            j["pool"]["slabs"] = pool.front().range.size() / 2048;
            j["pool"]["source"] = handoff::name(pool.front().source);
        }
        if (machine->slabs_used) j["slabs_used"] = *machine->slabs_used;
        if (machine->slabs_hiwater) j["slabs_hiwater"] = *machine->slabs_hiwater;
        for (const auto& s : pool) {
            json one = range(s.range);
            one["source"] = handoff::name(s.source);
            one["evidence"] = s.where.text();
            j["sightings"].push_back(std::move(one));
        }
        j["crash_kernel"] = json::array();
        for (const AddressRange& c : machine->crash_kernel) j["crash_kernel"].push_back(range(c));
        j["torn_down"] = machine->pool_torn_down;
        j["unread"] = json::array();
        for (const Error& e : machine->unread) j["unread"].push_back(e.message());
        print_json(j);
    } else {
        print_pool(*machine);
    }
    if (!agree) {
        const auto other =
            std::find_if(pool.begin(), pool.end(), [&](const auto& s) { return s.range != pool.front().range; });
        complain(fmt::format("{} shows the pool at {}, {} at {}", pool.front().where.text(),
                             e820::to_string(pool.front().range), other->where.text(), e820::to_string(other->range)));
        return Status::input;
    }
    if (!pool.empty()) return Status::ready;
    const bool hidden = std::any_of(machine->unread.begin(), machine->unread.end(),
                                    [](const Error& e) { return e.code == Errc::not_permitted; });
    return hidden && !machine->pool_torn_down ? Status::not_permitted : Status::not_needed;
}

}  // namespace tool
