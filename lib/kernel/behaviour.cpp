// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/behaviour.hpp"

#include "base/number.hpp"
#include "lib/kernel/release.hpp"

namespace handoff {

namespace {

/// The release is this version or a later one; nullopt where it names none.
std::optional<bool> since(std::string_view release, KernelVersion first) {
    const auto version = kernel_version(release);
    return version ? std::optional(*version >= first) : std::nullopt;
}

}  // namespace

bool rounds_slabs_up(std::string_view release) { return since(release, {6, 0}).value_or(true) || !series_of(release); }

bool halves_pool(std::string_view release) { return since(release, {6, 1}).value_or(false); }

bool counts_hiwater_on_request(std::string_view release) { return since(release, {7, 3}).value_or(false); }

std::optional<bool> reads_swiotlb_by_prefix(std::string_view release) { return since(release, {7, 3}); }

bool shows_removable_devices(std::string_view release) { return since(release, {5, 14}).value_or(false); }

bool reserves_below_896_mib(std::string_view release) { return !since(release, {5, 2}).value_or(true); }

bool takes_file_debug(std::string_view release) { return since(release, {6, 8}).value_or(true); }

bool passes_ima_list(std::string_view release) { return !since(release, {7, 2}).value_or(false); }

bool keeps_handover_from_crash_kernel(std::string_view release) { return since(release, {7, 2}).value_or(false); }

bool makes_no_handover_in_kdump(std::string_view release) { return since(release, {7, 3}).value_or(false); }

std::optional<std::uint64_t> kexec_tools_release(std::string_view version) {
    constexpr std::string_view series = "2.0.";
    if (!version.starts_with(series)) return std::nullopt;
    version.remove_prefix(series.size());
    return base::parse_number(version.substr(0, version.find_first_not_of("0123456789")), 10);
}

bool passes_random_seed(std::string_view version) {
    const auto release = kexec_tools_release(version);
    return release ? *release >= 25 : !version.starts_with("2.0.");
}

}  // namespace handoff
