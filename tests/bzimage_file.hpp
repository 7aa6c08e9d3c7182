// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace handoff {

/// As much of a bzImage as anybody reads: boot protocol 2.15 with four sectors of setup, the release behind the setup
/// header (none where that is ""), and the payload, a kernel that is compressed.
inline std::string bzimage(const std::string& release, const std::string& payload = std::string(64, '\0')) {
    std::string image(5 * 512, '\0');
    const auto put = [&](std::size_t at, std::uint64_t value, std::size_t bytes) {
        std::memcpy(image.data() + at, &value, bytes);
    };
    put(0x1f1, 4, 1);
    put(0x1fe, 0xaa55, 2);
    put(0x202, 0x53726448, 4);
    put(0x206, 0x020f, 2);
    if (!release.empty()) put(0x20e, 0x100, 2);
    put(0x211, 1, 1);
    put(0x230, 0x200000, 4);
    put(0x234, 1, 1);
    put(0x236, 3, 2);
    put(0x24c, payload.size(), 4);
    put(0x260, 0x1000000, 4);
    image.replace(0x300, release.size(), release);
    return image + payload;
}

}  // namespace handoff
