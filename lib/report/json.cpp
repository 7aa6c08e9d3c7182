// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/json.hpp"

#include <fmt/format.h>

#include "lib/kernel/constants.hpp"

namespace handoff {

Json begin_document(std::string_view command) { return {{"schema", e820::json_schema}, {"command", command}}; }

Json text_or_null(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

Json to_json(const Reason& reason) {
    return {{"rule", reason.rule},
            {"severity", name(reason.severity)},
            {"text", reason.text},
            {"evidence", text_or_null(reason.evidence)},
            {"advice", text_or_null(reason.advice)}};
}

Json to_json(const Assumption& assumption) {
    return {{"rule", assumption.rule},
            {"text", assumption.text},
            {"where", assumption.where},
            {"advice", text_or_null(assumption.advice)}};
}

Json to_json(const Segment& segment) {
    Json j = to_json(segment.range);
    j["name"] = segment.name;
    return j;
}

Json to_json(const PoolSighting& sighting) {
    Json j = to_json(sighting.range);
    j["source"] = name(sighting.source);
    j["evidence"] = sighting.where.text();
    return j;
}

Json to_json(const DevicePool& pool) {
    Json j = pool_json(pool.range);
    j["devices"] = pool.devices;
    j["evidence"] = pool.where.text();
    return j;
}

Json to_json(const Stretch& stretch) {
    Json j = to_json(stretch.range);
    j["use"] = name(stretch.use);
    return j;
}

Json to_json(const Need& need) {
    Json lines = Json::array();
    for (const NeedLine& line : need.lines)
        lines.push_back({{"name", name(line.part)},
                         {"size_bytes", line.bytes},
                         {"at_least_bytes", line.at_least},
                         {"moment", name(moment_of(line.part))},
                         {"basis", name(line.basis)},
                         {"evidence", line.from}});
    return {{"lines", lines},
            {"ran_out_bytes", need.ran_out_with},
            {"lower_bound_bytes", need.lower_bound()},
            {"recommended_bytes", need.recommended()}};
}

Json to_json(const ReservationFit& fit) {
    return {{"fits", fit.fits ? Json(name(*fit.fits)) : Json(nullptr)},
            {"text", to_text(fit)},
            {"rung", name(fit.rung)},
            {"reservation_bytes", fit.reserved},
            {"pool_bytes", fit.pool},
            {"lower_bound_bytes", fit.lower_bound},
            {"recommended_bytes", fit.recommended},
            {"ran_out_bytes", fit.ran_out_with},
            {"assumed", fit.assumed},
            {"append", fit.append},
            {"append_fits", fit.append.empty() ? Json(nullptr) : Json(name(fit.fits_with_append))},
            {"crashkernel", text_or_null(fit.crashkernel)}};
}

Json to_json(const Fallback& fallback) {
    return {{"rung", name(fallback.rung)},
            {"append", fallback.append},
            {"text", to_text(fallback)},
            {"fits", name(fallback.fits)},
            {"pool_bytes", fallback.pool},
            {"enough_bytes", fallback.enough},
            {"plain_fits", name(fallback.plain_fits)},
            {"plain_pool_bytes", fallback.plain_pool},
            {"lower_bound_bytes", fallback.lower_bound},
            {"recommended_bytes", fallback.recommended},
            {"reservation_bytes", fallback.reserved},
            {"crashkernel", fallback.crashkernel}};
}

Json to_json(const DmaDevice& device) {
    return {{"device", device.name}, {"driver", device.driver}, {"coherent_bits", device.coherent_bits}};
}

Json to_json(const FileSum& sum) { return {{"size_bytes", sum.bytes}, {"crc32", fmt::format("{:#010x}", sum.crc32)}}; }

Json to_json(const base::Error& error) { return error.message(); }

Json pool_json(const std::optional<AddressRange>& pool) {
    if (!pool) return nullptr;
    Json j = to_json(*pool);
    j["slabs"] = pool->size() / slab_size;
    return j;
}

Json loan_json(std::string_view verdict, std::uint64_t gain_bytes,
               std::optional<std::uint64_t> smallest_reservation_bytes, std::string_view why) {
    return {{"verdict", verdict},
            {"gain_bytes", gain_bytes},
            {"smallest_reservation_bytes", or_null(smallest_reservation_bytes)},
            {"why", text_or_null(why)}};
}

void put_reservation(Json& document, const std::vector<AddressRange>& reservation) {
    std::uint64_t bytes = 0;
    for (const AddressRange& range : reservation) bytes += range.size();
    document["reservation"] = list(reservation);
    document["reservation_bytes"] = bytes;
}

}  // namespace handoff
