// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/plan.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "e820/memmap.hpp"
#include "e820/number.hpp"
#include "lib/command_line.hpp"
#include "lib/lend.hpp"
#include "lib/recommend.hpp"

namespace handoff {
namespace {

using e820::GiB;
using e820::KiB;
using e820::MiB;
using e820::page_size;
using e820::Type;

constexpr std::uint64_t slab_size = 2 * KiB;   // IO_TLB_SIZE
constexpr std::uint64_t slot_size = 24;  // at most: struct io_tlb_slot; 5.10 has 12 bytes for each
constexpr std::uint64_t segment_slabs = 128;   // IO_TLB_SEGSIZE
constexpr Address low_limit = 4 * GiB;
constexpr Address physical_limit = Address{1} << 52;

// What an image and an initrd are taken to be where nobody said. Distribution
// kernels of 5.10 to 7.2 have an init_size of 56 to 64 MiB.
constexpr std::uint64_t assumed_init_size = 64 * MiB;
constexpr std::uint64_t assumed_initrd = 24 * MiB;

constexpr std::uint64_t align_up(std::uint64_t a, std::uint64_t to) { return (a + to - 1) / to * to; }
std::uint64_t mib(std::uint64_t bytes) { return (bytes + MiB - 1) / MiB; }

// "6.12.107+deb13-amd64" is {6, 12}.
std::optional<std::array<std::uint64_t, 2>> version_of(std::string_view release) {
    const auto dot = release.find('.');
    if (dot == release.npos) return std::nullopt;
    const auto end = std::min(release.find_first_not_of("0123456789", dot + 1), release.size());
    const auto major = e820::parse_number(release.substr(0, dot), 10);
    const auto minor = e820::parse_number(release.substr(dot + 1, end - dot - 1), 10);
    if (!major || !minor) return std::nullopt;
    return std::array{*major, *minor};
}

/// One plan in the making: the machine, the request, and what was found so far.
class Decision {
public:
    Decision(const Machine& machine, const PlanRequest& request) : machine_(machine), request_(request) {
        plan_.method = request.method;  // until choose_method()
        plan_.loader = request.loader;
    }

    /// Judge the words that are there instead of choosing some.
    void promise(const AddressRange& pool) { promised_ = pool; }

    Plan decide(bool with_advice) {
        const bool readable = read_command_line();
        if (readable) choose_method();
        const bool placed = readable && look_at_reservation() && look_at_need();
        if (not_needed_ && request_.lend) lend();
        if (placed && look_at_pool()) {
            look_at_protection();
            look_at_command_line();
            look_at_loader();
            place();
            add(judge_neighbours(machine_, base_, request_.loader != Loader::kexec_load, pool_, plan_.fences));
            if (with_advice && refused()) advise_layout();
        }
        if (!not_needed_) plan_.verdict = refused() ? Verdict::refused : Verdict::ready;
        if (!assumed_.empty() && !plan_.append.empty()) plan_.append = assumed_ + ' ' + plan_.append;
        if (plan_.verdict != Verdict::ready) {
            plan_.loan = false;
            plan_.append.clear();
            plan_.expected.reset();
        }
        for (const Error& error : machine_.unread)
            add("source-unread", Severity::info, error.message(), error.source);
        return std::move(plan_);
    }

private:
    void add(std::string_view rule, Severity severity, std::string text, std::string evidence = {}, std::string advice = {}) {
        if (severity == Severity::refusal && accepted(rule)) severity = Severity::warning;
        plan_.reasons.push_back({std::string(rule), severity, std::move(text), std::move(evidence), std::move(advice)});
    }
    void add(std::vector<Reason> reasons) {
        for (Reason& r : reasons) add(r.rule, r.severity, std::move(r.text), std::move(r.evidence), std::move(r.advice));
    }
    bool accepted(std::string_view rule) const {
        const RuleInfo* info = find_rule(rule);
        return info && info->acceptable &&
               std::find(request_.accept.begin(), request_.accept.end(), rule) != request_.accept.end();
    }
    bool refused() const {
        return std::any_of(plan_.reasons.begin(), plan_.reasons.end(),
                           [](const Reason& r) { return r.severity == Severity::refusal; });
    }

    // --- the command line that the crash kernel would get without us

    bool read_command_line() {
        const auto running = CommandLine::parse(machine_.command_line);
        if (running) {
            running_ = *running;
            if (const auto option = swiotlb_option(running_)) running_swiotlb_ = *option;
        }
        if (request_.command_line) {
            const auto given = CommandLine::parse(*request_.command_line);
            if (!given) {
                add("command-line-sound", Severity::refusal, given.error().message());
                return false;
            }
            base_ = *given;
        } else {
            base_ = for_crash_kernel(running_);
        }
        plan_.base = base_.text();
        if (!request_.command_line) assume_kdump_words();
        const auto option = swiotlb_option(base_);
        if (!option) {
            add("command-line-sound", Severity::refusal, option.error().message());
            return false;
        }
        swiotlb_ = *option;
        return true;
    }

    // Nobody said what kdump adds to the running kernel's command line. These two words are
    // in the defaults of every distribution; the proof needs the second, so they
    // become part of what is appended.
    void assume_kdump_words() {
        for (const char* word : {"reset_devices", "nr_cpus=1"})
            if (!base_.has(std::string_view(word).substr(0, std::string_view(word).find('=')))) assumed_ += (assumed_.empty() ? "" : " ") + std::string(word);
        add("command-line-known", Severity::info,
            "assumed: the running kernel's command line" + (assumed_.empty() ? "" : ", with " + assumed_), machine_.command_line.empty() ? "" : "proc/cmdline",
            "give --command-line");
        if (const auto line = CommandLine::parse(base_.with(assumed_))) base_ = *line;
    }

    // addr= leaves nothing to placement, and is there only where the image says so.
    void choose_method() {
        const bool announced = request_.image && request_.image->swiotlb_addr;
        if (plan_.method == Method::automatic)
            plan_.method =
                announced && (!promised_ || swiotlb_.addr == promised_->start()) ? Method::addr : Method::ram;
        if (promised_ && swiotlb_.addr && request_.image && !announced)
            add("image-addr", Severity::refusal,
                "swiotlb=...,addr= is on the command line, and the image does not announce it: a kernel that does not "
                "know it takes no 'force' before it either");
        if (plan_.method != Method::addr || announced) return;
        const bool assumed = !request_.image && !machine_.live;
        add("image-addr", assumed ? Severity::warning : Severity::refusal,
            assumed ? "assumed: an image that takes swiotlb=...,addr="
                    : request_.image ? "the crash kernel's image does not announce that it takes swiotlb=...,addr="
                                     : "it is not known whether the crash kernel's image takes swiotlb=...,addr=",
            {}, "use --method ram, or a kernel with the patches in kernel/");
    }

    bool look_at_reservation() {
        for (const AddressRange& c : machine_.crash_kernel)
            if (c.size() > largest_reservation || c.end() > physical_limit) {
                add("crashkernel-reserved", Severity::refusal,
                    fmt::format("the reservation {} is no reservation of a real machine: more than {} GiB, or beyond 52 bits",
                                e820::to_string(c), largest_reservation / GiB),
                    machine_.crash_kernel_from.text());
                return false;
            }
        if (!machine_.crash_kernel.empty()) return true;
        add("crashkernel-reserved", Severity::refusal, "no memory is reserved for a crash kernel",
            machine_.crash_kernel_from.text(), "boot with crashkernel=");
        return false;
    }

    // --- would the crash kernel make a pool? arch/x86/kernel/pci-dma.c

    bool look_at_need() {
        // The admin who forces bouncing on the running kernel means the machine,
        // not the kernel; a swiotlb= of the crash kernel's own has the last word.
        const bool inherits = !base_.has("swiotlb") && running_swiotlb_.force && !running_swiotlb_.noforce;
        forced_ = (swiotlb_.force || inherits) && !swiotlb_.noforce;
        const auto not_needed = [this](std::string text, std::string evidence = {}) {
            add("pool-needed", Severity::info, std::move(text), std::move(evidence));
            plan_.verdict = Verdict::not_needed;
            not_needed_ = true;
            return false;
        };
        if (swiotlb_.noforce) return not_needed("swiotlb=noforce: the crash kernel makes no pool");
        if (forced_) {
            add("pool-needed", Severity::info,
                inherits ? "swiotlb=force on the running kernel: the crash kernel is told the same"
                         : "swiotlb=force: the crash kernel makes a pool",
                inherits ? "proc/cmdline" : "");
            return true;
        }
        if (machine_.encryption != Encryption::none && machine_.encryption != Encryption::unknown) {
            add("pool-needed", Severity::info, fmt::format("memory encryption ({}): the crash kernel makes a pool", name(machine_.encryption)),
                machine_.encryption_from.text());
            return true;
        }
        const auto iommu = base_.last("iommu").value_or("");
        if (iommu.find("off") != iommu.npos) return not_needed("iommu=off: the crash kernel makes no pool");
        if (iommu.find("soft") != iommu.npos) {
            add("pool-needed", Severity::info, "iommu=soft: the crash kernel makes a pool");
            return true;
        }
        if (machine_.crash_kernel.back().end() > low_limit) {
            add("pool-needed", Severity::info,
                fmt::format("the reservation ends above 4 GiB, at {:#x}: the crash kernel makes a pool",
                            machine_.crash_kernel.back().end()),
                machine_.crash_kernel_from.text());
            return true;
        }
        // A kernel without any of that memory still makes a pool for it, and needs none.
        const bool srat_counts = base_.last("numa").value_or("") != "off" && base_.last("acpi").value_or("") != "off";
        if (machine_.srat_memory_end.value_or(0) > low_limit && srat_counts) {
            add("pool-needed", Severity::warning,
                fmt::format("the crash kernel's memory is all below 4 GiB; it makes a pool that it does not need, since ACPI's SRAT names memory up to {:#x}",
                            *machine_.srat_memory_end),
                {}, "add numa=off to the crash kernel's command line: it then makes no pool, which is better than a handoff");
            plan_.verdict = Verdict::not_needed;
            not_needed_ = true;
            return false;
        }
        return not_needed("the crash kernel's memory is all below 4 GiB, unencrypted and without swiotlb=force: it makes no pool",
                          machine_.crash_kernel_from.text());
    }

    // --- the running kernel's pool

    bool look_at_pool() {
        std::vector<PoolSighting> seen = machine_.pool;
        if (request_.pool) seen.push_back({*request_.pool, PoolSource::user, {"--pool", 0}});
        if (machine_.no_pool_in_memory || (machine_.pool_torn_down && machine_.pool.empty())) {
            add("pool-found", Severity::refusal, "the running kernel has no pool, or gave it back: there is nothing to hand over",
                machine_.no_pool_in_memory ? "proc/kcore" : "");
            return false;
        }
        if (machine_.pool_not_understood)
            add("pool-understood", Severity::refusal, machine_.pool_not_understood->what, machine_.pool_not_understood->source,
                "this kernel is newer than any that was looked at: a newer swiotlb-handoff may know it");
        if (seen.empty()) {
            add("pool-found", Severity::refusal, "no source shows a pool of the running kernel", {},
                machine_.live ? "run as root, so that /proc/kcore and the kernel log can be read, or give --pool START-END"
                              : "give --pool START-END");
            return false;
        }
        const PoolSighting& first = seen.front();
        for (const PoolSighting& other : seen)
            if (other.range != first.range) {
                add("pool-agrees", Severity::refusal,
                    fmt::format("{} shows the pool at {}, {} at {}", first.where.text(), e820::to_string(first.range),
                                other.where.text(), e820::to_string(other.range)),
                    first.where.text(), "find out which one is stale: a log of another boot, or an old --pool");
                return false;
            }
        if (promised_ && *promised_ != first.range) {
            add("pool-agrees", Severity::refusal,
                fmt::format("the handoff promises {}, the running kernel's pool is at {}", e820::to_string(*promised_), e820::to_string(first.range)),
                first.where.text());
            return false;
        }
        pool_ = first.range;
        plan_.pool = pool_;
        add("pool-found", Severity::info,
            fmt::format("the pool is at {}, {} MiB, {} slabs", e820::to_string(pool_), mib(pool_.size()), pool_.size() / slab_size),
            first.where.text());

        if (pool_.start() % page_size != 0 || pool_.end() % page_size != 0) {
            add("pool-aligned", Severity::refusal, fmt::format("the pool {} is not made of whole pages", e820::to_string(pool_)),
                first.where.text());
            return false;
        }
        slabs_ = pool_.size() / slab_size;
        if (pool_.size() < MiB || slabs_ % segment_slabs != 0)
            add("pool-slabs", Severity::refusal, fmt::format("{} slabs are not a whole number of segments of {}", slabs_, segment_slabs),
                first.where.text());
        if (machine_.slabs && *machine_.slabs != slabs_)
            add("pool-slabs", Severity::refusal,
                fmt::format("the pool has {} slabs by its size and {} by debugfs", slabs_, *machine_.slabs),
                "sys/kernel/debug/swiotlb/io_tlb_nslabs");
        if (machine_.slabs_used.value_or(0) != 0)
            add("pool-in-use", Severity::warning, fmt::format("{} slabs are in use now", *machine_.slabs_used),
                "sys/kernel/debug/swiotlb/io_tlb_used");
        if (pool_.end() > low_limit)
            add("pool-below-4g", Severity::refusal,
                fmt::format("the pool ends at {:#x}, above 4 GiB, where no other kernel looks for one", pool_.end()), first.where.text());

        look_at_surroundings(first.where);
        return !refused();
    }

    void look_at_surroundings(const Evidence& where) {
        if (!machine_.ram.contains(pool_))
            add("pool-in-ram", Severity::refusal, "the pool does not lie inside one System RAM range", where.text());
        for (const AddressRange& c : machine_.crash_kernel)
            if (c.overlaps(pool_))
                add("pool-disjoint", Severity::refusal,
                    fmt::format("the pool overlaps the crashkernel reservation {}", e820::to_string(c)),
                    machine_.crash_kernel_from.text());
        if (machine_.kernel_image && machine_.kernel_image->overlaps(pool_))
            add("pool-disjoint", Severity::refusal, "the pool overlaps the running kernel's image", "proc/iomem");
        for (const e820::Entry& entry : machine_.map.entries)
            if (entry.type != Type::ram && entry.range.overlaps(pool_))
                add("pool-disjoint", Severity::refusal,
                    fmt::format("the pool overlaps {}, which is not RAM", e820::to_string(entry.range)), machine_.map_from.text());
        // Whatever else is named there, known or not, has its own idea of that memory.
        const auto is_pool = [&](const IomemEntry& entry) {
            return std::any_of(machine_.pool.begin(), machine_.pool.end(),
                               [&](const PoolSighting& s) { return s.source == PoolSource::iomem && s.where.line == entry.line; });
        };
        for (const IomemEntry& entry : machine_.iomem)
            if (entry.range.overlaps(pool_) && entry.name != "System RAM" && entry.name != "Crash kernel" && !entry.name.starts_with("Kernel ") &&
                !is_pool(entry))
                add("pool-disjoint", Severity::refusal,
                    fmt::format("the pool overlaps {}, '{}'", e820::to_string(entry.range), entry.name),
                    Evidence{"proc/iomem", entry.line}.text());
    }

    // --- what protects memory

    void look_at_protection() {
        const std::string evidence = machine_.encryption_from.text();
        switch (machine_.encryption) {
            case Encryption::none: break;
            case Encryption::sme:
            case Encryption::sev:
            case Encryption::sev_es:
                add("encryption-unproven", Severity::refusal,
                    fmt::format("{}: a handoff should work here, but nobody has shown it on real hardware", name(machine_.encryption)),
                    evidence, "try it on a machine that may lose a dump, with --accept encryption-unproven");
                break;
            case Encryption::sev_snp:
            case Encryption::tdx:
                add("encryption-none", Severity::refusal,
                    fmt::format("{}: the pool's pages are shared with the host, and a new kernel cannot know it", name(machine_.encryption)),
                    evidence);
                break;
            case Encryption::unknown:
                add("encryption-known", machine_.live ? Severity::refusal : Severity::warning,
                    "no source says whether memory is encrypted (the kernel log may have wrapped)", {},
                    "give the boot log, or --accept encryption-known if you know that it is not");
                break;
        }
        if (machine_.xen) add("xen-none", Severity::refusal, "Xen: its swiotlb is not the kernel's to hand over");
        if (machine_.lockdown.value_or(false) && request_.loader == Loader::kexec_load)
            add("loader-permitted", Severity::refusal, "the kernel is locked down and takes only kexec_file_load",
                "sys/kernel/security/lockdown", "load with kexec -s");
    }

    // --- the words that are there already

    // What would keep the words from doing what they say, to whatever use the region is put.
    void look_at_map_words() {
        const auto refuse = [this](std::string_view rule, std::string text, std::string advice) {
            add(rule, Severity::refusal, std::move(text), {}, std::move(advice));
        };
        if (base_.ends_in_init_words())
            refuse("command-line-init", "the command line has a '--': words behind it go to init, not to the kernel", "remove the '--'");
        if (!promised_ && (base_.has(marker_key) || base_.has(lent_key))) refuse("command-line-agrees", "there is a handoff on the command line already", "plan without it");
        for (const Word* word : base_.all("memmap"))
            if (word->value.value_or("").find("exactmap") != std::string::npos)
                refuse("command-line-agrees", "memmap=exactmap replaces the crash kernel's map", "remove it; kexec passes the map itself");
    }

    void look_at_command_line() {
        look_at_map_words();
        const auto refuse = [this](std::string_view rule, std::string text, std::string advice) {
            add(rule, Severity::refusal, std::move(text), {}, std::move(advice));
        };
        if (!swiotlb_.unknown.empty())
            refuse("command-line-agrees", fmt::format("swiotlb={} asks for something that is not understood", fmt::join(swiotlb_.unknown, ",")),
                   "remove it from the crash kernel's command line");
        for (const char* key : {"cma", "hugetlb_cma"})  // Fedora's defaults have both, with 0
            if (base_.has(key) && base_.last(key) != "0")
                refuse("command-line-early", fmt::format("{}= takes memory before the pool is made", key),
                       fmt::format("remove {}= from the crash kernel's command line, or make it 0", key));
        for (const char* key : {"crashkernel", "memtest", "movable_node", "kernelcore", "movablecore",
                                "reserve_mem", "efi_fake_mem", "add_efi_memmap", "page_owner"})
            if (base_.has(key))
                refuse("command-line-early", fmt::format("{}= takes or tests memory before the pool is made", key),
                       fmt::format("remove {} from the crash kernel's command line", key));
        if (base_.last("hugepagesz").value_or("").find('G') != std::string::npos)
            refuse("command-line-early", "hugepagesz=1G takes memory before the pool is made", "remove it from the crash kernel's command line");
        if (base_.last("numa").value_or("").find("fake") != std::string::npos)
            refuse("command-line-early", "numa=fake= splits the crash kernel's memory", "remove it from the crash kernel's command line");
        // Where the running kernel keeps its pool, the same IOMMU words keep the
        // crash kernel's; others may make it tear the pool down (swiotlb_exit()).
        for (const char* key : {"iommu", "intel_iommu", "amd_iommu"})
            if (!machine_.command_line.empty() && base_.last(key) != running_.last(key))
                refuse("command-line-iommu",
                       fmt::format("{}= differs: '{}' for the running kernel, '{}' for the crash kernel", key,
                                   running_.last(key).value_or(""), base_.last(key).value_or("")),
                       fmt::format("give the crash kernel the same {}=", key));
        if (!base_.has("reset_devices"))
            add("reset-devices", Severity::warning, "reset_devices is missing: drivers may leave old DMA running", {},
                "add reset_devices to the crash kernel's command line");

        const std::string release = request_.image && !request_.image->release.empty() ? request_.image->release : machine_.release;
        const auto version = version_of(release);
        const bool rounds = !version || *version >= std::array<std::uint64_t, 2>{6, 0};
        if ((rounds || plan_.method == Method::addr) && !std::has_single_bit(slabs_))
            add("pool-power-of-two", Severity::refusal,
                fmt::format("{} slabs are not a power of two, and {} rounds up", slabs_, release.empty() ? "an unknown kernel perhaps" : release));
        // With addr= the kernel has fewer areas instead of a larger pool.
        if (rounds && plan_.method != Method::addr && slabs_ < segment_slabs * std::bit_ceil(std::uint64_t{crash_cpus()}))
            add("pool-slabs", Severity::refusal,
                fmt::format("{} slabs are too few for {} CPUs: the kernel rounds up", slabs_, crash_cpus()), {},
                "add nr_cpus=1 to the crash kernel's command line");
    }

    unsigned crash_cpus() const {
        for (const char* key : {"nr_cpus", "possible_cpus"})
            if (const auto number = e820::parse_prefixed(base_.last(key).value_or("")); number && *number > 0 && *number < 65536)
                return static_cast<unsigned>(*number);
        return machine_.possible_cpus.value_or(1024);
    }

    // --- who loads it

    void look_at_loader() {
        if (request_.loader == Loader::automatic)
            add("loader-known", Severity::info, "the loader is not known: the plan holds for both system calls");
        image_ = assumed_image(machine_, request_);
        initrd_bytes_ = assumed_initrd_bytes(request_);
        if (!request_.image || !request_.initrd_bytes)
            add("image-known", machine_.live ? Severity::refusal : Severity::warning,
                fmt::format("assumed: a kernel of up to {} MiB{}", mib(image_.init_size),
                            request_.initrd_bytes ? std::string() : fmt::format(" and an initrd of up to {} MiB", mib(initrd_bytes_))),
                {}, "give --kernel and --initrd");

        if (machine_.efi_runtime_map) {
            setup_data_ = true;
        } else if (machine_.kexec_tools) {
            setup_data_ = newer_kexec_tools(*machine_.kexec_tools);
            // setup_rng_seed() passes nothing where getrandom() with GRND_NONBLOCK has nothing.
            if (setup_data_ == true && machine_.random_ready == false && request_.loader != Loader::kexec_file_load) {
                setup_data_ = std::nullopt;
                add("loader-setup-data", Severity::warning,
                    "the random number generator is not ready: kexec-tools may have no seed to put at the start of the reservation", {},
                    "load later, or with kexec -s");
            }
        } else if (!machine_.live && request_.loader != Loader::kexec_file_load) {
            setup_data_ = true;
            add("loader-setup-data", Severity::warning, "assumed: kexec-tools 2.0.25 or newer, which puts setup_data at the start of the reservation");
        }
    }

    // setup_rng_seed() is in kexec-tools 2.0.25 and later.
    static bool newer_kexec_tools(std::string_view version) {
        constexpr std::string_view series = "2.0.";
        if (!version.starts_with(series)) return true;
        version.remove_prefix(series.size());
        const auto digits = version.substr(0, std::min(version.find_first_not_of("0123456789"), version.size()));
        return e820::parse_number(digits, 10).value_or(0) >= 25;
    }

    LoadInput load_input(Loader loader, std::uint64_t slack) const {
        LoadInput in;
        in.loader = loader;
        in.init_size = image_.init_size;
        in.kernel_alignment = std::max<std::uint64_t>(image_.kernel_alignment, 2 * MiB);
        in.pref_address = image_.pref_address;
        in.setup_bytes = image_.setup_bytes;
        in.payload_bytes = image_.payload_bytes;
        in.initrd_bytes = initrd_bytes_;
        in.command_line_bytes = plan_.base.size();
        in.setup_data = setup_data_;
        in.slack = slack;
        return in;
    }

    // --- where the pool lands

    struct Scenario {
        LoadInput in;
        Load load;
    };

    // Every load that may be; false where one does not fit.
    bool predict_loads() {
        for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load}) {
            if (request_.loader != Loader::automatic && request_.loader != loader) continue;
            if (plan_.method == Method::e820 && loader == Loader::kexec_file_load) continue;
            // Small segments of other sizes can push the large ones down: the command
            // line to come, an EFI runtime map, other versions of a loader. The first
            // load is one with the least of them, so that none leaves larger free
            // blocks; up to 16 KiB each page is tried, so that the real one is among them.
            for (const std::uint64_t slack : {0 * KiB, 4 * KiB, 8 * KiB, 12 * KiB, 16 * KiB, 64 * KiB, 128 * KiB}) {
                const LoadInput in = load_input(loader, slack);
                auto load = predict_load(machine_, in);
                if (!load) {
                    add("load-fits", Severity::refusal, fmt::format("{}: {}", name(loader), load.error().what),
                        machine_.crash_kernel_from.text(), "a larger crashkernel=");
                    return false;
                }
                const bool known = std::any_of(scenarios_.begin(), scenarios_.end(), [&](const Scenario& s) {
                    return s.load.loader == load->loader && s.load.find("kernel")->range == load->find("kernel")->range &&
                           (in.initrd_bytes == 0 || s.load.find("initrd")->range == load->find("initrd")->range);
                });
                if (!known) scenarios_.push_back({in, std::move(*load)});
            }
        }
        for (const Scenario& s : scenarios_) plan_.loads.push_back(s.load);
        return true;
    }

    void place() {
        if (!predict_loads()) return;
        if (scenarios_.empty()) {
            add("loader-known", Severity::refusal, "the e820 method is for who builds boot_params: kexec_load only", {},
                "use --method ram with kexec_file_load");
            return;
        }
        if (promised_) {
            judge_promise();
            return;
        }
        choose_numa();
        find_layout();
        look_at_result();
    }

    void choose_numa(bool whatever_the_nodes = false) {
        if (base_.last("numa").value_or("") == "off" || (machine_.memory_nodes == 1u && !whatever_the_nodes)) return;
        numa_off_ = true;
        add("numa-single", Severity::info,
            machine_.memory_nodes == 1u ? std::string("numa=off is added: ACPI's SRAT names memory above 4 GiB")
            : machine_.memory_nodes     ? fmt::format("numa=off is added: the machine has {} nodes with memory", *machine_.memory_nodes)
                                        : std::string("numa=off is added: the number of NUMA nodes is not known"));
    }

    std::string words(const std::vector<AddressRange>& fence_pages, bool nokaslr) const {
        std::string text = fmt::format("swiotlb={}{}", slabs_, forced_ ? ",force" : "");
        if (plan_.method == Method::addr) text += fmt::format(",addr={:#x}", pool_.start());
        std::string memmap;
        if (plan_.method != Method::e820) memmap = e820::to_word(e820::AddRange{pool_, Type::ram});
        // nn%ss-1+2 turns RAM into reserved memory, as nn$ss does, and has no '$'
        // that a kdump script's eval would expand. KASLR takes it for a memory
        // limit (kaslr.c, parse_memmap()): fences come with nokaslr.
        for (const AddressRange& f : fence_pages) {
            if (!memmap.empty()) memmap += ',';
            memmap += e820::to_word(e820::UpdateRange{f, Type::ram, Type::reserved});
        }
        if (!memmap.empty()) text += " memmap=" + memmap;
        if ((nokaslr || plan_.method == Method::e820) && !base_.has("nokaslr")) text += " nokaslr";
        if (numa_off_) text += " numa=off";
        return text + ' ' + marker(pool_);
    }

    e820::Table boot_map(const Load& load) const {
        e820::Table map = load.map;
        if (plan_.method == Method::e820) map.add(pool_, Type::ram);
        return map;
    }

    struct Kaslr {
        bool on = true;
        std::vector<AddressRange> avoid;
    };
    // mem_avoid_memmap() and cmdline_find_option_bool(), which takes no value.
    static Kaslr kaslr_with(const CommandLine& line) {
        Kaslr kaslr;
        for (const Word* word : line.all("nokaslr"))
            if (word->text == "nokaslr") kaslr.on = false;
        for (const Word* word : line.all("memmap")) {
            if (kaslr.avoid.size() >= max_kaslr_regions) break;
            const auto ops = e820::parse_memmap(word->value.value_or(""));
            if (!ops) continue;
            for (const e820::MemmapOp& op : *ops) {
                if (kaslr.avoid.size() >= max_kaslr_regions) kaslr.on = false;
                else if (const auto* add = std::get_if<e820::AddRange>(&op); add && add->type != Type::ram && add->range.start() != 0)
                    kaslr.avoid.push_back(add->range);
            }
        }
        return kaslr;
    }

    Result<CrashMemory> memory_of(const Scenario& s, const CommandLine& line) const {
        const auto map = apply_memory_words(boot_map(s.load), line);
        if (!map) return map.error();
        CrashMemory memory;
        memory.ram = map->of(Type::ram);
        for (const Segment& segment : s.load.segments) {
            if (segment.name == "initrd")
                memory.reserved.push_back(segment.range);
            else if (segment.name == "setup_data" && setup_data_ == true)
                memory.reserved.push_back(*AddressRange::from_size(segment.range.start(), page_size));
            if (segment.name != "kernel") memory.maybe_reserved.push_back(segment.range);
            // With CONFIG_CRASH_HOTPLUG there is room in it for 16384 headers of
            // 56 bytes (kernel/crash_core.c, crash_get_elfcorehdr_size()).
            if (segment.name == "elfcorehdr" && s.load.loader == Loader::kexec_file_load)
                memory.maybe_reserved.push_back(*AddressRange::from_size(segment.range.start(), MiB));
        }
        Kaslr kaslr = kaslr_with(line);
        if (plan_.method == Method::addr) kaslr.avoid.push_back(pool_);
        const std::uint64_t least = image_at_least();
        // extract_kernel(): room for the larger of the payload and the image.
        const std::uint64_t needed = align_up(std::max({image_.uncompressed_bytes, least, e820::page_size}), 2 * MiB);
        memory.images = image_addresses(s.load, s.in, image_.uncompressed_bytes || least ? needed : image_.init_size / 2, kaslr.on, kaslr.avoid);
        memory.image_at_least = least;
        memory.image_at_most = align_up(std::max({image_.init_size, image_.uncompressed_bytes, least}), 2 * MiB);
        return memory;
    }

    // The running kernel tells how much of its image is reserved; another
    // version's may be smaller.
    std::uint64_t image_at_least() const {
        const bool same = !image_.release.empty() && image_.release == machine_.release;
        return request_.image && same && machine_.kernel_image ? machine_.kernel_image->size() : 0;
    }

    // The first counterexample of these words over all scenarios; an error where
    // the words do not make a map.
    Result<std::optional<Counterexample>> attempt(const CommandLine& line) {
        tried_images_ = 0;
        for (const Scenario& s : scenarios_) {
            const auto memory = memory_of(s, line);
            if (!memory) return memory.error();
            tried_images_ += memory->images.size();
            DemandInput input{memory->ram, slabs_, crash_cpus(), 0};
            if (const std::string length = base_.last("log_buf_len").value_or(""); !length.empty()) {
                // log_buf_len_update() takes 2 GiB at most (LOG_BUF_LEN_MAX); what wraps
                // in the kernel can be anything up to that.
                std::string_view text = length;
                constexpr std::uint64_t most = 2 * GiB;
                const bool number = length.front() >= '0' && length.front() <= '9';
                input.extra = 4 * std::min(e820::take_memparse(text).value_or(number ? most : 0), most);
            }
            const EarlyDemand demand = early_demand(input);
            plan_.early_bytes = std::max(plan_.early_bytes, demand.total());
            const auto found =
                plan_.method == Method::addr ? find_refused_addr(*memory, pool_) : find_counterexample(*memory, pool_, demand);
            if (found) return found;
        }
        return std::optional<Counterexample>{};
    }

    // Fences for the first scenario; with `count_loads` they rely on where it puts
    // initrd and kernel and are fewer, without it they hold for others too.
    std::optional<std::vector<AddressRange>> fences_for(bool count_loads) const {
        const auto line = CommandLine::parse(base_.with(words({}, true)));
        if (!line) return std::nullopt;
        auto memory = memory_of(scenarios_.front(), *line);
        if (!memory) return std::nullopt;
        if (count_loads)
            memory->reserved.push_back(*AddressRange::from_size(memory->images.front(), memory->image_at_least));
        else
            std::erase_if(memory->reserved, [](const AddressRange& r) { return r.size() != page_size; });

        std::vector<AddressRange> keep_out;
        for (const Scenario& s : scenarios_) {
            for (const Segment& segment : s.load.segments)
                if (segment.name != "kernel") keep_out.push_back(segment.range);
            // setup_data that kexec-tools puts there, or may put there.
            if (s.load.loader == Loader::kexec_load && setup_data_ != false)
                keep_out.push_back(*AddressRange::from_size(machine_.crash_kernel.back().start(), 64 * KiB));
        }
        return fences(*memory, pool_, keep_out);
    }

    // What can be added to make the pool land, from least to most: nothing; a
    // kernel that stays where the loader puts it; fences as well.
    struct Cure {
        std::vector<AddressRange> fences;
        bool nokaslr = false;
    };
    std::vector<Cure> cures() const {
        std::vector<Cure> all;
        if (plan_.method != Method::e820) all.push_back({{}, false});
        if (plan_.method == Method::addr) return all;
        all.push_back({{}, true});
        for (const bool count_loads : {true, false})
            if (auto pages = fences_for(count_loads); pages && *pages != all.back().fences) all.push_back({std::move(*pages), true});
        return all;
    }

    void find_layout() {
        std::optional<Counterexample> first, last;
        for (const Cure& cure : cures()) {
            const auto line = CommandLine::parse(base_.with(words(cure.fences, cure.nokaslr)));
            const auto tried = line ? attempt(*line) : line.error();
            if (!tried) {
                add("command-line-sound", Severity::refusal, tried.error().message());
                return;
            }
            if (!*tried) {
                settle(cure);
                return;
            }
            if (!first) first = *tried;
            if (!last || (*tried)->kind != Counterexample::Kind::not_ram) last = *tried;
        }
        refuse_layout(*first, *last);
    }

    void judge_promise() {
        const auto tried = attempt(base_);
        if (!tried) add("command-line-sound", Severity::refusal, tried.error().message());
        else if (*tried) refuse_layout(**tried, **tried);
        else report_proof(0);
        if (base_.last("numa").value_or("") != "off" && machine_.memory_nodes != 1u)
            add("numa-single", Severity::refusal, "the crash kernel may see several NUMA nodes", {}, "add numa=off");
    }

    void report_proof(std::size_t fence_count) {
        std::string text = fmt::format("proven: the pool lands at {} in all {} places where loader and KASLR can put the kernel",
                                       e820::to_string(pool_), tried_images_);
        if (plan_.method == Method::addr) text += ", since addr= reserves it before any other memory is taken";
        if (fence_count != 0) text += fmt::format(", with {} fence page{}", fence_count, fence_count == 1 ? "" : "s");
        add("pool-exact", Severity::info, std::move(text));
        plan_.expected = pool_;
    }

    void settle(const Cure& cure) {
        plan_.fences = cure.fences;
        plan_.append = words(cure.fences, cure.nokaslr);
        report_proof(cure.fences.size());
        if (plan_.method == Method::addr)
            add("kaslr-blind", Severity::info, "KASLR keeps clear of addr=, and does not see a region that only a memmap= word adds");
        else if (cure.nokaslr)
            add("kaslr-blind", Severity::info, "nokaslr is added: the kernel stays where the loader puts it");
        else
            add("kaslr-blind", Severity::info, "KASLR does not see a region that only a memmap= word adds");
        if (!setup_data_ && request_.loader != Loader::kexec_file_load)
            add("loader-setup-data", Severity::info, "proven with and without setup_data of kexec-tools at the start of the reservation");
    }

    void refuse_layout(const Counterexample& naive, const Counterexample& last) {
        plan_.counterexample = last;
        const bool above = pool_.start() >= machine_.crash_kernel.back().end();
        if (last.kind == Counterexample::Kind::eaten && above) {
            add("pool-below-crashkernel", Severity::refusal,
                fmt::format("the pool lies above the reservation {}: early allocations go to the highest memory and take its top",
                            e820::to_string(machine_.crash_kernel.back())),
                machine_.crash_kernel_from.text());
            return;
        }
        add("pool-exact", Severity::refusal, to_string(last), machine_.crash_kernel_from.text());
        if (naive.kind != last.kind) add("pool-exact", Severity::info, "without fences: " + to_string(naive));
    }

    // --- the pool as ordinary RAM

    // Nothing has to land anywhere: what is to be shown is that nobody else uses it.
    void lend() {
        not_needed_ = false;
        plan_.loan = true;
        plan_.method = Method::ram;
        if (!look_at_pool()) return;
        add(judge_evidence(machine_));
        add(judge_dump(request_));
        look_at_protection();
        look_at_map_words();
        look_at_loader();
        if (!predict_loads()) return;
        if (!promised_) {
            // With NUMA nodes the crash kernel counts SRAT's memory as its own, and makes a pool after all.
            choose_numa(machine_.srat_memory_end.value_or(0) > low_limit);
            plan_.append = fmt::format("memmap={}{} {}", e820::to_word(e820::AddRange{pool_, Type::ram}), numa_off_ ? " numa=off" : "",
                                       marker(pool_, lent_key));
        }
        look_at_result();
        add(judge_neighbours(machine_, base_, request_.loader != Loader::kexec_load, pool_, {}));
    }

    void look_at_result() {
        if (refused()) return;
        const auto line = CommandLine::parse(base_.with(plan_.append));
        const auto map = line ? apply_memory_words(boot_map(scenarios_.front().load), *line) : Result<e820::Table>(line.error());
        if (!map) {
            add("command-line-sound", Severity::refusal, map.error().message());
            return;
        }
        plan_.after = *map;
        if (!map->of(Type::ram).contains(pool_) )
            add("map-once", Severity::refusal, "the crash kernel's map does not have the pool as RAM");
        if (plan_.method != Method::e820 && scenarios_.front().load.map.of(Type::ram).overlaps(pool_))
            add("map-once", Severity::refusal, "the crash kernel's map has the pool as RAM already");

        std::uint64_t added = 0;
        for (const Scenario& s : scenarios_) added = std::max(added, s.load.added_words);
        const std::uint64_t length = line->text().size() + added;
        if (length > image_.cmdline_size)
            add("command-line-fits", Severity::refusal,
                fmt::format("the command line would have {} bytes with what the loader adds, the image takes {}", length, image_.cmdline_size),
                {}, "shorten the crash kernel's command line");
        if (plan_.loan) look_at_gain(scenarios_.front().load.map, *map);
        else look_at_memory_kept();
    }

    // What the lent pool costs: struct pages for the sections of 128 MiB that only it is in.
    void look_at_gain(const e820::Table& before, const e820::Table& after) {
        const auto map_bytes = [](const e820::Table& map) { return early_demand({map.of(Type::ram), 0, 1, 0}).memory_map; };
        const std::uint64_t cost = map_bytes(after) - map_bytes(before);
        if (cost >= pool_.size())
            add("lend-gain", Severity::refusal, fmt::format("the pool has {} MiB, and its struct pages take {} MiB", mib(pool_.size()), mib(cost)));
        else
            add("lend-gain", Severity::info, fmt::format("the crash kernel has {} MiB more: the pool is lent to it as ordinary RAM", (pool_.size() - cost) / MiB));
    }

    // What the region costs (struct pages, fences) against the pool that the
    // kernel would otherwise take out of the reservation.
    void look_at_memory_kept() {
        const auto with = CommandLine::parse(base_.with(plan_.append));
        if (!with) return;
        const Scenario& s = scenarios_.front();
        const auto handed = memory_of(s, *with);
        const auto plain = memory_of(s, base_);
        if (!handed || !plain || plain->images.empty()) return;
        RangeSet free = plain->ram;
        for (const AddressRange& r : plain->reserved) free.subtract(r);
        free.subtract(*AddressRange::from_size(plain->images.front(), plain->image_at_most));
        const auto natural = natural_pool(free, swiotlb_.slabs.value_or(32768) * slab_size);
        const auto map_bytes = [&](const CrashMemory& m) { return early_demand({m.ram, slabs_, 1, 0}).memory_map; };
        const std::uint64_t cost = map_bytes(*handed) - map_bytes(*plain) + plan_.fences.size() * page_size;
        if (!natural)
            add("memory-kept", Severity::info,
                fmt::format("without the handoff the crash kernel would have no pool; this one costs up to {} KiB of the reservation, for "
                            "struct pages and slots", (cost + slabs_ * slot_size) / KiB));
        else if (cost > natural->size())
            add("memory-kept", Severity::refusal,
                fmt::format("the handoff costs {} KiB of struct pages and fences, and gives back only {} KiB", cost / KiB, natural->size() / KiB));
        else
            add("memory-kept", Severity::info,
                fmt::format("the crash kernel keeps {} MiB more of its reservation for itself", (natural->size() - cost) / MiB));
    }

    // --- what would cure a refusal, tried on this very machine

    void advise_layout();

    const Machine& machine_;
    const PlanRequest& request_;
    Plan plan_;
    CommandLine running_, base_;
    std::string assumed_;  ///< words of base_ that nobody gave
    SwiotlbOption running_swiotlb_, swiotlb_;
    std::optional<AddressRange> promised_;
    AddressRange pool_;
    std::uint64_t slabs_ = 0;
    bool forced_ = false;
    bool numa_off_ = false;
    bool not_needed_ = false;
    std::size_t tried_images_ = 0;
    Image image_;
    std::uint64_t initrd_bytes_ = 0;
    std::optional<bool> setup_data_;
    std::vector<Scenario> scenarios_;
};

void Decision::advise_layout() {
    const auto about_layout = std::find_if(plan_.reasons.begin(), plan_.reasons.end(), [](const Reason& r) {
        return r.severity == Severity::refusal && (r.rule == "pool-exact" || r.rule == "pool-below-crashkernel" || r.rule == "load-fits");
    });
    if (about_layout == plan_.reasons.end()) return;
    Reason& reason = *about_layout;
    const Recommendation next = recommend(machine_, request_);
    if (next.chosen)
        reason.advice = fmt::format("boot with {}: {}", next.chosen->reservation.text(),
                                    next.verdict != Verdict::ready ? "the crash kernel then makes no pool"
                                    : next.reproduced.layout ? "proven for this machine as the next boot lays it out"
                                                             : "proven if the next boot lays the machine out as the model does, which this one did not");
    else if (const auto offset = running_.last("crashkernel"); offset && offset->find('@') != offset->npos)
        reason.advice = "drop the @offset of crashkernel=, so that the kernel puts the reservation above the pool";
    else if (reason.advice.empty())
        reason.advice = "no reservation that this machine could have was proven; kdump goes on as before";
}

}  // namespace

const char* name(Method method) {
    switch (method) {
        case Method::automatic: return "auto";
        case Method::ram: return "ram";
        case Method::addr: return "addr";
        case Method::e820: return "e820";
    }
    return "unknown";
}

std::optional<Method> method_from(std::string_view text) {
    for (const Method method : {Method::automatic, Method::ram, Method::addr, Method::e820})
        if (text == name(method)) return method;
    return std::nullopt;
}

const char* name(Collector collector) {
    switch (collector) {
        case Collector::unknown: return "unknown";
        case Collector::maps: return "mmap";
        case Collector::reads: return "read";
    }
    return "unknown";
}

std::optional<Collector> collector_from(std::string_view text) {
    for (const Collector collector : {Collector::maps, Collector::reads})
        if (text == name(collector)) return collector;
    return std::nullopt;
}

const char* name(Verdict verdict) {
    switch (verdict) {
        case Verdict::ready: return "ready";
        case Verdict::not_needed: return "not-needed";
        case Verdict::refused: return "refused";
    }
    return "unknown";
}

Plan plan(const Machine& machine, const PlanRequest& request, Advice advice) {
    return Decision(machine, request).decide(advice == Advice::layout);
}

Image assumed_image(const Machine& machine, const PlanRequest& request) {
    if (request.image) return *request.image;
    Image image;
    if (machine.kernel_image) image.init_size = std::max(align_up(machine.kernel_image->size() * 5 / 4, MiB), assumed_init_size);
    else image.init_size = assumed_init_size;
    image.release = machine.release;
    return image;
}

std::uint64_t assumed_initrd_bytes(const PlanRequest& request) { return request.initrd_bytes.value_or(assumed_initrd); }

Plan review(const Machine& machine, const PlanRequest& request, const AddressRange& promised) {
    Decision decision(machine, request);
    decision.promise(promised);
    return decision.decide(false);
}

}  // namespace handoff
