// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/loaded_kernel.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/byte_cursor.hpp"
#include "lib/sources/btf.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kallsyms_table.hpp"

namespace handoff {
namespace {

using base::ByteCursor;
using base::input_error;
using Bytes = std::vector<std::byte>;

constexpr std::string_view crash_variable = "kexec_crash_image", next_variable = "kexec_image";

// No kernel comes near these; what is larger is not believed. KEXEC_SEGMENT_MAX is 16 (include/uapi/linux/kexec.h), a
// command line on x86 2 KiB (COMMAND_LINE_SIZE), of which kexec_load passes on more than the kernel reads.
constexpr std::size_t most_segments = 1024, largest_image = 64 * base::KiB, longest_line = 64 * base::KiB;

// Documentation/arch/x86/boot.rst and zero-page.rst: offsets in boot_params.
constexpr std::size_t ext_cmd_line_ptr = 0x0c8, header_magic = 0x202, cmd_line_ptr = 0x228, header_end = 0x22c;
constexpr std::uint32_t hdrs = 0x53726448;  // "HdrS"

template <std::unsigned_integral Integer>
std::optional<Integer> number_at(std::span<const std::byte> bytes, std::size_t offset) {
    return offset <= bytes.size() ? ByteCursor(bytes.subspan(offset)).take<Integer>() : std::nullopt;
}

Result<std::vector<AddressRange>> read_segments(Address image, std::string_view variable, const ImageLayout& layout,
                                                const MemoryReader& read) {
    const std::size_t all =
        std::max(layout.count + sizeof(std::uint64_t), layout.segments + layout.most * layout.segment_size);
    const auto bytes = read(image, all);
    if (!bytes) return bytes.error();
    const auto count = number_at<std::uint64_t>(*bytes, layout.count);
    if (!count || *count == 0 || *count > layout.most)
        return input_error(
            0, fmt::format("expected 1 to {} segments in {}, found {}", layout.most, variable, count.value_or(0)));
    std::vector<AddressRange> segments;
    for (std::size_t i = 0; i < *count; ++i) {
        const std::size_t one = layout.segments + i * layout.segment_size;
        const auto start = number_at<std::uint64_t>(*bytes, one + layout.start);
        const auto size = number_at<std::uint64_t>(*bytes, one + layout.size);
        const auto range = start && size ? AddressRange::from_size(*start, *size) : std::nullopt;
        if (!range || range->empty())
            return input_error(0, fmt::format("expected memory in segment {} of {}, found {:#x} bytes at {:#x}", i,
                                              variable, size.value_or(0), start.value_or(0)));
        segments.push_back(*range);
    }
    return segments;
}

// The command line's address, if this segment is boot_params: nullopt of any other.
Result<std::optional<Address>> command_line_of(const AddressRange& segment, const MemoryReader& physical) {
    if (segment.size() < header_end) return std::optional<Address>();
    const auto head = physical(segment.start(), header_end);
    if (!head) return head.error();
    const auto low = number_at<std::uint32_t>(*head, cmd_line_ptr),
               high = number_at<std::uint32_t>(*head, ext_cmd_line_ptr);
    if (number_at<std::uint32_t>(*head, header_magic) != hdrs || !low || !high) return std::optional<Address>();
    const Address line = Address{*high} << 32 | *low;
    return segment.contains(line) ? std::optional(line) : std::nullopt;
}

Result<std::string> read_line(const AddressRange& segment, Address line, const MemoryReader& physical) {
    const auto bytes = physical(line, std::min<std::uint64_t>(segment.end() - line, longest_line));
    if (!bytes) return bytes.error();
    const auto end = std::find(bytes->begin(), bytes->end(), std::byte{0});
    if (end == bytes->end())
        return input_error(
            0, fmt::format("expected a command line at {:#x}, found {} bytes without an end", line, bytes->size()));
    return std::string(reinterpret_cast<const char*>(bytes->data()), static_cast<std::size_t>(end - bytes->begin()));
}

Result<std::string> read_command_line(const std::vector<AddressRange>& segments, const MemoryReader& physical) {
    std::optional<std::pair<AddressRange, Address>> found;
    std::optional<Error> unread;
    for (const AddressRange& segment : segments) {
        const auto line = command_line_of(segment, physical);
        if (!line) unread = line.error();
        if (!line || !*line) continue;
        if (found)
            return input_error(0, fmt::format("expected one segment with boot_params, found them at {:#x} and {:#x}",
                                              found->first.start(), segment.start()));
        found.emplace(segment, **line);
    }
    if (found) return read_line(found->first, found->second, physical);
    if (unread) return *unread;
    // With AMD's SME the kernel writes the segments unencrypted and has them mapped encrypted again after that
    // (kimage_load_crash_segment(), arch_kexec_pre_free_pages()): they cannot be read back so.
    return input_error(0, "expected boot_params in a segment of the loaded crash kernel, found none");
}

}  // namespace

Result<ImageLayout> image_layout(ReadAt btf) {
    auto types = Btf::open(std::move(btf));
    if (!types) return std::move(types).error();
    const auto image = types->find_struct("kimage");
    if (!image) return image.error();
    const BtfMember* list = find_member(*image, "segment");
    const auto list_type = list ? types->plain_type(list->type) : std::nullopt;
    const auto array = list_type ? types->array(*list_type) : std::nullopt;
    const auto element = array ? types->plain_type(array->element) : std::nullopt;
    const auto segment = element ? types->structure(*element) : std::nullopt;
    if (!segment || segment->name != "kexec_segment")
        return not_in_struct(*image, "'segment', an array of struct kexec_segment");

    const auto count = find_word(*types, *image, "nr_segments");
    const auto start = find_word(*types, *segment, "mem"), size = find_word(*types, *segment, "memsz");
    for (const auto* member : {&count, &start, &size})
        if (!*member) return member->error();
    const ImageLayout layout{*count, list->offset, array->count, segment->size, *start, *size};
    const bool fits = layout.most != 0 && layout.most <= most_segments && layout.segment_size <= largest_image &&
                      layout.start + 8 <= layout.segment_size && layout.size + 8 <= layout.segment_size &&
                      layout.count + 8 <= largest_image && layout.segments <= largest_image &&
                      layout.segments + layout.most * layout.segment_size <= largest_image;
    if (!fits) return not_in_struct(*image, "up to 1024 segments");
    return layout;
}

Result<std::optional<LoadedKernel>> read_loaded_kernel(Address variable, const ImageLayout& layout,
                                                       const MemoryReader& read, const MemoryReader& physical) {
    const auto image = read_number<std::uint64_t>(read, variable);
    if (!image) return image.error();
    if (*image == 0) return std::optional<LoadedKernel>();
    auto segments = read_segments(*image, crash_variable, layout, read);
    if (!segments) return std::move(segments).error();
    auto line = read_command_line(*segments, physical);
    // A load sets the variable to NULL before it frees anything (do_kexec_load(), kexec_file_load()).
    const auto again = read_number<std::uint64_t>(read, variable);
    if (!again || *again != *image) return input_error(0, "the crash kernel was replaced while it was read");
    if (!line) return std::move(line).error();
    return std::optional(LoadedKernel{*std::move(segments), *std::move(line)});
}

Result<std::vector<AddressRange>> read_next_segments(Address variable, const ImageLayout& layout,
                                                     const MemoryReader& read) {
    const auto image = read_number<std::uint64_t>(read, variable);
    if (!image) return image.error();
    if (*image == 0) return std::vector<AddressRange>();
    auto segments = read_segments(*image, next_variable, layout, read);
    const auto again = read_number<std::uint64_t>(read, variable);
    if (!again || *again != *image) return input_error(0, "the next kernel was replaced while it was read");
    return segments;
}

namespace {

/// What a machine shows of its own loads.
struct Sight {
    Core memory;
    Address variable;
    ImageLayout layout;
    [[nodiscard]] MemoryReader reader() const {
        return [this](Address at, std::size_t size) { return memory.read(at, size); };
    }
};

Result<Sight> sight_of(const Host& host, std::string_view name) {
    auto file = host.open(Source::kcore);
    if (!file) return std::move(file).error();
    auto memory = Core::open(*std::move(file));
    if (!memory) return Error(memory.error()).at(host.path(Source::kcore));
    const std::array wanted{name};
    const auto symbols = kernel_symbols(host, *memory, wanted);
    if (!symbols) return symbols.error();
    const auto variable = find_symbol(*symbols, name);
    if (!variable)
        return Error{Errc::not_found, std::string(host.path(Source::kallsyms)), 0,
                     fmt::format("expected {}, found none", name)};
    auto btf = host.open(Source::btf);
    if (!btf) return std::move(btf).error();
    const auto layout = image_layout(read_at(*btf));
    if (!layout) return Error(layout.error()).at(host.path(Source::btf));
    return Sight{*std::move(memory), *variable, *layout};
}

}  // namespace

Result<std::optional<LoadedKernel>> loaded_kernel(const Host& host) {
    const auto said = host.read(Source::crash_loaded);
    if (!said && said.error().code != Errc::not_found) return said.error();
    if (said && said->starts_with('0')) return std::optional<LoadedKernel>();

    const auto sight = sight_of(host, crash_variable);
    if (!sight) return sight.error();
    auto loaded =
        read_loaded_kernel(sight->variable, sight->layout, sight->reader(),
                           [&](Address at, std::size_t size) { return sight->memory.read_physical(at, size); });
    if (!loaded) return std::move(loaded).error().at(host.path(Source::kcore));
    if (!*loaded && said)
        return input_error(0, fmt::format("expected a crash kernel, which {} says is loaded, found none",
                                          host.path(Source::crash_loaded)))
            .at(host.path(Source::kcore));
    return loaded;
}

Result<std::vector<AddressRange>> next_segments(const Host& host) {
    const auto sight = sight_of(host, next_variable);
    if (!sight) return sight.error();
    auto segments = read_next_segments(sight->variable, sight->layout, sight->reader());
    if (!segments) return std::move(segments).error().at(host.path(Source::kcore));
    return segments;
}

Result<ElfCore> loaded_headers(const Host& host, const AddressRange& elfcorehdr) {
    auto file = host.open(Source::kcore);
    if (!file) return std::move(file).error();
    const auto memory = Core::open(*std::move(file));
    if (!memory) return memory.error();
    const auto bytes =
        memory->read_physical(elfcorehdr.start(), std::min<std::uint64_t>(elfcorehdr.size(), 4 * base::MiB));
    if (!bytes) return bytes.error();
    return parse_elf_core(*bytes);
}

}  // namespace handoff
