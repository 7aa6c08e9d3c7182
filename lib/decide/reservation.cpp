// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/reservation.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "lib/decide/pool.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::whole_mib;
using std::string_view;

constexpr string_view own_boot = "this is a crash kernel's own boot, by the elfcorehdr= on its command line";

bool is_possible(const AddressRange& reservation) {
    return reservation.size() <= largest_reservation && reservation.end() <= physical_memory_end;
}

/// The running kernel's words of it: "crashkernel=512M,high crashkernel=0,low"; "" where there are none.
std::string asked_for(const CommandLine& running) {
    std::string words;
    for (const Word* word : running.all("crashkernel")) words += (words.empty() ? "" : " ") + word->text;
    return words;
}

/// Whether nothing is reserved because no source shows anything: /proc/iomem would, and so would a whole log.
bool shows_reservations(const Question& question) {
    const Machine& machine = question.machine;
    const bool not_asked_for = machine.knows_command_line() && !question.running.has("crashkernel");
    return !machine.iomem.empty() || machine.crash_size == 0u || machine.log_complete || not_asked_for;
}

/// What to do on this kernel, where it says `line`, or nothing.
std::string cure(const Question& question, string_view line) {
    const Machine& machine = question.machine;
    const auto says = [line](string_view text) { return line.find(text) != line.npos; };
    const std::uint64_t ram = machine.ram.size();
    const auto asked = reservation_of(question.running, ram);
    const bool high = asked && *asked && (*asked)->high;
    if (says("resulted in zero bytes") && says("auto"))
        return "boot with a size, such as crashkernel=256M: crashkernel=auto reserves nothing in a machine with as "
               "little memory as this, and only kernels of Red Hat and its relatives know it";
    if (question.running.last("crashkernel").value_or("") == "auto")
        return "boot with a size, such as crashkernel=256M: only kernels of Red Hat and its relatives know "
               "crashkernel=auto";
    if (says("zero bytes") || (asked && !*asked))
        return fmt::format(
            "boot with crashkernel=SIZE, or with a range that holds the {} MiB of this machine: none of "
            "the ranges gives anything here",
            whole_mib(ram));
    if (says("memory is in use") || (asked && (*asked)->base))
        return "leave out @OFFSET, so that the kernel looks for free memory by itself";
    if (says("low memory") || says("low reservation"))
        return "boot with a smaller crashkernel=SIZE,low, which the kernel takes below 4 GiB beside the other";
    if (says("invalid size")) return "boot with a size that is smaller than the machine's memory";
    if (says("crashkernel: ") || !asked)
        return "write it as crashkernel=SIZE, crashkernel=SIZE,high or crashkernel=RANGE:SIZE: the kernel did not "
               "understand it";
    if (!high && reserves_below_896_mib(machine.release))
        return "boot with crashkernel=SIZE,high, or a smaller size: before Linux 5.2 the kernel looks for the memory "
               "below 896 MiB only, unless it is told ',high'";
    if (line.empty()) return "look for 'crashkernel' in the boot log, which says why";
    return "boot with a smaller size: no free piece of memory is as large";
}

/// Nothing is reserved, and the command line asks for it or nobody knows.
void refuse_nothing(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const std::string words = asked_for(question.running);
    if (is_of_crash_kernel(machine.command_line))
        return found.refuse("crashkernel-reserved",
                            std::string(own_boot) + ": what is reserved is the memory it runs in", {},
                            "give the log of the kernel that crashed");
    if (!machine.reservation_failures.empty()) {
        const LogQuote& quote = machine.reservation_failures.back();
        return found.refuse("crashkernel-reserved",
                            fmt::format("{}the kernel reserved nothing: '{}'",
                                        words.empty() ? "" : words + " is on the command line, and ", quote.text),
                            quote.where.text(), cure(question, quote.text));
    }
    if (!shows_reservations(question))
        return found.refuse(
            "crashkernel-reserved",
            "it is not known whether memory is reserved for a crash kernel: there is no proc/iomem, and "
            "the kernel log is not there or does not show the whole boot",
            {}, "give proc/iomem, or the log from the boot's first line on");
    const std::string evidence = machine.crash_kernel_from.text();
    if (words.empty())
        return found.refuse("crashkernel-reserved", "no memory is reserved for a crash kernel", evidence,
                            "boot with crashkernel=");
    found.refuse("crashkernel-reserved", words + " is on the command line, and the kernel reserved nothing", evidence,
                 cure(question, {}));
}

}  // namespace

bool judge_hypervisor(const Machine& machine, Findings& found) {
    if (!machine.xen) return true;
    found.refuse("xen-none",
                 "Xen PV: this kernel's memory and swiotlb are Xen's to give. The crash kernel of a dom0 is loaded by "
                 "Xen, into the reservation of Xen's own command line, and a guest has none",
                 {}, "for a dom0, reserve memory on Xen's own command line");
    return false;
}

bool judge_reservation(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const std::string evidence = machine.crash_kernel_from.text();
    for (const AddressRange& c : machine.crash_kernel)
        if (!is_possible(c)) {
            found.refuse(
                "crashkernel-reserved",
                fmt::format(
                    "the reservation {} is no reservation of a real machine: more than {} GiB, or beyond 52 bits",
                    base::to_string(c), largest_reservation / base::GiB),
                evidence);
            return false;
        }
    if (machine.crash_kernel.empty()) {
        refuse_nothing(question, found);
        return false;
    }
    if (machine.crash_kernel_from.file == "dmesg" && !machine.log_complete)
        found.missing(machine.live, "crashkernel-reserved",
                      "the log shows a reservation, and may have lost another one: " + log_loss(machine),
                      {"there is no other reservation than the log shows", "proc/iomem"}, "give proc/iomem");
    return true;
}

std::string why_size_unknown(const Question& question) {
    const Machine& machine = question.machine;
    if (machine.other_architecture) return "this is no x86-64 machine";
    if (machine.xen) return "under Xen PV the crash kernel gets no memory of this kernel's";
    if (!question.readable) return "the crash kernel's command line cannot be read";
    if (!std::all_of(machine.crash_kernel.begin(), machine.crash_kernel.end(), is_possible))
        return "what is shown is no reservation of a real machine";
    if (!machine.crash_kernel.empty()) return {};
    if (is_of_crash_kernel(machine.command_line)) return std::string(own_boot);
    if (machine.reservation_failures.empty() && !shows_reservations(question))
        return "no source shows whether memory is reserved";
    return {};
}

}  // namespace handoff
