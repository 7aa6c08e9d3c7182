// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/audit_lines.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "lib/load/image_record.hpp"
#include "lib/report/documents.hpp"

namespace handoff {
namespace {

MachineAudit not_needed() {
    MachineAudit a;
    a.machine = "rack 1/host,\"a\"";
    a.verdict = Verdict::not_needed;
    a.pool_bytes = 64 * base::MiB;
    a.crashkernel_bytes = 512 * base::MiB;
    a.recommended = "crashkernel=256M";
    a.by_right_sizing = 256 * base::MiB;
    a.guessed = {"image", "initrd"};
    a.would_lend = true;
    a.lent_bytes = 64 * base::MiB;
    a.digest = "0123456789abcdef";
    return a;
}

MachineAudit refused() {
    MachineAudit a;
    a.machine = "b";
    a.verdict = Verdict::refused;
    a.refused_by = {"pool-exact", "words-known"};
    a.crashkernel_bytes = 128 * base::MiB;
    a.too_small = 32 * base::MiB;
    a.certainly_too_small = true;
    a.digest = "fedcba9876543210";
    return a;
}

MachineAudit unreadable() {
    MachineAudit a;
    a.machine = "c.tar.xz";
    a.error = base::Error{base::Errc::io, "", 0, "c.tar.xz: the archive ends early: it has no end mark"};
    return a;
}

std::string line_of(const MachineAudit& a) { return e820::to_text(audit_document(a), -1); }

TEST(AuditLines, AreReadAsTheyWereWritten) {
    for (const MachineAudit& a : {not_needed(), refused(), unreadable()}) {
        const auto again = parse_audit_line(line_of(a));
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_TRUE(*again == a) << line_of(*again);
    }
}

TEST(AuditLines, AreNothingElse) {
    for (const char* text :
         {"", "x", "[]", "{}", R"({"command": "plan", "verdict": "ready"})", R"({"command": "audit", "machine": 5})"})
        EXPECT_FALSE(parse_audit_line(text)) << text;
    std::string negative = line_of(refused());
    negative.replace(negative.find(":33554432"), 9, ":-1");
    EXPECT_EQ(parse_audit_line(negative).error().message(),
              "expected a member 'lacking_bytes' that is a number of bytes");
}

TEST(AuditLines, InCsvHaveACellForEachColumn) {
    EXPECT_EQ(audit_csv_line(not_needed()),
              "\"rack 1/host,\"\"a\"\"\",,not-needed,,,67108864,536870912,crashkernel=256M,268435456,0,268435456,0,"
              "false,image initrd,evidence-missing,67108864,0123456789abcdef");
    EXPECT_EQ(audit_csv_line(unreadable()),
              "c.tar.xz,c.tar.xz: the archive ends early: it has no end mark" + std::string(15, ','));
    const std::string heading = audit_csv_heading();
    EXPECT_EQ(std::count(heading.begin(), heading.end(), ','), 16);
}

TEST(AuditSummary, CountsAReportOnce) {
    AuditSummary sum;
    EXPECT_TRUE(sum.add(not_needed()));
    EXPECT_FALSE(sum.add(not_needed()));
    EXPECT_TRUE(sum.add(refused()));
    EXPECT_EQ(sum.machines(), 2U);
    EXPECT_EQ(sum.identical, 1U);
}

TEST(AuditSummary, CountsEachMachineOfWhichNothingIsKnown) {
    AuditSummary sum;
    EXPECT_TRUE(sum.add(unreadable()));
    EXPECT_TRUE(sum.add(unreadable()));
    EXPECT_EQ(sum.unreadable, 2U);
}

TEST(AuditSummary, KeepsApartWhatIsGivenBackByWhatMeans) {
    AuditSummary sum;
    MachineAudit ready;
    ready.verdict = Verdict::ready;
    ready.by_handoff = 64 * base::MiB;
    ready.by_right_sizing = 16 * base::MiB;
    for (const MachineAudit& a : {ready, not_needed(), refused()}) sum.add(a);
    EXPECT_EQ(sum.by_handoff, 64 * base::MiB);
    EXPECT_EQ(sum.giving, 1U);
    EXPECT_EQ(sum.by_right_sizing, 272 * base::MiB);
    EXPECT_EQ(sum.oversized, 2U);
    EXPECT_EQ(sum.too_small, 32 * base::MiB);
    EXPECT_EQ(sum.undersized, 1U);
    EXPECT_EQ(sum.certainly_undersized, 1U);
    EXPECT_EQ(sum.lent, 0U);
    EXPECT_EQ(sum.guessed.at("initrd"), 1U);
}

TEST(ImageRecord, IsReadAsItWasWritten) {
    ImageRecord record;
    record.image.emplace();
    record.image->init_size = 50 * base::MiB;
    record.image->release = "6.1.0-20-amd64";
    record.image->swiotlb_addr = record.image->swiotlb_dev = true;
    record.initrd = InitrdFile{24 * base::MiB, 4096, true};
    record.loader = Loader::kexec_file_load;
    record.collector = Collector::reads;
    const auto again = parse_image_record(text_of(record));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->image->init_size, 50 * base::MiB);
    EXPECT_EQ(again->image->release, "6.1.0-20-amd64");
    EXPECT_TRUE(again->image->swiotlb_addr);
    EXPECT_TRUE(again->image->swiotlb_dev);
    EXPECT_EQ(again->initrd->bytes, 24 * base::MiB);
    EXPECT_TRUE(again->initrd->bootconfig);
    EXPECT_EQ(again->loader, Loader::kexec_file_load);
    EXPECT_EQ(again->collector, Collector::reads);
    EXPECT_FALSE(parse_image_record(text_of(ImageRecord{}))->image);
}

TEST(ImageRecord, OfNoPowerOfTwoOrWithoutAMemberIsNone) {
    ImageRecord record;
    record.image.emplace();
    record.image->kernel_alignment = 3;
    EXPECT_EQ(parse_image_record(text_of(record)).error().message(),
              "expected a member 'kernel_alignment' as capture writes it");
    for (const char* text : {"", "[]", "{}", R"({"image": null, "initrd": {}})", R"({"image": null, "initrd": null})"})
        EXPECT_FALSE(parse_image_record(text)) << text;
}

}  // namespace
}  // namespace handoff
