// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "lib/documents.hpp"
#include "lib/decide/rules.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/rule_page.hpp"

namespace tool {

Status explain(const Options& options) {
    const handoff::RuleInfo* rule = handoff::find_rule(options.operands.front());
    if (!rule) {
        complain(fmt::format("there is no rule '{}'; swiotlb-handoff(8) lists them", options.operands.front()));
        return Status::usage;
    }
    const auto page = rule_page(rules_md(), rule->id);
    if (options.json) {
        handoff::ExplainedRule explained{*rule, {}, {}, {}};
        if (page) explained = {*rule, page->means, page->why, page->what_to_do};
        print_json(handoff::explain_document(explained));
        return Status::ready;
    }
    print(fmt::format("{}\n{}\n{}", rule->id, rule->demands,
                      rule->acceptable ? "Its risk can be taken with --accept " + std::string(rule->id) + ".\n" : ""));
    if (page)
        print(fmt::format("\nWhat it means\n{}\n\nWhy\n{}\n\nWhat to do\n{}\n", page->means, page->why,
                          page->what_to_do));
    return Status::ready;
}

}  // namespace tool
