#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each file that is read, damaged in each way, one at a time.

What has to come of it: one line that names the file (and the line in it) and says
what was expected, and status 1; or, where the file is no source any more and
another one answers, a verdict that says so. Never a crash, a wait, or a plan that
is ready on less than it had.
"""
import json
import os
import random
import re
import unittest

from harness import INPUT, NOT_PERMITTED, READY, REFUSED, Tree, can_inject, machines, run

machine = "debian-6.1-kexec-load"
load = ("--loader", "kexec_load", "--command-line", "console=ttyS0 reset_devices nr_cpus=1 irqpoll", "--json")
commands = (("show",), ("plan", *load), ("cmdline",), ("e820",), ("check", "--place", "--command-line", "swiotlb_handoff=0x71000000-0x75000000"), ("verify",))

binary = random.Random(1).randbytes(4096)
nested = "".join("  " * depth + f"{depth:08x}-0009fbff : level {depth}\n" for depth in range(100)).encode()


def middle(content, piece):
    return content[:len(content) // 2] + piece + content[len(content) // 2:]


def line(text, number):
    """After line `number` of /proc/iomem, 1-based, comes `text`."""
    def damage(content):
        lines = content.splitlines(keepends=True)
        return b"".join(lines[:number]) + text.encode() + b"".join(lines[number:])
    return damage


def replace(old, new):
    def damage(content):
        assert re.search(old, content), old
        return re.sub(old, new, content, count=1)
    return damage


empty = lambda _: b""
truncated = lambda content: content[:-len(content) // 3]
crlf = lambda content: content.replace(b"\n", b"\r\n")
nul = lambda content: middle(content, b"\0")
no_newline = lambda content: content.rstrip(b"\n")
huge = lambda content: content + b"#" * (100 << 20)
noise = lambda _: binary

same = None  # nothing that matters is different: ready as before

# file, what is done to it, status, what the one line on stderr or the refusal says
table = [
    # --- /proc/iomem
    ("proc/iomem", "empty", empty, INPUT, r"proc/iomem: expected lines of 'start-end : name', found nothing"),
    ("proc/iomem", "truncated", lambda c: c[:701], INPUT, r"proc/iomem:\d+: expected 'start-end : name'"),
    ("proc/iomem", "binary", noise, INPUT, r"proc/iomem:1: expected "),
    ("proc/iomem", "NUL", nul, INPUT, r"proc/iomem:\d+: expected text, found a NUL byte"),
    ("proc/iomem", "CRLF", crlf, READY, same),
    ("proc/iomem", "no newline at the end", no_newline, READY, same),
    ("proc/iomem", "100 MB", huge, INPUT, r"proc/iomem: larger than 64 MiB"),
    ("proc/iomem", "blank lines", lambda c: c.replace(b"\n", b"\n\n"), READY, same),
    ("proc/iomem", "reversed range", line("00002000-00001000 : x\n", 2), INPUT, r"proc/iomem:3: expected an end that is not below the start"),
    ("proc/iomem", "65 bits", line("10000000000000000-10000000000000fff : x\n", 2), INPUT, r"proc/iomem:3: expected 'start-end : name' in hexadecimal"),
    ("proc/iomem", "end of 64 bits", line("fffffffffffff000-ffffffffffffffff : x\n", 2), INPUT, r"proc/iomem:3: expected an end below the last 64-bit address"),
    ("proc/iomem", "no name", line("00001000-00001fff : \n", 2), INPUT, r"proc/iomem:3: expected 'start-end : name'"),
    ("proc/iomem", "decimal", line("four-five : x\n", 2), INPUT, r"proc/iomem:3: expected 'start-end : name' in hexadecimal"),
    ("proc/iomem", "a level is skipped", line("    00001000-00001fff : x\n", 2), INPUT, r"proc/iomem:3: expected a nesting of at most 1, found 2"),
    ("proc/iomem", "everything twice", lambda c: c + c, INPUT, r"proc/iomem:\d+: expected 'Reserved' once for each address"),
    ("proc/iomem", "RAM twice", lambda c: c + b"130000000-13fffffff : System RAM\n", INPUT, r"proc/iomem:\d+: expected 'System RAM' once for each address"),
    ("proc/iomem", "RAM that is ACPI's as well", lambda c: c + b"130000000-13fffffff : ACPI Tables\n", INPUT,
     r"proc/iomem:\d+: expected 'ACPI Tables' once for each address"),
    ("proc/iomem", "RAM that was given back", replace(rb"( : Crash kernel\n)", rb"\1  7f000000-7f0fffff : System RAM\n"), READY, same),
    ("proc/iomem", "reservation twice", replace(rb"(  75000000-7effffff : Crash kernel\n)", rb"\1\1"), INPUT, r"proc/iomem:\d+: expected 'Crash kernel' once"),
    ("proc/iomem", "reservation outside of RAM", replace(rb"75000000-7effffff : Crash", rb"f5000000-feffffff : Crash"), INPUT,
     r"proc/iomem:\d+: expected 'Crash kernel' inside of one System RAM range"),
    ("proc/iomem", "nested 100 deep", lambda c: c + nested, READY, same),
    ("proc/iomem", "ten thousand lines", lambda c: c + b"".join(b"%x-%x : PCI Bus\n" % (0x10000000000 + i * 4096, 0x10000000fff + i * 4096) for i in range(10000)),
     READY, same),
    ("proc/iomem", "all zeros", lambda c: re.sub(rb"[0-9a-f]{8,}-[0-9a-f]{8,}", b"00000000-00000000", c), NOT_PERMITTED, r"proc/iomem: every address is zero"),
    ("proc/iomem", "reservation of an exabyte", lambda c: c + b"1000000000000-fffffffffffff : System RAM\n  1000000000000-fffffffffffff : Crash kernel\n",
     REFUSED, r"crashkernel-reserved: The reservation .* cannot be that of a real machine"),
    # --- the kernel log
    ("dmesg", "empty", empty, REFUSED, r"pool-found: No source shows a pool of the running kernel"),
    ("dmesg", "binary", noise, REFUSED, r"pool-found: No source shows a pool of the running kernel"),
    ("dmesg", "CRLF", crlf, READY, same),
    ("dmesg", "no newline at the end", no_newline, READY, same),
    ("dmesg", "100 MB", huge, REFUSED, r"source-unread: dmesg: larger than 64 MiB"),
    ("dmesg", "reversed pool", replace(rb"mapped \[mem 0x0*71000000-0x0*75000000\]", b"mapped [mem 0x75000000-0x71000000]"), INPUT, r"dmesg:\d+: expected "),
    ("dmesg", "65 bits", replace(rb"mapped \[mem 0x0*71000000-", b"mapped [mem 0x10000000071000000-"), INPUT, r"dmesg:\d+: expected "),
    ("dmesg", "pool of nothing", replace(rb"mapped \[mem 0x0*71000000-0x0*75000000\]", b"mapped [mem 0x71000000-0x71000000]"), INPUT, r"dmesg:\d+: expected "),
    ("dmesg", "pool elsewhere than memory says", replace(rb"mapped \[mem 0x0*71000000-0x0*75000000\]", b"mapped [mem 0x61000000-0x61400000]"), INPUT, r"dmesg:\d+: expected '\[mem"),
    ("dmesg", "a map out of order", lambda c: b"".join(reversed(c.splitlines(keepends=True))), INPUT, r"dmesg:\d+: expected a range above"),
    ("dmesg", "ten thousand e820 lines", lambda c: c + b"BIOS-provided physical RAM map:\n" + b"".join(
        b"BIOS-e820: [mem 0x%016x-0x%016x] usable\n" % (i << 20, (i << 20) + 4095) for i in range(10000)), REFUSED, r"sources-agree"),
    # --- the command line
    ("proc/cmdline", "binary", noise, INPUT, r"proc/cmdline: expected one line of text"),
    ("proc/cmdline", "NUL", nul, INPUT, r"proc/cmdline: expected one line of text"),
    ("proc/cmdline", "two lines", lambda c: c + c, INPUT, r"proc/cmdline: expected one line of text"),
    ("proc/cmdline", "CRLF", crlf, READY, same),
    ("proc/cmdline", "no newline at the end", no_newline, READY, same),
    ("proc/cmdline", "empty", empty, REFUSED, r"sources-agree"),
    # --- the firmware's map
    ("sys/firmware/memmap/1/start", "missing", None, READY, r"sys/firmware/memmap/1/start: expected start, end and type of each entry"),
    ("sys/firmware/memmap/1/start", "empty", empty, INPUT, r"1/start: expected a 64-bit address, 0x..., found nothing"),
    ("sys/firmware/memmap/1/end", "binary", noise, INPUT, r"1/end: expected a 64-bit address"),
    ("sys/firmware/memmap/1/end", "CRLF", crlf, INPUT, r"1/end: expected a 64-bit address"),
    ("sys/firmware/memmap/1/end", "reversed", lambda _: b"0x0\n", INPUT, r"memmap: 1"),
    ("sys/firmware/memmap/1/end", "end of 64 bits", lambda _: b"0xffffffffffffffff\n", INPUT, r"memmap: 1"),
    ("sys/firmware/memmap/1/end", "65 bits", lambda _: b"0x10000000000000000\n", INPUT, r"1/end: expected a 64-bit address"),
    ("sys/firmware/memmap/1/type", "unknown", lambda _: b"Liquorice\n", INPUT, r"1/type: expected the name of a memory type"),
    # --- single values: noted, and done without
    ("sys/kernel/debug/swiotlb/io_tlb_nslabs", "empty", empty, READY, r"io_tlb_nslabs:1: expected a decimal number, found nothing"),
    ("sys/kernel/debug/swiotlb/io_tlb_nslabs", "binary", noise, READY, r"io_tlb_nslabs:1: expected a decimal number"),
    ("sys/kernel/debug/swiotlb/io_tlb_nslabs", "65 bits", lambda _: b"18446744073709551616\n", READY, r"io_tlb_nslabs:1: expected a decimal number"),
    ("sys/kernel/debug/swiotlb/io_tlb_nslabs", "another number", lambda _: b"16384\n", REFUSED, r"pool-slabs: "),
]


class BadInput(unittest.TestCase):
    def test_the_machine_is_ready_undamaged(self):
        with Tree(machine) as tree:
            self.assertEqual(run("plan", "--root", tree.root, *load).status, READY)

    def test_each_file_damaged_in_each_way(self):
        with Tree(machine) as tree:
            expected = json.loads(run("plan", "--root", tree.root, *load).out)
        for file, what, damage, status, pattern in table:
            with self.subTest(f"{file}: {what}"), Tree(machine) as tree:
                if damage:
                    tree.write(file, damage(tree.read(file)))
                else:
                    tree.remove(file)
                done = run("plan", "--root", tree.root, *load)
                self.assertEqual(done.status, status, done)
                if status in (INPUT, NOT_PERMITTED):
                    self.assertEqual(done.out, "")
                    self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                    self.assertRegex(done.err, pattern)
                    continue
                plan = json.loads(done.out)
                reasons = "\n".join(f"{r['rule']}: {r['text']}" for r in plan["reasons"])
                if pattern:
                    self.assertRegex(reasons, pattern)
                if status == READY:  # on the same facts
                    for key in ("pool", "append") if pattern else ("pool", "append", "after"):
                        self.assertEqual(plan[key], expected[key])
                else:
                    self.assertEqual(plan["append"], "")

    def test_no_command_crashes_or_says_more_than_a_line(self):
        for file, what, damage, _, _ in table:
            if "100 MB" in what or "ten thousand" in what:
                continue
            with Tree(machine) as tree:
                if damage:
                    tree.write(file, damage(tree.read(file)))
                else:
                    tree.remove(file)
                for command in commands:
                    with self.subTest(f"{file}: {what}: {command[0]}"):
                        done = run(*command, "--root", tree.root)
                        self.assertRegex(done.err, r"^(swiotlb-handoff: [^\n]+\n)?$")


class Files(unittest.TestCase):
    """The files that the user names."""

    def setUp(self):
        self.tree = Tree(machine)
        self.addCleanup(self.tree.__exit__)

    def refuse(self, pattern, *arguments):
        done = run(*arguments)
        self.assertEqual((done.status, done.out), (INPUT, ""), done)
        self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
        self.assertRegex(done.err, pattern)

    def test_a_kernel_that_is_none(self):
        for what, content in (("empty", b""), ("binary", binary), ("text", b"hello\n"), ("sector", bytes(510) + b"\x55\xaa"), ("ELF", b"\x7fELF" + bytes(1000))):
            with self.subTest(what):
                self.tree.write("vmlinuz", content)
                self.refuse(r"vmlinuz: not a bzImage: expected", "plan", "--root", self.tree.root, "--kernel", self.tree.path("vmlinuz"))
        self.refuse(r"expected a regular file|Is a directory", "plan", "--root", self.tree.root, "--kernel", self.tree.root)
        self.refuse(r"No such file", "plan", "--root", self.tree.root, "--kernel", self.tree.path("none"))

    def test_core_headers_that_are_none(self):
        for what, content in (("empty", b""), ("binary", binary), ("cut", b"\x7fELF\x02\x01\x01"), ("32 bits", b"\x7fELF\x01\x01\x01" + bytes(100)),
                              ("no core", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(44))):
            with self.subTest(what):
                self.tree.write("core", content)
                self.refuse(r"core: expected ", "check", "--command-line", "nr_cpus=1", "--elfcorehdr", self.tree.path("core"))

    def test_tables_that_are_none(self):
        entry = (0).to_bytes(8, "little") + (4096).to_bytes(8, "little") + (1).to_bytes(4, "little")
        wrap = (4096).to_bytes(8, "little") + (2**64 - 1).to_bytes(8, "little") + (1).to_bytes(4, "little")
        for form, content, pattern in (
                ("log", b"", "expected e820 lines, found none"),
                ("log", b"BIOS-e820: [mem 0x2000-0x1000] usable\n", r":1: expected"),
                ("log", b"x\nBIOS-e820: [mem 0x1000-0x2fff] usable\nBIOS-e820: [mem 0x0000-0x0fff] usable\ny\nBIOS-e820: [mem 0x0-0x1] nonsense\n", r":\d+: expected"),
                ("iomem", b"", "expected lines"),
                ("iomem", b"0-1 : System RAM\n00-zz : System RAM\n", r":2: expected"),
                ("json", b"", r"expected"), ("json", b"{\"entries\": [{\"start\": 5}]}", r"expected"), ("json", b"[" * 100000, r"expected"), ("json", b"{\"a\":\xff}", r"expected"),
                ("json", b'{"entries": [{"start": "0x2000", "end": "0x1000", "type": 1}]}', r"expected"),
                ("json", b'{"entries": [{"start": "0x0", "end": "0x10000000000000000", "type": 1}]}', r"expected"),
                ("binary", entry[:-1], r"expected"), ("binary", entry + entry[:7], r"expected"), ("binary", wrap, r"expected")):
            with self.subTest(f"{form} {content[:40]}"):
                self.tree.write("table", content)
                self.refuse(pattern, "e820", "--input", self.tree.path("table"), "--input-format", form)
                done = run("e820", "--input", self.tree.path("table"))  # whatever it is taken for
                self.assertIn(done.status, (READY, INPUT), done)

    def test_standard_input_is_read_like_a_file(self):
        text = self.tree.read("proc/iomem")
        self.tree.write("table", text)
        done = run("e820", "--input", "-", stdin=text)
        self.assertEqual(done.out, run("e820", "--input", self.tree.path("table")).out)
        self.assertEqual(done.status, READY)


class Limits(unittest.TestCase):
    """Numbers that are well formed and that no machine has. Each of these once wrapped around, or took all memory."""

    def plan(self, tree, *more, line="nr_cpus=1 reset_devices"):
        done = run("plan", "--root", tree.root, "--loader", "kexec_load", "--command-line", line, "--json", *more)
        return done.status, json.loads(done.out) if done.out else done.err

    def refusals(self, plan):
        return [r["rule"] for r in plan["reasons"] if r["severity"] == "refusal"]

    def test_a_log_buffer_of_any_size_never_makes_the_early_memory_less(self):
        with Tree(machine) as tree:
            for size in ("1G", "4G", "16E", "17592186044415M", "18446744073709551615", "0xffffffffffffffff", "8E", "9223372036854775808"):
                with self.subTest(size):
                    status, plan = self.plan(tree, line="nr_cpus=1 reset_devices log_buf_len=" + size)
                    # The kernel itself takes no more than 2 GiB and leaves such a word alone; what must not be is less than without.
                    if status == READY:
                        self.assertGreaterEqual(plan["early_bytes"], self.plan(tree)[1]["early_bytes"])
                    else:
                        self.assertEqual(status, REFUSED, plan)

    def test_a_reservation_of_any_size_is_answered(self):
        for end in (0xfffffffffffff, 0xffffffffffffe, 0x7fffffffffffffff, 0xfffffffffffffffe):
            with self.subTest(hex(end)), Tree(machine) as tree:
                tree.write("proc/iomem", tree.read("proc/iomem") + b"1000000000000-%x : System RAM\n  1000000000000-%x : Crash kernel\n" % (end, end))
                status, plan = self.plan(tree)
                self.assertEqual(status, REFUSED, plan)
                self.assertEqual(self.refusals(plan), ["crashkernel-reserved"])

    def test_as_many_cpus_as_can_be_written_are_not_few(self):
        for text in ("0-4294967295", "0-18446744073709551615", "0-18446744073709551614", "0-4294967296,0-18446744073709551615", "0-1048575,1048576"):
            with self.subTest(text), Tree(machine) as tree:
                tree.write("sys/devices/system/cpu/possible", text.encode() + b"\n")
                _, plan = self.plan(tree)
                self.assertRegex("\n".join(r["text"] for r in plan["reasons"]), r"expected a list such as 0-3,5")

    def test_an_initrd_of_terabytes_does_not_fit(self):
        with Tree(machine) as tree:
            tree.write("initrd", b"")
            for size in (1 << 33, 1 << 43):
                with self.subTest(size):
                    os.truncate(tree.path("initrd"), size)
                    status, plan = self.plan(tree, "--initrd", tree.path("initrd"))
                    self.assertEqual(status, REFUSED, plan)
                    self.assertIn("load-fits", self.refusals(plan))

    def test_an_iomem_that_ends_in_the_middle_of_a_line_is_no_shorter_machine(self):
        with Tree(machine) as tree:
            whole = tree.read("proc/iomem")
            for cut in range(len(whole) - 1, len(whole) - 40, -3):
                tree.write("proc/iomem", whole[:cut])
                status, plan = self.plan(tree)
                # Either nothing that matters is gone, a last name shorter, or it is said.
                self.assertIn(status, (READY, INPUT), plan)
                if status == INPUT:
                    self.assertRegex(plan, r"proc/iomem:\d+: expected")


class HostileTree(unittest.TestCase):
    """A directory of somebody else's, read by root."""

    files = ("proc/iomem", "proc/cmdline", "proc/version", "proc/kallsyms", "proc/kcore", "dmesg", "sys/kernel/btf/vmlinux", "sys/firmware/memmap/0/start",
             "sys/kernel/debug/swiotlb/io_tlb_nslabs", "sys/firmware/acpi/tables/SRAT", "usr/sbin/kexec", "boot/vmlinuz-6.1.0-50-amd64", "var/lib/kdump/vmlinuz",
             "var/lib/kdump/initrd.img")
    secret = "swiotlb-handoff-must-not-say-this"

    def each(self, make):
        for file in self.files:
            with self.subTest(file), Tree(machine) as tree, Tree() as outside:
                outside.write("secret", f"{self.secret}\n".encode() * 100)
                if os.path.lexists(tree.path(file)):
                    tree.remove(file)
                os.makedirs(os.path.dirname(tree.path(file)), exist_ok=True)
                if file.startswith("var/lib/kdump/"):
                    tree.write("usr/sbin/kdump-config", b"")  # whose images those are
                make(tree.path(file), outside)
                for command in (*commands, ("capture", outside.path("out"))):
                    done = run(*command, "--root", tree.root)
                    self.assertNotIn(self.secret, done.out + done.err)
                self.assertEqual(sorted(os.listdir(outside.root)), ["out", "secret"])
                for folder, _, names in os.walk(outside.path("out")):
                    for name in names:
                        with open(os.path.join(folder, name), "rb") as f:
                            self.assertNotIn(self.secret.encode(), f.read())

    def test_a_link_out_of_it_leads_nowhere(self):
        self.each(lambda path, outside: os.symlink(outside.path("secret"), path))

    def test_nor_does_a_relative_one(self):
        self.each(lambda path, outside: os.symlink("../" * 20 + outside.path("secret").lstrip("/"), path))

    def test_nor_does_a_directory_that_is_one(self):
        for directory, inside in (("proc", "iomem"), ("sys/firmware/memmap", "0/start"), ("sys/kernel/debug", "swiotlb/io_tlb_nslabs")):
            with self.subTest(directory), Tree(machine) as tree, Tree() as outside:
                outside.write(inside, f"{self.secret}\n".encode())
                tree.remove(directory)
                os.symlink(outside.root, tree.path(directory))
                for command in commands:
                    done = run(*command, "--root", tree.root)
                    self.assertNotIn(self.secret, done.out + done.err)

    def test_a_pipe_is_not_waited_for(self):
        self.each(lambda path, _: os.mkfifo(path))

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_a_device_is_not_opened(self):
        import stat
        # 1:5 is /dev/zero, which has no end.
        try:
            self.each(lambda path, _: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)))
        except PermissionError:
            self.skipTest("no devices here")

    def test_a_directory_and_a_deep_one(self):
        def deep(path, _):
            os.mkdir(path)
            here = os.open(path, os.O_RDONLY)
            for _ in range(200):
                os.mkdir("d", dir_fd=here)
                below = os.open("d", os.O_RDONLY, dir_fd=here)
                os.close(here)
                here = below
            os.close(here)
        self.each(deep)

    def test_a_file_with_a_hole_of_a_terabyte(self):
        def sparse(path, _):
            with open(path, "wb") as f:
                f.truncate(1 << 40)
        self.each(sparse)

    def test_ten_thousand_map_entries(self):
        with Tree(machine) as tree:
            known = len(os.listdir(tree.path("sys/firmware/memmap")))
            for i in range(known, known + 10000):
                for name, content in (("start", b"0x0\n"), ("end", b"0xfff\n"), ("type", b"Reserved\n")):
                    tree.write(f"sys/firmware/memmap/{i}/{name}", content)
            # They say one thing ten thousand times, behind what the machine says.
            self.assertEqual(run("plan", "--root", tree.root, *load).status, READY)

    def test_a_release_with_dots_and_slashes_names_no_other_file(self):
        with Tree(machine) as tree:
            tree.write("proc/sys/kernel/osrelease", b"/../../../../../../../../etc/passwd\n")
            self.assertNotIn("root:", run("plan", "--root", tree.root).err)

    def test_what_it_says_does_not_speak_to_the_terminal(self):
        with Tree(machine) as tree:
            tree.write("proc/sys/kernel/osrelease", b"6.1\x1b]0;owned\x07\n")
            tree.write("proc/cmdline", b"iommu=\x1b[2Jpt swiotlb=force a\x1b[31m\n")
            for command in (("show",), ("plan", "--command-line", "nr_cpus=1 iommu=\x1b[31m"), ("cmdline", "--command-line", "iommu=\x1b[31m"), ("verify",)):
                done = run(*command, "--root", tree.root)
                self.assertNotRegex(done.out + done.err, "[\x00-\x08\x0b-\x1f\x7f]")


class HostileTreeThatIsWrittenTo(unittest.TestCase):
    """Root works below a directory of somebody else's, and whatever links are there, nothing outside of it changes."""

    config = "etc/default/kdump-tools"
    written = (config, config + ".before-swiotlb-handoff", "run/swiotlb-handoff/record.json", "run/swiotlb-handoff/lock", "run/swiotlb-handoff/passed",
               "var/lib/swiotlb-handoff/record.json")

    def commands(self, tree):
        kexec = tree.path("kexec")
        with open(kexec, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n")
        os.chmod(kexec, 0o755)
        for arguments in ("-p -c --append=nr_cpus=1 /no/such", "-p -f", "-p -u"):
            yield ("kexec", "--root", tree.root, "--kexec", kexec, "--", *arguments.split())
        for command in ("enable", "status", "disable"):
            yield (command, "--root", tree.root)

    def each(self, inject=None):
        """Yields a tree, and a directory outside of it to be linked to; then runs every command that writes."""
        for file in self.written:
            for what in ("file", "directory", "directory above"):
                for relative in (False, True):
                    with self.subTest(file=file, what=what, relative=relative), Tree(machine) as tree, Tree() as outside:
                        tree.write("usr/sbin/kdump-config", b"#!/bin/sh\n. /etc/default/kdump-tools\n")
                        tree.install_handoff()
                        tree.write(self.config, b"USE_KDUMP=1\n")
                        for name in self.written:
                            outside.write(name, b"USE_KDUMP=1\n")  # one that would be taken for its own
                        at = {"file": file, "directory": os.path.dirname(file), "directory above": file.split("/", 1)[0]}[what]
                        target = outside.path(at)
                        if relative:
                            target = os.path.join("../" * 20, target[1:])
                        if os.path.lexists(tree.path(at)):
                            tree.remove(at)
                        os.makedirs(os.path.dirname(tree.path(at)), exist_ok=True)
                        os.symlink(target, tree.path(at))
                        before = self.state(outside)
                        for command in self.commands(tree):
                            run(*command, inject=inject)
                            self.assertEqual(self.state(outside), before, command)

    @staticmethod
    def state(tree):
        """Each file's contents and what cannot be kept by whoever replaces it."""
        found = {}
        for folder, _, names in os.walk(tree.root):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    found[path] = (f.read(), os.lstat(path).st_ino)
        return found

    def test_nothing_outside_of_it_is_changed(self):
        self.each()

    @unittest.skipUnless(can_inject(), "needs strace")
    def test_nor_where_there_is_no_openat2(self):
        self.written = self.written[:3]
        self.each("openat2:error=ENOSYS")

    def test_links_inside_of_it_work(self):
        with Tree(machine) as tree:
            tree.write("usr/sbin/kdump-config", b"#!/bin/sh\n. /etc/default/kdump-tools\n")
            tree.install_handoff()
            tree.write("etc/real/kdump-tools", b"USE_KDUMP=1\n")
            os.symlink("/etc/real", tree.path("etc/default"))
            os.symlink("../var/run", tree.path("run"))
            os.makedirs(tree.path("var/run"))
            for command in self.commands(tree):
                done = run(*command)
                if command[0] == "enable":
                    self.assertEqual(done.status, READY, done)
                    self.assertIn(b"swiotlb-handoff", tree.read("etc/real/kdump-tools"))
            self.assertEqual(os.listdir(tree.path("etc/real")), ["kdump-tools"], "no backup and no temporary file is left")
            self.assertTrue(os.path.isdir(tree.path("var/run/swiotlb-handoff")))

    def test_metrics_are_not_written_through_a_link(self):
        with Tree(machine) as tree, Tree() as place:
            place.write("precious", b"x")
            os.symlink("precious", place.path("metrics"))
            done = run("status", "--root", tree.root, "--output", place.path("metrics"))
            self.assertEqual(done.status, INPUT, done)
            self.assertIn("symbolic link", done.err)
            self.assertEqual(place.read("precious"), b"x")
            self.assertEqual(sorted(os.listdir(place.root)), ["metrics", "precious"])


class Capture(unittest.TestCase):
    def test_writes_nothing_outside_of_its_directory(self):
        with Tree() as place:
            done = run("capture", "--root", os.path.join(machines, machine), place.path("new"), cwd=place.root)
            self.assertEqual(done.status, READY, done)
            self.assertEqual(os.listdir(place.root), ["new"])
            self.assertEqual(os.stat(place.path("new")).st_mode & 0o077, 0)
            for folder, folders, names in os.walk(place.path("new")):
                for name in names:
                    self.assertTrue(os.path.isfile(os.path.join(folder, name)) and not os.path.islink(os.path.join(folder, name)))
                    self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o133, 0, name)

    def test_refuses_what_is_there(self):
        with Tree() as place:
            place.write("full/file", b"x")
            os.symlink(place.path("full"), place.path("link"))
            os.symlink(place.path("nowhere"), place.path("dangling"))
            os.mkfifo(place.path("pipe"))
            for name in ("full", "full/file", "link", "dangling", "pipe", "no/such/parent"):
                with self.subTest(name):
                    before = sorted(os.listdir(place.root))
                    done = run("capture", "--root", os.path.join(machines, machine), place.path(name))
                    self.assertEqual(done.status, INPUT, done)
                    self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                    self.assertEqual(sorted(os.listdir(place.root)), before)


@unittest.skipUnless(can_inject(), "needs strace")
class WithoutOpenat2(unittest.TestCase):
    """Linux before 5.6, and a sandbox that hides it: systemd's with RestrictSUIDSGID=."""

    missing = "openat2:error=ENOSYS"

    @unittest.skipIf(os.geteuid() != 0, "needs root to read /proc/iomem")
    def test_the_running_machine_is_read_through_its_links_all_the_same(self):
        # /sys/bus/pci/devices has nothing but links.
        with Tree() as tree:
            self.assertEqual(run("capture", tree.path("without"), inject=self.missing).out, run("capture", tree.path("with")).out)
            if os.listdir("/sys/bus/pci/devices"):
                self.assertIn("devices", os.listdir(tree.path("without/sys/bus/pci")))

    def test_a_link_in_a_captured_directory_is_not_followed(self):
        for target in ("/proc/iomem", "version"):
            with Tree(machine) as tree:
                tree.remove("proc/iomem")
                os.symlink(target, tree.path("proc/iomem"))
                done = run("plan", "--root", tree.root, inject=self.missing)
                self.assertEqual(done.status, INPUT, done)
                self.assertIn("proc/iomem", done.err)


if __name__ == "__main__":
    unittest.main()
