// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/sources/devices.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

/// Where a number is from: it was read of what will be loaded and of the machine, or it is assumed, since that could
/// not be read or nothing tells it, or it was measured in a crash of this machine.
enum class Basis { read, assumed, measured };
/// "read", "assumed", "measured".
const char* name(Basis);

/// What takes the crash kernel's memory. docs/need.md says how each is computed.
enum class NeedPart {
    image,         ///< the kernel
    unpacked,      ///< the root file system that is made of the initrd
    early,         ///< what a kernel with one CPU takes while it boots: memory map, per-CPU area, hash tables
    cpus,          ///< what further CPUs take
    initrd,        ///< as loaded
    root_limit,    ///< free memory that a root file system of tmpfs leaves free: half of it
    modules,       ///< drivers, as loaded
    page_cache,    ///< of a file system that is mounted from a file of the root file system
    makedumpfile,  ///< its bitmaps and buffers
    measured,      ///< all of it, in a crash that was watched; then there are no modules, page_cache and makedumpfile
    margin,        ///< programs and their data, devices' buffers; beside what was measured, what may differ next time
};
/// "image", "unpacked", "early", "cpus", "initrd", "root-limit", "modules", "page-cache", "makedumpfile",
/// "measured", "margin".
const char* name(NeedPart);

/// When it is taken. The initrd is free again when it is unpacked (init/initramfs.c, populate_rootfs()), and what saves
/// the dump runs after that. in_all: what was measured stands for all lines but the margin.
enum class Moment { always, unpacking, saving, in_all };
/// "always", "unpacking", "saving", "in-all".
const char* name(Moment);
Moment moment_of(NeedPart);

struct NeedLine {
    NeedPart part = NeedPart::image;
    std::uint64_t bytes = 0;  ///< to have for it: read, or a bound
    /// What of it the crash kernel certainly takes, bytes; 0 where nothing is certain. No more than `bytes`.
    std::uint64_t at_least = 0;
    Basis basis = Basis::assumed;
    std::string from{};  ///< where the number is from, or what is assumed, in one line
};

/// What the crash kernel's memory has to hold besides the pool, a line for each thing that takes some.
struct Need {
    static constexpr std::uint64_t default_margin = 64 * base::MiB;

    std::vector<NeedLine> lines;
    /// A crash kernel of this machine had so much besides its pool and ran out of memory: bytes, at most. Neither of
    /// the numbers below is as small. 0: none is known to have.
    std::uint64_t ran_out_with = 0;

    /// What the crash kernel certainly takes, at the moment when that is most: bytes. Nothing that is assumed counts,
    /// and no margin. With less the dump is lost; with as much it may be lost all the same.
    [[nodiscard]] std::uint64_t lower_bound() const;
    /// What to reserve: the bytes of all lines at the moment when that is most, with what is assumed and the margin.
    /// What was measured does not show what was taken before anything could look, so that stays as computed.
    [[nodiscard]] std::uint64_t recommended() const;
    /// Some line is assumed; the margin, which always is, does not count.
    [[nodiscard]] bool rests_on_assumptions() const;
    /// nullptr where there is no such line.
    [[nodiscard]] const NeedLine* find(NeedPart) const;
};

/// Sizes of reservations that are recommended are multiples of this, bytes.
inline constexpr std::uint64_t reservation_step = 16 * base::MiB;

/// For a reservation of this size; what the request does not name is assumed, as plan() does. Of an initrd that nobody
/// looked into (look_into_initrd() in lib/load/wishes.hpp) what it becomes is assumed.
Need need_for(const Machine&, const PlanRequest&, std::uint64_t reservation_bytes, std::uint64_t margin);

/// The margin beside what was measured, where that is less than the one that is asked for: an eighth of it, and no less
/// than 16 MiB. Two crashes of one machine differ: in where the kernel lies, in what the devices want.
std::uint64_t margin_beside(const MeasuredNeed&, std::uint64_t margin);

/// For how many CPUs the crash kernel prepares; nullopt where that is not known.
std::optional<unsigned> known_crash_cpus(const Machine&, const PlanRequest&);

/// How much memory below 4 GiB a reservation above it should have.
struct LowPart {
    std::uint64_t bytes = 0;
    bool known = false;              ///< the devices are known
    std::vector<DmaDevice> because;  ///< those that need some
    std::uint64_t pool = 0;          ///< of a load without the handoff, which should find room in it; bytes
};
LowPart low_part(const Machine&, std::uint64_t pool_bytes);

}  // namespace handoff
