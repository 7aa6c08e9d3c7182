// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a pool was ever used, by what use leaves behind in the kernel's memory.
#include "lib/sources/pool_traces.hpp"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::MiB;
using base::page_size;
using Bytes = std::vector<std::byte>;

constexpr AddressRange pool = *AddressRange::from_bounds(0x6c000000, 0x6c000000 + 2 * MiB);
constexpr std::uint64_t slabs = pool.size() / 2048;
constexpr Address variables = 0xffffffff82000000, areas_at = 0xffff888003c00000, mem_at = 0xffff888004c00000;

std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Memory in which numbers are put at their places.
Bytes memory_with(std::size_t size, std::initializer_list<std::pair<std::size_t, std::uint64_t>> words) {
    Bytes bytes(size);
    for (const auto& [offset, value] : words) std::memcpy(bytes.data() + offset, &value, sizeof value);
    return bytes;
}

/// The types of a kernel, as far as they matter here.
class Types {
public:
    Types() : types_(btf__new_empty(), btf__free) {
        word = btf__add_int(types(), "long unsigned int", 8, 0);
        narrow = btf__add_int(types(), "unsigned int", 4, 0);
        const int slot = btf__add_struct(types(), "io_tlb_slot", 24);
        slots = btf__add_ptr(types(), slot);
        own_slots = btf__add_array(types(), word, slot, 0);
        const int area = structure("io_tlb_area", 24, {{"used", 0, word}, {"index", 8, narrow}});
        areas = btf__add_ptr(types(), area);
    }
    struct Member {
        const char* name;
        std::uint32_t offset;
        int type;
    };
    int structure(const char* name, std::uint32_t size, const std::vector<Member>& members) {
        const int number = btf__add_struct(types(), name, size);
        for (const Member& m : members) btf__add_field(types(), m.name, m.type, m.offset * 8, 0);
        return number;
    }
    [[nodiscard]] std::string bytes() const {
        std::uint32_t size = 0;
        const auto* raw = static_cast<const char*>(btf__raw_data(types_.get(), &size));
        return {raw, size};
    }
    int word = 0, narrow = 0, slots = 0, own_slots = 0, areas = 0;

private:
    btf* types() { return types_.get(); }
    std::unique_ptr<btf, void (*)(btf*)> types_;
};

/// A kernel: its symbols, its types, and its memory with this index and this many slabs in use.
struct Kernel {
    const char* name;
    std::string symbols;
    std::string btf;
    std::vector<MemoryPiece> (*memory)(std::uint64_t index, std::uint64_t used);
};

std::ostream& operator<<(std::ostream& out, const Kernel& kernel) { return out << kernel.name; }

const std::string default_mem = "ffffffff82000000 b io_tlb_default_mem\n";

Kernel linux_5_10() {
    return {"5.10: variables of their own",
            "ffffffff82000000 b io_tlb_start\nffffffff82000008 b io_tlb_end\nffffffff82000010 b io_tlb_nslabs\n"
            "ffffffff82000018 b io_tlb_used\nffffffff82000020 b io_tlb_index\n",
            "", [](std::uint64_t index, std::uint64_t used) {
                return std::vector<MemoryPiece>{
                    {variables,
                     memory_with(64, {{0, pool.start()}, {8, pool.end()}, {16, slabs}, {24, used}, {32, index}})}};
            }};
}

Kernel linux_5_13() {
    Types t;
    t.structure("io_tlb_mem", 56,
                {{"start", 0, t.word},
                 {"end", 8, t.word},
                 {"nslabs", 16, t.word},
                 {"used", 24, t.word},
                 {"index", 32, t.narrow},
                 {"slots", 56, t.own_slots}});
    return {
        "5.13: a pointer to a structure", default_mem, t.bytes(), [](std::uint64_t index, std::uint64_t used) {
            return std::vector<MemoryPiece>{
                {variables, memory_with(8, {{0, mem_at}})},
                {mem_at, memory_with(56, {{0, pool.start()}, {8, pool.end()}, {16, slabs}, {24, used}, {32, index}})}};
        }};
}

Kernel linux_5_15() {
    Types t;
    t.structure("io_tlb_mem", 64,
                {{"start", 0, t.word},
                 {"end", 8, t.word},
                 {"nslabs", 16, t.word},
                 {"used", 24, t.word},
                 {"index", 32, t.narrow},
                 {"slots", 56, t.slots}});
    return {"5.15: a structure", default_mem, t.bytes(), [](std::uint64_t index, std::uint64_t used) {
                return std::vector<MemoryPiece>{
                    {variables,
                     memory_with(64, {{0, pool.start()}, {8, pool.end()}, {16, slabs}, {24, used}, {32, index}})}};
            }};
}

// Two areas; what is asked for is in the second.
MemoryPiece two_areas(std::uint64_t index, std::uint64_t used) {
    return {areas_at, memory_with(48, {{24, used}, {32, index}})};
}

Kernel linux_6_1() {
    Types t;
    t.structure("io_tlb_mem", 80,
                {{"start", 0, t.word},
                 {"end", 8, t.word},
                 {"nslabs", 24, t.word},
                 {"used", 32, t.word},
                 {"nareas", 52, t.narrow},
                 {"areas", 64, t.areas},
                 {"slots", 72, t.slots}});
    return {"6.1: areas", default_mem, t.bytes(), [](std::uint64_t index, std::uint64_t used) {
                constexpr std::uint64_t two = std::uint64_t{2} << 32;  // at 52
                return std::vector<MemoryPiece>{
                    {variables,
                     memory_with(80, {{0, pool.start()}, {8, pool.end()}, {24, slabs}, {48, two}, {64, areas_at}})},
                    two_areas(index, used)};
            }};
}

Kernel linux_6_12() {
    Types t;
    const int embedded = t.structure("io_tlb_pool", 80,
                                     {{"start", 0, t.word},
                                      {"end", 8, t.word},
                                      {"nslabs", 24, t.word},
                                      {"nareas", 36, t.narrow},
                                      {"areas", 48, t.areas},
                                      {"slots", 56, t.slots}});
    t.structure("io_tlb_mem", 128, {{"nslabs", 0, t.word}, {"defpool", 16, embedded}});
    return {"6.12: areas of an embedded pool", default_mem, t.bytes(), [](std::uint64_t index, std::uint64_t used) {
                constexpr std::uint64_t two = std::uint64_t{2} << 32;  // at 16 + 36
                return std::vector<MemoryPiece>{
                    {variables,
                     memory_with(128, {{16, pool.start()}, {24, pool.end()}, {40, slabs}, {48, two}, {64, areas_at}})},
                    two_areas(index, used)};
            }};
}

/// A machine with that kernel, whose pool is blank and may be read.
class Machines {
public:
    explicit Machines(const Kernel& kernel, std::uint64_t index = 0, std::uint64_t used = 0)
        : pieces_(kernel.memory(index, used)) {
        tree.write("proc/kallsyms", "ffffffff81000000 T _text\n" + kernel.symbols);
        if (!kernel.btf.empty()) tree.write("sys/kernel/btf/vmlinux", kernel.btf);
        tree.write("proc/meminfo", "MemTotal:  6000000 kB\nHardwareCorrupted:     0 kB\nAnonHugePages:  0 kB\n");
        write_flags([](std::vector<std::uint64_t>&) {});
        write_pool(Bytes(pool.size()));
    }
    void write_pool(const Bytes& content) const {
        std::vector<MemoryPiece> pieces = pieces_;
        pieces.push_back({0xffff88806c000000, content, pool.start()});
        tree.write("proc/kcore", text_of(minimal_core(pieces)));
    }
    /// `change`: of the pool's pages, which are reserved; what lies below is another's.
    void write_flags(const std::function<void(std::vector<std::uint64_t>&)>& change) const {
        constexpr std::uint64_t reserved = std::uint64_t{1} << 32;
        std::vector<std::uint64_t> flags(pool.size() / page_size, reserved);
        change(flags);
        const std::string bytes(reinterpret_cast<const char*>(flags.data()), flags.size() * sizeof flags[0]);
        tree.write("proc/kpageflags", "");
        std::filesystem::resize_file(tree / "proc/kpageflags", pool.start() / page_size * sizeof flags[0]);
        std::ofstream(tree / "proc/kpageflags", std::ios::binary | std::ios::app) << bytes;
    }
    [[nodiscard]] Result<PoolTraces> traces() const { return read_pool_traces(Host(tree.path())); }
    [[nodiscard]] std::string problem() const {
        const auto found = traces();
        return found ? "none" : found.error().message();
    }
    TempTree tree;

private:
    std::vector<MemoryPiece> pieces_;
};

class EachKernel : public testing::TestWithParam<Kernel> {};
INSTANTIATE_TEST_SUITE_P(PoolTraces, EachKernel,
                         testing::Values(linux_5_10(), linux_5_13(), linux_5_15(), linux_6_1(), linux_6_12()));

TEST_P(EachKernel, ShowsThatItsPoolWasNeverUsed) {
    const auto traces = Machines(GetParam()).traces();
    ASSERT_TRUE(traces) << traces.error().message();
    const std::uint64_t areas = std::string(GetParam().name).starts_with("6") ? 2 : 1;
    EXPECT_EQ(*traces, (PoolTraces{pool, areas, 0, 0, pool.size(), std::nullopt}));
}

TEST_P(EachKernel, ShowsThatSomethingWasAllocatedAndThenThePoolIsNotRead) {
    const Machines machine(GetParam(), 4);
    std::filesystem::remove(machine.tree / "proc/kpageflags");
    const auto traces = machine.traces();
    ASSERT_TRUE(traces) << traces.error().message();
    EXPECT_EQ(traces->moved_areas, 1u);
    EXPECT_EQ(traces->blank_bytes, 0u);
}

TEST_P(EachKernel, ShowsWhatIsInUseWhereTheIndexHasComeRound) {
    EXPECT_EQ(Machines(GetParam(), 0, 3).traces()->slabs_used, 3u);
}

TEST(PoolTraces, TheFirstByteThatIsNotZeroEndsTheReading) {
    const Machines machine(linux_6_12());
    for (const std::size_t at :
         {std::size_t{0}, std::size_t{1}, std::size_t{MiB} - 1, std::size_t{MiB}, std::size_t{pool.size()} - 1}) {
        SCOPED_TRACE(at);
        Bytes content(pool.size());
        content[at] = std::byte{1};
        machine.write_pool(content);
        const auto traces = machine.traces();
        ASSERT_TRUE(traces) << traces.error().message();
        EXPECT_EQ(traces->first_written, pool.start() + at);
        EXPECT_EQ(traces->blank_bytes, at);
    }
}

TEST(PoolTraces, NoPoolIsReadWithPagesThatReadAsZeroWhateverIsInThem) {
    struct Row {
        unsigned bit;
        const char* what;
    };
    const Machines machine(linux_6_12());
    for (const auto& [bit, what] :
         {Row{10, "free"}, Row{19, "poisoned by a memory error"}, Row{20, "not there"}, Row{23, "offline"}}) {
        machine.write_flags([bit = bit](auto& flags) { flags.back() |= std::uint64_t{1} << bit; });
        EXPECT_EQ(machine.problem(),
                  fmt::format("proc/kpageflags: the pool's page at {:#x} is {}", pool.end() - page_size, what));
    }
    machine.write_flags([](auto& flags) { flags.front() = 0; });
    EXPECT_EQ(
        machine.problem(),
        "proc/kpageflags: the pool's page at 0x6c000000 is not reserved: the kernel may have given the pool back");
    machine.write_flags([](auto& flags) { flags.pop_back(); });
    EXPECT_EQ(machine.problem(), "proc/kpageflags: expected a number for each of 512 pages of the pool");
    std::filesystem::remove(machine.tree / "proc/kpageflags");
    EXPECT_EQ(machine.problem(), "proc/kpageflags: No such file or directory");
}

TEST(PoolTraces, NoPoolIsReadOfAMachineWhoseMemoryIsBroken) {
    const Machines machine(linux_6_12());
    machine.tree.write("proc/meminfo", "HardwareCorrupted:     4 kB\n");
    EXPECT_EQ(machine.problem(), "proc/meminfo: 4 KiB of memory are broken (HardwareCorrupted)");
    machine.tree.write("proc/meminfo", "MemTotal: 6000000 kB\n");
    EXPECT_EQ(machine.problem(),
              "proc/meminfo: expected HardwareCorrupted, found none: whether memory is broken is not known");
}

TEST(PoolTraces, ReadingThatTakesTooLongShowsNothing) {
    const Machines machine(linux_6_12());
    const auto traces = read_pool_traces(Host(machine.tree.path()), std::chrono::milliseconds(0));
    ASSERT_FALSE(traces);
    EXPECT_EQ(traces.error().message(), "proc/kcore: it took too long to read the pool: 0 of 2 MiB were read");
}

TEST(PoolTraces, TypesThatDoNotShowTheIndexShowNothing) {
    const Machines machine(linux_6_12());
    Types t;
    const int embedded = t.structure("io_tlb_pool", 80,
                                     {{"start", 0, t.word},
                                      {"end", 8, t.word},
                                      {"nslabs", 24, t.word},
                                      {"nareas", 36, t.word},
                                      {"areas", 48, t.areas},
                                      {"slots", 56, t.slots}});
    t.structure("io_tlb_mem", 128, {{"nslabs", 0, t.word}, {"defpool", 16, embedded}});
    machine.tree.write("sys/kernel/btf/vmlinux", t.bytes());
    EXPECT_EQ(machine.problem(), "proc/kcore: BTF does not show the search index of struct io_tlb_mem or io_tlb_area");
}

TEST(PoolTraces, ACaptureKeepsThemAsText) {
    for (const PoolTraces& traces : {PoolTraces{pool, 4, 0, 0, pool.size(), std::nullopt},
                                     PoolTraces{pool, 4, 2, 17, 4096, pool.start() + 4096}}) {
        const auto read = parse_pool_traces(to_text(traces));
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(*read, traces);
    }
    const std::string sound = to_text({pool, 4, 0, 0, pool.size(), std::nullopt});
    for (const std::string& wrong : {std::string(), sound.substr(sound.find('\n') + 1), sound + "more: 1\n",
                                     sound + "areas\n", sound + "areas: many\n", "pool: 2-1\n" + sound})
        EXPECT_FALSE(parse_pool_traces(wrong)) << wrong;
}

TEST(PoolTraces, OfACapturedMachineAreWhatTheCaptureHas) {
    const TempTree tree;
    tree.write("proc/iomem", "00100000-7fffffff : System RAM\n");
    EXPECT_EQ(gather(Host(tree.path()))->pool_traces, std::nullopt);
    const PoolTraces traces{pool, 4, 0, 0, pool.size(), std::nullopt};
    tree.write("swiotlb-handoff/pool-traces", to_text(traces));
    EXPECT_EQ(gather(Host(tree.path()))->pool_traces, traces);
    tree.write("swiotlb-handoff/pool-traces", "not-read: proc/kcore: Operation not permitted\n");
    const auto machine = gather(Host(tree.path()));
    EXPECT_EQ(machine->pool_traces, std::nullopt);
    EXPECT_EQ(machine->pool_traces_problem->message(), "proc/kcore: Operation not permitted");
}

}  // namespace
}  // namespace handoff
