// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/log_reservation.hpp"

#include <array>
#include <string>
#include <utility>

#include "base/scan.hpp"

namespace handoff {

using base::Scan;
namespace {

using std::string_view;

/// "130MB of memory at 48MB for crashkernel (System RAM: 17408MB)" and "72MB of low memory
/// at 2016MB for crashkernel (…)": reserve_crashkernel() and reserve_crashkernel_low() in
/// arch/x86/kernel/setup.c up to 6.7.
ReadResult read_reserving(KernelLog& log, string_view rest, std::size_t line) {
    constexpr Malformed expected{"'Reserving SIZEMB of memory at STARTMB for crashkernel'"};
    constexpr std::uint64_t most_mib = ~std::uint64_t{0} / base::MiB;
    Scan scan(rest);
    const auto size = scan.decimal();
    if (!size || !scan.take("MB of ")) return fine;
    const bool low = scan.take("low ");
    if (!scan.take("memory at ")) return fine;
    const auto start = scan.decimal();
    if (!start || !scan.take("MB for crashkernel")) return expected;
    if (*start > most_mib || *size > most_mib || *size == 0) return expected;
    const auto range = AddressRange::from_size(*start * base::MiB, *size * base::MiB);
    if (!range) return expected;
    (low ? log.crash_kernel_low : log.crash_kernel) = Logged<AddressRange>{*range, line};
    return fine;
}

/// "0x000000009f000000 - 0x00000000bf000000 (512 MB)", end exclusive: reserve_crashkernel_generic()
/// in kernel/crash_reserve.c, 6.8 and later.
ReadResult take_reserved(std::optional<Logged<AddressRange>>& to, string_view rest, std::size_t line) {
    constexpr Malformed expected{"'crashkernel reserved: 0xSTART - 0xEND (SIZE MB)'"};
    Scan scan(rest);
    const auto bounds = take_bounds(scan);
    const auto range = bounds ? AddressRange::from_bounds(bounds->first, bounds->second) : std::nullopt;
    if (!range || range->empty() || take_mib(scan, " (", " MB)") != range->size() / base::MiB) return expected;
    to = Logged<AddressRange>{*range, line};
    return fine;
}
ReadResult read_reserved(KernelLog& log, string_view rest, std::size_t line) {
    return take_reserved(log.crash_kernel, rest, line);
}
ReadResult read_low_reserved(KernelLog& log, string_view rest, std::size_t line) {
    return take_reserved(log.crash_kernel_low, rest, line);
}

/// "64 MB in 1 ranges", and "512 MB requested, 256 MB reserved in 2 ranges" where it got a part only:
/// reserve_crashkernel_cma() in kernel/crash_reserve.c, 6.17 and later.
ReadResult take_cma(KernelLog& log, string_view rest, std::size_t line, string_view end) {
    Scan scan(rest);
    const auto mib = scan.decimal();
    if (!mib || !scan.take(end) || *mib > ~std::uint64_t{0} / base::MiB) {
        return Malformed{"'SIZE MB' of crashkernel CMA and 'in COUNT ranges'"};
    }
    log.crash_cma = Logged<std::uint64_t>{*mib * base::MiB, line};
    return fine;
}
ReadResult read_cma(KernelLog& log, string_view rest, std::size_t line) { return take_cma(log, rest, line, " MB in "); }
ReadResult read_cma_in_part(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    if (!scan.decimal() || !scan.take(" MB requested, ")) return Malformed{"'SIZE MB requested, SIZE MB reserved'"};
    return take_cma(log, scan.rest(), line, " MB reserved in ");
}

constexpr std::array readers{
    LogReader{"Reserving ", read_reserving},
    LogReader{"crashkernel reserved: ", read_reserved},
    LogReader{"crashkernel low memory reserved: ", read_low_reserved},
    LogReader{"crashkernel CMA reserved: ", read_cma},
    LogReader{"crashkernel CMA reservation failed: ", read_cma_in_part},
};

// --- why nothing was reserved -----------------------------------------------------------------------------------

/// What such a line begins with, by where it stands and in which releases.
constexpr std::array<string_view, 14> failures{
    // reserve_crashkernel() in arch/x86/kernel/setup.c up to 6.7, reserve_crashkernel_generic() since: "No suitable
    // area
    // found." up to 6.7, "memory is in use." always. parse_crashkernel_dummy() and others never say why.
    "crashkernel reservation failed",
    "crashkernel low reservation failed",  // reserve_crashkernel_low() up to 4.2
    "Cannot reserve ",                     // "512MB crashkernel low memory, please try smaller size.", 4.3 to 6.7
    "cannot allocate crashkernel",         // "(size:0x…)" and "low memory (size:0x…).", 6.8 and later
    "reserve_crashkernel: Error reserving crashkernel memblock",          // 3.17 to 5.11
    "reserve_crashkernel_low: Error reserving crashkernel low memblock",  // 4.3 to 5.11
    "crashkernel=auto resulted in zero bytes",                            // Red Hat's kernels
    "kexec: crashkernel=auto resulted in zero bytes",
    "crashkernel size resulted in zero bytes",  // parse_crashkernel_mem(): no range fits
    // "Memory value expected", "'-' expected", "end <= start", "':' expected", "invalid size", "unrecognized char: x":
    // parse_crashkernel_mem(), _simple() and _suffix(), in kernel/kexec.c up to 4.2, kernel/kexec_core.c up to 4.12,
    // kernel/crash_core.c up to 6.8, kernel/crash_reserve.c since.
    "crashkernel: ",
    "kexec: crashkernel: ",                       // the same, where kernel/kexec.c names itself
    "crashkernel CMA reservation not supported",  // reserve_crashkernel_cma() of a kernel without CONFIG_CMA, 6.17 and
                                                  // later
    "Memory for crash kernel ",                   // "(0x… to 0x…) notwithin permissible range", up to 2.6.37
    "Ignoring crashkernel for a Xen PV domain",   // 4.19 and later
};

/// The whole line, as the kernel wrote it.
template <std::size_t row>
ReadResult read_failure(KernelLog& log, string_view rest, std::size_t line) {
    constexpr std::size_t most = 8, longest = 160;
    const string_view prefix = failures[row];
    if (prefix == "Cannot reserve " && rest.find("crashkernel") == rest.npos) return fine;
    if (log.reservation_failures.size() < most)
        log.reservation_failures.push_back({std::string(prefix) + std::string(rest.substr(0, longest)), line});
    return fine;
}

template <std::size_t... row>
constexpr auto rows_of(std::index_sequence<row...>) {
    return std::array{LogReader{failures[row], read_failure<row>}...};
}
constexpr auto failure_readers = rows_of(std::make_index_sequence<failures.size()>());

}  // namespace

std::span<const LogReader> reservation_readers() { return readers; }

std::span<const LogReader> reservation_failure_readers() { return failure_readers; }

}  // namespace handoff
