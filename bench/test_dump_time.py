#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the times of dumps come to: no machine needed."""

import unittest

import dump_time as bench


def boots(way, *seconds, status="pass", in_headers=0):
    facts = [{"dump_seconds": value, "dump_bytes": 20 << 20, "pool_in_headers": in_headers} for value in seconds]
    return {(f"time-6.1-{way}", "key"): [{"status": status, "facts": fact, "versions": {"kernel": "6.1.176-1"}} for fact in facts]}


def rows(*made):
    done = {key: value for one in made for key, value in one.items()}
    return bench.rows(done, lambda cell: "key", ["6.1"])


class Rows(unittest.TestCase):
    def test_the_median_is_compared_with_that_of_plain(self):
        plain, ours = rows(boots("plain", 2.0, 9.0, 1.0), boots("handoff", 2.1, 2.2, 1.9))
        self.assertEqual((plain["median"], ours["median"]), (2.0, 2.1))
        self.assertAlmostEqual(ours["ratio"], 1.05)

    def test_boots_that_did_not_pass_do_not_count(self):
        self.assertEqual(rows(boots("plain", 2.0), boots("handoff", 2.0, status="fail"))[1:], [])

    def test_without_plain_there_is_nothing_to_compare_with(self):
        self.assertIsNone(rows(boots("handoff", 2.0))[0]["ratio"])


class Page(unittest.TestCase):
    def test_says_which_kernel_takes_longer_than_it_may(self):
        self.assertIn("no dump takes longer", bench.markdown(rows(boots("plain", 2.0), boots("handoff", 2.2)))[0])
        self.assertIn("longer than 1.1 of plain's time on 6.1.176-1 (1.50)", bench.markdown(rows(boots("plain", 2.0), boots("handoff", 3.0)))[0])

    def test_kexec_file_load_may_take_longer(self):
        found = bench.markdown(rows(boots("plain", 2.0), boots("file", 4.0, in_headers=64 << 20)))
        self.assertIn("no dump takes longer", found[0])
        self.assertIn("| 2.00 | 20 MiB | 64 MiB |", found[-1])


if __name__ == "__main__":
    unittest.main()
