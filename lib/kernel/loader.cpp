// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/loader.hpp"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

namespace handoff {
namespace {

using base::align_up;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Type;

// All of them, or more than there can be where they do not fit into 64 bits.
std::uint64_t sum(std::initializer_list<std::uint64_t> sizes) {
    std::uint64_t total = 0;
    for (const std::uint64_t size : sizes) total += std::min(size, ~total);
    return total;
}

class Layout {
public:
    Layout(Load& load, const AddressRange& reservation) : load_(load), free_({reservation}) {}

    Result<AddressRange> top_down(const char* what, std::uint64_t bytes, std::uint64_t align = page_size) {
        const auto place = fits(bytes) ? free_.highest_fit(align_up(bytes, page_size), align) : std::nullopt;
        if (!place) return no_room(what, bytes);
        return put(what, *place);
    }
    Result<AddressRange> bottom_up(const char* what, std::uint64_t bytes) {
        if (fits(bytes))
            for (const AddressRange& r : free_.ranges())
                if (r.size() >= align_up(bytes, page_size))
                    return put(what, *AddressRange::from_size(r.start(), align_up(bytes, page_size)));
        return no_room(what, bytes);
    }

private:
    // What has more bytes than there are would wrap where it is rounded up.
    [[nodiscard]] bool fits(std::uint64_t bytes) const {
        return bytes <= free_.size() && bytes <= ~std::uint64_t{0} - page_size;
    }
    static Error no_room(const char* what, std::uint64_t bytes) {
        return base::input_error(
            0, fmt::format("expected room for the {} ({} KiB) in the crashkernel reservation, found none", what,
                           bytes / KiB + (bytes % KiB != 0)));
    }
    AddressRange put(const char* what, const AddressRange& place) {
        free_.subtract(place);
        load_.segments.push_back({what, place});
        return place;
    }
    Load& load_;
    RangeSet free_;
};

// ELF header, a note for each CPU, vmcoreinfo, the kernel text and a PT_LOAD
// for each piece of RAM: 56 bytes each.
std::uint64_t elf_header_bytes(const Machine& machine) {
    const std::uint64_t headers =
        std::uint64_t{machine.possible_cpus.value_or(1)} + 2 + machine.ram.ranges().size() + 3;
    return align_up(64 + 56 * headers, page_size);
}

// What both loaders tell the crash kernel of the machine besides its RAM. Both
// go by the names in /proc/iomem, at any depth; without that file the map has
// the same ranges.
void add_firmware_ranges(e820::Table& map, const Machine& machine, Loader loader) {
    const auto type_of = [loader](const std::string& name) -> std::optional<Type> {
        if (name == "ACPI Tables") return Type::acpi;
        if (name == "ACPI Non-volatile Storage") return Type::nvs;
        if (name == "Reserved") return Type::reserved;
        if (loader != Loader::kexec_load) return std::nullopt;
        if (name == "reserved") return Type::reserved;
        if (name == "Persistent Memory") return Type::pmem;
        if (name == "Persistent Memory (legacy)") return Type::pram;
        return std::nullopt;
    };
    if (machine.iomem.empty()) {
        for (const e820::Entry& entry : machine.map.entries)
            if (entry.type != Type::ram) map.entries.push_back(entry);
        return;
    }
    for (const IomemEntry& entry : machine.iomem)
        if (const auto type = type_of(entry.name); type && !entry.range.empty()) map.add(entry.range, *type);
}

// Pieces of RAM outside of the reservations as kexec-tools counts them: for each line by itself, although one may touch
// the next (memory that was plugged in) or lie in another (memory that was given back).
std::size_t kexec_ram_pieces(const Machine& machine) {
    std::vector<AddressRange> lines;
    for (const IomemEntry& entry : machine.iomem)
        if (entry.kind() == IomemKind::system_ram && !entry.range.empty()) lines.push_back(entry.range);
    if (machine.iomem.empty()) lines = machine.ram.ranges();
    std::size_t pieces = 0;
    for (const AddressRange& line : lines) {
        RangeSet ram({line});
        for (const AddressRange& c : machine.crash_kernel) ram.subtract(c);
        pieces += ram.ranges().size();
    }
    return pieces;
}

// kexec-tools keeps room for a header of every range that it knows of, although it
// writes one for RAM only (kexec/crashdump-elf.c); in whole KiB, at least 16.
std::uint64_t kexec_elf_header_bytes(const Machine& machine) {
    e820::Table other;
    add_firmware_ranges(other, machine, Loader::kexec_load);
    const std::uint64_t headers =
        std::uint64_t{machine.possible_cpus.value_or(1)} + 2 + kexec_ram_pieces(machine) + other.entries.size();
    return std::max<std::uint64_t>(align_up(64 + 56 * headers, KiB), 16 * KiB);
}

// The first RAM below 640 KiB: kexec-tools' get_backup_area().
AddressRange backup_source(const Machine& machine) {
    for (const AddressRange& r : machine.ram.ranges())
        if (r.end() <= 0xa0000 + 1) return r;
    return *AddressRange::from_bounds(0, 0xa0000);
}

Result<Load> with_kexec_tools(const Machine& machine, const LoadInput& in) {
    Load load;
    load.loader = Loader::kexec_load;
    const AddressRange reservation = machine.crash_kernel.back();
    Layout layout(load, reservation);

    const AddressRange low = backup_source(machine);
    const auto backup = layout.top_down("backup", align_up(low.size(), KiB));
    if (!backup) return backup.error();
    const std::uint64_t elf_bytes = std::max(kexec_elf_header_bytes(machine), align_up(in.elf_header_bytes, KiB));
    const auto elfcorehdr = layout.top_down("elfcorehdr", elf_bytes);
    if (!elfcorehdr) return elfcorehdr.error();
    if (const auto r = layout.top_down("purgatory", 36 * KiB); !r) return r.error();
    const std::uint64_t boot_params =
        sum({std::max<std::uint64_t>(in.setup_bytes, page_size), in.command_line_bytes, 1 + 64, in.slack});
    if (const auto r = layout.top_down("boot_params", boot_params); !r) return r.error();
    if (const auto r = layout.top_down("kernel", in.init_size, in.kernel_alignment); !r) return r.error();
    if (in.initrd_bytes != 0)
        if (const auto r = layout.top_down("initrd", in.initrd_bytes); !r) return r.error();
    // setup_efi_data(), its memory map, and the RNG seed: a page each, from the
    // bottom (add_buffer() with buf_end > 0).
    if (in.setup_data.value_or(true))
        if (const auto r = layout.bottom_up("setup_data", machine.efi_runtime_map ? 3 * page_size : page_size); !r)
            return r.error();

    load.map.add(low, Type::ram);
    RangeSet ram(machine.crash_kernel);
    ram.subtract(*AddressRange::from_size(backup->start(), align_up(low.size(), KiB)));
    ram.subtract(*AddressRange::from_size(elfcorehdr->start(), elf_bytes));
    for (const AddressRange& r : ram.ranges()) load.map.add(r, Type::ram);
    add_firmware_ranges(load.map, machine, in.loader);
    load.map = sanitised(load.map);
    load.added_words = sizeof " elfcorehdr=123456789012K acpi_rsdp=0x1234567812345678" - 1;
    return load;
}

Result<Load> with_kernel(const Machine& machine, const LoadInput& in) {
    Load load;
    load.loader = Loader::kexec_file_load;
    Layout layout(load, machine.crash_kernel.back());

    // As 6.12 and 7.2 do it; everything is a page lower on 6.1, which leaves the last
    // page free (locate_mem_hole_top_down()), and one more on 5.10, whose purgatory
    // is larger.
    const auto elfcorehdr = layout.bottom_up("elfcorehdr", elf_header_bytes(machine));
    if (!elfcorehdr) return elfcorehdr.error();
    if (const auto r = layout.top_down("purgatory", 20 * KiB); !r) return r.error();
    // boot_params, command line and setup_data in one piece; on EFI machines the
    // runtime map as well, whose size is not known.
    const std::uint64_t boot_params = sum({4 * KiB, in.command_line_bytes, 512, in.slack});
    if (const auto r = layout.top_down("boot_params", boot_params); !r) return r.error();
    if (const auto r = layout.top_down("kernel", in.init_size, in.kernel_alignment); !r) return r.error();
    if (in.initrd_bytes != 0)
        if (const auto r = layout.top_down("initrd", in.initrd_bytes); !r) return r.error();

    for (const AddressRange& r : machine.ram.ranges())
        if (const auto low = r.intersect(*AddressRange::from_bounds(0, MiB)); !low.empty())
            load.map.add(low, Type::ram);
    RangeSet ram(machine.crash_kernel);
    ram.subtract(*elfcorehdr);
    for (const AddressRange& r : ram.ranges()) load.map.add(r, Type::ram);
    add_firmware_ranges(load.map, machine, in.loader);
    load.map = sanitised(load.map);
    load.added_words = 30;  // MAX_ELFCOREHDR_STR_LEN, demanded whole
    return load;
}

}  // namespace

const char* name(Loader loader) {
    switch (loader) {
        case Loader::automatic:
            return "auto";
        case Loader::kexec_load:
            return "kexec_load";
        case Loader::kexec_file_load:
            return "kexec_file_load";
    }
    return "unknown";
}

std::optional<Loader> loader_from(std::string_view text) {
    for (const Loader loader : {Loader::automatic, Loader::kexec_load, Loader::kexec_file_load})
        if (text == name(loader)) return loader;
    return std::nullopt;
}

const Segment* Load::find(std::string_view name) const {
    const auto it = std::find_if(segments.begin(), segments.end(), [&](const Segment& s) { return s.name == name; });
    return it == segments.end() ? nullptr : &*it;
}

Result<Load> predict_load(const Machine& machine, const LoadInput& in) {
    if (machine.crash_kernel.empty()) return base::input_error(0, "expected a crashkernel reservation, found none");
    return in.loader == Loader::kexec_file_load ? with_kernel(machine, in) : with_kexec_tools(machine, in);
}

}  // namespace handoff
