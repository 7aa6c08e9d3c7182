// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/sources/host.hpp"

namespace tool {

// Files of the machine at a root that are written and removed, by their paths there without the leading slash. Errors
// are those of machine_error().

/// As replace_file().
base::Result<bool> write_file(const handoff::Host&, std::string_view path, handoff::Link, std::string_view text,
                              unsigned mode = 0644);
/// Not an error where it is not there.
std::optional<base::Error> remove_file(const handoff::Host&, std::string_view path);
/// The error of a write, where it has one.
inline std::optional<base::Error> written(const base::Result<bool>& done) {
    return done ? std::nullopt : std::optional(done.error());
}
/// What was there before: written again, or removed where there was nothing.
std::optional<base::Error> restore_file(const handoff::Host&, std::string_view path,
                                        const std::optional<std::string>& before);
/// nullopt where it is not there.
base::Result<std::optional<std::string>> read_file(const handoff::Host&, std::string_view path);

/// "2026-11-24T23:05:00Z"; "" where the clock cannot be read.
std::string utc_now();
/// Which boot this is; "" where that cannot be read.
std::string boot_id_of(const handoff::Host&);

/// The path of a file in the directory that outlives a boot.
std::string state_path(std::string_view name);
/// Makes that directory where it is not there.
std::optional<base::Error> make_state_directory(const handoff::Host&);

}  // namespace tool
