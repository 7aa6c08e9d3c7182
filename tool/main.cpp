// SPDX-License-Identifier: GPL-2.0-or-later
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "base/standard_descriptors.hpp"
#include "tool/arguments.hpp"
#include "tool/commands.hpp"
#include "tool/help.hpp"
#include "tool/print.hpp"

namespace {

using tool::Command;
using tool::Options;
using tool::Status;

Status print_help(const Options& options) {
    tool::print(options.operands.empty() ? tool::help_text()
                                         : tool::help_text(*tool::find_command(options.operands.front())));
    return Status::ready;
}

Status print_version() {
    tool::print_line("swiotlb-handoff " HANDOFF_VERSION);
    return Status::ready;
}

Status run(const Options& options) {
    switch (options.command) {
        case Command::show:
            return tool::show(options);
        case Command::plan:
            return tool::plan(options);
        case Command::cmdline:
            return tool::cmdline(options);
        case Command::e820:
            return tool::e820(options);
        case Command::map:
            return tool::map(options);
        case Command::check:
            return tool::check(options);
        case Command::verify:
            return tool::verify(options);
        case Command::capture:
            return tool::capture(options);
        case Command::audit:
            return tool::audit(options);
        case Command::kexec:
            return tool::kexec(options);
        case Command::recommend:
            return tool::recommend(options);
        case Command::reserve:
            return tool::reserve(options);
        case Command::shrink:
            return tool::shrink(options);
        case Command::test:
            return tool::test(options);
        case Command::enable:
            return tool::enable(options);
        case Command::disable:
            return tool::disable(options);
        case Command::status:
            return tool::status(options);
        case Command::explain:
            return tool::explain(options);
        case Command::help:
            return print_help(options);
        case Command::version:
            return print_version();
    }
    return Status::usage;
}

Status run_and_flush(const std::vector<std::string>& arguments) {
    const Status status = run(tool::read_arguments(arguments));
    const auto failed = tool::flush();
    if (failed) tool::complain(failed->message());
    return failed ? Status::input : status;
}

}  // namespace

int main(int argc, char** argv) {
    base::open_standard_descriptors();
    // The script that stands for kexec runs kexec itself after this status: what fails here must not cost the crash
    // kernel.
    const bool wraps_kexec = argc > 1 && std::string_view(argv[1]) == "kexec";
    const int failure = wraps_kexec ? 126 : static_cast<int>(Status::input);
    try {
        return static_cast<int>(run_and_flush({argv + 1, argv + argc}));
    } catch (const tool::UsageError& error) {
        tool::complain(error.text);
        return static_cast<int>(Status::usage);
    } catch (const std::bad_alloc&) {
        tool::complain_of_memory();
    } catch (const std::exception& error) {
        tool::complain(error.what());
    }
    return failure;
}
