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

constexpr string_view own_boot = "this is the boot of a crash kernel, because elfcorehdr= is on its command line";

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
        return "Boot with a size, such as crashkernel=256M. Only kernels of Red Hat and its relatives know "
               "crashkernel=auto, and it reserves nothing on a machine with so little memory.";
    if (question.running.last("crashkernel").value_or("") == "auto")
        return "Boot with a size, such as crashkernel=256M. Only kernels of Red Hat and its relatives know "
               "crashkernel=auto.";
    if (says("zero bytes") || (asked && !*asked))
        return fmt::format(
            "Boot with crashkernel=SIZE, or with a range that covers the {} MiB of this machine. None of the ranges "
            "does.",
            whole_mib(ram));
    if (says("memory is in use") || (asked && (*asked)->base))
        return "Leave out @OFFSET, so that the kernel looks for free memory by itself.";
    if (says("low memory") || says("low reservation"))
        return "Boot with a smaller crashkernel=SIZE,low, which the kernel reserves below 4 GiB in addition.";
    if (says("invalid size")) return "Boot with a size that is smaller than the machine's memory.";
    if (says("crashkernel: ") || !asked)
        return "Write it as crashkernel=SIZE, crashkernel=SIZE,high or crashkernel=RANGE:SIZE. The kernel did not "
               "understand it.";
    if (!high && reserves_below_896_mib(machine.release))
        return "Boot with crashkernel=SIZE,high, or with a smaller size. Before Linux 5.2 the kernel looks only below "
               "896 MiB, unless the word ends with ',high'.";
    if (line.empty()) return "Look for 'crashkernel' in the boot log, which says why.";
    return "Boot with a smaller size. No free piece of memory is as large as this.";
}

/// Nothing is reserved, and the command line asks for it or nobody knows.
void refuse_nothing(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const std::string words = asked_for(question.running);
    if (is_of_crash_kernel(machine.command_line))
        return found.refuse("crashkernel-reserved",
                            "This is the boot of a crash kernel, because elfcorehdr= is on its command line. The "
                            "reserved memory is the memory that it runs in.",
                            {}, "Give the log of the kernel that crashed.");
    if (!machine.reservation_failures.empty()) {
        const LogQuote& quote = machine.reservation_failures.back();
        return found.refuse(
            "crashkernel-reserved",
            words.empty()
                ? fmt::format("The kernel reserved nothing: '{}'", quote.text)
                : fmt::format("{} is on the command line, but the kernel reserved nothing: '{}'", words, quote.text),
            quote.where.text(), cure(question, quote.text));
    }
    if (!shows_reservations(question))
        return found.refuse("crashkernel-reserved",
                            "It is not known whether memory is reserved for a crash kernel. There is no /proc/iomem, "
                            "and there is no kernel log that shows the whole boot.",
                            {}, "Give /proc/iomem, or the log from the first line of the boot.");
    const std::string evidence = machine.crash_kernel_from.text();
    if (words.empty())
        return found.refuse("crashkernel-reserved", "No memory is reserved for a crash kernel.", evidence,
                            "Boot with crashkernel=.");
    found.refuse("crashkernel-reserved", words + " is on the command line, but the kernel reserved nothing.", evidence,
                 cure(question, {}));
}

}  // namespace

bool judge_hypervisor(const Machine& machine, Findings& found) {
    if (!machine.xen) return true;
    found.refuse("xen-none",
                 "This kernel runs paravirtualised under Xen, so its memory and its swiotlb belong to Xen. Xen loads "
                 "the crash kernel of a dom0, into the reservation of Xen's own command line; a guest has none.",
                 {}, "For a dom0, reserve memory on Xen's own command line.");
    return false;
}

bool judge_reservation(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const std::string evidence = machine.crash_kernel_from.text();
    for (const AddressRange& c : machine.crash_kernel)
        if (!is_possible(c)) {
            found.refuse("crashkernel-reserved",
                         fmt::format("The reservation {} cannot be that of a real machine: it has more than {} GiB, or "
                                     "is beyond 52 bits.",
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
                      "The log shows a reservation, but may have lost another one. " + log_loss(machine),
                      {"there is no other reservation than the log shows", "proc/iomem"}, "Give /proc/iomem.");
    return true;
}

std::string why_size_unknown(const Question& question) {
    const Machine& machine = question.machine;
    if (machine.other_architecture) return "this is not an x86-64 machine";
    if (machine.xen) return "under Xen PV the crash kernel gets no memory of this kernel";
    if (!question.readable) return "the crash kernel's command line cannot be read";
    if (!std::all_of(machine.crash_kernel.begin(), machine.crash_kernel.end(), is_possible))
        return "the reservation that is shown cannot be that of a real machine";
    if (!machine.crash_kernel.empty()) return {};
    if (is_of_crash_kernel(machine.command_line)) return std::string(own_boot);
    if (machine.reservation_failures.empty() && !shows_reservations(question))
        return "no source shows whether memory is reserved";
    return {};
}

}  // namespace handoff
