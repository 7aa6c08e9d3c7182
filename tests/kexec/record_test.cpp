// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/record.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using json = e820::Json;

AddressRange range(Address start, Address end) { return AddressRange::from_bounds(start, end).value(); }

Record sample() {
    const auto machine = gather(Host(FIXTURES_DIR "/machines/debian-6.1-kexec-load"));
    PlanRequest request;
    request.loader = Loader::kexec_load;
    request.command_line = "console=ttyS0 reset_devices nr_cpus=1 irqpoll panic=1";
    request.initrd_bytes = 1595106;
    Image image;
    image.init_size = 66678784;
    image.payload_bytes = 8098996;
    image.uncompressed_bytes = 65905060;
    image.release = "6.1.0-50-amd64";
    request.image = image;
    const Plan decided = plan(*machine, request);
    EXPECT_EQ(decided.verdict, Verdict::ready);
    std::vector<AddressRange> segments;
    for (const Segment& s : decided.loads.front().segments) segments.push_back(s.range);
    Record record =
        record_of(decided, segments, {decided.loads.front().find("elfcorehdr")->range.start(), Address{0xf59d0}});
    record.outcome = Record::Outcome::handoff;
    record.why = "loaded with the handoff";
    record.tool = "0.1.0";
    record.time = "2026-11-24T23:05:00Z";
    record.kernel = "/boot/vmlinuz \"quoted\"";
    record.kernel_sum = FileSum{8119476, 0x89abcdef};
    record.initrd_sum = FileSum{};
    return record;
}

TEST(Record, IsReadBackAsItWasWritten) {
    for (const Record& record : {sample(), Record{}}) {
        const auto read = parse_record(record_document(record).dump());
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(*read, record);
    }
}

TEST(Record, IsOfTheLoadThatExplainsMostOfWhatWasReported) {
    Plan decided;
    const auto load = [](Loader loader, Address headers) {
        Load one;
        one.loader = loader;
        one.segments = {{"kernel", range(0x79000000, 0x7d000000)}, {"elfcorehdr", range(headers, headers + 0x1000)}};
        return one;
    };
    decided.loads = {load(Loader::kexec_load, 0x70000000), load(Loader::kexec_file_load, 0x7dfff000)};
    for (const Load& done : decided.loads) {
        const Record record = record_of(decided, {done.segments[0].range, done.segments[1].range}, {});
        EXPECT_EQ(record.loader, done.loader);
        EXPECT_EQ(record.segments, done.segments);
    }
}

TEST(Record, TellsWhichOfItsFilesChangedSinceTheLoad) {
    TempTree tree;
    tree.write("boot/vmlinuz", "kernel");
    tree.write("boot/initrd", "initrd");
    const Host host(tree.path());
    Record record;
    record.kernel = "/boot/vmlinuz";
    record.initrd = "/boot/initrd";
    record.kernel_sum = *sum_of(tree / "boot/vmlinuz");
    record.initrd_sum = *sum_of(tree / "boot/initrd");
    EXPECT_EQ(changed_since_load(host, record), std::vector<std::string>());
    tree.write("boot/initrd", "initrd with a hook");
    EXPECT_EQ(changed_since_load(host, record), std::vector<std::string>{"/boot/initrd"});
    record.initrd_sum.reset();
    EXPECT_EQ(changed_since_load(host, record), std::vector<std::string>()) << "what was loaded is not known";
    record.initrd = "/boot/gone";
    record.initrd_sum = FileSum{};
    EXPECT_EQ(changed_since_load(host, record), std::vector<std::string>()) << "it cannot be read now";
}

TEST(Record, KeysThatAreNotKnownAreIgnored) {
    json j = record_document(sample());
    j["later"] = {{"a", 1}};
    j["segments"][0]["later"] = true;
    EXPECT_EQ(*parse_record(j.dump()), sample());
}

TEST(Record, EveryKeyButThoseAddedSinceIsNeededAndHasItsType) {
    const json whole = record_document(sample());
    for (const auto& [key, value] : whole.items()) {
        json without = whole;
        without.erase(key);
        const bool added = key == "kernel_file" || key == "initrd_file";  // older records lack these
        EXPECT_EQ(parse_record(without.dump()).has_value(), added) << "without " << key;
        json other = whole;
        other[key] = {{"no", "such"}};
        EXPECT_FALSE(parse_record(other.dump())) << key << " of another type";
    }
}

TEST(Record, WhatIsWrongIsNamed) {
    const std::vector<std::pair<json::json_pointer, json>> cases = {
        {json::json_pointer("/schema"), 1},
        {json::json_pointer("/outcome"), "perhaps"},
        {json::json_pointer("/verdict"), "maybe"},
        {json::json_pointer("/loader"), "grub"},
        {json::json_pointer("/pool/start"), "0x79000000000"},
        {json::json_pointer("/pool/start"), 12},
        {json::json_pointer("/pool/start"), "12"},
        {json::json_pointer("/pool/end"), "0x10000000000000000"},
        {json::json_pointer("/why"), "two\nlines"},
        {json::json_pointer("/before/entries/0/type"), 0},
        {json::json_pointer("/before/entries/0/type"), -1},
        {json::json_pointer("/before/entries/0/type"), 4294967296},
        {json::json_pointer("/reasons/0/severity"), "fatal"},
        {json::json_pointer("/segments"), json(5000, {{"name", ""}, {"start", "0x0"}, {"end", "0x1"}})},
    };
    for (const auto& [where, value] : cases) {
        json j = record_document(sample());
        j[where] = value;
        const auto read = parse_record(j.dump());
        ASSERT_FALSE(read) << where << " " << value;
        EXPECT_NE(read.error().message().find("expected"), std::string::npos) << read.error().message();
    }
}

TEST(Record, HostileDocumentsAreRefused) {
    const std::string good = record_document(sample()).dump();
    EXPECT_FALSE(parse_record(""));
    EXPECT_FALSE(parse_record("null"));
    EXPECT_FALSE(parse_record("[]"));
    EXPECT_FALSE(parse_record(good + good));
    EXPECT_FALSE(parse_record(good.substr(0, good.size() / 2)));
    EXPECT_FALSE(parse_record(std::string(1 << 21, ' ') + good)) << "more than 1 MiB";
    EXPECT_FALSE(parse_record(std::string(500000, '[')));
    EXPECT_FALSE(parse_record("{\"schema\": 2, " + good.substr(1))) << "a key twice";
    EXPECT_FALSE(parse_record("{\"x\": \"\xff\"}"));
    for (std::size_t i = 0; i < good.size(); i += 7) {
        std::string spoilt = good;
        spoilt[i] = static_cast<char>(spoilt[i] ^ 0x15);
        [[maybe_unused]] const auto ignored = parse_record(spoilt);  // does not matter what, but no crash
    }
}

TEST(Record, AGoodOneAgreesWithItself) {
    for (const Reason& reason : judge_record(sample())) ADD_FAILURE() << reason.text;
    const Record record = sample();
    const Segment headers{"elfcorehdr", record.elfcorehdr.value()};
    EXPECT_EQ(std::count(record.segments.begin(), record.segments.end(), headers), 1);
}

TEST(Record, ContradictionsAreFound) {
    const auto spoilt = [](auto change) {
        Record record = sample();
        change(record);
        return judge_record(record);
    };
    EXPECT_EQ(spoilt([](Record& r) { r.outcome = Record::Outcome::plain; }).size(), 1u);
    EXPECT_FALSE(spoilt([](Record& r) { r.verdict = Verdict::refused; }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.marker = range(0x1000, 0x2000); }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.pool = range(0x1000, 0x2000); }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.pool.reset(); }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.command_line = "ro"; }).empty());
    EXPECT_FALSE(spoilt([](Record& r) {
                     r.segments.push_back({"", range(r.pool->start(), r.pool->start() + 4096)});
                 }).empty());
    EXPECT_FALSE(spoilt([](Record& r) {
                     r.fences.push_back(r.segments.back().name == "kernel" ? r.segments.front().range
                                                                           : r.segments.back().range);
                 }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.elfcorehdr = range(0x1000, 0x2000); }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.map.add(*r.pool, e820::Type::ram); }).empty());
    EXPECT_FALSE(spoilt([](Record& r) { r.after = r.map; }).empty());
}

}  // namespace
}  // namespace handoff
