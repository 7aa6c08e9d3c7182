// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/read_at.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace handoff {

ReadAt read_at(const base::Fd& file) {
    return [fd = file.get()](std::uint64_t offset, std::span<std::byte> into) {
        while (!into.empty()) {
            const ssize_t got = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;
            offset += static_cast<std::uint64_t>(got);
            into = into.subspan(static_cast<std::size_t>(got));
        }
        return true;
    };
}

ReadAt read_at(std::span<const std::byte> bytes) {
    return [bytes](std::uint64_t offset, std::span<std::byte> into) {
        if (offset > bytes.size() || into.size() > bytes.size() - offset) return false;
        const auto part = bytes.subspan(offset, into.size());
        std::copy(part.begin(), part.end(), into.begin());
        return true;
    };
}

}  // namespace handoff
