// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/sources/host.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/kernel_memory.hpp"

namespace handoff {

/// The addresses of those of the names that the kernel itself has, from the table in its memory of which /proc/kallsyms
/// is printed: to read it takes a small part of the time, since the kernel prints more than 100,000 lines for the file.
/// `vmcoreinfo` says where the table is (Linux commit 5fd8fea935a1 ("vmcoreinfo: include kallsyms symbols") (in v6.0)),
/// and has the addresses of some symbols. The form of the table is taken for understood if it gives these very
/// addresses to them. nullopt where nobody says where the table is, where its form is not understood, and where one
/// name has two addresses: then the file tells.
std::optional<Symbols> symbols_from_table(std::string_view vmcoreinfo, std::span<const std::string_view> names,
                                          const MemoryReader&);

/// The same of a machine and its memory, or what /proc/kallsyms says (Host::symbols()) where the table does not tell.
base::Result<Symbols> kernel_symbols(const Host&, const Core&, std::span<const std::string_view> names);

}  // namespace handoff
