// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "lib/service/service.hpp"

/// The row of kdump_services() with this name.
inline const handoff::KdumpService& kdump_service(std::string_view name) {
    const auto services = handoff::kdump_services();
    const auto found =
        std::find_if(services.begin(), services.end(), [&](const auto& service) { return service.name == name; });
    if (found == services.end()) throw std::out_of_range(std::string(name));
    return *found;
}
