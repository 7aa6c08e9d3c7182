// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_memory.hpp"

#include <bpf/btf.h>
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "lib/sources/btf.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {

using base::Fd;
namespace {

using Bytes = std::vector<std::byte>;

/// BTF in the making; the members of a structure are of `long unsigned int` unless said otherwise.
class BtfMaker {
public:
    BtfMaker() : types_(btf__new_empty(), btf__free) {
        word_ = btf__add_int(types(), "long unsigned int", 8, 0);
        phys_ = btf__add_typedef(types(), "phys_addr_t", word_);
        slot_ = btf__add_struct(types(), "io_tlb_slot", 24);
    }
    btf* types() { return types_.get(); }
    int begin(const char* name) { return btf__add_struct(types(), name, 128); }
    void member(const char* name, std::uint32_t offset, int type = 0) {
        btf__add_field(types(), name, type == 0 ? phys_ : type, offset * 8, 0);
    }
    /// Types must exist before the structure that uses them.
    int pointer() { return btf__add_ptr(types(), slot_); }
    int flexible_array() { return btf__add_array(types(), word_, slot_, 0); }
    int narrow() { return btf__add_int(types(), "unsigned int", 4, 0); }
    Bytes bytes() {
        std::uint32_t size = 0;
        const auto* raw = static_cast<const std::byte*>(btf__raw_data(types(), &size));
        return {raw, raw + size};
    }

private:
    std::unique_ptr<btf, void (*)(btf*)> types_;
    int word_ = 0, phys_ = 0, slot_ = 0;
};

/// struct io_tlb_mem of 5.13 and 5.14, allocated together with its slots.
Bytes allocated_btf() {
    BtfMaker make;
    const int slots = make.flexible_array();
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 16);
    make.member("slots", 96, slots);
    return make.bytes();
}

/// Of 5.15 to 6.5.
Bytes static_btf() {
    BtfMaker make;
    const int slots = make.pointer();
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 24);
    make.member("slots", 64, slots);
    return make.bytes();
}

/// The same with what it has besides.
Bytes static_btf_with(const char* member) {
    BtfMaker make;
    const int slots = make.pointer();
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 24);
    make.member(member, 32);
    make.member("slots", 64, slots);
    return make.bytes();
}

/// Of 6.6 and later, here with the pool not at the beginning.
Bytes embedded_btf() {
    BtfMaker make;
    const int slots = make.pointer();
    const int pool = make.begin("io_tlb_pool");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 24);
    make.member("slots", 56, slots);
    make.begin("io_tlb_mem");
    make.member("nslabs", 0);
    make.member("defpool", 16, pool);
    return make.bytes();
}

std::string layout_error(const Bytes& btf) {
    const auto layout = pool_layout(read_at(btf));
    return layout ? "no error" : layout.error().message();
}

Bytes words(std::initializer_list<std::uint64_t> values) {
    Bytes bytes(values.size() * 8);
    std::memcpy(bytes.data(), std::data(values), bytes.size());
    return bytes;
}

/// Memory made of pieces; anything else is not there.
MemoryReader memory(std::vector<MemoryPiece> pieces) {
    return [pieces = std::move(pieces)](Address address, std::size_t size) -> Result<Bytes> {
        for (const MemoryPiece& piece : pieces) {
            if (address < piece.address || address + size > piece.address + piece.bytes.size()) continue;
            const auto begin = piece.bytes.begin() + static_cast<std::ptrdiff_t>(address - piece.address);
            return Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
        }
        return Error{Errc::not_found, {}, 0, "not mapped"};
    };
}

std::function<Result<PoolLayout>()> layout_of(const Bytes& btf) {
    return [btf] { return pool_layout(read_at(btf)); };
}

Result<PoolLayout> no_layout() {
    return Error{Errc::not_found, "sys/kernel/btf/vmlinux", 0, "No such file or directory"};
}

constexpr Address at = 0xffffffff82c1e300;
const AddressRange pool_64m = *AddressRange::from_bounds(0x75000000, 0x79000000);

TEST(PoolLayout, OfEveryKernel) {
    EXPECT_EQ(*pool_layout(read_at(allocated_btf())), (PoolLayout{true, 0, 8, 16, {}}));
    EXPECT_EQ(*pool_layout(read_at(static_btf())), (PoolLayout{false, 0, 8, 24, {}}));
    EXPECT_EQ(*pool_layout(read_at(embedded_btf())), (PoolLayout{false, 16, 24, 40, {}}));
}

TEST(PoolLayout, SaysWhetherTheKernelHasAreas) {
    EXPECT_EQ(pool_layout(read_at(static_btf_with("nareas")))->areas, true);
    EXPECT_EQ(pool_layout(read_at(static_btf_with("used")))->areas, false);
    EXPECT_EQ(pool_layout(read_at(static_btf()))->areas, std::nullopt) << "a part of the structure does not tell";
}

TEST(PoolLayout, AMinimalBtfSaysTheSame) {
    for (const Bytes& btf :
         {allocated_btf(), static_btf(), embedded_btf(), static_btf_with("nareas"), static_btf_with("used")}) {
        const auto layout = pool_layout(read_at(btf));
        const Bytes minimal = minimal_btf(*layout);
        EXPECT_EQ(*pool_layout(read_at(minimal)), *layout);
        EXPECT_LT(minimal.size(), 300u);
    }
}

Bytes bytes_of(const std::vector<std::uint32_t>& words) {
    Bytes bytes(words.size() * sizeof words[0]);
    std::memcpy(bytes.data(), words.data(), bytes.size());
    return bytes;
}

// <linux/btf.h> of newer kernels: eight bytes more in the header, and eight bits more for the number of members.
TEST(Btf, TheHeaderMayBeLonger) {
    const PoolLayout layout = *pool_layout(read_at(allocated_btf()));
    Bytes btf = minimal_btf(layout);
    ASSERT_EQ(btf.at(4), std::byte{24});
    btf.at(4) = std::byte{32};
    btf.insert(btf.begin() + 24, 8, std::byte{0});
    EXPECT_EQ(*pool_layout(read_at(btf)), layout);
}

TEST(Btf, ATypeMayHaveMoreThan65535Members) {
    constexpr std::uint32_t values = 70000, enumeration = 6U << 24 | values, structure = 4U << 24;
    std::vector<std::uint32_t> types{0, enumeration, 4};
    types.insert(types.end(), values * 2, 0);
    types.insert(types.end(), {1, structure, 8});  // named by the string at 1
    const std::uint32_t length = static_cast<std::uint32_t>(types.size() * sizeof types[0]);
    std::vector<std::uint32_t> words{1U << 16 | 0xeb9f, 24, 0, length, length, 4};
    words.insert(words.end(), types.begin(), types.end());
    words.push_back('a' << 8);  // "", "a"
    const Bytes btf = bytes_of(words);
    auto opened = Btf::open(read_at(btf));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->find_struct("a"));
}

/// As many types as a kernel has, and the structure in the middle of them.
Bytes large_btf() {
    BtfMaker make;
    const auto more = [&] {
        for (int i = 0; i < 20000; ++i) {
            const int integer =
                btf__add_int(make.types(), ("integer_" + std::to_string(btf__type_cnt(make.types()))).c_str(), 4, 0);
            btf__add_struct(make.types(), ("io_tlb_mem_" + std::to_string(btf__type_cnt(make.types()))).c_str(), 8);
            btf__add_field(make.types(), "io_tlb_mem", integer, 0, 0);
            btf__add_const(make.types(), integer);
        }
    };
    more();
    const int slots = make.pointer();
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 24, static_cast<int>(btf__type_cnt(make.types())));
    make.member("slots", 64, slots);
    btf__add_int(make.types(), "u64", 8, 0);
    more();
    return make.bytes();
}

TEST(PoolLayout, IsFoundAmongAllTypesOfAKernel) {
    const Bytes btf = large_btf();
    ASSERT_GT(btf.size(), 2 * base::MiB);
    EXPECT_EQ(*pool_layout(read_at(btf)), (PoolLayout{false, 0, 8, 24, {}}));
}

TEST(PoolLayout, IsReadInSmallPiecesAndOnlyAsFarAsItGoes) {
    BtfMaker make;
    const int slots = make.pointer();
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 8);
    make.member("nslabs", 24);
    make.member("slots", 64, slots);
    for (int i = 0; i < 30000; ++i) btf__add_struct(make.types(), ("another_" + std::to_string(i)).c_str(), 8);
    const Bytes btf = make.bytes();
    std::size_t read = 0, largest = 0;
    const ReadAt counted = [&](std::uint64_t offset, std::span<std::byte> into) {
        read += into.size();
        largest = std::max(largest, into.size());
        return read_at(btf)(offset, into);
    };
    EXPECT_EQ(*pool_layout(counted), (PoolLayout{false, 0, 8, 24, {}}));
    EXPECT_GT(btf.size(), 500 * base::KiB);
    EXPECT_LT(read, 100 * base::KiB);
    EXPECT_LE(largest, 16 * base::KiB);
}

TEST(PoolLayout, TypesThatReferToEachOtherInACircleAreAnError) {
    BtfMaker make;
    const int first = btf__add_typedef(make.types(), "a", static_cast<int>(btf__type_cnt(make.types())) + 1);
    btf__add_typedef(make.types(), "b", first);
    make.begin("io_tlb_mem");
    make.member("start", 0, first);
    EXPECT_EQ(layout_error(make.bytes()), "expected a 64-bit 'start' in struct io_tlb_mem, found: start");
}

TEST(PoolLayout, AMemberOutsideOfItsStructureIsAnError) {
    BtfMaker make;
    make.begin("io_tlb_mem");
    make.member("start", 0);
    make.member("end", 124);
    EXPECT_EQ(layout_error(make.bytes()), "expected all of 'end' in struct io_tlb_mem, found: start, end");
}

TEST(PoolLayout, OfThisMachinesKernelIfItHasBtf) {
    const std::string btf = read_file("/sys/kernel/btf/vmlinux");
    if (btf.empty()) GTEST_SKIP() << "no BTF here";
    const auto layout = pool_layout(read_at(std::as_bytes(std::span(btf))));
    ASSERT_TRUE(layout) << layout.error().message();
    EXPECT_FALSE(layout->pointer);
}

TEST(PoolLayout, AnUnknownShapeIsAnErrorThatNamesIt) {
    BtfMaker none;
    none.begin("something_else");
    EXPECT_EQ(layout_error(none.bytes()), "expected struct io_tlb_mem in BTF, found none");

    BtfMaker renamed;
    renamed.begin("io_tlb_mem");
    renamed.member("base", 0);
    renamed.member("limit", 8);
    EXPECT_EQ(layout_error(renamed.bytes()), "expected a 64-bit 'start' in struct io_tlb_mem, found: base, limit");

    BtfMaker narrow;
    const int narrow_type = narrow.narrow();
    narrow.begin("io_tlb_mem");
    narrow.member("start", 0, narrow_type);
    EXPECT_EQ(layout_error(narrow.bytes()), "expected a 64-bit 'start' in struct io_tlb_mem, found: start");

    BtfMaker without_slots;
    without_slots.begin("io_tlb_mem");
    without_slots.member("start", 0);
    without_slots.member("end", 8);
    without_slots.member("nslabs", 16);
    EXPECT_EQ(layout_error(without_slots.bytes()), "expected 'slots' in struct io_tlb_mem, found: start, end, nslabs");
}

TEST(PoolLayout, WhatIsNoBtfIsAnError) {
    EXPECT_NE(layout_error({}), "no error");
    EXPECT_NE(layout_error(Bytes(1000)), "no error");
    const Bytes whole = embedded_btf();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_NE(layout_error(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "no error")
            << size;
    }
}

TEST(PoolInMemory, OfEveryKernel) {
    const auto embedded = read_pool({{"io_tlb_default_mem", at}}, layout_of(embedded_btf()),
                                    memory({{at, words({0, 0, 0x75000000, 0x79000000, 0, 32768})}}));
    EXPECT_EQ(**embedded, pool_64m);

    const auto plain = read_pool({{"io_tlb_default_mem", at}}, layout_of(static_btf()),
                                 memory({{at, words({0x75000000, 0x79000000, 0, 32768})}}));
    EXPECT_EQ(**plain, pool_64m);

    constexpr Address target = 0xffff888003000000;
    const auto allocated = read_pool({{"io_tlb_default_mem", at}}, layout_of(allocated_btf()),
                                     memory({{at, words({target})}, {target, words({0x75000000, 0x79000000, 32768})}}));
    EXPECT_EQ(**allocated, pool_64m);

    const auto variables =
        read_pool({{"io_tlb_start", at}, {"io_tlb_end", at + 8}, {"io_tlb_nslabs", at + 64}}, no_layout,
                  memory({{at, words({0x75000000, 0x79000000})}, {at + 64, words({32768})}}));
    EXPECT_EQ(**variables, pool_64m) << "5.10 needs no BTF";
}

TEST(PoolInMemory, ZerosAreNoPool) {
    const auto plain =
        read_pool({{"io_tlb_default_mem", at}}, layout_of(static_btf()), memory({{at, words({0, 0, 0, 0})}}));
    ASSERT_TRUE(plain);
    EXPECT_FALSE(*plain);
    const auto pointer =
        read_pool({{"io_tlb_default_mem", at}}, layout_of(allocated_btf()), memory({{at, words({0})}}));
    ASSERT_TRUE(pointer);
    EXPECT_FALSE(*pointer);
}

TEST(PoolInMemory, WhatIsNoPoolIsAnError) {
    const std::initializer_list<std::uint64_t> bad[] = {
        {0x79000000, 0x75000000, 0, 32768},  // reversed
        {0x75000000, 0x75000000, 0, 0},      // empty
        {0x75000000, 0x79000000, 0, 16384},  // another size than its slabs say
        {0x75000000, 0x79000001, 0, 32768},
    };
    for (const auto& contents : bad) {
        const auto pool =
            read_pool({{"io_tlb_default_mem", at}}, layout_of(static_btf()), memory({{at, words(contents)}}));
        ASSERT_FALSE(pool);
        EXPECT_EQ(pool.error().code, Errc::input);
    }
    const auto reversed =
        read_pool({{"io_tlb_default_mem", at}}, layout_of(static_btf()), memory({{at, words(bad[0])}}));
    EXPECT_EQ(reversed.error().message(), "expected a pool of 32768 slabs of 2 KiB, found 0x79000000-0x75000000");
}

TEST(PoolInMemory, NothingIsGuessed) {
    const MemoryReader nothing = memory({});
    EXPECT_EQ(read_pool({}, layout_of(static_btf()), nothing).error().code, Errc::not_found) << "no symbols";
    EXPECT_EQ(read_pool({{"io_tlb_start", at}}, no_layout, nothing).error().code, Errc::not_found) << "not all of them";
    EXPECT_EQ(read_pool({{"io_tlb_default_mem", at}}, no_layout, nothing).error().source, "sys/kernel/btf/vmlinux");
    EXPECT_EQ(read_pool({{"io_tlb_default_mem", at}}, layout_of(static_btf()), nothing).error().what, "not mapped");
}

TEST(EncryptionInMemory, IsWhatTheKernelSaysOfItself) {
    const Symbols symbols{{"sme_me_mask", at}, {"sev_status", at + 8}};
    const auto of = [&](std::uint64_t mask, std::uint64_t status) {
        return *read_amd_encryption(symbols, memory({{at, words({mask, status})}}));
    };
    EXPECT_EQ(of(0, 0), Encryption::none);
    EXPECT_EQ(of(1ull << 47, 0), Encryption::sme);
    EXPECT_EQ(of(1ull << 51, 1), Encryption::sev);
    EXPECT_EQ(of(1ull << 51, 3), Encryption::sev_es);
    EXPECT_EQ(of(1ull << 51, 7), Encryption::sev_snp);
    EXPECT_EQ(of(0, 8), Encryption::sev_snp) << "under a paravisor";
    EXPECT_EQ(read_amd_encryption({}, memory({})).error().code, Errc::not_found);
}

TEST(EncryptionInMemory, IsOfAConfidentialGuestWhoseProcessorSaysNothing) {
    const Symbols symbols{{"sme_me_mask", at}, {"sev_status", at + 8}, {"cc_vendor", at + 16}};
    const auto of = [&](std::uint64_t vendor) {
        return *read_amd_encryption(symbols, memory({{at, words({0, 0, vendor})}}));
    };
    EXPECT_EQ(of(0), Encryption::none);
    EXPECT_EQ(of(1), Encryption::none) << "AMD's processors, whether they encrypt or not";
    EXPECT_EQ(of(2), Encryption::tdx);
    EXPECT_EQ(of(3), Encryption::tdx) << "6.1's number of Intel, where 2 is Hyper-V's";
    EXPECT_EQ(of(0x500000000), Encryption::none) << "an enum has four bytes";
}

TEST(HighWaterMark, IsTrackedWhereTheKernelsSwitchIsOn) {
    const Symbols symbols{{"track_hiwater_enabled", at}};
    EXPECT_FALSE(*read_hiwater_tracking(symbols, true, memory({{at, words({0xffffffffffffff00})}})))
        << "it has one byte";
    EXPECT_TRUE(*read_hiwater_tracking(symbols, true, memory({{at, words({1})}})));
    EXPECT_EQ(read_hiwater_tracking(symbols, true, memory({})).error().what, "not mapped");
}

TEST(HighWaterMark, IsTrackedByAKernelThatHasNoSwitch) {
    EXPECT_TRUE(*read_hiwater_tracking({{"io_tlb_default_mem", at}}, true, memory({})));
    EXPECT_TRUE(*read_hiwater_tracking({{"io_tlb_start", at}}, true, memory({})));
}

TEST(HighWaterMark, IsNotGuessedFromSymbolsThatMayHaveBeenLeftOut) {
    EXPECT_EQ(read_hiwater_tracking({{"io_tlb_default_mem", at}}, false, memory({})).error().code, Errc::not_found)
        << "by a capture";
    EXPECT_EQ(read_hiwater_tracking({}, true, memory({})).error().code, Errc::not_found)
        << "by a kernel that names no variables";
}

// --- core files -----------------------------------------------------------------------------------------------

std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Result<Core> open_core(const TempTree& tree, std::string_view content) {
    tree.write("kcore", content);
    return Core::open(Fd(::open((tree / "kcore").c_str(), O_RDONLY | O_CLOEXEC)));
}

TEST(CoreFile, ReadsMemoryByItsAddress) {
    const TempTree tree;
    const MemoryPiece pieces[] = {{at, words({1, 2, 3})}, {0xffff888000001000, words({4})}};
    const auto core = open_core(tree, text_of(minimal_core(pieces)));
    ASSERT_TRUE(core) << core.error().message();
    EXPECT_EQ(*core->read(at + 8, 16), words({2, 3}));
    EXPECT_EQ(*core->read(0xffff888000001000, 8), words({4}));
    EXPECT_EQ(core->read(at + 8, 17).error().code, Errc::not_found) << "crosses the end of its segment";
    EXPECT_EQ(core->read(at - 1, 8).error().code, Errc::not_found);
    EXPECT_EQ(core->read(~Address{0} - 3, 8).error().code, Errc::not_found) << "wraps";
}

TEST(CoreFile, AFileShorterThanItsHeadersSayIsAnError) {
    const TempTree tree;
    const MemoryPiece pieces[] = {{at, words({1, 2, 3})}};
    const std::string whole = text_of(minimal_core(pieces));
    const auto core = open_core(tree, whole.substr(0, whole.size() - 1));
    ASSERT_TRUE(core);
    EXPECT_EQ(core->read(at + 16, 8).error().code, Errc::io);
}

TEST(CoreFile, WhatIsNoCoreFileIsAnError) {
    const TempTree tree;
    const std::string whole = text_of(minimal_core({}));
    std::string executable = whole, narrow = whole, other_machine = whole;
    executable[16] = ET_EXEC;
    narrow[EI_CLASS] = ELFCLASS32;
    other_machine[18] = EM_386;
    for (const std::string& content : {std::string(), std::string("hello"), whole.substr(0, 40), executable, narrow,
                                       other_machine, std::string(100000, '\xff')}) {
        EXPECT_FALSE(open_core(tree, content));
    }
}

TEST(CoreFile, MoreSegmentsThanTheHeaderCanCount) {
    constexpr std::uint32_t count = 70000;
    Elf64_Ehdr header{};
    const std::string empty = text_of(minimal_core({}));
    std::memcpy(&header, empty.data(), sizeof header);
    header.e_phnum = PN_XNUM;
    header.e_shoff = sizeof header;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
    header.e_phoff = sizeof header + sizeof(Elf64_Shdr);
    Elf64_Shdr section{};
    section.sh_info = count;
    std::string file(reinterpret_cast<const char*>(&header), sizeof header);
    file.append(reinterpret_cast<const char*>(&section), sizeof section);
    for (std::uint32_t i = 0; i < count; ++i) {
        Elf64_Phdr segment{};
        segment.p_type = i % 2 == 0 ? PT_LOAD : PT_NOTE;
        segment.p_vaddr = at + 16 * Address{i};
        segment.p_filesz = 8;
        segment.p_offset = 0;
        file.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    }
    const TempTree tree;
    const auto core = open_core(tree, file);
    ASSERT_TRUE(core) << core.error().message();
    EXPECT_TRUE(core->read(at + 16 * Address{count - 2}, 8));
    EXPECT_FALSE(core->read(at + 16 * Address{count - 1}, 8)) << "a note";
}

TEST(KernelFunctions, TellWhatTheKernelDoesBeforeACrash) {
    const Symbols snp{{"snp_kexec_finish", 1}}, tdx{{"tdx_kexec_finish", 1}};
    EXPECT_TRUE(unshares_memory(snp, Encryption::sev_snp));
    EXPECT_TRUE(unshares_memory(tdx, Encryption::tdx));
    for (const Encryption other : {Encryption::none, Encryption::sme, Encryption::sev, Encryption::sev_es,
                                   Encryption::vbs, Encryption::tdx, Encryption::unknown_kind, Encryption::unknown})
        EXPECT_FALSE(unshares_memory(snp, other)) << name(other);
    EXPECT_FALSE(unshares_memory(tdx, Encryption::sev_snp));
}

TEST(KernelFunctions, ThatAreNotAmongAllSymbolsAreNotThere) {
    const Symbols with{{"sme_me_mask", 1}, {"ima_add_kexec_buffer", 2}}, without{{"sme_me_mask", 1}};
    EXPECT_TRUE(may_pass_ima_list(with, true));
    EXPECT_FALSE(may_pass_ima_list(without, true));
    EXPECT_TRUE(may_pass_ima_list(without, false)) << "a capture, by somebody who did not look for it";
    EXPECT_TRUE(may_pass_ima_list({}, true)) << "the kernel hides them";
}

}  // namespace
}  // namespace handoff
