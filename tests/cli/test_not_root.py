#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else than root, on the running machine."""
import json
import os
import shutil
import subprocess
import unittest

from harness import INPUT, NOT_PERMITTED, READY, REFUSED, Tree, machines, run, tool

nobody = 65534
cure = "Run this command as root."


def zeros():
    """Whether this kernel shows /proc/iomem to others than root as zeros, as Linux does."""
    shown = subprocess.run(["cat", "/proc/iomem"], user=nobody, group=nobody, extra_groups=[], capture_output=True, text=True)
    return shown.stdout.startswith("00000000-00000000 : ")


@unittest.skipIf(os.geteuid() != 0, "needs root to become somebody else")
@unittest.skipUnless(os.geteuid() == 0 and zeros(), "/proc/iomem is not that of Linux")
class NotRoot(unittest.TestCase):
    def setUp(self):
        self.tree = Tree()
        self.addCleanup(self.tree.__exit__)
        os.chmod(self.tree.root, 0o755)
        self.tool = shutil.copy(tool, self.tree.path("swiotlb-handoff"))  # where the build is, nobody may be

    def run(self, *arguments):
        if not arguments or not isinstance(arguments[0], str):  # unittest's own
            return super().run(*arguments)
        done = subprocess.run([self.tool, *arguments], user=nobody, group=nobody, extra_groups=[], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=60, env={"LSAN_OPTIONS": "detect_leaks=0"})
        return done.returncode, done.stdout, done.stderr

    def test_the_cure_is_said_with_status_5_and_the_path_of_the_file(self):
        for command in (["show"], ["plan"], ["recommend"], ["map"], ["e820"], ["check", "--place"], ["verify"], ["shrink", "--dry-run"]):
            with self.subTest(command):
                status, out, error = self.run(*command)
                self.assertEqual((status, out), (NOT_PERMITTED, ""))
                self.assertRegex(error, r"^swiotlb-handoff: /proc/iomem: [^\n]+\. Run this command as root\.\n$")

    def test_status_says_it_and_claims_nothing_of_the_reservation(self):
        status, out, _ = self.run("status")
        self.assertEqual(status, NOT_PERMITTED)
        self.assertRegex(out, r"(?m)^Next: Run this command as root\. ")
        self.assertRegex(out, r"(?m)^crashkernel +unknown$")
        self.assertRegex(out, r"(?m)^pool +unknown$")
        self.assertNotIn("Boot with crashkernel=", out)
        status, out, _ = self.run("status", "--json")
        self.assertEqual(status, NOT_PERMITTED)
        self.assertIn("Run this command as root", json.loads(out)["next"])
        status, out, _ = self.run("status", "--prometheus")
        self.assertNotRegex(out, r"(?m)^swiotlb_handoff_(pool|crashkernel)_bytes")

    def test_a_script_that_pastes_the_words_goes_on(self):
        status, out, error = self.run("cmdline")
        self.assertEqual((status, out), (READY, ""))
        self.assertIn(cure, error)
        self.assertEqual(self.run("cmdline", "--strict")[0], NOT_PERMITTED)

    def test_a_capture_that_lacks_what_only_root_can_read_is_said_to_be_incomplete(self):
        os.mkdir(self.tree.path("for-all"))
        os.chmod(self.tree.path("for-all"), 0o777)
        status, out, error = self.run("capture", self.tree.path("for-all/new"))
        self.assertEqual(status, NOT_PERMITTED)
        self.assertRegex(out, r"(?m)^not read +proc/iomem: ")
        self.assertEqual(error, f"swiotlb-handoff: The capture is not complete. {cure}\n")
        done = run("plan", "--root", self.tree.path("for-all/new"))
        self.assertEqual((done.status, done.out), (NOT_PERMITTED, ""))
        self.assertIn("proc/iomem: the capture is not complete", done.err)


class Captured(unittest.TestCase):
    """A captured machine is no better for root."""

    def test_a_map_that_was_captured_without_root_is_said_with_its_path_and_without_that_cure(self):
        root = os.path.join(machines, "iomem-not-root")
        done = run("plan", "--root", root)
        self.assertEqual(done.status, NOT_PERMITTED)
        self.assertRegex(done.err, rf"^swiotlb-handoff: {root}/proc/iomem: every address is zero, [^\n]+\n$")
        self.assertNotIn(cure, done.err)
        status = run("status", "--root", root)
        self.assertEqual(status.status, REFUSED)
        self.assertRegex(status.out, r"(?m)^crashkernel +unknown$")

    def test_a_damaged_file_is_named_with_its_path(self):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("proc/iomem", b"nonsense\n")
            done = run("plan", "--root", tree.root)
            self.assertEqual(done.status, INPUT)
            self.assertRegex(done.err, rf"^swiotlb-handoff: {tree.root}/proc/iomem:1: expected [^\n]+\n$")
            relative = run("plan", "--root", os.path.basename(tree.root), cwd=os.path.dirname(tree.root))
            self.assertRegex(relative.err, rf"^swiotlb-handoff: {os.path.basename(tree.root)}/proc/iomem:1: ")
        done = run("plan", "--root", "no-such-directory")
        self.assertRegex(done.err, r"^swiotlb-handoff: no-such-directory: No such file or directory\n$")


if __name__ == "__main__":
    unittest.main()
