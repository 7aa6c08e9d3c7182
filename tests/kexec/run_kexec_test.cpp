// SPDX-License-Identifier: GPL-2.0-or-later
// How kexec is run: what of /proc/iomem it sees, and what is said where that cannot be changed.
#include "tool/run_kexec.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/process.hpp"

namespace tool {
namespace {

using base::Argv;
using handoff::KexecRun;

const std::string own_iomem = "00100000-6dffffff : System RAM\n";

KexecRun cat_iomem(const std::optional<std::string>& iomem) {
    Argv command("/bin/cat", std::vector<std::string>{"/proc/iomem"});
    return run_kexec(command, iomem);
}

// As root in a container that forbids it, and as anybody else.
bool mounts_are_permitted() {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 0
                                                                                                                 : 1);
    return base::wait_for(child) == 0;
}

TEST(RunKexec, ShowsItAnotherIomemAndNobodyElse) {
    if (!mounts_are_permitted()) GTEST_SKIP() << "mounts are not permitted here";
    const std::string before = cat_iomem(std::nullopt).output;
    const KexecRun run = cat_iomem(own_iomem);
    EXPECT_EQ(run.status, 0) << run.how << run.errors;
    EXPECT_EQ(run.output, own_iomem);
    EXPECT_FALSE(run.cannot_hide);
    EXPECT_EQ(cat_iomem(std::nullopt).output, before);
}

TEST(RunKexec, DoesNotRunItWhereThatIsNotPermittedAndSaysSo) {
    const auto without_permission = [] {
        if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
        const KexecRun run = cat_iomem(own_iomem);
        ::_exit(run.cannot_hide && run.status != 0 && run.output.empty() &&
                        run.how == "a private /proc/iomem: Operation not permitted"
                    ? 0
                    : 1);
    };
    EXPECT_EXIT(without_permission(), testing::ExitedWithCode(0), "");
}

TEST(RunKexec, TakesAllOfMoreThanAPipeHolds) {
    constexpr std::string_view numbers = "1\n2\n", last = "\n400000\n";  // 2.7 MB
    for (const char* script : {"seq 400000", "seq 400000 >&2"}) {
        SCOPED_TRACE(script);
        Argv command("/bin/sh", std::vector<std::string>{"-c", script});
        const KexecRun run = run_kexec(command, std::nullopt);
        EXPECT_EQ(run.status, 0);
        const std::string said = run.output + run.errors;  // one stream where this test's own two are one
        EXPECT_TRUE(said.starts_with(numbers) && said.ends_with(last)) << said.size();
    }
}

TEST(RunKexec, AStatusOf126IsKexecsOwn) {
    Argv command("/bin/sh", std::vector<std::string>{"-c", "exit 126"});
    const KexecRun run = run_kexec(command, std::nullopt);
    EXPECT_EQ(run.status, 126);
    EXPECT_FALSE(run.cannot_hide);
}

}  // namespace
}  // namespace tool
