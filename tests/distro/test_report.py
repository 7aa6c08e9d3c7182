#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the crash kernel's initramfs runs: verify --report tells everybody, and never stops a dump.

    test_report.py PATH-OF-SWIOTLB-HANDOFF-VERIFY
"""

import gzip
import resource
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

VERIFY = None
LIMIT = 1536 * 1024


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

    def report(self, program=None):
        command = [VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg",
                   "--console", self.root / "console", "--seconds", "2"]
        if program is not None:
            command += ["--run", self.write("program", program, 0o755)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        path = self.root / "run/verify.txt"
        return path.read_text() if path.exists() else None

    def test_a_pool_at_its_place_is_said_calmly(self):
        text = self.report()
        self.assertEqual(text.splitlines()[0], "swiotlb-handoff: the pool is where the handoff promised it (exact)")
        self.assertIn("landing     exact", text)
        self.assertTrue((self.root / "kmsg").read_text().startswith("<5>"))

    def test_a_pool_elsewhere_is_said_loudly_everywhere(self):
        self.write("machine/dmesg", "[    0.100000] software IO TLB: mapped [mem 0x0000000061000000-0x0000000065000000] (64MB)\n")
        text = self.report()
        self.assertIn("WARNING: the pool is NOT where the handoff promised it", text)
        self.assertTrue((self.root / "kmsg").read_text().startswith("<2>swiotlb-handoff: WARNING"), "KERN_CRIT reaches the console")
        self.assertIn("WARNING", (self.root / "console").read_text())

    def test_without_a_handoff_it_says_nothing(self):
        self.write("machine/proc/cmdline", "ro quiet\n")
        self.assertIsNone(self.report())
        self.assertEqual((self.root / "kmsg").read_text(), "")

    def test_whatever_verify_does_its_own_status_is_0_and_it_ends(self):
        for program, said in (("#!/bin/sh\nexit 1\n", "ended with status 1"), ("#!/bin/sh\nkill -SEGV $$\n", "verify died"),
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
        if b"__asan_init" in Path(VERIFY).read_bytes():
            self.skipTest("a sanitizer takes all memory there is")
        limit = 40 << 20
        little = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)), "capture_output": True, "text": True, "timeout": 60}
        report = [VERIFY, "--report", self.root / "run/verify.txt", "--root", self.root / "machine", "--kmsg", self.root / "kmsg", "--console", self.root / "console"]
        self.write("machine/dmesg", "a line\n" * (6 << 20))
        self.assertEqual(subprocess.run(report, **little).returncode, 0)
        self.assertIn("WARNING: cannot tell where the pool is: verify ended with status 1", (self.root / "console").read_text())
        alone = subprocess.run([VERIFY, self.root / "machine"], **little)
        self.assertEqual(alone.returncode, 1)
        self.assertRegex(alone.stderr, r"^swiotlb-handoff: [^\n]+\n$")
        self.write("machine/proc/cmdline", "a " * (24 << 20))
        self.assertEqual(subprocess.run(report, **little).returncode, 0)

    def test_it_adds_at_most_one_and_a_half_mebibytes_compressed(self):
        if "not a dynamic" not in subprocess.run(["ldd", VERIFY], capture_output=True, text=True).stderr:
            self.skipTest("this build of verify is not static")
        stripped = self.root / "stripped"
        subprocess.run(["strip", "-o", stripped, VERIFY], check=True)
        size = len(gzip.compress(stripped.read_bytes(), 9))
        print(f"verify: {size / 1024:.0f} KiB compressed")
        self.assertLess(size, LIMIT)


if __name__ == "__main__":
    VERIFY = sys.argv.pop(1)
    unittest.main()
