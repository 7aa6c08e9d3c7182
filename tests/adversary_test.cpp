// SPDX-License-Identifier: GPL-2.0-or-later
// An adversary: crash kernels made up by lot, with words from the lists of what real kernels read, initrds with tables
// in front, machines and loaders of every kind. Each is planned for, and where the verdict is ready, what a real kernel
// asked memblock for with those words (fixtures/early/words) is asked for again in the memory of that plan. The pool
// must land where the plan promised it.
//
//   HANDOFF_ADVERSARY=20000 HANDOFF_ADVERSARY_SEED=7 adversary_test     more machines, another lot
//   HANDOFF_ADVERSARY_SHOW=1                                            each case, as it was drawn
#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/sources/early_cpio.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "tests/recorded_boot.hpp"

namespace handoff {
namespace {

namespace fs = std::filesystem;
using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using reference::Range;
using reference::RecordedBoot;
using reference::u64;

const std::vector<RecordedBoot>& boots() {
    static const auto all = reference::recorded_boots(fs::path(FIXTURES_DIR) / "early/words");
    return all;
}

u64 number_from(const char* variable, u64 otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// --- the second memblock and the lists themselves

reference::Memblock memory_with(const std::vector<Range>& ram, const std::vector<Range>& reserved) {
    reference::Memblock memory;
    for (const Range& r : ram) memory.add(r.start, r.end);
    memory.reserve(0, MiB);
    for (const Range& r : reserved) memory.reserve(r.start, r.end);
    return memory;
}

TEST(RecordedBoots, AreThereForEachKernel) {
    std::map<std::string, int> lists;
    for (const RecordedBoot& boot : boots()) ++lists[boot.series()];
    for (const char* series : {"5.10", "6.1", "6.12", "7.2", "7.3"}) EXPECT_GE(lists[series], 14) << series;
}

TEST(RecordedBoots, PutTheirPoolWhereTheKernelDid) {
    for (const RecordedBoot& boot : boots()) {
        const auto pool = reference::replay(memory_with(boot.ram, boot.reserved), boot.steps, boot.slabs * 2048);
        ASSERT_TRUE(pool) << boot.name;
        EXPECT_EQ(pool->start, boot.pool) << boot.name;
        EXPECT_EQ(pool->end - pool->start, boot.slabs * 2048) << boot.name;
    }
}

TEST(RecordedBoots, AreTheSameInAMachineOfTheSameSize) {
    for (const RecordedBoot& boot : boots()) {
        u64 acpi = 0;
        for (const auto& step : boot.steps)
            if (step.caller == "acpi_table_upgrade") acpi = step.bytes;
        const auto steps = reference::in_machine(boot, boot.ram, acpi);
        ASSERT_EQ(steps.size(), boot.steps.size()) << boot.name;
        for (std::size_t n = 0; n < steps.size(); ++n) {
            EXPECT_EQ(steps[n].bytes, boot.steps[n].bytes) << boot.name << ", step " << n << ", " << steps[n].caller;
            EXPECT_EQ(steps[n].of, boot.steps[n].of) << boot.name << ", step " << n;
        }
    }
}

// --- cases by lot

class Dice {
public:
    explicit Dice(u64 seed) : engine_(seed) {}
    u64 number(u64 least, u64 most) { return std::uniform_int_distribution<u64>(least, most)(engine_); }
    bool one_in(u64 n) { return number(1, n) == 1; }
    template <typename T>
    const T& of(const std::vector<T>& values) {
        return values[number(0, values.size() - 1)];
    }

private:
    std::mt19937_64 engine_;
};

// A word of lib/kernel/words as it is written on a command line: "audit=", "acpi", "kfence.burst".
std::vector<std::string> names_of(const std::string& series) {
    std::vector<std::string> names;
    std::ifstream in(fs::path(KERNEL_DIR) / "words" / (series + ".txt"));
    for (std::string line; std::getline(in, line);)
        if (!line.starts_with('#')) names.push_back(line.substr(0, line.find(' ')));
    return names;
}

const std::vector<std::string>& names_in(const std::string& series) {
    static std::map<std::string, std::vector<std::string>> lists;
    auto& names = lists[series];
    if (names.empty()) names = names_of(series);
    return names;
}

// Words that change what is asked for, and for which a list has to be recorded: they come with one or not at all.
bool comes_with_a_list(const std::string& name) {
    static const std::set<std::string> names = {
        "log_buf_len",   "dhash_entries=", "ihash_entries=", "slub_debug",     "slab_debug", "initcall_blacklist=",
        "irqaffinity=",  "isolcpus=",      "nohz_full=",     "rcu_nocbs",      "rcu_nocbs=", "nr_cpus",
        "possible_cpus", "swiotlb",        "memmap",         "debug_pagealloc"};
    return names.contains(name);
}

std::string word_of(Dice& dice, std::string name, u64 near) {
    static const std::vector<std::string> values = {"0",  "1",   "2",     "on",     "off", "auto", "no",
                                                    "y",  "n",   "64M",   "1G",     "4K",  "0x10", "16",
                                                    "-1", "all", "force", "strict", "1,2", "0-3",  "none"};
    const bool with_value = name.ends_with('=') || dice.number(0, 2) != 0;
    if (name.ends_with('=')) name.pop_back();
    if (!with_value) return name;
    if (dice.one_in(12)) return fmt::format("{}=64K@{:#x}", name, near);
    return name + '=' + dice.of(values);
}

// The uncompressed front of an initrd, and what acpi_table_upgrade() takes of it.
struct Front {
    std::string bytes;
    u64 acpi = 0;
    std::string description;
};

std::string cpio_entry(const std::string& name, const std::string& data) {
    std::string entry =
        fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", 1, 0100644,
                    0, 0, 1, 0, data.size(), 0, 0, 0, 0, name.size() + 1, 0);
    entry += name + '\0';
    entry.resize((entry.size() + 3) / 4 * 4);
    entry += data;
    entry.resize((entry.size() + 3) / 4 * 4);
    return entry;
}

std::string acpi_table(const std::string& signature, u64 bytes) {
    std::string table(bytes, '\xa3');
    table.replace(0, 4, signature);
    for (std::size_t i = 0; i < 4; ++i) table[4 + i] = static_cast<char>(bytes >> 8 * i & 0xff);
    return table;
}

// Microcode first or not, one archive or several with zeros between them, tables of all sizes, and files that the
// kernel does not take for tables.
Front draw_front(Dice& dice, bool with_tables) {
    Front front;
    u64 tables = with_tables ? dice.of(std::vector<u64>{1, 1, 2, 5, 64}) : 0;
    const u64 limit = dice.of(std::vector<u64>{200, 20000, 20000, 1000000});
    const auto end_of_archive = [&] {
        front.bytes += cpio_entry("TRAILER!!!", "");
        front.bytes.resize((front.bytes.size() + 511) / 512 * 512 + dice.number(0, 3) * 512);
    };
    front.description = fmt::format("{} tables", tables);
    if (dice.one_in(2)) {
        front.bytes += cpio_entry("kernel/x86/microcode/AuthenticAMD.bin", std::string(dice.number(1, 30000), 'm'));
        front.description += ", microcode first";
        if (dice.one_in(2)) end_of_archive();
    }
    while (tables != 0) {
        const u64 bytes = dice.number(36, limit);
        const std::string name = fmt::format("kernel/firmware/acpi/table{}.aml", tables);
        // Of 64 files in all, those that are no tables count with the others: only among a few.
        if (tables < 8 && dice.one_in(6)) {
            front.bytes += cpio_entry("kernel/firmware/acpi/readme", "no table, although it is in the directory");
        }
        front.bytes += cpio_entry(name, acpi_table(dice.one_in(3) ? "DSDT" : "SSDT", bytes));
        front.acpi += bytes;
        --tables;
        if (dice.one_in(8)) end_of_archive();
    }
    end_of_archive();
    front.bytes += std::string("\x28\xb5\x2f\xfd") + std::string(100, 'z');
    return front;
}

u64 cpus_of(const RecordedBoot& boot) { return std::max<u64>(1, reference::asked_for(boot.words, "nr_cpus")); }

// Debian's, unknown, or another; with `words` also those of the list, which then are not on the command line.
std::optional<KernelConfig> draw_config(Dice& dice, const RecordedBoot& boot, bool& words) {
    if (dice.one_in(8)) return std::nullopt;
    KernelConfig config;
    if (dice.one_in(5)) config.kfence_objects = dice.of(std::vector<u64>{0, 63, 256, 1000, 8191});
    if (dice.one_in(5)) config.log_buf_shift = static_cast<unsigned>(dice.number(12, 21));
    if (dice.one_in(5)) config.log_cpu_max_buf_shift = static_cast<unsigned>(dice.number(0, 21));
    if (dice.one_in(30)) config.cma_mbytes = dice.number(1, 64);
    if (dice.one_in(30)) config.kasan = true;
    words = dice.one_in(40);
    if (words) config.command_line = boot.words;
    return config;
}

struct Case {
    Machine machine;
    PlanRequest request;
    const RecordedBoot* boot = nullptr;
    Front front;
    u64 image_bytes = 0;  ///< that the kernel reserves
};

AddressRange range(Address start, u64 size) { return AddressRange::from_size(start, size).value(); }

// The reservation has `bytes`; where pool and reservations lie is drawn.
void draw_memory(Dice& dice, Machine& machine, u64 bytes, bool high) {
    u64 pool_bytes =
        dice.of(std::vector<u64>{64 * MiB, 64 * MiB, 64 * MiB, 64 * MiB, 16 * MiB, 32 * MiB, 128 * MiB, 256 * MiB});
    // Any number of segments: of which a kernel that rounds up can have a part only.
    if (dice.one_in(4)) pool_bytes = dice.number(100, 1600) * 256 * KiB;
    const Address low_end = dice.of(std::vector<u64>{2 * GiB, 3 * GiB, 0xbffdf000, 0x7ffd6000});
    const auto gap = [&] { return dice.one_in(2) ? u64{0} : dice.number(1, 30000) * page_size; };
    machine.map.add(*AddressRange::from_bounds(0x1000, 0x9f000), e820::Type::ram);
    machine.map.add(*AddressRange::from_bounds(MiB, low_end), e820::Type::ram);
    machine.map.add(*AddressRange::from_bounds(4 * GiB, 8 * GiB), e820::Type::ram);
    machine.ram = machine.map.of(e820::Type::ram);
    // From the top of low memory down: what is above the reservation, the reservation, the pool.
    Address at = low_end - dice.number(0, 400) * MiB;
    const auto place = [&](u64 size, u64 align) {
        at = (at - size) / align * align;
        return range(at, size);
    };
    AddressRange pool;
    if (!high) {
        const bool pool_above = dice.one_in(12);
        if (pool_above) pool = place(pool_bytes, page_size), at -= gap();
        machine.crash_kernel = {place(bytes, MiB)};
        if (!pool_above) at -= gap(), pool = place(pool_bytes, dice.one_in(2) ? page_size : 2 * MiB);
    } else {
        const u64 low_part = dice.of(std::vector<u64>{0, 0, 16 * MiB, 32 * MiB, 72 * MiB, 128 * MiB, 256 * MiB});
        const bool low_part_below = dice.one_in(3);
        if (low_part != 0 && !low_part_below) machine.crash_kernel.push_back(place(low_part, MiB)), at -= gap();
        pool = place(pool_bytes, page_size);
        if (low_part != 0 && low_part_below) at -= gap(), machine.crash_kernel.push_back(place(low_part, MiB));
        machine.crash_kernel.push_back(range(8 * GiB - bytes - dice.number(0, 64) * 16 * MiB, bytes));
    }
    machine.pool = {{pool, PoolSource::memory, {"proc/kcore", 0}}};
}

// Memory in pieces: somebody takes pages out of all of it but the end, where things are loaded, and some piece.
std::string draw_holes(Dice& dice, const AddressRange& reservation) {
    std::string word;
    const u64 step = dice.number(5, 60) * MiB, kept = dice.number(0, 8);
    u64 piece = 0;
    for (Address at = reservation.start() + step; at + 150 * MiB < reservation.end() && piece < 24; at += step, ++piece)
        if (piece != kept) word += fmt::format("{}4K${:#x}", word.empty() ? " memmap=" : ",", at);
    return word;
}

Case draw(u64 seed, u64 more_bytes) {
    Dice dice(seed);
    Case c;
    c.boot = &dice.of(boots());
    const bool high = dice.one_in(2);
    const u64 wanted = dice.number(3, 6) * 16 * MiB + more_bytes;
    const u64 bytes = high ? wanted : std::min(wanted, GiB);  // low memory ends at 2 or 3 GiB

    Machine& machine = c.machine;
    machine.release = c.boot->release;
    machine.command_line = high ? "crashkernel=512M,high crashkernel=256M,low" : "crashkernel=256M swiotlb=force";
    draw_memory(dice, machine, bytes, high);
    machine.crash_kernel_from = {"proc/iomem", 1};
    machine.encryption = Encryption::none;
    machine.memory_nodes = dice.one_in(4) ? 2 : 1;
    machine.possible_cpus = static_cast<unsigned>(dice.of(std::vector<u64>{1, 4, 64, 512}));
    machine.kexec_tools = dice.of(std::vector<std::string>{"2.0.20", "2.0.25", "2.0.29"});
    machine.lockdown = false;
    machine.live = dice.one_in(2);
    machine.efi = machine.efi_runtime_map = dice.one_in(3);
    if (dice.one_in(6)) machine.kexec_tools.reset();

    PlanRequest& request = c.request;
    request.loader = dice.of(std::vector<Loader>{Loader::kexec_load, Loader::kexec_file_load, Loader::automatic});
    Image image;
    image.init_size = dice.number(12, 36) * 2 * MiB + dice.number(0, 500) * page_size;
    image.payload_bytes = dice.one_in(3) ? 0 : image.init_size / dice.number(4, 8);
    image.uncompressed_bytes = dice.one_in(3) ? 0 : image.init_size - dice.number(1, 3000) * page_size;
    image.release = c.boot->release;
    c.image_bytes = image.init_size - dice.number(0, image.init_size / 4 / page_size) * page_size;
    if (dice.one_in(2)) machine.kernel_image = range(16 * MiB, c.image_bytes);
    if (image.uncompressed_bytes != 0) c.image_bytes = std::min(c.image_bytes, image.uncompressed_bytes);
    if (machine.kernel_image) machine.kernel_image = range(16 * MiB, c.image_bytes);
    request.image = image;

    c.front = draw_front(dice, c.boot->takes_acpi_tables());
    const auto early = read_early_cpio(std::as_bytes(std::span(c.front.bytes.data(), c.front.bytes.size())));
    EXPECT_TRUE(early) << (early ? "" : early.error().message());
    if (early) request.initrd_acpi_bytes = early->acpi_bytes();
    request.initrd_bytes = std::max<u64>(c.front.bytes.size(), dice.number(1, 40) * MiB + dice.number(0, MiB));

    bool words_of_config = false;
    request.config = draw_config(dice, *c.boot, words_of_config);
    std::string line = "root=/dev/vda1 reset_devices " + (words_of_config ? "" : c.boot->words);
    if (!high) line += " swiotlb=force";
    const AddressRange& reservation = machine.crash_kernel.back();
    for (u64 words = dice.number(0, 5); words != 0; --words) {
        const std::string& name = dice.of(names_in(c.boot->series()));
        const Address near = reservation.start() + dice.number(0, reservation.size() / page_size - 1) * page_size;
        if (!comes_with_a_list(name)) line += ' ' + word_of(dice, name, near);
    }
    if (dice.one_in(6)) line += draw_holes(dice, reservation);
    // The caller's own number of slabs, and of areas.
    if (dice.one_in(6))
        line += fmt::format(" swiotlb={}{}", dice.one_in(2) ? u64{512} << dice.number(0, 9) : dice.number(300, 70000),
                            dice.one_in(6) ? fmt::format(",{}", dice.number(0, 200)) : "");
    const AddressRange& pool = machine.pool.front().range;
    if (dice.one_in(25))
        line += fmt::format(" memmap={}K@{:#x}", 4 * dice.number(1, 300),
                            pool.start() + dice.number(0, pool.size() / page_size) * page_size);
    if (dice.one_in(12)) {
        machine.encryption = Encryption::sev;
        request.accept = {"encryption-unproven"};
    }
    if (dice.one_in(15))
        line += fmt::format(" memmap=4K${:#x}", reservation.start() + dice.number(0, 20000) * page_size);
    request.command_line = line;
    return c;
}

// --- a plan against its replay

std::vector<Range> ram_after(const Load& load, const std::string& line) {
    reference::E820Table table;
    for (const e820::Entry& entry : load.map.entries)
        table.push_back({entry.range.start(), entry.range.size(), static_cast<std::uint32_t>(entry.type)});
    const auto map = reference::early_map(table, line);
    std::vector<Range> ram;
    for (const auto& entry : map.value_or(reference::E820Table{}))
        if (entry.type == 1 && entry.size != 0) ram.push_back({entry.addr, entry.addr + entry.size});
    return ram;
}

bool has_word(const std::string& line, const std::string& word) {
    for (const auto& argument : reference::parse_args(line))
        if (argument.param == word) return true;
    return false;
}

// The loader's place, and with KASLR any that the decompressor could choose (arch/x86/boot/compressed/kaslr.c).
std::vector<Address> places(const Case& c, const Load& load, const std::string& line) {
    const Address loaded = load.find("kernel")->range.start();
    std::vector<Address> all{loaded};
    if (has_word(line, "nokaslr")) return all;
    const Image& image = *c.request.image;
    const u64 needed = std::max(c.image_bytes, image.uncompressed_bytes);
    const auto overlaps = [](const Range& a, Address start, Address end) { return a.start < end && start < a.end; };
    std::vector<Range> avoid{{loaded + image.init_size - image.payload_bytes, loaded + image.init_size}};
    for (const char* name : {"initrd", "boot_params", "setup_data"})
        if (const Segment* s = load.find(name)) avoid.push_back({s->range.start(), s->range.end()});
    for (const e820::Entry& entry : load.map.entries) {
        if (entry.type != e820::Type::ram) continue;
        const Address first = std::max(entry.range.start(), std::min<Address>(loaded, 512 * MiB));
        for (Address at = (first + 2 * MiB - 1) / (2 * MiB) * (2 * MiB); at + needed <= entry.range.end();
             at += 2 * MiB)
            if (std::none_of(avoid.begin(), avoid.end(), [&](const Range& r) { return overlaps(r, at, at + needed); }))
                all.push_back(at);
    }
    return all;
}

std::string show(const Case& c, const Plan& plan) {
    std::string text = c.boot->name + " '" + c.request.command_line.value_or("") + "' + '" + plan.append + "'; pool " +
                       to_string(c.machine.pool.front().range) + ", crash kernel";
    for (const AddressRange& r : c.machine.crash_kernel) text += ' ' + to_string(r);
    if (const auto& config = c.request.config)
        text += fmt::format("; kfence {}, log {}+{}, cma {}, kasan {}, words '{}'", config->kfence_objects,
                            config->log_buf_shift, config->log_cpu_max_buf_shift, config->cma_mbytes, config->kasan,
                            config->command_line);
    return text + fmt::format("; initrd {:#x} ({}), image {:#x} of {:#x}, {}", *c.request.initrd_bytes,
                              c.front.description, c.image_bytes, c.request.image->init_size, headline(plan));
}

// What the kernel of this configuration asks for besides what Debian's does.
std::vector<RecordedBoot::Step> steps_of(const Case& c, const std::vector<Range>& ram) {
    auto steps = reference::in_machine(*c.boot, ram, c.front.acpi);
    const KernelConfig config = c.request.config.value_or(KernelConfig{});
    // log_buf_add_cpu(), which a log that is larger already keeps away.
    const u64 log = u64{1} << config.log_buf_shift, more = (cpus_of(*c.boot) - 1) << config.log_cpu_max_buf_shift;
    const bool larger =
        std::any_of(steps.begin(), steps.end(), [](const auto& s) { return s.caller == "setup_log_buf"; });
    if (more > log / 2 && !larger)
        steps = reference::with_steps(std::move(steps), "alloc_large_system_hash", reference::log_steps(log + more));
    if (config.kfence_objects != 0)
        steps = reference::with_steps(std::move(steps), {}, reference::kfence_steps(config.kfence_objects));
    return steps;
}

// kernel/dma/swiotlb.c of this kernel: setup_io_tlb_npages(), and from 6.0 on swiotlb_adjust_nareas(),
// round_up_default_nslabs() and swiotlb_adjust_size(), which is told 6 % of the memory of an encrypted guest.
u64 pool_bytes_of(const Case& c, const std::string& line, const std::vector<Range>& ram) {
    const bool has_areas = c.boot->series() != "5.10";
    u64 slabs = 32768, areas = 0;
    const auto round_up = [&] {
        if (areas == 0) return;
        slabs = std::bit_ceil(std::max(slabs, 128 * areas));
    };
    const auto segments = [](u64 number) { return (number + 127) / 128 * 128; };
    for (const auto& argument : reference::parse_args(line)) {
        if (argument.param != "swiotlb" || !argument.value || !std::isdigit(argument.value->front())) continue;
        char* at = nullptr;
        slabs = segments(std::strtoull(argument.value->c_str(), &at, 0));
        if (!has_areas || *at != ',' || !std::isdigit(at[1])) continue;
        areas = std::bit_ceil(std::max<u64>(1, std::strtoull(at + 1, nullptr, 0)));
        round_up();
    }
    if (c.machine.encryption == Encryption::sev && has_areas && slabs == 32768) {
        u64 all = 0;
        for (const Range& r : ram) all += r.end - r.start;
        slabs = segments(std::clamp(all * 6 / 100, 64 * MiB, GiB) / 2048);
        round_up();
    }
    if (has_areas && areas == 0) {
        const u64 asked = reference::asked_for(line, "nr_cpus");
        areas = std::bit_ceil(asked != 0 ? asked : *c.machine.possible_cpus);
        round_up();
    }
    return slabs * 2048;
}

// Memory of the old pool that is not the crash kernel's pool, and that it has all the same.
bool has_rest(const std::vector<Range>& ram, const AddressRange& old, const AddressRange& pool) {
    return std::any_of(ram.begin(), ram.end(), [&](const Range& r) {
        return std::max(r.start, old.start()) < std::min(r.end, pool.start()) ||
               std::max(r.start, pool.end()) < std::min(r.end, old.end());
    });
}

// In each load of the plan, with the kernel in some of its places: the first where the pool goes elsewhere.
std::string find_miss(const Case& c, const Plan& plan, Dice& dice) {
    const std::string line = *c.request.command_line + ' ' + plan.append;
    const std::string all_words = (c.request.config ? c.request.config->command_line : "") + ' ' + line;
    for (const Load& load : plan.loads) {
        const std::vector<Range> ram = ram_after(load, line);
        if (has_rest(ram, *plan.pool, *plan.expected)) return "a rest of the old pool is RAM";
        const u64 bytes = pool_bytes_of(c, all_words, ram);
        const auto steps = steps_of(c, ram);
        const std::vector<Address> images = places(c, load, line);
        for (int n = 0; n < 4; ++n) {
            const Address image = n == 0 ? images.front() : dice.of(images);
            std::vector<Range> reserved{{image, image + c.image_bytes}};
            for (const Segment& s : load.segments) {
                if (s.name == "kernel") continue;
                // Of a capture that does not tell the version of kexec-tools the plan says what it assumes.
                const bool setup_known = !c.machine.live || c.machine.kexec_tools || c.machine.efi_runtime_map;
                const bool surely = s.name == "initrd" || (s.name == "setup_data" && setup_known);
                if (surely || dice.one_in(2)) reserved.push_back({s.range.start(), s.range.end()});
            }
            const auto pool = reference::replay(memory_with(ram, reserved), steps, bytes);
            if (!pool || pool->start != plan.expected->start() || pool->end != plan.expected->end())
                return fmt::format("{}: with the kernel at {:#x} the pool goes to {:#x}-{:#x} of {}", name(load.loader),
                                   image, pool ? pool->start : 0, pool ? pool->end : 0, to_string(*plan.expected));
        }
    }
    return {};
}

TEST(Adversary, APoolThatIsReadyLandsWhereItWasPromised) {
    const u64 count = number_from("HANDOFF_ADVERSARY", 250), seed = number_from("HANDOFF_ADVERSARY_SEED", 1);
    const bool showing = std::getenv("HANDOFF_ADVERSARY_SHOW") != nullptr;
    u64 ready = 0, misses = 0, parts = 0;
    std::map<std::string, u64> refusals;
    std::set<std::string> lists;
    for (u64 n = 0; n < count; ++n) {
        const u64 this_seed = seed * 1000003 + n;
        Dice dice(~this_seed);
        // Mostly the smallest reservation that is ready, where the last MiB decide.
        u64 more = dice.number(0, dice.one_in(5) ? 120 : 24) * 16 * MiB;
        const bool smallest = !dice.one_in(4);
        Case c = draw(this_seed, more);
        Plan plan = decide(c.machine, c.request);
        for (const u64 step : {64 * MiB, 16 * MiB, 4 * MiB, MiB})
            while (smallest && plan.verdict == Verdict::ready && more >= step) {
                Case smaller = draw(this_seed, more - step);
                Plan other = decide(smaller.machine, smaller.request);
                if (other.verdict != Verdict::ready) break;
                more -= step, c = std::move(smaller), plan = std::move(other);
            }
        if (showing) std::cout << this_seed << ": " << show(c, plan) << '\n';
        if (plan.verdict != Verdict::ready) {
            for (const Reason& reason : plan.reasons)
                if (reason.severity == Severity::refusal) ++refusals[reason.rule];
            continue;
        }
        ++ready;
        if (plan.part) ++parts;
        lists.insert(c.boot->name);
        ASSERT_TRUE(plan.expected);
        if (const std::string miss = find_miss(c, plan, dice); !miss.empty() && ++misses <= 5)
            ADD_FAILURE() << "seed " << this_seed << ": " << miss << "; " << show(c, plan);
    }
    EXPECT_EQ(misses, 0u);
    EXPECT_GT(ready, count / 5) << "too few cases to mean anything";
    EXPECT_GT(parts, count / 40) << "too few of them have a part of the pool only";
    EXPECT_GT(lists.size(), std::min<u64>(count / 10, boots().size() / 3));
    RecordProperty("ready", static_cast<int>(ready));
    std::cout << ready << " of " << count << " are ready, " << parts << " with a part of the pool, with "
              << lists.size() << " of " << boots().size() << " lists; refused by";
    for (const auto& [rule, times] : refusals) std::cout << ' ' << rule << ' ' << times;
    std::cout << '\n';
}

}  // namespace
}  // namespace handoff
