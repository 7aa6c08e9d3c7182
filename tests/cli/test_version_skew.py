#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of other versions: kernels newer than any known, records of another tool, types nobody has heard of.

What kexec-tools of another version prints is in tests/kexec/faults.py.
"""
import json
import os
import re
import struct
import unittest

from harness import INPUT, READY, REFUSED, Tree, machines, run

kcore_machine = "debian-6.12-high-no-low"
words = ("--command-line", "console=ttyS0 reset_devices nr_cpus=1 irqpoll")


class Btf:
    """Just enough of Documentation/bpf/btf.rst to describe a structure."""

    def __init__(self):
        self.types, self.strings, self.count = b"", b"\0", 0

    def name(self, text):
        at = len(self.strings) if text else 0
        self.strings += text.encode() + b"\0" if text else b""
        return at

    def add(self, name, kind, members, size, extra=b""):
        self.types += struct.pack("<III", self.name(name), kind << 24 | members, size) + extra
        self.count += 1
        return self.count

    def integer(self, name, size):
        return self.add(name, 1, 0, size, struct.pack("<I", size * 8))

    def pointer(self, to):
        return self.add("", 2, 0, to)

    def structure(self, name, size, *members):
        return self.add(name, 4, len(members), size, b"".join(struct.pack("<III", self.name(n), t, at * 8) for n, t, at in members))

    def bytes(self):
        header = struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        return header + self.types + self.strings


def layout(*names, structure="io_tlb_mem"):
    btf = Btf()
    word = btf.integer("long unsigned int", 8)
    btf.structure(structure, 8 * len(names), *((name, word, 8 * i) for i, name in enumerate(names)))
    return btf.bytes()


class NewerKernel(unittest.TestCase):
    def plan(self, btf, *more):
        with Tree(kcore_machine) as tree:
            tree.write("sys/kernel/btf/vmlinux", btf)
            return run("plan", "--root", tree.root, *words, "--json", *more)

    def test_the_machine_is_ready_as_it_is(self):
        self.assertEqual(run("plan", "--root", os.path.join(machines, kcore_machine), *words).status, READY)

    def test_another_structure_of_the_pool_is_refused_with_what_it_has_although_the_log_shows_a_pool(self):
        for btf, found in ((layout("base", "limit", "nslabs"), "found: base, limit, nslabs"),
                           (layout("start", "end", "slots"), "found: start, end, slots"),
                           (layout("start", "end", "nslabs", structure="io_tlb_pool_v2"), "expected struct io_tlb_mem in BTF")):
            with self.subTest(found):
                done = self.plan(btf)
                self.assertEqual(done.status, REFUSED, done)
                plan = json.loads(done.out)
                self.assertEqual(plan["append"], "")
                reasons = {r["rule"]: r for r in plan["reasons"] if r["severity"] == "refusal"}
                self.assertEqual(list(reasons), ["pool-understood"])
                self.assertIn(found, reasons["pool-understood"]["text"])

    def test_it_can_be_accepted_and_then_the_log_is_believed(self):
        done = self.plan(layout("base", "limit", "nslabs"), "--accept", "pool-understood")
        self.assertEqual(done.status, READY, done)
        self.assertIn(("pool-understood", "warning"), [(r["rule"], r["severity"]) for r in json.loads(done.out)["reasons"]])

    def test_show_says_so_too(self):
        with Tree(kcore_machine) as tree:
            tree.write("sys/kernel/btf/vmlinux", layout("base", "limit", "nslabs"))
            self.assertIn("found: base, limit, nslabs", " ".join(run("show", "--root", tree.root).out.split()))

    def test_a_kernel_without_btf_is_no_newer_one(self):
        with Tree(kcore_machine) as tree:
            tree.remove("sys/kernel/btf/vmlinux")
            self.assertEqual(run("plan", "--root", tree.root, *words).status, READY)


class UnknownTypes(unittest.TestCase):
    machine = "debian-6.1-kexec-load"
    log = b"BIOS-provided physical RAM map:\n" \
          b"BIOS-e820: [mem 0x0000000000001000-0x000000000009ffff] usable\n" \
          b"BIOS-e820: [mem 0x0000000000100000-0x00000000001fffff] type 47\n"

    def test_a_number_that_no_kernel_names_is_kept_as_it_is(self):
        with Tree() as tree:
            tree.write("log", self.log)
            table = json.loads(run("e820", "--input", tree.path("log"), "--input-format", "log", "--json").out)
            self.assertEqual([entry["type"] for entry in table["entries"]], [1, 47])
            # And once more, in the form that a kernel gets.
            done = run("e820", "--input", tree.path("log"), "--input-format", "log")
            self.assertIn("type 47", done.out)

    def test_a_line_of_iomem_with_a_new_name_is_memory_that_is_not_ours(self):
        with Tree(self.machine) as tree:
            before = json.loads(run("plan", "--root", tree.root, *words, "--loader", "kexec_load", "--json").out)
            text = tree.read("proc/iomem")
            tree.write("proc/iomem", text + b"20000000000-2000fffffff : Quantum Memory\n")
            after = json.loads(run("plan", "--root", tree.root, *words, "--loader", "kexec_load", "--json").out)
            self.assertEqual((after["verdict"], after["append"]), ("ready", before["append"]))

    def test_nor_is_the_pool_where_one_lies_inside_it(self):
        with Tree(self.machine) as tree:
            pool = json.loads(run("show", "--root", tree.root, "--json").out)["pool"]
            start = int(pool["start"], 16) + 0x100000
            text = b""
            for line in tree.read("proc/iomem").splitlines(keepends=True):
                text += line
                span = re.match(rb"([0-9a-f]+)-([0-9a-f]+) : System RAM", line)
                if span and int(span[1], 16) <= start <= int(span[2], 16):
                    text += f"  {start:08x}-{start + 0xfff:08x} : Quantum Memory\n".encode()
            tree.write("proc/iomem", text)
            done = run("plan", "--root", tree.root, *words, "--loader", "kexec_load")
            self.assertEqual(done.status, REFUSED, done)
            self.assertIn("pool-disjoint: The pool overlaps", done.out)
            self.assertIn("'Quantum Memory'", done.out)

    def test_a_firmware_map_with_a_new_name_is_an_error_that_names_the_file(self):
        with Tree(self.machine) as tree:
            tree.write("sys/firmware/memmap/1/type", b"Quantum Memory\n")
            done = run("plan", "--root", tree.root, *words)
            self.assertEqual(done.status, INPUT)
            self.assertRegex(done.err, r"sys/firmware/memmap: 1/type: expected the name of a memory type, found 'Quantum Memory'")


class OtherRecords(unittest.TestCase):
    def record(self, **changed):
        span = {"start": "0x71000000", "end": "0x75000000"}
        handoff = "swiotlb=32768,force memmap=64M@0x71000000 swiotlb_handoff=0x71000000-0x75000000"
        ram = {"start": "0x75000000", "end": "0x7f000000", "type": 1}
        record = {"schema": 2, "command": "kexec", "outcome": "handoff", "why": "loaded", "tool": "0.1.0", "time": "2026-11-24T23:05:00Z", "release": "6.1.0", "kexec_tools": "2.0.25",
                  "verdict": "ready", "reasons": [], "loader": "kexec_load", "method": "ram", "kernel": "/k", "initrd": "/i",
                  "command_line": "nr_cpus=1 reset_devices " + handoff, "append": handoff, "pool": span, "promised": span, "lent": False, "fences": [],
                  "segments": [{"name": "kernel", "start": "0x78000000", "end": "0x7c000000"}], "segments_reported": True, "elfcorehdr": None,
                  "rsdp_address": None, "before": {"entries": [ram]}, "after": {"entries": [{**span, "type": 1}, ram]}}
        record.update(changed)
        return json.dumps({key: value for key, value in record.items() if value != "gone"}).encode()

    def check(self, text):
        with Tree() as tree:
            tree.write("record.json", text)
            tree.write("machine/proc/cmdline", b"ro\n")  # hardly a machine: nothing to compare with
            return run("check", "--root", tree.path("machine"), "--record", tree.path("record.json"))

    def status(self, text):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("sys/kernel/kexec_crash_loaded", b"1\n")
            tree.write("run/swiotlb-handoff/record.json", text)
            return json.loads(run("status", "--root", tree.root, "--json").out)

    def test_todays_is_read(self):
        self.assertNotEqual(self.check(self.record()).status, INPUT)
        self.assertIsNotNone(self.status(self.record())["record"])

    def test_one_of_another_schema_is_refused_not_guessed_at(self):
        for schema in (0, 1, 3, 99, "2", None):
            with self.subTest(schema):
                done = self.check(self.record(schema=schema))
                self.assertEqual((done.status, done.out), (INPUT, ""), done)
                self.assertRegex(done.err, r"^swiotlb-handoff: .*record\.json: schema: expected ")
                if isinstance(schema, int):
                    self.assertIn("Load the crash kernel again", done.err)
                # And the state of the machine is unknown, not 'in use'.
                state = self.status(self.record(schema=schema))
                self.assertIsNone(state["record"])
                self.assertEqual(state["handoff"], "unknown")
                self.assertRegex("\n".join(state["problems"]), r"run/swiotlb-handoff/record\.json: schema: expected ")

    def test_one_of_an_older_tool_that_lacks_a_key_is_refused_with_its_name(self):
        for key in ("segments_reported", "elfcorehdr", "after", "schema"):
            with self.subTest(key):
                done = self.check(self.record(**{key: "gone"}))
                self.assertEqual(done.status, INPUT, done)
                self.assertRegex(done.err, rf"record\.json: {key}: expected")

    def test_keys_of_a_later_tool_with_the_same_schema_are_ignored(self):
        self.assertEqual(self.check(self.record(later={"a": 1})).out, self.check(self.record()).out)


if __name__ == "__main__":
    unittest.main()
