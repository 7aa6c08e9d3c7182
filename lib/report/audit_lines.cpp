// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/audit_lines.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/excerpt.hpp"

namespace handoff {

using base::input_error;
using base::Result;
using nlohmann::json;
using std::string_view;

namespace {

/// Reads members, and remembers the first one that is not as it should be.
class Members {
public:
    explicit Members(const json& object) : object_(object) {}

    template <class T>
    T get(const char* name, bool (json::*is)() const noexcept, const char* kind) {
        const auto found = object_.find(name);
        if (found != object_.end() && ((*found).*is)()) return found->get<T>();
        if (wrong_.empty()) wrong_ = fmt::format("expected a member '{}' that is {}", name, kind);
        return T();
    }
    std::string text(const char* name) { return get<std::string>(name, &json::is_string, "a string"); }
    bool yes(const char* name) { return get<bool>(name, &json::is_boolean, "true or false"); }
    std::uint64_t bytes(const char* name) {
        return get<std::uint64_t>(name, &json::is_number_unsigned, "a number of bytes");
    }
    /// nullopt of null.
    std::optional<std::string> text_if_any(const char* name) {
        const auto found = object_.find(name);
        return found != object_.end() && found->is_null() ? std::nullopt : std::optional(text(name));
    }
    std::vector<std::string> texts(const char* name) {
        std::vector<std::string> all;
        for (const json& each : get<json::array_t>(name, &json::is_array, "a list of strings"))
            all.push_back(each.is_string() ? each.get<std::string>() : std::string());
        return all;
    }

    [[nodiscard]] const std::string& wrong() const { return wrong_; }

private:
    const json& object_;
    std::string wrong_;
};

std::optional<Verdict> verdict_called(string_view text) {
    for (const Verdict verdict : {Verdict::ready, Verdict::not_needed, Verdict::refused})
        if (text == name(verdict)) return verdict;
    return std::nullopt;
}

constexpr const char* evidence_missing = "evidence-missing";

/// "ready", "evidence-missing" or "refused"; "" where nothing can be lent.
string_view loan_verdict(const MachineAudit& audited) {
    if (audited.error || audited.verdict != Verdict::not_needed) return {};
    return audited.lendable ? name(Verdict::ready) : audited.would_lend ? evidence_missing : name(Verdict::refused);
}

std::string in_cell(string_view text) {
    if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
    std::string cell = "\"";
    for (const char c : text) cell.append(c == '"' ? 2 : 1, c);
    return cell + '"';
}

}  // namespace

Result<MachineAudit> parse_audit_line(string_view line) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) return input_error(0, "expected an object of JSON, found " + base::excerpt(line));
    Members members(object);
    MachineAudit audited;
    if (members.text("command") != "audit") return input_error(0, "expected what 'audit --json' printed");
    audited.machine = members.text("machine");
    const auto digest = members.text_if_any("digest");
    audited.digest = digest.value_or("");
    if (const auto error = members.text_if_any("error")) {
        audited.error = base::Error{base::Errc::io, "", 0, *error};
    } else {
        const auto verdict = verdict_called(members.text("verdict"));
        if (!verdict) return input_error(0, "expected a member 'verdict' that is ready, not-needed or refused");
        audited.verdict = *verdict;
        audited.refused_by = members.texts("refused_by");
        audited.assumed = members.texts("assumed");
        audited.pool_bytes = members.bytes("pool_bytes");
        audited.crashkernel_bytes = members.bytes("reservation_bytes");
        audited.recommended = members.text_if_any("crashkernel");
        const std::uint64_t saved = members.bytes("saved_bytes");
        audited.by_handoff = std::min(members.bytes("saved_by_handoff_bytes"), saved);
        audited.by_right_sizing = saved - audited.by_handoff;
        audited.too_small = members.bytes("lacking_bytes");
        audited.certainly_too_small = members.yes("certainly_too_small");
        audited.guessed = members.texts("sizes_assumed");
        const auto loan = object.find("loan");
        if (loan != object.end() && loan->is_object()) {
            Members of_loan(*loan);
            const std::string said = of_loan.text("verdict");
            audited.lendable = said == name(Verdict::ready);
            audited.would_lend = said == evidence_missing;
            audited.lent_bytes = of_loan.bytes("gain_bytes");
            if (!of_loan.wrong().empty()) return input_error(0, of_loan.wrong());
        }
    }
    if (!members.wrong().empty()) return input_error(0, members.wrong());
    return audited;
}

std::string audit_csv_heading() {
    return "machine,error,verdict,refused_by,assumed,pool_bytes,reservation_bytes,crashkernel,saved_bytes,"
           "saved_by_handoff_bytes,saved_by_right_sizing_bytes,lacking_bytes,certainly_too_small,sizes_assumed,loan,"
           "loan_bytes,digest";
}

std::string audit_csv_line(const MachineAudit& a) {
    const auto number = [&a](std::uint64_t bytes) { return a.error ? std::string() : std::to_string(bytes); };
    const auto names = [](const std::vector<std::string>& all) { return fmt::format("{}", fmt::join(all, " ")); };
    const string_view loan = loan_verdict(a);
    const std::array cells{a.machine,
                           a.error ? a.error->message() : std::string(),
                           std::string(a.error ? "" : name(a.verdict)),
                           names(a.refused_by),
                           names(a.assumed),
                           number(a.pool_bytes),
                           number(a.crashkernel_bytes),
                           a.recommended.value_or(""),
                           number(a.given_back()),
                           number(a.by_handoff),
                           number(a.by_right_sizing),
                           number(a.too_small),
                           std::string(a.error                 ? ""
                                       : a.certainly_too_small ? "true"
                                                               : "false"),
                           names(a.guessed),
                           std::string(loan),
                           loan.empty() ? std::string() : std::to_string(a.lent_bytes),
                           a.digest};
    std::vector<std::string> line;
    line.reserve(cells.size());
    for (const std::string& cell : cells) line.push_back(in_cell(cell));
    return fmt::format("{}", fmt::join(line, ","));
}

}  // namespace handoff
