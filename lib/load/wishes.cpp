// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/wishes.hpp"

#include <filesystem>
#include <string_view>

#include "lib/load/crash_records.hpp"
#include "lib/load/image_record.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/image.hpp"
#include "lib/sources/initrd.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/pool_traces.hpp"

namespace handoff {
namespace {

std::optional<std::string> either(const std::optional<std::string>& said,
                                  const std::optional<std::filesystem::path>& otherwise) {
    if (said || !otherwise) return said;
    return otherwise->string();
}

/// A captured machine's: nothing where it has none.
Result<ImageRecord> recorded_images(const Host& host) {
    const auto text = host.live() ? Result<std::string>(std::string()) : host.read(image_record_path);
    if (!text && text.error().code != Errc::not_found) return text.error();
    if (!text || text->empty()) return ImageRecord{};
    auto record = parse_image_record(*text);
    if (!record) return std::move(record).error().at(image_record_path);
    return record;
}

// What the configuration of the installed service says, where there is one and it can be read; then what a capture
// kept.
void read_configuration(const Host& host, const Machine& machine, const Wishes& wishes, const ImageRecord& recorded,
                        PlanRequest& request) {
    LoadSettings configured;
    if (const auto service = find_kdump_service(host)) {
        if (const auto config = host.read(service->config)) {
            const bool second = !service->collector_config.empty();
            const std::string more = second ? host.read(service->collector_config).value_or("") : "";
            configured = load_settings(*service, *config, more);
            request.collector_options = service->collector_options(*config, more);
            request.service_command_line = likely_command_line(*service, *config, machine.command_line);
        }
    }
    request.lend = wishes.lend || configured.lend;
    // Of the running machine, kexec's arguments say it, whoever wrote them.
    for (const Loader loader : {configured.loader, recorded.loader})
        if (request.loader == Loader::automatic && !host.live()) request.loader = loader;
    for (const Collector collector : {wishes.collector, configured.collector, recorded.collector})
        if (request.collector == Collector::unknown) request.collector = collector;
}

}  // namespace

Wishes as_recorded(Wishes wishes, const Record& record) {
    // A relative path is of another process's directory.
    if (!wishes.kernel && record.kernel.starts_with('/')) wishes.kernel = record.kernel;
    if (!wishes.initrd && record.initrd.starts_with('/')) wishes.initrd = record.initrd;
    if (wishes.loader == Loader::automatic) wishes.loader = record.loader;
    if (!wishes.command_line) {
        std::string_view line = record.command_line;
        if (!record.append.empty() && line.ends_with(record.append)) line.remove_suffix(record.append.size());
        wishes.command_line = line;
    }
    wishes.lend = wishes.lend || record.loan;  // perhaps by --lend
    return wishes;
}

Result<PlanRequest> request_for(const Host& host, const Machine& machine, const Wishes& wishes) {
    PlanRequest request;
    request.loader = wishes.loader;
    request.method = wishes.method;
    request.command_line = wishes.command_line;
    request.pool = wishes.pool;
    request.accept = wishes.accept;
    request.leaves_pool_out = wishes.leaves_pool_out;

    const CrashImage usual = crash_image(host, machine.release);
    if (const auto kernel = either(wishes.kernel, usual.kernel)) {
        const auto image = read_image(*kernel);
        if (!image) return image.error();
        request.image = *image;
        request.image_from = *kernel;
        auto found = read_image_config(host, *kernel, wishes.kernel.has_value(), image->release);
        if (!found) {
            request.config_problem = found.error();
        } else if (*found) {
            request.config = (*found)->config;
            request.config_from = (*found)->file;
        }
    }
    const auto initrd = either(wishes.initrd, usual.initrd);
    if (initrd && initrd->empty()) {
        request.initrd_bytes = 0;
    } else if (initrd) {
        const auto file = read_initrd(*initrd);
        if (!file) return file.error();
        request.initrd_bytes = file->bytes;
        request.initrd_acpi_bytes = file->acpi_bytes;
        request.initrd_bootconfig = file->bootconfig;
        request.initrd_from = *initrd;
    }

    const auto recorded = recorded_images(host);
    if (!recorded) return host.with_full_path(recorded.error());
    if (!request.image) request.image = recorded->image;
    if (!initrd && recorded->initrd) {
        request.initrd_bytes = recorded->initrd->bytes;
        request.initrd_acpi_bytes = recorded->initrd->acpi_bytes;
        request.initrd_bootconfig = recorded->initrd->bootconfig;
        request.initrd_contents = recorded->contents;
    }
    if (!request.initrd_bytes && !host.live()) request.initrd_bytes = listed_initrd_bytes(host, machine.release);
    read_configuration(host, machine, wishes, *recorded, request);
    return request;
}

void look_where_asked(const Host& host, const PlanRequest& request, Machine& machine) {
    if (request.lend) look_into_pool(host, machine);
}

void look_into_initrd(const Host& host, PlanRequest& request) {
    if (request.initrd_from.empty()) return;
    auto contents = initrd_contents_of(host, request.initrd_from);
    if (contents)
        request.initrd_contents = *std::move(contents);
    else
        request.initrd_contents_problem = std::move(contents).error();
}

void look_at_sizes(const Host& host, const Machine& machine, PlanRequest& request) {
    look_into_initrd(host, request);
    look_for_crash_records(host, machine, request);
}

}  // namespace handoff
