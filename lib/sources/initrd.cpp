// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/initrd.hpp"

#include <fcntl.h>
#include <array>
#include <string_view>

#include "base/fd.hpp"
#include "lib/sources/early_cpio.hpp"
#include "lib/sources/initrd_contents.hpp"
#include "lib/sources/user_file.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

using base::Fd;
namespace {

// Nobody loads a larger one, and a file with a hole may say that it is as large as it likes.
constexpr std::uint64_t largest_that_is_read = 4 * base::GiB;

// "#BOOTCONFIG\n" is at the very end, or before up to three bytes that a boot loader added to have a multiple of four.
bool ends_in_bootconfig(const ReadAt& initrd, std::uint64_t size) {
    constexpr std::string_view magic = "#BOOTCONFIG\n";
    std::array<std::byte, magic.size() + 3> end{};
    if (size < end.size() || !initrd(size - end.size(), end)) return false;
    const std::string_view text(reinterpret_cast<const char*>(end.data()), end.size());
    return text.find(magic) != text.npos;
}

Fd open_initrd(const std::filesystem::path& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

}  // namespace

base::Result<InitrdFile> read_initrd(const std::filesystem::path& path) {
    // Says what is wrong with a file that is none, or cannot be read.
    const auto head = read_user_file_head(path, 1);
    if (!head) return head.error();
    if (head->size > largest_that_is_read) return InitrdFile{head->size, head->size, false};
    const Fd fd = open_initrd(path);
    const auto front = read_early_cpio(head->size, read_at(fd));
    if (!front) return base::Error(front.error()).at(path.string());
    return InitrdFile{head->size, front->acpi_bytes(), ends_in_bootconfig(read_at(fd), head->size)};
}

base::Result<InitrdContents> read_initrd_contents(const std::filesystem::path& path) {
    const auto head = read_user_file_head(path, 1);
    if (!head) return head.error();
    if (head->size > largest_that_is_read)
        return base::input_error(0, "an initrd of more than 4 GiB, which is not looked into").at(path.string());
    const Fd fd = open_initrd(path);
    auto contents = read_initrd_contents(head->size, read_at(fd));
    if (!contents) return std::move(contents).error().at(path.string());
    return contents;
}

}  // namespace handoff
