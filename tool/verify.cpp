// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/verify.hpp"
#include "lib/decide/next_kernel.hpp"
#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

Status verify(const Options& options) {
    const auto host = host_of(options);
    if (!host) return fail(host.error());
    const auto machine = machine_of(*host);
    if (!machine) return fail(machine.error());
    const auto verification = handoff::verify(*machine, handoff::asked_by_addr(*machine));
    if (!verification) return fail(verification.error());
    if (options.json) {
        print_json(handoff::verify_document(*verification));
    } else {
        print_verification(*verification);
    }
    switch (handoff::promises_of(*verification)) {
        case handoff::Promises::kept:
            return Status::ready;
        case handoff::Promises::none:
            return Status::not_needed;
        case handoff::Promises::broken:
            break;
    }
    return Status::refused;
}

}  // namespace tool
