// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/load/record.hpp"
#include "lib/service/service.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// How things stand with the handoff on a machine: what was read, no decision.
struct StatusFacts {
    std::optional<KdumpService> service;  ///< that is installed; none: it is not known
    std::optional<Error>
        service_problem;           ///< why it is not known: not_found where none is installed, input where several are
    std::optional<bool> enabled;   ///< in its configuration; nullopt: that could not be read
    std::string config_problem;    ///< why not; "" where it could
    std::optional<bool> loaded;    ///< a crash kernel is
    std::optional<Record> record;  ///< of the last load; none: nobody wrote one since the boot
    std::string record_problem;    ///< why one that is there cannot be read; "" else
    std::optional<AddressRange> pool;                ///< of the running kernel, now
    std::optional<std::uint64_t> crashkernel_bytes;  ///< reserved; nullopt: the machine could not be read
    std::optional<Plan> plan;                        ///< for what the service would load now
    std::string plan_problem;                        ///< why there is none
    bool needs_root = false;                         ///< the machine could not be read, and root could
    std::int64_t now = 0;                            ///< seconds since 1970, UTC
};

enum class Handoff {
    in_use,      ///< the loaded crash kernel has it
    not_in_use,  ///< the loaded crash kernel has none, or none is loaded
    stale,  ///< the loaded crash kernel has one of another pool than the kernel's, or a pool that may no longer be lent
    unknown,  ///< a crash kernel is loaded, and nobody wrote down how
};
/// "in-use", "not-in-use", "stale", "unknown".
const char* name(Handoff);

struct StatusReport {
    StatusFacts facts;
    Handoff handoff = Handoff::unknown;
    std::string next;  ///< what to do, one line; never empty
};
StatusReport judge_status(StatusFacts);
/// What could not be read: a line each.
std::vector<std::string> problems_of(const StatusFacts&);
/// How old the evidence is on which the loaded crash kernel was lent the pool, in seconds; nullopt where none was lent.
std::optional<std::int64_t> loan_age(const StatusFacts&);

/// The text exposition format of Prometheus 0.0.4, for node_exporter's textfile collector.
std::string to_prometheus(const StatusReport&, std::string_view version);

}  // namespace handoff
