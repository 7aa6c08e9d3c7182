// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace tool {

/// Of `verify --watch`, which runs in the crash kernel. All but `file` and `proc` are looked up below `proc`, where an
/// absolute path is what it is: the root directory of the first process is that of the system, also when an initramfs
/// has given way to another one.
struct WatchPlaces {
    std::string file;  ///< what was seen so far, all the time: in /run
    std::string proc = "/proc";
    std::string system = "1/root";
    std::string kmsg = "1/root/dev/kmsg", console = "1/root/dev/console";
    unsigned interval_ms = 200;
    std::uint64_t looks = 0;  ///< 0: for as long as the machine runs
};

/// Looks at the memory again and again, and at who saves the dump. Each time that much less is available than before it
/// says so on the console, with a bound on the number of lines. When the dump is saved, it writes beside it what was
/// seen, and a copy of the load's record where it finds one.
///
/// Another one that watches already is left alone, and what one that has ended saw is gone on from. Whatever cannot be
/// read or written is left out: nothing here is an error.
void watch(const WatchPlaces&);

}  // namespace tool
