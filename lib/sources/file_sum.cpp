// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/file_sum.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "lib/sources/files.hpp"
#include "lib/sources/read_at.hpp"
#include "lib/sources/user_file.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

base::Result<FileSum> sum_of(const std::filesystem::path& path) {
    constexpr std::uint64_t limit = 2 * base::GiB, pieces = 64, piece = 4 * base::KiB;
    const auto file = open_user_file(path, limit);
    if (!file) return file.error();
    FileSum sum{file->size, 0};
    const ReadAt read = read_at(file->fd);
    std::vector<std::byte> bytes(std::min(file->size, file->size <= pieces * piece ? file->size : piece));
    const auto add = [&](std::uint64_t offset) {
        if (!read(offset, bytes)) return false;
        sum.crc32 = ::crc32_z(sum.crc32, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
        return true;
    };
    const std::uint64_t steps = bytes.size() == file->size ? 0 : pieces - 1;
    for (std::uint64_t i = 0; i <= steps; ++i)
        if (!add(steps == 0 ? 0 : (file->size - bytes.size()) * i / steps))
            return io_error(path.string(), "expected the whole file, found a part of it");
    return sum;
}

std::optional<FileSum> sum_if_read(const std::filesystem::path& path) {
    const auto sum = sum_of(path);
    return sum ? std::optional(*sum) : std::nullopt;
}

}  // namespace handoff
