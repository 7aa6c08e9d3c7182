// SPDX-License-Identifier: GPL-2.0-or-later
// The man pages promise what the program and the library have: no more, no less.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/service/service.hpp"
#include "swiotlb-handoff/rules.hpp"
#include "tool/options.hpp"

namespace handoff {
namespace {

std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The text of swiotlb-handoff(8), or of another page, from ".Sh NAME" up to the next section.
std::string section(const std::string& name, const std::string& file = "swiotlb-handoff.8") {
    const std::string page = read(MAN_DIR "/" + file);
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

/// How the page has an option: "Fl Fl jobs Ar N", "Fl Fl loader Cm kexec_load | kexec_file_load | auto".
std::string heading_of(const tool::OptionInfo& option) {
    std::string text = "Fl Fl " + std::string(option.name);
    std::string words;
    for (const std::string_view word : tool::choices(option.completes, option.words))
        words += (words.empty() ? "" : " | ") + std::string(word);
    if (option.completes == tool::Completes::words) return text + " Cm " + words;
    if (!option.value.empty())
        text += " Ar " + std::regex_replace(std::string(option.value), std::regex("-"), " Ns - Ns Ar ");
    return text;
}

/// The commands that an option of Group::own names before its text: ".Cm kexec , shrink :".
std::string names_of(const tool::OptionInfo& option) {
    std::string names;
    for (const tool::CommandInfo& command : tool::all_commands())
        if (takes(command, option)) names += (names.empty() ? "" : " , ") + std::string(command.name);
    return names;
}

/// What stands beside the name of each command: options, and "planning options".
std::map<std::string, std::string> synopses() {
    std::map<std::string, std::string> found;
    for (const std::string& line : all(section("COMMANDS"), R"(\n\.It Cm ([^\n]+))"))
        for (const std::string& name :
             all(line.substr(0, line.find_first_not_of("abcdefghijklmnopqrstuvwxyz0289 |")), "([a-z0-9]+)"))
            found[name] += line + '\n';
    return found;
}

TEST(ManPage, HasEveryRuleInTheOrderOfTheLibrary) {
    std::vector<std::string> ids;
    for (const RuleInfo& rule : rules()) ids.emplace_back(rule.id);
    EXPECT_EQ(all(section("RULES", "swiotlb-handoff-rules.7"), R"(\n\.It Cm ([a-z0-9-]+))"), ids);
}

TEST(ManPage, SaysWhichRulesCanBeAccepted) {
    std::vector<std::string> ids;
    for (const RuleInfo& rule : rules())
        if (rule.acceptable) ids.emplace_back(rule.id);
    EXPECT_EQ(all(section("RULES", "swiotlb-handoff-rules.7"), R"(\n\.It Cm ([a-z0-9-]+) Pq can be accepted)"), ids);
}

TEST(ManPage, HasEveryCommandInTheOrderOfTheHelp) {
    std::vector<std::string> names;
    for (const tool::CommandInfo& command : tool::all_commands()) names.emplace_back(command.name);
    std::vector<std::string> found;
    for (const std::string& line : all(section("COMMANDS"), R"(\n\.It Cm ([a-z0-9]+(?: \| [a-z0-9]+)*))"))
        for (const std::string& name : all(line, "([a-z0-9]+)"))
            if (found.empty() || found.back() != name) found.push_back(name);
    EXPECT_EQ(found, names);
}

TEST(ManPage, HasEveryOptionWithItsValues) {
    std::set<std::string> headings;
    for (const tool::OptionInfo& option : tool::all_options()) headings.insert(heading_of(option));
    EXPECT_EQ(set_of(all(section("OPTIONS"), R"(\n\.It (Fl Fl [^\n]+))")), headings);
}

TEST(ManPage, HasEveryOptionUnderItsHeading) {
    const std::pair<tool::Group, const char*> groups[] = {{tool::Group::common, "Common options"},
                                                          {tool::Group::planning, "Planning options"},
                                                          {tool::Group::own, "Options of one command"}};
    for (const auto& [group, heading] : groups) {
        const std::string page = section("OPTIONS");
        const auto start = page.find("\n.Ss " + std::string(heading) + "\n");
        ASSERT_NE(start, page.npos) << heading;
        const std::string part = page.substr(start, page.find("\n.Ss ", start + 1) - start);
        std::set<std::string> names;
        for (const tool::OptionInfo& option : tool::all_options())
            if (option.group == group) names.emplace(option.name);
        EXPECT_EQ(set_of(all(part, R"(\n\.It Fl Fl ([a-z0-9-]+))")), names) << heading;
    }
}

TEST(ManPage, SaysOfWhichCommandsAnOptionIs) {
    for (const tool::OptionInfo& option : tool::all_options()) {
        if (option.group != tool::Group::own) continue;
        const std::string start = "\n.It " + heading_of(option) + "\n.Cm " + names_of(option) + " :\n";
        EXPECT_NE(section("OPTIONS").find(start), std::string::npos) << start;
    }
}

TEST(ManPage, TheLineOfEachCommandHasItsOptionsAndNoOthers) {
    const auto shown = synopses();
    for (const tool::CommandInfo& command : tool::all_commands()) {
        ASSERT_TRUE(shown.count(std::string(command.name))) << command.name;
        const std::string& text = shown.at(std::string(command.name));
        const std::set<std::string> named = set_of(all(text, R"(Fl Fl ([a-z0-9]+[a-z0-9-]*))"));
        const bool planning = text.find("Ar planning options") != text.npos;
        for (const tool::OptionInfo& option : tool::all_options()) {
            const bool said = named.count(std::string(option.name)) != 0;
            // Every command takes these.
            if (option.name == "help" || option.name == "version") continue;
            if (option.group == tool::Group::planning && planning) continue;
            EXPECT_EQ(said, takes(command, option)) << command.name << " --" << option.name;
        }
    }
}

TEST(ManPages, AreAllInstalled) {
    const std::string list = read(MAN_DIR "/CMakeLists.txt");
    for (const auto& file : std::filesystem::directory_iterator(MAN_DIR))
        if (file.path() != MAN_DIR "/CMakeLists.txt") {
            EXPECT_NE(list.find(file.path().filename().string()), list.npos) << file.path();
        }
}

TEST(ManPages, ReferToPagesThatAreThere) {
    for (const auto& file : std::filesystem::directory_iterator(MAN_DIR)) {
        const std::regex reference(R"(\.Xr ((?:lib)?swiotlb-handoff[a-z-]*) ([0-9]))");
        const std::string page = read(file.path());
        for (std::sregex_iterator it(page.begin(), page.end(), reference), end; it != end; ++it) {
            const std::string name = (*it)[1].str() + '.' + (*it)[2].str();
            EXPECT_TRUE(std::filesystem::exists(MAN_DIR "/" + name)) << file.path() << " refers to " << name;
        }
    }
}

TEST(JsonPage, AndItsSchemaNameEachKdumpService) {
    const std::string page = read(MAN_DIR "/swiotlb-handoff-json.5"), schema = read(MAN_DIR "/../schema/common.json");
    for (const KdumpService& service : kdump_services()) {
        EXPECT_NE(page.find(service.name), std::string::npos) << service.name;
        EXPECT_NE(schema.find('"' + std::string(service.name) + '"'), std::string::npos) << service.name;
    }
}

}  // namespace
}  // namespace handoff
