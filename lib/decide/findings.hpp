// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "swiotlb-handoff/rules.hpp"

namespace handoff {

/// What a captured machine that lacks a source is taken for (Assumption).
struct Assumed {
    std::string text;
    std::string where;
};

/// The reasons that were found so far. Whatever judges something adds to them, and nothing else does.
class Findings {
public:
    Findings() = default;
    /// `accepted`: ids of rules whose risk the user takes. Where the rule allows that, its refusals become warnings.
    explicit Findings(std::vector<std::string> accepted) : accepted_(std::move(accepted)) {}

    /// The rule does not hold. `evidence` is where that was read, `advice` is what to do about it.
    void refuse(Rule rule, std::string text, std::string evidence = {}, std::string advice = {});
    /// The rule holds, but for something that the user should know.
    void warn(Rule rule, std::string text, std::string evidence = {}, std::string advice = {});
    /// The rule holds, and this is why.
    void note(Rule rule, std::string text, std::string evidence = {}, std::string advice = {});
    /// The rule cannot be judged, since a source is missing, and so it does not hold. A captured machine may lack what
    /// the machine itself has: there `assumed` is taken for granted instead, unless the user takes the risk.
    void missing(bool live, Rule rule, std::string text, Assumed assumed, std::string advice = {});

    /// What was found apart from these, behind them.
    void add(Findings other);

    [[nodiscard]] bool refused() const;
    /// Those of a temporary come by value, so that nothing refers into it.
    [[nodiscard]] const std::vector<Reason>& reasons() const& { return reasons_; }
    [[nodiscard]] std::vector<Reason> reasons() && { return std::move(reasons_); }
    [[nodiscard]] std::vector<Reason> take() { return std::move(reasons_); }
    [[nodiscard]] std::vector<Assumption> take_assumptions() { return std::move(assumptions_); }

private:
    [[nodiscard]] bool accepts(Rule rule) const;

    std::vector<std::string> accepted_;
    std::vector<Reason> reasons_;
    std::vector<Assumption> assumptions_;
};

/// A text of reasons, to be a part of a longer sentence.
std::string without_full_stop(std::string text);
/// "requires pool-exact: the text", to be a part of a longer sentence.
std::string requirement(const Reason& refusal);

/// The first refusal; nullptr where nothing is refused.
const Reason* first_refusal(const std::vector<Reason>&);

}  // namespace handoff
