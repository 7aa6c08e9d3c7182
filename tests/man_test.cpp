// SPDX-License-Identifier: GPL-2.0-or-later
// The man page promises what the program and the library have: no more, no less.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lib/documents.hpp"
#include "lib/decide/plan.hpp"
#include "lib/decide/rules.hpp"

namespace handoff {
namespace {

std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The text from ".Sh NAME" up to the next section.
std::string section(const std::string& name) {
    const std::string page = read(MAN_DIR "/swiotlb-handoff.8");
    const auto start = page.find("\n.Sh " + name + "\n");
    if (start == page.npos) return {};
    return page.substr(start, page.find("\n.Sh ", start + 1) - start);
}

/// What the first group of `pattern` matches, in order.
std::vector<std::string> all(const std::string& text, const char* pattern) {
    const std::regex regex(pattern);
    std::vector<std::string> found;
    for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.push_back((*it)[1]);
    return found;
}
std::set<std::string> set_of(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    return text;
}

TEST(ManPage, HasEveryRuleInTheOrderOfTheLibrary) {
    std::vector<std::string> ids;
    for (const RuleInfo& rule : rules()) ids.emplace_back(rule.id);
    EXPECT_EQ(all(section("RULES"), R"(\n\.It Cm ([a-z0-9-]+))"), ids);
}

TEST(ManPage, SaysWhichRulesCanBeAccepted) {
    std::vector<std::string> ids;
    for (const RuleInfo& rule : rules())
        if (rule.acceptable) ids.emplace_back(rule.id);
    EXPECT_EQ(all(section("RULES"), R"(\n\.It Cm ([a-z0-9-]+) Pq can be accepted)"), ids);
}

TEST(ManPage, HasEveryKeyOfThePlansJson) {
    std::set<std::string> keys;
    const nlohmann::json plan = plan_document(Plan{});
    for (const auto& [key, value] : plan.items()) keys.insert(key);
    std::set<std::string> documented;
    for (const std::string& line : all(section("JSON"), R"(\n\.It ([^\n]+))"))
        for (const std::string& key : all(line, R"(([a-z_]{2,}))")) documented.insert(key);
    EXPECT_EQ(documented, keys);
}

TEST(ManPage, HasEveryCommand) {
    const auto shown = set_of(all(output_of(TOOL " --help"), R"(\n  ([a-z0-9]+) )"));
    const auto described = set_of(all(section("DESCRIPTION"), R"(\n\.It Cm ([a-z0-9]+)\n)"));
    EXPECT_FALSE(shown.empty());
    EXPECT_EQ(described, shown);
}

TEST(ManPage, HasEveryOption) {
    std::set<std::string> shown{"version"};
    for (const std::string& command : set_of(all(output_of(TOOL " --help"), R"(\n  ([a-z0-9]+) )")))
        for (const std::string& option : all(output_of(TOOL " " + command + " --help"), R"(\n  (?:-h \[ )?--([a-z0-9-]+))"))
            shown.insert(option);
    EXPECT_EQ(set_of(all(section("DESCRIPTION"), R"(\n\.It Fl Fl ([a-z0-9-]+))")), shown);
}

}  // namespace
}  // namespace handoff
