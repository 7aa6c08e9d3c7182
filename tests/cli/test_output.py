#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the program: no control characters, nothing lost in silence, one line when it fails."""
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kexec"))
import faults
from harness import INPUT, Tree, can_inject, machines, run, tool, top, verify

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
            self.assertIn("evil?[31m", self.shown("recommend", "--verbose", "--root", tree.root))

    def test_nor_do_the_controls_of_latin_1_and_bytes_that_are_no_utf8_but_other_text_does(self):
        for hostile, shown in ((b"a\x1bb", "a?b"), (b"a\x9bb", "a?b"), (b"a\xc2\x9bb", "a??b"), (b"a\xc0\x9bb", "a??b"), (b"a\xed\xa0\x80b", "a???b"),
                               (b"a\xf4\x90\x80\x80b", "a????b"), (b"a\xe2\x82", "a??"), (b"a\x7fb", "a?b"), ("aé€😀b".encode(), "aé€😀b"), (b"a\xc2\xa0b", "a\u00a0b")):
            with self.subTest(hostile):
                self.assertIn(f"'{shown}'", self.shown(os.fsdecode(hostile)))
                self.assertIn(f"'{shown}'", self.shown("explain", os.fsdecode(hostile)))

    # ESC, CSI as one byte and as UTF-8, BEL, carriage return, DEL, and what is no UTF-8.
    hostile = b"x\x1b[31mx\x9b31mx\xc2\x9bx\x07\r\x7f\xffx"

    def every_command(self, root, place, *load):
        root = ("--root", root)
        for command in (("show",), ("plan", *load), ("cmdline", *load), ("e820", *load), ("map", *load), ("map", "--svg", *load), ("check", "--place", *load),
                        ("verify",), ("recommend", *load), ("status",), ("status", "--prometheus"), ("enable", "--dry-run"), ("enable",), ("disable", "--dry-run"),
                        ("disable",), ("shrink", "--dry-run"), ("kexec", "--dry-run"), ("capture", os.path.join(place, "new"))):
            behind = ("--", "-p", "--append=nr_cpus=1", "/no/such") if command[0] == "kexec" else ()
            if command[0] in ("capture", "enable", "disable") and "--dry-run" not in command:
                yield (*command, *root)
            else:
                yield (*command, *root, *behind)
                if not {"--svg", "--prometheus", "--dry-run"} & set(command):
                    yield (*command, "--json", *root, *behind)
        yield ("audit", root[1])
        yield ("audit", "--json", root[1])

    def test_hostile_text_from_everywhere_does_not_speak_to_the_terminal(self):
        def log(tree):
            lines = tree.read("dmesg").splitlines()
            tree.write("dmesg", b"\n".join(line + b" " + self.hostile for line in lines) + b"\n")

        def log_before(tree):
            lines = tree.read("dmesg").splitlines()
            tree.write("dmesg", b"\n".join(line.replace(b"] ", b"] " + self.hostile, 1) for line in lines) + b"\n")

        def command_line(tree):
            tree.write("proc/cmdline", tree.read("proc/cmdline").rstrip(b"\n") + b" iommu=" + self.hostile.replace(b"\r", b"") + b"\n")

        def values(tree):
            for name in ("proc/sys/kernel/osrelease", "sys/kernel/debug/swiotlb/io_tlb_nslabs", "sys/devices/system/cpu/possible", "etc/os-release",
                         "sys/firmware/memmap/0/type", "usr/sbin/kexec"):
                tree.write(name, b"ID=" + self.hostile + b"\nkexec-tools 2.0.25" + self.hostile + b"\n")

        def iomem(tree):
            tree.write("proc/iomem", tree.read("proc/iomem").replace(b"System RAM", b"System RAM" + self.hostile))

        def iomem_line(tree):
            tree.write("proc/iomem", tree.read("proc/iomem") + self.hostile + b"\n")

        def config(tree):
            tree.write("etc/default/kdump-tools", b"KDUMP_CMDLINE_APPEND=\"" + self.hostile + b"\"\n")

        def damaged_config(tree):
            tree.write("etc/default/kdump-tools", b"# >>> swiotlb-handoff enable >>>" + self.hostile + b"\n")

        def kernel_config(tree):
            tree.write("boot/config-6.1.0-50-amd64", b"CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"" + self.hostile + b"\"\nCONFIG_" + self.hostile + b"=y\n")

        for spoil in (log, log_before, command_line, values, iomem, iomem_line, config, damaged_config, kernel_config):
            with Tree("debian-6.1-kexec-load") as tree, Tree() as place:
                tree.write("usr/sbin/kdump-config", b". /etc/default/kdump-tools\n")
                tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\n")
                tree.install_handoff()
                spoil(tree)
                for command in self.every_command(tree.root, place.root):
                    with self.subTest(spoil.__name__, command=command):
                        self.shown(*command)

    def test_hostile_names_of_files_do_not_speak_to_the_terminal(self):
        with Tree() as place:
            machine = os.path.join(os.fsencode(place.root), self.hostile)
            shutil.copytree(os.fsencode(ready), machine)
            os.makedirs(os.path.join(machine, b"usr/sbin"), exist_ok=True)
            with open(os.path.join(machine, b"usr/sbin/kdump-config"), "wb") as script:
                script.write(b". /etc/default/kdump-tools\n")
            name = os.fsdecode(machine)
            for command in self.every_command(name, os.path.join(place.root, os.fsdecode(self.hostile) + "2")):
                with self.subTest(command=command):
                    self.shown(*command)
            for command in (("plan", "--root", ready, "--kernel", name + "/vmlinuz"), ("plan", "--root", ready, "--kernel", name), ("plan", "--root", ready, "--initrd", name),
                            ("check", "--record", name), ("check", "--e820", name), ("check", "--elfcorehdr", name), ("e820", "--input", name),
                            ("plan", "--root", ready, "--command-line", "nr_cpus=1 " + os.fsdecode(self.hostile)), ("plan", "--accept", name), ("plan", "--loader", name),
                            ("plan", "--pool", name), ("status", "--root", ready, "--output", name + "/no/such"), ("explain", name), ("--" + name,), ("help", name),
                            ("kexec", "--root", ready, "--kexec", name, "--", "-p", name), ("shrink", "--root", ready, "--", name)):
                with self.subTest(command=command):
                    self.shown(*command)

    def test_a_hostile_record_does_not_speak_to_the_terminal(self):
        with tempfile.TemporaryDirectory(prefix="handoff-output-") as home:
            lab = faults.Lab(pathlib.Path(tool), pathlib.Path(os.environ["FAKE_KEXEC"]), pathlib.Path(machines), home)
            lab.run()
            path = lab.root / "run/swiotlb-handoff/record.json"
            record = lab.record()
            for key in [key for key, value in record.items() if isinstance(value, str)]:
                for text in ("x\x1b[31mx", "x\x9bx", "x\r\nx\x7f\x07"):
                    path.write_text(json.dumps({**record, key: text}, ensure_ascii=len(text) % 2 == 0))
                    for command in (("status",), ("status", "--json"), ("status", "--prometheus"), ("check",), ("check", "--json")):
                        more = ("--record", str(path)) if command[0] == "check" else ("--root", str(lab.root))
                        with self.subTest(key=key, text=text, command=command):
                            self.shown(*command, *more)

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

    def test_no_file_of_either_program_becomes_a_closed_standard_descriptor(self):
        """With each of the three closed: what the program prints goes into none of its files, and what kexec reads is none."""
        closings = [some for count in (1, 2, 3) for some in itertools.combinations(range(3), count)]

        def without(some, *command):
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                  preexec_fn=lambda: [os.close(fd) for fd in some], env={**os.environ, "OUT": self.place.root})
        for some in closings:
            with self.subTest(closed=some), Tree("debian-6.1-kexec-load") as tree, Tree() as self.place:
                tree.write("usr/sbin/kdump-config", b". /etc/default/kdump-tools\n")
                tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\n")
                tree.install_handoff()
                os.makedirs(tree.path("run"))
                kexec = tree.path("kexec")
                with open(kexec, "w", encoding="ascii") as script:
                    script.write('#!/bin/sh\nfor fd in 0 1 2; do link=$(readlink /proc/$$/fd/$fd); echo "$link" >>"$OUT/fds"; done\necho said by kexec\necho and of errors >&2\n')
                os.chmod(kexec, 0o755)
                for words in (("enable",), ("status", "--output", self.place.path("metrics")), ("status",), ("capture", self.place.path("new")),
                              ("plan", "--accept", "no-such-rule"), ("disable",)):
                    without(some, tool, *words, "--root", tree.root)
                for arguments in (("-p", "-c", "--append=nr_cpus=1", "/no/such"), ("-p", "-u"), ("--version",)):
                    without(some, tool, "kexec", "--root", tree.root, "--kexec", kexec, "--", *arguments)
                without(some, verify, tree.root)
                without(some, verify, "--report", self.place.path("report"), "--root", tree.root, "--kmsg", self.place.path("kmsg"), "--console",
                        self.place.path("console"))
                for link in self.place.read("fds").decode().split():
                    self.assertRegex(link, r"^(/dev/null|pipe:\[\d+\])$")
                self.assertRegex(self.place.read("metrics").decode(), r"^# HELP swiotlb_handoff_info ")
                for root in (tree.root, self.place.root):
                    for folder, _, names in os.walk(root):
                        for name in names:
                            if os.path.join(folder, name) in (kexec, self.place.path("fds"), self.place.path("report")):
                                continue
                            with open(os.path.join(folder, name), "rb") as file:
                                self.assertNotRegex(file.read(), rb"said by kexec|and of errors|\nNext: |written     |^landing|(?m:^swiotlb-handoff: )", name)
                if os.path.exists(self.place.path("report")):
                    self.assertRegex(self.place.read("report"), rb"^swiotlb-handoff: ")

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
