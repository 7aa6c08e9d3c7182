#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the smallest reservation is looked for, and what counts as one that works: no machine needed."""

import unittest
from pathlib import Path

import crashkernel_min as bench


def boot(size, works=True, way="plain", pool=64 << 20, status="pass"):
    facts = {"dump": "ok" if works else "lost", "observed": [0, pool], "pool": [0, pool], "predicted": [0, pool], "verdict": "ready",
             "crashkernel": [[0, size << 20]], "free_kib": 1024}
    return {"cell": f"min-6.1-{way}-{size}", "status": status, "facts": facts, "boot": 1}


def boots(*results, key="key"):
    made = bench.Boots(Path("/nonexistent"), lambda cell: key)
    for one in results:
        made.done.setdefault((one["cell"], key), []).append(one)
    return made


class Search(unittest.TestCase):
    def test_finds_the_limit_wherever_it_is_and_wherever_it_begins(self):
        for limit in (48, 50, 96, 110, 318, 320):
            for hint in (48, 96, 98, 218, 320):
                self.assertEqual(bench.smallest(lambda size: size >= limit, hint), limit, (limit, hint))

    def test_says_if_not_even_the_largest_works(self):
        self.assertIsNone(bench.smallest(lambda size: False, 96))

    def test_a_good_hint_takes_three_boots(self):
        for limit, hint in ((98, 98), (98, 96), (100, 96)):
            asked = []
            bench.smallest(lambda size: asked.append(size) or size >= limit, hint)
            self.assertLessEqual(len(asked), 3, (limit, hint, asked))


class Works(unittest.TestCase):
    def test_a_lost_dump_or_no_pool_does_not(self):
        self.assertTrue(bench.works(bench.WAYS["plain"], boot(96)))
        self.assertFalse(bench.works(bench.WAYS["plain"], boot(96, works=False)))
        without = boot(96)
        without["facts"]["observed"] = None
        self.assertFalse(bench.works(bench.WAYS["plain"], without))

    def test_the_whole_pool_is_demanded_where_the_way_says_so(self):
        half = boot(96, pool=32 << 20)
        self.assertTrue(bench.works(bench.WAYS["plain"], half))
        self.assertFalse(bench.works(bench.WAYS["plain-full"], half))

    def test_a_handoff_has_to_be_ready_and_in_its_place(self):
        way = bench.WAYS["handoff"]
        self.assertTrue(bench.works(way, boot(96)))
        for key, value in (("verdict", "refused"), ("observed", [4096, (64 << 20) + 4096]), ("predicted", None)):
            other = boot(96)
            other["facts"][key] = value
            self.assertFalse(bench.works(way, other), key)


class Found(unittest.TestCase):
    def found(self, *results, repeat=1):
        return boots(*results).found("6.1", bench.WAYS["plain"], repeat)

    def test_the_smallest_that_worked_each_time_above_one_that_did_not(self):
        found = self.found(boot(94, False), boot(96), boot(96, False), boot(98), boot(98), boot(100))
        self.assertEqual((found["smallest"], found["near"]), (98, {94: (0, 1), 96: (1, 2), 98: (2, 2)}))

    def test_too_few_boots_are_no_answer(self):
        with self.assertRaises(bench.Missing):
            self.found(boot(94, False), boot(96), repeat=2)
        with self.assertRaises(bench.Missing):
            self.found(boot(92, False), boot(96))
        with self.assertRaises(bench.Missing):  # 94 may not be the smallest
            self.found(boot(94), boot(96))

    def test_lost_machines_do_not_count(self):
        found = self.found(boot(94, False), boot(96, False, status="lost"), boot(96))
        self.assertEqual(found["near"][96], (1, 1))

    def test_none_where_the_largest_failed(self):
        self.assertIsNone(self.found(boot(bench.LARGEST, False))["smallest"])


class Report(unittest.TestCase):
    def test_names_what_is_lost_and_what_was_not_measured(self):
        made = boots(boot(94, False), boot(96), boot(60, False, "handoff"), boot(62, True, "handoff"))
        rows = [bench.row("6.1", bench.WAYS[way], made.found("6.1", bench.WAYS[way], 1)) for way in ("plain", "handoff")]
        text = bench.markdown(rows, {"QEMU": "7"}, {"5.10": ["**handoff**"]})
        self.assertRegex(text, r"plain, as the kernel degrades it \| 96 MiB \| 96 MiB \| 34 MiB \| 64 MiB")
        self.assertIn("- 5.10: **handoff**\n", text)

    def test_shows_how_often_the_pool_was_full_in_each_boot(self):
        results = [boot(bench.BUSY_SIZE, pool=16 << 20) for _ in range(3)]
        for one, full, seconds in zip(results, (7, 0, 30), (2.0, 4.0, 8.0)):
            one["facts"] |= {"pool_full": full, "dump_seconds": seconds, "dump_bytes": 16 << 20, "slabs_used_at_most": 8000 + full}
        row = bench.busy_row("6.1", bench.WAYS["8192"], results)
        self.assertIn("| 6.1 | rival: `swiotlb=8192` | 16 MiB | 8030 | 0, 7, 30 | 16 MiB | 4.0 MiB/s | 3 of 3 |",
                      bench.markdown([], {}, {}, [row]))

    def test_a_row_that_is_measured_anew_takes_the_place_of_the_one_that_is_kept(self):
        kept = [{"kernel": "6.1", "way": way, "smallest_mib": 300} for way in ("handoff", "plain")] + [{"kernel": "5.10", "way": "plain", "smallest_mib": 200}]
        rows = bench.together(kept, [{"kernel": "6.1", "way": "plain", "smallest_mib": 126}])
        self.assertEqual([(one["kernel"], one["way"], one["smallest_mib"]) for one in rows], [("5.10", "plain", 200), ("6.1", "plain", 126), ("6.1", "handoff", 300)])

    def test_a_row_of_another_version_of_the_kernel_says_so(self):
        made = boots(boot(94, False), boot(96))
        row = bench.row("6.1", bench.WAYS["plain"], made.found("6.1", bench.WAYS["plain"], 1))
        for linux, said in (("6.1.170-1", "; Linux 6.1.170-1 |"), ("6.1.176-1", "96: 1 of 1 |")):
            self.assertIn(said, bench.markdown([row | {"linux": linux}], {"Linux 6.1": "6.1.176-1"}, {}))

    def test_boots_under_load_are_not_those_of_the_search(self):
        cell = bench.cell_of("6.1", bench.WAYS["plain"], 96)
        self.assertNotEqual(cell.name, bench.cell_of("6.1", bench.WAYS["plain"], 96, busy=True).name)


if __name__ == "__main__":
    unittest.main()
