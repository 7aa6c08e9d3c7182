// SPDX-License-Identifier: GPL-2.0-or-later
// docs/rules.md: a section for each rule, which 'explain' prints.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "swiotlb-handoff/rules.hpp"
#include "tool/rule_page.hpp"

namespace tool {
namespace {

std::string rules_page() {
    std::ifstream file(DOCS_DIR "/rules.md");
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(RulePage, EveryRuleHasASectionWithWhatItMeansWhyAndWhatToDo) {
    const std::string page = rules_page();
    for (const handoff::RuleInfo& rule : handoff::rules())
        EXPECT_TRUE(rule_page(page, rule.id))
            << "docs/rules.md has no section '## " << rule.id
            << "' with text below '### What it means', '### Why' and '### What to do'";
}

TEST(RulePage, TheSectionsAreTheRulesInTheirOrder) {
    const std::string page = rules_page();
    std::vector<std::string> sections, ids;
    for (auto at = page.find("\n## "); at != page.npos; at = page.find("\n## ", at + 1))
        sections.push_back(page.substr(at + 4, page.find('\n', at + 1) - at - 4));
    for (const handoff::RuleInfo& rule : handoff::rules()) ids.emplace_back(rule.id);
    EXPECT_EQ(sections, ids);
}

constexpr std::string_view two =
    "# Rules\n\n## pool-in\n\n### What it means\nThis.\n\n### Why\nSince\nso.\n\n### What to do\nThat.\n"
    "\n## pool-in-use\n\n### What it means\nOther.\n";

TEST(RulePage, EndsWhereTheNextRuleBegins) {
    const auto page = rule_page(two, "pool-in");
    ASSERT_TRUE(page);
    EXPECT_EQ(page->means, "This.");
    EXPECT_EQ(page->why, "Since\nso.");
    EXPECT_EQ(page->what_to_do, "That.");
}

TEST(RulePage, IsNoneWithoutTheSectionOrOneOfItsHeadings) {
    EXPECT_FALSE(rule_page(two, "pool"));
    EXPECT_FALSE(rule_page(two, "pool-in-use"));
}

}  // namespace
}  // namespace tool
