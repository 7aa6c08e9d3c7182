// SPDX-License-Identifier: GPL-2.0-or-later
// The parsers of single sources, on text alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "lib/load/load_report.hpp"
#include "lib/sources/cpuinfo.hpp"
#include "lib/sources/iomem.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/redact.hpp"
#include "lib/sources/srat.hpp"

namespace handoff {
namespace {

constexpr std::array<std::string_view, 2> names{"io_tlb_default_mem", "sme_me_mask"};

Result<Symbols> search(std::string_view text, std::size_t piece) {
    SymbolSearch search(names);
    while (!text.empty() && search.take(text.substr(0, piece))) text.remove_prefix(std::min(piece, text.size()));
    return std::move(search).finish();
}

TEST(SymbolSearch, FindsTheSameWhateverThePiecesAre) {
    const std::string_view text =
        "ffffffff81000000 T _text\n"
        "ffffffff82000008 b io_tlb_default_mem\n"
        "not a line\n"
        "ffffffff82000030 D sme_me_mask";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const auto found = search(text, piece);
        ASSERT_TRUE(found) << piece;
        EXPECT_EQ(*found, (Symbols{{"io_tlb_default_mem", 0xffffffff82000008}, {"sme_me_mask", 0xffffffff82000030}}))
            << piece;
    }
}

TEST(SymbolSearch, EndsWhereTheModulesBegin) {
    const std::string_view text =
        "ffffffff82000008 b io_tlb_default_mem\n"
        "ffffffffc0000000 b sme_me_mask\t[module]\n"
        "ffffffffc0000008 b io_tlb_default_mem\t[module]\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece)
        EXPECT_EQ(*search(text, piece), (Symbols{{"io_tlb_default_mem", 0xffffffff82000008}}));
    SymbolSearch of_kernel(names);
    EXPECT_TRUE(of_kernel.take(text.substr(0, text.find('[')))) << "the line may go on";
    EXPECT_FALSE(of_kernel.take("[module]\n")) << "nothing after it is read";
}

TEST(SymbolSearch, RefusesTwoAddressesOfOneNameAndHiddenOnes) {
    EXPECT_EQ(search("1 b sme_me_mask\n2 b sme_me_mask\n", 64).error().message(),
              "expected one symbol sme_me_mask, found two");
    EXPECT_TRUE(search("1 b sme_me_mask\n1 b sme_me_mask\n", 64));
    EXPECT_EQ(search("0000000000000000 b sme_me_mask\n", 64).error().code, Errc::not_permitted);
    EXPECT_TRUE(search("", 1)->empty());
}

TEST(CpuInfo, ProvesWhatItsFlagsCanProve) {
    const auto cpu = [](const char* vendor, const char* flags) {
        return encryption_by_flags(std::string("processor\t: 0\nvendor_id\t: ") + vendor + "\nflags\t\t: " + flags +
                                   "\n\n");
    };
    EXPECT_EQ(cpu("GenuineIntel", "fpu vme"), Encryption::none);
    EXPECT_EQ(cpu("GenuineIntel", "fpu tdx_guest"), Encryption::tdx);
    EXPECT_EQ(cpu("GenuineIntel", "fpu hypervisor"), Encryption::unknown) << "of a guest they prove nothing";
    EXPECT_EQ(cpu("AuthenticAMD", "fpu vme"), Encryption::none);
    EXPECT_EQ(cpu("AuthenticAMD", "fpu sme"), Encryption::unknown);
    EXPECT_EQ(cpu("AuthenticAMD", "fpu hypervisor"), Encryption::unknown);
    EXPECT_EQ(cpu("SomebodyElse", "fpu"), Encryption::unknown);
    EXPECT_EQ(encryption_by_flags(""), Encryption::unknown);
}

TEST(CpuInfo, IsOfEveryProcessor) {
    const auto cpu = [](const char* flags) {
        return std::string("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: ") + flags + "\n\n";
    };
    EXPECT_EQ(encryption_by_flags(cpu("fpu") + cpu("fpu") + "\n"), Encryption::none);
    EXPECT_EQ(encryption_by_flags(cpu("fpu") + cpu("fpu tdx_guest")), Encryption::tdx);
    EXPECT_EQ(encryption_by_flags(cpu("fpu hypervisor") + cpu("fpu")), Encryption::unknown);
    EXPECT_EQ(encryption_by_flags(cpu("fpu") + cpu("fpu hypervisor")), Encryption::unknown);
    EXPECT_EQ(encryption_by_flags(cpu("fpu") + "processor\t: 1\n"), Encryption::unknown) << "cut off";
    EXPECT_EQ(encryption_by_flags(kinds_of_processors(cpu("fpu") + cpu("fpu") + cpu("fpu tdx_guest"))), Encryption::tdx)
        << "a capture keeps each kind";
    EXPECT_EQ(kinds_of_processors(cpu("fpu") + cpu("fpu")), kinds_of_processors(cpu("fpu")));
}

TEST(CpuInfo, TellsAnotherArchitecture) {
    const std::string arm = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
    EXPECT_TRUE(names_another_architecture(arm));
    EXPECT_TRUE(names_another_architecture(kinds_of_processors(arm))) << "a capture says so, too";
    for (const char* other : {"processor\t: 0\ncpu\t\t: POWER9\n", "processor\t: 0\nhart\t\t: 0\n",
                              "vendor_id       : IBM/S390\n# processors    : 4\n"})
        EXPECT_TRUE(names_another_architecture(kinds_of_processors(other))) << other;
    EXPECT_FALSE(names_another_architecture("processor\t: 0\nvendor_id\t: GenuineIntel\n"));
    EXPECT_FALSE(names_another_architecture("garbage\n"));
}

TEST(Srat, EndsWithTheHighestMemoryThatIsEnabled) {
    const auto table = [](std::uint64_t start, std::uint64_t size, std::uint32_t flags) {
        std::string text(48 + 40, '\0');
        text.replace(0, 4, "SRAT");
        text[48] = 1;  // memory affinity
        text[49] = 40;
        std::memcpy(&text[48 + 8], &start, 8);
        std::memcpy(&text[48 + 16], &size, 8);
        std::memcpy(&text[48 + 28], &flags, 4);
        return text;
    };
    EXPECT_EQ(srat_memory_end(table(0x100000000, 0x80000000, 1)), 0x180000000u);
    EXPECT_EQ(srat_memory_end(table(0x100000000, 0x80000000, 0)), std::nullopt);
    EXPECT_EQ(srat_memory_end(table(~0ULL, 2, 1)), std::nullopt) << "beyond 64 bits";
    EXPECT_EQ(srat_memory_end(table(0, 1, 1).substr(0, 60)), std::nullopt) << "cut short";
    EXPECT_EQ(srat_memory_end("no table"), std::nullopt);
}

TEST(Iomem, EachLineIsOfOneKind) {
    const struct {
        const char* name;
        IomemKind kind;
    } cases[] = {
        {"System RAM", IomemKind::system_ram},     {"System RAM (kmem)", IomemKind::other},
        {"Crash kernel", IomemKind::crash_kernel}, {"Crash kernel (low)", IomemKind::crash_kernel},
        {"Kernel code", IomemKind::kernel_image},  {"Kernel bss", IomemKind::kernel_image},
        {"Software IO TLB", IomemKind::pool},      {"Software IO TLB (64MB)", IomemKind::pool},
        {"swiotlb-driver", IomemKind::other},      {"ACPI Tables", IomemKind::other},
        {"Software IO TLB ", IomemKind::other},    {"Software IO TLB 00:04.0", IomemKind::device_pool},
        {"Software IO TLB2", IomemKind::other},
    };
    for (const auto& c : cases) EXPECT_EQ((IomemEntry{{}, 0, c.name, 1}.kind()), c.kind) << c.name;
}

TEST(Iomem, APoolOfSingleDevicesNamesThem) {
    const auto devices = [](const char* name) { return std::string(IomemEntry{{}, 0, name, 1}.devices()); };
    EXPECT_EQ(devices("Software IO TLB 0001:00:1c.0/00.0;pci:1b36:0010"), "0001:00:1c.0/00.0;pci:1b36:0010");
    for (const char* other : {"Software IO TLB", "Software IO TLB (64MB)", "software IO TLB 00:04.0", "System RAM"})
        EXPECT_EQ(devices(other), "") << other;
}

TEST(LoadMessages, AreOnWhereSomebodySwitchedOnWhatTheLoadPrints) {
    const std::string others = "kernel/kexec_core.c:1 [kexec_core]kexec =p \"x\"\n";
    EXPECT_FALSE(load_messages_on(others + "kernel/kexec_file.c:12 [kexec_file]load =_ \"Loading segment\"\n"));
    EXPECT_TRUE(load_messages_on("kernel/kexec_file.c:12 [kexec_file]load =p \"Loading segment\"\n" + others));
    EXPECT_TRUE(load_messages_on("arch/x86/kernel/crash.c:7 [crash]prepare =pmf \"Loaded\"\n"));
    EXPECT_FALSE(load_messages_on(""));
}

}  // namespace
}  // namespace handoff
