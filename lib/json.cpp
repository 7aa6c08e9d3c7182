// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/json.hpp"

#include <fmt/format.h>

#include "e820/type.hpp"

namespace handoff {

using nlohmann::json;

json address_json(Address address) { return fmt::format("{:#x}", address); }

json to_json(const AddressRange& range) {
    return {{"start", address_json(range.start())}, {"end", address_json(range.end())}, {"size", range.size()}};
}

json to_json(const e820::Table& table) {
    json entries = json::array();
    for (const e820::Entry& entry : table.entries)
        entries.push_back({{"start", address_json(entry.range.start())},
                           {"end", address_json(entry.range.end())},
                           {"type", static_cast<std::uint32_t>(entry.type)},
                           {"name", e820::log_label(entry.type)}});
    return entries;
}

json to_json(const Reason& reason) {
    json j = {{"rule", reason.rule}, {"severity", name(reason.severity)}, {"text", reason.text}};
    if (!reason.evidence.empty()) j["evidence"] = reason.evidence;
    if (!reason.advice.empty()) j["advice"] = reason.advice;
    return j;
}

json to_json(const Segment& segment) {
    json j = to_json(segment.range);
    j["name"] = segment.name;
    return j;
}

json to_json(const PoolSighting& sighting) {
    json j = to_json(sighting.range);
    j["source"] = name(sighting.source);
    j["evidence"] = sighting.where.text();
    return j;
}

json to_json(const Stretch& stretch) {
    json j = to_json(stretch.range);
    j["use"] = name(stretch.use);
    return j;
}

json pool_json(const AddressRange& pool) {
    json j = to_json(pool);
    j["slabs"] = pool.size() / 2048;
    return j;
}

json to_json(const Need& need) {
    return {{"image", need.image},   {"initrd", need.initrd},   {"unpacked", need.unpacked},
            {"early", need.early},   {"bitmaps", need.bitmaps}, {"own_pool", need.own_pool},
            {"margin", need.margin}, {"total", need.total()}};
}

json to_json(const LoanOutlook& loan) {
    return {
        {"possible", loan.possible}, {"gain_bytes", loan.gain}, {"smallest_bytes", loan.smallest}, {"why", loan.why}};
}

json to_json(const DmaDevice& device) {
    return {{"device", device.name}, {"driver", device.driver}, {"coherent_bits", device.coherent_bits}};
}

json to_json(const e820::Error& error) { return error.message(); }

}  // namespace handoff
