#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the crash kernel's initramfs runs: verify --report tells everybody, and never stops a dump.

    test_report.py PATH-OF-SWIOTLB-HANDOFF-VERIFY DIRECTORY-OF-DROPINS
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

VERIFY = DROPINS = None
SIZE_LIMIT = 512 << 10    # bytes in the crash kernel's initramfs
MEMORY_LIMIT = 1536 << 10  # bytes of memory there


def btf(types_of_each_kind):
    """BTF of a kernel from 6.6 on, struct io_tlb_mem among many other types (Documentation/bpf/btf.rst)."""
    strings, types = bytearray(1), bytearray()

    def name(text):
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    def add(text, kind, count, size_or_type, *more):
        types.extend(struct.pack(f"<III{len(more)}I", name(text) if text else 0, kind << 24 | count, size_or_type, *more))

    def others(first):
        for i in range(first, first + types_of_each_kind):
            add(f"some_structure_{i}", 4, 2, 16, name(f"first_of_{i}"), 1, 0, name(f"second_of_{i}"), 1, 64)
            add(f"some_function_{i}", 12, 0, 1)
            add("", 2, 0, 1)

    add("long unsigned int", 1, 0, 8, 64)
    others(0)
    pool = types_of_each_kind * 3 + 2
    add("io_tlb_pool", 4, 4, 128, *(value for member in (("start", 1, 0), ("end", 1, 64), ("nslabs", 1, 192), ("slots", pool - 1, 448))
                                    for value in (name(member[0]), *member[1:])))
    add("io_tlb_mem", 4, 1, 256, name("defpool"), pool, 0)
    others(types_of_each_kind)
    return struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


def kcore(address, data):
    """A core file with one piece of memory."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 4, 120, address, 0, len(data), len(data), 4096) + data


class DracutModule(unittest.TestCase):
    def asked_for(self, **variables):
        """Whether dracut takes the module, with these variables of its own."""
        with tempfile.TemporaryDirectory() as root:
            script = (DROPINS / "dracut/module-setup.sh").read_text()
            helper = Path(root + re.search(r"dracutsysrootdir(\S+/verify)", script)[1])
            helper.parent.mkdir(parents=True)
            helper.touch(0o755)
            done = subprocess.run(["bash", "-c", script + "\ncheck"], env={"PATH": os.environ["PATH"], "dracutsysrootdir": root, **variables}, capture_output=True)
            return done.returncode == 0

    def test_is_in_an_initramfs_for_kdump(self):
        self.assertTrue(self.asked_for(IN_KDUMP="1"), "mkdumprd of Fedora")
        self.assertTrue(self.asked_for(add_dracutmodules=" kdump "), "mkdumprd of openSUSE")
        self.assertTrue(self.asked_for(outfile="/var/lib/kdump/initrd.img-6.14.0-15-generic.new"), "kdump-tools of Ubuntu")

    def test_is_in_no_other(self):
        self.assertFalse(self.asked_for(outfile="/boot/initrd.img-6.14.0-15-generic", add_dracutmodules=" lvm "))
        self.assertFalse(self.asked_for(outfile="/var/lib/kdumpster/initrd"))


class Report(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="handoff-report-")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.write("machine/proc/cmdline", "ro swiotlb=32768,force swiotlb_handoff=0x71000000-0x75000000\n")
        self.write("machine/dmesg", "[    0.100000] software IO TLB: mapped [mem 0x0000000071000000-0x0000000075000000] (64MB)\n")
        self.write("kmsg", "")
        self.write("console", "")

    def write(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def report(self, program=None, closed=()):
        command = [VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg",
                   "--console", self.root / "console", "--seconds", "2"]
        if program is not None:
            command += ["--run", self.write("program", program, 0o755)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=lambda: [os.close(fd) for fd in closed])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        path = self.root / "run/verify.txt"
        return path.read_text() if path.exists() else None

    def test_a_pool_at_its_place_is_said_calmly(self):
        text = self.report()
        self.assertEqual(text.splitlines()[0], "swiotlb-handoff: the pool is where the handoff promised it (exact)")
        self.assertIn("landing     exact", text)
        self.assertTrue((self.root / "kmsg").read_text().startswith("<5>"))

    def devices(self, *lines):
        """A crash kernel that two pools of single devices were handed to, and that has these."""
        self.write("machine/proc/cmdline", "ro swiotlb=32768,addr=0x71000000 memmap=64M@0x71000000,1M@0x40000000,1M@0x50000000 swiotlb_handoff=0x71000000-0x75000000 "
                   "swiotlb_dev=512,addr=0x40000000,00:04.0 swiotlb_dev=512,addr=0x50000000,00:05.0;00:06.0\n")
        ram = ("40000000-400fffff : System RAM", "50000000-500fffff : System RAM", "71000000-74ffffff : System RAM", "  71000000-74ffffff : Software IO TLB")
        self.write("machine/proc/iomem", "".join(f"{line}\n" for line in sorted((*ram, *lines), key=lambda line: line.split()[0])))

    def test_pools_of_single_devices_are_said_line_by_line(self):
        self.devices("  40000000-400fffff : Software IO TLB 00:04.0", "  50000000-500fffff : Software IO TLB 00:05.0;00:06.0")
        text = self.report()
        self.assertEqual(text.splitlines()[0], "swiotlb-handoff: the pool is where the handoff promised it (exact)")
        self.assertIn("device pool 0x000040000000-0x000040100000  1024 KiB  00:04.0: exact\n", text)
        self.assertIn("device pool 0x000050000000-0x000050100000  1024 KiB  00:05.0;00:06.0: exact\n", text)

    def test_a_pool_of_a_device_that_is_missing_is_said_loudly(self):
        self.devices("  40000000-400fffff : Software IO TLB 00:04.0")
        text = self.report()
        self.assertIn("WARNING: a pool of single devices is NOT where the handoff promised it", text.splitlines()[0])
        self.assertIn("00:04.0: exact\n", text)
        self.assertIn("00:05.0;00:06.0: no-pool\n", text)
        self.assertTrue((self.root / "kmsg").read_text().startswith("<2>swiotlb-handoff: WARNING"))

    def test_a_pool_of_a_device_may_be_elsewhere(self):
        self.devices("  40000000-400fffff : Software IO TLB 00:04.0", "  71000000-710fffff : Software IO TLB 00:05.0;00:06.0")
        self.assertIn("00:05.0;00:06.0: elsewhere, found at [0x71000000-0x71100000)\n", self.report())

    def test_a_pool_elsewhere_is_said_loudly_everywhere(self):
        self.write("machine/dmesg", "[    0.100000] software IO TLB: mapped [mem 0x0000000061000000-0x0000000065000000] (64MB)\n")
        text = self.report()
        self.assertIn("WARNING: the pool is NOT where the handoff promised it", text)
        self.assertTrue((self.root / "kmsg").read_text().startswith("<2>swiotlb-handoff: WARNING"), "KERN_CRIT reaches the console")
        self.assertIn("WARNING", (self.root / "console").read_text())

    def test_with_closed_standard_descriptors_it_says_the_same(self):
        said = self.report(), (self.root / "kmsg").read_text(), (self.root / "console").read_text()
        for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            for name in ("kmsg", "console"):
                self.write(name, "")
            self.assertEqual((self.report(closed=closed), (self.root / "kmsg").read_text(), (self.root / "console").read_text()), said, closed)

    def test_without_a_handoff_it_says_nothing(self):
        self.write("machine/proc/cmdline", "ro quiet\n")
        self.assertIsNone(self.report())
        self.assertEqual((self.root / "kmsg").read_text(), "")

    def test_whatever_verify_does_its_own_status_is_0_and_it_ends(self):
        for program, said in (("#!/bin/sh\nexit 1\n", "ended with status 1"), ("#!/bin/sh\nkill -SEGV $$\n", "A signal ended verify."),
                              ("#!/bin/sh\nsleep 1000\n", "did not end in time"), ("#!/bin/sh\nsleep 1000 &\n", "(exact)"),
                              ("#!/bin/sh\nwhile :; do echo noise; done\n", "did not end in time"), ("\x7fELF", "ended with status 127")):
            began = time.monotonic()
            self.assertIn(said, self.report(program))
            self.assertLess(time.monotonic() - began, 30, program)

    def test_a_machine_that_cannot_be_written_to_is_no_reason_to_fail(self):
        command = [VERIFY, "--report", "/proc/nowhere/verify.txt", "--root", self.root / "machine", "--kmsg", "/proc/nowhere", "--console", "/proc/nowhere"]
        self.assertEqual(subprocess.run(command).returncode, 0)
        self.assertEqual(subprocess.run([VERIFY, "--report", "/nowhere/x", "--root", self.root / "missing"]).returncode, 0)

    def test_too_little_memory_is_no_reason_to_fail(self):
        self.static()
        limit = 40 << 20
        little = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)), "capture_output": True, "text": True, "timeout": 60}
        report = [VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg", "--console", self.root / "console"]
        self.write("machine/dmesg", "a line\n" * (6 << 20))
        self.assertEqual(subprocess.run(report, **little).returncode, 0)
        self.assertIn("WARNING: It is not known where the pool is. verify ended with status 1", (self.root / "console").read_text())
        alone = subprocess.run([VERIFY, self.root / "machine"], **little)
        self.assertEqual(alone.returncode, 1)
        self.assertRegex(alone.stderr, r"^swiotlb-handoff: [^\n]+\n$")
        self.write("machine/proc/cmdline", "a " * (24 << 20))
        self.assertEqual(subprocess.run(report, **little).returncode, 0)

    def static(self):
        if "not a dynamic" not in subprocess.run(["ldd", VERIFY], capture_output=True, text=True).stderr and \
                "statically linked" not in subprocess.run(["ldd", VERIFY], capture_output=True, text=True).stdout:
            self.skipTest("this build of verify has a sanitizer's libraries")

    def machine_of_real_size(self):
        """What a real kernel has in these files: 200,000 symbols, 5 MB of BTF, 1000 lines of /proc/iomem."""
        at = 0xffffffff83a1b2c0
        symbols = [f"{0xffffffff81000000 + 16 * i:016x} T {'some_function_with_a_name_of_its_own_'[:8 + i % 30]}{i}" for i in range(180000)]
        symbols.insert(150000, f"{at:016x} b io_tlb_default_mem")
        symbols += [f"{0xffffffffc0000000 + 16 * i:016x} t some_function_{i}\t[some_module]" for i in range(20000)]
        self.write("machine/proc/kallsyms", "\n".join(symbols) + "\n")
        self.write("machine/proc/iomem", "00001000-3fffffff : System RAM\n" + "".join(
            f"{0x80000000 + i * 0x1000:08x}-{0x80000fff + i * 0x1000:08x} : PCI Bus 0000:{i:02x}\n" for i in range(1000)))
        types = btf(25000)
        self.assertGreater(len(types), 5 << 20)
        for name, data in (("sys/kernel/btf/vmlinux", types), ("proc/kcore", kcore(at, struct.pack("<4Q", 0x71000000, 0x75000000, 0, 32768)))):
            self.write(f"machine/{name}", "")
            (self.root / "machine" / name).write_bytes(data)

    def test_it_needs_no_more_memory_than_a_crash_kernel_can_spare(self):
        self.static()
        self.machine_of_real_size()
        done = subprocess.run([VERIFY, self.root / "machine"], capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT)))
        self.assertEqual((done.returncode, done.stderr), (0, ""), "all of its addresses, resident or not, are counted")
        self.assertRegex(done.stdout, r"found +0x000071000000-0x000075000000 .* memory \(proc/kcore\)")

    def test_it_says_how_much_memory_it_had(self):
        self.static()
        self.machine_of_real_size()
        subprocess.run([VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg",
                        "--console", self.root / "console", "--status", self.root / "status"], check=True)
        self.assertIn("(exact)", (self.root / "run/verify.txt").read_text())
        # Of the resident part older kernels keep count in batches only; that can be no more than this.
        peak = int(re.search(r"^VmPeak:\s*(\d+) kB$", (self.root / "status").read_text(), re.M)[1])
        print(f"verify: {peak} KiB at most")
        self.assertLessEqual(peak << 10, MEMORY_LIMIT)

    def test_it_never_takes_more_than_its_own_limit(self):
        self.static()
        self.write("machine/dmesg", "a line\n" * (1 << 20))
        self.assertIn("verify ended with status 1", self.report())
        self.assertIn("There is not enough memory to look for the pool.", (self.root / "run/verify.txt").read_text())

    def test_it_is_the_first_to_go_where_memory_runs_out(self):
        self.assertIn("\n1000\n", self.report("#!/bin/sh\ncat /proc/self/oom_score_adj\n"))

    def test_it_ends_by_itself_whatever_holds_it_up(self):
        program = self.write("program", "#!/bin/sh\nsleep 1000\n", 0o755)
        running = subprocess.Popen([VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg",
                                    "--console", self.root / "console", "--seconds", "1", "--run", program])
        time.sleep(0.5)
        running.send_signal(signal.SIGSTOP)
        time.sleep(7)
        running.send_signal(signal.SIGCONT)
        self.assertEqual(running.wait(timeout=10), -signal.SIGALRM)

    def test_it_adds_at_most_half_a_mebibyte(self):
        self.static()
        stripped = self.root / "stripped"
        subprocess.run(["strip", "-o", stripped, VERIFY], check=True)
        print(f"verify: {stripped.stat().st_size / 1024:.0f} KiB")
        self.assertLess(stripped.stat().st_size, SIZE_LIMIT)


MEMINFO = "MemTotal: {:>12} kB\nMemFree: {:>13} kB\nMemAvailable: {:>8} kB\n"


class Watch(unittest.TestCase):
    """verify --watch in a made-up crash kernel: a directory stands for /proc, and a running `sleep` for nobody."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="handoff-watch-")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.file = self.root / "run/memory.json"
        for name, text in (("proc/cmdline", "nr_cpus=1 swiotlb_handoff=0x71000000-0x75000000 elfcorehdr=0x9000\n"), ("proc/sys/kernel/osrelease", "6.1.0-50-amd64\n"),
                           ("proc/iomem", "00001000-0009ffff : System RAM\n50000000-5affffff : System RAM\n  50000000-51ffffff : Kernel code\n"),
                           ("proc/vmstat", "nr_free_pages 5\noom_kill 0\n"), ("proc/sys/kernel/printk", "4 4 1 7\n"), ("sys/devices/system/cpu/possible", "0-3,6\n"),
                           ("sys/devices/system/cpu/online", "0\n"), ("dev/kmsg", ""), ("dev/console", "")):
            self.write(name, text)
        (self.root / "proc/1").mkdir()
        (self.root / "proc/1/root").symlink_to("../..")
        self.memory(180224, 120000, 110000)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def memory(self, *kib):
        # As a whole: the watch reads it at any time.
        self.write("meminfo", MEMINFO.format(*kib))
        os.rename(self.root / "meminfo", self.root / "proc/meminfo")

    def command(self, *more):
        return [VERIFY, "--watch", self.file, "--proc", self.root / "proc", "--interval", "1", *more]

    def watch(self, looks=4, **options):
        done = subprocess.run(self.command("--looks", str(looks)), capture_output=True, text=True, timeout=60, **options)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return json.loads(self.file.read_text())

    def said(self, where="kmsg"):
        return [line for line in (self.root / "dev" / where).read_text().splitlines() if "memory: " in line]

    def collector(self, number, files, words="makedumpfile\0-l\0/proc/vmcore\0x", wrote=0):
        """A process with these files open, by number."""
        for fd, target in files.items():
            (self.root / f"proc/{number}/fd").mkdir(parents=True, exist_ok=True)
            (self.root / f"proc/{number}/fd/{fd}").symlink_to(target)
        self.write(f"proc/{number}/cmdline", words)
        self.write(f"proc/{number}/io", f"rchar: 5\nwchar: {wrote}\n")
        self.write(f"proc/{number}/stat", f"{number} (make) dump) S 1 {' '.join(['0'] * 17)} 1000 0 0\n")

    def test_it_keeps_what_was_least(self):
        self.assertEqual(self.watch()["first_available_bytes"], 110000 << 10)
        self.memory(180224, 9000, 80000)
        self.watch()
        self.memory(180224, 100000, 100000)
        seen = self.watch()
        self.assertEqual((seen["lowest_free_bytes"], seen["lowest_available_bytes"], seen["total_bytes"]), (9000 << 10, 80000 << 10, 180224 << 10))
        self.assertEqual((seen["first_free_bytes"], seen["first_available_bytes"]), (120000 << 10, 110000 << 10), "another one goes on from what one saw")
        self.assertEqual((seen["release"], seen["possible_cpus"], seen["running_cpus"], seen["looks"]), ("6.1.0-50-amd64", "0-3,6", "0", 12))
        self.assertEqual(seen["ram_bytes"], 0x9f000 + 0xb000000)
        self.assertEqual((seen["slabs"], seen["collector"], seen["dump_done"]), (None, "", False))

    def test_each_new_low_is_said_and_the_last_one_is_the_lowest(self):
        for available in range(110000, 0, -500):
            self.memory(180224, available, available)
            self.watch(1)
        lines = self.said()
        self.assertIn("memory: 107 of 176 MiB are available", lines[0])
        self.assertLess(len(lines), 30)
        last = int(re.search(r"memory: (\d+) of \d+ MiB are available, the least so far", lines[-1])[1])
        self.assertLess(last, 3)
        self.assertEqual(self.said("console"), [line.removeprefix("<5>") for line in lines], "a quiet kernel shows them nowhere else")

    def test_one_watch_says_no_more_than_24_lines(self):
        running = subprocess.Popen(self.command())
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        available = 10 ** 7
        while available > 1024:
            self.memory(180224, available, available)
            time.sleep(0.02)
            available = available * 3 // 4
        self.assertLessEqual(len(self.said()), 24)
        self.assertGreater(len(self.said()), 15)

    def test_where_the_kernel_shows_its_log_on_the_console_nothing_is_said_twice(self):
        self.write("proc/sys/kernel/printk", "7 4 1 7\n")
        self.watch()
        self.assertEqual((len(self.said()), self.said("console")), (1, []))

    def test_beside_the_dump_it_leaves_what_it_saw_and_the_record_of_the_load(self):
        for mounted in ("", "/sysroot"):
            with self.subTest(mounted):
                self.write(f"{mounted}/var/crash/now/vmcore-incomplete".lstrip("/"), "x" * 5000)
                self.write(f"{mounted}/var/lib/swiotlb-handoff/record.json".lstrip("/"), "the record")
                self.write("proc/vmcore", "x" * 100)
                self.write("sys/kernel/debug/swiotlb/io_tlb_nslabs", "32768\n")
                self.write("sys/kernel/debug/swiotlb/io_tlb_used", "700\n")
                self.collector(70, {0: "/dev/null", 1: "pipe:[7]", 3: "/proc/vmcore", 4: f"{mounted}/var/crash/now/vmcore-incomplete",
                                    5: "/tmp/kdump_bitmapX (deleted)"}, wrote=1 << 20)
                self.collector(80, {3: "/proc/vmcore"}, words="vmcore-dmesg", wrote=9)
                running = subprocess.Popen(self.command())
                try:
                    beside = self.root / f"{mounted}/var/crash/now/swiotlb-handoff-memory.json".lstrip("/")
                    self.until(lambda: self.file.exists() and json.loads(self.file.read_text() or "{}").get("dump_bytes"))
                    self.assertFalse(beside.exists(), "it is not done yet")
                    self.memory(180224, 30000, 70000)
                    time.sleep(0.2)
                    shutil.rmtree(self.root / "proc/70")
                    self.until(lambda: (beside.parent / "swiotlb-handoff.json").exists())
                    time.sleep(0.1)
                finally:
                    running.kill()
                    running.wait()
                seen = json.loads(beside.read_text())
                self.assertEqual((seen["dump_done"], seen["dump_bytes"], seen["vmcore_bytes"], seen["slabs"], seen["slabs_used"], seen["oom_kills"]),
                                 (True, 1 << 20, 100, 32768, 700, 0))
                self.assertEqual((seen["collector"], seen["lowest_available_bytes"]), ("makedumpfile -l /proc/vmcore x", 70000 << 10))
                self.assertEqual((beside.parent / "swiotlb-handoff.json").read_text(), "the record")
                self.assertTrue(any(re.search(r"The dump is done: 1 MiB were written in \d+ s\. At the lowest point 68 of 176 MiB were available\.", line) for line in self.said()), self.said())
                shutil.rmtree(self.root / "proc/80")
                self.memory(180224, 120000, 110000)
                self.file.unlink()

    def test_who_saves_the_log_saves_no_dump(self):
        self.write("var/crash/now/dmesg.now", "x" * 5000)
        for words in ("makedumpfile\0--dump-dmesg\0/proc/vmcore\0/var/crash/now/dmesg.now", "/sbin/vmcore-dmesg\0/proc/vmcore"):
            with self.subTest(words):
                self.collector(70, {3: "/proc/vmcore", 4: "/var/crash/now/dmesg.now"}, words=words, wrote=1 << 20)
                running = subprocess.Popen(self.command())
                try:
                    self.until(lambda: self.file.exists() and json.loads(self.file.read_text() or "{}").get("looks", 0) > 20)
                    shutil.rmtree(self.root / "proc/70")
                    looks = json.loads(self.file.read_text())["looks"]
                    self.until(lambda: json.loads(self.file.read_text())["looks"] > looks + 20)
                finally:
                    running.kill()
                    running.wait()
                seen = json.loads(self.file.read_text())
                self.assertEqual((seen["dump_done"], seen["dump_bytes"], seen["collector"]), (False, 0, ""))
                self.assertEqual([line for line in self.said() if "done" in line], [])
                self.assertEqual(os.listdir(self.root / "var/crash/now"), ["dmesg.now"])
                self.file.unlink()

    def until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_a_second_watch_leaves_the_first_alone(self):
        running = subprocess.Popen(self.command())
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        self.until(lambda: self.file.exists() and self.file.read_text())
        done = subprocess.run(self.command(), timeout=60)  # it would run for ever
        self.assertEqual(done.returncode, 0)
        self.assertIsNone(running.poll())

    def test_what_is_missing_is_left_out_and_never_an_error(self):
        for name in ("iomem", "vmstat", "cmdline", "sys", "1"):
            path = self.root / "proc" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.assertEqual(self.watch()["ram_bytes"], None)
        (self.root / "proc/meminfo").unlink()
        self.watch()
        for command in ([VERIFY, "--watch", "/proc/nowhere/x", "--proc", self.root / "proc", "--looks", "2"], [VERIFY, "--watch", self.file, "--proc", "/nowhere"]):
            self.assertEqual(subprocess.run(command, timeout=60).returncode, 0)

    def test_hostile_text_is_made_harmless(self):
        self.write("proc/cmdline", 'a"b\\c\x1b[2J\u00e9 d\n')
        self.collector(70, {3: "/proc/vmcore"}, words="x\x1b\0\"y\0")
        seen = self.watch()
        self.assertEqual(seen["command_line"], 'a"b\\c?[2J?? d')
        self.assertEqual(seen["collector"], 'x? "y')

    def test_it_has_little_memory_and_is_the_first_to_go(self):
        if "dynamically linked" in subprocess.run(["file", VERIFY], capture_output=True, text=True).stdout:
            self.skipTest("this build of verify has a sanitizer's libraries")
        self.write("proc/iomem", "".join(f"{i << 20:08x}-{(i << 20) + 0xfffff:08x} : System RAM\n" for i in range(3000)))
        for number in range(100, 400):
            self.collector(number, {fd: "/dev/null" for fd in range(8)})
        seen = self.watch(200, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT)))
        self.assertEqual(seen["looks"], 200, "all of its addresses, resident or not, are counted")
        running = subprocess.Popen(self.command())
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        self.until(lambda: json.loads(self.file.read_text())["looks"] > 201)
        self.assertEqual(Path(f"/proc/{running.pid}/oom_score_adj").read_text(), "1000\n")


class Hooks(unittest.TestCase):
    """The scripts of the initramfs, by each shell that an initramfs has: whatever verify does, they go on to the dump."""

    SHELLS = (["dash"], ["bash"], ["busybox", "sh"])
    FAULTS = {"succeeds": "mkdir -p ${2%/*}; echo exact >$2", "fails": "exit 3", "dies": "kill -SEGV $$", "is killed": "kill -KILL $$",
              "stops": "kill -STOP $$", "sleeps": "exec sleep 100", "loops": "while :; do :; done", "is no program": None}

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="handoff-hooks-")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def script(self, name, tries):
        """One of the installed scripts, with its places below a directory of this test, and less patience."""
        text = (DROPINS / name).read_text()
        helpers = re.search(r"(/\S*)/verify --report", text)[1]
        text = text.replace(helpers, f"{self.root}/helpers").replace("/run/swiotlb-handoff", f"{self.root}/run")
        self.assertEqual(text.count("handoff_waits=150"), 1)
        return text.replace("handoff_waits=150", f"handoff_waits={tries}")

    def verify(self, program):
        path = self.root / "helpers/verify"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\x7fELF" if program is None else f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)

    def run_to_the_end(self, command, **options):
        """Runs a script, then ends what it left behind, and waits until the last of it is gone: nothing writes below the directory after that."""
        alive, held = os.pipe()
        with open(alive, "rb") as alive:
            with subprocess.Popen(command, stderr=subprocess.DEVNULL, pass_fds=[held], start_new_session=True, **options) as script:
                os.close(held)
                try:
                    said = script.communicate(timeout=20)[0]
                finally:
                    with contextlib.suppress(ProcessLookupError):  # it left nothing behind
                        os.killpg(script.pid, signal.SIGKILL)
            alive.read()  # the end of the pipe comes when no process holds it any more
        return script.returncode, said

    def test_whatever_verify_does_the_initramfs_goes_on(self):
        for name in ("initramfs-tools/script", "dracut/report.sh"):
            (self.root / "script").write_text(self.script(name, 3))
            # dracut sources its hooks, and goes on behind them; initramfs-tools runs the script.
            command = f". {self.root}/script" if name.startswith("dracut") else f"{{}} {self.root}/script"
            for shell in self.SHELLS:
                if shutil.which(shell[0]) is None:
                    continue
                for fault, program in self.FAULTS.items():
                    with self.subTest(script=name, shell=shell[0], verify=fault):
                        self.verify(program)
                        shutil.rmtree(self.root / "run", ignore_errors=True)
                        _, said = self.run_to_the_end([*shell, "-c", f"{command.format(' '.join(shell))}; echo \"dump $?\""], stdout=subprocess.PIPE,
                                                      text=True)
                        self.assertEqual(said, "dump 0\n")
                        self.assertEqual((self.root / "run/verify.txt").exists(), fault == "succeeds")

    def test_where_sleep_knows_no_fractions_or_is_not_there_they_go_on_as_well(self):
        self.verify("exec /bin/sleep 100")
        (self.root / "bin").mkdir()
        for sleep in ("case $1 in *.*) exit 1;; esac; exec /bin/sleep $1", None):
            (self.root / "bin/sleep").unlink(missing_ok=True)
            if sleep is not None:
                (self.root / "bin/sleep").write_text(f"#!/bin/sh\n{sleep}\n")
                (self.root / "bin/sleep").chmod(0o755)
            (self.root / "script").write_text(self.script("initramfs-tools/script", 10))
            status, _ = self.run_to_the_end(["/bin/sh", self.root / "script"], env={"PATH": str(self.root / "bin")})
            self.assertEqual(status, 0)


if __name__ == "__main__":
    VERIFY, DROPINS = sys.argv.pop(1), Path(sys.argv.pop(1))
    unittest.main()
