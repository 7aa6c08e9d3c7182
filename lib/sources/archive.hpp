// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// One member of an archive, without its content.
struct ArchiveEntry {
    /// `content`: the file is no tar archive, and this is all of what it holds, unpacked.
    enum class Kind { file, directory, symbolic_link, hard_link, content, other };
    /// Without "./" and slashes in front and behind. "" where the name has a component "..", cannot be
    /// understood or is longer than 4096 bytes: no member that anybody wants is called so.
    std::string path;
    Kind kind = Kind::other;
    std::string target;  ///< of a link, as it stands there
};

/// A tar archive, compressed in any way that libarchive knows without another program, read once from its beginning to
/// its end. Nothing is written anywhere. A member's content is in memory only where it is asked for. Any other file has
/// one member, ArchiveEntry::Kind::content.
///
/// Errors of every function: io where it cannot be read, input where it is empty, damaged, ends early, or expands to
/// more than 200 times its size and 1 GiB. After an error there is nothing more to read. Error::source is empty.
class Archive {
public:
    /// A file, a pipe, or "-" for standard input.
    static base::Result<Archive> open(const std::filesystem::path&);
    /// The archive that the present member of `outer` holds. `outer` must stay, and is read no further until this one
    /// is gone; both count as one against what they may expand to.
    static base::Result<Archive> open_inside(Archive& outer);

    Archive(Archive&&) noexcept;
    Archive& operator=(Archive&&) noexcept;
    ~Archive();

    /// The next member; nullopt at the end.
    base::Result<std::optional<ArchiveEntry>> next();
    /// The present member's content, once. An input error where it has more than `limit` bytes.
    base::Result<std::string> read(std::size_t limit);
    /// The same a piece at a time, without an end; `take` answers whether it wants more. Holes are left out.
    std::optional<base::Error> read_pieces(const std::function<bool(std::string_view)>& take);

private:
    struct State;
    explicit Archive(std::unique_ptr<State>);
    std::unique_ptr<State> state_;
};

/// It begins as a file that gzip, bzip2, xz, lzma, zstd or lz4 compressed.
bool is_packed(std::string_view bytes);
/// What such a file holds, all of its streams. Input errors: damaged, cut off, or more than `limit` bytes.
base::Result<std::string> unpacked(std::string_view bytes, std::size_t limit);

}  // namespace handoff
