// SPDX-License-Identifier: GPL-2.0-or-later
// A command line as the kernel takes it apart, and what its crashkernel= words come to.
#include "lib/kernel/command_line.hpp"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

std::optional<std::string> value(const std::string& line, const char* key) {
    return (*CommandLine::parse(line)).last(key);
}

TEST(CommandLineWords, LoseTheQuotesAroundAValueOrAroundTheWhole) {
    EXPECT_EQ(value("a=\"b c\" d", "a"), "b c");
    EXPECT_EQ(value("\"a=b c\" d", "a"), "b c");
    EXPECT_EQ(value("a=\"b\" d", "a"), "b");
    EXPECT_EQ(value("a=\"\" d", "a"), "");
    EXPECT_EQ(value("a=b\"c d\"", "a"), "b\"c d\"") << "others stay where they are";
}

TEST(CommandLineErrors, ShowTheBeginningOfTheWord) {
    const auto line = CommandLine::parse("a \"" + std::string(100, 'x'));
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().what, "expected a closing quote in '\"" + std::string(39, 'x') + "'");
    EXPECT_EQ(CommandLine::parse("a \"xyz").error().what, "expected a closing quote in '\"xyz'");
}

TEST(CrashkernelWords, WithRangesAskForTheSizeOfTheOneThatMemoryLiesIn) {
    const auto size = [](std::uint64_t ram) {
        const auto reservation = reservation_of(*CommandLine::parse("crashkernel=1G-2G:64M,2G-:128M"), ram);
        return reservation && *reservation ? (*reservation)->size : 0;
    };
    EXPECT_EQ(size(GiB), 64 * MiB);
    EXPECT_EQ(size(GiB - 1), 64 * MiB) << "memory is rounded up to 128 MiB";
    EXPECT_EQ(size(GiB - 128 * MiB), 0u);
    EXPECT_EQ(size(2 * GiB - 128 * MiB), 64 * MiB);
    EXPECT_EQ(size(2 * GiB), 128 * MiB);
}

}  // namespace
}  // namespace handoff
