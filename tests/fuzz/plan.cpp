// SPDX-License-Identifier: GPL-2.0-or-later
// Machines and requests out of a fuzzer's bytes, planned. What is called ready must
// be what it says, by checks that do not ask the plan's own code where they can.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "e820/memmap.hpp"
#include "lib/decide/advice.hpp"
#include "lib/decide/need.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/kernel/placement.hpp"
#include "lib/load/load_report.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/table.hpp"
#include "tests/fuzz/choices.hpp"
#include "tests/fuzz/parsers.hpp"
#include "tests/kernel_reference.hpp"
#include "tests/memblock_reference.hpp"

namespace fuzz {
namespace {

using namespace handoff;
using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Type;

/// Machines as they are, or, when `hostile`, with any number anywhere.
class Maker {
public:
    Maker(Input in, bool hostile) : choose_(in), hostile_(hostile) {}

    Machine machine() {
        Machine m;
        constexpr const char* releases[] = {
            "6.1.0-50-amd64", "5.10.0-30-amd64", "6.12.1", "7.2.0", "", "x.y", "6", "99999999999999999999.1"};
        m.release = choose_.pick(releases);
        m.command_line = words();
        m.live = choose_.yes();
        layout(m);
        if (choose_.rarely(3)) show_in_iomem(m);
        m.pool_torn_down = choose_.rarely(16);
        m.no_pool_in_memory = choose_.rarely(16);
        if (choose_.yes()) m.slabs = choose_.rarely(12) ? any() : pool_.size() / 2048;
        if (choose_.yes()) m.slabs_used = choose_.number(0, 3);
        m.encryption = choose_.rarely(10) ? static_cast<Encryption>(choose_.number(0, 6)) : Encryption::none;
        m.efi = choose_.yes();
        m.xen = choose_.rarely(16);
        if (choose_.yes()) m.lockdown = choose_.yes();
        if (!choose_.rarely(4)) m.memory_nodes = static_cast<unsigned>(choose_.number(1, 3));
        if (choose_.yes())
            m.possible_cpus = static_cast<unsigned>(choose_.rarely(6) ? choose_.number(0, ~0u) : choose_.number(1, 64));
        if (choose_.rarely(4)) m.srat_memory_end = choose_.number(0, 64) * GiB;
        constexpr const char* versions[] = {"2.0.25", "2.0.20", "2.0.32"};
        if (choose_.yes()) m.kexec_tools = choose_.pick(versions);
        if (choose_.rarely(8)) m.unread.push_back(base::input_error(3, "expected something else"));
        return m;
    }

    PlanRequest request() {
        PlanRequest r;
        constexpr Loader loaders[] = {Loader::kexec_load, Loader::kexec_file_load, Loader::automatic};
        r.loader = choose_.pick(loaders);
        constexpr Method methods[] = {Method::automatic, Method::addr, Method::e820};
        r.method = choose_.rarely(6) ? choose_.pick(methods) : Method::ram;
        if (!choose_.rarely(6)) r.image = image();
        if (!choose_.rarely(6)) r.initrd_bytes = choose_.rarely(8) ? any() : choose_.number(0, 4096) * 16 * KiB;
        if (!choose_.rarely(6)) r.command_line = words();
        if (choose_.rarely(6)) r.pool = choose_.yes() ? pool_ : range(any(), any());
        if (choose_.rarely(4)) r.accept = {"encryption-unproven", "encryption-known"};
        return r;
    }

    /// What else there is on the machine, and whether the pool is to be lent. After the rest, so that what an input
    /// stood for it still stands for.
    void company(Machine& m, PlanRequest& r) {
        if (choose_.yes()) devices(m);
        if (choose_.rarely(3)) neighbours(m);
        if (!choose_.rarely(4)) {
            m.config.emplace();
            r.config.emplace();
        }
        if (choose_.rarely(2)) loan(m, r);
    }

private:
    std::uint64_t any() {
        return choose_.yes() ? ~std::uint64_t{0} - choose_.number(0, 255) : choose_.number(0, ~std::uint64_t{0});
    }
    /// A number of the usual size, or a hostile one.
    std::uint64_t size(std::uint64_t usual) { return hostile_ && choose_.rarely(8) ? any() : usual; }

    /// What there is of it in 64 bits.
    static AddressRange range(Address start, std::uint64_t bytes) {
        return *AddressRange::from_size(start, std::min(bytes, ~Address{0} - start));
    }

    void layout(Machine& m) {
        constexpr std::uint64_t pools[] = {64 * MiB, 32 * MiB, 128 * MiB, 16 * MiB, MiB, 48 * MiB, 61 * MiB + 256 * KiB,
                                           1 * GiB};
        const std::uint64_t bytes = size(choose_.pick(pools));
        const std::uint64_t c =
            size(choose_.number(1, 40) * 16 * MiB + (choose_.rarely(8) ? choose_.number(0, 4096) * page_size : 0));
        const Address top = size(0x40000000 + choose_.number(0, 0x30000) * page_size);
        const auto gap = [&] { return choose_.yes() ? 0 : choose_.number(1, 255) * (choose_.yes() ? page_size : MiB); };
        AddressRange low_c;
        switch (choose_.number(0, 5)) {
            case 0:
            case 1:  // the reservation above the pool
                pool_ = range(top, bytes);
                m.crash_kernel = {range(pool_.end() + gap(), c)};
                break;
            case 2:  // below
                m.crash_kernel = {range(top, c)};
                pool_ = range(m.crash_kernel[0].end() + gap(), bytes);
                break;
            case 3:  // above 4 GiB
            case 4:  // and a low part
                pool_ = range(top, bytes);
                low_c = range(pool_.end() + gap(), choose_.number(1, 20) * 16 * MiB);
                if (choose_.yes()) m.crash_kernel.push_back(low_c);
                m.crash_kernel.push_back(range(4 * GiB + size(choose_.number(0, 64) * GiB / 4), c));
                break;
            default:  // none, or anywhere
                pool_ = range(top, bytes);
                if (hostile_ || choose_.yes())
                    m.crash_kernel = {range(any() >> choose_.number(0, 40), any() >> choose_.number(0, 40))};
                if (choose_.yes()) m.crash_kernel.clear();
        }
        std::erase_if(m.crash_kernel, [](const AddressRange& r) { return r.empty(); });
        std::sort(m.crash_kernel.begin(), m.crash_kernel.end());
        if (!pool_.empty() && !choose_.rarely(12)) m.pool.push_back({pool_, PoolSource::log, {"dmesg", 1}});
        if (choose_.rarely(12)) m.pool.push_back({range(any() >> 33, 64 * MiB), PoolSource::memory, {"proc/kcore", 0}});

        // The machine's own RAM: all that, and around it.
        m.map.add(range(0x1000, 0x9ec00), Type::ram);
        m.map.add(range(MiB, choose_.rarely(6) ? top : 0xb0000000 - MiB), Type::ram);
        m.map.add(range(4 * GiB, choose_.number(0, 64) * GiB), Type::ram);
        for (std::uint64_t n = choose_.number(0, 4); n-- != 0;) {
            constexpr Type types[] = {Type::reserved, Type::acpi, Type::nvs, Type::pmem, Type::ram};
            m.map.add(range(choose_.yes() ? top + choose_.number(0, 0x20000) * page_size
                                          : size(choose_.number(0, 0xfffff) << 12),
                            choose_.number(0, 64) * page_size),
                      choose_.pick(types));
        }
        m.map = sanitised(m.map);
        m.ram = m.map.of(Type::ram);
        if (choose_.rarely(3)) m.kernel_image = range(choose_.number(1, 64) * 16 * MiB, choose_.number(20, 60) * MiB);
    }

    void show_in_iomem(Machine& m) {
        constexpr const char* names[] = {"Reserved", "ACPI Tables",     "ACPI Non-volatile Storage",
                                         "reserved", "PCI Bus 0000:00", "Persistent Memory"};
        for (const e820::Entry& entry : m.map.entries)
            m.iomem.push_back(
                {entry.range, 0, entry.type == Type::ram ? "System RAM" : choose_.pick(names), m.iomem.size() + 1});
        for (std::uint64_t n = choose_.number(0, 3); n-- != 0;)
            m.iomem.push_back({range(choose_.number(0, 0xfffff) << 12, choose_.number(0, 255) << 12), 1,
                               choose_.pick(names), m.iomem.size() + 1});
        for (const AddressRange& c : m.crash_kernel) m.iomem.push_back({c, 1, "Crash kernel", m.iomem.size() + 1});
    }

    Image image() {
        Image i;
        i.init_size = choose_.rarely(8) ? choose_.number(1, 0xffffffff) : choose_.number(1, 40) * 2 * MiB;
        i.kernel_alignment = std::uint64_t{1} << (choose_.rarely(8) ? choose_.number(0, 31) : 21);
        i.pref_address = size(16 * MiB);
        i.setup_bytes = choose_.number(2, 256) * 512;
        i.cmdline_size = choose_.rarely(8) ? choose_.number(0, 0xffffffff) : 2047;
        i.payload_bytes = choose_.yes() ? 0 : choose_.number(0, 40) * MiB / 2;
        i.uncompressed_bytes = choose_.yes() ? 0 : std::min(choose_.number(0, 200) * MiB / 2, 4 * i.init_size);
        constexpr const char* releases[] = {"6.1.0-50-amd64", "5.10.0-30-amd64", "", "7.2.0"};
        i.release = choose_.pick(releases);
        i.swiotlb_addr = choose_.rarely(4);
        return i;
    }

    /// A command line of words that mean something here.
    std::string words() {
        constexpr const char* known[] = {"console=ttyS0",
                                         "reset_devices",
                                         "nr_cpus=1",
                                         "irqpoll",
                                         "swiotlb=force",
                                         "swiotlb=32768",
                                         "swiotlb=noforce",
                                         "swiotlb=65536,force",
                                         "swiotlb=32768,2,force",
                                         "swiotlb=4194304,any",
                                         "numa=off",
                                         "nokaslr",
                                         "memmap=64M@0x40000000",
                                         "memmap=4K$0x50000000",
                                         "memmap=1G!4G",
                                         "memmap=exactmap",
                                         "mem=512M",
                                         "iommu=off",
                                         "iommu=soft",
                                         "iommu=pt",
                                         "intel_iommu=on",
                                         "log_buf_len=4M",
                                         "log_buf_len=16E",
                                         "--",
                                         "quiet",
                                         "crashkernel=256M",
                                         "cma=64M",
                                         "hugepagesz=1G",
                                         "acpi=off",
                                         "nr_cpus=64",
                                         "memmap=4K%0x50000000-1+2",
                                         "\"a b\"",
                                         "swiotlb_handoff=0x40000000-0x44000000",
                                         "memmap=",
                                         "numa=fake=2",
                                         "nokaslr=1",
                                         "BOOT_IMAGE=/vmlinuz",
                                         "possible_cpus=4"};
        std::string line = choose_.rarely(4) ? "nr_cpus=1" : "nr_cpus=1 swiotlb=force";
        for (std::uint64_t n = choose_.rarely(3) ? choose_.number(1, 6) : 0; n-- != 0;)
            line += std::string(" ") + choose_.pick(known);
        if (choose_.rarely(12)) line += " " + choose_.text(40);
        if (choose_.rarely(20)) line += std::string(choose_.number(0, 2100), 'x');
        return line;
    }

    void devices(Machine& m) {
        constexpr const char* drivers[] = {"nvme", "ahci", "e1000", "pcieport", "mgag200", "skx_uncore", ""};
        constexpr std::uint32_t classes[] = {0x010802, 0x010601, 0x020000, 0x060400, 0x030000, 0x088000};
        constexpr unsigned bits[] = {64, 48, 40, 32, 24, 0};
        const auto width = [&] { return choose_.rarely(6) ? choose_.pick(bits) : 64; };
        m.devices.emplace();
        for (std::uint64_t n = choose_.number(0, 4); n-- != 0;)
            m.devices->push_back(
                {"0000:00:0" + std::to_string(n), choose_.pick(drivers), choose_.pick(classes), width(), width()});
        m.platform_devices.emplace();
        constexpr const char* platform[] = {"serial8250", "rtc_cmos", "i8042", "sdhci-acpi"};
        for (std::uint64_t n = choose_.number(0, 2); n-- != 0;)
            m.platform_devices->push_back(
                {"PNP" + std::to_string(n), platform[choose_.rarely(6) ? 3 : choose_.number(0, 2)]});
        if (!choose_.rarely(6)) m.external_devices.emplace();
        if (choose_.rarely(8)) m.external_devices = {{"0000:05:00.0"}};
    }

    /// Anywhere, or where it hurts.
    std::vector<AddressRange> claims() {
        std::vector<AddressRange> ranges;
        for (std::uint64_t n = choose_.number(0, 2); n-- != 0;) {
            const Address start = choose_.yes() ? 4 * GiB + choose_.number(0, 63) * GiB
                                                : pool_.start() - std::min(pool_.start(), choose_.number(0, 64) * MiB);
            ranges.push_back(range(start, choose_.number(0, 128) * MiB));
        }
        return ranges;
    }

    void neighbours(Machine& m) {
        Neighbours& n = m.neighbours;
        if (choose_.yes()) n.cma = claims();
        if (choose_.rarely(4)) n.cma_bytes = size(choose_.number(0, 16) * 16 * MiB);
        if (choose_.yes()) n.kho_scratch = claims();
        if (choose_.yes()) n.memory_crash_hotplug = choose_.yes();
        if (choose_.yes()) n.cpu_crash_hotplug = choose_.yes();
        if (choose_.yes()) n.crash_elf_headers = size(choose_.number(0, 64) * page_size);
        if (choose_.rarely(4)) n.dm_crypt_keys = size(choose_.number(0, 2));
        if (choose_.rarely(4)) n.ima_list_bytes = size(choose_.number(0, 4096) * KiB);
    }

    /// A machine that never bounced, but for what speaks against that.
    void loan(Machine& m, PlanRequest& r) {
        r.lend = true;
        r.leaves_pool_out = !choose_.rarely(6);
        r.collector = static_cast<Collector>(choose_.number(0, 2));
        m.slabs_hiwater = choose_.rarely(8) ? choose_.number(0, 2) : 0;
        m.slabs_used = choose_.rarely(8) ? choose_.number(0, 2) : 0;
        if (!choose_.rarely(8)) m.hiwater_tracked = !choose_.rarely(8);
        if (!m.pool.empty() && !choose_.rarely(8)) {
            const AddressRange& pool = m.pool.front().range;
            m.pool_traces = PoolTraces{pool, 1, choose_.rarely(8) ? 1U : 0U, 0, pool.size(), std::nullopt};
        }
        if (!choose_.rarely(8)) m.iommu_groups = 0;
        if (!choose_.rarely(8)) m.release = r.image ? r.image->release : "6.12.1";
        if (!choose_.rarely(8)) m.command_line = "root=/dev/vda1 crashkernel=256M";
        if (!choose_.rarely(8)) r.command_line = "reset_devices nr_cpus=1";
        if (!choose_.rarely(8)) r.loader = choose_.yes() ? Loader::kexec_load : Loader::kexec_file_load;
        if (!choose_.rarely(8)) r.method = Method::automatic;
        if (choose_.yes()) devices(m);
        if (choose_.rarely(4) || !r.image || pool_.end() > 0x90000000) return;
        // A reservation in which a crash kernel fits.
        m.crash_kernel = {range(pool_.end(), 256 * MiB)};
        r.image->init_size = 48 * MiB;
        r.image->kernel_alignment = 2 * MiB;
        r.image->uncompressed_bytes = 0;
        r.initrd_bytes = 20 * MiB;
    }

    Choices choose_;
    bool hostile_;
    AddressRange pool_;
};

/// The value of the last such parameter, as a kernel reads it.
std::optional<std::string> last(const std::string& line, const char* key) {
    std::optional<std::string> value;
    for (const reference::Argument& a : reference::parse_args(line))
        if (reference::same_parameter(a.param, key)) value = a.value;
    return value;
}

std::string whole_line(const Plan& plan) { return plan.base.empty() ? plan.append : plan.base + ' ' + plan.append; }

/// Who else claims memory has none of the pool or of a fence, and a load by the kernel itself gives none of it away.
void check_neighbours(const Machine& machine, const Plan& plan) {
    for (const auto* theirs : {&machine.neighbours.cma, &machine.neighbours.kho_scratch})
        for (const AddressRange& r : theirs->value_or(std::vector<AddressRange>())) {
            HOLDS(!r.overlaps(*plan.pool));
            for (const AddressRange& fence : plan.fences) HOLDS(!r.overlaps(fence));
            for (const Load& load : plan.loads)
                HOLDS(load.loader != Loader::kexec_file_load || theirs != &machine.neighbours.cma || r.empty());
        }
    for (const Load& load : plan.loads)
        HOLDS(load.loader != Loader::kexec_file_load || machine.neighbours.dm_crypt_keys.value_or(0) == 0);
}

/// Nobody else uses the pool, nor ever will, as far as the machine says; and the crash kernel makes none.
void check_lent(const Machine& machine, const PlanRequest& request, const Plan& plan) {
    HOLDS(request.lend && plan.pool && !plan.expected && plan.fences.empty());
    const AddressRange pool = *plan.pool;
    for (const PoolSighting& s : machine.pool) HOLDS(s.range == pool);
    HOLDS(machine.ram.contains(pool));
    HOLDS(machine.slabs_hiwater.value_or(0) == 0 && machine.slabs_used.value_or(0) == 0);
    if (machine.pool_traces)
        HOLDS(machine.pool_traces->moved_areas == 0 &&
              machine.pool_traces->blank_bytes == machine.pool_traces->pool.size());
    else
        HOLDS(!machine.live && machine.slabs_hiwater == 0 && machine.hiwater_tracked.value_or(true));
    HOLDS(machine.encryption == Encryption::none && !machine.xen);
    HOLDS(last(machine.command_line, "swiotlb").value_or("").find("force") == std::string::npos);
    HOLDS(machine.devices && machine.platform_devices && machine.external_devices && machine.external_devices->empty());
    for (const DmaDevice& d : *machine.devices) {
        const bool disk_or_network = d.pci_class >> 16 == 0x01 || d.pci_class >> 16 == 0x02;
        const unsigned bits = d.streaming_bits;
        if (!disk_or_network || bits >= 64 || d.driver == "mgag200" || d.driver == "skx_uncore") continue;
        for (const AddressRange& r : machine.ram.ranges()) HOLDS((r.end() - 1) >> bits == 0);
    }
    for (const PlatformDevice& d : machine.platform_devices.value()) HOLDS(d.driver != "sdhci-acpi");
    HOLDS(request.collector == Collector::maps || (plan.loader == Loader::kexec_load && request.leaves_pool_out));

    const std::string line = whole_line(plan);
    HOLDS(last(line, "swiotlb_lent") && !last(line, "swiotlb_handoff"));
    HOLDS(last(line, "swiotlb").value_or("").find("force") == std::string::npos);
    const RangeSet after = plan.after.of(Type::ram);
    HOLDS(after.contains(pool));
    HOLDS(!after.overlaps(*AddressRange::from_bounds(4 * GiB, ~Address{0})));  // where it would make a pool of its own
    HOLDS(e820::sanitised(plan.after) == plan.after && !plan.loads.empty());
    for (const Load& load : plan.loads) {
        HOLDS(!load.map.of(Type::ram).overlaps(pool));
        for (const Segment& segment : load.segments)
            HOLDS(machine.crash_kernel.back().contains(segment.range) && !segment.range.overlaps(pool));
    }

    PlanRequest theirs = request;
    theirs.command_line = line;
    const Plan judged = review(machine, theirs, pool);
    HOLDS(judged.verdict == Verdict::ready && judged.loan && judged.pool == plan.pool);
}

void check_ready(const Machine& machine, const PlanRequest& request, const Plan& plan) {
    HOLDS(plan.pool && plan.expected && plan.part.value_or(*plan.pool) == *plan.expected);
    const AddressRange old_pool = *plan.pool, pool = *plan.expected;
    for (const PoolSighting& s : machine.pool) HOLDS(s.range == old_pool);
    if (request.pool) HOLDS(*request.pool == old_pool);
    HOLDS(pool.end() <= 4 * GiB && pool.start() % page_size == 0 && pool.size() >= MiB);
    HOLDS(machine.ram.contains(old_pool) && old_pool.contains(pool));
    for (const AddressRange& c : machine.crash_kernel) HOLDS(!c.overlaps(old_pool));
    for (const e820::Entry& entry : machine.map.entries)
        HOLDS(entry.type == Type::ram || !entry.range.overlaps(old_pool));
    // Old DMA may write to what is left of the old pool.
    RangeSet left({old_pool});
    left.subtract(pool);
    for (const AddressRange& r : left.ranges()) HOLDS(!plan.after.of(Type::ram).overlaps(r));
    HOLDS(machine.encryption != Encryption::sev_snp && machine.encryption != Encryption::tdx && !machine.xen);

    // The words, as a kernel reads them.
    // Nothing in them that a shell reads.
    HOLDS(plan.append.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _=,.@%+-:/") ==
          std::string::npos);
    const std::string whole = whole_line(plan);
    const auto line = CommandLine::parse(whole);
    HOLDS(line.has_value());
    const auto swiotlb = last(whole, "swiotlb"), marker = last(whole, "swiotlb_handoff");
    HOLDS(swiotlb.has_value() && marker.has_value());
    const char* number = swiotlb->c_str();
    HOLDS(reference::strtoull_at(number) == pool.size() / 2048);
    const auto promised = read_marker(*line);
    HOLDS(promised && *promised && **promised == pool);
    if (request.image) HOLDS(whole.size() <= request.image->cmdline_size);
    HOLDS(whole.size() <= 2047 || request.image);

    // The map, the fences, the loads.
    HOLDS(plan.after.of(Type::ram).contains(pool));
    HOLDS(e820::sanitised(plan.after) == plan.after);
    HOLDS(!plan.loads.empty());
    for (const AddressRange& fence : plan.fences) {
        HOLDS(fence.size() == page_size && !fence.overlaps(pool) && !plan.after.of(Type::ram).overlaps(fence));
        for (const Load& load : plan.loads)
            for (const Segment& segment : load.segments)
                HOLDS(segment.name == "kernel" || !segment.range.overlaps(fence));
    }
    for (const Load& load : plan.loads) {
        const AddressRange reservation = machine.crash_kernel.back();
        std::vector<AddressRange> segments;
        for (const Segment& segment : load.segments) {
            HOLDS(reservation.contains(segment.range));
            for (const AddressRange& other : segments) HOLDS(!other.overlaps(segment.range));
            segments.push_back(segment.range);
        }
        HOLDS(!disagreement(plan, segments));
    }

    // The same words, judged as somebody else's.
    PlanRequest theirs = request;
    theirs.command_line = whole;
    const Plan judged = review(machine, theirs, pool);
    HOLDS(judged.verdict == Verdict::ready && judged.pool == plan.pool);
}

/// Boots the crash kernel of the plan a few times on another model of memblock.
void boot(const Machine& machine, const PlanRequest& request, const Plan& plan, std::uint64_t seed) {
    std::mt19937_64 dice(seed);
    const auto number = [&](std::uint64_t least, std::uint64_t most) {
        return std::uniform_int_distribution<std::uint64_t>(least, most)(dice);
    };
    const auto line = CommandLine::parse(whole_line(plan));
    const AddressRange pool = *plan.expected;
    const Image image = request.image.value_or(Image());
    const std::uint64_t init_size = plan.loads.front().find("kernel")->range.size();
    bool kaslr = true;
    for (const Word* word : line->all("nokaslr")) kaslr = kaslr && word->value.has_value();

    for (const Load& load : plan.loads) {
        e820::Table found = load.map;
        if (plan.method == Method::e820) found.add(pool, Type::ram);
        const auto map = apply_memory_words(found, *line);
        HOLDS(map.has_value());
        const RangeSet ram = map->of(Type::ram);
        const Segment* kernel = load.find("kernel");
        const Segment* initrd = load.find("initrd");

        std::vector<Address> places{kernel->range.start()};
        if (kaslr) {
            // physical_mapping: any aligned place in what boot_params calls RAM.
            RangeSet room = load.map.of(Type::ram);
            for (const char* what : {"initrd", "boot_params", "setup_data"})
                if (const Segment* s = load.find(what)) room.subtract(s->range);
            const std::uint64_t needed = std::max(init_size, image.uncompressed_bytes);
            const std::uint64_t align = std::max<std::uint64_t>(image.kernel_alignment, 2 * MiB);
            for (const AddressRange& r : room.ranges())
                for (Address at = (std::max<Address>(r.start(), 512 * MiB) + align - 1) / align * align;
                     at < r.end() && r.end() - at >= needed && places.size() < 64; at += align)
                    places.push_back(at);
        }
        for (int i = 0; i < 3; ++i) {
            reference::Memblock memblock;
            for (const AddressRange& r : ram.ranges()) memblock.add(r.start(), r.end());
            memblock.reserve(0, MiB);
            if (initrd) memblock.reserve(initrd->range.start(), initrd->range.end());
            const bool file_load = load.loader == Loader::kexec_file_load;
            // Of a captured machine whose kexec is not known the plan assumes this, and warns.
            const bool setup_data =
                machine.efi || (machine.kexec_tools ? *machine.kexec_tools >= "2.0.25" : !machine.live);
            if (const Segment* s = load.find("setup_data"); s && setup_data)
                memblock.reserve(s->range.start(), s->range.start() + page_size);
            if (file_load && number(0, 1) != 0)
                if (const Segment* s = load.find("boot_params")) memblock.reserve(s->range.start(), s->range.end());
            const Address at = places[number(0, places.size() - 1)];
            const bool same =
                machine.kernel_image && request.image && !image.release.empty() && image.release == machine.release;
            const std::uint64_t least = same ? machine.kernel_image->size() : 0;
            memblock.reserve(at, at + number(std::min(least, init_size), std::max(least, init_size)));
            const EarlyDemand most = early_demand({ram, pool.size() / 2048, 1, 0});
            const reference::Demand demand{number(0, most.before_memory_map),
                                           number(0, most.memory_map / (2 * MiB)) * 2 * MiB,
                                           number(0, most.after_memory_map)};
            const reference::Boot result =
                reference::boot(std::move(memblock), demand, pool.size(), number(0, 1) != 0, dice);
            HOLDS(!result.out_of_memory);
            HOLDS(result.pool == std::pair(pool.start(), pool.end()));
        }
    }
}

// Nobody is told that the reservation is large enough where it is less than what is counted, and that nothing has to be
// done is said only where it is enough.
void check_promise(const Machine& machine, const PlanRequest& request, const Plan& plan) {
    const ReservationFit& fit = plan.reservation;
    HOLDS(to_text(fit).find('\n') == std::string::npos);
    const bool enough = fit.fits == Fit::surely;
    if (enough) {
        const Need need = need_for(machine, request, fit.reserved, Need::default_margin);
        HOLDS(fit.reserved >= need.recommended() + fit.pool);
    }
    if (plan.verdict == Verdict::not_needed)
        HOLDS(next_where_not_needed(plan).starts_with("Nothing has to be done") == enough);
    else if (plan.fallback)
        HOLDS(fit.fits.has_value() && fit.reserved == plan.fallback->reserved);
}

unsigned ready_so_far = 0, lent_so_far = 0;

void run(Input in, bool hostile) {
    Maker maker(in, hostile);
    Machine machine = maker.machine();
    PlanRequest request = maker.request();
    maker.company(machine, request);
    const Plan plan = handoff::plan(machine, request);

    bool refused = false;
    for (const Reason& reason : plan.reasons) {
        HOLDS(find_rule(reason.rule) && !reason.text.empty());
        HOLDS(reason.text.find('\n') == std::string::npos);
        refused = refused || reason.severity == Severity::refusal;
    }
    HOLDS(!plan.reasons.empty() || plan.verdict == Verdict::ready);
    HOLDS((plan.verdict == Verdict::refused) == (refused && plan.verdict != Verdict::not_needed));
    HOLDS(plan.verdict != Verdict::ready || !refused);
    if (plan.verdict != Verdict::ready) HOLDS(plan.append.empty() && !plan.expected);
    const Plan again = handoff::plan(machine, request);
    HOLDS(again.verdict == plan.verdict && again.append == plan.append && again.reasons == plan.reasons &&
          again.after == plan.after);
    HOLDS(again.reservation == plan.reservation);
    check_promise(machine, request, plan);
    if (plan.verdict != Verdict::ready) return;
    check_neighbours(machine, plan);
    if (plan.loan) {
        ++lent_so_far;
        check_lent(machine, request, plan);
        return;
    }
    ++ready_so_far;
    check_ready(machine, request, plan);
    if (plan.method == Method::ram) boot(machine, request, plan, in.size() * 7919 + (in.empty() ? 0 : in.back()));
}

}  // namespace

unsigned plans_ready() { return ready_so_far; }
unsigned plans_lent() { return lent_so_far; }
void plan(Input in) { run(in, false); }
void hostile_plan(Input in) { run(in, true); }

}  // namespace fuzz
