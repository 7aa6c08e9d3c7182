#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the program: no control characters, nothing lost in silence, one line when it fails."""
import os
import re
import resource
import subprocess
import unittest

from harness import INPUT, Tree, can_inject, machines, run, tool, top

ready = os.path.join(machines, "debian-6.1-kexec-load")
load = ("--loader", "kexec_load", "--command-line", "console=ttyS0 reset_devices nr_cpus=1 irqpoll")
one_line = r"^swiotlb-handoff: [^\n]+\n$"


def raw(*arguments, **more):
    return subprocess.run([tool, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, **more)


class ControlCharacters(unittest.TestCase):
    """A machine's files may be meant for the terminal of whoever looks at them."""

    def shown(self, *arguments):
        done = raw(*arguments, stdout=subprocess.PIPE)
        text = (done.stdout + done.stderr).decode()  # fails where it is no UTF-8
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        return text

    def test_the_name_of_a_driver_does_not_reach_the_terminal(self):
        with Tree("patched-6.1-above") as tree:
            for device in os.listdir(tree.path("sys/bus/pci/devices")):
                tree.write(f"sys/bus/pci/devices/{device}/uevent", b"DRIVER=evil\x1b[31m\nPCI_CLASS=10000\n")
                tree.write(f"sys/bus/pci/devices/{device}/consistent_dma_mask_bits", b"32\n")
            self.assertIn("evil?[31m", self.shown("recommend", "--root", tree.root))

    def test_nor_do_the_controls_of_latin_1_and_bytes_that_are_no_utf8_but_other_text_does(self):
        for hostile, shown in ((b"a\x1bb", "a?b"), (b"a\x9bb", "a?b"), (b"a\xc2\x9bb", "a??b"), (b"a\xc0\x9bb", "a??b"), (b"a\xed\xa0\x80b", "a???b"),
                               (b"a\xf4\x90\x80\x80b", "a????b"), (b"a\xe2\x82", "a??"), (b"a\x7fb", "a?b"), ("aé€😀b".encode(), "aé€😀b"), (b"a\xc2\xa0b", "a\u00a0b")):
            with self.subTest(hostile):
                self.assertIn(f"'{shown}'", self.shown(os.fsdecode(hostile)))
                self.assertIn(f"'{shown}'", self.shown("explain", os.fsdecode(hostile)))

    def test_a_line_stays_one_line_whatever_is_in_it(self):
        with Tree("debian-6.1-kexec-load") as tree:
            done = raw("capture", "--root", tree.root, tree.path("no\nplan: ready\nsuch/place"), stdout=subprocess.PIPE)
            self.assertRegex(done.stderr.decode(), one_line)

    def test_a_binary_table_is_what_it_is(self):
        done = raw("e820", "--root", ready, *load, "--format", "binary", stdout=subprocess.PIPE)
        self.assertEqual(len(done.stdout) % 20, 0)
        self.assertIn(b"\0\0\0", done.stdout)

    def test_only_one_place_of_the_tool_writes(self):
        for name in sorted(os.listdir(os.path.join(top, "tool"))):
            if name in ("print.cpp", "verify_main.cpp") or not name.endswith(".cpp"):
                continue
            with self.subTest(name), open(os.path.join(top, "tool", name), encoding="utf-8") as source:
                self.assertNotRegex(source.read(), r"\b(fmt::print|std::cout|std::cerr|printf|fputs|fwrite)\b|void field\(")


class LostOutput(unittest.TestCase):
    """A full disk, or nobody there."""

    def every_command(self):
        root = ("--root", ready)
        yield from (("show", *root), ("plan", *root, *load), ("cmdline", *root, *load), ("e820", *root, *load), ("map", *root, *load),
                    ("map", "--svg", *root, *load), ("check", "--place", *root, *load), ("verify", *root), ("recommend", *root, *load), ("audit", ready),
                    ("shrink", "--dry-run", *root), ("status", *root), ("status", "--prometheus", *root), ("explain", "pool-exact"),
                    ("kexec", "--dry-run", *root, "--", "-p", "/no/such"), ("--version",), ("--help",), ("plan", "--help"))

    def test_a_full_disk_is_said_by_every_command(self):
        for arguments in self.every_command():
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                done = raw(*arguments, stdout=full)
                self.assertEqual(done.returncode, INPUT, done)
                self.assertRegex(done.stderr.decode(), r"(?m)^swiotlb-handoff: standard output: No space left on device$")
                if arguments[0] != "kexec":
                    self.assertRegex(done.stderr.decode(), one_line)

    def test_so_is_a_closed_standard_output_which_no_other_file_takes_the_place_of(self):
        with Tree() as place:
            done = raw("plan", "--root", ready, *load, preexec_fn=lambda: os.close(1))
            self.assertEqual(done.returncode, INPUT)
            self.assertRegex(done.stderr.decode(), r"^swiotlb-handoff: standard output: Bad file descriptor\n$")
            done = raw("capture", "--root", ready, place.path("new"), preexec_fn=lambda: (os.close(0), os.close(1)))
            self.assertEqual(done.returncode, INPUT)
            for folder, _, names in os.walk(place.path("new")):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(b"written     ", file.read(), name)

    def test_standard_error_that_takes_nothing_changes_no_exit_status(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([tool, "no-such-command"], stdin=subprocess.DEVNULL, stderr=full, timeout=60)
            self.assertEqual(done.returncode, 2)


@unittest.skipUnless(can_inject(), "a sanitizer takes all memory there is")
class LittleMemory(unittest.TestCase):
    def limited(self, *arguments):
        limit = 60 << 20
        return raw(*arguments, stdout=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_too_little_of_it_is_said_in_one_line(self):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("dmesg", b"a line\n" * (8 << 20))
            for command in ("show", "plan", "recommend", "status"):
                with self.subTest(command):
                    done = self.limited(command, "--root", tree.root)
                    self.assertEqual((done.returncode, done.stdout), (INPUT, b""), done)
                    self.assertRegex(done.stderr.decode(), r"^swiotlb-handoff: There is not enough memory\.\n$")

    def test_kexec_then_says_that_nothing_was_run(self):
        # /usr/lib/swiotlb-handoff/kexec then runs kexec itself.
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("usr/sbin/kexec", b"kexec-tools" * (5 << 20))
            self.assertEqual(self.limited("kexec", "--dry-run", "--root", tree.root, "--", "-p", "/no/such").returncode, 126)


if __name__ == "__main__":
    unittest.main()
