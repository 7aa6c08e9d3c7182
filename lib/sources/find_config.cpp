// SPDX-License-Identifier: GPL-2.0-or-later
// Where a kernel's configuration is: parse_kernel_config() is in kernel_config.cpp.
#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "lib/sources/bzimage.hpp"
#include "lib/sources/gzip.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/image.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/read_at.hpp"
#include "lib/sources/user_file.hpp"

namespace handoff {

using base::Errc;
using base::Error;
using base::input_error;
using base::Result;

namespace {

using Found = std::optional<FoundConfig>;

constexpr std::size_t largest_config = 4 * base::MiB, largest_kernel = 512 * base::MiB;

/// "6.1" of "6.1.0-50-amd64" and of "6.1.170": Debian's releases count versions otherwise than the source does, behind
/// the second number.
std::string_view first_two_numbers(std::string_view version) {
    const auto first = version.find('.');
    const auto end = first == version.npos ? first : version.find_first_not_of("0123456789", first + 1);
    return version.substr(0, end);
}

Result<FoundConfig> config_in(const std::string& text, std::string file, std::string_view release) {
    const std::string_view version = configured_version(text);
    if (!version.empty() && !release.empty() && first_two_numbers(version) != first_two_numbers(release))
        return input_error(0, fmt::format("expected the configuration of Linux {}, found one of Linux {}",
                                          base::excerpt(release), base::excerpt(version)))
            .at(file);
    auto config = parse_kernel_config(text);
    if (!config) return std::move(config).error().at(file);
    return FoundConfig{*std::move(config), std::move(file)};
}

// Of the files, in this order, the first that is there.
Result<Found> first_of(const Host& host, std::string_view release, std::span<const Source> sources) {
    for (const Source source : sources) {
        const auto text = read_config_text(host, source, release);
        if (!text && text.error().code == Errc::not_found) continue;
        if (!text) return text.error();
        auto found = config_in(*text, path_of(source, release), release);
        if (!found) return std::move(found).error();
        return Found(*std::move(found));
    }
    return Found();
}

constexpr std::array installed{Source::boot_config, Source::modules_config};
constexpr std::array of_running{Source::boot_config, Source::modules_config, Source::running_config};

Result<Found> beside(const std::filesystem::path& image, std::string_view release) {
    const std::filesystem::path folder = image.parent_path();
    const std::array names{fmt::format("config-{}", release), std::string("config")};
    for (const std::string& name : names) {
        // /usr/lib/modules/RELEASE has them without the release.
        if (name == "config" && folder.filename() != release) continue;
        const std::filesystem::path file = folder / name;
        const auto head = read_user_file_head(file, largest_config);
        if (!head && head.error().code == Errc::not_found) continue;
        if (!head) return head.error();
        auto found = config_in(head->bytes, file.string(), release);
        if (!found) return std::move(found).error();
        return Found(*std::move(found));
    }
    return Found();
}

// Only gzip is understood here, and no other image has to be read for that.
bool has_gzip_payload(const std::filesystem::path& image) {
    const auto file = open_user_file(image, largest_image);
    if (!file) return true;  // whoever reads it says why not
    const ReadAt read = read_at(file->fd);
    std::vector<std::byte> head(std::min<std::uint64_t>(file->size, bzimage_head)), payload(3);
    if (!read(0, head)) return true;
    const auto header = parse_bzimage(head, file->size);
    return header && read(std::uint64_t{header->setup_size} + header->payload_offset, payload) &&
           is_gzip({reinterpret_cast<const char*>(payload.data()), payload.size()});
}

Result<Found> inside(const std::filesystem::path& image, std::string_view release) {
    if (!has_gzip_payload(image)) return Found();
    const auto bytes = read_user_file(image, largest_image);
    if (!bytes) return bytes.error();
    const auto text = embedded_config(*bytes);
    if (!text) return Found();
    auto found = config_in(*text, image.string(), release);
    if (!found) return std::move(found).error();
    return Found(*std::move(found));
}

}  // namespace

std::string path_of(Source source, std::string_view release) {
    return fmt::format(fmt::runtime(info(source).path), release);
}

Result<std::string> read_config_text(const Host& host, Source source, std::string_view release) {
    // A release with a slash names no file of this directory.
    if (release.empty() || release.find('/') != release.npos)
        return Error{Errc::not_found, "", 0, "the kernel's release is not known"};
    auto text = host.read(path_of(source, release));
    if (!text || !is_gzip(*text)) return text;
    auto inside = gunzip(*text, largest_config);
    if (!inside) return std::move(inside).error().at(path_of(source, release));
    return inside;
}

Result<Found> read_running_config(const Host& host, std::string_view release) {
    return first_of(host, release, of_running);
}

Result<Found> read_image_config(const Host& host, const std::filesystem::path& image, bool look_beside,
                                std::string_view release) {
    if (release.empty() || release.find('/') != release.npos) return inside(image, release);
    auto found = look_beside ? beside(image, release) : Found();
    if (!found || *found) return found;
    found = first_of(host, release, installed);
    if (!found || *found) return found;
    return inside(image, release);
}

std::optional<std::string> embedded_config(std::string_view image) {
    const auto bytes = std::as_bytes(std::span(image));
    const auto header = parse_bzimage(bytes.first(std::min(bytes.size(), bzimage_head)), bytes.size());
    if (!header) return std::nullopt;
    const std::string_view payload = image.substr(header->setup_size + header->payload_offset, header->payload_length);
    if (!is_gzip(payload)) return std::nullopt;
    const auto kernel = gunzip(payload, largest_kernel);
    if (!kernel) return std::nullopt;
    constexpr std::string_view start = "IKCFG_ST", end = "IKCFG_ED";
    for (auto at = kernel->find(start); at != kernel->npos; at = kernel->find(start, at + 1)) {
        const std::string_view config = std::string_view(*kernel).substr(at + start.size());
        if (!is_gzip(config)) continue;  // the string itself, of a kernel that looks for it
        const auto text = gunzip(config.substr(0, config.find(end)), largest_config);
        if (text) return *text;
    }
    return std::nullopt;
}

}  // namespace handoff
