// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/log_encryption.hpp"

#include <array>
#include <utility>

#include "base/scan.hpp"

namespace handoff {

using base::Scan;
namespace {

using std::string_view;

// A guest of Hyper-V says "AMD SEV" although it is an SEV-SNP or TDX guest: whatever is said, the strongest counts.
void take_encryption(KernelLog& log, Encryption encryption, std::size_t line) {
    if (log.encryption && is_stronger(log.encryption->value, encryption)) return;
    log.encryption = Logged<Encryption>{encryption, line};
}

template <Encryption value>
ReadResult read_encryption(KernelLog& log, string_view, std::size_t line) {
    take_encryption(log, value, line);
    return fine;
}

/// The strongest that is named; nullopt where none is.
std::optional<Encryption> named_in(string_view text) {
    constexpr std::array known{
        std::pair{string_view("TDX"), Encryption::tdx},         std::pair{string_view("tdx"), Encryption::tdx},
        std::pair{string_view("SEV-SNP"), Encryption::sev_snp}, std::pair{string_view("sev-snp"), Encryption::sev_snp},
        std::pair{string_view("vTom"), Encryption::sev_snp},  // a feature of SNP guests alone
        std::pair{string_view("SEV-ES"), Encryption::sev_es},   std::pair{string_view("sev-es"), Encryption::sev_es},
        std::pair{string_view("SEV"), Encryption::sev},         std::pair{string_view("sev"), Encryption::sev},
        std::pair{string_view("SME"), Encryption::sme}};
    for (const auto& [word, encryption] : known)
        if (text.find(word) != text.npos) return encryption;
    return std::nullopt;
}

/// " AMD SEV SEV-ES SEV-SNP", "Intel TDX", " SME": arch/x86/mm/mem_encrypt.c,
/// print_mem_encrypt_feature_info(). Whatever else stands there, or nothing, memory is encrypted. On Hygon's processors
/// openEuler's and others' kernels go on in lines of their own: "HYGON CSV2".
ReadResult read_features(KernelLog& log, string_view rest, std::size_t line) {
    take_encryption(log, named_in(rest).value_or(Encryption::unknown_kind), line);
    return fine;
}

/// "SEV SEV-ES SEV-SNP" of "SEV: Status: ", and "sev-snp" of systemd's "Detected confidential virtualization": only
/// guests say so, whatever the name.
ReadResult read_guest(KernelLog& log, string_view rest, std::size_t line) {
    take_encryption(log, named_in(rest).value_or(Encryption::unknown_kind), line);
    return fine;
}

/// "Group A 0x1, Group B 0xba2": arch/x86/kernel/cpu/mshyperv.c, ms_hyperv_init_platform(). The low four bits of group
/// B are the isolation type (include/asm-generic/mshyperv.h, hv_isolation_type): 0 none, 1 VBS, 2 SNP, 3 TDX.
ReadResult read_isolation(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    const bool first = scan.take("Group A ") && scan.hex().has_value();
    const auto group_b = first && scan.take(", Group B ") ? scan.hex() : std::nullopt;
    if (!group_b) return Malformed{"'Hyper-V: Isolation Config: Group A 0xVALUE, Group B 0xVALUE'"};
    constexpr std::array types{Encryption::none, Encryption::vbs, Encryption::sev_snp, Encryption::tdx};
    const std::uint64_t type = *group_b & 0xf;
    log.hyperv = true;
    log.isolation = Logged<Encryption>{type < types.size() ? types[type] : Encryption::unknown_kind, line};
    return fine;
}

/// "privilege flags low 0xae7f, high 0x7b8030, hints …" and "features 0xae7f, privilege high: 0x7b8030, hints …":
/// the same function, before the line above. Bit 22 of the high word says that there is an isolation type
/// (include/asm-generic/hyperv-tlfs.h, HV_ISOLATION).
ReadResult read_privileges(KernelLog& log, string_view rest, std::size_t line) {
    constexpr std::uint64_t isolation = std::uint64_t{1} << 22;
    log.hyperv = true;
    const auto at = rest.find("high");
    if (at == rest.npos) return fine;  // up to 5.10 there is none
    Scan scan(rest.substr(at));
    const bool known = scan.take("high ") || scan.take("high: ");
    const auto high = known ? scan.hex() : std::nullopt;
    if (!high) return Malformed{"'Hyper-V: privilege flags low 0xVALUE, high 0xVALUE'"};
    if ((*high & isolation) != 0) log.isolation = Logged<Encryption>{Encryption::unknown_kind, line};
    return fine;
}

constexpr std::array readers{
    LogReader{"Memory Encryption Features active:", read_features, Stage::later, true},
    LogReader{"AMD Memory Encryption Features active:", read_features, Stage::later, true},
    LogReader{"AMD Secure Memory Encryption (SME) active", read_encryption<Encryption::sme>},
    LogReader{"AMD Secure Encrypted Virtualization (SEV) active", read_encryption<Encryption::sev>},
    LogReader{"HYGON SME", read_encryption<Encryption::unknown_kind>},
    LogReader{"HYGON CSV", read_encryption<Encryption::unknown_kind>},
    // arch/x86/coco/sev: setup_cpuid_table(), snp_init_platform_device(), sev_show_status() and what reads the VMPL.
    LogReader{"SEV: Using SNP CPUID table", read_encryption<Encryption::sev_snp>},
    LogReader{"SEV: SNP guest platform device initialized", read_encryption<Encryption::sev_snp>},
    LogReader{"SEV: SNP running at VMPL", read_encryption<Encryption::sev_snp>},
    LogReader{"SEV: Status: ", read_guest, Stage::later, true},
    LogReader{"tdx: Guest detected", read_encryption<Encryption::tdx>},  // arch/x86/coco/tdx/tdx.c, tdx_early_init()
    // kernel/dma/swiotlb.c, swiotlb_tbl_map_single()
    LogReader{"software IO TLB: Memory encryption is active", read_encryption<Encryption::unknown_kind>},
    LogReader{"systemd[1]: Detected confidential virtualization ", read_guest},
    LogReader{"Hypervisor detected: Microsoft Hyper", says<&KernelLog::hyperv>},
    LogReader{"DMI: Microsoft Corporation Virtual Machine", says<&KernelLog::hyperv>},
    LogReader{"Hyper-V: Isolation Config: ", read_isolation},
    LogReader{"Hyper-V: privilege flags ", read_privileges},
    LogReader{"Hyper-V: features ", read_privileges},
    LogReader{"Hyper-V: ", says<&KernelLog::hyperv>},
};

/// What is not known is more than nothing.
int strength(Encryption encryption) { return encryption == Encryption::unknown ? 1 : 2 * static_cast<int>(encryption); }

}  // namespace

std::span<const LogReader> encryption_readers() { return readers; }

void settle_encryption(KernelLog& log) {
    if (log.isolation && log.isolation->value != Encryption::none)
        take_encryption(log, log.isolation->value, log.isolation->line);
    if (log.hyperv && log.encryption) log.encryption->value = behind_hyperv(log.encryption->value);
}

Encryption behind_hyperv(Encryption encryption) {
    return encryption == Encryption::sev || encryption == Encryption::sev_es ? Encryption::sev_snp : encryption;
}

bool is_stronger(Encryption a, Encryption b) { return strength(a) > strength(b); }

}  // namespace handoff
