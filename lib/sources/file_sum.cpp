// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/file_sum.hpp"

#include <zlib.h>

#include "lib/sources/files.hpp"
#include "lib/sources/user_file.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

base::Result<FileSum> sum_of(const std::filesystem::path& path) {
    constexpr std::uint64_t limit = 2 * base::GiB;
    const auto file = open_user_file(path, limit);
    if (!file) return file.error();
    FileSum sum;
    const auto error = read_pieces(file->fd.get(), path.string(), limit, [&](std::string_view piece) {
        sum.bytes += piece.size();
        sum.crc32 = ::crc32_z(sum.crc32, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
        return true;
    });
    if (error) return *error;
    return sum;
}

}  // namespace handoff
