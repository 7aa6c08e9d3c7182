// SPDX-License-Identifier: GPL-2.0-or-later
//
// A value or an error. An error is a value as well: nothing here throws it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)
namespace base {

/// What a caller can do about an error, and nothing finer.
enum class Errc {
    input,          ///< the text is not what it should be: name it to the user
    io,             ///< the read failed: name the file and errno
    not_found,      ///< the file is not there: no source, try the next one
    not_permitted,  ///< needs root (or CAP_SYS_ADMIN, or no lockdown)
};

/// An error is a value: where it was found and what was expected there.
/// Parsers fill `line` and `what`; whoever knows the file adds it with at().
struct Error {
    Errc code = Errc::input;
    std::string source;    ///< file, or "" where the caller has not said
    std::size_t line = 0;  ///< 1-based; 0: the input as a whole
    std::string what;      ///< "expected …, found …": one line, no full stop

    Error at(std::string_view file) && {
        if (source.empty()) source = file;
        return std::move(*this);
    }
    /// "file:line: what", without the parts that are not known.
    [[nodiscard]] std::string message() const {
        std::string text = source;
        if (line != 0) text += (text.empty() ? "line " : ":") + std::to_string(line);
        return text.empty() ? what : text + ": " + what;
    }
    friend bool operator==(const Error&, const Error&) = default;
};

inline Error input_error(std::size_t line, std::string what) { return Error{Errc::input, {}, line, std::move(what)}; }

/// A value or an Error; the interface is a strict subset of std::expected's,
/// plus construction from an Error without std::unexpected.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    T& operator*() & { return std::get<0>(state_); }
    const T& operator*() const& { return std::get<0>(state_); }
    T&& operator*() && { return std::get<0>(std::move(state_)); }
    T* operator->() { return &std::get<0>(state_); }
    const T* operator->() const { return &std::get<0>(state_); }

    const Error& error() const& { return std::get<1>(state_); }
    Error&& error() && { return std::get<1>(std::move(state_)); }

    T value_or(T other) const& { return has_value() ? **this : std::move(other); }

private:
    std::variant<T, Error> state_;
};

}  // namespace base
#pragma GCC visibility pop
