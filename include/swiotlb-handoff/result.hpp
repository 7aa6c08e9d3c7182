// SPDX-License-Identifier: GPL-2.0-or-later
//
// A value or an error. An error is a value as well: nothing in this library throws one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)
namespace base {

/// The kinds of errors, by what a caller can do about them.
enum class Errc {
    input,          ///< the text is not what it should be: show the message to the user
    io,             ///< reading failed: the message names the file and says what errno means
    not_found,      ///< the file does not exist: try the next source
    not_permitted,  ///< this needs root, CAP_SYS_ADMIN, or a kernel that is not locked down
};

/// Where something was wrong, and what was expected there. A parser fills in `line` and `what`; the caller, who
/// knows the file, adds its name with at().
struct Error {
    Errc code = Errc::input;
    std::string source;    ///< the file; "" if nobody has named it
    std::size_t line = 0;  ///< counted from 1; 0: the input as a whole
    std::string what;      ///< "expected …, found …": one line, no full stop

    Error at(std::string_view file) && {
        if (source.empty()) source = file;
        return std::move(*this);
    }
    /// One line for the user: "file:line: what", without the parts that are not known.
    [[nodiscard]] std::string message() const {
        std::string text = source;
        if (line != 0) text += (text.empty() ? "line " : ":") + std::to_string(line);
        return text.empty() ? what : text + ": " + what;
    }
    friend bool operator==(const Error&, const Error&) = default;
};

inline Error input_error(std::size_t line, std::string what) { return Error{Errc::input, {}, line, std::move(what)}; }

/// A value or an Error. The interface is a subset of that of std::expected, except that it is constructed from
/// an Error without std::unexpected.
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
