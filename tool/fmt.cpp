// SPDX-License-Identifier: GPL-2.0-or-later
// The functions of the library fmt, compiled from its headers: cmake/archives.cmake says when and why.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
}  // namespace detail
FMT_END_NAMESPACE
