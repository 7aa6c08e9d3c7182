// SPDX-License-Identifier: GPL-2.0-or-later
// fixtures/machines/: a folder with a request.json is a golden machine. Its plan is
// compared with expected/plan.json, or the error of reading it with expected/error.txt. A new
// machine is a new folder; scripts/record-golden writes what is expected of it.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/number.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/report/documents.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path machines = fs::path(FIXTURES_DIR) / "machines";
constexpr const char* how_to_record = "If this is right: scripts/record-golden, and review the diff.";

bool recording() {
    const char* set = std::getenv("HANDOFF_RECORD_GOLDEN");
    return set && *set;
}

std::optional<std::string> read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(in), {});
}

// --- request.json: what the options of plan would say

std::optional<AddressRange> pool_of(const std::string& text) {
    const auto dash = std::min(text.find('-'), text.size() - 1);
    const auto start = base::parse_prefixed(text.substr(0, dash));
    const auto end = base::parse_prefixed(text.substr(dash + 1));
    return start && end ? AddressRange::from_bounds(*start, *end) : std::nullopt;
}

Image image_of(const json& j) {
    Image image;
    const std::vector<std::pair<const char*, std::uint64_t*>> numbers = {
        {"init_size", &image.init_size},
        {"kernel_alignment", &image.kernel_alignment},
        {"pref_address", &image.pref_address},
        {"setup_bytes", &image.setup_bytes},
        {"cmdline_size", &image.cmdline_size},
        {"payload_bytes", &image.payload_bytes},
        {"uncompressed_bytes", &image.uncompressed_bytes}};
    for (const auto& [key, value] : j.items()) {
        const std::string name = key;
        const auto number =
            std::find_if(numbers.begin(), numbers.end(), [&](const auto& n) { return n.first == name; });
        if (name == "swiotlb_addr")
            image.swiotlb_addr = value.get<bool>();
        else if (name == "swiotlb_dev")
            image.swiotlb_dev = value.get<bool>();
        else if (name == "release")
            image.release = value.get<std::string>();
        else if (number != numbers.end())
            *number->second = value.get<std::uint64_t>();
        else
            ADD_FAILURE() << "request.json: image has no '" << name << "'";
    }
    return image;
}

struct Golden {
    fs::path folder;
    fs::path root;  ///< of the machine: the folder, or another one that "root" names
    PlanRequest request;
};

Golden golden_of(const fs::path& folder, const json& j) {
    Golden golden{folder, folder, {}};
    PlanRequest& request = golden.request;
    for (const auto& [key, value] : j.items()) {
        if (key == "root")
            golden.root = folder / value.get<std::string>();
        else if (key == "loader")
            request.loader = loader_from(value.get<std::string>()).value();
        else if (key == "method")
            request.method = method_from(value.get<std::string>()).value();
        else if (key == "image")
            request.image = image_of(value);
        else if (key == "initrd_bytes")
            request.initrd_bytes = value.get<std::uint64_t>();
        else if (key == "command_line")
            request.command_line = value.get<std::string>();
        else if (key == "pool")
            request.pool = pool_of(value.get<std::string>()).value();
        else if (key == "accept")
            request.accept = value.get<std::vector<std::string>>();
        else if (key == "lend")  // by 'swiotlb-handoff kexec', which leaves the pool out of the dump
            request.lend = request.leaves_pool_out = value.get<bool>();
        else
            ADD_FAILURE() << "request.json has no '" << key << "'";
    }
    return golden;
}

// --- what comes of it

struct Outcome {
    const char* file;
    std::string text;
    /// "ready", "not-needed", "refused: rule rule", "error": what a README promises.
    std::string summary;
};

Outcome outcome_of(const Golden& golden) {
    const auto machine = gather(Host(golden.root));
    if (!machine) return {"error.txt", machine.error().message() + "\n", "error"};
    const Plan decided = plan(*machine, golden.request);
    std::set<std::string> refusals;
    for (const Reason& reason : decided.reasons)
        if (reason.severity == Severity::refusal) refusals.insert(reason.rule);
    std::string summary = name(decided.verdict);
    for (const std::string& rule : refusals) summary += (rule == *refusals.begin() ? ": " : " ") + rule;
    return {"plan.json", e820::to_text(plan_document(decided)) + "\n", summary};
}

std::string diff(const fs::path& expected, const std::string& actual) {
    const fs::path other =
        fs::path(testing::TempDir()) / (expected.parent_path().parent_path().filename().string() + ".actual");
    std::ofstream(other, std::ios::binary) << actual;
    const std::string command = "diff -u '" + expected.string() + "' '" + other.string() + "'";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    return text;
}

void compare(const fs::path& folder, const Outcome& outcome) {
    const fs::path file = folder / "expected" / outcome.file;
    const auto expected = read(file);
    ASSERT_TRUE(expected) << "there is no " << file << "; " << how_to_record << "\n" << outcome.text;
    if (*expected != outcome.text) ADD_FAILURE() << diff(file, outcome.text) << how_to_record;
}

void record(const fs::path& folder, const Outcome& outcome) {
    fs::remove_all(folder / "expected");
    fs::create_directory(folder / "expected");
    std::ofstream(folder / "expected" / outcome.file, std::ios::binary) << outcome.text;
}

/// The line "Expected: refused: pool-exact" of the README: written by whoever thought about the
/// machine, never by record-golden, so that a verdict cannot change unnoticed.
std::string promise_of(const fs::path& folder) {
    constexpr std::string_view label = "Expected: ";
    std::istringstream lines(read(folder / "README.md").value_or(""));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(label)) return line.substr(label.size());
    return "(README.md has no line 'Expected: ')";
}

std::vector<std::string> golden_machines() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(machines))
        if (fs::exists(entry.path() / "request.json")) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

class GoldenMachine : public testing::TestWithParam<std::string> {};

TEST_P(GoldenMachine, IsPlannedAsExpected) {
    const fs::path folder = machines / GetParam();
    const json request = json::parse(read(folder / "request.json").value_or(""), nullptr, false);
    ASSERT_TRUE(request.is_object()) << "request.json is no JSON object";
    const Golden golden = golden_of(folder, request);
    const Outcome outcome = outcome_of(golden);
    EXPECT_EQ(promise_of(folder), outcome.summary);
    EXPECT_EQ(outcome.text, outcome_of(golden).text) << "the same machine, planned again";
    if (recording())
        record(folder, outcome);
    else
        compare(folder, outcome);
}

std::string identifier(const testing::TestParamInfo<std::string>& info) {
    std::string text = info.param;
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return text;
}

std::string mib(std::int64_t bytes) { return std::to_string(bytes / static_cast<std::int64_t>(base::MiB)); }

// One line a machine: a change of the model shows as a handful of lines.
std::string recommendations() {
    std::string text = "# machine: this boot's layout reproduced? verdict, words, MiB reserved now, then, given back\n";
    for (const std::string& name : golden_machines()) {
        const fs::path folder = machines / name;
        const Golden golden = golden_of(folder, json::parse(read(folder / "request.json").value_or("")));
        const auto machine = gather(Host(golden.root));
        if (!machine) continue;
        const Recommendation r = recommend(*machine, golden.request);
        text += name + ": " + (r.reproduced.layout ? "yes" : "no") + ", " + handoff::name(r.verdict);
        if (r.chosen)
            text += ", " + r.chosen->reservation.text() + ", " + mib(static_cast<std::int64_t>(r.now)) + ", " +
                    mib(static_cast<std::int64_t>(r.chosen->bytes)) + ", " + mib(r.given_back());
        text += "\n";
    }
    return text;
}

TEST(GoldenMachines, AreRecommendedAsExpected) {
    const fs::path file = machines / "recommend.txt";
    const std::string now = recommendations();
    if (recording())
        std::ofstream(file, std::ios::binary) << now;
    else
        EXPECT_EQ(read(file).value_or(""), now) << how_to_record;
}

INSTANTIATE_TEST_SUITE_P(Fixtures, GoldenMachine, testing::ValuesIn(golden_machines()), identifier);

}  // namespace
}  // namespace handoff
