// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/loader.hpp"
#include "lib/kernel/kaslr.hpp"
#include "lib/sources/gather.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "e820/update.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Table;
using e820::Type;

AddressRange range(Address start, std::uint64_t size) { return AddressRange::from_size(start, size).value(); }

// --- against loads that were done, fixtures/loads/README.md -------------------------------------------------------

struct RealLoad {
    std::string name;
    Machine machine;
    LoadInput in;
    std::uint64_t uncompressed_bytes = 0;
    std::string command_line;
    std::vector<Segment> segments;
    Table kexec_map, boot_map, user_map;
    AddressRange initrd_at;
    Address kernel_at = 0;
};

AddressRange range_from(const std::string& text) {
    const auto dash = text.find('-');
    return AddressRange::from_bounds(std::stoull(text, nullptr, 16), std::stoull(text.substr(dash + 1), nullptr, 16))
        .value();
}

RealLoad read_load(const std::filesystem::path& dir) {
    RealLoad load;
    load.name = dir.filename();
    const auto machine = gather(Host(dir));
    EXPECT_TRUE(machine) << (machine ? "" : machine.error().message());
    if (machine) load.machine = *machine;
    load.machine.possible_cpus = 2;
    std::ifstream file(dir / "load");
    const std::map<std::string, std::uint64_t LoadInput::*> numbers = {
        {"init_size", &LoadInput::init_size},         {"kernel_alignment", &LoadInput::kernel_alignment},
        {"pref_address", &LoadInput::pref_address},   {"setup_bytes", &LoadInput::setup_bytes},
        {"payload_bytes", &LoadInput::payload_bytes}, {"initrd_bytes", &LoadInput::initrd_bytes}};
    const std::map<std::string, Table RealLoad::*> maps = {
        {"kexec-map", &RealLoad::kexec_map}, {"boot-map", &RealLoad::boot_map}, {"user-map", &RealLoad::user_map}};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string key, first, second;
        words >> key >> first >> second;
        if (numbers.contains(key)) load.in.*numbers.at(key) = std::stoull(first);
        if (maps.contains(key)) (load.*maps.at(key)).add(range_from(first), static_cast<Type>(std::stoul(second)));
        if (key == "loader") load.in.loader = loader_from(first).value();
        if (key == "uncompressed_bytes") load.uncompressed_bytes = std::stoull(first);
        if (key == "command_line") load.command_line = line.substr(key.size() + 1);
        if (key == "segment") load.segments.push_back({first, range_from(second)});
        if (key == "initrd-at") load.initrd_at = range_from(first);
        if (key == "kernel-at") load.kernel_at = std::stoull(first, nullptr, 16);
    }
    load.in.command_line_bytes =
        load.command_line.size() + sizeof " acpi_rsdp=0xf59a0 elfcorehdr=8371572K" - 1;  // in both
    load.in.setup_data = true;
    return load;
}

class RealLoads : public testing::TestWithParam<std::string> {
protected:
    RealLoad real = read_load(std::filesystem::path(FIXTURES_DIR) / "loads" / GetParam());
};

std::vector<std::string> all_loads() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(FIXTURES_DIR) / "loads"))
        if (entry.is_directory()) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

INSTANTIATE_TEST_SUITE_P(Lab, RealLoads, testing::ValuesIn(all_loads()), [](const auto& param_info) {
    std::string name = param_info.param;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
});

TEST_P(RealLoads, EverySegmentIsWhereItWasPredicted) {
    const auto load = predict_load(real.machine, real.in);
    ASSERT_TRUE(load) << load.error().message();
    for (const Segment& segment : real.segments) {
        const Segment* predicted = load->find(segment.name);
        ASSERT_TRUE(predicted) << segment.name;
        // Older kernels place these a page or two lower (see with_kernel() in lib/loader.cpp), which neither kernel
        // nor initrd notice here.
        if (real.in.loader == Loader::kexec_file_load &&
            (segment.name == "purgatory" || segment.name == "boot_params")) {
            EXPECT_EQ(predicted->range.start() - segment.range.start(),
                      (real.name.starts_with("bullseye") ? 2 : 1) * page_size);
            continue;
        }
        EXPECT_EQ(predicted->range, segment.range) << segment.name << ": predicted " << to_string(predicted->range);
    }
    if (real.segments.empty()) return;
    EXPECT_EQ(load->segments.size(), real.segments.size());
}

TEST_P(RealLoads, TheInitrdIsWhereTheCrashKernelFoundIt) {
    const auto load = predict_load(real.machine, real.in);
    ASSERT_TRUE(load) << load.error().message();
    EXPECT_EQ(load->find("initrd")->range, real.initrd_at) << "predicted " << to_string(load->find("initrd")->range);
}

// As far as RAM goes: what the kernel makes of a map does not depend on how RAM is cut in pieces.
void expect_same(const Table& predicted, const Table& real) {
    for (const Type type : {Type::ram, Type::acpi, Type::nvs, Type::reserved})
        EXPECT_EQ(predicted.of(type), real.of(type)) << log_label(type);
}

Table without_head(Table map, const AddressRange& head) {
    remove(map, head, Type::ram);
    return sanitised(map);
}

TEST_P(RealLoads, TheMemoryMapIsAsPredicted) {
    const auto load = predict_load(real.machine, real.in);
    ASSERT_TRUE(load);
    if (!real.kexec_map.entries.empty()) {
        expect_same(load->map, real.kexec_map);
    }
    // Since CONFIG_CRASH_HOTPLUG the kernel keeps room in elfcorehdr for 8192 CPUs and 8192 ranges of memory
    // (crash_get_elfcorehdr_size()), not in whole pages.
    const AddressRange head = range(real.machine.crash_kernel.back().start(), 64 + 16 * KiB * 56 + 112);
    expect_same(real.in.loader == Loader::kexec_file_load ? without_head(load->map, head) : load->map,
                real.in.loader == Loader::kexec_file_load ? without_head(real.boot_map, head) : real.boot_map);
}

TEST_P(RealLoads, TheWordsMakeOfItWhatTheCrashKernelMadeOfIt) {
    const auto line = CommandLine::parse(real.command_line);
    ASSERT_TRUE(line);
    const auto after = apply_memory_words(real.boot_map, *line);
    ASSERT_TRUE(after) << after.error().message();
    expect_same(*after, real.user_map);
}

TEST_P(RealLoads, KaslrPutTheKernelInOneOfThePlacesThatAreConsidered) {
    const auto load = predict_load(real.machine, real.in);
    ASSERT_TRUE(load);
    const std::uint64_t needed = (real.uncompressed_bytes + 2 * MiB - 1) / (2 * MiB) * 2 * MiB;
    const auto places = image_addresses(*load, real.in, needed, {});
    EXPECT_EQ(std::count(places.begin(), places.end(), real.kernel_at), 1) << std::hex << real.kernel_at;
    EXPECT_EQ(places.front(), load->find("kernel")->range.start());
}

// --- by the rules -------------------------------------------------------------------------------------------------

Machine machine_with(std::vector<AddressRange> crash_kernel) {
    Machine machine;
    machine.ram = RangeSet({range(0x1000, 0x9ec00), range(MiB, 0x7fed6000), range(4 * GiB, 8 * GiB)});
    machine.map.add(range(0, 0x1000), Type::reserved);
    machine.map.add(range(0x1000, 0x9ec00), Type::ram);
    machine.map.add(range(MiB, 0x7fed6000), Type::ram);
    machine.map.add(range(0x7ffd6000, 0x2a000), Type::reserved);
    machine.map.add(range(4 * GiB, 8 * GiB), Type::ram);
    machine.crash_kernel = std::move(crash_kernel);
    machine.possible_cpus = 2;
    return machine;
}

LoadInput input(Loader loader) {
    LoadInput in;
    in.loader = loader;
    in.init_size = 60 * MiB;
    in.payload_bytes = 8 * MiB;
    in.initrd_bytes = 20 * MiB;
    in.setup_data = true;
    return in;
}

class BothLoaders : public testing::TestWithParam<Loader> {};
INSTANTIATE_TEST_SUITE_P(Loader, BothLoaders, testing::Values(Loader::kexec_load, Loader::kexec_file_load),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

TEST_P(BothLoaders, KeepSegmentsApartAndInTheReservation) {
    for (const std::uint64_t c_bytes : {96 * MiB, 128 * MiB, 160 * MiB, 1 * GiB})
        for (const std::uint64_t initrd : {std::uint64_t{1}, 3 * MiB + 5, 20 * MiB, 30 * MiB}) {
            const AddressRange c = range(0x30000000, c_bytes);
            LoadInput in = input(GetParam());
            in.initrd_bytes = initrd;
            const auto load = predict_load(machine_with({c}), in);
            ASSERT_TRUE(load) << load.error().message();
            for (std::size_t i = 0; i < load->segments.size(); ++i) {
                EXPECT_TRUE(c.contains(load->segments[i].range)) << load->segments[i].name;
                EXPECT_EQ(load->segments[i].range.start() % page_size, 0u);
                for (std::size_t j = 0; j < i; ++j)
                    EXPECT_FALSE(load->segments[i].range.overlaps(load->segments[j].range));
            }
            EXPECT_EQ(load->find("kernel")->range.start() % in.kernel_alignment, 0u);
        }
}

TEST_P(BothLoaders, UseTheHighestReservation) {
    const AddressRange low = range(0x30000000, 256 * MiB), high = range(6 * GiB, 256 * MiB);
    const auto load = predict_load(machine_with({low, high}), input(GetParam()));
    ASSERT_TRUE(load);
    for (const Segment& segment : load->segments) EXPECT_TRUE(high.contains(segment.range)) << segment.name;
    // The low part is RAM of the crash kernel all the same.
    EXPECT_TRUE(load->map.of(Type::ram).contains(low));
}

TEST_P(BothLoaders, FailWhereSomethingDoesNotFit) {
    EXPECT_FALSE(predict_load(machine_with({range(0x30000000, 64 * MiB)}), input(GetParam())));
    LoadInput large = input(GetParam());
    large.initrd_bytes = 200 * MiB;
    const auto load = predict_load(machine_with({range(0x30000000, 160 * MiB)}), large);
    ASSERT_FALSE(load);
    EXPECT_NE(load.error().what.find("initrd"), std::string::npos) << load.error().what;
    EXPECT_FALSE(predict_load(machine_with({}), input(GetParam())));
}

TEST_P(BothLoaders, SayWhatDoesNotFitFirst) {
    Machine small = machine_with({range(0x30000000, 4 * KiB)});
    small.possible_cpus = 200;  // headers of more than a page
    const auto load = predict_load(small, input(GetParam()));
    ASSERT_FALSE(load);
    const char* first = GetParam() == Loader::kexec_load ? "backup" : "elfcorehdr";
    EXPECT_NE(load.error().what.find(first), std::string::npos) << load.error().what;
}

TEST_P(BothLoaders, AddWordsOfTheirOwn) {
    const auto load = predict_load(machine_with({range(0x30000000, 160 * MiB)}), input(GetParam()));
    ASSERT_TRUE(load);
    // The kernel demands room for " elfcorehdr=0x" and 16 digits, whatever it writes (MAX_ELFCOREHDR_STR_LEN).
    EXPECT_EQ(load->added_words, GetParam() == Loader::kexec_load ? 54u : 30u);
}

// Rounded up to whole pages, or added to another size, they would be next to nothing.
TEST_P(BothLoaders, FailForSizesThatWouldWrap) {
    for (const AddressRange& c : {range(0x30000000, 160 * MiB), range(0, ~Address{0})})
        for (const std::uint64_t below : {0u, 1u, 64u, 4095u, 4096u, 8192u})
            for (const auto field :
                 {&LoadInput::init_size, &LoadInput::initrd_bytes, &LoadInput::command_line_bytes, &LoadInput::slack}) {
                LoadInput in = input(GetParam());
                in.*field = ~std::uint64_t{0} - below;
                EXPECT_FALSE(predict_load(machine_with({c}), in)) << to_string(c) << ", 2^64 - " << below + 1;
            }
    // Only kexec-tools passes the setup sectors on.
    LoadInput in = input(GetParam());
    in.setup_bytes = ~std::uint64_t{0} - 63;
    EXPECT_EQ(predict_load(machine_with({range(0x30000000, 160 * MiB)}), in).has_value(),
              GetParam() == Loader::kexec_file_load);
}

TEST_P(BothLoaders, GiveTheCrashKernelNoRamOutsideOfTheReservationButTheFirstMiB) {
    const AddressRange c = range(0x30000000, 160 * MiB);
    const auto load = predict_load(machine_with({c}), input(GetParam()));
    ASSERT_TRUE(load);
    const RangeSet ram = load->map.of(Type::ram);
    for (const AddressRange& r : ram.ranges()) EXPECT_TRUE(r.end() <= MiB || c.contains(r)) << to_string(r);
    EXPECT_FALSE(ram.contains(c)) << "elfcorehdr is taken out";
}

TEST_P(BothLoaders, SlackMovesSegmentsDownOnly) {
    const Machine machine = machine_with({range(0x30000000, 160 * MiB)});
    LoadInput in = input(GetParam());
    const auto exact = predict_load(machine, in);
    in.slack = 64 * KiB;
    const auto loose = predict_load(machine, in);
    ASSERT_TRUE(exact && loose);
    for (const char* name : {"kernel", "initrd"})
        EXPECT_LE(loose->find(name)->range.start(), exact->find(name)->range.start());
}

TEST(KexecLoad, SetupDataIsTheFirstPageOfTheReservationWhereThereIsSome) {
    const AddressRange c = range(0x30000000, 160 * MiB);
    Machine machine = machine_with({c});
    LoadInput in = input(Loader::kexec_load);
    EXPECT_EQ(predict_load(machine, in)->find("setup_data")->range, range(c.start(), page_size));
    in.setup_data = false;
    EXPECT_EQ(predict_load(machine, in)->find("setup_data"), nullptr);
    in.setup_data = true;
    machine.efi = machine.efi_runtime_map = true;
    EXPECT_EQ(predict_load(machine, in)->find("setup_data")->range.start(), c.start());
    EXPECT_GT(predict_load(machine, in)->find("setup_data")->range.size(), page_size);
}

TEST(KexecFileLoad, ElfcorehdrIsAtTheVeryStartOfTheReservation) {
    const AddressRange c = range(0x30000000, 160 * MiB);
    const auto load = predict_load(machine_with({c}), input(Loader::kexec_file_load));
    EXPECT_EQ(load->find("elfcorehdr")->range.start(), c.start());
    EXPECT_FALSE(load->map.of(Type::ram).overlaps(range(c.start(), 1)));
}

// --- where the kernel can be --------------------------------------------------------------------------------------

struct Places : testing::Test {
    const AddressRange c = range(0x30000000, 160 * MiB);
    LoadInput in = input(Loader::kexec_load);
    Load load = *predict_load(machine_with({c}), in);
    const AddressRange kernel = load.find("kernel")->range;

    std::vector<Address> places(bool kaslr, const std::vector<AddressRange>& avoid = {}) const {
        return image_addresses(load, in, 60 * MiB, {kaslr, avoid});
    }
    bool has(Address a) const {
        const auto all = places(true);
        return std::count(all.begin(), all.end(), a) != 0;
    }
};

TEST_F(Places, AreAlsoWhereSetupDataMayBeAndMayNotBe) {
    const Address first = c.start() + (512 * MiB > c.start() ? 512 * MiB - c.start() : 0);
    ASSERT_TRUE(load.find("setup_data"));
    in.setup_data = true;
    EXPECT_FALSE(has(load.find("setup_data")->range.start() / in.kernel_alignment * in.kernel_alignment));
    in.setup_data.reset();
    EXPECT_TRUE(has(first)) << "without it the kernel may take that place";
}

TEST_F(Places, WithoutKaslrTheLoadersChoice) { EXPECT_EQ(places(false), std::vector{kernel.start()}); }

TEST_F(Places, EachIsAlignedAndDifferentAndHasRoom) {
    auto all = places(true);
    for (const Address a : all) {
        EXPECT_EQ(a % in.kernel_alignment, 0u);
        EXPECT_TRUE(load.map.of(Type::ram).contains(range(a, 60 * MiB))) << std::hex << a;
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST_F(Places, TheDecompressorAvoidsOnlyTheEndOfItsOwnMemory) {
    // Seen on 5.10: loaded at 0x7b200000, 59 MiB; ran at 0x7aa00000.
    in.initrd_bytes = 0;
    load = *predict_load(machine_with({c}), in);
    const Address start = load.find("kernel")->range.start();  // 60 MiB, of which the last 8 are in use
    EXPECT_TRUE(has(start - 8 * MiB));
    EXPECT_FALSE(has(start - 6 * MiB));
}

TEST_F(Places, NoneOverTheInitrdOrSetupData) {
    const AddressRange initrd = load.find("initrd")->range;
    for (const Address a : places(true)) {
        EXPECT_FALSE(range(a, 60 * MiB).overlaps(initrd));
        EXPECT_NE(a, c.start());
    }
}

TEST_F(Places, NoneOverWhatMemmapReserves) {
    const AddressRange fence = range(kernel.start() - 10 * MiB, page_size);
    for (const Address a : places(true, {fence}))
        EXPECT_TRUE(a == kernel.start() || !range(a, 60 * MiB).overlaps(fence));
}

TEST_F(Places, NotBelow512MiBUnlessTheLoaderWentThere) {
    Machine machine = machine_with({range(256 * MiB, 128 * MiB), range(768 * MiB, 160 * MiB)});
    load = *predict_load(machine, in);
    for (const Address a : places(true)) EXPECT_GE(a, 512 * MiB);

    machine = machine_with({range(256 * MiB, 512 * MiB)});
    load = *predict_load(machine, in);
    EXPECT_TRUE(has(512 * MiB));
    const Address lowest = std::min(512 * MiB, load.find("kernel")->range.start());
    for (const Address a : places(true)) EXPECT_GE(a, lowest);
}

TEST_F(Places, AnImageOfUnknownPayloadCanBeEvenOverItsOwnMemory) {
    in.payload_bytes = in.initrd_bytes = 0;
    load = *predict_load(machine_with({c}), in);
    EXPECT_TRUE(has(kernel.start() + 2 * MiB) ||
                !load.map.of(Type::ram).contains(range(kernel.start() + 2 * MiB, 60 * MiB)));
    EXPECT_TRUE(has(kernel.start() - 2 * MiB));
}

/// As that machine loads its crash kernel.
PlanRequest debian_request() {
    PlanRequest request;
    request.loader = Loader::kexec_load;
    request.image = Image{
        .init_size = 66678784, .payload_bytes = 8098996, .uncompressed_bytes = 65905060, .release = "6.1.0-50-amd64"};
    request.initrd_bytes = 1595106;
    request.command_line = "console=ttyS0 reset_devices nr_cpus=1 irqpoll panic=1";
    return request;
}

// A pool that touches the reservation is kept from sliding up by kexec-tools' random seed there, which may be missing.
// kexec --hotplug keeps as much for the ELF headers as /sys/kernel/crash_elfcorehdr_size says.
TEST(Plan, HoldsForKexecHotplugToo) {
    const auto largest_headers = [](const Machine& machine, const PlanRequest& request) {
        std::uint64_t largest = 0;
        for (const Load& load : plan(machine, request).loads)
            largest = std::max(largest, load.find("elfcorehdr")->range.size());
        return largest;
    };
    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    request.loader = Loader::kexec_load;
    machine.neighbours.crash_elf_headers = 896 * KiB;
    EXPECT_LT(largest_headers(machine, request), 64 * KiB) << "the kernel does not offer it";
    machine.neighbours.memory_crash_hotplug = true;
    EXPECT_EQ(largest_headers(machine, request), 896 * KiB);
    EXPECT_EQ(plan(machine, request).verdict, Verdict::ready);
    machine.neighbours.crash_elf_headers.reset();
    EXPECT_GT(largest_headers(machine, request), 896 * KiB) << "as many as there can be";
    request.leaves_pool_out = true;
    EXPECT_LT(largest_headers(machine, request), 64 * KiB) << "'swiotlb-handoff kexec' loads, which takes no --hotplug";
    request.leaves_pool_out = false;
    request.loader = Loader::kexec_file_load;
    EXPECT_LT(largest_headers(machine, request), 64 * KiB) << "the kernel makes them";
}

TEST(Plan, ASeedThatMayBeMissingKeepsNoWholePoolInItsPlace) {
    auto machine = gather(Host(std::filesystem::path(FIXTURES_DIR) / "machines/debian-6.1-kexec-load"));
    ASSERT_TRUE(machine);
    PlanRequest request = debian_request();
    const auto verdict = [&](std::optional<bool> random_ready, const char* kexec_tools) {
        machine->random_ready = random_ready;
        machine->kexec_tools = kexec_tools;
        const Plan plan = handoff::plan(*machine, request);
        return plan.part ? Verdict::refused : plan.verdict;  // of the whole pool; a part has the rest above it
    };
    EXPECT_EQ(verdict(true, "2.0.25"), Verdict::ready);
    EXPECT_EQ(verdict(std::nullopt, "2.0.25"), Verdict::ready) << "a captured machine has long been up";
    EXPECT_EQ(verdict(false, "2.0.25"), Verdict::refused);
    EXPECT_EQ(verdict(false, "2.0.32"), Verdict::refused);
    request.loader = Loader::automatic;
    EXPECT_EQ(verdict(false, "2.0.25"), Verdict::refused);
    request.loader = Loader::kexec_file_load;
    EXPECT_EQ(verdict(false, "2.0.25"), Verdict::ready) << "the kernel puts elfcorehdr there";
}

// Where kexec-tools surely passes none, a fence may be in the reservation's first page, and is.
TEST(Plan, WithoutSetupDataAFenceIsTheBarrier) {
    auto machine = gather(Host(std::filesystem::path(FIXTURES_DIR) / "machines/debian-6.1-kexec-load"));
    ASSERT_TRUE(machine);
    machine->kexec_tools = "2.0.22";
    PlanRequest request = debian_request();
    const auto barrier = [&] {
        const Plan p = plan(*machine, request);
        EXPECT_EQ(p.verdict, Verdict::ready);
        return std::any_of(p.fences.begin(), p.fences.end(),
                           [&](const AddressRange& f) { return f.start() == p.pool->end(); });
    };
    EXPECT_TRUE(barrier());
    machine->efi = true;
    EXPECT_TRUE(barrier()) << "efi=noruntime: no runtime map, so kexec passes nothing of EFI";
    machine->efi_runtime_map = true;
    EXPECT_FALSE(barrier());
}

TEST(LoaderNames, ComeBack) {
    for (const Loader loader : {Loader::automatic, Loader::kexec_load, Loader::kexec_file_load})
        EXPECT_EQ(loader_from(name(loader)), loader);
    EXPECT_EQ(loader_from("kexec"), std::nullopt);
    EXPECT_EQ(loader_from(""), std::nullopt);
}

}  // namespace
}  // namespace handoff
