// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "e820/result.hpp"
#include "e820/table.hpp"
#include "lib/devices.hpp"
#include "lib/loader.hpp"
#include "lib/machine.hpp"
#include "lib/picture.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/decide/rules.hpp"

// The vocabulary of every JSON document of the program: the same thing has the same name, unit and shape in all of
// them. Addresses are texts in hexadecimal with 0x, ranges are half-open, sizes are numbers of bytes.
namespace handoff {

/// What the address is as a text: "0x75000000".
nlohmann::json address_json(Address);
/// {"start": "0x…", "end": "0x…", "size": bytes}: half-open.
nlohmann::json to_json(const e820::AddressRange&);
/// A list of start, end, type and name, half-open.
nlohmann::json to_json(const e820::Table&);
/// rule, severity, text and, where there are any, evidence and advice.
nlohmann::json to_json(const Reason&);
/// A range with the name of what lies there.
nlohmann::json to_json(const Segment&);
/// A range, who shows it and where.
nlohmann::json to_json(const PoolSighting&);
/// A range and what it is used for.
nlohmann::json to_json(const Stretch&);
/// The pool: a range and its number of slabs.
nlohmann::json pool_json(const e820::AddressRange&);
/// What the crash kernel's memory has to hold. Bytes.
nlohmann::json to_json(const Need&);
nlohmann::json to_json(const LoanOutlook&);
nlohmann::json to_json(const DmaDevice&);
/// The message.
nlohmann::json to_json(const e820::Error&);

/// Anything that has a to_json() here or in its own namespace, else what JSON has by itself: a number, a text, true or
/// false.
template <class T>
nlohmann::json as_json(const T& value) {
    if constexpr (requires { to_json(value); })
        return to_json(value);
    else
        return value;
}

/// null where there is nothing.
template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
    return value ? as_json(*value) : nlohmann::json(nullptr);
}

/// An array, empty where the list is.
template <class T>
nlohmann::json list(const std::vector<T>& values) {
    nlohmann::json array = nlohmann::json::array();
    for (const T& value : values) array.push_back(as_json(value));
    return array;
}

}  // namespace handoff
