// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "lib/sources/gathering.hpp"
#include "lib/sources/kernel_config.hpp"

namespace handoff {

void read_configuration(Gathering& g) {
    auto found = read_running_config(g.host, g.machine.release);
    if (!found) {
        g.machine.unread.push_back(std::move(found).error());
    } else if (*found) {
        g.machine.config = std::move((*found)->config);
        g.machine.config_from = {std::move((*found)->file), 0};
    }
}

}  // namespace handoff
