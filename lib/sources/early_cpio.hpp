// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

// What the kernel finds in the uncompressed cpio archives in front of an initrd before it has unpacked anything:
// lib/earlycpio.c, find_cpio_data(). Microcode is there, and perhaps ACPI tables, which acpi_table_upgrade() copies to
// memory that it takes below 4 GiB. dracut puts one archive in front, initramfs-tools several, with zeros between them.

/// A file under kernel/firmware/acpi/.
struct EarlyAcpiTable {
    std::string name;  ///< the whole path
    std::uint64_t bytes = 0;

    friend bool operator==(const EarlyAcpiTable&, const EarlyAcpiTable&) = default;
};

struct EarlyCpio {
    /// Those that acpi_table_upgrade() takes (drivers/acpi/tables.c): of the first 64 files each with a signature that
    /// it knows and a length that is the file's. It also wants a sound checksum, which is not looked at here.
    std::vector<EarlyAcpiTable> acpi_tables;
    /// Bytes behind more than 64 MiB of zeros, which were not looked at: they may all be tables.
    std::uint64_t not_looked_at = 0;
    /// Where the kernel's search ends, bytes from the start: at what is compressed, or at the end.
    std::uint64_t end = 0;

    /// A bound on what the tables take of memory below 4 GiB, in one request: bytes, whole pages.
    [[nodiscard]] std::uint64_t acpi_bytes() const;
};

/// Never reads beyond `size`. Looks at the headers and at the first bytes of ACPI tables, never at a whole file. Input
/// errors name the offset: a header that is cut off or no number, a file or a name that is longer than the initrd,
/// bytes that cannot be read. What begins like no header of the format ("070701", "070702") ends the search, as in the
/// kernel, and is no error.
base::Result<EarlyCpio> read_early_cpio(std::uint64_t size, const ReadAt&);
base::Result<EarlyCpio> read_early_cpio(std::span<const std::byte> initrd);

}  // namespace handoff
