// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/decompress.hpp"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "swiotlb-handoff/range.hpp"

namespace handoff {
namespace {

using base::input_error;
using base::KiB;
using base::MiB;

using Bytes = std::span<const std::byte>;
using Outcome = std::optional<base::Error>;

constexpr std::size_t window_bytes = 256 * KiB;
constexpr std::size_t piece_bytes = 256 * KiB;

Outcome damaged(Compression format) {
    return input_error(0, fmt::format("{}: the data is damaged, or cut off", name(format)));
}

// A library's stream: it is fed from the source, and what it made goes to the sink.
struct Step {
    std::size_t taken = 0;  // bytes of the input
    std::size_t made = 0;   // bytes of the output
    enum class State { more, end, damaged } state = State::more;
};

template <typename Function>
Outcome run(Compression format, ByteSource& source, const Sink& sink, Function&& step) {
    std::vector<std::byte> out(piece_bytes);
    while (true) {
        const Bytes in = source.peek();
        const Step done = step(in, std::span(out));
        source.consume(done.taken);
        if (done.state == Step::State::damaged) return damaged(format);
        if (done.made != 0)
            if (Outcome error = sink(Bytes(out).first(done.made))) return error;
        if (done.state == Step::State::end) return std::nullopt;
        if (done.taken == 0 && done.made == 0) return damaged(format);  // there is no more
    }
}

Outcome gunzip(ByteSource& source, const Sink& sink) {
    z_stream stream{};
    constexpr int gzip_only = 15 + 16;
    if (inflateInit2(&stream, gzip_only) != Z_OK) return input_error(0, "gzip: zlib cannot be used");
    const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
    return run(Compression::gzip, source, sink, [&](Bytes in, std::span<std::byte> out) {
        // zlib does not write to what it reads; its interface is older than const.
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
        stream.avail_in = static_cast<uInt>(in.size());
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        const int status = inflate(&stream, Z_NO_FLUSH);
        return Step{in.size() - stream.avail_in, out.size() - stream.avail_out,
                    status == Z_STREAM_END                    ? Step::State::end
                    : status == Z_OK || status == Z_BUF_ERROR ? Step::State::more
                                                              : Step::State::damaged};
    });
}

Outcome bunzip2(ByteSource& source, const Sink& sink) {
    bz_stream stream{};
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) return input_error(0, "bzip2: the library cannot be used");
    const std::unique_ptr<bz_stream, int (*)(bz_stream*)> owner(&stream, BZ2_bzDecompressEnd);
    return run(Compression::bzip2, source, sink, [&](Bytes in, std::span<std::byte> out) {
        stream.next_in = reinterpret_cast<char*>(const_cast<std::byte*>(in.data()));
        stream.avail_in = static_cast<unsigned>(in.size());
        stream.next_out = reinterpret_cast<char*>(out.data());
        stream.avail_out = static_cast<unsigned>(out.size());
        const int status = BZ2_bzDecompress(&stream);
        return Step{in.size() - stream.avail_in, out.size() - stream.avail_out,
                    status == BZ_STREAM_END ? Step::State::end
                    : status == BZ_OK       ? Step::State::more
                                            : Step::State::damaged};
    });
}

// Both of liblzma's formats. Linux itself has no limit but its memory; no initrd is made with a larger dictionary.
Outcome unxz(Compression format, ByteSource& source, const Sink& sink) {
    constexpr std::uint64_t memory_limit = 80 * MiB;
    lzma_stream stream = LZMA_STREAM_INIT;
    const lzma_ret ready = format == Compression::xz ? lzma_stream_decoder(&stream, memory_limit, 0)
                                                     : lzma_alone_decoder(&stream, memory_limit);
    const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> owner(&stream, lzma_end);
    if (ready != LZMA_OK) return input_error(0, fmt::format("{}: the library cannot be used", name(format)));
    return run(format, source, sink, [&](Bytes in, std::span<std::byte> out) {
        stream.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
        stream.avail_in = in.size();
        stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
        stream.avail_out = out.size();
        const lzma_ret status = lzma_code(&stream, LZMA_RUN);
        return Step{in.size() - stream.avail_in, out.size() - stream.avail_out,
                    status == LZMA_STREAM_END                       ? Step::State::end
                    : status == LZMA_OK || status == LZMA_BUF_ERROR ? Step::State::more
                                                                    : Step::State::damaged};
    });
}

// One frame. Windows up to 128 MiB, as in the kernel (include/linux/zstd.h, ZSTD_WINDOWLOG_LIMIT_DEFAULT).
Outcome unzstd(ByteSource& source, const Sink& sink) {
    const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
    if (!context) return input_error(0, "zstd: the library cannot be used");
    return run(Compression::zstd, source, sink, [&](Bytes in, std::span<std::byte> out) {
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        const std::size_t left = ZSTD_decompressStream(context.get(), &output, &input);
        return Step{input.pos, output.pos,
                    ZSTD_isError(left) ? Step::State::damaged
                    : left == 0        ? Step::State::end
                                       : Step::State::more};
    });
}

std::uint32_t number(Bytes four, bool big_endian) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | std::to_integer<std::uint32_t>(four[big_endian ? i : 3 - i]);
    return value;
}

// The legacy frame, the only one that Linux reads (lib/decompress_unlz4.c): the magic, and blocks of up to 8 MiB, each
// behind its size. The magic may come again in place of a size.
Outcome unlz4(ByteSource& source, const Sink& sink) {
    constexpr std::uint32_t magic = 0x184c2102;
    constexpr int block_bytes = 8 * MiB;
    if (const Bytes head = source.peek(4); head.size() < 4 || number(head, false) != magic)
        return damaged(Compression::lz4);
    source.consume(4);
    std::vector<std::byte> in, out(std::size_t{block_bytes});
    while (true) {
        const Bytes head = source.peek(4);
        if (head.size() < 4) return source.failed() ? damaged(Compression::lz4) : std::nullopt;
        const std::uint32_t size = number(head, false);
        if (size == 0) return std::nullopt;
        source.consume(4);
        if (size == magic) continue;
        if (size > static_cast<std::size_t>(LZ4_compressBound(block_bytes))) return damaged(Compression::lz4);
        in.clear();
        while (in.size() < size) {
            const Bytes next = source.peek();
            if (next.empty()) return damaged(Compression::lz4);
            const std::size_t taken = std::min(next.size(), size - in.size());
            in.insert(in.end(), next.begin(), next.begin() + static_cast<std::ptrdiff_t>(taken));
            source.consume(taken);
        }
        const int made = LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()),
                                             reinterpret_cast<char*>(out.data()), static_cast<int>(size), block_bytes);
        if (made < 0) return damaged(Compression::lz4);
        if (Outcome error = sink(Bytes(out).first(static_cast<std::size_t>(made)))) return error;
    }
}

// Length of lzop's header: lib/decompress_unlzo.c, parse_header(). nullopt where it is none.
std::optional<std::size_t> lzop_header(ByteSource& source) {
    constexpr std::array<unsigned char, 9> magic = {0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a};
    constexpr std::uint32_t has_filter = 0x800;
    const Bytes head = source.peek(512);
    const auto byte = [head](std::size_t at) { return std::to_integer<unsigned>(head[at]); };
    constexpr std::size_t before_flags = magic.size() + 7;
    if (head.size() < before_flags + 1 + 8 + 12 + 1) return std::nullopt;
    for (std::size_t i = 0; i < magic.size(); ++i)
        if (byte(i) != magic[i]) return std::nullopt;
    const bool recent = (byte(magic.size()) << 8 | byte(magic.size() + 1)) >= 0x0940;
    std::size_t at = before_flags + (recent ? 1 : 0);
    at += (number(head.subspan(at, 4), true) & has_filter) != 0 ? 8U : 4U;
    at += recent ? 12U : 8U;  // mode and time
    at += 1 + byte(at) + 4;   // the name behind its length, and a checksum
    if (at > head.size()) return std::nullopt;
    return at;
}

// lzop's file: blocks of up to 256 KiB, each behind its sizes and a checksum, and a size of 0 at the end.
Outcome unlzo(ByteSource& source, const Sink& sink) {
    constexpr std::size_t block_bytes = 256 * KiB;
    const auto header = lzop_header(source);
    if (!header) return damaged(Compression::lzo);
    source.consume(*header);
    std::vector<std::byte> out(block_bytes);
    while (true) {
        const Bytes unpacked_size = source.peek(4);
        if (unpacked_size.size() < 4) return damaged(Compression::lzo);
        const std::size_t wanted = number(unpacked_size, true);
        source.consume(4);
        if (wanted == 0) return std::nullopt;
        const Bytes packed_size = source.peek(8);
        if (wanted > block_bytes || packed_size.size() < 8) return damaged(Compression::lzo);
        const std::size_t size = number(packed_size, true);
        source.consume(8);
        if (size == 0 || size > wanted) return damaged(Compression::lzo);
        const Bytes packed = source.peek(size);
        if (packed.size() < size) return damaged(Compression::lzo);
        Bytes made = packed.first(size);  // as it is, where packing would not have made it smaller
        if (size != wanted) {
            lzo_uint length = out.size();
            const int status = lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(packed.data()), size,
                                                     reinterpret_cast<unsigned char*>(out.data()), &length, nullptr);
            if (status != LZO_E_OK || length != wanted) return damaged(Compression::lzo);
            made = Bytes(out).first(wanted);
        }
        if (Outcome error = sink(made)) return error;
        source.consume(size);
    }
}

}  // namespace

const char* name(Compression format) {
    switch (format) {
        case Compression::gzip:
            return "gzip";
        case Compression::bzip2:
            return "bzip2";
        case Compression::lzma:
            return "lzma";
        case Compression::xz:
            return "xz";
        case Compression::lzo:
            return "lzo";
        case Compression::lz4:
            return "lz4";
        case Compression::zstd:
            return "zstd";
    }
    return "unknown";
}

std::optional<Compression> compression_of(Bytes bytes) {
    struct Magic {
        unsigned char first, second;
        Compression format;
    };
    if (bytes.size() < 2) return std::nullopt;
    for (const Magic& magic : {Magic{0x1f, 0x8b, Compression::gzip}, Magic{0x1f, 0x9e, Compression::gzip},
                               Magic{0x42, 0x5a, Compression::bzip2}, Magic{0x5d, 0x00, Compression::lzma},
                               Magic{0xfd, 0x37, Compression::xz}, Magic{0x89, 0x4c, Compression::lzo},
                               Magic{0x02, 0x21, Compression::lz4}, Magic{0x28, 0xb5, Compression::zstd}})
        if (std::to_integer<unsigned char>(bytes[0]) == magic.first &&
            std::to_integer<unsigned char>(bytes[1]) == magic.second)
            return magic.format;
    return std::nullopt;
}

ByteSource::ByteSource(std::uint64_t size, const ReadAt& read) : size_(size), read_(read), window_(window_bytes) {}

std::span<const std::byte> ByteSource::peek(std::size_t wanted) {
    const std::uint64_t left = failed_ ? filled_ - used_ : size_ - position();
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(std::min(wanted, window_.size()), left));
    if (filled_ - used_ < wanted) {
        std::copy(window_.begin() + static_cast<std::ptrdiff_t>(used_),
                  window_.begin() + static_cast<std::ptrdiff_t>(filled_), window_.begin());
        start_ += used_;
        filled_ -= used_;
        used_ = 0;
        const auto more =
            static_cast<std::size_t>(std::min<std::uint64_t>(window_.size() - filled_, size_ - start_ - filled_));
        if (read_(start_ + filled_, std::span(window_).subspan(filled_, more)))
            filled_ += more;
        else
            failed_ = true;
    }
    return std::span<const std::byte>(window_).subspan(used_, filled_ - used_);
}

void ByteSource::consume(std::size_t bytes) { used_ += bytes; }

std::optional<base::Error> decompress(Compression format, ByteSource& source, const Sink& sink) {
    switch (format) {
        case Compression::gzip:
            return gunzip(source, sink);
        case Compression::bzip2:
            return bunzip2(source, sink);
        case Compression::lzma:
        case Compression::xz:
            return unxz(format, source, sink);
        case Compression::lzo:
            return unlzo(source, sink);
        case Compression::lz4:
            return unlz4(source, sink);
        case Compression::zstd:
            return unzstd(source, sink);
    }
    return input_error(0, "an unknown format");
}

}  // namespace handoff
