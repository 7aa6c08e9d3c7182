// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/service.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/service/rows.hpp"
#include "lib/service/shell_config.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

using std::string_view;

/// What ID and ID_LIKE of os-release(5) name: the distribution, then what it derives from, nearest first.
std::vector<std::string> distributions_of(const Host& host) {
    const auto text = host.read(Source::os_release);
    if (!text) return {};
    const std::string ids = assigned(*text, "ID").value_or("") + ' ' + assigned(*text, "ID_LIKE").value_or("");
    const auto words = split(ids);
    return {words.begin(), words.end()};
}

std::string said_of(const std::vector<std::string>& distributions) {
    if (distributions.empty()) return "os-release does not name the distribution";
    return fmt::format("os-release says {}", fmt::join(distributions, " "));
}

std::string scripts_of(std::span<const KdumpService> services) {
    std::string text;
    for (const KdumpService& service : services) text += fmt::format("{}/{}", text.empty() ? "" : ", ", service.script);
    return text;
}

// Whether a line of the script runs one of these files in the same shell.
bool sources_one_of(string_view script, const std::vector<string_view>& files) {
    while (!script.empty()) {
        std::string line(base::take_line(script));
        std::replace(line.begin(), line.end(), '\t', ' ');
        const auto words = split(string_view(line).substr(0, line.find('#')));
        for (std::size_t at = 1; at < words.size(); ++at)
            if (words[at - 1] == "." || words[at - 1] == "source")
                for (const string_view file : files)
                    if (words[at].find(file) != words[at].npos) return true;
    }
    return false;
}

}  // namespace

std::span<const KdumpService> kdump_services() {
    static const auto services = service::rows();
    return services;
}

Result<KdumpService> find_kdump_service(const Host& host) {
    const auto known = kdump_services();
    std::vector<KdumpService> installed;
    std::copy_if(known.begin(), known.end(), std::back_inserter(installed),
                 [&](const KdumpService& service) { return host.exists(service.script); });
    if (installed.empty() && !host.live()) {
        std::copy_if(known.begin(), known.end(), std::back_inserter(installed), [&](const KdumpService& service) {
            return host.exists(service.config) &&
                   (service.collector_config.empty() || host.exists(service.collector_config));
        });
        // Two services have a file of the same name, and one of them a second file.
        const auto has_second = [](const KdumpService& service) { return !service.collector_config.empty(); };
        if (std::any_of(installed.begin(), installed.end(), has_second))
            std::erase_if(installed, std::not_fn(has_second));
    }
    const auto in_this_version = [&](KdumpService service) {
        if (service.as_old_as && host.exists(service.script))
            if (const auto script = host.read(service.script)) service.as_old_as(service, *script);
        return service;
    };
    if (installed.size() == 1) return in_this_version(installed.front());

    const auto distributions = distributions_of(host);
    for (const std::string& id : distributions)
        for (const KdumpService& service : installed)
            if (std::find(service.distributions.begin(), service.distributions.end(), id) !=
                service.distributions.end())
                return in_this_version(service);
    if (installed.empty())
        return Error{Errc::not_found, "", 0,
                     fmt::format("no kdump service was found: expected one of {}; {}", scripts_of(known),
                                 said_of(distributions))};
    return base::input_error(
        0, fmt::format("several kdump services are installed, and it is not known which one is in use: found {}; {}",
                       scripts_of(installed), said_of(distributions)));
}

std::vector<std::string> kdump_paths() {
    std::vector<std::string> paths;
    for (const KdumpService& service : kdump_services())
        for (const string_view path : {service.script, service.config, service.collector_config})
            if (!path.empty()) paths.emplace_back(path);
    return paths;
}

Result<std::vector<std::string>> kdump_load_command(const Host& host) {
    const auto service = find_kdump_service(host);
    if (!service) return service.error();
    const string_view program = string_view(service->load.front()).substr(1);
    if (!host.exists(program))
        return Error{Errc::not_found, service->load.front(), 0,
                     "the program that loads the crash kernel does not exist"};
    return service->load;
}

std::optional<Error> ignores_block(const Host& host, const KdumpService& service) {
    const auto script = host.read(service.script);
    if (!script || sources_one_of(*script, service.sourced_as)) return std::nullopt;
    return Error{Errc::input, std::string(service.script), 0,
                 fmt::format("this script does not read /{} as a shell does, so what 'swiotlb-handoff enable' writes "
                             "there has no effect.{}{}",
                             service.config, service.not_sourced.empty() ? "" : " ", service.not_sourced)};
}

string_view undoes_crashkernel(const Host& host, const KdumpService& service) {
    if (!service.undoes_crashkernel) return "";
    const bool second = !service.collector_config.empty();
    return service.undoes_crashkernel(host.read(service.config).value_or(""),
                                      second ? host.read(service.collector_config).value_or("") : "");
}

DumpTarget dump_target(const Host& host, const KdumpService& service) {
    const bool second = !service.collector_config.empty();
    return service.dump_target(host.read(service.config).value_or(""),
                               second ? host.read(service.collector_config).value_or("") : "");
}

std::string likely_command_line(const KdumpService& service, string_view config, const std::string& running) {
    const auto parsed = CommandLine::parse(running);
    return service.command_line(config, parsed ? for_crash_kernel(*parsed).text() : running);
}

LoadSettings load_settings(const KdumpService& service, string_view config, string_view collector_config) {
    return {assigned(config, "SWIOTLB_HANDOFF_LEND") == "yes", service.collector(config, collector_config),
            loader_of_kexec(assigned_or(config, service.kexec_options, ""))};
}

LoadSettings load_settings(const Host& host) {
    const auto service = find_kdump_service(host);
    if (!service) return {};
    const auto config = host.read(service->config);
    if (!config) return {};
    const bool second = !service->collector_config.empty();
    return load_settings(*service, *config, second ? host.read(service->collector_config).value_or("") : "");
}

}  // namespace handoff
