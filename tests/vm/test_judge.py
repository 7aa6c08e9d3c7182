#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's own judgement: every way to fail must be seen as one."""

import dataclasses
import json
import struct
import tempfile
import unittest
from pathlib import Path

import cells
import initramfs
import judge
import pools
import report
import vm

POOL = (0x70000000, 0x74000000)
PLAN = {"verdict": "ready", "pool": {"start": "0x70000000", "end": "0x74000000"},
        "expected": {"start": "0x70000000", "end": "0x74000000"}, "append": "swiotlb=32768,force memmap=65536K@0x70000000",
        "reasons": []}


def witness(start=POOL[0], end=POOL[1], ordinary=((0x75000000, 0x78000000),)):
    return json.dumps({"start": start, "end": end, "ordinary": ordinary, "complete": True})


def boot(verdict="ready", **crash):
    """What a guest says when all goes well."""
    plan = dict(PLAN, verdict=verdict)
    first = {"witness": witness(), "iomem": "74000000-7dffffff : Crash kernel\n", "plan": json.dumps(plan),
             "append": PLAN["append"] + "\n", "end": "crash", "release": "6.1"}
    seen = {"witness": witness(), "verify.status": "0", "dump.status": "0", "end": "done",
            "meminfo": "MemTotal: 90000 kB\nMemFree: 60000 kB\n", "iomem": "  76000000-76dfffff : Kernel code\n"}
    return {"first": first, "crash": seen | crash}


def headers(*loads):
    """The beginning of /proc/vmcore, as a guest sends it."""
    data = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(loads), 0, 0, 0)
    for start, end in loads:
        data += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, start, end - start, end - start, 0)
    return data.decode(errors="surrogateescape")


def verdict(said, cell=cells.Cell("cell"), dump=None, vm=None):
    return judge.judge(cell, said, dump, vm)[0]


def wrapped(outcome="handoff", by="wrapper", verdict="ready", why="loaded", **record):
    said = boot(verdict)
    said["first"]["record"] = json.dumps({"outcome": outcome, "why": why, "append": PLAN["append"] if outcome == "handoff" else "",
                                          "segments": [], "segments_reported": True} | record)
    said["crash"]["cmdline"] = "ro swiotlb_handoff=0x70000000-0x74000000" if outcome == "handoff" else "ro"
    said["crash"]["vmcore.head"] = headers((0x100000, POOL[0]), (POOL[1], 0x80000000))
    return said, cells.Cell("cell", by=by, expect=verdict)


class External(unittest.TestCase):
    def test_a_loan_is_refused_for_the_external_port_and_for_nothing_else(self):
        for rules, status in ((["lend-trusted"], "pass"), (["lend-trusted", "lend-devices"], "fail"), ([], "fail")):
            said, cell = wrapped("plain", verdict="refused")
            plan = dict(PLAN, verdict="refused", reasons=[{"severity": "refusal", "rule": rule} for rule in rules])
            said["first"]["plan"] = json.dumps(plan)
            self.assertEqual(verdict(said, dataclasses.replace(cell, external="external")), status)


class Wrapper(unittest.TestCase):
    def test_a_handoff_is_judged_like_any_other(self):
        self.assertEqual(verdict(*wrapped()), "pass")
        said, cell = wrapped()
        said["crash"]["witness"] = witness(0x76000000, 0x7a000000)
        self.assertEqual(verdict(said, cell), "fail")

    def test_fails_when_a_ready_plan_is_loaded_plainly(self):
        self.assertEqual(verdict(*wrapped("plain")), "fail")

    def test_fails_when_check_does_not_find_the_load_proven(self):
        for said_by_check, wanted in (("proven", "pass"), ("sound", "fail"), ("refused", "fail")):
            said, cell = wrapped()
            said["first"]["check"] = json.dumps({"verdict": said_by_check, "reasons": []})
            self.assertEqual(verdict(said, cell), wanted)

    def test_fails_when_kexec_load_has_the_pool_in_the_headers(self):
        for loader, head, wanted in (("kexec_load", headers((0x100000, 0x80000000)), "fail"), ("kexec_load", None, "fail"),
                                     ("kexec_file_load", headers((0x100000, 0x80000000)), "pass")):
            said, cell = wrapped()
            said["crash"]["vmcore.head"] = head
            self.assertEqual(verdict(said, dataclasses.replace(cell, loader=loader)), wanted, loader)

    def test_a_refused_plan_is_loaded_plainly_and_must_dump(self):
        said, cell = wrapped("plain", verdict="refused")
        self.assertEqual(verdict(said, cell), "pass")
        self.assertEqual(verdict(said, cell, dump="no dump"), "fail")
        self.assertEqual(verdict(*wrapped("handoff", verdict="refused")), "fail")

    def test_a_moved_load_must_be_noticed_and_must_dump(self):
        said, cell = wrapped("plain", "moved", why="the kernel or the initrd was loaded at another place than planned")
        self.assertEqual(verdict(said, cell), "pass")
        self.assertEqual(verdict(said, cell, dump="no dump"), "fail")
        self.assertEqual(verdict(*wrapped("plain", "moved", why="kexec failed")), "fail")
        self.assertEqual(verdict(*wrapped("handoff", "moved")), "fail")

    def test_fails_without_a_record_or_with_the_words_of_another_load(self):
        said, cell = wrapped()
        del said["first"]["record"]
        self.assertEqual(verdict(said, cell), "fail")
        said, cell = wrapped()
        said["crash"]["cmdline"] = "ro"
        self.assertEqual(verdict(said, cell), "fail")

    def test_fails_when_the_caller_gets_what_d_prints(self):
        said, cell = wrapped()
        said["first"]["kexec.stderr"] = "segment[0].buf   = 0x1\n"
        self.assertEqual(verdict(said, cell), "fail")


class Rung(unittest.TestCase):
    """After a handoff that was refused the crash kernel is loaded without it, on the rung that the plan names."""

    def loaded(self, outcome="own-pool", refuse="log", planned="own-pool", mib=16, name="rung"):
        word = "swiotlb=8192,force" if planned == "own-pool" else ""
        said = boot("ready" if refuse == "kexec" else "refused")
        first, crash = said["first"], said["crash"]
        first["plan"] = json.dumps(dict(json.loads(first["plan"]), fallback={"rung": planned, "append": word, "pool_bytes": 16 << 20}))
        first["record"] = json.dumps({"outcome": outcome, "why": "", "append": word, "segments": [], "segments_reported": False})
        first["record.before"] = json.dumps({"outcome": "handoff"})
        first["status"] = json.dumps({"rung": outcome, "handoff": "not-in-use", "why": ""})
        crash["cmdline"] = f"ro {word}" if outcome == "own-pool" else "ro"
        crash["witness"] = witness(0x75000000, 0x75000000 + (mib << 20))
        return said, cells.Cell(name, by="wrapper", refuse=refuse, expect="ready" if refuse == "kexec" else "refused",
                                words="swiotlb=force crashkernel=160M,high crashkernel=40M,low")

    def test_passes_as_the_plan_names_it(self):
        self.assertEqual(verdict(*self.loaded()), "pass")
        self.assertEqual(verdict(*self.loaded(refuse="kexec")), "pass")
        self.assertEqual(verdict(*self.loaded("plain", planned="plain", mib=64)), "pass")

    def test_fails_without_the_dump(self):
        for outcome in ("own-pool", "plain"):
            self.assertEqual(verdict(*self.loaded(outcome, planned=outcome), dump="no dump"), "fail")
        self.assertEqual(verdict(*self.loaded(refuse="kexec"), dump="no dump"), "fail")

    def test_fails_on_another_rung_than_planned(self):
        self.assertEqual(verdict(*self.loaded("plain")), "fail")
        self.assertEqual(verdict(*self.loaded("own-pool", planned="plain")), "fail")
        self.assertEqual(verdict(*self.loaded("handoff")), "fail")

    def test_fails_where_the_crash_kernel_has_a_larger_pool_or_none(self):
        self.assertEqual(verdict(*self.loaded(mib=32)), "fail")
        self.assertEqual(verdict(*self.loaded(mib=0)), "fail")
        self.assertEqual(verdict(*self.loaded(mib=8)), "pass", "it may have been halved")

    def test_fails_where_its_line_lacks_the_word_or_has_a_handoff(self):
        for line in ("ro", "ro swiotlb=8192,force swiotlb_handoff=0x70000000-0x74000000"):
            said, cell = self.loaded()
            said["crash"]["cmdline"] = line
            self.assertEqual(verdict(said, cell), "fail", line)

    def test_fails_where_there_was_no_handoff_before_or_status_says_otherwise(self):
        said, cell = self.loaded()
        said["first"]["record.before"] = json.dumps({"outcome": "plain"})
        self.assertEqual(verdict(said, cell), "fail")
        said, cell = self.loaded()
        said["first"]["status"] = json.dumps({"rung": "plain", "handoff": "not-in-use", "why": ""})
        self.assertEqual(verdict(said, cell), "fail")

    def test_a_recommended_size_is_no_more_than_recommend_names(self):
        said, cell = self.loaded(name="rung-rec-high")
        self.assertEqual(verdict(said, cell), "fail")
        for judged, words, wanted in (("ready", "crashkernel=160M,high crashkernel=40M,low", "pass"), ("refused", "crashkernel=160M,high crashkernel=40M,low", "fail"),
                                      ("ready", "crashkernel=176M,high crashkernel=40M,low", "pass"), ("ready", "crashkernel=144M,high crashkernel=40M,low", "fail"),
                                      ("ready", "crashkernel=256M", "fail")):
            said["first"]["recommend"] = json.dumps({"candidates": [{"crashkernel": words, "verdict": judged}]})
            self.assertEqual(verdict(said, cell), wanted, words)


class Status(unittest.TestCase):
    def of(self, says, said, cell):
        said["first"]["status"] = json.dumps({"handoff": says, "why": "It is so."})
        return verdict(said, cell)

    def test_says_in_use_of_a_recorded_handoff_and_of_nothing_else(self):
        for says, wanted in (("in-use", "pass"), ("not-in-use", "fail"), ("unknown", "fail"), ("stale", "fail")):
            self.assertEqual(self.of(says, *wrapped()), wanted, says)
        for says, wanted in (("in-use", "fail"), ("not-in-use", "pass"), ("unknown", "fail")):
            self.assertEqual(self.of(says, *wrapped("plain", verdict="refused")), wanted, says)

    def test_does_not_know_of_words_that_were_loaded_by_hand(self):
        for append, says in (("swiotlb=32768 swiotlb_handoff=0x70000000-0x74000000", "unknown"), ("swiotlb=32768,force", "not-in-use")):
            for said in ("in-use", "not-in-use", "unknown"):
                loaded = boot("refused")
                loaded["first"]["append"] = append
                self.assertEqual(self.of(said, loaded, cells.Cell("cell", expect="refused")), "pass" if said == says else "fail", (append, said))


class Ready(unittest.TestCase):
    def test_everything_in_place_passes(self):
        self.assertEqual(judge.judge(cells.Cell("cell"), boot(), None, None)[:2], ("pass", []))

    def test_fails_when_the_pool_is_elsewhere(self):
        for seen in (witness(0x76000000, 0x7a000000), witness(POOL[0], POOL[1] - 0x2000000), witness(0, 0), "", "{"):
            self.assertEqual(verdict(boot(witness=seen)), "fail", seen)

    def test_a_part_of_the_pool_is_right_where_the_plan_names_it_and_nowhere_else(self):
        half = 0x2000000
        part, rest, above = (POOL[0], POOL[0] + half), (POOL[0] + half, POOL[1]), (POOL[1], POOL[1] + half)

        def landing(planned, *seen, **more):
            said = boot(witness=witness(*seen, **more))
            plan = dict(PLAN, verdict="ready", expected={"start": f"{planned[0]:#x}", "end": f"{planned[1]:#x}"})
            return verdict(said | {"first": said["first"] | {"plan": json.dumps(plan)}})

        self.assertEqual(landing(part, *part), "pass")
        for seen in (POOL, rest, above):
            self.assertEqual(landing(part, *seen), "fail", seen)
        for page in (part[0], part[1], POOL[1] - 4096):
            self.assertEqual(landing(part, *part, ordinary=((page, page + 4096),)), "fail", "a page of the old pool is RAM")
        self.assertEqual(landing(above, *above), "fail", "outside of the old pool")

    def test_fails_when_one_page_of_the_old_pool_is_ordinary_ram(self):
        for page in (POOL[0], POOL[1] - 4096):
            self.assertEqual(verdict(boot(witness=witness(ordinary=((page, page + 4096),)))), "fail")

    def test_pages_that_only_touch_the_pool_are_none_of_it(self):
        beside = ((POOL[0] - 4096, POOL[0]), (POOL[1], POOL[1] + 4096))
        self.assertEqual(verdict(boot(witness=witness(ordinary=beside))), "pass")

    def test_fails_when_the_witness_saw_no_pages(self):
        self.assertEqual(verdict(boot(witness=json.dumps({"start": POOL[0], "end": POOL[1], "ordinary": []}))), "fail")

    def test_fails_without_the_dump(self):
        self.assertEqual(verdict(boot(), dump="the disk holds no dump"), "fail")

    def test_a_cell_may_leave_the_dump_open_but_never_the_place_of_the_pool(self):
        cell, dead = cells.Cell("cell", dump="any"), boot()
        dead["crash"] = {}
        self.assertEqual(verdict(dead, cell, dump="no dump"), "pass")
        self.assertEqual(verdict(boot(witness=witness(0x76000000, 0x7a000000)), cell, dump="no dump"), "fail")

    def test_fails_when_verify_disagrees(self):
        self.assertEqual(verdict(boot(**{"verify.status": "3"})), "fail")

    def test_fails_when_the_crash_kernel_never_reports(self):
        said = boot()
        said["crash"] = {}
        self.assertEqual(verdict(said, dump="no dump", vm="no sign of life"), "fail")

    def test_fails_when_the_dump_bypassed_the_pool(self):
        self.assertEqual(verdict(boot(**{"io_tlb_used_hiwater.after-dump": "0"})), "fail")

    def test_fails_when_plan_and_cmdline_differ_or_the_plan_mistakes_the_pool(self):
        for change in ({"append": "swiotlb=1"}, {"expected": None}, {"pool": {"start": "0x0", "end": "0x1000"}}):
            said = boot()
            said["first"]["plan"] = json.dumps(PLAN | change)
            self.assertEqual(verdict(said), "fail", change)

    def test_fails_when_kernel_or_initrd_went_elsewhere_than_planned(self):
        said = boot()
        said["first"]["plan"] = json.dumps(PLAN | {"segments": [
            {"name": "kernel", "start": "0x75000000", "end": "0x75001000"},
            {"name": "purgatory", "start": "0x76000000", "end": "0x76001000"}]})
        for key, text in (("kexec.stderr", "segment[0].mem   = 0x{}\nsegment[0].memsz = 0x1000\n"),
                          ("kexec.dmesg", "[ 5.8] kexec_file: Loading segment 0: buf=0x1 bufsz=0x9 mem=0x{} memsz=0x1000\n")):
            for address, expected in (("75000000", "pass"), ("75001000", "fail")):
                said["first"][key] = text.format(address)
                self.assertEqual(verdict(said), expected, key)
            del said["first"][key]

    def test_how_fast_the_dump_was_written_and_how_often_the_pool_was_full_is_known_or_nothing(self):
        fact = judge.facts(boot(**{"dump.uptime": "12.50 20.00", "dump.bytes": "1048576", "pool.full": "3"}))
        self.assertEqual((fact["dump_seconds"], fact["dump_bytes"], fact["pool_full"]), (7.5, 1 << 20, 3))
        fact = judge.facts(boot(**{"dump.uptime": "12.50"}))
        self.assertEqual((fact["dump_seconds"], fact["dump_bytes"], fact["pool_full"]), (None, None, None))

    def test_an_unexpected_verdict_fails_even_if_all_goes_well(self):
        self.assertEqual(verdict(boot(), cells.Cell("cell", expect="refused")), "fail")
        self.assertEqual(verdict(boot("refused"), cells.Cell("cell", expect="ready")), "fail")
        self.assertEqual(verdict(boot(), cells.Cell("cell", expect="either")), "pass")


class Others(unittest.TestCase):
    def test_a_refusal_passes_whatever_the_naive_words_do_and_says_what_they_did(self):
        cell = cells.Cell("cell", expect="refused")
        status, _, fact = judge.judge(cell, boot("refused"), None, None)
        self.assertEqual((status, fact["naive"]), ("pass", []))
        self.assertTrue(judge.over_cautious([fact]))
        status, _, harmed = judge.judge(cell, boot("refused", witness=witness(0x76000000, 0x7a000000)), "lost", None)
        self.assertEqual(status, "pass")
        self.assertEqual(len(harmed["naive"]), 2)
        self.assertFalse(judge.over_cautious([fact, harmed]))

    def test_not_needed_means_no_pool_and_a_dump(self):
        cell = cells.Cell("cell", expect="not-needed")
        self.assertEqual(verdict(boot("not-needed", witness=witness(0, 0)), cell), "pass")
        self.assertEqual(verdict(boot("not-needed", witness=witness(0, 0)), cell, dump="lost"), "fail")
        self.assertEqual(verdict(boot("not-needed"), cell), "fail")

    def test_a_control_that_must_lose_its_dump_fails_when_it_does_not(self):
        cell = cells.Cell("cell", mode="plain", expect="", dump="lost")
        said = boot()
        self.assertEqual(verdict(said, cell), "fail")
        said["crash"] = {}
        self.assertEqual(verdict(said, cell, dump="no dump"), "pass")

    def test_a_machine_that_never_crashed_itself_is_lost_and_not_failed(self):
        self.assertEqual(verdict({"first": {}, "crash": {}}, dump="no dump", vm="QEMU ended with 1"), "lost")

    def test_a_load_that_fails_is_a_failure(self):
        said = boot()
        said["first"]["end"] = "kexec does not load"
        self.assertEqual(verdict(said, dump="no dump"), "fail")


class Summary(unittest.TestCase):
    def outcome(self, cell, free, verdict="ready"):
        fact = judge.judge(cell, boot(verdict, meminfo=f"MemFree: {free} kB\n"), None, None)[2]
        return report.Outcome(cell, None, [{"status": "pass", "reasons": [], "facts": fact, "versions": {}, "seconds": 1}])

    def test_a_twin_that_has_no_pool_is_not_compared(self):
        twin = self.outcome(cells.Cell("cell+plain", mode="plain", expect=""), 60000)
        for fact in twin.facts:
            fact["observed"] = None
        outcomes = [self.outcome(cells.Cell("cell"), 50000), twin]
        report.summarise(outcomes)
        self.assertEqual(outcomes[0].status, "pass")

    def test_less_free_memory_than_without_the_handoff_fails(self):
        twin = cells.Cell("cell+plain", mode="plain", expect="")
        for free, status in ((60000, "pass"), (50000, "fail")):
            outcomes = [self.outcome(cells.Cell("cell"), free), self.outcome(twin, 60000)]
            report.summarise(outcomes)
            self.assertEqual(outcomes[0].status, status)

    def test_more_than_one_needless_refusal_in_twenty_raises_the_alarm(self):
        cell = cells.Cell("cell", expect="refused")
        self.assertTrue(report.summarise([self.outcome(cell, 1, "refused") for _ in range(20)])["alarms"])
        self.assertFalse(report.summarise([self.outcome(cell, 1, "refused")])["alarms"])
        known = cells.Cell("cell", expect="refused", tags=("cautious",))
        self.assertFalse(report.summarise([self.outcome(known, 1, "refused") for _ in range(20)])["alarms"])


class Shrink(unittest.TestCase):
    CELL = cells.Cell("cell", shrink="tool")

    def shrunk(self, status="0", outcome="done", given=64 << 20, after=1065536):
        said = boot()
        said["first"] |= {"shrink": json.dumps({"outcome": outcome, "saved_bytes": given}), "shrink.status": status,
                          "meminfo.before-shrink": "MemTotal: 1000000 kB\n",
                          "meminfo.after-shrink": f"MemTotal: {after} kB\n"}
        return said

    def test_passes_when_the_memory_is_there(self):
        self.assertEqual(judge.judge(self.CELL, self.shrunk(), None, None)[:2], ("pass", []))

    def test_fails_when_it_is_not_or_nothing_was_given(self):
        for said in (boot(), self.shrunk(status="3"), self.shrunk(outcome="restored"), self.shrunk(given=0, after=1000000),
                     self.shrunk(after=1000000), self.shrunk(after=1030000)):
            self.assertEqual(verdict(said, self.CELL), "fail")


class Triggered(unittest.TestCase):
    """Cells that are about a word or an ACPI table: where they are refused, what is right without it is loaded."""
    CELL = cells.Cell("cell", trigger="cma=64M", expect="refused", dump="none")

    def said(self, forced="0", **crash):
        said = boot("refused", **crash)
        del said["crash"]["verify.status"], said["crash"]["dump.status"]
        said["first"]["forced.status"] = forced
        return said

    def test_a_refusal_passes_whatever_the_forced_words_do(self):
        status, _, facts = judge.judge(self.CELL, self.said(witness=witness(0x76000000, 0x7a000000)), None, None)
        self.assertEqual((status, facts["forced"], facts["naive"]), ("pass", True, ["pool at 0x76000000-0x7a000000"]))
        self.assertIn("forced words went wrong", report.what_happened([facts]))
        self.assertEqual(verdict(self.said(), self.CELL), "pass")

    def test_a_cell_whose_words_are_not_right_without_the_trigger_shows_nothing(self):
        self.assertEqual(verdict(self.said(forced="3"), self.CELL), "fail")

    def test_a_ready_one_must_land(self):
        cell = cells.Cell("cell", acpi="64K", dump="none")
        said = boot()
        del said["crash"]["verify.status"], said["crash"]["dump.status"]
        self.assertEqual(verdict(said, cell), "pass")
        said["crash"]["witness"] = witness(0x76000000, 0x7a000000)
        self.assertEqual(verdict(said, cell), "fail")

    def test_a_quick_boot_must_get_to_its_end(self):
        said = boot()
        self.assertEqual(judge.judge(cells.Cell("cell", dump="none"), said, None, None)[2]["dump"], "none")
        self.assertEqual(verdict(said, cells.Cell("cell", dump="none"), dump="no dump: the crash kernel did not get to the end"), "fail")

    def test_the_words_are_planned_with_it_and_without(self):
        cell, = cells.parse("a | | | -c crash=x trigger=cma=64M+y acpi=64K | none | ")
        self.assertTrue(vm.base_words(cell).endswith(" x cma=64M y lab.nodump"))
        self.assertTrue(vm.harmless_words(cell).endswith(" x lab.nodump"))
        self.assertIn(b"HARMLESS=", vm.settings(cell, "canary"))
        self.assertNotIn(b"HARMLESS=", vm.settings(cells.Cell("cell"), "canary"))

    def test_an_acpi_table_is_sound(self):
        archive = initramfs.acpi_table(4096)
        table = archive[archive.index(b"UEFI"):][:4096]
        self.assertEqual((int.from_bytes(table[4:8], "little"), sum(table) % 256), (4096, 0))
        self.assertIn(b"kernel/firmware/acpi/lab.aml\0", archive)


class Pools(unittest.TestCase):
    """How small a pool of its own still lets a crash kernel write its dump."""

    @staticmethod
    def row(slabs, *dumps, crash=",force lab.busy", cpus=1):
        cell = cells.Cell(f"cell-{slabs}", crash_words=f"swiotlb={slabs}{crash}", crash_cpus=cpus)
        return cell, [{"facts": {"dump": dump}} for dump in dumps]

    def test_the_smallest_has_no_larger_one_that_lost_a_dump(self):
        rows = [self.row(4096, "ok"), self.row(8192, "ok", "lost"), self.row(16384, "ok", "ok"), self.row(32768, "ok")]
        self.assertEqual(pools.smallest(rows), {("full", "6.1", 1): 16384})
        self.assertEqual(pools.smallest(rows[:2]), {("full", "6.1", 1): None})

    def test_loads_and_cpus_are_told_apart(self):
        rows = [self.row(4096, "ok", crash=",force lab.busy=1"), self.row(4096, "lost"), self.row(4096, "ok", cpus=8)]
        self.assertEqual(pools.smallest(rows), {("light", "6.1", 1): 4096, ("full", "6.1", 1): None, ("full", "6.1", 8): 4096})

    def test_the_text_before_and_behind_stays(self):
        once = pools.into("# Title\n\nText.\n", [f"{pools.FIRST} x |", "| y |"])
        self.assertEqual(once, f"# Title\n\nText.\n\n{pools.FIRST} x |\n| y |\n")
        self.assertEqual(pools.into(once + "\n## Next\n\nMore.\n", [f"{pools.FIRST} z |"]),
                         f"# Title\n\nText.\n\n{pools.FIRST} z |\n\n## Next\n\nMore.\n")

    def test_its_table_gives_the_crash_kernel_its_cpus(self):
        table = cells.parse((Path(__file__).parent / "smallest-pool.table").read_text())
        self.assertEqual({cell.crash_cpus for cell in table}, {1, 8, 32})
        self.assertTrue(all(f" nr_cpus={cell.crash_cpus} " in vm.base_words(cell) for cell in table))


class Document(unittest.TestCase):
    def test_a_section_is_replaced_and_its_text_stays(self):
        once = report.into("# Title\n\nText.\n", "New", ["- 3 boots; all", "| a |"])
        self.assertEqual(once, "# Title\n\nText.\n\n## New\n\n- 3 boots; all\n| a |\n")
        told = once.replace("## New\n\n", "## New\n\nWhy.\n\n") + "\n## Other\n"
        self.assertEqual(report.into(told, "New", ["- 4 boots; all", "| b |"]),
                         "# Title\n\nText.\n\n## New\n\nWhy.\n\n- 4 boots; all\n| b |\n\n## Other\n")


class Table(unittest.TestCase):
    def test_the_matrix_meets_what_is_asked_of_it(self):
        matrix = cells.parse((Path(__file__).parent / "matrix.table").read_text())
        tried = [cell for cell in matrix if cell.mode == "handoff"]
        smoke = [cell for cell in matrix if "smoke" in cell.tags and cell.mode == "handoff"]
        self.assertGreaterEqual(len(tried), 60)
        self.assertGreaterEqual(3 * sum(",high" in cell.words for cell in tried), len(tried))
        self.assertGreaterEqual(sum(cell.boots for cell in matrix), 200)
        self.assertGreaterEqual(len(smoke), 10)
        self.assertEqual({cell.kernel for cell in smoke}, {"5.10", "6.1", "6.12", "newest", "7.3"})
        self.assertEqual({cell.loader for cell in smoke}, {"kexec_load", "kexec_file_load"})

    def test_a_bad_line_is_named_with_what_was_expected(self):
        for line, message in (("a | b", "expected 6 columns, found 2"), ("a | 6.2 | | | |", "column machine: expected one of"),
                              ("A! | | | | |", "expected a name, found 'A!'"), ("a | | | -x | |", "column load: expected one of")):
            with self.assertRaisesRegex(ValueError, r"^matrix:2: " + message):
                cells.parse("# heading\n" + line)
        with self.assertRaisesRegex(ValueError, "^matrix:2: a second cell named a"):
            cells.parse("a | | | | |\na | | | | |")

    def test_columns_become_fields(self):
        cell, twin = cells.parse("a | newest ovmf 2G nodes=2 | crashkernel=1M | -s 60M shrink=64M crash=x+y | refused boots=5 | twin")
        self.assertEqual((cell.kernel, cell.firmware, cell.memory, cell.nodes), ("newest", "ovmf", "2G", 2))
        self.assertEqual((cell.loader, cell.initrd, cell.shrink, cell.crash_words), ("kexec_file_load", "60M", "64M", "x y"))
        self.assertEqual((cell.expect, cell.boots, twin.mode, twin.name), ("refused", 5, "plain", "a+plain"))

    def test_equal_seeds_make_equal_machines(self):
        self.assertEqual(list(cells.random_cells(7, 20)), list(cells.random_cells(7, 20)))
        self.assertNotEqual(list(cells.random_cells(7, 20)), list(cells.random_cells(8, 20)))

    def test_holes_are_cut_out_of_a_map(self):
        self.assertEqual(cells.without([], 1, 9), [(1, 9)])
        self.assertEqual(cells.without([(5, 1), (3, 1)], 1, 9), [(1, 3), (4, 5), (6, 9)])
        self.assertEqual(cells.without([(3, 4), (4, 1), (8, 5)], 1, 9), [(1, 3), (7, 8)])
        self.assertTrue(any("exactmap" in cell.words for cell in cells.random_cells(7, 20)))

    def test_a_result_of_another_definition_is_not_mistaken_for_this_one(self):
        cell = cells.Cell("cell")
        self.assertEqual(cell.key(), cells.Cell("cell", boots=9, expect="refused").key())
        self.assertNotEqual(cell.key(), cells.Cell("cell", words="crashkernel=1M").key())


class PatchedKernel(unittest.TestCase):
    LINE = "00100000-7ffdffff : System RAM\n  70000000-73ffffff : Software IO TLB\n"
    SHOW = json.dumps({"agree": True, "sightings": [{"source": "iomem"}, {"source": "memory"}]})

    def judged(self, first=LINE, crash=LINE, show=SHOW, cell=cells.Cell("cell", kernel="patched-6.1")):
        said = boot(iomem=crash)
        said["first"] |= {"iomem": first, "show": show, "dmesg": "software IO TLB: addr= is refused\n"}
        return verdict(said, cell)

    def test_lists_its_pool_inside_system_ram(self):
        self.assertEqual(self.judged(), "pass")
        beside = self.LINE.replace("  7", "7")
        elsewhere = self.LINE.replace("73ffffff", "71ffffff")
        for iomem in (beside, elsewhere, "00100000-7ffdffff : System RAM\n"):
            self.assertEqual(self.judged(first=iomem), "fail")
            self.assertEqual(self.judged(crash=iomem), "fail")

    def test_show_sees_the_pool_in_all_sources_alike(self):
        for show in ({"agree": False, "sightings": [{"source": "iomem"}, {"source": "memory"}]},
                     {"agree": True, "sightings": [{"source": "iomem"}]}, {}):
            self.assertEqual(self.judged(show=json.dumps(show)), "fail")

    def test_says_what_it_should(self):
        says = cells.Cell("cell", kernel="patched-6.1", first_says="addr= is refused")
        self.assertEqual(self.judged(cell=says), "pass")
        self.assertEqual(self.judged(cell=cells.Cell("cell", kernel="patched-6.1", crash_says="addr=")), "fail")

    def test_its_table_is_sound(self):
        table = cells.parse((Path(__file__).parent / "kernel.table").read_text())
        self.assertEqual({cell.kernel for cell in table}, {"patched-6.1", "patched-6.12", "patched-newest", "6.1"})
        self.assertTrue(any(cell.first_says == "some of it is in use" for cell in table))
        self.assertTrue(any(cell.method == "ram" for cell in table))


class InitialRamDisk(unittest.TestCase):
    def test_equal_files_are_stored_once(self):
        archive = initramfs.Archive()
        archive.file("a/one", b"x" * 10000)
        archive.file("b/two", b"x" * 10000)
        data = archive.bytes()
        self.assertEqual(data.count(b"x" * 10000), 1)
        self.assertIn(b"/a/one", data)
        self.assertEqual(len(data) % 512, 0)


class Next(unittest.TestCase):
    """Ordinary kexecs, three in a row."""
    WORDS = "swiotlb=32768,force,addr=0x70000000"

    def said(self, verdict="ready", image="Software IO TLB"):
        message = {"ready": "the next kernel is loaded, and gets the pool at [0x70000000-0x74000000)",
                   "refused": "requires next-segments: ... The next kernel is loaded exactly as asked.", "not-needed": ""}[verdict]
        said = {"first": {"witness": witness(), "end": "kexec"}, "crash": {}}
        for number in range(4):
            line = f"quiet swiotlb=force lab.next={number + 1}"
            kernel = said.setdefault(f"next{number}" if number else "first", {})
            kernel |= {"witness": witness(), "line": line, "end": "kexec" if number < 3 else "done",
                       "kexec.messages": f"Jan  1 00:00:01 (none) daemon.notice swiotlb-handoff[12]: {message}\n" if message else ""}
            if number:
                before = f"quiet swiotlb=force lab.next={number}"
                kernel |= {"cmdline": f"{before} {self.WORDS}\n" if verdict == "ready" else before + "\n",
                           "verify.status": "0" if verdict == "ready" else "4", "iomem": f"  70000000-73ffffff : {image}\n",
                           "dmesg": "software IO TLB: addr=0x0000000070000000, 32768 slabs: the pool is there\n"}
        return said

    def judged(self, verdict, **changes):
        said = self.said(verdict)
        for key, value in changes.items():
            kernel, _, what = key.partition("_")
            said[kernel][what.replace("_", ".")] = value
        return judge.judge(cells.Cell("cell", by="next", expect=verdict), said, "no dump", None)

    def test_passes_where_all_is_as_it_should_be(self):
        for verdict in ("ready", "refused", "not-needed"):
            self.assertEqual(self.judged(verdict)[:2], ("pass", []), verdict)

    def test_fails_where_one_of_the_three_does_not_have_the_pool(self):
        for number in (1, 2, 3):
            for key, value in (("witness", witness(0x60000000, 0x64000000)), ("verify_status", "3"), ("cmdline", "quiet\n"),
                               ("iomem", "  60000000-63ffffff : Software IO TLB\n"), ("dmesg", "")):
                self.assertEqual(self.judged("ready", **{f"next{number}_{key}": value})[0], "fail", (number, key))

    def test_fails_where_a_kexec_does_not_come_to_the_next_kernel(self):
        for number in (1, 2, 3):
            said = self.said()
            del said[f"next{number}"]
            self.assertEqual(judge.judge(cells.Cell("cell", by="next"), said, None, None)[0], "fail", number)
        self.assertEqual(self.judged("ready", first_end="kexec does not load")[0], "fail")
        self.assertEqual(judge.judge(cells.Cell("cell", by="next"), {"first": {}, "crash": {}}, None, "silent")[0], "lost")

    def test_fails_where_the_tool_says_too_little_or_too_much(self):
        self.assertEqual(self.judged("refused", first_kexec_messages="")[0], "fail")
        self.assertEqual(self.judged("ready", next1_kexec_messages="")[0], "fail")
        self.assertEqual(self.judged("not-needed", next1_kexec_messages="swiotlb-handoff[9]: something\n")[0], "fail")
        self.assertEqual(self.judged("refused", next1_cmdline=f"quiet swiotlb=force lab.next=1 {self.WORDS}")[0], "fail")

    def test_what_each_kernel_said_is_kept_and_read_again(self):
        with tempfile.TemporaryDirectory() as name:
            said = {"first": {"a": "1"}, "crash": {}, "next1": {"b": "2"}}
            vm.keep(Path(name), said)
            self.assertEqual(vm.kept(Path(name)), said)

    def test_the_table_can_be_read(self):
        table = cells.parse((Path(__file__).parent / "next.table").read_text(), "next.table")
        self.assertTrue(all(cell.by == "next" and cell.boots == 1 for cell in table))
        self.assertIn("PAD=62914560", vm.settings(next(cell for cell in table if cell.initrd == "60M"), "c").decode())


if __name__ == "__main__":
    unittest.main()
