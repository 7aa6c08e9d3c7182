// SPDX-License-Identifier: GPL-2.0-or-later
// Text for the user: tool/text.hpp.
#include "tool/text.hpp"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tool {
namespace {

using namespace std::string_view_literals;

TEST(Printable, LeavesTextAndTakesWhatATerminalObeys) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"plain ~", "plain ~"},
        {"a\x1b[31m\a\tb\r\x7f\0c"sv, "a?[31m??b???c"},
        {"é€😀\u00a0", "é€😀\u00a0"},                                 // the first letter behind C1
        {"\u0080\u009f", "????"},                                   // C1
        {"\x80\x9b\xa0\xff", "????"},                               // no UTF-8
        {"\xc0\x80 \xe0\x80\x80 \xf0\x80\x80\x80", "?? ??? ????"},  // overlong
        {"\xed\xa0\x80 \xf4\x90\x80\x80", "??? ????"},              // a surrogate, beyond U+10FFFF
        {"\xf4\x8f\xbf\xbf\xef\xbf\xbd", "\xf4\x8f\xbf\xbf\xef\xbf\xbd"},
        {"\xe2\x82", "??"},  // cut
        {"\xe2\x82x", "??x"},
        {"\xe2\x82\xe2\x82\xac", "??\xe2\x82\xac"},
    };
    for (const auto& [text, shown] : cases) EXPECT_EQ(printable(text, false), shown);
    EXPECT_EQ(printable("a\nb\n", false), "a?b?");
    EXPECT_EQ(printable("a\nb\r\n", true), "a\nb?\n");
    EXPECT_EQ(printable("a\tb", true), "a\tb");
    EXPECT_EQ(printable("a\tb", false), "a?b");
}

TEST(Wrapped, FillsLinesUpToTheWidth) {
    EXPECT_EQ(wrapped("", 4, 10), "");
    EXPECT_EQ(wrapped("one two", 0, 7), "one two");
    EXPECT_EQ(wrapped("one two", 0, 6), "one\ntwo");
    EXPECT_EQ(wrapped("one two three", 2, 9), "one two\n  three");
    EXPECT_EQ(wrapped("short averyverylongword end", 2, 8), "short\n  averyverylongword\n  end");
}

TEST(Either, NamesAllAndTheLastWithOr) {
    EXPECT_EQ(either({}), "");
    EXPECT_EQ(either(std::vector{"a"sv}), "a");
    EXPECT_EQ(either(std::vector{"a"sv, "b"sv}), "a or b");
    EXPECT_EQ(either(std::vector{"a"sv, "b"sv, "c"sv}), "a, b or c");
}

TEST(EditDistance, CountsLettersThatAreMissingTooManyWrongOrSwapped) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("plan", "plan"), 0U);
    EXPECT_EQ(edit_distance("", "plan"), 4U);
    EXPECT_EQ(edit_distance("pln", "plan"), 1U);
    EXPECT_EQ(edit_distance("plann", "plan"), 1U);
    EXPECT_EQ(edit_distance("plon", "plan"), 1U);
    EXPECT_EQ(edit_distance("plna", "plan"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("sitting", "kitten"), 3U);
}

TEST(Nearest, IsWhatBeginsLikeItOrIsAFewLettersAway) {
    const std::vector<std::string_view> words = {"plan", "show", "recommend", "command-line", "map"};
    EXPECT_EQ(nearest("plna", words), "plan");
    EXPECT_EQ(nearest("recomend", words), "recommend");
    EXPECT_EQ(nearest("comm", words), "command-line");
    EXPECT_EQ(nearest("ma", words), "map");
    EXPECT_EQ(nearest("x", words), std::nullopt);
    EXPECT_EQ(nearest("zzzz", words), std::nullopt);
    EXPECT_EQ(nearest("", words), std::nullopt);
    EXPECT_EQ(nearest("pool-exact", words), std::nullopt);
    EXPECT_EQ(nearest(std::string(100000, 'a'), words), std::nullopt);
}

}  // namespace
}  // namespace tool
