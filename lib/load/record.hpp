// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "e820/json.hpp"
#include "lib/load/load_report.hpp"
#include "lib/sources/file_sum.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {

class Host;

/// Everything that one load passed to the crash kernel, and why: the document that
/// swiotlb-handoff-record(5) describes.
struct Record {
    /// handoff: what was reported agrees with the plan. own_pool: the words of the plan's fallback. plain: kexec was,
    /// or is about to be, run as its caller asked.
    using Outcome = Rung;
    Outcome outcome = Outcome::plain;
    std::string why;          ///< of the outcome, one line
    std::string tool;         ///< version of swiotlb-handoff
    std::string time;         ///< UTC: "2026-11-24T23:05:00Z"
    std::string release;      ///< of the running kernel; "" where unknown
    std::string kexec_tools;  ///< "2.0.25"; "" where unknown

    std::optional<Verdict> verdict;  ///< none: there was no plan
    std::vector<Reason> reasons;
    Loader loader = Loader::automatic;
    Method method = Method::ram;
    std::string kernel;  ///< the image, as the caller named it
    std::string initrd;
    std::optional<FileSum> kernel_sum, initrd_sum;  ///< of these files; nullopt where they could not be read
    std::string command_line;                       ///< of the crash kernel, without what the loader adds
    std::string append;                             ///< what was appended to it; "" where nothing was
    std::optional<AddressRange> pool;               ///< of the running kernel
    std::optional<AddressRange> marker;  ///< what swiotlb_handoff= or swiotlb_lent= promises: the pool, or a part
    bool loan = false;                   ///< lent as ordinary RAM
    std::vector<AddressRange> fences;
    /// As kexec or the kernel reported them, named where the plan has the same one.
    std::vector<Segment> segments;
    bool segments_reported = false;  ///< false: nobody said; the list is what was planned
    std::optional<AddressRange> elfcorehdr;
    std::optional<Address> rsdp;
    e820::Table map;    ///< boot_params' table, as predicted for this load
    e820::Table after;  ///< the same with the words
    friend bool operator==(const Record&, const Record&) = default;
};
/// The record of a load that `plan` decided; `command_line` is base and words.
/// `segments` as reported; none: those of the plan's first load.
Record record_of(const Plan&, const std::vector<AddressRange>& segments, const LoadAddresses&);

/// The document that swiotlb-handoff-record(5) describes.
e820::Json record_document(const Record&);

/// Reads a document that anybody may have written. Input errors: more than 1 MiB, not JSON,
/// deeper than 8 levels, a key twice, a key missing or of another type, an unknown schema
/// or name, a range that is reversed, more than 4096 entries in a list, a control character
/// in a text. Keys that are not known are ignored.
Result<Record> parse_record(std::string_view text);

/// Where the record of the last load is, below the root.
inline constexpr std::string_view record_directory = "run/swiotlb-handoff";
inline constexpr std::string_view record_file = "record.json";  ///< in record_directory

/// Of the last load on a machine. not_found: nobody wrote one. Input error: what is there cannot be read, such as one
/// of another version.
Result<Record> last_record(const Host&);

/// Those of the record's kernel and initrd, with their paths, that have other bytes now than when they were loaded. A
/// file that cannot be read now, or could not be read then, is not among them.
std::vector<std::string> changed_since_load(const Host&, const Record&);

/// What in a record contradicts itself, as reasons of the rule record-agrees: none where it
/// is whole. A handoff's marker is the pool, or a part of it, and on the command line, no segment
/// lies in the pool or (besides the kernel's) over a fence, the ELF headers are a segment, the map
/// has what is handed over as RAM exactly with the words, and the rest of the pool never.
std::vector<Reason> judge_record(const Record&);

}  // namespace handoff
