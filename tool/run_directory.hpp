// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "lib/sources/host.hpp"

namespace tool {

/// /run/swiotlb-handoff below a root: the record of the last load and the lock, of root alone.
class RunDirectory {
public:
    /// Makes it where it is not there. Where that fails, or others could write to it, lock() says why.
    explicit RunDirectory(const handoff::Host&);

    /// One load at a time: waits for another one, for ten seconds. "" or why it is not had.
    std::string lock();
    /// The program that this process becomes holds the lock until it ends.
    void keep_lock() const;

    /// Marks for whoever has the lock that this process, and the program that it becomes, changes without the lock what
    /// is loaded; and forgets the record, in this order.
    void pass_lock();
    /// How many have passed the lock so far; nullopt where one of them is still at it, or that cannot be seen.
    [[nodiscard]] std::optional<std::uint64_t> passed() const;

    /// Replaces the record. Never half a record, and rather none than an old one.
    void write(const std::string& text) const;
    void forget() const;

private:
    base::Fd directory_, lock_, passing_;
    std::string problem_;
};

/// Sleeps for so many milliseconds, or until a signal comes.
void sleep_ms(long ms);

}  // namespace tool
