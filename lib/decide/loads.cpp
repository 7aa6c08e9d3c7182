// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/loads.hpp"

#include "lib/kernel/loader.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/decide/assumed.hpp"
#include "lib/kernel/behaviour.hpp"

namespace handoff {
namespace {

using base::KiB;
using base::MiB;
using base::whole_mib;

// Small segments of other sizes can push the large ones down: the command line to come, an EFI runtime map, other
// versions of a loader. The first load is one with the least of them, so that none leaves larger free blocks; up to 16
// KiB each page is tried, so that the real one is among them.
constexpr std::uint64_t slacks[] = {0 * KiB, 4 * KiB, 8 * KiB, 12 * KiB, 16 * KiB, 64 * KiB, 128 * KiB};

// kexec-tools copies it where /sys/firmware/efi/runtime-map is, which a capture does not show: the kernel makes none
// where it was told so, nor with PREEMPT_RT (drivers/firmware/efi/efi.c, disable_runtime).
bool surely_has_runtime_map(const Question& question) {
    const Machine& machine = question.machine;
    if (!machine.efi_runtime_map || machine.live) return machine.efi_runtime_map;
    return machine.knows_command_line() && !question.running.has("noefi") && !question.running.has("efi") &&
           machine.release.find("rt") == std::string::npos;
}

std::optional<bool> judge_setup_data(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const Loader loader = question.request.loader;
    if (surely_has_runtime_map(question)) return true;
    if (machine.kexec_tools) {
        const bool seed = passes_random_seed(*machine.kexec_tools);
        // A log that is not whole does not show that the machine has no EFI, whose runtime map would be there.
        if (!seed && !machine.live && !machine.efi && !machine.log_complete && loader != Loader::kexec_file_load)
            return std::nullopt;
        // setup_rng_seed() passes nothing where getrandom() with GRND_NONBLOCK has nothing.
        if (!seed || machine.random_ready != false || loader == Loader::kexec_file_load) return seed;
        found.warn("loader-setup-data",
                   "The random number generator is not ready yet. So kexec-tools may have no seed to put at the start "
                   "of the reservation.",
                   {}, "Load the crash kernel later, or with kexec -s.");
        return std::nullopt;
    }
    if (machine.live || machine.efi_runtime_map || loader == Loader::kexec_file_load) return std::nullopt;
    found.missing(
        machine.live, "loader-setup-data", "It is not known which version of kexec-tools loads the crash kernel.",
        {"kexec-tools is 2.0.25 or newer, which puts setup_data at the start of the reservation", "usr/sbin/kexec"});
    return true;
}

// What kexec_file_load adds to the segments of a load by itself.
void judge_extra_segments(const Machine& machine, Findings& found) {
    const Neighbours& n = machine.neighbours;
    const std::string otherwise = "Load with kexec_load (kexec -c).";
    // crash_load_dm_crypt_keys() in kernel/crash_dump_dm_crypt.c; and dmcryptkeys= on the command line.
    if (n.dm_crypt_keys.value_or(0) != 0)
        found.refuse("loader-segments",
                     fmt::format("The crash kernel gets {} keys of dm-crypt, and kexec_file_load puts them at a random "
                                 "place in the reservation.",
                                 *n.dm_crypt_keys),
                     "sys/kernel/config/crash_dm_crypt_keys/count", otherwise);
    // With half a page more, in whole pages; it is placed first, and moves all others.
    const std::uint64_t list = n.ima_list_bytes.value_or(0) + base::page_size / 2 + base::page_size;
    if (passes_ima_list(machine.release) && list > slacks[std::size(slacks) - 1])
        found.refuse(
            "loader-segments",
            fmt::format("The list of IMA measurements has {} KiB, and kexec_file_load may put it into the reservation.",
                        n.ima_list_bytes.value_or(0) / KiB),
            "sys/kernel/security/ima/binary_runtime_measurements", otherwise);
}

// How much kexec_load may keep for the ELF headers. Whoever does not load through us may use --hotplug where the kernel
// offers it, and kexec-tools then goes by crash_elfcorehdr_size.
std::vector<std::uint64_t> elf_header_sizes(const Question& question, Loader loader) {
    const Neighbours& n = question.machine.neighbours;
    const bool offered = n.memory_crash_hotplug.value_or(false) || n.cpu_crash_hotplug.value_or(false);
    if (loader != Loader::kexec_load || !offered || question.request.leaves_pool_out) return {0};
    // arch/x86/kernel/crash.c, arch_crash_get_elfcorehdr_size(): 8192 CPUs and as many pieces of memory.
    constexpr std::uint64_t most = 64 + 56 * (2 + 8192 + 8192);
    return {0, n.crash_elf_headers.value_or(most)};
}

// The large segments are where they are in a scenario that is there already.
bool is_known(const std::vector<Scenario>& scenarios, const Load& load, std::uint64_t initrd_bytes) {
    return std::any_of(scenarios.begin(), scenarios.end(), [&](const Scenario& s) {
        return s.load.loader == load.loader && s.load.find("kernel")->range == load.find("kernel")->range &&
               s.load.find("elfcorehdr")->range == load.find("elfcorehdr")->range &&
               (initrd_bytes == 0 || s.load.find("initrd")->range == load.find("initrd")->range);
    });
}

void judge_sizes(const Question& question, const Cargo& cargo, Findings& found) {
    const PlanRequest& request = question.request;
    std::vector<std::string> missing, assumed;
    if (!request.image) {
        missing.emplace_back("image");
        assumed.push_back(fmt::format("the crash kernel takes up to {} MiB", whole_mib(cargo.image.init_size)));
    }
    if (!request.initrd_bytes) {
        missing.emplace_back("initrd");
        assumed.push_back(fmt::format("{} initrd has up to {} MiB", assumed.empty() ? "the crash kernel's" : "its",
                                      whole_mib(cargo.initrd_bytes)));
    }
    if (missing.empty()) return;
    found.missing(question.machine.live, "image-known",
                  fmt::format("It is not known which {} will be loaded.", fmt::join(missing, " and ")),
                  {fmt::format("{}", fmt::join(assumed, " and ")), "boot"}, "Give --kernel and --initrd.");
}

}  // namespace

Cargo judge_cargo(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const PlanRequest& request = question.request;
    if (request.loader != Loader::kexec_load) judge_extra_segments(machine, found);
    if (request.loader == Loader::automatic)
        found.note("loader-known",
                   "It is not known which system call loads the crash kernel. The plan is right for both.");
    Cargo cargo{assumed_image(machine, request), assumed_initrd_bytes(request), request.initrd_acpi_bytes, {}};
    judge_sizes(question, cargo, found);
    cargo.setup_data = judge_setup_data(question, found);
    return cargo;
}

Method judge_method(const Question& question, const std::optional<AddressRange>& promised, Findings& found) {
    const auto& image = question.request.image;
    const auto& addr = question.swiotlb.addr;
    const bool announced = image && image->swiotlb_addr;
    Method method = question.request.method;
    if (method == Method::automatic)
        method = announced && (!promised || addr == promised->start()) ? Method::addr : Method::ram;
    if (promised && addr && image && !announced)
        found.refuse("image-addr",
                     "The command line has swiotlb=...,addr=, but the image does not announce that it knows this word. "
                     "A kernel that does not know it also ignores 'force' before it.");
    if (method != Method::addr || announced) return method;
    const std::string advice = "Use --method ram, or a kernel with the patches in kernel/ of the source.";
    if (image)
        found.refuse("image-addr", "The crash kernel's image does not announce that it knows swiotlb=...,addr=.", {},
                     advice);
    else
        found.missing(question.machine.live, "image-addr",
                      "It is not known whether the crash kernel's image knows swiotlb=...,addr=.",
                      {"the crash kernel's image knows swiotlb=...,addr=", "boot"}, advice);
    return method;
}

LoadInput load_input(const Cargo& cargo, Loader loader, std::uint64_t command_line_bytes, std::uint64_t slack) {
    LoadInput in;
    in.loader = loader;
    in.init_size = cargo.image.init_size;
    in.kernel_alignment = std::max<std::uint64_t>(cargo.image.kernel_alignment, 2 * MiB);
    in.pref_address = cargo.image.pref_address;
    in.setup_bytes = cargo.image.setup_bytes;
    in.payload_bytes = cargo.image.payload_bytes;
    in.initrd_bytes = cargo.initrd_bytes;
    in.command_line_bytes = command_line_bytes;
    in.setup_data = cargo.setup_data;
    in.slack = slack;
    return in;
}

std::vector<Scenario> predict_loads(const Question& question, const Cargo& cargo, Method method, Findings& found) {
    std::vector<Scenario> scenarios;
    for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load}) {
        if (question.request.loader != Loader::automatic && question.request.loader != loader) continue;
        if (method == Method::e820 && loader == Loader::kexec_file_load) continue;
        for (const std::uint64_t elf_headers : elf_header_sizes(question, loader)) {
            for (const std::uint64_t slack : slacks) {
                LoadInput in = load_input(cargo, loader, question.given.size(), slack);
                in.elf_header_bytes = elf_headers;
                auto load = predict_load(question.machine, in);
                if (!load) {
                    found.refuse("load-fits", fmt::format("With {}: {}.", name(loader), load.error().what),
                                 question.machine.crash_kernel_from.text(), "Boot with a larger crashkernel=.");
                    return {};
                }
                if (!is_known(scenarios, *load, in.initrd_bytes)) scenarios.push_back({in, std::move(*load)});
            }
        }
    }
    if (scenarios.empty())
        found.refuse("loader-known", "Method e820 works only with kexec_load.", {},
                     "Use --method ram with kexec_file_load.");
    return scenarios;
}

Result<Load> plain_load(const Machine& machine, const PlanRequest& request) {
    Findings found;
    const Question question = ask(machine, request, found);
    if (question.readable) {
        auto scenarios = predict_loads(question, judge_cargo(question, found), Method::ram, found);
        if (!scenarios.empty()) return std::move(scenarios.front().load);
    }
    const Reason* refusal = first_refusal(found.reasons());
    return base::input_error(0, refusal ? refusal->text : "no load can be predicted");
}

}  // namespace handoff
