#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a crash kernel needs, of an initrd that is unpacked; and whether the reservation is large enough."""
import gzip
import json
import os
import re
import unittest

from harness import INPUT, Crashed, Tree, archive, machines, run

MIB = 1 << 20
machine = "debian-6.12-high-no-low"


def line(tree, name, *arguments):
    """That line of the need as JSON; None where it is not there."""
    document = json.loads(run("recommend", "--json", "--root", tree.root, *arguments).out)
    return next((one for one in document["need"]["lines"] if one["name"] == name), None), document


class Place(unittest.TestCase):
    """Where the next boot puts the reservation and the pool, as far as this boot lets it be said."""

    def said(self, name):
        root = os.path.join(machines, name)
        with open(os.path.join(root, "request.json"), encoding="utf-8") as file:
            more = ["--loader", "kexec_file_load", "--command-line", json.load(file)["command_line"]]
        text = run("recommend", "--verbose", "--root", root, *more).out
        return " ".join(text.split()), json.loads(run("recommend", "--json", "--root", root, *more).out)

    def test_a_layout_that_the_model_explains_is_shown(self):
        text, document = self.said("dell-t630-below")
        self.assertTrue(document["layout_reproduced"])
        self.assertTrue(all(one["place_certain"] for one in document["candidates"]))
        self.assertIn(document["candidates"][0]["reservation"][0]["start"], text)
        self.assertNotIn("not certain", text)

    def test_an_efi_machine_that_it_does_not_explain_is_promised_no_place(self):
        text, document = self.said("kvm-low-512M-forced")
        self.assertFalse(document["layout_reproduced"])
        self.assertFalse(any(one["place_certain"] for one in document["candidates"]))
        self.assertEqual(document["verdict"], "ready")
        self.assertIn(",high", document["crashkernel"])
        chosen = next(one for one in document["candidates"] if one["crashkernel"] == document["crashkernel"])
        self.assertNotIn(chosen["reservation"][-1]["start"], text)
        self.assertIn("The boot services of EFI hold memory at that time", text)
        self.assertIn("So it is not certain where the next boot puts the reservation and the pool.", text)
        self.assertRegex(text, r"The handoff is proven for each of the \d+ places where the pool may be\.")
        self.assertIn("Then run 'swiotlb-handoff plan': only that boot shows whether its pool can be handed over.", text)

    def test_where_no_pool_is_needed_the_place_is_left_open_as_well(self):
        text, document = self.said("kvm-low-512M")
        self.assertEqual((document["verdict"], document["layout_reproduced"]), ("not-needed", False))
        self.assertNotIn(document["candidates"][0]["reservation"][0]["start"], text)
        self.assertIn("Then run 'swiotlb-handoff plan', which shows whether there was room for it.", text)


class Need(unittest.TestCase):
    def test_an_initrd_counts_with_what_it_unpacks_to(self):
        with Tree(machine) as tree:
            files = archive((b"bin/makedumpfile", os.urandom(MIB)), (b"zeros", bytes(40 * MIB)))
            tree.write("initrd", archive((b"kernel/x86/microcode/AuthenticAMD.bin", b"ucode")) + gzip.compress(files, mtime=0))
            unpacked, document = line(tree, "unpacked", "--initrd", tree.path("initrd"))
            self.assertEqual(unpacked["basis"], "read")
            self.assertGreater(unpacked["at_least_bytes"], 41 * MIB)
            self.assertLess(unpacked["size_bytes"], 42 * MIB)
            self.assertGreaterEqual(document["need"]["lower_bound_bytes"], unpacked["at_least_bytes"])
            text = run("recommend", "--verbose", "--root", tree.root, "--initrd", tree.path("initrd")).out
            self.assertRegex(text, r"42 MiB  read      the unpacked initrd: it was unpacked to count \(gzip\)")

    def test_what_was_not_read_is_assumed_and_there_is_a_warning(self):
        text = run("recommend", "--verbose", "--root", os.path.join(machines, machine)).out
        self.assertRegex(text, r"MiB  assumed   the kernel: no image was read")
        self.assertRegex(text, r"MiB  assumed   the unpacked initrd: 4 times the size of the packed initrd")
        self.assertRegex(text, r"warning     image-known: What the crash kernel needs is partly assumed,\s+because\s+this\s+was\s+not\s+read:\s+the\s+size\s+of\s+the\s+kernel,")
        self.assertNotIn("as its image says", text)

    def test_an_initrd_that_the_kernel_would_not_unpack_is_assumed_and_says_why(self):
        with Tree(machine) as tree:
            for bytes_of_it, why in ((b"junk", "neither cpio nor a compression"), (gzip.compress(archive((b"f", bytes(100))))[:-9], "gzip: the data is damaged")):
                with self.subTest(why):
                    tree.write("initrd", bytes_of_it)
                    unpacked, _ = line(tree, "unpacked", "--initrd", tree.path("initrd"))
                    self.assertEqual((unpacked["basis"], unpacked["at_least_bytes"]), ("assumed", 0))
                    self.assertIn(why, unpacked["evidence"])

    def test_cpus_are_those_of_the_command_line_that_the_service_will_use(self):
        with Tree(machine) as tree:
            tree.write("sys/devices/system/cpu/possible", b"0-63\n")
            tree.write("usr/lib/kdump/load.sh", b"#!/bin/sh\n")
            for config, cpus in ((b"KDUMP_SAVEDIR=/var/crash\n", 32), (b"KDUMP_CPUS=4\n", 4), (b"KDUMP_CPUS=0\n", 64), (b"KDUMP_CPUS=1\n", None)):
                with self.subTest(config):
                    tree.write("etc/sysconfig/kdump", config)
                    found, document = line(tree, "cpus")
                    self.assertEqual(found and found["evidence"].split()[0], str(cpus) if cpus else None)
                    threads = next(one for one in document["need"]["lines"] if one["name"] == "makedumpfile")["evidence"]
                    self.assertIn(f"{cpus or 0} threads", threads)


class Measured(unittest.TestCase):
    """What a crash showed of the crash kernel's memory stands in place of the margin, for the same load alone."""

    def recommended(self, tree, *arguments):
        return json.loads(run("recommend", "--json", "--root", tree.root, *arguments).out), run("recommend", "--verbose", "--root", tree.root, *arguments).out

    def test_it_is_said_and_counts(self):
        with Crashed() as tree:
            before, _ = self.recommended(tree)
            tree.dump()
            after, text = self.recommended(tree)
            lines = {one["name"]: one for one in after["need"]["lines"]}
            self.assertEqual((lines["measured"]["basis"], lines["measured"]["size_bytes"] >> 20, lines["measured"]["moment"]), ("measured", 105, "in-all"))
            self.assertEqual((lines["margin"]["size_bytes"] >> 20, after["need"]["recommended_bytes"] >> 20), (16, 121))
            self.assertNotIn("modules", lines)
            self.assertEqual([(one["used"], one["why"]) for one in after["crash_records"]], [(True, None)])
            self.assertEqual(before["crash_records"], [])
            self.assertRegex(text, r"105 MiB  measured  all of it: measured on 2026-11-20, when at the lowest point 71 of\s+150 MiB were available")
            self.assertIn("(crash of 2026-11-20) counts.", " ".join(text.split()))
            self.assertIn("256 MiB is too small", text)
            self.assertNotIn("without need", text)
            self.assertEqual(json.loads(run("plan", "--json", "--root", tree.root).out)["enough"], after["enough"])

    def test_records_of_other_loads_are_named_and_not_used(self):
        for why, load, memory in (("another image was loaded then", {"kernel_file": {"size_bytes": 5, "crc32": "0x5"}}, {}),
                                  ("another initrd was loaded then", {"initrd_file": {"size_bytes": 5, "crc32": "0x5"}}, {}),
                                  ("does not say which image and initrd were loaded", {"initrd_file": None}, {}),
                                  ("for the CPUs 0-7, and the next one will prepare for 1 in all", {}, {"possible_cpus": "0-7"}),
                                  ("that crash kernel was Linux 5.10.0, and now ", {}, {"release": "5.10.0"}),
                                  ("no source says that its dump was finished", {}, {"dump_done": False}),
                                  ("the machine had 0 GiB of memory then", {}, {"vmcore_bytes": 1 << 20}),
                                  ("expected a text without control characters", {}, {"release": "\x1b[2J"}),
                                  ("expected no more than 1 PiB", {}, {"total_bytes": 1 << 62})):
            with self.subTest(why), Crashed() as tree:
                before, _ = self.recommended(tree)
                tree.dump(load=load, **memory)
                after, text = self.recommended(tree)
                self.assertEqual(after["need"], before["need"])
                (record,) = after["crash_records"]
                self.assertEqual(record["used"], False)
                self.assertIn(why, record["why"])
                self.assertIn("is not used: ", " ".join(text.split()))
                self.assertNotIn("\x1b", text)

    def test_the_loader_that_is_asked_for_has_to_be_the_same(self):
        with Crashed() as tree:
            tree.dump()
            for loader, used in (("kexec_load", True), ("kexec_file_load", False)):
                self.assertEqual(self.recommended(tree, "--loader", loader)[0]["crash_records"][0]["used"], used)

    def test_whatever_lies_in_the_place_of_a_record_is_no_error(self):
        with Crashed() as tree:
            name = "var/crash/202611200305/swiotlb-handoff-memory.json"
            for content in (b"", b"\0" * 5000, b"x" * (1 << 20), b"[" * 60000, b'{"schema": 2}', "\u202e".encode() * 100):
                with self.subTest(content[:10]):
                    tree.write(name, content)
                    (record,) = self.recommended(tree)[0]["crash_records"]
                    self.assertEqual((record["used"], record["time"]), (False, None))
            tree.remove(name)
            os.mkfifo(tree.path(name))
            (record,) = self.recommended(tree)[0]["crash_records"]
            self.assertFalse(record["used"])
            os.remove(tree.path(name))
            os.symlink("/etc/passwd", tree.path(name))
            self.assertEqual(self.recommended(tree)[0]["crash_records"], [], "it is looked for below the root")


def boot_of(machine, *more):
    """A log: the boot of a machine with 256 MiB reserved of 1 TiB, and what a serial console has behind it."""
    return "\n".join(("Linux version 6.1.0-50-amd64 (x) (gcc) #1 SMP", "Command line: ro " + machine, "BIOS-provided physical RAM map:",
                      "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable", "BIOS-e820: [mem 0x0000000000100000-0x00000000bffdffff] usable",
                      "BIOS-e820: [mem 0x0000000100000000-0x000000ffffffffff] usable",
                      "Reserving 256MB of memory at 2544MB for crashkernel (System RAM: 1048575MB)", *more)) + "\n"


crash_kernel = ("sysrq: Trigger a crash", "Linux version 6.1.0-50-amd64 (x) (gcc) #1 SMP", "Command line: ro nr_cpus=1 elfcorehdr=2860M",
                "Memory: 98304K/261100K available (14344K kernel code)", "Out of memory: Killed process 312 (makedumpfile) total-vm:1000kB")


class IsItEnough(unittest.TestCase):
    """Is my reservation large enough? plan answers in one line, and promises nothing that recommend denies."""

    def answers(self, log):
        """What plan and recommend say of a machine of which there is this log: two documents, and plan's text, unwrapped."""
        with Tree() as tree:
            tree.write("dmesg", log.encode())
            plan, recommended = (json.loads(run(command, "--json", "--root", tree.root).out) for command in ("plan", "recommend"))
            self.assertEqual(plan["enough"], recommended["enough"])
            text = " ".join(run("plan", "--root", tree.root).out.split())
            self.assertIn("reservation " + plan["enough"]["text"], text)
            return plan, recommended, text

    def test_kdump_is_not_said_to_work_where_the_reservation_may_be_too_small(self):
        plan, recommended, text = self.answers(boot_of("crashkernel=256M"))
        self.assertEqual((plan["verdict"], plan["enough"]["fits"]), ("not-needed", "perhaps"))
        self.assertEqual(plan["enough"]["crashkernel"], recommended["crashkernel"])
        self.assertIn("the size of the initrd", plan["enough"]["assumed"])
        self.assertRegex(text, r"Next: The crash kernel needs no handoff\. The reservation of 256 MiB may be too small: crashkernel=\d+M would be large enough\.$")

    def test_a_serial_console_with_a_lost_dump_shows_that_it_was_too_small(self):
        plan, recommended, text = self.answers(boot_of("crashkernel=256M", *crash_kernel))
        self.assertEqual(plan["enough"]["fits"], "no")
        self.assertIn("A crash kernel ran out of memory with 256 MiB of it.", text)
        self.assertGreater(recommended["candidates"][0]["reservation_bytes"], 256 * MIB)
        self.assertEqual(recommended["last_crash"]["evidence"], "dmesg:9")
        self.assertNotIn("is large enough", text)

    def test_where_the_log_of_the_crash_kernel_has_no_size_the_boot_before_it_has(self):
        plan, recommended, _ = self.answers(boot_of("crashkernel=256M", *(line for line in crash_kernel if not line.startswith("Memory: "))))
        self.assertEqual(recommended["last_crash"]["reservation_bytes"], 256 * MIB)
        self.assertEqual(plan["enough"]["fits"], "no")

    def test_of_a_crash_kernels_own_log_nothing_is_said_of_the_reservation(self):
        plan, _, text = self.answers("\n".join(crash_kernel[1:]) + "\n")
        self.assertIsNone(plan["enough"]["fits"])
        self.assertIn("It is not known whether it is large enough: this is the boot of a crash kernel", text)

    def test_the_log_of_the_kernel_that_crashed_is_no_crash_kernels(self):
        with Tree() as tree:
            tree.write("dmesg", boot_of("crashkernel=256M").encode())
            tree.write("vmcore-dmesg.txt", boot_of("crashkernel=256M", "Kernel panic - not syncing: sysrq triggered crash").encode())
            said = run("recommend", "--root", tree.root, "--crash-log", tree.path("vmcore-dmesg.txt"))
            self.assertEqual(said.status, INPUT, said)
            self.assertIn("vmcore-dmesg.txt:2: expected the log of a crash kernel, found a command line without elfcorehdr=", said.err)
            self.assertIn("the log of a kernel that crashed", said.err)

    def test_every_command_judges_by_what_is_in_the_initrd(self):
        with Tree(machine) as tree:
            tree.write("usr/sbin/kdump-config", b"#!/bin/sh\n")
            tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\n")
            tree.write("var/lib/kdump/initrd.img", gzip.compress(archive((b"zeros", bytes(90 * MIB))), mtime=0))
            plan, status = (json.loads(run(command, "--json", "--root", tree.root).out) for command in ("plan", "status"))
            for fallback in (plan["fallback"], status["plan"]["fallback"]):
                self.assertGreater(fallback["lower_bound_bytes"], 90 * MIB)
                self.assertEqual(fallback["recommended_bytes"], plan["fallback"]["recommended_bytes"])


if __name__ == "__main__":
    unittest.main()
