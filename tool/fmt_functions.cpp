// SPDX-License-Identifier: GPL-2.0-or-later
// Debian has no static libfmt: here are the functions of fmt 9 that are not inline and that
// the static verify needs, made from its headers.
#define FMT_HEADER_ONLY
#include <cstdint>
#include <string>

#include <fmt/format.h>

// An inline function whose address is kept is emitted.
[[gnu::used]] static bool (*const is_printable)(std::uint32_t) = &fmt::detail::is_printable;
[[gnu::used]] static void (*const throw_format_error)(const char*) = &fmt::detail::throw_format_error;
[[gnu::used]] static std::string (*const vformat)(fmt::string_view, fmt::format_args) = &fmt::vformat;
