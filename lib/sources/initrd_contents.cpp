// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/initrd_contents.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "lib/sources/cpio.hpp"
#include "lib/sources/decompress.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::Error;
using base::input_error;
using base::MiB;
using base::page_size;
using base::Result;
using Bytes = std::span<const std::byte>;

constexpr std::uint64_t longest_path = 4096;     // PATH_MAX: the kernel skips an entry with a longer name or link
constexpr std::size_t longest_module_name = 64;  // MODULE_NAME_LEN is less

std::string_view base_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

// dracut's module 99squash, and those of dracut-ng (95squash-squashfs, 95squash-erofs).
bool is_packed_root(std::string_view path) {
    const std::string_view file = base_name(path);
    return file == "squash-root.img" || file == "squashfs-root.img" || file == "erofs-root.img";
}

std::optional<ModuleFile> module_file(std::string_view path, std::uint64_t bytes) {
    const std::string_view file = base_name(path);
    for (const std::string_view ending : {".ko", ".ko.gz", ".ko.xz", ".ko.zst"}) {
        if (!file.ends_with(ending) || file.size() - ending.size() > longest_module_name) continue;
        ModuleFile module{std::string(file.substr(0, file.size() - ending.size())), bytes, ending != ".ko"};
        std::replace(module.name.begin(), module.name.end(), '-', '_');  // as the kernel names it
        return module;
    }
    return std::nullopt;
}

// The kernel's automaton: write_buffer() and what it calls, without the writing.
class CpioReader {
public:
    CpioReader(InitrdContents& contents, const InitrdLimits& limits) : contents_(contents), limits_(limits) {}

    /// The next bytes lie so far from the start of their stream: headers are aligned to 4 there.
    void begin_at(std::uint64_t offset) { offset_ = offset; }
    [[nodiscard]] bool between_entries() const { return state_ == State::between; }

    /// Takes bytes of an archive: all of them, or less where behind an entry something follows that is neither another
    /// one nor zeros.
    Result<std::size_t> take(Bytes bytes) {
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            const Bytes rest = bytes.subspan(taken);
            std::size_t step = 0;
            if (state_ == State::between) {
                while (step < rest.size() && rest[step] == std::byte{0}) ++step;
                if (step == 0 && rest.front() != std::byte{'0'}) return taken;
                if (step == 0 && offset_ % 4 != 0) return input_error(0, "a header that is not aligned to 4 bytes");
                if (step == 0) await(State::header, cpio_header_bytes);
                zeros_ = step == 0 ? 0 : zeros_ + step;
                if (zeros_ > most_cpio_padding) return input_error(0, "more zeros than any initrd has");
            } else {
                step = static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), awaited_));
                if (state_ != State::data) text_.append(reinterpret_cast<const char*>(rest.data()), step);
                awaited_ -= step;
            }
            offset_ += step;
            taken += step;
            while (state_ != State::between && awaited_ == 0)
                if (auto error = arrived()) return *std::move(error);
        }
        return taken;
    }

private:
    enum class State { between, header, name, data };

    void await(State state, std::uint64_t bytes) {
        state_ = state;
        awaited_ = bytes;
        text_.clear();
    }

    std::optional<Error> arrived() {
        if (state_ == State::header) return header_arrived();
        if (state_ == State::data) {
            state_ = State::between;
            return std::nullopt;
        }
        auto error = entry_arrived();
        await(State::data, end_ - offset_);
        return error;
    }

    std::optional<Error> header_arrived() {
        const auto header = begins_cpio(text_) ? parse_cpio_header(text_) : std::nullopt;
        if (!header) return input_error(0, "a header that is none of cpio's newc format");
        header_ = *header;
        const std::uint64_t data = align4(offset_ + header_.name_bytes);
        end_ = align4(data + header_.file_bytes);
        if (header_.name_bytes == 0 || header_.name_bytes > longest_path)
            await(State::data, end_ - offset_);
        else
            await(State::name, data - offset_);
        return std::nullopt;
    }

    std::optional<Error> entry_arrived() {
        if (text_[static_cast<std::size_t>(header_.name_bytes) - 1] != '\0')
            return input_error(0, "a name that does not end");
        const std::string_view path(text_.c_str());
        if (path == "TRAILER!!!") {
            links_.clear();
            return std::nullopt;
        }
        if (++entries_ > limits_.entries) return input_error(0, fmt::format("more than {} entries", limits_.entries));
        count(path);
        return std::nullopt;
    }

    void count(std::string_view path) {
        const std::uint64_t bytes = header_.file_bytes;
        if (header_.is_symbolic_link() ? bytes > longest_path : !header_.is_file() && bytes != 0)
            return;  // the kernel skips it
        if (header_.is_symbolic_link()) ++contents_.symbolic_links;
        const std::uint64_t pages = header_.is_file() ? align_up(bytes, page_size) : 0;
        std::uint64_t before = 0;
        if (header_.links >= 2 && !header_.is_directory() && !header_.is_symbolic_link()) {
            // maybe_link(): the content comes with any of the names, mostly with the last one.
            const auto [at, is_new] = links_.try_emplace({header_.major, header_.minor, header_.inode}, 0);
            before = at->second;
            at->second = std::max(before, pages);
            if (is_new) ++contents_.inodes;
        } else {
            ++contents_.inodes;
        }
        const std::uint64_t more = pages - std::min(pages, before);
        contents_.file_bytes += more;
        if (!header_.is_file()) return;
        if (is_packed_root(path)) contents_.packed_root_bytes += more;
        if (auto module = module_file(path, bytes)) contents_.modules.push_back(*std::move(module));
    }

    InitrdContents& contents_;
    const InitrdLimits& limits_;
    State state_ = State::between;
    std::uint64_t offset_ = 0;   // of the next byte
    std::uint64_t awaited_ = 0;  // bytes until the state is left
    std::uint64_t zeros_ = 0;    // since the last entry
    std::uint64_t end_ = 0;      // of the entry, where the next one may begin
    std::uint64_t entries_ = 0;
    CpioHeader header_;
    std::string text_;  // a header, or a name and what pads it
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::uint64_t> links_;  // to bytes
};

Error found_at(std::uint64_t offset, std::string_view what) {
    return input_error(0, fmt::format("expected an initrd, found at offset {}: {}", offset, what));
}

// One stream, which may have several archives in it: flush_buffer().
std::optional<Error> read_stream(Compression format, ByteSource& source, CpioReader& reader, std::uint64_t& unpacked,
                                 const InitrdLimits& limits) {
    reader.begin_at(0);
    auto error = decompress(format, source, [&](Bytes bytes) -> std::optional<Error> {
        unpacked += bytes.size();
        if (unpacked > limits.unpacked_bytes)
            return input_error(0, fmt::format("more than {} MiB unpacked", limits.unpacked_bytes / MiB));
        const auto taken = reader.take(bytes);
        if (!taken) return taken.error();
        if (*taken < bytes.size()) return input_error(0, "something in a compressed archive that is no entry");
        return std::nullopt;
    });
    if (error) return error;
    if (!reader.between_entries()) return input_error(0, "a compressed archive that ends within an entry");
    return std::nullopt;
}

}  // namespace

Result<InitrdContents> read_initrd_contents(std::uint64_t size, const ReadAt& read, const InitrdLimits& limits) {
    InitrdContents contents;
    CpioReader reader(contents, limits);
    ByteSource source(size, read);
    std::uint64_t unpacked = 0;
    while (source.position() < size) {
        const std::uint64_t offset = source.position();
        const Bytes next = source.peek(2);
        if (next.empty()) return found_at(offset, "bytes that cannot be read");
        const bool begins_entry = next.front() == std::byte{'0'} && offset % 4 == 0;
        if (!reader.between_entries() || begins_entry || next.front() == std::byte{0}) {
            reader.begin_at(offset);
            const auto taken = reader.take(next);
            if (!taken) return found_at(offset, taken.error().what);
            unpacked += *taken;
            if (unpacked > limits.unpacked_bytes)
                return found_at(offset, fmt::format("more than {} MiB unpacked", limits.unpacked_bytes / MiB));
            source.consume(*taken);
            continue;
        }
        const auto format = compression_of(next);
        if (!format) return found_at(offset, "what is neither cpio nor a compression that the kernel knows");
        if (const auto error = read_stream(*format, source, reader, unpacked, limits))
            return found_at(offset, error->what);
        contents.formats.emplace_back(name(*format));
    }
    if (!reader.between_entries()) return found_at(size, "the end, within an entry");
    return contents;
}

}  // namespace handoff
