// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/kexec/fake_kernel.hpp"

#include <bpf/btf.h>
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

namespace fake_kernel {
namespace {

namespace fs = std::filesystem;
using base::Address;
using base::AddressRange;
using handoff::MemoryPiece;

constexpr Address segments_at = 0xffff9f1000000000;  // where the kernel has them mapped
constexpr std::size_t count_at = 56, list_at = 64, segment_size = 32, start_at = 16, size_at = 24;  // 5.10 to 7.3
constexpr std::size_t params_size = 4096;

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
void write(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
}
std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

template <class Integer>
void put(Bytes& bytes, std::size_t offset, Integer value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

bool of_crash_kernel(Address address) {
    return address == variable || (address >= image && address < 0xffff9f2000000000);
}
bool of_next_kernel(Address address) { return address == next_variable || address == next_image; }

// What a core file has besides what `ours` says is of this file.
std::vector<MemoryPiece> other_pieces(const std::string& core, bool (*ours)(Address)) {
    std::vector<MemoryPiece> pieces;
    Elf64_Ehdr header{};
    if (core.size() < sizeof header) return pieces;
    std::memcpy(&header, core.data(), sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return pieces;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        std::memcpy(&segment, core.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (ours(segment.p_vaddr)) continue;
        const auto* begin = reinterpret_cast<const std::byte*>(core.data() + segment.p_offset);
        pieces.push_back({segment.p_vaddr, {begin, begin + segment.p_filesz}, segment.p_paddr});
    }
    return pieces;
}

void write_memory(const fs::path& root, const std::vector<MemoryPiece>& loaded, bool (*ours)(Address),
                  const std::string& symbol) {
    const fs::path core = root / "proc/kcore", symbols = root / "proc/kallsyms", btf = root / "sys/kernel/btf/vmlinux";
    std::vector<MemoryPiece> pieces = other_pieces(read(core), ours);
    pieces.insert(pieces.end(), loaded.begin(), loaded.end());
    write(core, text_of(handoff::minimal_core(pieces)));
    const std::string names = read(symbols), types = read(btf);
    if (names.find(symbol) == names.npos) write(symbols, names + symbol);
    if (types.find("kimage") == types.npos) write(btf, text_of(with_kimage(std::as_bytes(std::span(types)))));
}

void write_crash_memory(const fs::path& root, const std::vector<MemoryPiece>& loaded) {
    write_memory(root, loaded, of_crash_kernel, "ffffffff9f000000 B kexec_crash_image\n");
    write(root / "sys/kernel/kexec_crash_loaded", loaded.size() > 1 ? "1\n" : "0\n");
}

// struct kimage at `at`, and the pointer to it.
std::vector<MemoryPiece> kimage_of(Address pointer, Address at, const std::vector<AddressRange>& segments) {
    std::vector<MemoryPiece> pieces{{pointer, Bytes(8)}, {at, Bytes(list_at + 16 * segment_size)}};
    put(pieces[0].bytes, 0, at);
    put(pieces[1].bytes, count_at, std::uint64_t{segments.size()});
    for (std::size_t i = 0; i < segments.size(); ++i) {
        put(pieces[1].bytes, list_at + i * segment_size + start_at, segments[i].start());
        put(pieces[1].bytes, list_at + i * segment_size + size_at, segments[i].size());
    }
    return pieces;
}

}  // namespace

Bytes with_kimage(std::span<const std::byte> types, std::uint32_t most) {
    const std::unique_ptr<btf, void (*)(btf*)> made(
        types.empty() ? btf__new_empty() : btf__new(types.data(), static_cast<std::uint32_t>(types.size())), btf__free);
    btf* b = made.get();
    const int word = btf__add_int(b, "long unsigned int", 8, 0);
    const int size = btf__add_typedef(b, "size_t", word);
    const int segment = btf__add_struct(b, "kexec_segment", segment_size);
    btf__add_field(b, "bufsz", size, 8 * 8, 0);
    btf__add_field(b, "mem", word, start_at * 8, 0);
    btf__add_field(b, "memsz", size, size_at * 8, 0);
    const int list = btf__add_array(b, word, segment, most);
    btf__add_struct(b, "kimage", static_cast<std::uint32_t>(list_at + most * segment_size));
    btf__add_field(b, "start", word, 24 * 8, 0);
    btf__add_field(b, "nr_segments", word, count_at * 8, 0);
    btf__add_field(b, "segment", list, list_at * 8, 0);
    std::uint32_t length = 0;
    const auto* raw = static_cast<const std::byte*>(btf__raw_data(b, &length));
    return {raw, raw + length};
}

std::vector<MemoryPiece> memory_of(const std::vector<AddressRange>& segments, const std::string& line) {
    std::vector<MemoryPiece> pieces = kimage_of(variable, image, segments);
    const AddressRange* params = nullptr;
    for (const AddressRange& s : segments)
        if (s.size() > params_size + line.size() && (!params || s.size() < params->size())) params = &s;
    Address mapped = segments_at;
    for (const AddressRange& s : segments) {
        MemoryPiece piece{mapped, Bytes(&s == params ? s.size() : std::min<std::uint64_t>(s.size(), 4096)), s.start()};
        mapped += 0x1000000;
        if (&s == params) {
            const Address at = s.start() + params_size;
            std::memcpy(piece.bytes.data() + 0x202, "HdrS", 4);
            put(piece.bytes, 0x228, static_cast<std::uint32_t>(at));
            put(piece.bytes, 0x0c8, static_cast<std::uint32_t>(at >> 32));
            std::memcpy(piece.bytes.data() + params_size, line.data(), line.size());
        }
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

void load(const fs::path& root, const std::vector<AddressRange>& segments, const std::string& line) {
    write_crash_memory(root, memory_of(segments, line));
}

void unload(const fs::path& root) { write_crash_memory(root, {{variable, Bytes(8)}}); }

std::vector<MemoryPiece> next_memory_of(const std::vector<AddressRange>& segments) {
    if (segments.empty()) return {{next_variable, Bytes(8)}};
    return kimage_of(next_variable, next_image, segments);
}

void load_next(const fs::path& root, const std::vector<AddressRange>& segments) {
    write_memory(root, next_memory_of(segments), of_next_kernel, "ffffffff9f001000 B kexec_image\n");
}

}  // namespace fake_kernel
