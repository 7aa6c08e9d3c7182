// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/temp_tree.hpp"

/// A tar archive made by hand, header by header (POSIX.1-1988, ustar), so that it can be as bad as one likes.
class TarFile {
public:
    static constexpr char file = '0', hard_link = '1', link = '2', device = '3', directory = '5', long_name = 'L';

    TarFile& add(std::string_view name, std::string_view content, char type = file, std::string_view target = "") {
        header(name, content.size(), type, target);
        bytes_ += content;
        bytes_.append((512 - content.size() % 512) % 512, '\0');
        return *this;
    }
    /// Says that it has `size` bytes.
    TarFile& header(std::string_view name, std::size_t size, char type = file, std::string_view target = "") {
        std::array<char, 512> block{};
        std::memcpy(block.data(), name.data(), std::min<std::size_t>(name.size(), 100));
        std::snprintf(block.data() + 100, 8, "%07o", 0644U);
        std::snprintf(block.data() + 124, 12, "%011zo", size);
        std::snprintf(block.data() + 136, 12, "%011o", 0U);
        block[156] = type;
        std::memcpy(block.data() + 157, target.data(), std::min<std::size_t>(target.size(), 100));
        std::memcpy(block.data() + 257, "ustar\00000", 8);
        std::memset(block.data() + 148, ' ', 8);
        unsigned sum = 0;
        for (const char c : block) sum += static_cast<unsigned char>(c);
        std::snprintf(block.data() + 148, 8, "%06o", sum);
        bytes_.append(block.data(), block.size());
        return *this;
    }
    TarFile& add_tree(const std::filesystem::path& top, const std::string& below) {
        namespace fs = std::filesystem;
        for (const auto& entry : fs::recursive_directory_iterator(top)) {
            const std::string name = below + fs::relative(entry.path(), top).string();
            if (entry.is_directory())
                long_named(name + "/", "", directory);
            else
                long_named(name, read_file(entry.path()), file);
        }
        return *this;
    }
    /// As GNU tar writes a name that has no room in a header.
    TarFile& long_named(std::string_view name, std::string_view content, char type = file) {
        if (name.size() > 100) add("././@LongLink", std::string(name) + '\0', long_name);
        return add(name, content, type);
    }
    [[nodiscard]] std::string bytes() const { return bytes_ + std::string(1024, '\0'); }
    [[nodiscard]] const std::string& bytes_without_end() const { return bytes_; }

private:
    std::string bytes_;
};

/// Compressed as `filter` says: "gzip", "xz", "zstd", "bzip2", "lz4".
inline std::string packed(std::string_view bytes, const char* filter) {
    std::string out;
    const auto take = [](::archive*, void* to, const void* from, std::size_t size) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
        return static_cast<la_ssize_t>(size);
    };
    ::archive* a = archive_write_new();
    archive_write_set_format_raw(a);
    archive_write_add_filter_by_name(a, filter);
    archive_write_set_bytes_per_block(a, 0);
    archive_write_open2(a, &out, nullptr, take, nullptr, nullptr);
    ::archive_entry* entry = archive_entry_new();
    archive_entry_set_filetype(entry, S_IFREG);
    archive_write_header(a, entry);
    archive_write_data(a, bytes.data(), bytes.size());
    archive_entry_free(entry);
    if (archive_write_close(a) != ARCHIVE_OK) throw std::runtime_error(archive_error_string(a));
    archive_write_free(a);
    return out;
}
