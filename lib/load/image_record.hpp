// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "lib/sources/initrd.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

class Host;

/// What kdump would load on a machine, as far as a plan needs to know. A capture keeps it, since it has neither image
/// nor initrd.
struct ImageRecord {
    std::optional<Image> image;
    std::optional<InitrdFile> initrd;
    /// What it becomes; of its modules only how large those are together that are compressed, and those that are not.
    std::optional<InitrdContents> contents;
    Loader loader = Loader::automatic;
    Collector collector = Collector::unknown;
};

/// Where a capture has it: a document of JSON, swiotlb-handoff-capture(5).
inline constexpr std::string_view image_record_path = "swiotlb-handoff/crash-image.json";

/// What an initrd of this machine becomes, with what the running kernel has of its modules. Errors: as of
/// read_initrd_contents().
base::Result<InitrdContents> initrd_contents_of(const Host&, const std::filesystem::path& initrd);

/// Of the files that the installed service, or the kernel itself, has for this release. Errors: as of read_image() and
/// read_initrd().
base::Result<ImageRecord> record_images(const Host&, std::string_view release);

std::string text_of(const ImageRecord&);
/// Input error: it is no such document; the first member that is wrong.
base::Result<ImageRecord> parse_image_record(std::string_view text);

}  // namespace handoff
