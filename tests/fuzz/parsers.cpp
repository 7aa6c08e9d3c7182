// SPDX-License-Identifier: GPL-2.0-or-later
// Every reader of text or bytes: whatever comes in, a value or an error of one line,
// and of a value that what it says can be said and read again.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "e820/binary.hpp"
#include "e820/firmware_memmap.hpp"
#include "e820/json.hpp"
#include "e820/log.hpp"
#include "e820/log_line.hpp"
#include "e820/log_text.hpp"
#include "e820/memmap.hpp"
#include "e820/render.hpp"
#include "e820/type.hpp"
#include "lib/kernel/boot_words.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/kernel/early_take.hpp"
#include "lib/load/kexec_arguments.hpp"
#include "lib/load/load_report.hpp"
#include "lib/load/record.hpp"
#include "lib/service/service.hpp"
#include "lib/service/shell_config.hpp"
#include "lib/sources/crash_log.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/early_cpio.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/gzip.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/image.hpp"
#include "lib/sources/initrd_contents.hpp"
#include "lib/sources/iomem.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/kmsg.hpp"
#include "lib/sources/loaded_kernel.hpp"
#include "lib/sources/neighbours.hpp"
#include "swiotlb-handoff/check.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/table.hpp"
#include "tests/fuzz/choices.hpp"
#include "tests/fuzz/parsers.hpp"
#include "tests/kernel_reference.hpp"
#include "tests/temp_tree.hpp"

namespace fuzz {
namespace {

std::string_view text_of(Input in) { return {reinterpret_cast<const char*>(in.data()), in.size()}; }

/// One line, and of no more lines than the input has.
void sound(const base::Error& error, std::string_view text) {
    HOLDS(!error.what.empty());
    HOLDS(error.what.find('\n') == std::string::npos);
    HOLDS(error.line <= static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
}

/// Sorted, disjoint, nothing empty.
void sound(const e820::Table& sanitised) {
    base::Address end = 0;
    for (const e820::Entry& entry : sanitised.entries) {
        HOLDS(!entry.range.empty() && entry.range.start() >= end);
        end = entry.range.end();
    }
}

e820::Table table_of(const reference::E820Table& entries) {
    e820::Table table;
    for (const reference::E820Entry& e : entries)
        table.add(*base::AddressRange::from_size(e.addr, e.size), static_cast<e820::Type>(e.type));
    return table;
}

bool same(const e820::Table& ours, const reference::E820Table& kernels) {
    return std::equal(
        ours.entries.begin(), ours.entries.end(), kernels.begin(), kernels.end(),
        [](const e820::Entry& a, const reference::E820Entry& b) {
            return b == reference::E820Entry{a.range.start(), a.range.size(), static_cast<std::uint32_t>(a.type)};
        });
}

e820::Table without_empty(e820::Table table) {
    std::erase_if(table.entries, [](const e820::Entry& e) { return e.range.empty(); });
    return table;
}

}  // namespace

void iomem(Input in) {
    const std::string_view text = text_of(in);
    const auto entries = handoff::parse_iomem(text);
    if (!entries) return sound(entries.error(), text);
    // No line is dropped: each that has something in it is an entry.
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (!line.empty() && line != "\r") ++lines;
        at = end + 1;
    }
    HOLDS(entries->size() == lines);
    HOLDS(std::any_of(entries->begin(), entries->end(), [](const auto& e) { return !e.range.empty(); }));
}

void firmware_map(Input in) {
    // Files apart by NULs, three an entry.
    std::vector<std::string_view> files;
    for (std::string_view rest = text_of(in); !rest.empty();) {
        files.push_back(rest.substr(0, rest.find('\0')));
        rest.remove_prefix(std::min(rest.size(), files.back().size() + 1));
    }
    std::vector<e820::FirmwareMapEntry> entries;
    for (std::size_t i = 0; i + 2 < files.size(); i += 3)
        entries.push_back({"0", files[i], files[i + 1], files[i + 2]});
    const auto table = e820::parse_firmware_memmap(entries);
    if (!table) return sound(table.error(), text_of(in));
    HOLDS(table->entries.size() == entries.size());
    sound(e820::sanitised(*table));
}

void log_map(Input in) {
    const std::string_view text = text_of(in);
    const auto boots = e820::parse_log_table(text);
    if (!boots) return sound(boots.error(), text);
    for (const e820::LogBoot& boot : *boots)
        for (const e820::LogMap& map : boot.maps) {
            HOLDS(!map.table.entries.empty());
            sound(e820::sanitised(map.table));
            for (const auto style : {e820::LabelStyle::classic, e820::LabelStyle::v7}) {
                const auto again = e820::parse_log_table(e820::render_log(map.table, style));
                const e820::Table kept = without_empty(map.table);
                if (kept.entries.empty()) continue;
                HOLDS(again && again->size() == 1 && again->front().maps.size() == 1);
                HOLDS(without_empty(again->front().maps.front().table) == kept);
            }
        }
}

void kernel_log(Input in) {
    const std::string_view text = text_of(in);
    const auto lines = e820::plain_log(std::string(text));
    if (!lines) return sound(lines.error(), text);
    // Numbers of lines stay what they are.
    const auto count = [](std::string_view of) { return std::count(of.begin(), of.end(), '\n'); };
    const bool two_bytes = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.find('\0') != text.npos;
    std::size_t last = 0;
    e820::LogLines numbered(*lines);
    while (const auto line = numbered.next()) last = line->number;
    if (!two_bytes) HOLDS(last <= static_cast<std::size_t>(count(text)) + 1);
    if (const auto crash = handoff::read_crash_log(*lines)) HOLDS(crash->available_bytes <= crash->total_bytes);
    const auto log = handoff::parse_kernel_log(*lines);
    if (!log) return two_bytes ? sound(log.error(), *lines) : sound(log.error(), text);
    HOLDS(log->recognised <= log->lines && log->crash_boots < std::max(log->boots, 1U));
    if (log->pool) HOLDS(!log->pool->value.empty());
    static_cast<void>(handoff::encryption_of(*log));
}

void kmsg(Input in) {
    const std::string lines = handoff::lines_of_kmsg(text_of(in));
    HOLDS(lines.empty() || lines.ends_with('\n'));
    kernel_log(Input(reinterpret_cast<const std::uint8_t*>(lines.data()), lines.size()));
}

void command_line(Input in) {
    const std::string_view text = text_of(in);
    const auto line = handoff::CommandLine::parse(text);
    if (!line) return sound(line.error(), text);

    // Against next_arg() and parse_args() as the kernel has them.
    std::string flat(text);
    while (flat.ends_with('\n')) flat.pop_back();
    const auto kernels = reference::parse_args(flat);
    std::vector<reference::Argument> ours;
    for (const handoff::Word& word : line->words()) {
        if (word.for_init || (word.key == "--" && !word.value)) continue;
        ours.push_back({word.key, word.value});
    }
    HOLDS(ours == kernels);
    for (const handoff::Word* word : line->all("memmap")) HOLDS(reference::same_parameter(word->key, "memmap"));

    // What we add is read as we mean it.
    const auto more = handoff::CommandLine::parse(line->with("swiotlb=32768 swiotlb_handoff=0x1000-0x2000"));
    HOLDS(more && more->last("swiotlb") == "32768");
    if (const auto before = handoff::read_marker(*line); before && !*before) {
        const auto marked = handoff::read_marker(*more);
        HOLDS(marked && *marked == base::AddressRange::from_bounds(0x1000, 0x2000));
    }
    const auto again = handoff::CommandLine::parse(line->text());
    HOLDS(again && again->text() == line->text() && again->words().size() == line->words().size());
    static_cast<void>(handoff::swiotlb_option(*line, "7.3.4"));

    // What a kernel that the table covers reads, one that it does not cover may read as well, and more.
    const auto covered = handoff::judge_boot_words(*line, handoff::Series::linux_6_12);
    const auto unknown = handoff::judge_boot_words(*line, std::nullopt);
    HOLDS(covered.findings.size() <= unknown.findings.size());
    for (const auto& finding : covered.findings) HOLDS(!finding.word.for_init && !finding.effect.why.empty());
    const auto take = handoff::early_take(covered, base::GiB);
    HOLDS(take.largest <= take.bytes);
    const handoff::CommandLine crash = handoff::for_crash_kernel(*line);
    HOLDS(!crash.has("crashkernel") && !crash.has("BOOT_IMAGE"));
    const reference::E820Table firmware{{0, 0x9fc00, 1},
                                        {0x9fc00, 0x400, 2},
                                        {0x100000, 0x7ff00000, 1},
                                        {0x80000000, 0x100000, 3},
                                        {0x100000000, 0x100000000, 1}};
    if (const auto map = handoff::apply_memory_words(table_of(firmware), *line)) {
        sound(*map);
        const auto kernels_map = reference::early_map(firmware, flat);
        HOLDS(kernels_map && same(*map, *kernels_map));
    }
}

void memmap(Input in) {
    const std::string value(text_of(in));
    if (value.find('\0') != value.npos) return static_cast<void>(e820::parse_memmap(value));
    const auto ops = e820::parse_memmap(value);
    if (!ops) return sound(ops.error(), value);
    const auto calls = reference::parse_memmap(value);
    HOLDS(calls.size() == ops->size());
    e820::Table table;
    table.add(*base::AddressRange::from_bounds(0x1000, 0x9fc00), e820::Type::ram);
    table.add(*base::AddressRange::from_bounds(0x100000, 0x80000000), e820::Type::ram);
    table.add(*base::AddressRange::from_bounds(0x80000000, 0x90000000), e820::Type::nvs);
    for (std::size_t i = 0; i < ops->size(); ++i) {
        // The kernel reads the part to its end, and as the same operation.
        using What = reference::MemmapCall::What;
        HOLDS(calls[i].has_value());
        const reference::MemmapCall& call = *calls[i];
        const auto same = [&](const base::AddressRange& r) {
            const std::uint64_t most = ~std::uint64_t{0} - call.addr;  // both cut there
            return r.start() == call.addr && r.size() == std::min(call.size, most);
        };
        const auto type = [](std::uint32_t t) { return static_cast<e820::Type>(t); };
        if (std::holds_alternative<e820::ExactMap>((*ops)[i]))
            HOLDS(call.what == What::forget);
        else if (const auto* add = std::get_if<e820::AddRange>(&(*ops)[i]))
            HOLDS(call.what == What::add && same(add->range) && add->type == type(call.to));
        else if (const auto* update = std::get_if<e820::UpdateRange>(&(*ops)[i]))
            HOLDS(call.what == What::update && same(update->range) && update->from == type(call.from) &&
                  update->to == type(call.to));
        else if (const auto* remove = std::get_if<e820::RemoveRange>(&(*ops)[i]))
            HOLDS(call.what == What::remove && same(remove->range) &&
                  remove->type.value_or(type(0)) == type(call.from));
        e820::apply(table, (*ops)[i]);
        const auto again = e820::parse_memmap(e820::to_word((*ops)[i]));
        HOLDS(again && again->size() == 1 && again->front() == (*ops)[i]);
    }
    sound(e820::sanitised(table));
}

void binary_map(Input in) {
    const auto bytes = std::as_bytes(in);
    const auto table = e820::parse_binary(bytes);
    if (!table) return sound(table.error(), "");
    const e820::BootEntries rendered = e820::render_binary(*table);
    std::vector<std::byte> again = rendered.boot_params;
    again.insert(again.end(), rendered.setup_data.begin(), rendered.setup_data.end());
    HOLDS(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
    sound(e820::sanitised(*table));
}

void sanitise(Input in) {
    // Few addresses, so that entries meet; some anywhere.
    Choices choices(in);
    constexpr std::uint32_t types[] = {1, 2, 3, 4, 5, 7, 12, 20, 128, 0xefffffff, 0};
    e820::Table table;
    reference::E820Table plain;
    while (!choices.done()) {
        const std::uint64_t start =
            choices.rarely(16) ? choices.number(0, ~std::uint64_t{0}) : choices.number(0, 31) << 12;
        const std::uint64_t size =
            choices.rarely(16) ? choices.number(0, ~std::uint64_t{0} - start) : choices.number(0, 15) << 12;
        const auto range = base::AddressRange::from_size(start, size);
        if (!range) continue;
        const std::uint32_t type = choices.pick(types);
        table.add(*range, static_cast<e820::Type>(type));
        plain.push_back({start, size, type});
    }
    const e820::Table ours = e820::sanitised(table);
    sound(ours);
    if (const auto kernels = reference::update_table(plain)) HOLDS(same(ours, *kernels));
    HOLDS(e820::sanitised(ours) == ours);
}

void json_map(Input in) {
    const auto table = e820::parse_json(text_of(in));
    if (!table) return sound(table.error(), text_of(in));
    const auto again = e820::parse_json(to_json(*table).dump());
    HOLDS(again && *again == *table);
}

void elf_core(Input in) {
    const auto core = handoff::parse_elf_core(std::as_bytes(in));
    if (!core) return sound(core.error(), "");
    for (const base::AddressRange& r : core->loads) HOLDS(!r.empty());
}

void kcore(Input in) {
    base::Fd file(::memfd_create("kcore", MFD_CLOEXEC));
    HOLDS(file && ::write(file.get(), in.data(), in.size()) == static_cast<ssize_t>(in.size()));
    const auto core = handoff::Core::open(std::move(file));
    if (!core) return sound(core.error(), "");
    const handoff::MemoryReader read = [&](handoff::Address at, std::size_t size) { return core->read(at, size); };
    const handoff::Symbols symbols = {{"io_tlb_start", 0xffffffff82000000},
                                      {"io_tlb_end", 0xffffffff82000008},
                                      {"io_tlb_nslabs", 0xffffffff82000010},
                                      {"sme_me_mask", 0},
                                      {"sev_status", ~std::uint64_t{0} - 3}};
    const auto pool = handoff::read_pool(
        symbols, [] { return handoff::Result<handoff::PoolLayout>(base::input_error(0, "none")); }, read);
    if (pool && *pool) HOLDS(!(*pool)->empty() && (*pool)->size() % 2048 == 0);
    static_cast<void>(handoff::read_amd_encryption(symbols, read));
}

// The input is the memory, from address 0 on.
void loaded_kernel(Input in) {
    const handoff::MemoryReader read = [&](handoff::Address at,
                                           std::size_t size) -> handoff::Result<std::vector<std::byte>> {
        HOLDS(size <= 64 * base::KiB);
        if (at > in.size() || size > in.size() - at) return base::input_error(0, "none");
        const auto bytes = std::as_bytes(in.subspan(at, size));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    const handoff::ImageLayout layout{56, 64, 16, 32, 16, 24};
    const auto loaded = handoff::read_loaded_kernel(0, layout, read, read);
    if (!loaded) return sound(loaded.error(), "");
    if (!*loaded) return;
    HOLDS(!(*loaded)->segments.empty() && (*loaded)->segments.size() <= layout.most);
    for (const base::AddressRange& r : (*loaded)->segments) HOLDS(!r.empty());
    HOLDS(text_of(in).find((*loaded)->command_line) != std::string_view::npos);
    HOLDS((*loaded)->command_line.find('\0') == std::string::npos);
}

void btf(Input in) {
    if (const auto image = handoff::image_layout(handoff::read_at(std::as_bytes(in)))) {
        HOLDS(image->most * image->segment_size <= 64 * base::KiB && image->segments <= 64 * base::KiB);
        HOLDS(image->start < image->segment_size && image->size < image->segment_size);
    }
    const auto layout = handoff::pool_layout(handoff::read_at(std::as_bytes(in)));
    if (!layout) return sound(layout.error(), "");
    const auto minimal = handoff::minimal_btf(*layout);
    const auto again = handoff::pool_layout(handoff::read_at(minimal));
    HOLDS(again && *again == *layout);
}

void kallsyms(Input in) {
    static const TempTree tree;
    tree.write("proc/kallsyms", text_of(in));
    const auto symbols = handoff::Host(tree.path()).symbols(handoff::wanted_symbols());
    if (!symbols) return sound(symbols.error(), text_of(in));
    for (const auto& [name, address] : *symbols)
        HOLDS(address != 0 && text_of(in).find(name) != std::string_view::npos);
}

// Tables lie one after the other in what was read, and a shorter initrd has no others.
void early_cpio(Input in) {
    const auto found = handoff::read_early_cpio(std::as_bytes(in));
    if (!found) return sound(found.error(), text_of(in));
    HOLDS(found->end <= in.size());
    HOLDS(found->acpi_tables.size() <= 64);
    std::uint64_t sum = 0;
    for (const handoff::EarlyAcpiTable& table : found->acpi_tables) {
        HOLDS(table.name.starts_with("kernel/firmware/acpi/") && table.bytes >= 36);
        HOLDS(text_of(in).find(table.name) != std::string_view::npos);
        sum += table.bytes;
    }
    HOLDS(sum <= in.size());
    HOLDS(found->acpi_bytes() >= sum && found->acpi_bytes() % 4096 == 0);
    const auto half = handoff::read_early_cpio(std::as_bytes(in.first(in.size() / 2)));
    if (!half) return;
    HOLDS(half->acpi_tables.size() <= found->acpi_tables.size());
    HOLDS(std::equal(half->acpi_tables.begin(), half->acpi_tables.end(), found->acpi_tables.begin()));
}

// What is unpacked stays within the limits, and nothing is there that takes no room in it.
void initrd_contents(Input in) {
    const handoff::InitrdLimits limits{4 * base::MiB, 4096};
    const auto bytes = std::as_bytes(in);
    const auto contents = handoff::read_initrd_contents(in.size(), handoff::read_at(bytes), limits);
    if (!contents) {
        HOLDS(contents.error().what.starts_with("expected an initrd, found at offset "));
        return;
    }
    HOLDS(contents->inodes <= limits.entries && contents->symbolic_links <= contents->inodes);
    HOLDS(contents->file_bytes % 4096 == 0);
    HOLDS(contents->file_bytes <= limits.unpacked_bytes + contents->inodes * 4096);
    HOLDS(contents->packed_root_bytes <= contents->file_bytes);
    HOLDS(contents->modules.size() <= limits.entries);
}

// What a capture keeps says the same, and is kept again as it is. As an image, too, and as a file that is compressed.
void kernel_config(Input in) {
    const std::string_view text = text_of(in);
    const auto config = handoff::parse_kernel_config(text);
    const std::string reduced = handoff::reduced_kernel_config(text);
    HOLDS(handoff::reduced_kernel_config(reduced) == reduced);
    if (config) {
        auto again = handoff::parse_kernel_config(reduced);
        HOLDS(again && again->command_line.size() == config->command_line.size());
        again->command_line = config->command_line;
        HOLDS(*again == *config);
        HOLDS(handoff::early_take(*config, 65535, 64 * base::GiB).largest <= 64 * base::GiB);
    } else {
        sound(config.error(), text);
    }
    if (const auto inside = handoff::embedded_config(text)) HOLDS(inside->size() <= 4 * base::MiB);
    const auto unpacked = handoff::gunzip(text, base::MiB);
    HOLDS(!unpacked || unpacked->size() <= base::MiB);
}

void bzimage(Input in) {
    const auto image = handoff::image_of(handoff::read_at(std::as_bytes(in)), in.size());
    if (!image) return sound(image.error(), text_of(in));
    HOLDS(image->init_size != 0);
    HOLDS(image->kernel_alignment != 0 && (image->kernel_alignment & (image->kernel_alignment - 1)) == 0);
    HOLDS(image->payload_bytes <= in.size());
}

void load_report(Input in) {
    const auto segments = handoff::parse_segments(text_of(in));
    if (!segments) return sound(segments.error(), text_of(in));
    for (const base::AddressRange& r : *segments) HOLDS(!r.empty());
}

void kexec_arguments(Input in) {
    std::vector<std::string> words;
    for (std::string_view rest = text_of(in); !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find('\0'));
        words.emplace_back(word);
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    const auto arguments = handoff::read_kexec_arguments(words);
    if (!arguments || !arguments->panic_load) return;
    // The same load, with words at the end of its command line.
    const auto changed = handoff::read_kexec_arguments(handoff::with_words(*arguments, "a=b swiotlb=32768", "6.12.1"));
    HOLDS(changed && changed->panic_load && changed->debug);
    HOLDS(changed->kernel == arguments->kernel && changed->initrd == arguments->initrd &&
          changed->loader == arguments->loader);
    const auto line = handoff::kexec_command_line(*changed, "root=/dev/sda", "2.0.32");
    HOLDS(!line || line->ends_with("a=b swiotlb=32768"));
}

void record(Input in) {
    const auto record = handoff::parse_record(text_of(in));
    if (!record) return sound(record.error(), text_of(in));
    for (const handoff::Reason& reason : handoff::judge_record(*record))
        HOLDS(reason.text.find('\n') == std::string::npos);
    const auto again = handoff::parse_record(handoff::record_document(*record).dump());
    HOLDS(again && *again == *record);
}

void kdump_config(Input in) {
    for (const handoff::KdumpService& service : handoff::kdump_services()) {
        static_cast<void>(handoff::assigned(text_of(in), "KDUMP_CMDLINE"));
        static_cast<void>(handoff::likely_command_line(service, text_of(in), "root=/dev/sda quiet"));
        const auto with = handoff::with_handoff(text_of(in), service, "/usr/lib/swiotlb-handoff");
        const auto without = handoff::without_handoff(text_of(in), service, "/usr/lib/swiotlb-handoff");
        const auto has = handoff::handoff_in(text_of(in), service, "/usr/lib/swiotlb-handoff");
        if (!has) sound(has.error(), text_of(in));
        // What was put in is found, put in once, and taken out again.
        if (with) {
            const auto there = handoff::handoff_in(*with, service, "/usr/lib/swiotlb-handoff");
            HOLDS(there && *there == handoff::ConfigState::present);
            const auto twice = handoff::with_handoff(*with, service, "/usr/lib/swiotlb-handoff");
            HOLDS(twice && *twice == *with);
            const auto undone = handoff::without_handoff(*with, service, "/usr/lib/swiotlb-handoff");
            HOLDS(undone && without && *undone == *without);
        }
        if (without) {
            const auto there = handoff::handoff_in(*without, service, "/usr/lib/swiotlb-handoff");
            HOLDS(there && *there == handoff::ConfigState::absent);
        }
    }
}

void neighbours(Input in) {
    const std::string_view text = text_of(in), addresses = text.substr(0, text.find('\0'));
    const std::string_view sizes = text.substr(std::min(text.size(), addresses.size() + 1));
    const auto cma = handoff::parse_cma_ranges(text);
    if (!cma) sound(cma.error(), text);
    const auto scratch = handoff::parse_kho_scratch(addresses, sizes);
    if (!scratch) sound(scratch.error(), text);
    const auto device = handoff::parse_dma_device(
        {"0000:00:1f.2", std::string(addresses), std::string(sizes), std::string(sizes), {}, {}});
    if (!device) sound(device.error(), text);
    const std::string reduced = handoff::reduced_uevent(text);
    HOLDS(handoff::reduced_uevent(reduced) == reduced);
}

/// A whole machine of which one file is the fuzzer's: everything that reads it, together.
void machine(Input in) {
    static constexpr const char* files[] = {"sys/firmware/acpi/tables/SRAT",
                                            "proc/iomem",
                                            "dmesg",
                                            "proc/cmdline",
                                            "sys/devices/system/cpu/possible",
                                            "sys/kernel/debug/swiotlb/io_tlb_nslabs",
                                            "proc/cpuinfo",
                                            "sys/kernel/security/lockdown",
                                            "usr/sbin/kexec",
                                            "proc/sys/kernel/osrelease",
                                            "sys/kernel/kexec_crash_size",
                                            "sys/devices/system/node/has_memory",
                                            "boot/config-6.1.0"};
    static const TempTree tree;
    static constexpr std::string_view iomem =
        "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n  70000000-7affffff : Crash kernel\n";
    static constexpr std::string_view log =
        "[    0.000000] Linux version 6.1.0 (x)\n[    0.1] software IO TLB: mapped [mem "
        "0x000000006c000000-0x0000000070000000] (64MB)\n";
    Choices choices(in);
    const char* chosen = choices.pick(files);
    tree.write("proc/iomem", iomem);
    tree.write("dmesg", log);
    tree.write(chosen, choices.rest());
    const auto machine = handoff::gather(handoff::Host(tree.path()));
    std::filesystem::remove(tree / chosen);
    if (!machine) {
        HOLDS(!machine.error().what.empty() && machine.error().what.find('\n') == std::string::npos);
        return;
    }
    handoff::PlanRequest request;
    request.command_line = "nr_cpus=1 swiotlb=force";
    for (const handoff::Reason& reason : handoff::plan(*machine, request).reasons)
        HOLDS(reason.text.find('\n') == std::string::npos);
}

}  // namespace fuzz
