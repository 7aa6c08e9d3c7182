#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many captured machines at once."""
import collections
import csv
import json
import os
import pty
import re
import shutil
import subprocess
import unittest
from unittest import mock

from harness import INPUT, READY, REFUSED, USAGE, Tree, machines, run, tool

names = sorted(name for name in os.listdir(machines) if os.path.isdir(os.path.join(machines, name)))


def contents(name):
    """What an audit reads of a captured machine. Some have a request of their own for another one's capture."""
    there = os.path.join(machines, name)
    if not any(os.path.exists(os.path.join(there, sign)) for sign in ("proc", "sys", "dmesg")):
        return name
    files = [os.path.join(where, file) for where, _, found in os.walk(there) for file in found]
    kept = [(os.path.relpath(file, there), file) for file in sorted(files)]
    return tuple((path, open_and_read(file)) for path, file in kept if "/" in path and not path.startswith("expected/") or path == "dmesg")


def open_and_read(file):
    with open(file, "rb") as f:
        return f.read()


# In order, and of copies the first.
distinct = [name for i, name in enumerate(names) if contents(name) not in map(contents, names[:i])]


def audit(*arguments, **more):
    done = run("audit", "--json", *arguments, **more)
    return done, [json.loads(line) for line in done.out.splitlines()]


class Audit(unittest.TestCase):
    def test_each_machine_has_the_verdict_that_plan_has_for_it(self):
        done, found = audit(machines)
        self.assertEqual([os.path.basename(each["machine"]) for each in found], distinct)
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
                self.assertEqual(alone["saved_by_handoff_bytes"] + alone["saved_by_right_sizing_bytes"], alone["saved_bytes"])
                self.assertEqual(each["saved_by_handoff_bytes"], min(alone["saved_by_handoff_bytes"], each["saved_bytes"]))
                self.assertEqual(each["saved_by_handoff_bytes"] + each["saved_by_right_sizing_bytes"], each["saved_bytes"])
                self.assertGreater(each["saved_bytes"], 0)

    def test_machines_are_in_the_order_of_their_names_however_many_jobs_there_are(self):
        one, many = (audit(machines, "--jobs", jobs)[0].out.splitlines() for jobs in ("1", "7"))
        self.assertEqual(one, many)
        self.assertEqual([os.path.basename(json.loads(line)["machine"]) for line in one], distinct)

    def test_the_summary_is_the_sum_of_the_lines(self):
        lines = audit(machines)[1]
        verdicts = collections.Counter(each["verdict"] or "unreadable" for each in lines)
        rules = collections.Counter(rule for each in lines for rule in each["refused_by"])
        assumed = collections.Counter(rule for each in lines for rule in each["assumed"])
        resting = sum(bool(each["assumed"]) for each in lines)
        handoff = [each["saved_by_handoff_bytes"] for each in lines if each["saved_by_handoff_bytes"] > 0]
        sizes = [each["saved_bytes"] - each["saved_by_handoff_bytes"] for each in lines if each["saved_bytes"] > each["saved_by_handoff_bytes"]]
        small = [each["lacking_bytes"] for each in lines if each["lacking_bytes"] > 0]
        lost = sum(each["certainly_too_small"] for each in lines)
        guessed = collections.Counter(part for each in lines for part in each["sizes_assumed"])
        loans = [each["loan"] for each in lines if each["loan"]]
        lent = [loan["gain_bytes"] for loan in loans if loan["verdict"] == "ready"]
        lacking = sum(loan["verdict"] == "evidence-missing" for loan in loans)
        text = run("audit", machines).out.split("\n\n")[1]
        numbers = {name: int(count) for name, count in re.findall(r"^(\S.*?) {2,}(\d+)", text, re.M)}
        self.assertEqual(numbers, {"machines": len(lines), "gives back": sum(handoff) >> 20, "oversized": sum(sizes) >> 20, "too small": sum(small) >> 20, "could lend": sum(lent) >> 20, "identical": len(names) - len(distinct),
                                   **{name: verdicts[key] for name, key in (("ready", "ready"), ("not needed", "not-needed"), ("refused", "refused"),
                                                                            ("unreadable", "unreadable")) if name != "unreadable" or verdicts[key]}})
        self.assertEqual({rule: int(count) for count, rule in re.findall(r"^ +(\d+)  do not meet (\S+)$", text, re.M)}, dict(rules))
        self.assertEqual({rule: int(count) for count, rule in re.findall(r"^ +(\d+)  assume (\S+)$", text, re.M)}, dict(assumed))
        text = " ".join(text.split())
        self.assertIn(f"{resting} of them only if these assumptions are true:", text)
        self.assertGreater(resting, 0)
        self.assertIn(f"MiB on {len(handoff)} machines because of the handoff", text)
        self.assertIn(f"MiB on {len(sizes)} machines are reserved without need, with or without a handoff", text)
        self.assertIn(f"MiB are missing on {len(small)} machines. {lost} of them certainly lose their dump.", text)
        self.assertGreater(len(sizes), 0)
        self.assertGreater(len(small), 0)
        readable = sum(each["error"] is None for each in lines)
        self.assertIn(f"Of {readable} machines that could be read", text)
        self.assertIn(f"the size of the initrd ({guessed['initrd']})", text)
        self.assertGreater(lacking, 0)
        self.assertIn(f"MiB to {len(lent)} crash kernels that make no pool. For {lacking} more only evidence is missing.", text)

    def test_verbose_names_the_rules_of_each_machine(self):
        refused = os.path.join(machines, "debian-6.1-kexec-load")
        (line,) = audit(refused)[1]
        rules = ", ".join(line["refused_by"])
        self.assertNotIn(rules, run("audit", refused).out.split("\n\n")[0])
        self.assertIn(f"\n    requires {rules}\n", run("audit", "--verbose", refused).out)
        assumed = os.path.join(machines, "dell-r6515-high")
        self.assertIn(f"\n    assumes {', '.join(audit(assumed)[1][0]['assumed'])}\n", run("audit", "--verbose", assumed).out)

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
        self.assertEqual([each["machine"] for each in found if not each["error"]], [good])
        self.assertEqual([each["machine"] for each in found if each["error"]], ["/no/such/directory"])
        self.assertEqual(done.status, INPUT)

    def test_an_operand_may_be_a_machine_or_a_directory_of_them(self):
        good = os.path.join(machines, "debian-6.1-kexec-load")
        self.assertEqual([each["machine"] for each in audit(good)[1]], [good])
        self.assertEqual(len(audit(good, machines)[1]), len(distinct))

    def test_copies_of_a_report_count_once_in_whatever_form_they_are(self):
        with Tree() as tree:
            packed = tree.path("copy.tar.xz")
            subprocess.run(["tar", "-cJf", packed, "-C", machines, "dell-r6515-high"], check=True)
            shutil.copytree(os.path.join(machines, "dell-r6515-high"), tree.path("copy"))
            done, found = audit(os.path.join(machines, "dell-r6515-high"), packed, tree.path("copy"))
            self.assertEqual([each["machine"] for each in found], [os.path.join(machines, "dell-r6515-high")])
            text = run("audit", os.path.join(machines, "dell-r6515-high"), packed, tree.path("copy")).out
            self.assertIn("identical         2  copies", text)

    def test_an_archive_says_what_its_machines_say(self):
        with Tree() as tree:
            subprocess.run(["tar", "-czf", tree.path("all.tar.gz"), "-C", machines, "."], check=True)
            plain = audit(machines)[1]
            for here in audit(tree.path("all.tar.gz"))[1]:
                if here["error"]:
                    continue
                same = next(each for each in plain if each["digest"] == here["digest"])
                self.assertEqual({**here, "machine": ""}, {**same, "machine": ""})
            self.assertEqual(sum(each["error"] is None for each in audit(tree.path("all.tar.gz"))[1]), sum(each["error"] is None for each in plain))

    def test_a_directory_may_hold_archives_and_a_broken_one_is_a_line(self):
        with Tree() as tree:
            subprocess.run(["tar", "-cJf", tree.path("b.tar.xz"), "-C", machines, "dell-r6515-high"], check=True)
            tree.write("a.tar", b"no archive")
            tree.write("a.tar.sha256", b"of the archive, and no report")
            os.makedirs(tree.path("c"))
            done, found = audit(tree.root)
            self.assertEqual([(os.path.basename(each["machine"]), each["error"] is None) for each in found],
                             [("a.tar", False), ("dell-r6515-high", True), ("c", False)])
            self.assertIn("expected one of these and found none", found[2]["error"])
            self.assertEqual(done.status, INPUT)

    def test_audits_of_many_hosts_are_merged_into_what_one_would_say(self):
        whole = run("audit", *(os.path.join(machines, name) for name in distinct))
        with Tree() as tree:
            halves = distinct[::2], distinct[1::2]
            for i, half in enumerate(halves):
                tree.write(f"{i}.jsonl", run("audit", "--json", *(os.path.join(machines, name) for name in half)).out.encode())
            merged = run("audit", "--merge", tree.path("0.jsonl"), tree.path("1.jsonl"))
            self.assertEqual(merged.status, whole.status)
            self.assertEqual(merged.out.split("\n\n")[1], whole.out.split("\n\n")[1])
            self.assertEqual(sorted(merged.out.splitlines()), sorted(whole.out.splitlines()))
            twice = run("audit", "--merge", "--json", tree.path("0.jsonl"), tree.path("0.jsonl"), "-", stdin=open(tree.path("1.jsonl"), "rb").read())
            read = [line for line in twice.out.splitlines() if json.loads(line)["error"] is None]
            self.assertEqual(len(read), sum(each["error"] is None for each in audit(machines)[1]))

    def test_a_line_that_is_of_no_audit_is_said_and_stops_nothing(self):
        good = run("audit", "--json", os.path.join(machines, "dell-r6515-high")).out.replace(json.dumps(os.path.join(machines, "dell-r6515-high")), '"/"')
        with Tree() as tree:
            tree.write("host1", good.encode() + b"\nno json\n{}\n" + good.replace('"ready"', '"splendid"').encode())
            done = run("audit", "--merge", "--json", tree.path("host1"), tree.path("none"))
            self.assertEqual(done.status, INPUT)
            self.assertEqual([json.loads(line)["machine"] for line in done.out.splitlines()], [tree.path("host1")])
            self.assertIn(f"{tree.path('host1')}:3: expected an object of JSON", done.err)
            self.assertIn("'verdict'", done.err)
            self.assertIn(f"{tree.path('none')}: It cannot be read.", done.err)

    def test_csv_has_a_heading_and_the_same_as_json(self):
        found = audit(machines)[1]
        rows = list(csv.DictReader(run("audit", "--csv", machines).out.splitlines()))
        self.assertEqual([row["machine"] for row in rows], [each["machine"] for each in found])
        for row, each in zip(rows, found):
            self.assertEqual(row["error"], each["error"] or "")
            self.assertEqual(row["verdict"], each["verdict"] or "")
            for name in ("refused_by", "assumed", "sizes_assumed"):
                self.assertEqual(row[name].split(), each[name])
            if each["error"] is None:
                for name in ("pool_bytes", "reservation_bytes", "saved_bytes", "saved_by_handoff_bytes", "saved_by_right_sizing_bytes", "lacking_bytes"):
                    self.assertEqual(int(row[name]), each[name])
                self.assertEqual(row["loan"], each["loan"]["verdict"] if each["loan"] else "")
        self.assertEqual(run("audit", "--csv", "--json", machines).status, USAGE)

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
