// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/cpuinfo.hpp"

#include <algorithm>

#include "base/scan.hpp"

namespace handoff {

using base::trimmed;

using base::has_word;
using base::take_line;

using std::string_view;

namespace {

/// Takes the lines of one processor off the front of /proc/cpuinfo, and the empty one behind them.
string_view take_processor(string_view& cpuinfo) {
    const auto end = std::min(cpuinfo.find("\n\n"), cpuinfo.size());
    const string_view lines = cpuinfo.substr(0, end);
    cpuinfo.remove_prefix(std::min(end + 2, cpuinfo.size()));
    return lines;
}

/// The value of "name\t: value" of a processor; "" without one.
string_view value_of(string_view processor, string_view name) {
    while (!processor.empty()) {
        const string_view line = take_line(processor);
        const auto colon = line.find(':');
        if (line.empty() || colon == line.npos) break;
        const string_view key = line.substr(0, colon);
        if (key.substr(0, key.find_last_not_of(" \t") + 1) != name) continue;
        const string_view value = trimmed(line.substr(colon + 1));
        return value.starts_with(' ') ? value.substr(1) : value;
    }
    return {};
}

Encryption encryption_of_processor(string_view processor) {
    const string_view vendor = value_of(processor, "vendor_id");
    const string_view flags = value_of(processor, "flags");
    if (vendor.empty() || flags.empty()) return Encryption::unknown;
    if (has_word(flags, "tdx_guest")) return Encryption::tdx;
    // Under a paravisor a TDX guest has no flag of its own: of a guest the flags alone prove nothing.
    if (vendor == "GenuineIntel") return has_word(flags, "hypervisor") ? Encryption::unknown : Encryption::none;
    const bool amd = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
    if (!amd || has_word(flags, "hypervisor") || has_word(flags, "sme")) return Encryption::unknown;
    return Encryption::none;
}

}  // namespace

bool names_another_architecture(string_view cpuinfo) {
    const string_view first = take_processor(cpuinfo);
    const string_view vendor = value_of(first, "vendor_id");
    return vendor == "IBM/S390" || (vendor.empty() && !value_of(first, "processor").empty());
}

Encryption encryption_by_flags(string_view cpuinfo) {
    auto proven = encryption_of_processor(take_processor(cpuinfo));
    while (!cpuinfo.empty() && proven != Encryption::tdx) {
        const string_view processor = take_processor(cpuinfo);
        if (processor.find_first_not_of('\n') == processor.npos) continue;
        const auto other = encryption_of_processor(processor);
        if (other == Encryption::tdx || proven == Encryption::none) proven = other;
    }
    return proven;
}

}  // namespace handoff
