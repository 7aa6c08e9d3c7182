// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

/// What a fuzzer is let loose on, and what must hold whatever it comes up with. The
/// same functions run under libFuzzer (scripts/fuzz) and, on all that was ever
/// found and kept in fixtures/fuzz, as ordinary tests.
namespace fuzz {

using Input = std::span<const std::uint8_t>;

struct Target {
    const char* name;
    void (*run)(Input);
};
std::span<const Target> targets();

[[noreturn]] inline void broken(const char* what, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    std::abort();
}

}  // namespace fuzz

/// Also in builds without assertions.
#define HOLDS(condition) ((condition) ? void() : ::fuzz::broken(#condition, __FILE__, __LINE__))
