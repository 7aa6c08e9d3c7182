#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/estimators.py makes of what the estimators said."""

import json
import tempfile
import unittest
from pathlib import Path

import estimators


class Estimators(unittest.TestCase):
    def test_a_default_by_ranges_of_memory_is_what_the_kernel_reserves(self):
        fedora = "2G-64G:256M,64G-:512M"
        self.assertEqual([estimators.of_ranges(fedora, mib) for mib in (1024, 2048, 65535, 65536, 1 << 30)],
                         ["nothing", "256 MiB", "256 MiB", "512 MiB", "512 MiB"])
        self.assertEqual(estimators.of_ranges("512M-:192M", 512), "192 MiB")

    def test_a_number_is_compared_with_what_was_measured_without_the_handoff(self):
        machine = {"measured_mib": {"handoff": 84, "plain": 108, "plain-full": 196}}
        self.assertEqual([estimators.judged(mib, machine) for mib in (107, 108, 195, 196)],
                         ["107 MiB: too small", "108 MiB: enough, with a smaller pool", "195 MiB: enough, with a smaller pool", "196 MiB: enough"])

    def test_a_pool_whose_smallest_reservation_was_not_measured_is_not_said_to_fit(self):
        self.assertEqual(estimators.judged(900, {"measured_mib": {"plain": 108}}), "900 MiB: enough, with a smaller pool")

    def test_the_page_has_the_answers_that_were_recorded(self):
        page = estimators.SOURCE / "docs/estimators.md"
        with tempfile.TemporaryDirectory() as name:
            copy = Path(name) / "page.md"
            copy.write_text(page.read_text())
            estimators.write_report(copy, json.loads(estimators.RESULTS.read_text()))
            self.assertEqual(copy.read_text(), page.read_text(), "run bench/estimators.py --report docs/estimators.md")


if __name__ == "__main__":
    unittest.main()
