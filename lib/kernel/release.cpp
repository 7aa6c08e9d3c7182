// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/release.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/number.hpp"

namespace handoff {
namespace {

struct TestedSeries {
    std::string_view numbers;
    KernelVersion version;
    Series series;
};
constexpr std::array<TestedSeries, 5> tested = {{{"5.10", {5, 10}, Series::linux_5_10},
                                                 {"6.1", {6, 1}, Series::linux_6_1},
                                                 {"6.12", {6, 12}, Series::linux_6_12},
                                                 {"7.2", {7, 2}, Series::linux_7_2},
                                                 {"7.3", {7, 3}, Series::linux_7_3}}};

constexpr std::string_view digits = "0123456789";

const TestedSeries* tested_series(std::string_view release) {
    const auto found = std::find_if(tested.begin(), tested.end(), [&](const TestedSeries& t) {
        return release.starts_with(t.numbers) && release.size() > t.numbers.size() && release[t.numbers.size()] == '.';
    });
    return found == tested.end() ? nullptr : &*found;
}

// What follows the three numbers of a release of one of the series.
std::string_view behind_numbers(std::string_view release, const TestedSeries& series) {
    release.remove_prefix(series.numbers.size() + 1);
    return release.substr(std::min(release.find_first_not_of(digits), release.size()));
}

bool is_debians(std::string_view rest) {
    constexpr std::string_view architecture = "-amd64", cloud = "-cloud";
    if (!rest.ends_with(architecture)) return false;
    rest.remove_suffix(architecture.size());
    if (rest.ends_with(cloud)) rest.remove_suffix(cloud.size());
    return rest.find_first_not_of("0123456789.+-debpo") == rest.npos;
}

}  // namespace

std::optional<KernelVersion> kernel_version(std::string_view release) {
    const auto dot = release.find('.');
    if (dot == release.npos) return std::nullopt;
    const auto end = std::min(release.find_first_not_of(digits, dot + 1), release.size());
    const auto major = base::parse_number(release.substr(0, dot), 10);
    const auto minor = base::parse_number(release.substr(dot + 1, end - dot - 1), 10);
    if (!major || !minor) return std::nullopt;
    return KernelVersion{*major, *minor};
}

std::optional<Series> series_from(std::string_view numbers) {
    const auto found =
        std::find_if(tested.begin(), tested.end(), [&](const TestedSeries& t) { return t.numbers == numbers; });
    return found == tested.end() ? std::nullopt : std::optional(found->series);
}

std::optional<Series> series_of(std::string_view release) {
    const TestedSeries* series = tested_series(release);
    if (!series) return std::nullopt;
    const std::string_view rest = behind_numbers(release, *series);
    return rest.empty() || is_debians(rest) ? std::optional(series->series) : std::nullopt;
}

Coverage coverage_of(std::string_view release) {
    if (release.empty()) return Coverage::unknown;
    const TestedSeries* series = tested_series(release);
    if (series && is_debians(behind_numbers(release, *series))) return Coverage::tested;
    const auto version = kernel_version(release);
    const bool inside = version && *version >= tested.front().version && *version <= tested.back().version;
    return inside ? Coverage::between : Coverage::outside;
}

std::string nearest_tested(std::string_view release) {
    const auto version = kernel_version(release);
    if (!version || coverage_of(release) != Coverage::between) return {};
    const auto above =
        std::find_if(tested.begin(), tested.end(), [&](const TestedSeries& t) { return t.version >= *version; });
    if (above->version == *version) return fmt::format("Linux {}", above->numbers);
    return fmt::format("Linux {} and {}", (above - 1)->numbers, above->numbers);
}

}  // namespace handoff
