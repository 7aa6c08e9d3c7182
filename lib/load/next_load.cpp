// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/next_load.hpp"

#include <fmt/format.h>

#include "lib/load/load_report.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

LoadResult plain(std::string why) { return {Rung::plain, std::move(why), {}, {}}; }

/// Where the segments of this load are: as the running kernel has them, or if that cannot be read, as kexec -d or the
/// kernel's log say.
Result<std::vector<AddressRange>> seen_segments(NextEffects& effects, const KexecRun& load) {
    auto read = effects.loaded_segments();
    if (read) return read;
    for (const std::string& text : {load.errors, load.output, effects.kernel_log()})
        if (auto reported = parse_segments(text); !reported || !reported->empty()) return reported;
    return read;
}

/// By the same system call as the load: a locked-down kernel accepts only one of them.
std::vector<std::string> unload_arguments(const KexecArguments& arguments) {
    std::vector<std::string> made{"-u"};
    if (arguments.loader) made.emplace_back(loader_option(*arguments.loader));
    return made;
}

}  // namespace

std::vector<std::string> next_arguments(const KexecArguments& arguments, const PlannedNext& planned) {
    auto made = with_words(arguments, planned.next.plan.append, planned.release);
    if (!planned.next.keep_out.empty()) made.insert(made.begin(), planned.next.keep_out);
    return made;
}

LoadResult load_next(NextEffects& effects, const KexecArguments& arguments) {
    const auto planned = effects.plan(arguments);
    if (!planned) return plain(planned.error().message());
    const Plan& plan = planned->next.plan;
    if (plan.verdict == Verdict::not_needed) return plain({});
    if (!arguments.not_modelled.empty()) return plain(not_modelled_text(arguments));
    if (plan.verdict != Verdict::ready) return plain(headline(plan));

    KexecRun load = effects.run(next_arguments(arguments, *planned));
    if (load.status != 0) return plain(failure_of(load, "the pool for the next kernel"));
    const auto segments = seen_segments(effects, load);
    const std::string objection =
        segments ? objection_to_next(plan, *planned->request.image, *segments)
                 : "requires next-segments: the loaded segments cannot be read: " + segments.error().message();
    if (!objection.empty()) {
        // The caller's own load may fail, and must not leave this one behind.
        effects.run(unload_arguments(arguments));
        return plain(objection);
    }
    if (!arguments.debug) leave_out_debug(load);
    return {Rung::handoff,
            fmt::format("the next kernel is loaded, and gets the pool at {}", base::to_string(*plan.expected)),
            std::move(load.output), std::move(load.errors)};
}

Result<PlannedNext> plan_next(const Host& host, const KexecArguments& arguments, Wishes wishes) {
    const auto image = read_image(arguments.kernel);
    if (!image || !image->swiotlb_addr) {
        PlanRequest request;
        if (image) request.image = *image;
        return PlannedNext{decide_next(Machine(), request), request, {}};
    }
    const auto machine = gather(host);
    if (!machine) return machine.error();
    auto line = kexec_command_line(arguments, machine->command_line, machine->kexec_tools);
    if (!line)
        return base::input_error(0, "--reuse-cmdline: it is not known which words this version of kexec leaves out");
    wishes.kernel = arguments.kernel;
    wishes.initrd = arguments.initrd.value_or("");
    wishes.command_line = std::move(*line);
    wishes.loader = loader_of(arguments, machine->kexec_tools);
    auto request = request_for(host, *machine, wishes);
    if (!request) return request.error();
    return PlannedNext{decide_next(*machine, *request), *std::move(request), machine->release};
}

}  // namespace handoff
