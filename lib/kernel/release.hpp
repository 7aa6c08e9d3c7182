// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handoff {

// What the name of a kernel's release says: which sources it was built from, and whether such a one was tested.

/// The first two numbers of `uname -r`: {6, 12} of "6.12.107+deb13-amd64".
struct KernelVersion {
    std::uint64_t major = 0, minor = 0;
    friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
std::optional<KernelVersion> kernel_version(std::string_view release);

/// The series of Linux whose sources were looked at, and of which Debian's kernels were tested.
enum class Series { linux_5_10, linux_6_1, linux_6_12, linux_7_2, linux_7_3 };

/// By its numbers: "6.12".
std::optional<Series> series_from(std::string_view numbers);

/// The series from whose sources a kernel of this release was built ("6.12.117+deb13-amd64"). nullopt for another
/// version, and for another vendor's kernel: what a vendor adds, or takes back from later versions, no number tells
/// ("6.12.0-55.el10.x86_64"). Debian's releases end in "-amd64", with nothing but numbers, "deb", "bpo" and "-cloud"
/// before it; a release of numbers alone ("6.12.117") is kernel.org's.
std::optional<Series> series_of(std::string_view release);

/// How well a kernel of a release is known.
enum class Coverage {
    tested,   ///< Debian's, of one of the series
    between,  ///< from the first to the last of the series: of another version, or built by somebody else
    outside,  ///< older, newer, or not of this form
    unknown,  ///< nobody says which release it is
};
Coverage coverage_of(std::string_view release);

/// The tested series that are nearest to a release that is `between`: "Linux 6.1 and 6.12", or "Linux 6.12" for one of
/// that series. "" for any other.
std::string nearest_tested(std::string_view release);

}  // namespace handoff
