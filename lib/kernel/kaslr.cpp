// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/kaslr.hpp"

#include "lib/kernel/loader.hpp"

#include <algorithm>

#include "e820/memmap.hpp"

namespace handoff {

using base::align_up;
using base::MiB;
using e820::Type;

bool switches_kaslr_off(const CommandLine& line) {
    const auto words = line.all("nokaslr");
    return std::any_of(words.begin(), words.end(), [](const Word* word) { return word->text == "nokaslr"; });
}

Kaslr kaslr_with(const CommandLine& line) {
    Kaslr kaslr;
    kaslr.on = !switches_kaslr_off(line);
    for (const Word* word : line.all("memmap")) {
        if (kaslr.avoid.size() >= max_kaslr_regions) break;
        const auto ops = e820::parse_memmap(word->value.value_or(""));
        if (!ops) continue;
        for (const e820::MemmapOp& op : *ops) {
            if (kaslr.avoid.size() >= max_kaslr_regions)
                kaslr.on = false;
            else if (const auto* add = std::get_if<e820::AddRange>(&op);
                     add && add->type != Type::ram && add->range.start() != 0)
                kaslr.avoid.push_back(add->range);
        }
    }
    return kaslr;
}

std::vector<Address> image_addresses(const Load& load, const LoadInput& in, std::uint64_t needed, const Kaslr& kaslr) {
    const Segment* kernel = load.find("kernel");
    if (!kernel) return {};
    std::vector<Address> addresses{kernel->range.start()};
    if (!kaslr.on) return addresses;

    // choose_random_location(): below 512 MiB only where the loader went there.
    const Address minimum = align_up(std::min<Address>(kernel->range.start(), 512 * MiB), in.kernel_alignment);
    RangeSet room = load.map.of(Type::ram);
    // Of its own memory the decompressor avoids only where it runs from, the end:
    // [input, output + init_size) (mem_avoid_init()). The payload is the least of that.
    const std::uint64_t payload = std::min(in.payload_bytes, in.init_size);
    room.subtract(*AddressRange::from_bounds(kernel->range.start() + (in.init_size - payload),
                                             kernel->range.start() + in.init_size));
    for (const char* what : {"initrd", "boot_params", "setup_data"}) {
        // Where it is not known whether there is any, the kernel may take that place as well.
        if (what == std::string_view("setup_data") && in.setup_data != true) continue;
        if (const Segment* segment = load.find(what)) room.subtract(segment->range);
    }
    for (const AddressRange& r : kaslr.avoid) room.subtract(r);
    for (const AddressRange& r : room.ranges())
        for (Address a = align_up(std::max(r.start(), minimum), in.kernel_alignment);
             a < r.end() && r.end() - a >= needed; a += in.kernel_alignment)
            if (a != addresses.front()) addresses.push_back(a);
    return addresses;
}

}  // namespace handoff
