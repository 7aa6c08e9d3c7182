// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/findings.hpp"

#include <algorithm>
#include <iterator>

namespace handoff {

bool Findings::accepts(Rule rule) const {
    return rule.info().acceptable && std::find(accepted_.begin(), accepted_.end(), rule.id()) != accepted_.end();
}

void Findings::refuse(Rule rule, std::string text, std::string evidence, std::string advice) {
    reasons_.push_back({std::string(rule.id()), accepts(rule) ? Severity::warning : Severity::refusal, std::move(text),
                        std::move(evidence), std::move(advice)});
}

void Findings::warn(Rule rule, std::string text, std::string evidence, std::string advice) {
    reasons_.push_back(
        {std::string(rule.id()), Severity::warning, std::move(text), std::move(evidence), std::move(advice)});
}

void Findings::note(Rule rule, std::string text, std::string evidence, std::string advice) {
    reasons_.push_back(
        {std::string(rule.id()), Severity::info, std::move(text), std::move(evidence), std::move(advice)});
}

void Findings::missing(bool live, Rule rule, std::string text, Assumed assumed, std::string advice) {
    if (live || accepts(rule))
        refuse(rule, std::move(text), std::move(assumed.where), std::move(advice));
    else
        assumptions_.push_back(
            {std::string(rule.id()), std::move(assumed.text), std::move(assumed.where), std::move(advice)});
}

void Findings::add(Findings other) {
    std::move(other.reasons_.begin(), other.reasons_.end(), std::back_inserter(reasons_));
    std::move(other.assumptions_.begin(), other.assumptions_.end(), std::back_inserter(assumptions_));
}

bool Findings::refused() const { return first_refusal(reasons_) != nullptr; }

std::string without_full_stop(std::string text) {
    if (text.ends_with('.')) text.pop_back();
    return text;
}

std::string requirement(const Reason& refusal) {
    return "requires " + refusal.rule + ": " + without_full_stop(refusal.text);
}

const Reason* first_refusal(const std::vector<Reason>& reasons) {
    const auto it =
        std::find_if(reasons.begin(), reasons.end(), [](const Reason& r) { return r.severity == Severity::refusal; });
    return it == reasons.end() ? nullptr : &*it;
}

}  // namespace handoff
