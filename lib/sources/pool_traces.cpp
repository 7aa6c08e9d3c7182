// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/pool_traces.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/byte_cursor.hpp"
#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kernel_memory.hpp"

namespace handoff {
namespace {

using base::input_error;
using std::string_view;
using Clock = std::chrono::steady_clock;

// include/uapi/linux/kernel-page-flags.h and include/linux/kernel-page-flags.h: bits of a number in /proc/kpageflags.
constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }
constexpr std::pair<std::uint64_t, const char*> unfit_flags[] = {
    {bit(10), "free"}, {bit(19), "poisoned by a memory error"}, {bit(20), "not there"}, {bit(23), "offline"}};
constexpr std::uint64_t reserved_flag = bit(32);

/// What is read of the kernel's memory, and with what.
struct Memory {
    Core core;
    Symbols symbols;
    std::function<Result<PoolLayout>()> layout;
    [[nodiscard]] MemoryReader reader() const {
        return [this](Address address, std::size_t size) { return core.read(address, size); };
    }
};

Result<Memory> open_memory(const Host& host) {
    const std::string file(host.path(Source::kcore));
    auto opened = host.open(Source::kcore);
    if (!opened) return std::move(opened).error();
    auto core = Core::open(*std::move(opened));
    if (!core) return std::move(core).error().at(file);
    auto symbols = host.symbols(wanted_symbols());
    if (!symbols) return std::move(symbols).error();
    const auto layout = [&host]() -> Result<PoolLayout> {
        auto btf = host.open(Source::btf);
        if (!btf) return std::move(btf).error();
        auto offsets = pool_layout(read_at(*btf));
        if (!offsets) return std::move(offsets).error().at(host.path(Source::btf));
        return offsets;
    };
    return Memory{*std::move(core), *std::move(symbols), layout};
}

Result<PoolTraces> read_use(const Memory& memory) {
    const auto pool = read_pool(memory.symbols, memory.layout, memory.reader());
    if (!pool) return pool.error();
    if (!*pool) return Error{Errc::not_found, {}, 0, "the kernel has no pool"};
    const auto use = read_pool_use(memory.symbols, memory.layout, memory.reader());
    if (!use) return use.error();
    return PoolTraces{**pool, use->areas, use->moved_areas, use->slabs_used, 0, std::nullopt};
}

/// The place of the first byte that is not 0.
std::optional<std::size_t> first_written(const std::vector<std::byte>& bytes) {
    if (bytes.empty() ||
        (bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0))
        return std::nullopt;
    const auto found = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
    return static_cast<std::size_t>(found - bytes.begin());
}

std::optional<Error> read_content(const Core& core, Clock::time_point until, PoolTraces& traces) {
    constexpr std::uint64_t piece = base::MiB;
    const AddressRange& pool = traces.pool;
    while (traces.blank_bytes < pool.size()) {
        if (Clock::now() >= until)
            return Error{Errc::io,
                         {},
                         0,
                         fmt::format("it took too long to read the pool: {} of {} MiB were read",
                                     traces.blank_bytes / base::MiB, pool.size() / base::MiB)};
        const Address at = pool.start() + traces.blank_bytes;
        const auto bytes = core.read_physical(at, std::min(piece, pool.end() - at));
        if (!bytes) return bytes.error();
        if (const auto written = first_written(*bytes)) {
            traces.blank_bytes += *written;
            traces.first_written = at + *written;
            return std::nullopt;
        }
        traces.blank_bytes += bytes->size();
    }
    return std::nullopt;
}

std::optional<Error> may_not_be_read(const Host& host, const AddressRange& pool) {
    const auto meminfo = host.read(Source::memory_use);
    if (!meminfo) return meminfo.error();
    if (auto error = broken_memory(*meminfo)) return std::move(*error).at(host.path(Source::memory_use));
    const auto flags = host.open(Source::page_flags);
    if (!flags) return flags.error();
    if (auto error = unfit_page(read_at(*flags), pool)) return std::move(*error).at(host.path(Source::page_flags));
    return std::nullopt;
}

bool was_used(const PoolTraces& traces) { return traces.moved_areas != 0 || traces.slabs_used != 0; }

}  // namespace

std::optional<Error> unfit_page(const ReadAt& flags, const AddressRange& pool) {
    const std::uint64_t pages = pool.size() / base::page_size;
    std::vector<std::byte> bytes(pages * sizeof(std::uint64_t));
    if (!flags(pool.start() / base::page_size * sizeof(std::uint64_t), bytes))
        return Error{Errc::io, {}, 0, fmt::format("expected a number for each of {} pages of the pool", pages)};
    base::ByteCursor cursor(bytes);
    for (std::uint64_t i = 0; i < pages; ++i) {
        const std::uint64_t page = cursor.take<std::uint64_t>().value_or(0);
        const Address address = pool.start() + i * base::page_size;
        for (const auto& [flag, what] : unfit_flags)
            if ((page & flag) != 0) return input_error(0, fmt::format("the pool's page at {:#x} is {}", address, what));
        if ((page & reserved_flag) == 0)
            return input_error(0, fmt::format("the pool's page at {:#x} is not reserved: the kernel may have given the "
                                              "pool back",
                                              address));
    }
    return std::nullopt;
}

std::optional<Error> broken_memory(string_view meminfo) {
    constexpr string_view key = "HardwareCorrupted:";
    while (!meminfo.empty()) {
        base::Scan line(base::take_line(meminfo));
        if (!line.take(key)) continue;
        while (line.take(' ')) continue;
        const auto kib = line.decimal();
        if (kib == 0U) return std::nullopt;
        return input_error(0, kib ? fmt::format("{} KiB of memory are broken (HardwareCorrupted)", *kib)
                                  : "expected a number of KiB as HardwareCorrupted");
    }
    return input_error(0, "expected HardwareCorrupted, found none: whether memory is broken is not known");
}

Result<PoolTraces> read_pool_traces(const Host& host, std::chrono::milliseconds at_most) {
    const auto until = Clock::now() + at_most;
    const std::string file(host.path(Source::kcore));
    const auto memory = open_memory(host);
    if (!memory) return memory.error();
    auto traces = read_use(*memory);
    if (!traces) return std::move(traces).error().at(file);
    if (was_used(*traces)) return traces;
    if (auto error = may_not_be_read(host, traces->pool)) return *std::move(error);
    if (auto error = read_content(memory->core, until, *traces)) return std::move(*error).at(file);
    // It may have been used since.
    const auto now = read_use(*memory);
    if (!now) return now.error();
    if (now->pool != traces->pool) return input_error(0, "the pool was replaced while it was read").at(file);
    traces->moved_areas = now->moved_areas;
    traces->slabs_used = now->slabs_used;
    return traces;
}

void look_into_pool(const Host& host, Machine& machine) {
    if (!host.live()) return;
    auto traces = read_pool_traces(host);
    if (traces)
        machine.pool_traces = *std::move(traces);
    else
        machine.pool_traces_problem = std::move(traces).error();
}

std::string to_text(const PoolTraces& traces) {
    std::string text = fmt::format("pool: {:#x}-{:#x}\nareas: {}\nmoved-areas: {}\nslabs-used: {}\nblank-bytes: {}\n",
                                   traces.pool.start(), traces.pool.end(), traces.areas, traces.moved_areas,
                                   traces.slabs_used, traces.blank_bytes);
    if (traces.first_written) text += fmt::format("first-written: {:#x}\n", *traces.first_written);
    return text;
}

Result<PoolTraces> parse_pool_traces(string_view text) {
    PoolTraces traces;
    std::optional<std::uint64_t> areas, moved, used, blank;
    bool has_pool = false;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const string_view line = base::take_line(text);
        const auto malformed = [&] {
            return input_error(number,
                               fmt::format("expected what the pool's memory told, found {}", base::excerpt(line)));
        };
        const auto colon = line.find(": ");
        if (colon == line.npos) return malformed();
        const string_view key = line.substr(0, colon), value = line.substr(colon + 2);
        if (key == "pool") {
            const auto dash = std::min(value.find('-'), value.size() - 1);
            const auto start = base::parse_prefixed(value.substr(0, dash)),
                       end = base::parse_prefixed(value.substr(dash + 1));
            const auto range = start && end ? AddressRange::from_bounds(*start, *end) : std::nullopt;
            if (!range || range->empty()) return malformed();
            traces.pool = *range;
            has_pool = true;
            continue;
        }
        const auto count = base::parse_prefixed(value);
        if (!count) return malformed();
        if (key == "areas")
            areas = count;
        else if (key == "moved-areas")
            moved = count;
        else if (key == "slabs-used")
            used = count;
        else if (key == "blank-bytes")
            blank = count;
        else if (key == "first-written")
            traces.first_written = count;
        else
            return malformed();
    }
    if (!has_pool || !areas || !moved || !used || !blank)
        return input_error(0, "expected pool, areas, moved-areas, slabs-used and blank-bytes, found not all of them");
    traces.areas = *areas;
    traces.moved_areas = *moved;
    traces.slabs_used = *used;
    traces.blank_bytes = *blank;
    return traces;
}

}  // namespace handoff
