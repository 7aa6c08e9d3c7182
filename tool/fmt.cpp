// SPDX-License-Identifier: GPL-2.0-or-later
// The functions of the library fmt, compiled from its headers: cmake/archives.cmake says when and why.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
// In fmt 10 and 11.0 the headers have it as a template that the library instantiates.
#if FMT_VERSION >= 100000 && FMT_VERSION < 110100
template void vformat_to(buffer<char>&, string_view, vformat_args<>::type, locale_ref);
#endif
}  // namespace detail
FMT_END_NAMESPACE
