// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/device_pools.hpp"

#include <algorithm>

#include "base/number.hpp"
#include "base/text.hpp"
#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

// The numbers and the names of a word.
struct Asked {
    std::uint64_t slabs = 0;
    Address start = 0;
    std::string_view devices;
};

// swiotlb_parse_dev().
std::optional<Asked> split(std::string_view value) {
    constexpr std::size_t most_bytes = 127, most_bytes_of_names = 63;
    if (value.size() > most_bytes) return std::nullopt;
    const auto comma = value.find(',');
    const auto slabs = base::parse_prefixed(value.substr(0, comma));
    std::string_view rest = comma == value.npos ? std::string_view() : value.substr(comma);
    constexpr std::string_view addr = ",addr=";
    if (!slabs || !rest.starts_with(addr)) return std::nullopt;
    rest.remove_prefix(addr.size());
    const auto start = base::take_memparse(rest);
    if (!start || rest.size() < 2 || rest.front() != ',' || rest.size() - 1 > most_bytes_of_names) return std::nullopt;
    return Asked{*slabs, *start, rest.substr(1)};
}

// The verdicts of swiotlb_claim_addr() that do not depend on the kernel's memory.
std::optional<AddressRange> range_of(const Asked& asked) {
    constexpr std::uint64_t least_slabs = 512;
    if (asked.slabs < least_slabs || (asked.slabs & (asked.slabs - 1)) != 0 ||
        asked.slabs > low_memory_end / slab_size || asked.start == 0 || asked.start % base::page_size != 0 ||
        asked.start > low_memory_end - asked.slabs * slab_size)
        return std::nullopt;
    return AddressRange::from_size(asked.start, asked.slabs * slab_size);
}

// As adds_ram(), of nn@ss alone, which is how a handoff adds memory: the crash kernel's verify has no room for more.
bool adds_memory(const CommandLine& line, const AddressRange& range) {
    for (const Word* word : line.all("memmap")) {
        std::string_view rest = word->value ? std::string_view(*word->value) : std::string_view();
        while (!rest.empty()) {
            std::string_view part = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(part.size() + 1, rest.size()));
            const auto size = base::take_memparse(part);
            if (size != range.size() || !part.starts_with('@')) continue;
            part.remove_prefix(1);
            if (base::take_memparse(part) == range.start() && part.empty()) return true;
        }
    }
    return false;
}

}  // namespace

bool has_form_of_device_pool(const Word& word) { return word.value && split(*word.value); }

std::optional<DevicePool> device_pool_of(const Word& word) {
    const auto asked = word.value && !word.for_init ? split(*word.value) : std::nullopt;
    const auto range = asked ? range_of(*asked) : std::nullopt;
    if (!range) return std::nullopt;
    return DevicePool{std::string(asked->devices), *range, {}};
}

bool same_pool(const DevicePool& a, const DevicePool& b) { return a.range == b.range && a.devices == b.devices; }

std::vector<DevicePool> device_pools_on(const CommandLine& line) {
    std::vector<DevicePool> pools;
    std::size_t words = 0;  // one that is refused for its range counts as well
    for (const Word* word : line.all(device_pool_key)) {
        if (!has_form_of_device_pool(*word)) continue;
        if (++words > most_device_pools) break;
        if (auto pool = device_pool_of(*word)) pools.push_back(*std::move(pool));
    }
    return pools;
}

std::vector<DevicePool> inherited_device_pools(const CommandLine& line) {
    std::vector<DevicePool> pools = device_pools_on(line);
    std::erase_if(pools, [&](const DevicePool& pool) { return !adds_memory(line, pool.range); });
    return pools;
}

std::string device_pool_word(const DevicePool& pool) {
    return base::text(device_pool_key, "=", pool.range.size() / slab_size, ",addr=", base::Hex{pool.range.start()}, ",",
                      pool.devices);
}

}  // namespace handoff
