// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/difference.hpp"

#include <gtest/gtest.h>

namespace {

using tool::unified_difference;

TEST(UnifiedDifference, ShowsThreeLinesAround) {
    EXPECT_EQ(unified_difference("/etc/f", "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nnew\n5\n6\n7\n8\n"),
              "--- /etc/f\n+++ /etc/f\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n");
    EXPECT_EQ(unified_difference("f", "1\nold\n3\n", "1\n3\n"), "--- f\n+++ f\n@@ -1,3 +1,2 @@\n 1\n-old\n 3\n");
    EXPECT_EQ(unified_difference("f", "a\n", "b\n"), "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n");
}

TEST(UnifiedDifference, OfALineThatDoesNotEndSaysSo) {
    EXPECT_EQ(unified_difference("f", "a", "new\na"),
              "--- f\n+++ f\n@@ -1 +1,2 @@\n+new\n a\n\\ No newline at end of file\n");
    EXPECT_EQ(unified_difference("f", "a", "a\n"), "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

TEST(UnifiedDifference, OfAnEmptyTextHasNoLinesOfIt) {
    EXPECT_EQ(unified_difference("f", "", "a\nb\n"), "--- f\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    EXPECT_EQ(unified_difference("f", "a\n", ""), "--- f\n+++ f\n@@ -1 +0,0 @@\n-a\n");
}

TEST(UnifiedDifference, OfTheSameTextIsNothing) { EXPECT_EQ(unified_difference("f", "a\n", "a\n"), ""); }

}  // namespace
