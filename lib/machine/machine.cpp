// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

const char* name(PoolSource source) {
    switch (source) {
        case PoolSource::iomem:
            return "iomem";
        case PoolSource::memory:
            return "memory";
        case PoolSource::log:
            return "log";
        case PoolSource::user:
            return "user";
    }
    return "";
}

const char* name(Encryption encryption) {
    switch (encryption) {
        case Encryption::none:
            return "none";
        case Encryption::sme:
            return "SME";
        case Encryption::sev:
            return "SEV";
        case Encryption::sev_es:
            return "SEV-ES";
        case Encryption::vbs:
            return "VBS";
        case Encryption::sev_snp:
            return "SEV-SNP";
        case Encryption::tdx:
            return "TDX";
        case Encryption::unknown:
            return "unknown";
    }
    return "";
}

}  // namespace handoff
