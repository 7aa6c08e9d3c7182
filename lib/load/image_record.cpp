// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/image_record.hpp"

#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/image.hpp"
#include "lib/sources/loaded_modules.hpp"

namespace handoff {

using base::input_error;
using base::Result;
using nlohmann::json;

namespace {

template <class Of>
using Numbers = std::pair<const char*, std::uint64_t Of::*>;

constexpr std::array image_numbers{
    Numbers<Image>{"init_size", &Image::init_size},
    Numbers<Image>{"kernel_alignment", &Image::kernel_alignment},
    Numbers<Image>{"pref_address", &Image::pref_address},
    Numbers<Image>{"setup_bytes", &Image::setup_bytes},
    Numbers<Image>{"cmdline_size", &Image::cmdline_size},
    Numbers<Image>{"payload_bytes", &Image::payload_bytes},
    Numbers<Image>{"uncompressed_bytes", &Image::uncompressed_bytes},
};
constexpr std::array initrd_numbers{
    Numbers<InitrdFile>{"bytes", &InitrdFile::bytes},
    Numbers<InitrdFile>{"acpi_bytes", &InitrdFile::acpi_bytes},
};
constexpr std::array contents_numbers{
    Numbers<InitrdContents>{"file_bytes", &InitrdContents::file_bytes},
    Numbers<InitrdContents>{"inodes", &InitrdContents::inodes},
    Numbers<InitrdContents>{"symbolic_links", &InitrdContents::symbolic_links},
    Numbers<InitrdContents>{"packed_root_bytes", &InitrdContents::packed_root_bytes},
};
constexpr std::uint64_t largest = std::uint64_t{1} << 40;

template <class Of, std::size_t N>
json written(const Of& value, const std::array<Numbers<Of>, N>& numbers) {
    json object = json::object();
    for (const auto& [name, member] : numbers) object[name] = value.*member;
    return object;
}

/// "" where all are there, else the name of one that is not.
template <class Of, std::size_t N>
std::string read(const json& object, const std::array<Numbers<Of>, N>& numbers, Of& value) {
    for (const auto& [name, member] : numbers) {
        const auto found = object.find(name);
        if (found == object.end() || !found->is_number_unsigned() || found->template get<std::uint64_t>() > largest)
            return name;
        value.*member = found->template get<std::uint64_t>();
    }
    return {};
}

std::uint64_t module_bytes(const InitrdContents& contents, bool compressed) {
    std::uint64_t bytes = 0;
    for (const ModuleFile& module : contents.modules) bytes += module.compressed == compressed ? module.bytes : 0;
    return bytes;
}

json written(const InitrdContents& contents) {
    json object = written(contents, contents_numbers);
    object["module_bytes"] = module_bytes(contents, false);
    object["compressed_module_bytes"] = module_bytes(contents, true);
    object["loaded_module_bytes"] = contents.loaded_module_bytes ? json(*contents.loaded_module_bytes) : json(nullptr);
    object["formats"] = contents.formats;
    return object;
}

/// "" where all is there, else the name of what is not.
std::string read(const json& object, InitrdContents& contents) {
    if (auto name = read(object, contents_numbers, contents); !name.empty()) return name;
    const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
        const auto found = object.find(name);
        if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > largest)
            return std::nullopt;
        return found->get<std::uint64_t>();
    };
    for (const auto& [name, compressed] : {std::pair("module_bytes", false), {"compressed_module_bytes", true}}) {
        const auto bytes = number(name);
        if (!bytes) return name;
        if (*bytes != 0) contents.modules.push_back({"", *bytes, compressed});
    }
    contents.loaded_module_bytes = number("loaded_module_bytes");
    const auto loaded = object.find("loaded_module_bytes");
    if (loaded == object.end() || !(loaded->is_null() || contents.loaded_module_bytes)) return "loaded_module_bytes";
    const auto formats = object.find("formats");
    if (formats == object.end() || !formats->is_array()) return "formats";
    for (const json& format : *formats) {
        if (!format.is_string()) return "formats";
        contents.formats.push_back(format.get<std::string>());
    }
    return {};
}

}  // namespace

Result<InitrdContents> initrd_contents_of(const Host& host, const std::filesystem::path& initrd) {
    auto contents = read_initrd_contents(initrd);
    const auto text = contents ? host.read(Source::modules) : Result<std::string>(std::string());
    if (!contents || !text) return contents;
    const auto loaded = parse_loaded_modules(*text);
    std::uint64_t bytes = 0;
    if (contents->packed_root_bytes != 0) {
        for (const auto& [name, size] : loaded) bytes += size;
    } else {
        for (const ModuleFile& module : contents->modules)
            if (const auto at = loaded.find(module.name); at != loaded.end()) bytes += at->second;
    }
    contents->loaded_module_bytes = bytes;
    return contents;
}

Result<ImageRecord> record_images(const Host& host, std::string_view release) {
    ImageRecord record;
    const CrashImage usual = crash_image(host, release);
    if (usual.kernel) {
        auto image = read_image(*usual.kernel);
        if (!image) return std::move(image).error();
        record.image = *std::move(image);
    }
    if (usual.initrd) {
        const auto initrd = read_initrd(*usual.initrd);
        if (!initrd) return initrd.error();
        record.initrd = *initrd;
        // One that the kernel could not unpack either is no reason not to capture the machine.
        if (auto contents = initrd_contents_of(host, *usual.initrd)) record.contents = *std::move(contents);
    }
    const LoadSettings configured = load_settings(host);
    record.loader = configured.loader;
    record.collector = configured.collector;
    return record;
}

std::string text_of(const ImageRecord& record) {
    json document = {{"schema", 1}, {"image", nullptr}, {"initrd", nullptr}};
    if (record.image) {
        document["image"] = written(*record.image, image_numbers);
        document["image"]["release"] = record.image->release;
        document["image"]["swiotlb_addr"] = record.image->swiotlb_addr;
        document["image"]["swiotlb_dev"] = record.image->swiotlb_dev;
    }
    if (record.initrd) {
        document["initrd"] = written(*record.initrd, initrd_numbers);
        document["initrd"]["bootconfig"] = record.initrd->bootconfig;
        document["initrd"]["contents"] = record.contents ? written(*record.contents) : json(nullptr);
    }
    document["loader"] = name(record.loader);
    document["collector"] = name(record.collector);
    return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ImageRecord> parse_image_record(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    const auto wrong = [](std::string_view member) {
        return input_error(0, fmt::format("expected a member '{}' as capture writes it", member));
    };
    if (!document.is_object()) return input_error(0, "expected an object of JSON");
    ImageRecord record;
    const auto image = document.find("image"), initrd = document.find("initrd");
    if (image == document.end() || !(image->is_object() || image->is_null())) return wrong("image");
    if (initrd == document.end() || !(initrd->is_object() || initrd->is_null())) return wrong("initrd");
    if (image->is_object()) {
        record.image.emplace();
        if (const auto name = read(*image, image_numbers, *record.image); !name.empty()) return wrong(name);
        const std::uint64_t alignment = record.image->kernel_alignment;
        if (alignment == 0 || (alignment & (alignment - 1)) != 0) return wrong("kernel_alignment");
        const auto release = image->find("release"), addr = image->find("swiotlb_addr");
        if (release == image->end() || !release->is_string()) return wrong("release");
        if (addr == image->end() || !addr->is_boolean()) return wrong("swiotlb_addr");
        record.image->release = release->get<std::string>();
        record.image->swiotlb_addr = addr->get<bool>();
        const auto dev = image->find("swiotlb_dev");  // captures of older versions have none
        if (dev != image->end() && !dev->is_boolean()) return wrong("swiotlb_dev");
        record.image->swiotlb_dev = dev != image->end() && dev->get<bool>();
    }
    if (initrd->is_object()) {
        record.initrd.emplace();
        if (const auto name = read(*initrd, initrd_numbers, *record.initrd); !name.empty()) return wrong(name);
        const auto bootconfig = initrd->find("bootconfig");
        if (bootconfig == initrd->end() || !bootconfig->is_boolean()) return wrong("bootconfig");
        record.initrd->bootconfig = bootconfig->get<bool>();
        // Older captures have none.
        if (const auto contents = initrd->find("contents"); contents != initrd->end() && !contents->is_null()) {
            if (!contents->is_object()) return wrong("contents");
            record.contents.emplace();
            if (const auto name = read(*contents, *record.contents); !name.empty()) return wrong(name);
        }
    }
    const auto loader = document.find("loader"), collector = document.find("collector");
    const auto word = [&](const auto& found) {
        return found != document.end() && found->is_string() ? found->template get<std::string>() : std::string();
    };
    const auto which = loader_from(word(loader));
    if (!which) return wrong("loader");
    record.loader = *which;
    if (const std::string how = word(collector); how != name(Collector::unknown)) {
        const auto known = collector_from(how);
        if (!known) return wrong("collector");
        record.collector = *known;
    }
    return record;
}

}  // namespace handoff
