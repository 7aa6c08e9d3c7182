// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

using base::input_error;
using base::Result;

namespace {

class Inflate {
public:
    Inflate() : ready_(inflateInit2(&stream_, gzip_only) == Z_OK) {}
    ~Inflate() {
        if (ready_) inflateEnd(&stream_);
    }
    Inflate(const Inflate&) = delete;
    Inflate& operator=(const Inflate&) = delete;

    [[nodiscard]] bool ready() const { return ready_; }
    z_stream& stream() { return stream_; }

private:
    static constexpr int gzip_only = 15 + 16;
    z_stream stream_{};
    bool ready_;
};

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b\x08"); }

Result<std::string> gunzip(std::string_view bytes, std::size_t limit) {
    Inflate inflating;
    if (!inflating.ready()) return input_error(0, "gzip: zlib cannot be used");
    z_stream& stream = inflating.stream();
    // zlib does not write to what it reads; its interface is older than const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max()));
    std::string out;
    int status = Z_OK;
    while (status == Z_OK) {
        const std::size_t filled = out.size();
        if (filled >= limit) return input_error(0, fmt::format("gzip: more than {} bytes are in it", limit));
        out.resize(std::min(limit, filled + std::max<std::size_t>(filled, 64 * base::KiB)));
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
        stream.avail_out = static_cast<uInt>(out.size() - filled);
        status = inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
    }
    if (status != Z_STREAM_END) return input_error(0, "gzip: the data is damaged, or cut off");
    return out;
}

}  // namespace handoff
