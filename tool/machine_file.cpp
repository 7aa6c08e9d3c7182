// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/machine_file.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/machine/watched_memory.hpp"
#include "lib/sources/files.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"

namespace tool {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view state_directory = std::string_view(HANDOFF_STATE).substr(1);

}  // namespace

Result<bool> write_file(const handoff::Host& host, std::string_view path, handoff::Link link, std::string_view text,
                        unsigned mode) {
    const auto place = host.place(path, link);
    if (!place) return machine_error(host, place.error());
    auto done = replace_file(*place, std::filesystem::path(host.root()) / path, text, mode);
    if (!done) return with_cure(host, done.error());
    return done;
}

std::optional<Error> remove_file(const handoff::Host& host, std::string_view path) {
    const auto place = host.place(path, handoff::Link::stay);
    if (!place && place.error().code == Errc::not_found) return std::nullopt;
    if (!place) return machine_error(host, place.error());
    if (::unlinkat(place->directory.get(), place->name.c_str(), 0) == 0 || errno == ENOENT) return std::nullopt;
    return machine_error(host, handoff::system_error(path, errno));
}

std::optional<Error> restore_file(const handoff::Host& host, std::string_view path,
                                  const std::optional<std::string>& before) {
    if (!before) return remove_file(host, path);
    return written(write_file(host, path, handoff::Link::follow, *before));
}

Result<std::optional<std::string>> read_file(const handoff::Host& host, std::string_view path) {
    auto text = host.read(path);
    if (text) return std::optional(*std::move(text));
    if (text.error().code == Errc::not_found) return std::optional<std::string>();
    return machine_error(host, text.error());
}

std::string boot_id_of(const handoff::Host& host) {
    const std::string text = host.read("proc/sys/kernel/random/boot_id").value_or("");
    return std::string(base::trimmed(text));
}

std::string state_path(std::string_view name) { return fmt::format("{}/{}", state_directory, name); }

std::optional<Error> make_state_directory(const handoff::Host& host) {
    const auto place = host.place(state_directory, handoff::Link::stay);
    if (!place) return machine_error(host, place.error());
    if (::mkdirat(place->directory.get(), place->name.c_str(), 0755) == 0 || errno == EEXIST) return std::nullopt;
    return machine_error(host, handoff::system_error(state_directory, errno));
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    return now < 0 ? "" : handoff::utc_text(static_cast<std::uint64_t>(now));
}

}  // namespace tool
