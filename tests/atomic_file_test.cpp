// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/atomic_file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <csignal>

#include <gtest/gtest.h>

#include "lib/sources/host.hpp"
#include "tests/temp_tree.hpp"

namespace {

base::Result<bool> replace(const TempTree& tree, std::string_view name, std::string_view text, unsigned mode = 0644,
                           handoff::Link link = handoff::Link::follow) {
    const auto place = handoff::Host(tree.path()).place(name, link);
    if (!place) return place.error();
    return tool::replace_file(*place, tree / name, text, mode);
}

std::size_t files_in(const TempTree& tree) {
    const auto entries = std::filesystem::directory_iterator(tree.path());
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST(ReplaceFile, KeepsTheModeAndLeavesNothingBeside) {
    const TempTree tree;
    tree.write("config", "old\n");
    ASSERT_EQ(::chmod((tree / "config").c_str(), 0640), 0);
    ASSERT_TRUE(replace(tree, "config", "new\n"));
    struct stat status {};
    ASSERT_EQ(::stat((tree / "config").c_str(), &status), 0);
    EXPECT_EQ(read_file(tree / "config"), "new\n");
    EXPECT_EQ(status.st_mode & 07777u, 0640u);
    EXPECT_EQ(files_in(tree), 1u);
}

TEST(ReplaceFile, MakesANewFileWithTheModeThatWasAskedFor) {
    const TempTree tree;
    ASSERT_TRUE(replace(tree, "metrics", "a\n", 0600));
    struct stat status {};
    ASSERT_EQ(::stat((tree / "metrics").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777u, 0600u);
}

TEST(ReplaceFile, KeepsTheOwner) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const TempTree tree;
    tree.write("config", "old\n");
    ASSERT_EQ(::chown((tree / "config").c_str(), 12345, 23456), 0);
    ASSERT_TRUE(replace(tree, "config", "new\n"));
    struct stat status {};
    ASSERT_EQ(::stat((tree / "config").c_str(), &status), 0);
    EXPECT_EQ(std::pair(status.st_uid, status.st_gid), std::pair(uid_t{12345}, gid_t{23456}));
}

TEST(ReplaceFile, KeepsTheAttributes) {
    const TempTree tree;
    tree.write("config", "old\n");
    if (::setxattr((tree / "config").c_str(), "user.colour", "blue", 4, 0) != 0)
        GTEST_SKIP() << "no attributes on this file system";
    ASSERT_TRUE(replace(tree, "config", "new\n"));
    char value[8] = {};
    EXPECT_EQ(::getxattr((tree / "config").c_str(), "user.colour", value, sizeof value), 4);
    EXPECT_STREQ(value, "blue");
}

TEST(ReplaceFile, FollowsASymbolicLinkAndKeepsIt) {
    const TempTree tree;
    tree.write("real", "old\n");
    std::filesystem::create_symlink("real", tree / "config");
    ASSERT_TRUE(replace(tree, "config", "new\n"));
    EXPECT_TRUE(std::filesystem::is_symlink(tree / "config"));
    EXPECT_EQ(read_file(tree / "real"), "new\n");
}

TEST(ReplaceFile, FollowsASymbolicLinkNowhereOutOfTheRoot) {
    const TempTree outside, tree;
    outside.write("victim", "precious\n");
    const std::string out = (outside / "victim").string();
    std::filesystem::create_directories(tree / "etc");
    std::filesystem::create_directories((tree / "").string() + outside.path().string());
    for (const std::string& target : {out, "../../../../../../../../.." + out}) {
        std::filesystem::create_symlink(target, tree / "etc/config");
        ASSERT_TRUE(replace(tree, "etc/config", "new\n")) << target;
        EXPECT_EQ(read_file(out), "precious\n") << target;
        EXPECT_EQ(read_file((tree / "").string() + out), "new\n") << "below the root, where the link leads there";
        std::filesystem::remove(tree / "etc/config");
    }
    std::filesystem::create_symlink(outside.path(), tree / "linked");
    std::filesystem::create_symlink("config", tree / "etc/config");
    EXPECT_TRUE(replace(tree, "linked/victim", "new\n"));
    EXPECT_FALSE(replace(tree, "etc/config", "new\n")) << "a link to itself";
    EXPECT_EQ(read_file(out), "precious\n");
    EXPECT_EQ(files_in(outside), 1u);
}

TEST(ReplaceFile, ALinkThatIsNotToBeFollowedIsNotReplacedEither) {
    const TempTree tree;
    tree.write("real", "old\n");
    std::filesystem::create_symlink("real", tree / "backup");
    EXPECT_FALSE(replace(tree, "backup", "new\n", 0600, handoff::Link::stay));
    EXPECT_TRUE(std::filesystem::is_symlink(tree / "backup"));
    EXPECT_EQ(read_file(tree / "real"), "old\n");
    EXPECT_EQ(files_in(tree), 2u);
}

TEST(PlaceOf, IsTheDirectoryThatTheUserNames) {
    const TempTree tree;
    tree.write("real/file", "old\n");
    std::filesystem::create_symlink("real", tree / "linked");
    const auto place = tool::place_of(tree / "linked/file");
    ASSERT_TRUE(place);
    ASSERT_TRUE(tool::replace_file(*place, tree / "linked/file", "new\n"));
    EXPECT_EQ(read_file(tree / "real/file"), "new\n");
    EXPECT_FALSE(tool::place_of(tree / "missing/file"));
}

TEST(ReplaceFile, WhereItFailsTheOldFileIsWhole) {
    const TempTree tree;
    tree.write("config", "old\n");
    // As a full disk does: the write fails half-way.
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit little = before;
    little.rlim_cur = 4096;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
    const auto result = replace(tree, "config", std::string(65536, 'x'));
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_FALSE(result);
    EXPECT_EQ(read_file(tree / "config"), "old\n");
    EXPECT_EQ(files_in(tree), 1u) << "no temporary file";

    std::filesystem::create_directory(tree / "directory");
    EXPECT_FALSE(replace(tree, "directory", "x"));
    EXPECT_FALSE(replace(tree, "missing/file", "x"));
    EXPECT_EQ(files_in(tree), 2u);
}

}  // namespace
