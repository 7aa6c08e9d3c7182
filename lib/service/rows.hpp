// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/service/service.hpp"

// The rows of kdump_services(), one file each. A new distribution is a new file here, its name below and in the table.
namespace handoff::service {

KdumpService debian();
KdumpService fedora();
KdumpService suse();

}  // namespace handoff::service
