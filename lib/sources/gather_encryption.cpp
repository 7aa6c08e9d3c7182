// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "lib/sources/cpuinfo.hpp"
#include "lib/sources/gathering.hpp"

namespace handoff {

void read_encryption(Gathering& g) {
    const auto decide = [&g](Encryption encryption, Source source, std::size_t line) {
        g.machine.encryption = encryption;
        g.machine.encryption_from = {g.path(source), line};
    };
    const auto cpuinfo = g.text(Source::cpuinfo);
    if (cpuinfo && names_another_architecture(*cpuinfo)) g.machine.other_architecture = true;
    const Encryption flags = cpuinfo ? encryption_by_flags(*cpuinfo) : Encryption::unknown;
    auto memory = Encryption::unknown;
    if (g.core) {
        auto amd = read_amd_encryption(g.symbols, reader_of(g));
        if (amd) memory = *amd;
        if (!amd && amd.error().code != Errc::not_found) g.note(std::move(amd).error(), Source::kcore);
    }

    // Whoever says that there is some is believed; that there is none takes more.
    if (g.log.encryption && g.log.encryption->value != Encryption::unknown) {
        return decide(g.log.encryption->value, Source::kernel_log, g.log.encryption->line);
    }
    if (flags == Encryption::tdx) return decide(flags, Source::cpuinfo, 0);
    if (memory != Encryption::unknown && memory != Encryption::none) return decide(memory, Source::kcore, 0);
    // Registered by snp_init_platform_device() (arch/x86, 5.19 and later) whether or not its driver is there.
    if (g.host.exists(Source::snp_platform)) return decide(Encryption::sev_snp, Source::snp_platform, 0);
    if (g.log.encryption) return;  // the kernel itself: "Unknown"
    // sme_me_mask is 0; and with the flags at hand a TDX guest would have been seen.
    if (memory == Encryption::none && cpuinfo) return decide(Encryption::none, Source::kcore, 0);
    if (flags == Encryption::none) return decide(Encryption::none, Source::cpuinfo, 0);
    if (encryption_of(g.log) == Encryption::none) return decide(Encryption::none, Source::kernel_log, 0);
}

}  // namespace handoff
