// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "e820/json.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/kernel/loader.hpp"
#include "lib/report/picture.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/file_sum.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/rules.hpp"

// The words that every JSON document of the program is made of: the same thing has the same name, unit and shape in all
// of them. swiotlb-handoff-json(5) is the reference, schema/common.json says the same to programs.
namespace handoff {

using e820::Json;
using e820::to_json;

/// How every document begins: {"schema": 2, "command": who wrote it}.
Json begin_document(std::string_view command);

/// {"rule", "severity", "text", "evidence", "advice"}; the last two are null where there are none.
Json to_json(const Reason&);
/// {"rule", "text", "where", "advice"}; the last is null where there is none.
Json to_json(const Assumption&);
/// A range with the "name" of what lies there.
Json to_json(const Segment&);
/// A range with its "source" and the "evidence" for it.
Json to_json(const PoolSighting&);
/// A pool with its "devices" and the "evidence" for it.
Json to_json(const DevicePool&);
/// A range with its "use".
Json to_json(const Stretch&);
/// What the crash kernel's memory has to hold: each part and "total_bytes".
Json to_json(const Need&);
/// What a load without the handoff comes to.
Json to_json(const Fallback&);
Json to_json(const ReservationFit&);
/// {"device", "driver", "coherent_bits"}.
Json to_json(const DmaDevice&);
/// {"size_bytes", "crc32"}.
Json to_json(const FileSum&);
/// The message.
Json to_json(const base::Error&);

/// A pool: a range with its number of "slabs". null where there is none.
Json pool_json(const std::optional<AddressRange>&);

/// {"verdict", "gain_bytes", "smallest_reservation_bytes", "why"}: what lending the pool would come to. The last two
/// are null where they are not asked or have nothing to say.
Json loan_json(std::string_view verdict, std::uint64_t gain_bytes,
               std::optional<std::uint64_t> smallest_reservation_bytes, std::string_view why);

/// Adds "reservation", the ranges, and "reservation_bytes", their sum.
void put_reservation(Json& document, const std::vector<AddressRange>&);

/// The text, or null where it is empty.
Json text_or_null(std::string_view);

/// Anything that has a to_json() here or in its own namespace, else what JSON has by itself: a number, a text, true or
/// false.
template <class T>
Json as_json(const T& value) {
    if constexpr (requires { to_json(value); })
        return to_json(value);
    else
        return value;
}

/// null where there is nothing.
template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? as_json(*value) : Json(nullptr);
}

/// An array, empty where the list is.
template <class T>
Json list(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(as_json(value));
    return array;
}

}  // namespace handoff
