#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many captured machines at once."""
import collections
import json
import os
import pty
import re
import subprocess
import unittest

from harness import INPUT, READY, REFUSED, USAGE, Tree, machines, run, tool

names = sorted(name for name in os.listdir(machines) if os.path.isdir(os.path.join(machines, name)))


def audit(*arguments, **more):
    done = run("audit", "--json", *arguments, **more)
    return done, [json.loads(line) for line in done.out.splitlines()]


class Audit(unittest.TestCase):
    def test_each_machine_has_the_verdict_that_plan_has_for_it(self):
        done, found = audit(machines)
        self.assertEqual(sorted(os.path.basename(each["machine"]) for each in found), names)
        for each in found:
            with self.subTest(each["machine"]):
                alone = run("plan", "--json", "--root", each["machine"])
                if each["error"]:
                    # Some goldens only have a request for another one's capture.
                    self.assertEqual((alone.status, alone.err), (REFUSED, "") if "no captured machine" in each["error"] else
                                     (alone.status, f"swiotlb-handoff: {each['error']}\n"))
                    continue
                plan = json.loads(alone.out)
                self.assertEqual(each["verdict"], plan["verdict"])
                refusals = [reason["rule"] for reason in plan["reasons"] if reason["severity"] == "refusal"]
                self.assertEqual(each["refused_by"], refusals if plan["verdict"] == "refused" else [])
                assumed = [assumption["rule"] for assumption in plan["assumptions"]]
                self.assertEqual(each["assumed"], assumed if plan["verdict"] == "ready" else [])
                pool = json.loads(run("show", "--json", "--root", each["machine"]).out)["pool"]
                self.assertEqual(each["pool_bytes"], pool["size_bytes"] if pool else 0)
        self.assertEqual(done.status, INPUT if any(each["error"] for each in found) else READY)

    def test_what_is_recommended_is_what_recommend_says(self):
        for each in audit(machines)[1]:
            if each["crashkernel"]:
                alone = json.loads(run("recommend", "--json", "--root", each["machine"]).out)
                self.assertEqual((each["crashkernel"], each["saved_bytes"]), (alone["crashkernel"], alone["saved_bytes"]), each["machine"])
                self.assertGreater(each["saved_bytes"], 0)

    def test_the_number_of_jobs_changes_nothing_but_the_order(self):
        one, many = (sorted(audit(machines, "--jobs", jobs)[0].out.splitlines()) for jobs in ("1", "7"))
        self.assertEqual(one, many)

    def test_the_summary_is_the_sum_of_the_lines(self):
        lines = audit(machines)[1]
        verdicts = collections.Counter(each["verdict"] or "unreadable" for each in lines)
        rules = collections.Counter(rule for each in lines for rule in each["refused_by"])
        assumed = collections.Counter(rule for each in lines for rule in each["assumed"])
        resting = sum(bool(each["assumed"]) for each in lines)
        giving = [each["saved_bytes"] for each in lines if each["saved_bytes"] > 0]
        loans = [each["loan"] for each in lines if each["loan"]]
        lent = [loan["gain_bytes"] for loan in loans if loan["verdict"] == "ready"]
        lacking = sum(loan["verdict"] == "evidence-missing" for loan in loans)
        text = run("audit", machines).out.split("\n\n")[1]
        numbers = {name: int(count) for name, count in re.findall(r"^(\S.*?) {2,}(\d+)", text, re.M)}
        self.assertEqual(numbers, {"machines": len(lines), "gives back": sum(giving) >> 20, "could lend": sum(lent) >> 20,
                                   **{name: verdicts[key] for name, key in (("ready", "ready"), ("not needed", "not-needed"), ("refused", "refused"),
                                                                            ("unreadable", "unreadable")) if name != "unreadable" or verdicts[key]}})
        self.assertEqual({rule: int(count) for count, rule in re.findall(r"^ +(\d+)  by (\S+)$", text, re.M)}, dict(rules))
        self.assertEqual({rule: int(count) for count, rule in re.findall(r"^ +(\d+)  if (\S+)$", text, re.M)}, dict(assumed))
        self.assertIn(f"{resting}  of them if what their captures lack is as assumed", text)
        self.assertGreater(resting, 0)
        self.assertIn(f"by {len(giving)} of them", text)
        self.assertGreater(lacking, 0)
        self.assertIn(f"to {len(lent)} crash kernels that make no pool; {lacking} more but for evidence", text)

    def test_one_bad_capture_is_said_and_stops_nothing(self):
        with Tree() as tree:
            tree.write("captures/bad/proc/iomem", b"no such line\n")
            tree.write("captures/empty/proc/version", b"\n")
            os.symlink(os.path.join(machines, "debian-6.1-kexec-load"), tree.path("captures/good"))
            os.mkfifo(tree.path("captures/a-pipe"))
            os.makedirs(tree.path("captures/hanging/proc"))
            os.mkfifo(tree.path("captures/hanging/proc/iomem"))
            done, found = audit(tree.path("captures"))
            self.assertEqual(done.status, INPUT)
            said = {os.path.basename(each["machine"]): each for each in found}
            self.assertEqual(set(said), {"bad", "empty", "good", "hanging"})
            self.assertIn("proc/iomem:1", said["bad"]["error"])
            self.assertIn("memory map", said["empty"]["error"])
            self.assertIsNone(said["good"]["error"])
            self.assertTrue(said["good"]["verdict"])
            self.assertTrue(said["hanging"]["error"])

    def test_paths_come_from_standard_input_without_an_operand_unless_it_is_a_terminal(self):
        good = os.path.join(machines, "debian-6.1-kexec-load")
        self.assertEqual([each["machine"] for each in audit(stdin=f"{good}\n".encode())[1]], [good])
        main, terminal = pty.openpty()
        done = subprocess.run([tool, "audit"], stdin=terminal, capture_output=True, timeout=60)
        os.close(main)
        os.close(terminal)
        self.assertEqual((done.returncode, done.stdout), (USAGE, b""))
        self.assertRegex(done.stderr.decode(), r"^swiotlb-handoff: No captured machine was named[^\n]+\n$")

    def test_paths_come_from_standard_input_for_a_dash(self):
        good = os.path.join(machines, "debian-6.1-kexec-load")
        done, found = audit("-", stdin=f"{good}\n/no/such/directory\n\n{good}".encode())
        self.assertEqual([each["machine"] for each in found if not each["error"]], [good, good])
        self.assertEqual([each["machine"] for each in found if each["error"]], ["/no/such/directory"])
        self.assertEqual(done.status, INPUT)

    def test_an_operand_may_be_a_machine_or_a_directory_of_them(self):
        good = os.path.join(machines, "debian-6.1-kexec-load")
        self.assertEqual([each["machine"] for each in audit(good)[1]], [good])
        self.assertEqual(len(audit(good, machines)[1]), 1 + len(names))

    def test_planning_options_hold_for_each(self):
        plain = audit(machines, "--command-line", "nr_cpus=1 noswiotlb swiotlb=noforce")[1]
        self.assertNotIn("ready", {each["verdict"] for each in plain})

    def test_nothing_to_look_at_is_an_error(self):
        with Tree() as tree:
            for arguments, status in (([], USAGE), (["-"], USAGE), ([tree.root], INPUT), (["/no/such/directory"], INPUT), ([tree.root, "--jobs", "0"], USAGE),
                                      ([tree.root, "--jobs", "x"], USAGE)):
                with self.subTest(arguments):
                    done = run("audit", *arguments)
                    self.assertEqual(done.status, status)
                    if status == USAGE:
                        self.assertEqual(done.out, "")

    def test_what_a_capture_is_called_does_not_speak_to_the_terminal(self):
        with Tree() as tree:
            os.makedirs(tree.path("a\x1b[31m\nb/proc"))
            said = run("audit", tree.root)
            self.assertNotIn("\x1b", said.out)
            self.assertIn("a?[31m?b", said.out)


if __name__ == "__main__":
    unittest.main()
