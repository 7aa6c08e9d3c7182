// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/facts.hpp"

namespace handoff {

bool KernelConfig::has_default_cma() const {
    switch (cma_size) {
        case CmaSize::mbytes:
            return cma_mbytes != 0;
        case CmaSize::percentage:
            return cma_percentage != 0;
        case CmaSize::smaller:
            return cma_mbytes != 0 && cma_percentage != 0;
        case CmaSize::larger:
            return cma_mbytes != 0 || cma_percentage != 0;
    }
    return true;
}

}  // namespace handoff
