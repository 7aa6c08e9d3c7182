// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// What Linux can unpack an initrd with (lib/decompress.c, compressed_formats[]).
enum class Compression { gzip, bzip2, lzma, xz, lzo, lz4, zstd };
/// "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd".
const char* name(Compression);
/// By the first two bytes, as the kernel tells them apart; nullopt where it knows none.
std::optional<Compression> compression_of(std::span<const std::byte> bytes);

/// A file from its start to its end, through a window of a fixed size.
class ByteSource {
public:
    /// `read` must outlive it.
    ByteSource(std::uint64_t size, const ReadAt& read);

    /// What comes next: at least one byte, and as many as `wanted` where the file has them; nothing at its end, or
    /// where it cannot be read. `wanted` is at most the window's size, 256 KiB.
    [[nodiscard]] std::span<const std::byte> peek(std::size_t wanted = 1);
    /// Goes on behind so many of the bytes that peek() returned.
    void consume(std::size_t bytes);
    /// Bytes from the start of the file.
    [[nodiscard]] std::uint64_t position() const { return start_ + used_; }
    /// Bytes could not be read.
    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::uint64_t size_;
    const ReadAt& read_;
    std::vector<std::byte> window_;
    std::uint64_t start_ = 0;  // of the window, in the file
    std::size_t filled_ = 0;   // bytes in the window
    std::size_t used_ = 0;     // of them
    bool failed_ = false;
};

/// Takes what was unpacked, a piece at a time; an error ends the unpacking.
using Sink = std::function<std::optional<base::Error>(std::span<const std::byte>)>;

/// Unpacks one stream from where the source stands, piece by piece, and leaves the source behind its last byte. Where a
/// stream ends is as in the kernel: no second stream of the same kind is looked for, but one of LZ4, which has no end,
/// goes to a block of size 0 or to the end of the file. Input errors name the format: damaged, cut off, or made in a
/// way that the kernel does not unpack. Otherwise the error of the sink, or nothing.
std::optional<base::Error> decompress(Compression, ByteSource&, const Sink&);

}  // namespace handoff
