// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/load/crash_test.hpp"
#include "lib/load/in_use.hpp"
#include "lib/load/reserve.hpp"
#include "lib/service/service.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// How things stand with the handoff on a machine: what was read, no decision.
struct StatusFacts : HandoffEvidence {
    std::optional<KdumpService> service;  ///< that is installed; none: it is not known
    std::optional<Error>
        service_problem;          ///< why it is not known: not_found where none is installed, input where several are
    std::optional<bool> enabled;  ///< in its configuration; nullopt: that could not be read
    std::string config_problem;   ///< why not; "" where it could
    std::vector<std::string> not_installed;  ///< what an enabled service needs and is not there: not_installed()
    std::optional<std::uint64_t> crashkernel_bytes;  ///< reserved; nullopt: the machine could not be read
    std::optional<std::uint64_t> ram_bytes;          ///< of the machine
    e820::Table map;                                 ///< its memory
    std::vector<std::string> changed_files;          ///< since the load of the record: changed_since_load()
    ReservationFacts reservation;                    ///< of this boot, and what `reserve` asked for
    std::string reservation_problem;                 ///< why what it asked for cannot be read; "" else
    std::optional<TestView> test;                    ///< the last one
    std::string test_problem;                        ///< why what it left cannot be read; "" else
    std::optional<Plan> plan;                        ///< for what the service would load now
    std::string plan_problem;                        ///< why there is none
    bool needs_root = false;                         ///< the machine could not be read, and root could
    std::int64_t now = 0;                            ///< seconds since 1970, UTC
};

struct StatusReport {
    StatusFacts facts;
    HandoffState state;
    ReservationState reservation;
    std::string next;  ///< what to do, one line; never empty
};
/// As judge_handoff(), and stale where the pool was lent and may not be any more.
StatusReport judge_status(StatusFacts);
/// What could not be read: a line each.
std::vector<std::string> problems_of(const StatusFacts&);
/// How old the evidence is on which the loaded crash kernel was lent the pool, in seconds; nullopt where none was lent.
std::optional<std::int64_t> loan_age(const StatusFacts&);

/// The text exposition format of Prometheus 0.0.4, for node_exporter's textfile collector.
std::string to_prometheus(const StatusReport&, std::string_view version);

}  // namespace handoff
