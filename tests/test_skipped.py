#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/skipped makes of the output of each kind of test."""
import os
import subprocess
import tempfile
import unittest

script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scripts/skipped")


class Skipped(unittest.TestCase):
    def said(self, cases, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="x">{cases}</testsuite>\n')
            file.flush()
            done = subprocess.run([script, *options, f"dev={file.name}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout, done.stderr

    def case(self, name, output, inside="", status="run"):
        return f'<testcase name="{name}" status="{status}">{inside}<system-out>{output}</system-out></testcase>'

    def test_what_passed_is_not_named(self):
        self.assertEqual(self.said(self.case("Host.Reads", "[       OK ] Host.Reads (0 ms)\n")), (0, "0 tests were skipped, 0 of them are not in tests/may-be-skipped\n", ""))

    def test_googletest_is_read(self):
        output = "[ RUN      ] A.B\n/src/a_test.cpp:57: Skipped\nroot may read everything\n\n[  SKIPPED ] A.B (0 ms)\n"
        status, out, _ = self.said(self.case("A.B", output, '<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>', "notrun"))
        self.assertEqual((status, out.splitlines()[0]), (0, "skipped   dev: A.B: root may read everything"))

    def test_a_program_of_googletest_that_runs_all_of_its_tests_is_read(self):
        output = ("[ RUN      ] A.Good\n[       OK ] A.Good (0 ms)\n[ RUN      ] A.B\nsaid before\n/src/a_test.cpp:57: Skipped\nroot may read everything\n\n[  SKIPPED ] A.B (0 ms)\n"
                  "[ RUN      ] A.Better\n[       OK ] A.Better (0 ms)\n[ RUN      ] F/P.C/x\n[  SKIPPED ] F/P.C/x, where GetParam() = \"x\" (0 ms)\n"
                  "[ RUN      ] A.Last\n[       OK ] A.Last (0 ms)\n"
                  "[  PASSED  ] 2 tests.\n[  SKIPPED ] 2 tests, listed below:\n[  SKIPPED ] A.B\n[  SKIPPED ] F/P.C/x\n")
        self.assertEqual(self.said(self.case("a_test", output))[1].splitlines(),
                         ["skipped   dev: A.B: root may read everything", "skipped   dev: F/P.C/x: it does not say why",
                          "2 tests were skipped, 2 of them are not in tests/may-be-skipped"])

    def test_unittest_is_read_with_docstrings_and_without(self):
        output = ("test_a (__main__.Some.test_a) ... skipped 'needs strace'\ntest_b (__main__.Some.test_b)\nWhat it is about. ... skipped \"it's not here\"\n"
                  "test_c (__main__.Some) ... skipped 'of an older Python'\ntest_d (__main__.Some.test_d) ... ok\n\nOK (skipped=3)\n")
        self.assertEqual(self.said(self.case("cli-x", output))[1].splitlines()[:3],
                         ["skipped   dev: cli-x.Some.test_a: needs strace", "skipped   dev: cli-x.Some.test_b: it's not here", "skipped   dev: cli-x.Some.test_c: of an older Python"])

    def test_what_unittest_only_counts_is_counted(self):
        self.assertIn("dev: cli-x: 2 tests, which it does not name", self.said(self.case("cli-x", "....ss\n\nOK (skipped=2)\n"))[1])

    def test_the_fault_injector_is_read(self):
        self.assertIn("skipped   dev: faults.a_full_disk: no tmpfs can be mounted here", self.said(self.case("faults", "ok    one (0.1 s)\nskip  a_full_disk: no tmpfs can be mounted here\n"))[1])

    def test_in_ci_only_a_listed_test_may_be_skipped(self):
        listed = self.case("ImageLayout.OfThisMachinesKernelIfItHasBtf", "", "<skipped/>", "notrun")
        self.assertEqual(self.said(listed, "--strict")[0], 0)
        status, _, err = self.said(listed + self.case("A.B", "", "<skipped/>", "notrun"), "--strict")
        self.assertEqual(status, 1)
        self.assertIn("dev: A.B", err)
        self.assertNotIn("ImageLayout", err)


if __name__ == "__main__":
    unittest.main()
