// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/early_cpio.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "lib/sources/cpio.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {
namespace {

using base::input_error;
using base::Result;

constexpr std::uint64_t page = 4096;
constexpr std::string_view acpi_folder = "kernel/firmware/acpi/";
constexpr std::size_t most_files = 64;  // NR_ACPI_INITRD_TABLES

constexpr std::uint64_t longest_name = page;  // PATH_MAX; the kernel's search has no limit
constexpr std::uint64_t acpi_header_bytes = 36;

// table_sigs[] of drivers/acpi/tables.c in 5.10 to 7.3, all of them.
constexpr std::array<std::string_view, 47> signatures = {
    "AEST", "AGDI", "APIC", "ASF!", "BERT", "BGRT", "BOOT", "CEDT", "CPEP", "DBGP", "DMAR", "DSDT",
    "ECDT", "EINJ", "ERST", "FACP", "HEST", "HMAT", "HPET", "IBFT", "IORT", "IVRS", "MCFG", "MCHI",
    "MPAM", "MSCT", "NBFT", "NFIT", "NHLT", "PPTT", "PSDT", "RSDT", "SBST", "SLIC", "SLIT", "SPCR",
    "SPMI", "SRAT", "SSDT", "SWFT", "TCPA", "UEFI", "WAET", "WDAT", "WDDT", "WDRT", "XSDT"};

constexpr std::size_t window_bytes = 64 * 1024;

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads through one window, so that zeros between archives cost few reads.
class Window {
public:
    Window(std::uint64_t size, const ReadAt& read) : size_(size), read_(read) {}

    std::uint64_t size() const { return size_; }

    /// `length` bytes at `offset`, both within the initrd; length at most the window's. nullopt where the read failed.
    std::optional<std::span<const std::byte>> at(std::uint64_t offset, std::size_t length) {
        if (offset < start_ || offset + length > start_ + filled_) {
            const auto fill = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_.size(), size_ - offset));
            if (!read_(offset, std::span(bytes_).first(fill))) return std::nullopt;
            start_ = offset;
            filled_ = fill;
        }
        return std::span<const std::byte>(bytes_).subspan(static_cast<std::size_t>(offset - start_), length);
    }

private:
    std::uint64_t size_;
    const ReadAt& read_;
    std::vector<std::byte> bytes_ = std::vector<std::byte>(window_bytes);
    std::uint64_t start_ = 0;
    std::size_t filled_ = 0;
};

// Headers are aligned to 4 bytes, and so are the zeros between archives. False where a read failed.
bool skip_zeros(Window& window, std::uint64_t& offset) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(window_bytes, window.size() - offset));
    const auto bytes = window.at(offset, length);
    if (!bytes) return false;
    std::size_t skipped = 0;
    while (skipped < length && (*bytes)[skipped] == std::byte{0}) skipped += 4;
    offset += skipped;
    return true;
}

// Where the file behind a header lies: offsets from the start of the initrd.
struct Place {
    std::uint64_t name = 0, data = 0, next = 0;
};

Place place_of(std::uint64_t offset, const CpioHeader& header) {
    Place place;
    place.name = offset + cpio_header_bytes;
    place.data = align4(place.name + header.name_bytes);
    place.next = align4(place.data + header.file_bytes);
    return place;
}

std::uint32_t little_endian(std::span<const std::byte> bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
    return value;
}

// acpi_table_upgrade() goes on with what is in order and complains about the rest.
bool takes_table(std::span<const std::byte> acpi_header, std::uint64_t file_size) {
    const std::string_view signature = text_of(acpi_header.first(4));
    return std::find(signatures.begin(), signatures.end(), signature) != signatures.end() &&
           little_endian(acpi_header.subspan(4)) == file_size;
}

}  // namespace

std::uint64_t EarlyCpio::acpi_bytes() const {
    std::uint64_t sum = not_looked_at;
    for (const EarlyAcpiTable& table : acpi_tables) sum += table.bytes;
    return (sum + page - 1) / page * page;
}

Result<EarlyCpio> read_early_cpio(std::uint64_t size, const ReadAt& read) {
    Window window(size, read);
    EarlyCpio found;
    std::size_t files = 0;
    std::uint64_t offset = 0, archives_end = 0;
    const auto wrong = [&](std::string_view what) {
        return input_error(0, fmt::format("expected a cpio header at offset {}, found {}", offset, what));
    };
    const auto unread = [](std::uint64_t at) {
        return input_error(0, fmt::format("expected bytes at offset {}, found none", at));
    };

    while (offset < size) {
        const auto head =
            window.at(offset, static_cast<std::size_t>(std::min<std::uint64_t>(cpio_header_bytes, size - offset)));
        if (!head) return unread(offset);
        const std::string_view text = text_of(*head);
        if (text.front() == '\0') {
            if (!skip_zeros(window, offset)) return unread(offset);
            if (offset - archives_end <= most_cpio_padding) continue;
            found.not_looked_at = size - std::min(offset, size);
            break;
        }
        if (!begins_cpio(text)) break;
        if (text.size() < cpio_header_bytes) return wrong("the end");
        const auto header = parse_cpio_header(text);
        if (!header) return wrong("a field that is no number");
        const Place place = place_of(offset, *header);
        if (header->name_bytes == 0 || header->name_bytes > longest_name)
            return wrong(fmt::format("a name of {} bytes", header->name_bytes));
        if (place.data > size || place.data + header->file_bytes > size)
            return wrong("a file that is longer than the rest");
        const auto name = window.at(place.name, static_cast<std::size_t>(header->name_bytes));
        if (!name) return unread(place.name);
        const std::string path(text_of(*name).substr(0, text_of(*name).find('\0')));
        if (header->is_file() && path.starts_with(acpi_folder) && files < most_files) {
            ++files;
            if (header->file_bytes >= acpi_header_bytes) {
                const auto acpi = window.at(place.data, acpi_header_bytes);
                if (!acpi) return unread(place.data);
                if (takes_table(*acpi, header->file_bytes)) found.acpi_tables.push_back({path, header->file_bytes});
            }
        }
        offset = archives_end = place.next;
    }
    found.end = std::min(offset, size);
    return found;
}

Result<EarlyCpio> read_early_cpio(std::span<const std::byte> initrd) {
    return read_early_cpio(initrd.size(), [initrd](std::uint64_t offset, std::span<std::byte> into) {
        std::copy_n(initrd.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
        return true;
    });
}

}  // namespace handoff
