// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/decide/recommend.hpp"
#include "lib/service/boot_config.hpp"
#include "lib/service/service.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

class Host;

/// What `reserve` sets for the next boot.
struct ReservePlan {
    std::string words;    ///< "crashkernel=256M,high crashkernel=32M,low"; "" where there is a problem
    std::string problem;  ///< why there are none: a sentence; "" where there are
    [[nodiscard]] bool possible() const { return problem.empty(); }
};

/// The recommended crashkernel=. A problem: nothing is recommended, or it rests on what a capture lacks or on an image
/// or initrd that nobody read, or it asks for other words on the crash kernel's line first, or it leaves too little for
/// a load without the handoff, with a pool that is known to be enough (Fallback::sure). A size that counts on a loan
/// may leave too little for a load without it, but kdump has to lend the pool at each load: `settings`.
ReservePlan plan_reserve(const Recommendation&, const LoadSettings& settings = {});

/// Why a size that counts on a loan will not do with these settings, a sentence; "" where it will.
std::string lends_at_no_load(const LoadSettings&);

/// What came of `reserve`.
struct ReservationChange {
    std::string_view service;   ///< KdumpService::name
    std::string now;            ///< crashkernel= of this boot; "" where there is none, or where it was not read
    std::string words;          ///< for the next boot; "" where there are none, or with `undo`
    std::string problem;        ///< of the ReservePlan
    std::uint64_t on_loan = 0;  ///< Recommendation::on_loan()
    bool undo = false;          ///< the words were taken away
    std::string file;           ///< that was written, or removed; "" where none was
    bool changed = false;       ///< it is another one now
    std::string ran;            ///< the program that made the boot loader's configuration; "" where none was run
    std::optional<BootEntries> entries;  ///< in what it made
    std::vector<std::string> by_hand;    ///< KdumpService::reserve_by_hand, where nothing was written
    std::string undone_by;               ///< undoes_crashkernel()
};

/// What `reserve` left for who looks after the next boot: a document of JSON in the state directory.
struct ReservationAsked {
    std::string words;
    std::string boot_id;  ///< of the boot in which it was asked; "" where unknown
    std::string time;     ///< UTC: "2026-11-24T23:05:00Z"
    std::string tool;     ///< version of swiotlb-handoff
    friend bool operator==(const ReservationAsked&, const ReservationAsked&) = default;
};
inline constexpr std::string_view reservation_asked_file = "reserve.json";  ///< in the state directory

std::string text_of(const ReservationAsked&);
/// Input error: it is no such document; the first member that is wrong.
Result<ReservationAsked> parse_reservation_asked(std::string_view text);

/// What of a boot tells whether its reservation is the one that was asked for.
struct ReservationFacts {
    std::optional<ReservationAsked> asked;
    std::string boot_id;                       ///< of this boot; "" where unknown
    std::optional<std::string> words;          ///< crashkernel= of this boot; "" for none; nullopt: not known
    std::optional<std::uint64_t> asked_bytes;  ///< what these words come to; nullopt: not known
    std::optional<std::uint64_t> bytes;        ///< reserved; nullopt: not known
    std::vector<LogQuote> failures;            ///< why not, by the kernel's log
};
ReservationFacts reservation_facts(const Machine&, std::optional<ReservationAsked> asked, std::string boot_id);

enum class Reserved {
    nothing_asked,  ///< by `reserve`
    pending,        ///< asked for in this boot: the next one has it
    as_asked,       ///<
    smaller,        ///< the words are those, and less is reserved: somebody made it smaller in this boot
    otherwise,      ///< this boot has other words, or none
    failed,         ///< the kernel was told to reserve memory, whoever asked, and reserved none
    unknown,        ///< what this boot has cannot be read
};
/// "nothing-asked", "pending", "as-asked", "smaller", "otherwise", "failed", "unknown".
const char* name(Reserved);

struct ReservationState {
    Reserved reserved = Reserved::nothing_asked;
    std::string why;  ///< a sentence; "" where nothing was asked
    friend bool operator==(const ReservationState&, const ReservationState&) = default;
};
ReservationState judge_reserved(const ReservationFacts&);

}  // namespace handoff
