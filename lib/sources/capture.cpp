// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/capture.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/gather.hpp"

#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "lib/sources/iomem.hpp"
#include "lib/sources/kallsyms_table.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/kexec_program.hpp"
#include "lib/sources/log_file.hpp"
#include "lib/sources/new_directory.hpp"
#include "lib/sources/pool_traces.hpp"
#include "lib/sources/redact.hpp"

namespace handoff {

using base::Fd;
namespace {

using std::string_view;
using Failure = std::optional<Error>;

/// Bytes as text.
string_view text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Capture {
    const Host& host;
    Fd directory;
    CaptureReport report{};
    std::vector<Source> denied{};

    Failure write(const std::string& file, string_view content) {
        if (auto failure = write_below(directory.get(), file, content)) return failure;
        report.written.push_back(file);
        return std::nullopt;
    }
    /// So that a machine without entries there stays another than one of which nobody can say.
    Failure make_directory(Source source) { return make_directories_below(directory.get(), host.path(source)); }
    /// Where the source is there and cannot be taken; a missing one is none.
    void skip(Error error, Source source) {
        if (error.code == Errc::not_permitted) denied.push_back(source);
        if (error.code != Errc::not_found) report.not_read.push_back(std::move(error).at(host.path(source)));
    }
    /// Writes what the filter makes of a file.
    Failure copy(Source source, Result<std::string> (*filter)(std::string)) {
        auto text = host.read(source);
        if (!text) {
            skip(std::move(text).error(), source);
            return std::nullopt;
        }
        Result<std::string> content = filter(*std::move(text));
        if (!content) {
            skip(std::move(content).error(), source);
            return std::nullopt;
        }
        return write(std::string(host.path(source)), *content);
    }
};

Result<std::string> as_it_is(std::string text) { return text; }

// NOLINTNEXTLINE(performance-unnecessary-value-param): of a table whose other rows keep the text.
Result<std::string> size_of(std::string text) { return std::string(text.size(), '\0'); }

// A zeroed one says nothing, and would say so again when it is read.
Result<std::string> shown_iomem(std::string text) {
    if (auto entries = parse_iomem(text); !entries) return std::move(entries).error();
    return text;
}

Result<std::string> plain_words(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    auto words = redacted_command_line(text);
    if (!words) return words;
    return *words + "\n";
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): of a table whose other rows keep the text.
Result<std::string> release_in_it(std::string text) { return redacted_version(text); }

// NOLINTNEXTLINE(performance-unnecessary-value-param): of a table whose other rows keep the text.
Result<std::string> processor_of(std::string text) { return kinds_of_processors(text); }

Result<std::string> without_makers(std::string text) { return anonymous_table(std::move(text)); }

Failure copy_log(Capture& c) {
    auto text = c.host.kernel_log();
    if (!text) {
        c.skip(std::move(text).error(), Source::kernel_log);
        return std::nullopt;
    }
    if (!c.host.live()) text = log_lines(*std::move(text));
    if (!text) return std::move(text).error().at(c.host.path(Source::kernel_log));
    return c.write("dmesg", redacted_log(*text));
}

// Of the running kernel, whose release the other sources say.
Failure copy_configuration(Capture& c, Source source) {
    const std::string release = release_of(c.host);
    auto text = read_config_text(c.host, source, release);
    if (!text) {
        if (text.error().code != Errc::not_found) c.report.not_read.push_back(std::move(text).error());
        return std::nullopt;
    }
    return c.write(path_of(source, release), reduced_kernel_config(*text));
}

Failure copy_firmware_map(Capture& c) {
    auto entries = c.host.firmware_map();
    if (!entries) {
        c.skip(std::move(entries).error(), Source::firmware_map);
        return std::nullopt;
    }
    if (auto failure = c.make_directory(Source::firmware_map)) return failure;
    for (const FirmwareMapFiles& entry : *entries) {
        const std::string directory = fmt::format("{}/{}/", c.host.path(Source::firmware_map), entry.name);
        for (const auto& [name, text] :
             {std::pair{"start", &entry.start}, {"end", &entry.end}, {"type", &entry.type}}) {
            if (auto failure = c.write(directory + name, *text)) return failure;
        }
    }
    return std::nullopt;
}

/// Of each device its class, and of its configuration space what is read; of each that has a driver also which, and its
/// masks; and which devices are outside of the machine.
Failure copy_devices(Capture& c) {
    auto devices = c.host.pci_devices();
    if (!devices) {
        c.skip(std::move(devices).error(), Source::pci_devices);
        return std::nullopt;
    }
    if (auto failure = c.make_directory(Source::pci_devices)) return failure;
    for (const PciDeviceFiles& device : *devices) {
        const std::string directory = fmt::format("{}/{}/", c.host.path(Source::pci_devices), device.name);
        if (!device.removable.empty())
            if (auto failure = c.write(directory + "removable", device.removable)) return failure;
        // One that cannot be understood must not become one that is not there.
        const auto parsed = parse_dma_device(device);
        if (const std::string header = reduced_pci_header(device.config); !header.empty())
            if (auto failure = c.write(directory + "config", header)) return failure;
        if (parsed && !*parsed) continue;
        if (auto failure = c.write(directory + "uevent", reduced_uevent(device.uevent))) return failure;
        if (auto failure = c.write(directory + "dma_mask_bits", device.streaming_bits)) return failure;
        if (auto failure = c.write(directory + "consistent_dma_mask_bits", device.coherent_bits)) return failure;
    }
    return std::nullopt;
}

/// Of each device of the platform bus that has a driver: which.
Failure copy_platform_devices(Capture& c) {
    auto devices = c.host.platform_devices();
    if (!devices) {
        c.skip(std::move(devices).error(), Source::platform_devices);
        return std::nullopt;
    }
    if (auto failure = c.make_directory(Source::platform_devices)) return failure;
    for (const auto& [name, uevent] : *devices) {
        if (!parse_platform_device(name, uevent)) continue;
        const std::string file = fmt::format("{}/{}/uevent", c.host.path(Source::platform_devices), name);
        if (auto failure = c.write(file, reduced_uevent(uevent))) return failure;
    }
    return std::nullopt;
}

/// Of each group of an IOMMU: what is reserved for its devices, which are addresses and words alone.
Failure copy_reserved_regions(Capture& c) {
    auto groups = c.host.iommu_groups();
    if (!groups) {
        c.skip(std::move(groups).error(), Source::iommu_groups);
        return std::nullopt;
    }
    if (auto failure = c.make_directory(Source::iommu_groups)) return failure;
    for (const auto& [name, regions] : *groups) {
        const std::string file = fmt::format("{}/{}/reserved_regions", c.host.path(Source::iommu_groups), name);
        if (auto failure = c.write(file, regions)) return failure;
    }
    return std::nullopt;
}

/// What the pool's own memory tells of its use; of a captured machine what that has.
Failure copy_pool_traces(Capture& c) {
    const std::string file(info(Source::pool_traces).path);
    if (!c.host.live()) {
        auto text = c.host.read(Source::pool_traces);
        return text ? c.write(file, *text) : std::nullopt;
    }
    const auto traces = read_pool_traces(c.host);
    if (!traces && traces.error().code == Errc::not_found) return std::nullopt;
    return c.write(file, traces ? to_text(*traces) : base::text(traces_not_read, traces.error().message(), "\n"));
}

/// The pool in the kernel's memory: reads it as gather() does and keeps what was read.
Failure copy_memory(Capture& c) {
    auto file = c.host.open(Source::kcore);
    if (!file) {
        c.skip(std::move(file).error(), Source::kcore);
        return std::nullopt;
    }
    auto core = Core::open(*std::move(file));
    if (!core) {
        c.skip(std::move(core).error(), Source::kcore);
        return std::nullopt;
    }
    auto symbols = kernel_symbols(c.host, *core, wanted_symbols());
    if (!symbols) {
        c.skip(std::move(symbols).error(), Source::kallsyms);
        return std::nullopt;
    }

    std::vector<MemoryPiece> pieces;
    const MemoryReader read = [&](Address address, std::size_t size) {
        auto bytes = core->read(address, size);
        if (bytes) pieces.push_back({address, *bytes});
        return bytes;
    };
    std::optional<std::vector<std::byte>> btf;
    const auto layout = [&]() -> Result<PoolLayout> {
        auto types = c.host.open(Source::btf);
        if (!types) return std::move(types).error();
        auto found = pool_layout(read_at(*types));
        if (!found) return std::move(found).error().at(c.host.path(Source::btf));
        btf = minimal_btf(*found);
        return found;
    };
    if (auto pool = read_pool(*symbols, layout, read); !pool) {
        c.report.not_read.push_back(std::move(pool).error().at(c.host.path(Source::kcore)));
    }
    if (auto amd = read_amd_encryption(*symbols, read); !amd) c.skip(std::move(amd).error(), Source::kcore);
    if (auto tracked = read_hiwater_tracking(*symbols, c.host.live(), read); !tracked)
        c.skip(std::move(tracked).error(), Source::kcore);

    std::string lines;
    for (const auto& [name, address] : *symbols) lines += fmt::format("{:016x} b {}\n", address, name);
    if (auto failure = c.write(std::string(c.host.path(Source::kallsyms)), lines)) return failure;
    if (auto failure = c.write(std::string(c.host.path(Source::kcore)), text_of(minimal_core(pieces)))) return failure;
    return btf ? c.write(std::string(c.host.path(Source::btf)), text_of(*btf)) : std::nullopt;
}

Failure copy(Capture& c, const SourceInfo& source) {
    switch (source.kept) {
        case Kept::whole:
            return c.copy(source.id, as_it_is);
        case Kept::whole_if_shown:
            return c.copy(source.id, shown_iomem);
        case Kept::plain_words:
            return c.copy(source.id, plain_words);
        case Kept::size_alone:
            return c.copy(source.id, size_of);
        case Kept::release_in_it:
            return c.copy(source.id, release_in_it);
        case Kept::first_processor:
            return c.copy(source.id, processor_of);
        case Kept::without_makers:
            return c.copy(source.id, without_makers);
        case Kept::lines_that_count:
            return copy_log(c);
        case Kept::presence:
            return c.host.exists(source.id) ? c.write(std::string(source.path), "") : std::nullopt;
        case Kept::entries:
            return copy_firmware_map(c);
        case Kept::pci_drivers:
            return copy_devices(c);
        case Kept::platform_drivers:
            return copy_platform_devices(c);
        case Kept::reserved_regions:
            return copy_reserved_regions(c);
        case Kept::pool_content:
            return copy_pool_traces(c);
        case Kept::pool_in_memory:
            return source.id == Source::kcore ? copy_memory(c) : std::nullopt;
        case Kept::options_that_count:
            return copy_configuration(c, source.id);
        case Kept::nothing:
            return std::nullopt;
    }
    return std::nullopt;
}

/// So that what is missing here is not taken for what the machine does not have.
Failure list_denied(Capture& c) {
    std::string lines = c.host.live() ? std::string() : c.host.read(Source::not_permitted).value_or("");
    for (const Source source : c.denied) lines.append(info(source).path).append("\n");
    c.report.incomplete = !denied_need(lines).empty();
    return lines.empty() ? std::nullopt : c.write(std::string(info(Source::not_permitted).path), lines);
}

Failure copy_kexec_version(Capture& c) {
    const auto kexec = find_kexec(c.host);
    return kexec ? c.write("usr/sbin/kexec", fmt::format("kexec-tools {}\n", kexec->version)) : std::nullopt;
}

}  // namespace

Result<CaptureReport> capture(const Host& host, const std::filesystem::path& directory,
                              const std::vector<std::pair<std::string, std::string>>& more) {
    if (auto error = host.unusable()) return std::move(*error);
    auto made = make_directory(directory);
    if (!made) return std::move(made).error();
    Capture c{host, *std::move(made)};
    for (const SourceInfo& source : sources())
        if (auto failure = copy(c, source)) return std::move(*failure);
    if (auto failure = copy_kexec_version(c)) return std::move(*failure);
    for (const auto& [path, content] : more)
        if (auto failure = c.write(path, content)) return std::move(*failure);
    if (auto failure = list_denied(c)) return std::move(*failure);
    return std::move(c.report);
}

}  // namespace handoff
