// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

struct CaptureReport {
    std::vector<std::string> written;   ///< paths in the directory, which are the machine's own
    std::vector<base::Error> not_read;  ///< sources that are there and could not be taken, and why
    /// It was not permitted to read one of those without which no plan can be made: gather() of the capture fails.
    bool incomplete = false;
};

/// Writes what gather() reads of a machine into `directory`, so that a Host on
/// it gives the same answers. The directory must not exist, or be empty and the
/// caller's own; it becomes 0700. No file outside of it is touched.
///
/// Only what is needed is taken, as SourceInfo::kept says of each source: of the kernel log
/// the lines that are read, of the command line the words about memory, of the symbols
/// those of the pool, of the kernel's memory and BTF the few words that tell where it is. What it was not permitted to
/// read is listed in the capture, so that nobody takes it for something that is not there.
///
/// Errors: the directory cannot be made or is not empty, a file cannot be written.
/// `more`: paths and contents of what else the capture is to have.
base::Result<CaptureReport> capture(const Host&, const std::filesystem::path& directory,
                                    const std::vector<std::pair<std::string, std::string>>& more = {});

}  // namespace handoff
