#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user meets: every command, its help, its JSON, and each exit status."""
import json
import os
import re
import unittest

from harness import INPUT, NOT_NEEDED, NOT_PERMITTED, READY, REFUSED, USAGE, Tree, machines, run, tool, top

ready = os.path.join(machines, "debian-6.1-kexec-load")
words = "console=ttyS0 reset_devices nr_cpus=1 irqpoll"
load = ("--loader", "kexec_load", "--command-line", words)


def commands():
    return re.findall(r"^  ([a-z0-9]+) ", run("--help").out, re.M)


class Help(unittest.TestCase):
    def test_every_command_has_some(self):
        self.assertGreaterEqual(len(commands()), 9)
        for command in commands():
            with self.subTest(command):
                shown = run(command, "--help")
                self.assertEqual((shown.status, shown.err), (READY, ""))
                self.assertIn("Usage: swiotlb-handoff " + command, shown.out)
                self.assertIn("--help", shown.out)

    def test_version(self):
        self.assertRegex(run("--version").out, r"^swiotlb-handoff \d+\.\d+\.\d+\n$")


class Usage(unittest.TestCase):
    def test_what_is_asked_wrongly_is_said_in_one_line_with_status_2(self):
        for arguments in ([], ["no-such-command"], ["plan", "--no-such-option"], ["plan", "operand"], ["plan", "--loader", "x"], ["plan", "--method", "x"],
                          ["plan", "--accept", "pool-found"], ["plan", "--root"], ["capture"], ["capture", "a", "b"], ["explain"], ["explain", "no-rule"],
                          ["e820", "--input", os.path.join(ready, "proc/iomem"), "--format", "x"], ["show", "--json=yes"]):
            with self.subTest(arguments):
                asked = run(*arguments)
                self.assertEqual(asked.status, USAGE, asked)
                self.assertEqual(asked.out, "")
                self.assertRegex(asked.err, r"^swiotlb-handoff: [^\n]+\n$")


class Json(unittest.TestCase):
    def test_every_command_speaks_it_and_says_its_schema(self):
        with Tree() as tree:
            for arguments in (["show"], ["plan", *load], ["cmdline", *load], ["check", "--place", *load], ["verify"], ["map", *load], ["recommend", *load],
                              ["capture", tree.path("out")]):
                with self.subTest(arguments):
                    said = run(*arguments, "--root", ready, "--json")
                    self.assertEqual(json.loads(said.out)["schema"], 1, said)

    def test_a_table_is_an_array_and_a_rule_an_object(self):
        self.assertIsInstance(json.loads(run("e820", "--root", ready, *load, "--json").out), list)
        self.assertEqual(json.loads(run("explain", "pool-found", "--json").out)["rule"], "pool-found")

    def test_explain_has_the_section_of_the_documentation(self):
        asked = json.loads(run("explain", "pool-exact", "--json").out)
        told = run("explain", "pool-exact").out
        with open(os.path.join(top, "docs/rules.md"), encoding="utf-8") as page:
            section = page.read().split("\n## pool-exact\n")[1].split("\n## ")[0]
        for key in ("means", "why", "what_to_do"):
            self.assertIn(asked[key], told)
            self.assertIn(asked[key], section)

    def test_it_is_utf8_whatever_the_input_is(self):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("proc/sys/kernel/osrelease", b"6.1\xff\xfe\n")
            run_it = run("plan", "--root", tree.root, "--loader", "kexec_load", "--command-line", "nr_cpus=1 a=\xe9", "--json")
            json.loads(run_it.out)


class ExitStatus(unittest.TestCase):
    def expect(self, status, *arguments):
        done = run(*arguments)
        self.assertEqual(done.status, status, done)
        return done

    def test_0_is_ready(self):
        done = self.expect(READY, "plan", "--root", ready, *load)
        self.assertEqual(done.err, "")
        done = self.expect(READY, "cmdline", "--root", ready, *load)
        self.assertRegex(done.out, r"^swiotlb=32768(,force)? memmap=[^\n ]+( [^\n]*)? swiotlb_handoff=0x\w+-0x\w+\n$")

    def test_1_is_an_input_or_io_error(self):
        for arguments in (["plan", "--root", "/no/such/directory"], ["show", "--root", "/no/such/directory"], ["e820", "--input", "/no/such/file"],
                          ["plan", "--root", ready, "--kernel", "/etc/passwd"], ["plan", "--root", ready, "--initrd", "/no/such/file"],
                          ["plan", "--root", ready, "--pool", "5-4"], ["check", "--command-line", words, "--elfcorehdr", "/etc/passwd"],
                          ["check", "--command-line", words, "--e820", "/no/such/file"], ["capture", "--root", ready, ready]):
            with self.subTest(arguments):
                done = self.expect(INPUT, *arguments)
                self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                self.assertEqual(done.out, "")

    def test_3_is_refused(self):
        done = self.expect(REFUSED, "plan", "--root", os.path.join(machines, "synthetic-sev-guest"))
        self.assertIn("refused", done.out)

    def test_4_is_not_needed(self):
        self.expect(NOT_NEEDED, "plan", "--root", ready, "--loader", "kexec_load", "--command-line", words + " swiotlb=noforce")
        with Tree() as tree:
            self.expect(NOT_NEEDED, "show", "--root", tree.root)
        self.expect(NOT_NEEDED, "verify", "--root", ready)

    def test_5_is_not_permitted(self):
        self.expect(NOT_PERMITTED, "plan", "--root", os.path.join(machines, "iomem-not-root"))

    def test_cmdline_never_stops_a_script_unless_it_is_told_to(self):
        for machine, status in (("synthetic-sev-guest", REFUSED), ("iomem-not-root", NOT_PERMITTED)):
            with self.subTest(machine):
                root = os.path.join(machines, machine)
                done = self.expect(READY, "cmdline", "--root", root)
                self.assertEqual(done.out, "")
                self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                self.assertEqual(self.expect(status, "cmdline", "--strict", "--root", root).out, "")

    def test_output_that_cannot_be_written_is_an_error(self):
        import subprocess
        with open("/dev/full", "w") as full:
            done = subprocess.run([tool, "plan", "--root", ready, *load], stdout=full, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, INPUT)


class Readme(unittest.TestCase):
    def test_its_picture_is_what_map_draws(self):
        drawn = run("map", "--svg", "--root", f"{machines}/dell-r6515-high")
        with open(f"{top}/docs/map.svg", encoding="utf-8") as picture:
            self.assertEqual(drawn.out, picture.read(), "if this is right: map --svg >docs/map.svg")


class Environment(unittest.TestCase):
    """Root's environment may be somebody else's: nothing in it changes what the tool does."""

    def test_an_empty_and_a_hostile_one_give_the_same_plan(self):
        expected = run("plan", "--root", ready, *load, "--json").out
        with Tree() as tree:
            tree.write("kexec", b"#!/bin/sh\ntouch " + tree.path("ran").encode() + b"\n")
            os.chmod(tree.path("kexec"), 0o755)
            hostile = {"PATH": tree.root, "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8", "IFS": "0x", "ELFUTILS_DEBUG": "1", "TMPDIR": "/no/such", "HOME": "/no/such"}
            for environment in ({}, hostile):
                self.assertEqual(run("plan", "--root", ready, *load, "--json", environment=environment).out, expected)
            # Not even where it runs kexec: an absolute path, or none.
            run("kexec", "--", "-v", environment=hostile)
            self.assertFalse(os.path.exists(tree.path("ran")))


if __name__ == "__main__":
    unittest.main()
