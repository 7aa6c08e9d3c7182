// SPDX-License-Identifier: GPL-2.0-or-later
// What fuzzing has found: fixtures/fuzz/TARGET/NAME, each a bug that is gone.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuzz/choices.hpp"
#include "tests/fuzz/parsers.hpp"
#include "tests/fuzz/targets.hpp"

namespace fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> found_inputs() {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(FIXTURES_DIR "/fuzz"))
        if (entry.is_regular_file() && entry.path().parent_path().filename() != "fuzz")
            names.push_back(fs::relative(entry.path(), FIXTURES_DIR "/fuzz"));
    std::sort(names.begin(), names.end());
    return names;
}

class Found : public testing::TestWithParam<std::string> {};

TEST_P(Found, DoesNoHarmAnyMore) {
    const fs::path file = fs::path(FIXTURES_DIR "/fuzz") / GetParam();
    const auto target = std::find_if(targets().begin(), targets().end(),
                                     [&](const Target& t) { return t.name == file.parent_path().filename(); });
    ASSERT_NE(target, targets().end()) << "no target has this name";
    std::ifstream in(file, std::ios::binary);
    const std::vector<std::uint8_t> bytes(std::istreambuf_iterator<char>(in), {});
    target->run(bytes);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Found, testing::ValuesIn(found_inputs()), [](const auto& param_info) {
    std::string name = param_info.param;
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
});

/// A target that nothing can satisfy is no target: each takes the empty input and a byte of anything.
TEST(Targets, TakeNothingAndLittle) {
    for (const Target& target : targets()) {
        SCOPED_TRACE(target.name);
        target.run({});
        for (unsigned byte = 0; byte < 256; ++byte) {
            const auto b = static_cast<std::uint8_t>(byte);
            target.run({&b, 1});
        }
    }
}

/// The comparisons with the kernel's own rules, on what looks like what a kernel reads.
TEST(Targets, ReadCommandLinesAndMapsAsTheKernelDoes) {
    static constexpr const char* pieces[] = {"memmap=",
                                             "mem=",
                                             "swiotlb=",
                                             "swiotlb_handoff=",
                                             "exactmap",
                                             "nopentium",
                                             "force",
                                             "--",
                                             " ",
                                             " ",
                                             " ",
                                             "\t",
                                             "\xa0",
                                             "\"",
                                             "=",
                                             ",",
                                             ",",
                                             "-",
                                             "_",
                                             "@",
                                             "#",
                                             "$",
                                             "!",
                                             "%",
                                             "-1",
                                             "+2",
                                             "-1+2",
                                             "-2+1",
                                             "+0",
                                             "-0x1+0x7",
                                             "4K",
                                             "64M",
                                             "0x1000",
                                             "0X10",
                                             "010",
                                             "1G",
                                             "2g",
                                             "3G",
                                             "0x80000000",
                                             "1048576K",
                                             "0",
                                             "00",
                                             "9",
                                             "16E",
                                             "18446744073709551615",
                                             "0xffffffffffffffff",
                                             "4G",
                                             "6G",
                                             "4G@0",
                                             "512M@1G",
                                             "1M%2G",
                                             "x"};
    std::mt19937_64 dice(1);
    for (int i = 0; i < 100000; ++i) {
        std::string line;
        for (std::uint64_t n = dice() % 12; n-- != 0;) line += pieces[dice() % std::size(pieces)];
        const auto run_on = [](void (*target)(Input), const std::string& text) {
            target({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
        };
        run_on(memmap, line);
        run_on(command_line, line);
        run_on(command_line, "memmap=" + line);
    }
    for (int i = 0; i < 20000; ++i) {
        std::vector<std::uint8_t> bytes(3 + dice() % 100);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dice());
        sanitise(bytes);
    }
}

/// Blind luck finds machines that are ready, so that a fuzzer does.
TEST(Targets, PlanIsOftenReadyAndThenHolds) {
    std::mt19937_64 dice(1);
    for (int i = 0; i < 1000; ++i) {
        std::vector<std::uint8_t> bytes(250);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dice());
        plan(bytes);
        hostile_plan(bytes);
    }
    EXPECT_GE(plans_ready(), 30u);
    EXPECT_GE(plans_lent(), 10u);
}

TEST(Choices, AreLeastWhereTheBytesEnd) {
    const std::uint8_t bytes[] = {0x12, 0x34, 0xff};
    Choices choices(bytes);
    EXPECT_EQ(choices.number(0, 0xffff), 0x1234u);
    EXPECT_EQ(choices.number(10, 19), 10 + 0xffu % 10);
    EXPECT_EQ(choices.number(10, 19), 10u);
    EXPECT_TRUE(choices.done());
}

}  // namespace
}  // namespace fuzz
