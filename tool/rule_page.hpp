// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

namespace tool {

/// What docs/rules.md says of one rule. The texts are views of the page, without a newline at the end.
struct RulePage {
    std::string_view means, why, what_to_do;
};

/// docs/rules.md, as it was when the program was built.
std::string_view rules_md();

/// The section of a rule; nullopt where there is none, or where it lacks one of the three headings.
std::optional<RulePage> rule_page(std::string_view markdown, std::string_view rule);

}  // namespace tool
