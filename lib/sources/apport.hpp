// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// It begins as the reports in /var/crash that apport writes.
bool is_apport_report(std::string_view text);

/// The fields of such a report that `wanted` asks for, in order: "Key: value" lines and those behind them that begin
/// with a blank; base64 of gzip, where the value is "base64" (apport's problem_report.py). The report may be larger
/// than the memory: it has the dump itself in it.
class ApportFields {
public:
    explicit ApportFields(bool (*wanted)(std::string_view key)) : wanted_(wanted) {}

    /// The next piece of it, as long as one likes. Input error: damaged, or more than 64 MiB in a field.
    std::optional<base::Error> take(std::string_view piece);
    base::Result<std::vector<std::pair<std::string, std::string>>> finish() &&;

private:
    std::optional<base::Error> take_line(std::string_view line);
    std::optional<base::Error> end_field();

    bool (*wanted_)(std::string_view key);
    std::vector<std::pair<std::string, std::string>> fields_;
    std::string line_;  ///< the beginning of one whose end is not there yet
    std::size_t number_ = 0;
    bool taking_ = false, packed_ = false, skipping_ = false;
};

}  // namespace handoff
