// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>
#include <string>
#include <utility>

#include "lib/sources/cpuinfo.hpp"
#include "lib/sources/gathering.hpp"
#include "lib/sources/log_encryption.hpp"

namespace handoff {

namespace {

// What stands behind Hyper-V's paravisor has neither the platform device nor the flag of the processor.
bool makes_memory_private(const Gathering& g, Encryption by_flags) {
    const Encryption encryption = g.machine.encryption;
    const bool without_paravisor =
        encryption == Encryption::tdx ? by_flags == Encryption::tdx : g.host.exists(Source::snp_platform);
    return without_paravisor && !g.log.hyperv && unshares_memory(g.symbols, encryption);
}

void decide_encryption(Gathering& g, Encryption flags, const std::optional<std::string>& cpuinfo) {
    const auto decide = [&g](Encryption encryption, Source source, std::size_t line) {
        g.machine.encryption = encryption;
        g.machine.encryption_from = {g.path(source), line};
    };
    auto memory = Encryption::unknown;
    if (g.core) {
        auto amd = read_amd_encryption(g.symbols, reader_of(g));
        if (amd) memory = *amd;
        if (!amd && amd.error().code != Errc::not_found) g.note(std::move(amd).error(), Source::kcore);
    }

    // Whoever says that there is some is believed, and the strongest counts; that there is none takes more.
    const auto take = [&](Encryption encryption, Source source, std::size_t line) {
        if (g.log.hyperv) encryption = behind_hyperv(encryption);
        if (encryption != Encryption::unknown && is_stronger(encryption, g.machine.encryption))
            decide(encryption, source, line);
    };
    g.machine.encryption = Encryption::none;
    if (g.log.encryption) take(g.log.encryption->value, Source::kernel_log, g.log.encryption->line);
    take(flags, Source::cpuinfo, 0);
    take(memory, Source::kcore, 0);
    // Registered by snp_init_platform_device() (arch/x86, 5.19 and later) whether or not its driver is there.
    if (g.host.exists(Source::snp_platform)) take(Encryption::sev_snp, Source::snp_platform, 0);
    if (g.machine.encryption != Encryption::none) return;
    g.machine.encryption = Encryption::unknown;
    // sme_me_mask is 0; and with the flags at hand a TDX guest would have been seen.
    if (memory == Encryption::none && cpuinfo) return decide(Encryption::none, Source::kcore, 0);
    if (flags == Encryption::none) return decide(Encryption::none, Source::cpuinfo, 0);
    if (encryption_of(g.log) == Encryption::none) return decide(Encryption::none, Source::kernel_log, 0);
}

}  // namespace

void read_encryption(Gathering& g) {
    const auto cpuinfo = g.text(Source::cpuinfo);
    if (cpuinfo && names_another_architecture(*cpuinfo)) g.machine.other_architecture = true;
    const Encryption flags = cpuinfo ? encryption_by_flags(*cpuinfo) : Encryption::unknown;
    decide_encryption(g, flags, cpuinfo);
    g.machine.makes_memory_private = makes_memory_private(g, flags);
}

}  // namespace handoff
