// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "e820/json.hpp"
#include "lib/load/crash_test.hpp"

namespace handoff {

class Host;

/// What a test showed, for somebody else: what was predicted and what was seen, versions, and the memory map
/// (swiotlb-handoff-test(7), schema/test-report.json). Each text in it is one of a few that are known, a version, or a
/// redacted command line: no name of a machine, user or file, no address of a network, and no number of a device.
/// `map`: of the machine, as it is now. `service`: the name of its kdump service, or "".
e820::Json test_report(const TestView&, const Host&, const e820::Table& map, std::string_view service);

}  // namespace handoff
