// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/machine.hpp"

#include "base/text.hpp"

namespace handoff {

std::string LogGaps::text() const {
    std::string said;
    const auto say = [&](std::uint64_t number, const char* one, const char* many) {
        if (number != 0) said += base::text(said.empty() ? "" : ", ", number, " ", number == 1 ? one : many);
    };
    say(not_understood, "line was not understood", "lines were not understood");
    say(dropped, "message was dropped", "messages were dropped");
    say(of_others, "line is of another machine", "lines are of another machine");
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
