// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/recommend.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"

namespace handoff {
namespace {

using e820::GiB;
using e820::MiB;
using e820::page_size;

constexpr std::uint64_t crash_align = 16 * MiB;  // CRASH_ALIGN
constexpr Address low_limit = 4 * GiB;           // CRASH_ADDR_LOW_MAX
constexpr Address high_limit = 64 * 1024 * GiB;  // CRASH_ADDR_HIGH_MAX

constexpr std::uint64_t default_pool = 64 * MiB;  // IO_TLB_DEFAULT_SIZE

constexpr std::uint64_t step = 16 * MiB;  // sizes are searched in steps of
constexpr std::uint64_t most_steps = 64;

// For coherent buffers of old controllers. So small that no pool of ordinary size fits
// into it, whatever touches it.
constexpr std::uint64_t ordinary_low = 32 * MiB;

constexpr std::uint64_t align_down(std::uint64_t a, std::uint64_t to) { return a / to * to; }
constexpr std::uint64_t align_up(std::uint64_t a, std::uint64_t to) { return align_down(a + to - 1, to); }

std::string size_word(std::uint64_t bytes) {
    return bytes % MiB == 0 ? fmt::format("{}{}", bytes / MiB, bytes == 0 ? "" : "M") : fmt::format("{}K", bytes / e820::KiB);
}

std::uint64_t mib(std::uint64_t bytes) { return (bytes + MiB - 1) / MiB; }

// --- crashkernel=

std::optional<std::uint64_t> take_size(std::string_view& text) { return e820::take_memparse(text); }

std::optional<std::uint64_t> suffixed(std::string_view value, std::string_view suffix) {
    const auto size = take_size(value);
    return size && value == suffix ? size : std::nullopt;
}

// "range:size[,range:size...]", parse_crashkernel_mem(): the size of the first range that
// the RAM, rounded up to 128 MiB, lies in.
std::optional<std::uint64_t> size_by_range(std::string_view& text, std::uint64_t ram_bytes) {
    const std::uint64_t ram = align_up(ram_bytes, 128 * MiB);
    std::optional<std::uint64_t> chosen;
    while (true) {
        const auto start = take_size(text);
        if (!start || !text.starts_with('-')) return std::nullopt;
        text.remove_prefix(1);
        std::uint64_t end = ~std::uint64_t{0};
        if (!text.starts_with(':')) {
            const auto given = take_size(text);
            if (!given || *given <= *start) return std::nullopt;
            end = *given;
        }
        if (!text.starts_with(':')) return std::nullopt;
        text.remove_prefix(1);
        const auto size = take_size(text);
        if (!size) return std::nullopt;
        if (!chosen && ram >= *start && ram < end) chosen = size;
        if (!text.starts_with(',')) return chosen.value_or(0);
        text.remove_prefix(1);
    }
}

// --- memory at the time when the reservation is made

RangeSet parts(const RangeSet& set, Address start, Address end) {
    std::vector<AddressRange> ranges;
    const AddressRange window = *AddressRange::from_bounds(start, end);
    for (const AddressRange& r : set.ranges()) ranges.push_back(r.intersect(window));
    return RangeSet(std::move(ranges));
}

// memblock_phys_alloc_range(): the highest place, aligned down.
std::optional<AddressRange> take(RangeSet& free, std::uint64_t size, std::uint64_t align, Address start, Address end) {
    const RangeSet room = parts(free, start, end);
    for (auto r = room.ranges().rbegin(); r != room.ranges().rend(); ++r) {
        if (r->size() < size) continue;
        const Address at = align_down(r->end() - size, align);
        if (at < r->start()) continue;
        const AddressRange taken = *AddressRange::from_size(at, size);
        free.subtract(taken);
        return taken;
    }
    return std::nullopt;
}

struct Layout {
    std::vector<AddressRange> crash_kernel;  // by address
    std::vector<AddressRange> pools;         // where the pool can be, the kernel's own choice first
};

std::optional<Layout> lay_out(const Machine& machine, const Reservation& wanted, std::uint64_t pool_bytes, std::uint64_t shift) {
    // Reserved by then: the first MiB, the kernel where it runs, the initrd where it was put. What
    // else there is (page tables, node data) comes from the top of memory or is small.
    RangeSet free = parts(machine.ram, MiB, high_limit);
    if (machine.kernel_image) free.subtract(*machine.kernel_image);
    if (machine.initrd) free.subtract(*machine.initrd);

    Layout layout;
    std::optional<AddressRange> main;
    if (wanted.size == 0) {
        main = AddressRange();
    } else if (wanted.base) {
        const auto exact = AddressRange::from_size(*wanted.base, wanted.size);
        if (!exact || !free.contains(*exact)) return std::nullopt;
        free.subtract(*exact);
        main = *exact;
    } else if (wanted.high) {
        main = take(free, wanted.size, crash_align, low_limit, high_limit);
    } else {
        main = take(free, wanted.size, crash_align, crash_align, low_limit);
    }
    if (!main) return std::nullopt;
    if (main->start() >= low_limit) {
        const std::uint64_t low = wanted.low.value_or(default_low(pool_bytes));
        if (low != 0) {
            const auto part = take(free, low, crash_align, 0, low_limit);
            if (!part) return std::nullopt;
            layout.crash_kernel.push_back(*part);
        }
    }
    if (!main->empty()) layout.crash_kernel.push_back(*main);
    if (pool_bytes == 0) return layout;

    // swiotlb_memblock_alloc(): what was allocated before it lies above it, in other memory
    // where there is any, else at the top of the same block (`shift`).
    const RangeSet room = parts(free, 0, low_limit);
    for (auto r = room.ranges().rbegin(); r != room.ranges().rend(); ++r)
        if (r->size() >= pool_bytes + shift)
            layout.pools.push_back(*AddressRange::from_size(align_down(r->end() - shift - pool_bytes, page_size), pool_bytes));
    if (layout.pools.empty()) return std::nullopt;
    return layout;
}

Machine with_layout(const Machine& machine, const Reservation& reservation, const Layout& layout, std::optional<AddressRange> pool) {
    Machine next = machine;
    next.crash_kernel = layout.crash_kernel;
    next.crash_kernel_from = {reservation.text(), 0};
    next.crash_size.reset();
    // The line of a kernel that lists its pool will be elsewhere, too.
    std::erase_if(next.iomem, [&](const IomemEntry& entry) {
        return std::any_of(machine.pool.begin(), machine.pool.end(),
                           [&](const PoolSighting& s) { return s.source == PoolSource::iomem && s.where.line == entry.line; });
    });
    next.pool.clear();
    if (pool) next.pool.push_back({*pool, PoolSource::user, {"the next boot's layout", 0}});
    return next;
}

// Where the model explains this boot the next one is what it says. Where it does not, the
// pool may be in any block that can hold it.
std::vector<Machine> next_boots(const Machine& machine, const Reservation& reservation, const Reproduced& reproduced, std::uint64_t pool_bytes) {
    const auto layout = lay_out(machine, reservation, pool_bytes, reproduced.shift);
    if (!layout) return {};
    if (layout->pools.empty()) return {with_layout(machine, reservation, *layout, std::nullopt)};
    std::vector<Machine> boots;
    for (const AddressRange& pool : layout->pools) {
        boots.push_back(with_layout(machine, reservation, *layout, pool));
        if (reproduced.layout) break;
    }
    return boots;
}

std::uint64_t pool_bytes(const Machine& machine) { return machine.pool.empty() ? 0 : machine.pool.front().range.size(); }

std::uint64_t total(const std::vector<AddressRange>& ranges) {
    std::uint64_t bytes = 0;
    for (const AddressRange& r : ranges) bytes += r.size();
    return bytes;
}

// --- how large

class Search {
public:
    Search(const Machine& machine, const PlanRequest& request, std::uint64_t margin) : machine_(machine), request_(request) {
        if (request_.pool) {  // it is where this boot has it, and the next one may not
            machine_.pool = {{*request_.pool, PoolSource::user, {"--pool", 0}}};
            request_.pool.reset();
        }
        request_.lend = false;
        result_.reproduced = reproduce(machine_);
        result_.low = low_part(machine_, pool_bytes(machine_));
        result_.now = total(machine_.crash_kernel);
        image_ = assumed_image(machine_, request_);
        initrd_bytes_ = assumed_initrd_bytes(request_);
        margin_ = margin;
    }

    Recommendation run() {
        add(smallest({}));
        Reservation high;
        high.high = true;
        high.low = result_.low.bytes;
        add(smallest(high));
        // The one that takes least; where both do, the plain one, which depends on less.
        const Candidate* best = nullptr;
        for (const Candidate& c : result_.candidates)
            if (c.verdict != Verdict::refused && (!best || c.bytes < best->bytes)) best = &c;
        if (best) {
            result_.chosen = *best;
            result_.verdict = best->verdict;
        }
        // A loan is for the kernel that this reservation has made not to need a pool.
        if (best && best->verdict == Verdict::not_needed) {
            PlanRequest lending = request_;
            lending.lend = true;
            result_.loan = loan_outlook(machine_, lending, best->bytes);
        }
        const std::size_t which = best ? static_cast<std::size_t>(best - result_.candidates.data()) : result_.candidates.size() - 1;
        result_.need = needs_[which];
        result_.reasons = reasons_[which];
        return std::move(result_);
    }

private:
    struct Tried {
        Candidate candidate;
        Need need;
        std::vector<Reason> reasons;
        bool final = false;  ///< no other size changes it
    };

    void add(Tried tried) {
        result_.candidates.push_back(std::move(tried.candidate));
        needs_.push_back(tried.need);
        reasons_.push_back(std::move(tried.reasons));
    }

    Need need_for(std::uint64_t size) const { return handoff::need_for(machine_, request_, size, margin_); }

    Tried smallest(Reservation form) const {
        // Early demand grows with the size, by far less than the size does.
        std::uint64_t size = align_up(need_for(0).total(), step);
        while (size <= largest_reservation && size < need_for(size).total()) size += step;
        Tried tried;
        if (size > largest_reservation) {
            tried.candidate.reservation = form;
            tried.need = need_for(0);
            tried.candidate.why = fmt::format("kernel and initrd ask for more than {} GiB", largest_reservation / GiB);
            return tried;
        }
        for (std::uint64_t n = 0; n < most_steps; ++n, size += step) {
            form.size = size;
            Tried one = attempt(form);
            const bool last = one.candidate.crash_kernel.empty() || one.candidate.verdict != Verdict::refused || one.final || !about_layout(one.reasons);
            // Of a form that never works the smallest is shown.
            if (n == 0 || one.candidate.verdict != Verdict::refused) tried = std::move(one);
            if (last) break;
        }
        return tried;
    }

    // Something that another size could change.
    static bool about_layout(const std::vector<Reason>& reasons) {
        return std::none_of(reasons.begin(), reasons.end(), [](const Reason& r) {
            return r.severity == Severity::refusal && r.rule != "pool-exact" && r.rule != "load-fits" && r.rule != "memory-kept";
        });
    }

    Tried attempt(const Reservation& reservation) const {
        Tried tried;
        Candidate& c = tried.candidate;
        c.reservation = reservation;
        c.bytes = reservation.size + (reservation.high ? reservation.low.value_or(default_low(pool_bytes(machine_))) : 0);
        tried.need = need_for(reservation.size);
        const std::vector<Machine> boots = next_boots(machine_, reservation, result_.reproduced, pool_bytes(machine_));
        if (boots.empty()) {
            c.why = reservation.high ? fmt::format("no {} MiB above 4 GiB, or no room below it for the rest", mib(reservation.size))
                                     : fmt::format("no free block of {} MiB below 4 GiB, with room left for the pool", mib(reservation.size));
            return tried;
        }
        const Machine& machine = boots.front();
        c.crash_kernel = machine.crash_kernel;
        if (!machine.pool.empty()) c.pool = machine.pool.front().range;
        Plan next = decide(machine, request_);
        for (std::size_t i = 1; i < boots.size() && next.verdict == Verdict::ready; ++i) {
            Plan other = decide(boots[i], request_);
            if (other.verdict != Verdict::refused) continue;
            c.pool = boots[i].pool.front().range;
            next = std::move(other);
        }
        c.verdict = next.verdict;
        for (const Reason& r : next.reasons) {
            if (r.severity != Severity::info) tried.reasons.push_back(r);
            const bool wanted = next.verdict == Verdict::refused     ? r.severity == Severity::refusal
                                : next.verdict == Verdict::not_needed ? r.rule == "pool-needed"
                                                                      : r.rule == "pool-exact";
            if (c.why.empty() && wanted) c.why = next.verdict == Verdict::refused ? r.rule + ": " + r.text : r.text;
        }
        if (c.verdict == Verdict::ready && boots.size() > 1) c.why += fmt::format("; in each of {} places where its pool may be", boots.size());
        // Where a reservation below 4 GiB will lie, and what above it, only a layout that is understood can tell.
        if (c.verdict == Verdict::ready && !reservation.high && !result_.reproduced.layout) {
            c.verdict = Verdict::refused;
            c.why = "the model does not explain where this boot put things, so it cannot tell where the next one will";
            tried.final = true;
        }
        // A pool of its own, which nothing needs: SRAT names memory above 4 GiB, and numa=off is not on its line.
        const bool own_pool = c.verdict == Verdict::not_needed && std::any_of(next.reasons.begin(), next.reasons.end(), [](const Reason& r) {
            return r.rule == "pool-needed" && r.severity == Severity::warning;
        });
        if (own_pool) {
            tried.need.own_pool = default_pool;
            if (reservation.size < tried.need.total()) {
                c.verdict = Verdict::refused;
                c.why = fmt::format("load-fits: the crash kernel makes a pool of {} MiB that it does not need; numa=off on its command line saves that",
                                    default_pool / MiB);
            }
        }
        // A plan that needs no pool did not look at the load.
        if (c.verdict == Verdict::not_needed && !fits(machine)) {
            c.verdict = Verdict::refused;
            c.why = "load-fits: kernel and initrd do not fit";
        }
        return tried;
    }

    bool fits(const Machine& machine) const {
        for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load}) {
            LoadInput in;
            in.loader = loader;
            in.init_size = image_.init_size;
            in.kernel_alignment = std::max<std::uint64_t>(image_.kernel_alignment, 2 * MiB);
            in.initrd_bytes = initrd_bytes_;
            in.command_line_bytes = 2048;
            in.slack = 128 * e820::KiB;
            if (!predict_load(machine, in)) return false;
        }
        return true;
    }

    Machine machine_;
    PlanRequest request_;
    std::uint64_t margin_ = 0;
    Image image_;
    std::uint64_t initrd_bytes_ = 0;
    Recommendation result_;
    std::vector<Need> needs_;
    std::vector<std::vector<Reason>> reasons_;
};

}  // namespace

std::string Reservation::text() const {
    std::string words = "crashkernel=" + size_word(size);
    if (base) words += fmt::format("@{:#x}", *base);
    if (high) words += ",high";
    if (high && low) words += fmt::format(" crashkernel={},low", size_word(*low));
    return words;
}

Result<std::optional<Reservation>> reservation_of(const CommandLine& line, std::uint64_t ram_bytes) {
    std::optional<std::string_view> plain;
    std::optional<std::string_view> high, low;
    for (const Word* word : line.all("crashkernel")) {
        const std::string_view value = word->value ? std::string_view(*word->value) : std::string_view();
        if (value.ends_with(",high")) high = value;
        else if (value.ends_with(",low")) low = value;
        else if (!value.ends_with(",cma")) plain = value;
    }
    const auto malformed = [](std::string_view value) {
        return e820::input_error(0, fmt::format("expected SIZE[@OFFSET], RANGE:SIZE, SIZE,high or SIZE,low in crashkernel=, found {}",
                                                e820::excerpt(value)));
    };
    Reservation reservation;
    if (plain) {
        std::string_view rest = *plain;
        const auto size = rest.find(':') != rest.npos ? size_by_range(rest, ram_bytes) : take_size(rest);
        if (!size) return malformed(*plain);
        reservation.size = *size;
        if (rest.starts_with('@')) {
            rest.remove_prefix(1);
            const auto base = take_size(rest);
            if (!base) return malformed(*plain);
            if (*base != 0) reservation.base = *base;
        }
        if (!rest.empty()) return malformed(*plain);
        // The kernel looks for ",low" as well where it has to go above 4 GiB by itself.
        if (low) reservation.low = suffixed(*low, ",low");
    } else if (high) {
        const auto size = suffixed(*high, ",high");
        if (!size) return malformed(*high);
        reservation.size = *size;
        reservation.high = true;
        if (low) {
            reservation.low = suffixed(*low, ",low");
            if (!reservation.low) return malformed(*low);
        }
    }
    if (reservation.size == 0) return std::optional<Reservation>();
    return std::optional(reservation);
}

std::uint64_t default_low(std::uint64_t pool_bytes) { return std::max(pool_bytes + 8 * MiB, 256 * MiB); }

std::optional<Machine> next_boot(const Machine& machine, const Reservation& reservation, std::uint64_t shift) {
    auto boots = next_boots(machine, reservation, {true, shift, {}}, pool_bytes(machine));
    if (boots.empty()) return std::nullopt;
    return std::move(boots.front());
}

Reproduced reproduce(const Machine& machine) {
    Reproduced r;
    const auto line = CommandLine::parse(machine.command_line);
    const auto now = line ? reservation_of(*line, machine.ram.size()) : line.error();
    const bool known = now && now->has_value() == !machine.crash_kernel.empty() && !machine.command_line.empty();
    if (!known) {
        r.text = "the running kernel's crashkernel= is not known: its layout cannot be compared with the model's";
        return r;
    }
    Reservation words = now->value_or(Reservation());
    auto next = next_boot(machine, words);
    if (!next && !words.high && !words.base) {  // what reserve_crashkernel() does next
        words.high = true;
        next = next_boot(machine, words);
    }
    if (!next) {
        r.text = fmt::format("the model finds no place for {}, the kernel found one", words.size == 0 ? "the pool" : words.text());
        return r;
    }
    const auto ranges = [](const std::vector<AddressRange>& all) {
        std::string text;
        for (const AddressRange& one : all) text += (text.empty() ? "" : " ") + e820::to_string(one);
        return text;
    };
    // It may have been made smaller since, which takes from its end. Above 4 GiB early boot takes
    // a little from the top before, which the model leaves out: where it lies there changes nothing below.
    const auto same = [](const AddressRange& is, const AddressRange& was) {
        const bool both_high = is.start() >= low_limit && was.start() >= low_limit;
        return (both_high || is.start() == was.start()) && is.size() <= was.size();
    };
    if (!std::equal(machine.crash_kernel.begin(), machine.crash_kernel.end(), next->crash_kernel.begin(), next->crash_kernel.end(), same)) {
        r.text = fmt::format("the reservation is at {}, where the model would put it at {}", ranges(machine.crash_kernel), ranges(next->crash_kernel));
        return r;
    }
    if (machine.pool.empty()) {
        r.layout = true;
        return r;
    }
    const AddressRange is = machine.pool.front().range, model = next->pool.front().range;
    // Early allocations of a machine whose RAM is all below 4 GiB lie above the pool, in its block.
    const auto gap = AddressRange::from_bounds(is.end(), std::max(is.end(), model.end()));
    const bool same_block = is.end() <= model.end() && (gap->empty() || machine.ram.contains(*gap));
    if (!same_block) {
        r.text = fmt::format("the pool is at {}, where the model would put it at {}", e820::to_string(is), e820::to_string(model));
        return r;
    }
    r.layout = true;
    r.shift = gap->size();
    return r;
}

Need need_for(const Machine& machine, const PlanRequest& request, std::uint64_t reservation_bytes, std::uint64_t margin) {
    const auto bounded = [](std::uint64_t bytes) { return std::min(bytes, largest_reservation); };
    const std::uint64_t initrd = bounded(assumed_initrd_bytes(request));
    // Anywhere: the bound goes by sizes, and by sections of 128 MiB.
    RangeSet memory;
    memory.add(*AddressRange::from_size(0, bounded(reservation_bytes)));
    memory.add(*AddressRange::from_size(64 * GiB, pool_bytes(machine)));
    Need need;
    need.image = align_up(bounded(assumed_image(machine, request).init_size), 2 * MiB);
    need.initrd = initrd;
    need.unpacked = Need::unpack_factor * initrd;
    need.early = early_demand({memory, pool_bytes(machine) / 2048, 1, 0}).total();
    need.bitmaps = machine.ram.size() / page_size / 4;
    need.margin = bounded(margin);
    return need;
}

LowPart low_part(const Machine& machine, std::uint64_t pool_bytes) {
    LowPart part;
    part.known = machine.devices.has_value();
    if (machine.devices)
        for (const DmaDevice& d : *machine.devices)
            if (needs_low_memory(d)) part.because.push_back(d);
    if (part.known && part.because.empty()) return part;
    // Where the pool itself is as small, something smaller.
    part.bytes = pool_bytes != 0 && pool_bytes <= ordinary_low ? pool_bytes / 2 : ordinary_low;
    return part;
}

LoanOutlook loan_outlook(const Machine& machine, const PlanRequest& request, std::uint64_t needed) {
    LoanOutlook outlook;
    if (machine.pool.empty()) {
        outlook.why = "pool-found: no source shows a pool of the running kernel";
        return outlook;
    }
    const Plan lent = decide(machine, request);
    outlook.possible = lent.verdict == Verdict::ready && lent.loan;
    // At most two sections of 128 MiB that only the pool is in: 2 MiB of struct pages each.
    const std::uint64_t bytes = pool_bytes(machine), cost = std::min(bytes, 4 * MiB);
    outlook.gain = bytes - cost;
    outlook.smallest = needed - std::min(needed, align_down(outlook.gain, step));
    if (!outlook.possible) outlook.why = headline(lent);
    return outlook;
}

std::int64_t Recommendation::given_back() const {
    return chosen ? static_cast<std::int64_t>(now) - static_cast<std::int64_t>(chosen->bytes) : 0;
}

Recommendation recommend(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    return Search(machine, request, margin).run();
}

}  // namespace handoff
