// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/machine.hpp"

#include "base/text.hpp"

namespace handoff {

std::string LogGaps::text() const {
    const auto count = [](std::uint64_t number, const char* one, const char* many) {
        return base::text(number, " ", number == 1 ? one : many);
    };
    std::string said;
    if (not_understood != 0) said = count(not_understood, "line was not understood", "lines were not understood");
    if (dropped != 0)
        said += (said.empty() ? "" : ", ") + count(dropped, "message was dropped", "messages were dropped");
    return said;
}

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
        case Encryption::unknown_kind:
            return "of an unknown kind";
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
