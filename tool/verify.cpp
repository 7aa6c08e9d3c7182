// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/check.hpp"
#include "lib/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using e820::AddressRange;
using nlohmann::json;

Status verify(const Options& options) {
    const auto machine = handoff::gather(handoff::Host(options.root));
    if (!machine) return fail(machine.error());
    const auto verification = handoff::verify(*machine);
    if (!verification) return fail(verification.error());
    if (options.json) {
        const auto range = [](const AddressRange& r) {
            return json{{"start", fmt::format("{:#x}", r.start())}, {"end", fmt::format("{:#x}", r.end())}};
        };
        json j = {{"schema", 1},
                  {"landing", handoff::name(verification->landing)},
                  {"promised", nullptr},
                  {"found", nullptr}};
        if (verification->promised) j["promised"] = range(*verification->promised);
        if (verification->found) {
            j["found"] = range(verification->found->range);
            j["found"]["source"] = handoff::name(verification->found->source);
        }
        print_json(j);
    } else {
        print_verification(*verification);
    }
    switch (verification->landing) {
        case handoff::Landing::exact:
        case handoff::Landing::lent:
            return Status::ready;
        case handoff::Landing::no_handoff:
            return Status::not_needed;
        case handoff::Landing::not_lent:
        case handoff::Landing::elsewhere:
        case handoff::Landing::no_pool:
            return Status::refused;
    }
    return Status::refused;
}

}  // namespace tool
