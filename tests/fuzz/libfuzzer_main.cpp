// SPDX-License-Identifier: GPL-2.0-or-later
// One executable for all targets; libFuzzer has main(), and takes no options that it
// does not know.
#include <cstring>

#include "tests/fuzz/targets.hpp"

namespace {
const fuzz::Target* chosen = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* name = std::getenv("FUZZ_TARGET");
    for (const fuzz::Target& target : fuzz::targets())
        if (name && std::strcmp(target.name, name) == 0) chosen = &target;
    if (chosen) return 0;
    std::fputs("FUZZ_TARGET is to name one of:", stderr);
    for (const fuzz::Target& target : fuzz::targets()) std::fprintf(stderr, " %s", target.name);
    std::fputs("\n", stderr);
    std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    chosen->run({data, size});
    return 0;
}
