// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tool {

/// The paths that an audit looks at, one after another in an order that does not change: an operand that is a machine
/// or a file, else the directories and archives in it by their names; "-" is a path a line on standard input.
class Machines {
public:
    explicit Machines(std::vector<std::string> operands) : operands_(std::move(operands)) {}

    struct Next {
        std::size_t number = 0;  ///< counted from 0
        std::string path;
    };
    /// Of an operand that cannot be looked at, or has nothing in it: the operand itself, for its error to be said of
    /// it.
    std::optional<Next> next();

private:
    std::optional<std::string> next_path();

    std::mutex mutex_;
    std::vector<std::string> operands_;
    std::size_t at_ = 0, number_ = 0;
    std::vector<std::string> children_;  // the next one last
    bool reading_ = false;
};

}  // namespace tool
