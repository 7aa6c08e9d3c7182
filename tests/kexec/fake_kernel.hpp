// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lib/sources/kernel_memory.hpp"
#include "swiotlb-handoff/range.hpp"

/// The memory of a kernel that has a crash kernel loaded, as /proc/kcore, /proc/kallsyms and BTF show it.
namespace fake_kernel {

using Bytes = std::vector<std::byte>;

inline constexpr base::Address variable = 0xffffffff9f000000, image = 0xffff9f0000000000;
/// Of what a reboot by kexec would start.
inline constexpr base::Address next_variable = 0xffffffff9f001000, next_image = 0xffff9f3000000000;

/// `btf` (none: ""), and struct kimage with struct kexec_segment. `most`: elements of segment[].
Bytes with_kimage(std::span<const std::byte> btf, std::uint32_t most = 16);

/// What a load leaves in memory. boot_params with this command line is the smallest segment that has room for both.
std::vector<handoff::MemoryPiece> memory_of(const std::vector<base::AddressRange>& segments, const std::string& line);

/// The machine in the directory `root` has this crash kernel loaded; what else is in its memory stays.
void load(const std::filesystem::path& root, const std::vector<base::AddressRange>& segments, const std::string& line);
/// It has none loaded.
void unload(const std::filesystem::path& root);

/// The same of what a reboot by kexec would start, whose segments lie somewhere else until then. Empty: nothing.
std::vector<handoff::MemoryPiece> next_memory_of(const std::vector<base::AddressRange>& segments);
void load_next(const std::filesystem::path& root, const std::vector<base::AddressRange>& segments);

}  // namespace fake_kernel
