// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>

#include <fmt/format.h>

// Archives of cpio's newc format, made entry by entry.
namespace handoff::cpio {

inline std::string padded(std::string text, std::size_t to) {
    text.resize((text.size() + to - 1) / to * to);
    return text;
}

struct Meta {
    unsigned mode = 0100644;
    const char* magic = "070701";
    unsigned inode = 1;
    unsigned links = 1;
};

inline std::string file(const std::string& name, const std::string& data, const Meta& meta = {}) {
    std::string header =
        fmt::format("{}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08X}", meta.magic,
                    meta.inode, meta.mode, 0, 0, meta.links, 0, data.size(), 0, 0, 0, 0, name.size() + 1, 0);
    return padded(padded(header + name + '\0', 4) + data, 4);
}
inline std::string directory(const std::string& name) { return file(name, "", {.mode = 040755, .links = 2}); }
inline std::string symbolic_link(const std::string& name, const std::string& to) {
    return file(name, to, {.mode = 0120777});
}
inline std::string end() { return file("TRAILER!!!", "", {.mode = 0}); }

}  // namespace handoff::cpio
