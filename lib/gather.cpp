// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "e820/byte_cursor.hpp"
#include "e820/excerpt.hpp"
#include "e820/firmware_memmap.hpp"
#include "e820/log.hpp"
#include "e820/number.hpp"
#include "e820/type.hpp"
#include "lib/host.hpp"
#include "lib/kernel_log.hpp"
#include "lib/kernel_memory.hpp"
#include "lib/machine.hpp"
#include "lib/scan.hpp"

namespace handoff {
namespace {

using std::string_view;

/// Spellings of the pool in /proc/iomem: the first is that of the patches in kernel/,
/// others may come. No released kernel up to 7.2 shows any.
constexpr std::array<string_view, 5> pool_names{"Software IO TLB", "software IO TLB", "swiotlb", "SWIOTLB", "Swiotlb"};

bool names_pool(string_view name) {
    return std::any_of(pool_names.begin(), pool_names.end(), [&](string_view known) {
        return name == known || (name.starts_with(known) && name.substr(known.size()).starts_with(" ("));
    });
}

string_view trimmed(string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    return text;
}

/// What is gathered, and what the steps need of each other.
struct Gathering {
    const Host& host;
    Machine machine{};
    std::string log_text{};
    KernelLog log{};
    Symbols symbols{};
    std::optional<Core> core{};

    [[nodiscard]] std::string path(Source source) const { return std::string(host.path(source)); }

    void note(Error error, Source source) { machine.unread.push_back(std::move(error).at(host.path(source))); }

    /// A value that may be missing: where it cannot be had that is noted, unless
    /// there is no such file.
    template <class T>
    std::optional<T> optional(Result<T> result, Source source) {
        if (result) return *std::move(result);
        if (result.error().code != Errc::not_found) note(std::move(result).error(), source);
        return std::nullopt;
    }
    std::optional<std::string> text(Source source) { return optional(host.read(source), source); }
};

/// A step fails only where its source is malformed.
using Failure = std::optional<Error>;

// --- /proc/iomem ----------------------------------------------------------------------------------------------

/// The kernel's resources form a tree: memory that is listed twice at its top level, as one thing or as two, or a reservation
/// outside of RAM, is no /proc/iomem of a kernel, and nobody can tell what is meant. (Further down RAM is named again where it
/// was given back: kernel/kexec_core.c, crash_shrink_memory().)
Failure contradiction(const std::vector<IomemEntry>& entries) {
    const auto is_memory = [](const IomemEntry& e) { return e.depth == 0 && e820::from_iomem_name(e.name) && !e.range.empty(); };
    const auto is_reserved = [](const IomemEntry& e) { return e.name.starts_with("Crash kernel") && !e.range.empty(); };
    RangeSet memory, ram, reserved;
    for (const IomemEntry& e : entries) {
        if (!is_memory(e) && !is_reserved(e)) continue;
        RangeSet& same = is_memory(e) ? memory : reserved;
        if (same.overlaps(e.range))
            return e820::input_error(e.line, fmt::format("expected '{}' once for each address, found {} taken already", e.name, e820::to_string(e.range)));
        same.add(e.range);
        if (is_memory(e) && e.name == "System RAM") ram.add(e.range);
    }
    for (const IomemEntry& e : entries)
        if (is_reserved(e) && !ram.contains(e.range))
            return e820::input_error(e.line, fmt::format("expected '{}' inside of one System RAM range, found {}", e.name, e820::to_string(e.range)));
    return std::nullopt;
}

void take_iomem_facts(Gathering& g) {
    Machine& machine = g.machine;
    const std::string file = g.path(Source::iomem);
    std::vector<AddressRange> ram;
    machine.crash_kernel_from = {file, 0};
    for (const IomemEntry& entry : machine.iomem) {
        const AddressRange& range = entry.range;
        if (range.empty()) continue;
        if (entry.name == "System RAM") ram.push_back(range);
        // arm64 says "Crash kernel (low)".
        if (entry.name == "Crash kernel" || entry.name.starts_with("Crash kernel (")) {
            if (machine.crash_kernel.empty()) machine.crash_kernel_from.line = entry.line;
            machine.crash_kernel.push_back(range);
        }
        // "Kernel code", "Kernel rodata", "Kernel data", "Kernel bss": one image, with holes that are free.
        if (entry.name.starts_with("Kernel ")) {
            const auto known = machine.kernel_image.value_or(range);
            machine.kernel_image =
                AddressRange::from_bounds(std::min(known.start(), range.start()), std::max(known.end(), range.end()));
        }
        if (names_pool(entry.name)) machine.pool.push_back({range, PoolSource::iomem, {file, entry.line}});
    }
    machine.ram = RangeSet(std::move(ram));
    std::sort(machine.crash_kernel.begin(), machine.crash_kernel.end());
}

Failure read_iomem(Gathering& g) {
    auto text = g.host.read(Source::iomem);
    if (!text && text.error().code == Errc::not_found) return std::nullopt;
    if (!text) return std::move(text).error();
    auto entries = parse_iomem(*text);
    if (!entries) return std::move(entries).error().at(g.path(Source::iomem));
    if (auto error = contradiction(*entries)) return std::move(*error).at(g.path(Source::iomem));
    g.machine.iomem = *std::move(entries);
    take_iomem_facts(g);
    return std::nullopt;
}

// --- the kernel log -------------------------------------------------------------------------------------------

Failure read_log(Gathering& g) {
    auto text = g.optional(g.host.kernel_log(), Source::kernel_log);
    if (!text) return std::nullopt;
    auto log = parse_kernel_log(*text);
    if (!log) return std::move(log).error().at(g.path(Source::kernel_log));
    g.log = *std::move(log);
    g.log_text = *std::move(text);
    if (g.log.boots > 1) {
        g.note(e820::input_error(g.log.first_line,
                                 fmt::format("the log holds {} boots, the last one counts", g.log.boots)),
               Source::kernel_log);
    }
    return std::nullopt;
}

/// What only the log says, and what nobody else has said so far.
void take_log_facts(Gathering& g) {
    Machine& machine = g.machine;
    const KernelLog& log = g.log;
    const std::string file = g.path(Source::kernel_log);
    for (const auto* pool : {&log.pool, &log.other_pool})
        if (*pool) machine.pool.push_back({(*pool)->value, PoolSource::log, {file, (*pool)->line}});
    machine.other_architecture = log.other_architecture;
    machine.pool_torn_down = log.pool_torn_down;
    if (machine.iomem.empty()) {
        for (const auto* reserved : {&log.crash_kernel, &log.crash_kernel_low}) {
            if (!*reserved) continue;
            if (machine.crash_kernel.empty()) machine.crash_kernel_from = {file, (*reserved)->line};
            machine.crash_kernel.push_back((*reserved)->value);
        }
        std::sort(machine.crash_kernel.begin(), machine.crash_kernel.end());
    }
    if (log.initrd) {
        machine.initrd = log.initrd->value;
        machine.initrd_bytes = log.initrd->value.size();
    }
    if (log.memory_nodes && !machine.memory_nodes) machine.memory_nodes = log.memory_nodes->value;
    if (log.possible_cpus && !machine.possible_cpus) machine.possible_cpus = log.possible_cpus->value;
    if (log.srat_memory_end) machine.srat_memory_end = log.srat_memory_end->value;
    machine.efi = machine.efi || log.efi;
    machine.xen = machine.xen || log.xen;
}

// --- release and command line ---------------------------------------------------------------------------------

void read_release(Gathering& g) {
    if (const auto release = g.text(Source::release)) {
        g.machine.release = trimmed(*release);
    } else if (const auto version = g.text(Source::version); version && version->starts_with("Linux version ")) {
        const string_view rest = trimmed(*version).substr(14);
        g.machine.release = rest.substr(0, rest.find(' '));
    } else if (g.log.release) {
        g.machine.release = g.log.release->value;
    }
}

Failure read_command_line(Gathering& g) {
    if (const auto text = g.text(Source::command_line)) {
        const string_view line = trimmed(*text);
        if (line.find_first_of(string_view("\0\n", 2)) != line.npos) {
            return e820::input_error(0, "expected one line of text, found a NUL byte or a second line")
                .at(g.path(Source::command_line));
        }
        g.machine.command_line = line;
    } else if (g.log.command_line) {
        g.machine.command_line = g.log.command_line->value;
        if (g.log.command_line_cut) {
            g.note(
                e820::input_error(g.log.command_line->line, "the command line is so long that printk may have cut it"),
                Source::kernel_log);
        }
    }
    return std::nullopt;
}

// --- the memory map -------------------------------------------------------------------------------------------

/// nullopt as a table: no such source.
Result<std::optional<e820::Table>> firmware_map(Gathering& g) {
    const auto files = g.optional(g.host.firmware_map(), Source::firmware_map);
    if (!files || files->empty()) return std::optional<e820::Table>();
    std::vector<e820::FirmwareMapEntry> entries;
    for (const FirmwareMapFiles& f : *files) entries.push_back({f.name, f.start, f.end, f.type});
    auto table = e820::parse_firmware_memmap(entries);
    if (!table) return std::move(table).error().at(g.path(Source::firmware_map));
    return std::optional(*std::move(table));
}

Result<std::optional<e820::LogMap>> log_map(Gathering& g) {
    auto boots = e820::parse_log_table(g.log_text);
    if (!boots) return std::move(boots).error().at(g.path(Source::kernel_log));
    if (boots->empty()) return std::optional<e820::LogMap>();
    const e820::LogMap* firmware = boots->back().find(e820::MapKind::firmware);
    const e820::LogMap* extended = boots->back().find(e820::MapKind::extended);
    const e820::LogMap* map = extended ? extended : firmware;
    if (!map || map->line < g.log.first_line) return std::optional<e820::LogMap>();
    if (!map->headed) {
        g.note(e820::input_error(map->line, "expected a heading above the memory map: its beginning may be lost"),
               Source::kernel_log);
        return std::optional<e820::LogMap>();
    }
    return std::optional(*map);
}

Failure read_map(Gathering& g) {
    Machine& machine = g.machine;
    auto firmware = firmware_map(g);
    if (!firmware) return std::move(firmware).error();
    auto log = log_map(g);
    if (!log) return std::move(log).error();

    if (*firmware) {
        machine.map = e820::sanitised(**firmware);
        machine.map_from = {g.path(Source::firmware_map), 0};
    } else if (*log) {
        machine.map = e820::sanitised((*log)->table);
        machine.map_from = {g.path(Source::kernel_log), (*log)->line};
    } else if (!machine.iomem.empty()) {
        e820::Table shown;
        for (const IomemEntry& entry : machine.iomem) {
            const auto type = e820::from_iomem_name(entry.name);
            if (type && !entry.range.empty()) shown.add(entry.range, *type);
        }
        machine.map = e820::sanitised(shown);
        machine.map_from = {g.path(Source::iomem), 0};
    }
    if (machine.iomem.empty()) machine.ram = machine.map.of(e820::Type::ram);
    return std::nullopt;
}

// --- single values --------------------------------------------------------------------------------------------

std::optional<std::uint64_t> read_count(Gathering& g, Source source) {
    const auto text = g.text(source);
    if (!text) return std::nullopt;
    const auto value = e820::parse_number(trimmed(*text), 10);
    if (!value) {
        g.note(e820::input_error(1, fmt::format("expected a decimal number, found {}", e820::excerpt(trimmed(*text)))),
               source);
    }
    return value;
}

/// How many numbers a list such as "0-3,5" names (Documentation/admin-guide/cputopology.rst).
std::optional<unsigned> count_of_list(string_view list) {
    constexpr std::uint64_t most = 1 << 20;
    std::uint64_t count = 0;
    while (!list.empty()) {
        const string_view part = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), part.size() + 1));
        const auto dash = part.find('-');
        const auto first = e820::parse_number(part.substr(0, dash), 10);
        const auto last = dash == part.npos ? first : e820::parse_number(part.substr(dash + 1), 10);
        if (!first || !last || *last < *first || *last - *first >= most - count) return std::nullopt;
        count += *last - *first + 1;
    }
    return count == 0 ? std::nullopt : std::optional(static_cast<unsigned>(count));
}

std::optional<unsigned> read_list(Gathering& g, Source source) {
    const auto text = g.text(source);
    if (!text) return std::nullopt;
    const auto count = count_of_list(trimmed(*text));
    if (!count) {
        g.note(
            e820::input_error(1, fmt::format("expected a list such as 0-3,5, found {}", e820::excerpt(trimmed(*text)))),
            source);
    }
    return count;
}

/// The end of the highest memory that an SRAT table names; nullopt where it is no such table.
std::optional<Address> srat_memory_end(string_view table) {
    constexpr std::size_t header_size = 48, memory_affinity = 1, memory_affinity_size = 40;
    const auto bytes = std::as_bytes(std::span(table.data(), table.size()));
    const auto at = [&](std::size_t offset) { return e820::ByteCursor(bytes.subspan(offset)); };
    if (!table.starts_with("SRAT") || table.size() < header_size) return std::nullopt;
    Address end = 0;
    for (std::size_t offset = header_size; bytes.size() - offset >= 2;) {
        const auto type = std::to_integer<unsigned>(bytes[offset]);
        const auto size = std::to_integer<std::size_t>(bytes[offset + 1]);
        if (size < 2 || size > bytes.size() - offset) return std::nullopt;
        if (type == memory_affinity && size >= memory_affinity_size) {
            const auto range = AddressRange::from_size(at(offset + 8).take<std::uint64_t>().value_or(0),
                                                       at(offset + 16).take<std::uint64_t>().value_or(0));
            const bool enabled = (at(offset + 28).take<std::uint32_t>().value_or(0) & 1) != 0;
            if (!range) return std::nullopt;
            if (enabled) end = std::max(end, range->end());
        }
        offset += size;
    }
    return end == 0 ? std::nullopt : std::optional(end);
}

void read_srat(Gathering& g) {
    if (g.machine.srat_memory_end) return;
    const auto table = g.text(Source::srat);
    if (!table) return;
    g.machine.srat_memory_end = srat_memory_end(*table);
    if (!g.machine.srat_memory_end) g.note(e820::input_error(0, "expected an ACPI SRAT table"), Source::srat);
}

void read_kexec_tools(Gathering& g) {
    if (auto version = g.host.kexec_tools()) g.machine.kexec_tools = *std::move(version);
    g.machine.random_ready = g.host.random_ready();
    g.machine.efi_runtime_map = g.machine.efi && (!g.host.live() || g.host.exists(Source::efi_runtime_map));
}

void read_devices(Gathering& g) {
    const auto files = g.optional(g.host.pci_devices(), Source::pci_devices);
    if (!files) return;
    std::vector<DmaDevice> devices;
    std::vector<std::string> external;
    for (const PciDeviceFiles& one : *files) {
        if (trimmed(one.removable) == "removable") external.push_back(one.name);
        auto device = parse_dma_device(one);
        if (!device) {
            // One that cannot be read might be the one that matters.
            g.machine.unread.push_back(std::move(device).error().at(g.path(Source::pci_devices) + "/" + one.name));
            return;
        }
        if (*device) devices.push_back(*std::move(*device));
    }
    g.machine.devices = std::move(devices);
    g.machine.external_devices = std::move(external);
}

void read_platform_devices(Gathering& g) {
    const auto files = g.optional(g.host.platform_devices(), Source::platform_devices);
    if (!files) return;
    g.machine.platform_devices.emplace();
    for (const auto& [name, uevent] : *files)
        if (auto device = parse_platform_device(name, uevent)) g.machine.platform_devices->push_back(*std::move(device));
}

void read_neighbours(Gathering& g) {
    Neighbours& n = g.machine.neighbours;
    if (g.log.crash_cma) n.cma_bytes = g.log.crash_cma->value;
    for (const Source source : {Source::cma_ranges, Source::cma_ranges_flat}) {
        const auto text = n.cma ? std::nullopt : g.text(source);
        if (text) n.cma = g.optional(parse_cma_ranges(*text), source);
    }
    const auto addresses = g.text(Source::kho_scratch_addresses), sizes = g.text(Source::kho_scratch_sizes);
    if (addresses && sizes) n.kho_scratch = g.optional(parse_kho_scratch(*addresses, *sizes), Source::kho_scratch_addresses);
    if (const auto value = read_count(g, Source::memory_crash_hotplug)) n.memory_crash_hotplug = *value != 0;
    if (const auto value = read_count(g, Source::cpu_crash_hotplug)) n.cpu_crash_hotplug = *value != 0;
}

void read_values(Gathering& g) {
    Machine& machine = g.machine;
    machine.slabs = read_count(g, Source::slabs);
    machine.slabs_used = read_count(g, Source::slabs_used);
    machine.slabs_hiwater = read_count(g, Source::slabs_hiwater);
    machine.crash_size = read_count(g, Source::crash_size);
    machine.possible_cpus = read_list(g, Source::possible_cpus);
    machine.memory_nodes = read_list(g, Source::memory_nodes);
    machine.efi = g.host.exists(Source::efi);
    // "[none] integrity confidentiality": the mode in force is in brackets.
    if (const auto lockdown = g.text(Source::lockdown))
        machine.lockdown = lockdown->find("[none]") == std::string::npos;
    if (const auto hypervisor = g.text(Source::hypervisor)) machine.xen = trimmed(*hypervisor) == "xen";
}

// --- the kernel's memory --------------------------------------------------------------------------------------

void open_memory(Gathering& g) {
    auto file = g.optional(g.host.open(Source::kcore), Source::kcore);
    if (!file) return;
    auto core = g.optional(Core::open(*std::move(file)), Source::kcore);
    if (!core) return;
    auto symbols = g.optional(g.host.symbols(wanted_symbols()), Source::kallsyms);
    if (!symbols) return;
    g.symbols = *std::move(symbols);
    g.core = *std::move(core);
}

MemoryReader reader_of(const Gathering& g) {
    return [&g](Address address, std::size_t size) -> Result<std::vector<std::byte>> {
        auto bytes = g.core->read(address, size);
        if (!bytes) return std::move(bytes).error().at(g.path(Source::kcore));
        return bytes;
    };
}

void read_pool_in_memory(Gathering& g) {
    if (!g.core) return;
    const auto layout = [&g]() -> Result<PoolLayout> {
        const std::string file = g.path(Source::btf);
        auto btf = g.host.read(Source::btf);
        if (!btf) return std::move(btf).error();
        auto offsets = pool_layout(std::as_bytes(std::span(*btf)));
        if (!offsets) return std::move(offsets).error().at(file);
        return offsets;
    };
    auto pool = read_pool(g.symbols, layout, reader_of(g));
    if (!pool) {
        // Here a thing not found is worth a word: the rest was there. And a kernel with another
        // structure may have another mind about where its pool goes.
        Error error = std::move(pool).error().at(g.path(Source::kcore));
        if (error.code == Errc::input) g.machine.pool_not_understood = error;
        g.note(std::move(error), Source::kcore);
    } else if (*pool) {
        g.machine.pool.push_back({**pool, PoolSource::memory, {g.path(Source::kcore), 0}});
    } else {
        g.machine.no_pool_in_memory = true;
    }
}

// --- encryption -----------------------------------------------------------------------------------------------

/// The value of "name\t: value" of the first processor in /proc/cpuinfo; "" without one.
string_view cpuinfo_value(string_view cpuinfo, string_view name) {
    while (!cpuinfo.empty()) {
        const string_view line = cpuinfo.substr(0, cpuinfo.find('\n'));
        cpuinfo.remove_prefix(std::min(cpuinfo.size(), line.size() + 1));
        const auto colon = line.find(':');
        if (line.empty() || colon == line.npos) break;
        const string_view key = line.substr(0, colon);
        if (key.substr(0, key.find_last_not_of(" \t") + 1) != name) continue;
        const string_view value = trimmed(line.substr(colon + 1));
        return value.starts_with(' ') ? value.substr(1) : value;
    }
    return {};
}

/// What the processor's flags prove. A TDX guest has "tdx_guest" (arch/x86/coco/tdx/tdx.c,
/// tdx_early_init(), 5.19 and later; no kernel before runs in one). The flags of AMD, "sme" and
/// "sev", say what the processor could do, not what is in use; without "sme" on bare
/// metal there is nothing to use.
Encryption encryption_by_flags(string_view cpuinfo) {
    const string_view vendor = cpuinfo_value(cpuinfo, "vendor_id");
    const string_view flags = cpuinfo_value(cpuinfo, "flags");
    if (vendor.empty() || flags.empty()) return Encryption::unknown;
    if (has_word(flags, "tdx_guest")) return Encryption::tdx;
    // Under a paravisor a TDX guest has no flag of its own: of a guest the flags alone prove nothing.
    if (vendor == "GenuineIntel") return has_word(flags, "hypervisor") ? Encryption::unknown : Encryption::none;
    const bool amd = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
    if (!amd || has_word(flags, "hypervisor") || has_word(flags, "sme")) return Encryption::unknown;
    return Encryption::none;
}

void read_encryption(Gathering& g) {
    const auto decide = [&g](Encryption encryption, Source source, std::size_t line) {
        g.machine.encryption = encryption;
        g.machine.encryption_from = {g.path(source), line};
    };
    const auto cpuinfo = g.text(Source::cpuinfo);
    // The first processor of an x86 machine has both.
    if (cpuinfo && cpuinfo_value(*cpuinfo, "vendor_id").empty() && !cpuinfo_value(*cpuinfo, "CPU implementer").empty())
        g.machine.other_architecture = true;
    const Encryption flags = cpuinfo ? encryption_by_flags(*cpuinfo) : Encryption::unknown;
    auto memory = Encryption::unknown;
    if (g.core) {
        auto amd = read_amd_encryption(g.symbols, reader_of(g));
        if (amd) memory = *amd;
        if (!amd && amd.error().code != Errc::not_found) g.note(std::move(amd).error(), Source::kcore);
    }

    // Whoever says that there is some is believed; that there is none takes more.
    if (g.log.encryption && g.log.encryption->value != Encryption::unknown) {
        return decide(g.log.encryption->value, Source::kernel_log, g.log.encryption->line);
    }
    if (flags == Encryption::tdx) return decide(flags, Source::cpuinfo, 0);
    if (memory != Encryption::unknown && memory != Encryption::none) return decide(memory, Source::kcore, 0);
    // Registered by snp_init_platform_device() (arch/x86, 5.19 and later) whether or not its driver is there.
    if (g.host.exists(Source::snp_platform)) return decide(Encryption::sev_snp, Source::snp_platform, 0);
    if (g.log.encryption) return;  // the kernel itself: "Unknown"
    // sme_me_mask is 0; and with the flags at hand a TDX guest would have been seen.
    if (memory == Encryption::none && cpuinfo) return decide(Encryption::none, Source::kcore, 0);
    if (flags == Encryption::none) return decide(Encryption::none, Source::cpuinfo, 0);
    if (encryption_of(g.log) == Encryption::none) return decide(Encryption::none, Source::kernel_log, 0);
}

}  // namespace

const char* name(PoolSource source) {
    switch (source) {
        case PoolSource::iomem:
            return "iomem";
        case PoolSource::memory:
            return "memory";
        case PoolSource::log:
            return "log";
        case PoolSource::user:
            return "user";
    }
    return "";
}

const char* name(Encryption encryption) {
    switch (encryption) {
        case Encryption::none:
            return "none";
        case Encryption::sme:
            return "SME";
        case Encryption::sev:
            return "SEV";
        case Encryption::sev_es:
            return "SEV-ES";
        case Encryption::vbs:
            return "VBS";
        case Encryption::sev_snp:
            return "SEV-SNP";
        case Encryption::tdx:
            return "TDX";
        case Encryption::unknown:
            return "unknown";
    }
    return "";
}

Result<Machine> gather(const Host& host) {
    if (auto root = host.open_root(); !root) return std::move(root).error();
    Gathering g{host};
    g.machine.live = host.live();
    // In order of trust, since each adds what it saw of the pool behind the others.
    if (auto failure = read_iomem(g)) return std::move(*failure);
    open_memory(g);
    read_pool_in_memory(g);
    if (auto failure = read_log(g)) return std::move(*failure);
    read_values(g);
    take_log_facts(g);
    read_srat(g);
    read_kexec_tools(g);
    read_devices(g);
    read_platform_devices(g);
    read_neighbours(g);
    read_release(g);
    if (auto failure = read_command_line(g)) return std::move(*failure);
    if (auto failure = read_map(g)) return std::move(*failure);
    read_encryption(g);
    return std::move(g.machine);
}

}  // namespace handoff
