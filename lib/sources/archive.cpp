// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/fd.hpp"
#include "lib/sources/files.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

using base::Error;
using base::Fd;
using base::input_error;
using base::Result;

namespace {

struct Closes {
    void operator()(::archive* a) const { archive_read_free(a); }
};
using Handle = std::unique_ptr<::archive, Closes>;

/// What may be unpacked of one file, whatever lies in what: a log of a thousand equal lines is 200 times smaller
/// packed, a report is 20 times.
struct Allowance {
    std::uint64_t packed = 0, unpacked = 0;  ///< bytes so far
    [[nodiscard]] bool exceeded() const { return unpacked > base::GiB && unpacked / 200 > packed; }
};

/// Only filters that are part of the library: for others it would run programs.
void support_filters(::archive* a) {
    archive_read_support_filter_none(a);
    if (archive_zlib_version() != nullptr) archive_read_support_filter_gzip(a);
    if (archive_bzlib_version() != nullptr) archive_read_support_filter_bzip2(a);
    if (archive_liblzma_version() != nullptr) {
        archive_read_support_filter_xz(a);
        archive_read_support_filter_lzma(a);
    }
    if (archive_libzstd_version() != nullptr) archive_read_support_filter_zstd(a);
    if (archive_liblz4_version() != nullptr) archive_read_support_filter_lz4(a);
}

/// Tar; and all else as it is, which tar's reader would call an unrecognized format.
void support_formats(::archive* a) {
    archive_read_support_format_tar(a);
    archive_read_support_format_raw(a);
    support_filters(a);
}

Error failed(::archive* a) {
    if (archive_filter_bytes(a, -1) == 0) return input_error(0, "it is empty");
    const char* what = archive_error_string(a);
    return input_error(0, fmt::format("the archive cannot be read: {}", what == nullptr ? "it is damaged" : what));
}

/// "./a//b/" as "a/b"; "" where a component is "..".
std::string plain_path(std::string_view name) {
    constexpr std::size_t longest = 4096;
    if (name.size() > longest) return {};
    std::string path;
    while (!name.empty()) {
        const std::string_view component = name.substr(0, name.find('/'));
        name.remove_prefix(std::min(name.size(), component.size() + 1));
        if (component == "..") return {};
        if (component.empty() || component == ".") continue;
        if (!path.empty()) path += '/';
        path += component;
    }
    return path;
}

ArchiveEntry::Kind kind_of(::archive_entry* entry) {
    if (archive_entry_hardlink(entry) != nullptr) return ArchiveEntry::Kind::hard_link;
    switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
            return ArchiveEntry::Kind::file;
        case AE_IFDIR:
            return ArchiveEntry::Kind::directory;
        case AE_IFLNK:
            return ArchiveEntry::Kind::symbolic_link;
        default:
            return ArchiveEntry::Kind::other;
    }
}

}  // namespace

struct Archive::State {
    Handle handle{archive_read_new()};
    Fd file;
    std::array<char, 256 * base::KiB> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): it is filled
    Allowance own;
    State* outer = nullptr;
    std::uint64_t last_unpacked = 0;
    bool in_member = false;

    [[nodiscard]] ::archive* get() const { return handle.get(); }
    [[nodiscard]] Allowance& allowance() { return outer != nullptr ? outer->allowance() : own; }

    /// An error where too much has been unpacked so far.
    std::optional<Error> count() {
        const auto now = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(get(), 0), 0));
        allowance().unpacked += now - std::min(now, last_unpacked);
        last_unpacked = now;
        if (!allowance().exceeded()) return std::nullopt;
        return input_error(0, "the archive expands to more than 200 times its size: no report does");
    }

    /// The next piece of the present member; nullopt at its end. Holes are not filled.
    struct Piece {
        std::string_view bytes;
        std::uint64_t offset;
    };
    Result<std::optional<Piece>> piece() {
        const void* bytes = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(get(), &bytes, &size, &offset);
        if (status == ARCHIVE_EOF) return std::optional<Piece>();
        if (status != ARCHIVE_OK) return failed(get());
        if (auto error = count()) return std::move(*error);
        return std::optional(Piece{{static_cast<const char*>(bytes), size}, static_cast<std::uint64_t>(offset)});
    }

    static la_ssize_t read_file(::archive* a, void* self, const void** bytes) {
        auto& state = *static_cast<State*>(self);
        *bytes = state.buffer.data();
        ssize_t got = -1;
        do got = ::read(state.file.get(), state.buffer.data(), state.buffer.size());
        while (got < 0 && errno == EINTR);
        if (got < 0) archive_set_error(a, errno, "%s", std::strerror(errno));
        if (got > 0) state.own.packed += static_cast<std::uint64_t>(got);
        return got;
    }

    static la_ssize_t read_outer(::archive* a, void* self, const void** bytes) {
        const auto piece = static_cast<State*>(self)->outer->piece();
        if (!piece) {
            archive_set_error(a, EIO, "%s", piece.error().what.c_str());
            return -1;
        }
        if (!*piece) return 0;
        *bytes = (*piece)->bytes.data();
        return static_cast<la_ssize_t>((*piece)->bytes.size());
    }
};

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(const std::filesystem::path& path) {
    auto state = std::make_unique<State>();
    state->file = path == "-" ? Fd(::dup(STDIN_FILENO)) : Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!state->file) return Error{system_error("", errno)};
    support_formats(state->get());
    if (archive_read_open2(state->get(), state.get(), nullptr, State::read_file, nullptr, nullptr) != ARCHIVE_OK)
        return failed(state->get());
    return Archive(std::move(state));
}

Result<Archive> Archive::open_inside(Archive& outer) {
    auto state = std::make_unique<State>();
    state->outer = outer.state_.get();
    support_formats(state->get());
    if (archive_read_open2(state->get(), state.get(), nullptr, State::read_outer, nullptr, nullptr) != ARCHIVE_OK)
        return failed(state->get());
    return Archive(std::move(state));
}

Result<std::optional<ArchiveEntry>> Archive::next() {
    // The library would read over the rest of a member itself, but without an end.
    while (state_->in_member) {
        auto skipped = state_->piece();
        if (!skipped) return std::move(skipped).error();
        if (!*skipped) break;
    }
    state_->in_member = false;
    const auto block = static_cast<la_int64_t>(512);
    const la_int64_t end = (archive_filter_bytes(state_->get(), 0) + block - 1) / block * block;
    ::archive_entry* entry = nullptr;
    const int status = archive_read_next_header(state_->get(), &entry);
    if (status == ARCHIVE_EOF) {
        if (archive_format(state_->get()) == ARCHIVE_FORMAT_RAW) return std::optional<ArchiveEntry>();
        // The library takes any end for the end. The format has blocks of zeros there.
        if (archive_filter_bytes(state_->get(), 0) > end) return std::optional<ArchiveEntry>();
        return input_error(0, "the archive ends early: it has no end mark");
    }
    // A warning is a name that is not of this locale: its bytes are as they are.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return failed(state_->get());
    state_->in_member = true;
    if (auto error = state_->count()) return std::move(*error);
    if (archive_format(state_->get()) == ARCHIVE_FORMAT_RAW)
        return std::optional(ArchiveEntry{{}, ArchiveEntry::Kind::content, {}});
    const char* name = archive_entry_pathname(entry);
    ArchiveEntry found{name == nullptr ? std::string() : plain_path(name), kind_of(entry), {}};
    for (const char* target : {archive_entry_hardlink(entry), archive_entry_symlink(entry)})
        if (target != nullptr) found.target = target;
    return std::optional(std::move(found));
}

Result<std::string> Archive::read(std::size_t limit) {
    std::string content;
    while (true) {
        auto piece = state_->piece();
        if (!piece) return std::move(piece).error();
        if (!*piece) return content;
        const auto& [bytes, offset] = **piece;
        if (offset > limit || bytes.size() > limit - offset || offset < content.size())
            return input_error(0, fmt::format("larger than {} MiB", limit / base::MiB));
        content.resize(offset, '\0');  // a hole
        content += bytes;
    }
}

std::optional<Error> Archive::read_pieces(const std::function<bool(std::string_view)>& take) {
    while (true) {
        auto piece = state_->piece();
        if (!piece) return std::move(piece).error();
        if (!*piece || !take((*piece)->bytes)) return std::nullopt;
    }
}

bool is_packed(std::string_view bytes) {
    using namespace std::string_view_literals;
    constexpr std::array magics{"\x1f\x8b\x08"sv,     "BZh"sv,     "\xfd\x37zXZ\0"sv, "\x28\xb5\x2f\xfd"sv,
                                "\x04\x22\x4d\x18"sv, "\x5d\0\0"sv};
    return std::any_of(magics.begin(), magics.end(), [&](auto magic) { return bytes.starts_with(magic); });
}

Result<std::string> unpacked(std::string_view bytes, std::size_t limit) {
    const Handle handle{archive_read_new()};
    ::archive* a = handle.get();
    archive_read_support_format_raw(a);
    support_filters(a);
    ::archive_entry* entry = nullptr;
    if (archive_read_open_memory(a, bytes.data(), bytes.size()) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return failed(a);
    std::string content;
    while (true) {
        const void* piece = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(a, &piece, &size, &offset);
        if (status == ARCHIVE_EOF) return content;
        if (status != ARCHIVE_OK) return failed(a);
        if (size > limit - content.size()) return input_error(0, fmt::format("larger than {} MiB", limit / base::MiB));
        content.append(static_cast<const char*>(piece), size);
    }
}

}  // namespace handoff
