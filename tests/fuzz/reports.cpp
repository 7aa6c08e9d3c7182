// SPDX-License-Identifier: GPL-2.0-or-later
// Archives and reports that others made: whatever their bytes are, machines or errors of one line.
#include <string>
#include <string_view>

#include "lib/load/image_record.hpp"
#include "lib/report/audit_lines.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/apport.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/report.hpp"
#include "tests/fuzz/parsers.hpp"
#include "tests/temp_tree.hpp"

namespace fuzz {
namespace {

std::string_view text_of(Input in) { return {reinterpret_cast<const char*>(in.data()), in.size()}; }

void sound(const base::Error& error) {
    HOLDS(!error.what.empty());
    HOLDS(error.what.find('\n') == std::string::npos);
}

}  // namespace

void archive(Input in) {
    static const TempTree tree;
    static const handoff::Reports reports(handoff::kdump_paths());
    tree.write("x.tar", text_of(in));
    std::size_t machines = 0;
    reports.each(tree / "x.tar", [&](const std::string& name, const base::Result<handoff::Host>& host) {
        ++machines;
        HOLDS(name.starts_with((tree / "x.tar").string()));
        if (!host) return sound(host.error());
        if (const auto machine = handoff::gather(*host); !machine) sound(machine.error());
    });
    HOLDS(machines != 0);
    HOLDS(std::distance(std::filesystem::directory_iterator(tree.path()), {}) == 1);
}

void report(Input in) {
    const std::string_view text = text_of(in);
    handoff::ApportFields apport([](std::string_view key) { return key.starts_with("C"); });
    if (const auto error = apport.take(text)) {
        sound(*error);
    } else if (const auto fields = std::move(apport).finish(); !fields) {
        sound(fields.error());
    }
    std::size_t bytes = 0;
    for (const handoff::Section& section : handoff::sections_of(text)) {
        bytes += section.text.size() + section.name.size();
        HOLDS(section.text.empty() || (section.text.data() >= text.data() &&
                                       section.text.data() + section.text.size() <= text.data() + text.size()));
    }
    HOLDS(bytes <= text.size());
    if (const auto record = handoff::parse_image_record(text)) {
        const auto again = handoff::parse_image_record(handoff::text_of(*record));
        HOLDS(again && handoff::text_of(*again) == handoff::text_of(*record));
    } else {
        sound(record.error());
    }
    if (const auto audited = handoff::parse_audit_line(text)) {
        const std::string line = e820::to_text(handoff::audit_document(*audited), -1);
        const auto again = handoff::parse_audit_line(line);
        HOLDS(again && e820::to_text(handoff::audit_document(*again), -1) == line);
        HOLDS(handoff::audit_csv_line(*audited).size() >= 15);
    } else {
        sound(audited.error());
    }
}

}  // namespace fuzz
