// SPDX-License-Identifier: GPL-2.0-or-later
#include <span>
#include <vector>

#include <fmt/format.h>

#include "lib/report/documents.hpp"
#include "swiotlb-handoff/rules.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/rule_page.hpp"
#include "tool/text.hpp"

namespace tool {
namespace {

void list_rules() {
    constexpr std::size_t column = 24;
    for (const handoff::RuleInfo& rule : handoff::rules()) {
        const std::string text = fmt::format("{}{}", rule.demands, rule.acceptable ? " Can be accepted." : "");
        print(fmt::format("{:<{}}{}\n", rule.id, column, wrapped(text, column)));
    }
    print("\n'swiotlb-handoff explain RULE' says why a rule exists, and what to do.\n");
}

handoff::ExplainedRule explained(const handoff::RuleInfo& rule) {
    const RulePage page = rule_page(rules_md(), rule.id).value_or(RulePage{});
    return {rule, page.means, page.why, page.what_to_do};
}

void print_json_of(std::span<const handoff::RuleInfo> rules) {
    std::vector<handoff::ExplainedRule> all;
    for (const handoff::RuleInfo& rule : rules) all.push_back(explained(rule));
    print_json(handoff::explain_document(all));
}

void print_rule(const handoff::RuleInfo& rule, const std::optional<RulePage>& page) {
    print(fmt::format("{}\n{}\n", rule.id, wrapped(fmt::format("Requirement: {}", rule.demands), 0)));
    if (rule.acceptable) print(fmt::format("You can accept the risk with --accept {}.\n", rule.id));
    if (page)
        print(fmt::format("\nWhat it means\n{}\n\nWhy\n{}\n\nWhat to do\n{}\n", page->means, page->why,
                          page->what_to_do));
}

}  // namespace

Status explain(const Options& options) {
    if (options.operands.empty()) {
        if (options.json)
            print_json_of(handoff::rules());
        else
            list_rules();
        return Status::ready;
    }
    const handoff::RuleInfo& rule = *handoff::find_rule(options.operands.front());
    if (options.json)
        print_json_of({&rule, 1});
    else
        print_rule(rule, rule_page(rules_md(), rule.id));
    return Status::ready;
}

}  // namespace tool
