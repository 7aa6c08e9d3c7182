// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/cpuinfo.hpp"

#include "base/scan.hpp"

namespace handoff {

using base::trimmed;

using base::has_word;
using base::take_line;

using std::string_view;

namespace {

/// The value of "name\t: value" of the first processor in /proc/cpuinfo; "" without one.
string_view cpuinfo_value(string_view cpuinfo, string_view name) {
    while (!cpuinfo.empty()) {
        const string_view line = take_line(cpuinfo);
        const auto colon = line.find(':');
        if (line.empty() || colon == line.npos) break;
        const string_view key = line.substr(0, colon);
        if (key.substr(0, key.find_last_not_of(" \t") + 1) != name) continue;
        const string_view value = trimmed(line.substr(colon + 1));
        return value.starts_with(' ') ? value.substr(1) : value;
    }
    return {};
}

}  // namespace

bool names_another_architecture(string_view cpuinfo) {
    const string_view vendor = cpuinfo_value(cpuinfo, "vendor_id");
    return vendor == "IBM/S390" || (vendor.empty() && !cpuinfo_value(cpuinfo, "processor").empty());
}

Encryption encryption_by_flags(string_view cpuinfo) {
    const string_view vendor = cpuinfo_value(cpuinfo, "vendor_id");
    const string_view flags = cpuinfo_value(cpuinfo, "flags");
    if (vendor.empty() || flags.empty()) return Encryption::unknown;
    if (has_word(flags, "tdx_guest")) return Encryption::tdx;
    // Under a paravisor a TDX guest has no flag of its own: of a guest the flags alone prove nothing.
    if (vendor == "GenuineIntel") return has_word(flags, "hypervisor") ? Encryption::unknown : Encryption::none;
    const bool amd = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
    if (!amd || has_word(flags, "hypervisor") || has_word(flags, "sme")) return Encryption::unknown;
    return Encryption::none;
}

}  // namespace handoff
