// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>

#include "lib/service/service.hpp"

// The table behind kdump_services(). A new distribution is a file beside this one, and a declaration and a row here.
namespace handoff::service {

KdumpService debian();
KdumpService fedora();
KdumpService suse();

inline auto rows() { return std::array{debian(), fedora(), suse()}; }

}  // namespace handoff::service
