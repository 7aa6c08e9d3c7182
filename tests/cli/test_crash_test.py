#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A crash on purpose, of machines that are directories: what is refused, what is left for the next boot, and what that says. Nothing here crashes a machine."""
import json
import os
import pty
import re
import subprocess
import unittest

import test_json_schema
from harness import INPUT, NOT_NEEDED, READY, REFUSED, USAGE, run, tool

kept = "var/lib/swiotlb-handoff/test.json"
trigger = "proc/sysrq-trigger"
memory = {"schema": 2, "command": "watch", "time": "2026-11-20T03:05:00Z", "release": "7.3.0", "command_line": "ro", "possible_cpus": "0", "running_cpus": "0",
          "ram_bytes": 176 << 20, "total_bytes": 150 << 20, "first_free_bytes": 130 << 20, "first_available_bytes": 130 << 20, "lowest_free_bytes": 9 << 20,
          "lowest_available_bytes": 71 << 20, "slabs": 0, "slabs_used": 0, "oom_kills": 0, "vmcore_bytes": 1 << 40,
          "collector": "makedumpfile -c -d 31 /proc/vmcore x", "dump_bytes": 1 << 20, "dump_seconds": 3, "dump_done": True, "looks": 30}


class Machine(test_json_schema.Shrinking):
    """Debian's kdump, with a crash kernel that has the handoff."""

    def __init__(self):
        super().__init__()
        self.write("usr/sbin/kdump-config", b"#!/bin/sh\n. /etc/default/kdump-tools\n")
        self.write("etc/default/kdump-tools", b'KDUMP_CMDLINE_APPEND="nr_cpus=1"\n')
        self.write("var/lib/kdump/initrd.img", b"initrd")
        self.write("var/crash/202611010000/dump.202611010000", b"an old one")
        self.write(trigger, b"")
        self.write("var/lib/swiotlb-handoff/x", b"")
        self.boots("first")

    def boots(self, boot_id):
        self.write("proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")

    def test(self, *more, **how):
        return run("test", "--root", self.root, *more, **how)

    def kept(self):
        return json.loads(self.read(kept))

    def dumps(self, name="202611202000", verdict=b"swiotlb-handoff: where it should be (exact)\nlanding     exact\n", log=None, file="dump.{}"):
        """What the crash kernel writes."""
        if log is None:
            log = f"<2>swiotlb-handoff: the test of {self.kept()['time']} crashes this machine on purpose\n".encode()
        folder = f"var/crash/{name}"
        for path, content in ((file.format(name), b"dump"), (f"dmesg.{name}", log), ("swiotlb-handoff.txt", verdict), ("swiotlb-handoff-memory.json", json.dumps(memory).encode())):
            if content:
                self.write(f"{folder}/{path}", content)

    def result(self):
        done = self.test("--result", "--json")
        return json.loads(done.out)["test"], done.status

    def metrics(self):
        out = run("status", "--prometheus", "--root", self.root).out
        return dict(re.findall(r"^(swiotlb_handoff_test_\S+) (\d+)$", out, re.M))


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.machine = Machine()
        self.addCleanup(self.machine.__exit__)


class Before(CrashTest):
    def assert_nothing_done(self, done, status):
        self.assertEqual(done.status, status, done)
        self.assertEqual(self.machine.read(trigger), b"")
        self.assertFalse(os.path.exists(self.machine.path(kept)))

    def test_a_dry_run_says_what_would_happen_and_does_nothing(self):
        done = self.machine.test("--dry-run")
        self.assert_nothing_done(done, READY)
        self.assertRegex(done.out, r"^will +This machine crashes at once\.")
        self.assertRegex(done.out, r"It writes a dump to /var/crash, and the machine boots again\.")
        said = json.loads(self.machine.test("--dry-run", "--json").out)
        self.assertEqual((said["problem"], len(said["will"]), said["test"]), (None, 5, None))

    def test_nobody_to_ask_is_no_permission(self):
        for more in ((), ("--json",)):
            done = self.machine.test(*more)
            self.assert_nothing_done(done, USAGE)
            self.assertRegex(done.err, "nobody can be asked")
        for words in (("--yes", "--dry-run"), ("--yes", "--result"), ("--dry-run", "--result")):
            self.assert_nothing_done(self.machine.test(*words), USAGE)

    def test_where_the_answer_is_another_word_nothing_is_done(self):
        for answer, crashed in (("yes\n", b""), ("\n", b""), ("crash\n", b"c")):
            leader, follower = pty.openpty()
            os.write(leader, answer.encode())
            done = subprocess.run([tool, "test", "--root", self.machine.root], stdin=follower, capture_output=True, timeout=300,
                                  env={**os.environ, "SWIOTLB_HANDOFF_NEVER_CRASH": "1"})
            os.close(leader)
            os.close(follower)
            self.assertEqual(self.machine.read(trigger), crashed, answer)
            self.assertEqual(os.path.exists(self.machine.path(kept)), bool(crashed))
            self.assertEqual(done.returncode, READY if crashed else REFUSED, done)

    def test_what_would_lose_the_dump_is_refused_whatever_is_said(self):
        for change, why in ((lambda machine: machine.write("sys/kernel/kexec_crash_loaded", b"0\n"), "No crash kernel is loaded"),
                            (lambda machine: machine.remove("run/swiotlb-handoff/record.json"), "no record says that they were proven"),
                            (lambda machine: machine.remove(trigger), "no /proc/sysrq-trigger"),
                            (lambda machine: machine.write("proc/vmcore", b"x"), "This is a crash kernel")):
            with self.subTest(why), Machine() as machine:
                change(machine)
                done = machine.test("--yes")
                self.assertEqual(done.status, REFUSED, done)
                self.assertIn(why, " ".join(done.out.split()))
                self.assertFalse(os.path.exists(machine.path(kept)))
                self.assertEqual(json.loads(machine.test("--json", "--yes").out)["will"], [])

    def test_what_cannot_be_kept_crashes_nothing(self):
        self.machine.remove("var/lib/swiotlb-handoff")
        self.machine.write("var/lib/swiotlb-handoff", b"no directory")
        done = self.machine.test("--yes")
        self.assertEqual(done.status, INPUT, done)
        self.assertEqual(self.machine.read(trigger), b"")

    def test_the_running_kernel_is_not_reached_through_a_directory(self):
        # Another of its files stands for the one that crashes it.
        script = 'mount --bind /proc/version "$1" && SWIOTLB_HANDOFF_NEVER_CRASH=1 "$2" test --yes --root "$3"'
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", self.machine.path(trigger), tool, self.machine.root],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if "unshare" in done.stderr or "mount:" in done.stderr:
            self.skipTest("a mount namespace cannot be had")
        self.assertEqual(done.returncode, INPUT, done)
        self.assertRegex(done.stderr, r"sysrq-trigger: this belongs to the running kernel[^\n]*The machine was not crashed\n$")
        self.assertFalse(os.path.exists(self.machine.path(kept)), "no mark of a crash that did not come")

    def test_it_leaves_everything_that_the_next_boot_needs(self):
        before = self.machine.read("dmesg")
        done = self.machine.test("--yes")
        self.assertEqual((done.status, self.machine.read(trigger)), (READY, b"c"), done)
        self.assertEqual(os.stat(self.machine.path(kept)).st_mode & 0o777, 0o600)
        test = self.machine.kept()
        self.assertRegex(test["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual((test["boot_id"], test["handoff"], test["tested"]["rung"], test["result"]), ("first", "in-use", "handoff", None))
        self.assertEqual(test["tested"]["release"], self.machine.read("proc/sys/kernel/osrelease").decode().strip())
        self.assertGreater(test["tested"]["reservation_bytes"], 0)
        self.assertIn(test["verdict"], ("ready", "refused", "not-needed"))
        self.assertEqual(test["pool"]["start"], self.machine.promised["start"])
        self.assertEqual((test["target"]["kind"], test["target"]["path"], test["dumps"]), ("directory", "var/crash", ["202611010000"]))
        self.assertEqual(test["record"]["command"], "kexec")
        self.assertEqual(self.machine.read("dmesg"), before + f"swiotlb-handoff: the test of {test['time']} crashes this machine on purpose\n".encode())

    def test_one_test_a_boot(self):
        self.machine.test("--yes")
        self.machine.write(trigger, b"")
        text = self.machine.read(kept)
        done = self.machine.test("--yes")
        self.assertEqual((done.status, self.machine.read(trigger), self.machine.read(kept)), (REFUSED, b"", text))
        self.assertIn("A test was begun in this boot", done.out)
        self.machine.boots("second")
        self.assertEqual(self.machine.test("--yes").status, READY)


class After(CrashTest):
    def setUp(self):
        super().setUp()
        self.assertEqual(self.machine.test("--yes").status, READY)

    def crashes(self, **how):
        if how is not None:
            self.machine.dumps(**how)
        self.machine.boots("second")

    def test_no_test_is_no_result(self):
        self.machine.remove(kept)
        done = self.machine.test("--result")
        self.assertEqual((done.status, done.out), (NOT_NEEDED, "No test was begun on this machine.\n"))
        self.assertEqual(self.machine.metrics(), {})

    def test_a_machine_that_did_not_crash_says_so(self):
        test, status = self.machine.result()
        self.assertEqual((test["outcome"], status), ("not-crashed", NOT_NEEDED))
        self.assertIsNone(self.machine.kept()["result"])

    def test_a_dump_is_found_and_kept_in_mind_once_it_is_gone(self):
        self.crashes()
        self.assertIn("dump-written", run("status", "--root", self.machine.root).out)
        self.assertIsNone(self.machine.kept()["result"], "status changes nothing")
        test, status = self.machine.result()
        self.assertEqual((test["outcome"], test["landing"], status), ("dump-written", "exact", READY), test)
        self.assertEqual((test["lowest_available_bytes"], test["dump_directory"], test["dump_file_bytes"], test["stale"]), (71 << 20, "202611202000", 4, False))
        self.machine.remove("var/crash")
        self.assertEqual(self.machine.result(), (test, READY))
        self.assertEqual(json.loads(run("status", "--json", "--root", self.machine.root).out)["test"], test)
        shown = self.machine.test("--result").out
        self.assertRegex(" ".join(shown.split()), r"^test dump-written \(test of \S+\)\. The dump is in /var/crash/202611202000\. The pool was where the handoff promised it\. "
                         r"At its lowest, 71 MiB of 150 MiB were available to the crash kernel\.$")

    def test_a_pool_in_another_place_is_no_success(self):
        self.crashes(verdict=b"swiotlb-handoff: WARNING\nlanding     elsewhere\n")
        test, status = self.machine.result()
        self.assertEqual((test["outcome"], status), ("pool-elsewhere", REFUSED), test)

    def test_no_dump_no_whole_dump_and_another_crashs_dump_are_failures(self):
        for how in (dict(file="dump-incomplete"), dict(log=b"kernel BUG\n")):
            with self.subTest(how):
                self.setUp()
                self.crashes(**how)
                test, status = self.machine.result()
                self.assertEqual((test["outcome"], status), ("no-dump", REFUSED), test)
                self.machine.dumps("202612010000", log=b"later\n")
                self.assertEqual(self.machine.result()[0]["outcome"], "no-dump", "a later crash changes nothing")

    def test_where_nobody_can_look_nothing_is_known(self):
        self.machine.remove(kept)
        self.machine.boots("a")
        self.machine.write("etc/default/kdump-tools", b'KDUMP_CMDLINE_APPEND="nr_cpus=1"\nSSH="root@backup.example.com"\n')
        self.machine.write(trigger, b"")
        done = self.machine.test("--yes")
        self.assertEqual(done.status, READY, done)
        self.assertRegex(" ".join(done.out.split()), "warning The dump is sent by ssh. This machine cannot look there")
        self.assertNotIn("backup.example.com", done.out + self.machine.read(kept).decode())
        self.machine.boots("b")
        test, status = self.machine.result()
        self.assertEqual((test["outcome"], status), ("unknown", NOT_NEEDED), test)
        self.assertIsNone(self.machine.kept()["result"])
        self.assertEqual(self.machine.metrics()['swiotlb_handoff_test_outcome{outcome="unknown"}'], "1")

    def test_the_crash_kernel_itself_says_nothing(self):
        self.machine.boots("crash")
        self.machine.write("proc/vmcore", b"x")
        test, status = self.machine.result()
        self.assertEqual((test["outcome"], status), ("unknown", NOT_NEEDED), test)
        self.assertIsNone(self.machine.kept()["result"])

    def test_another_reservation_makes_it_stale(self):
        self.crashes()
        self.machine.test("--result")
        self.assertEqual(self.machine.metrics()["swiotlb_handoff_test_stale"], "0")
        self.machine.write("proc/cmdline", self.machine.read("proc/cmdline").replace(b"crashkernel=", b"crashkernel=1"))
        test, status = self.machine.result()
        self.assertEqual((test["stale"], test["changed_since"], status), (True, ["the reservation"], READY))
        self.assertIn("The test is stale: the reservation has changed since.", " ".join(run("status", "--root", self.machine.root).out.split()))
        self.assertEqual(self.machine.metrics()["swiotlb_handoff_test_stale"], "1")

    def test_the_report_for_others_has_what_was_seen_and_names_nothing(self):
        machine = self.machine
        secrets = ("myhost", "alice", "00:16:3e:12:34:56", "192.0.2.17", "S3R14L", "0a1b2c3d-1111-2222-3333-444455556666", "backup.example.com")
        host, user, mac, ip, serial, uuid, peer = secrets
        words = f"root=UUID={uuid} ip={ip}::{host}:eth0 ifname=eth0:{mac} serial={serial} ssh={user}@{peer} rd.home=/home/{user} {host} "
        test = machine.kept()
        test["record"]["command_line"] = words + test["record"]["command_line"]
        test["record"]["why"] = test["target"]["text"] = f"/home/{user}/{host}"
        test["record"]["kernel"] = test["record"]["initrd"] = f"/home/{user}/vmlinuz"
        test["record"]["reasons"] = [{"rule": "pool-exact", "severity": "refusal", "text": f"of {host}", "evidence": f"/home/{user}", "advice": None}]
        machine.write(kept, json.dumps(test).encode())
        machine.write("proc/cmdline", words.encode() + machine.read("proc/cmdline"))
        machine.write("etc/hostname", host.encode())
        machine.write("etc/os-release", f'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="{host}"\n'.encode())
        machine.write("proc/cpuinfo", b"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t: fpu\n\n")
        told = {**memory, "command_line": words, "collector": f"ssh {user}@{peer} /home/{user}/x"}
        self.crashes(name=f"{ip}-2026-11-27-20:00:00", file="vmcore")
        machine.write(f"var/crash/{ip}-2026-11-27-20:00:00/swiotlb-handoff-memory.json", json.dumps(told).encode())
        for kept_before in (False, True):
            if kept_before:
                machine.test("--result")
            done = machine.test("--report", machine.path("report"))
            self.assertEqual(done.status, READY, done)
            text = machine.read("report").decode()
            for secret in secrets:
                self.assertNotIn(secret, text)
            self.assertNotIn("/home", text)
            report = json.loads(text)
            self.assertEqual((report["outcome"], report["landing"], report["log_found"], report["distribution"], report["processor"], report["service"]),
                             ("dump-written", "exact", True, "debian 12", "GenuineIntel", "kdump-tools"))
            self.assertEqual((report["load"]["refused_by"], report["load"]["promised"]["start"]), (["pool-exact"], machine.promised["start"]))
            self.assertIn("swiotlb_handoff=", report["load"]["command_line"])
            self.assertEqual(report["crash_memory"]["lowest_available_bytes"], 71 << 20)
            self.assertTrue(report["memory_map"]["entries"])

    def test_there_is_no_report_of_no_test(self):
        self.machine.remove(kept)
        done = self.machine.test("--report", self.machine.path("report"))
        self.assertEqual((done.status, done.out), (INPUT, ""), done)
        self.assertFalse(os.path.exists(self.machine.path("report")))

    def test_the_metrics_say_the_same(self):
        self.crashes()
        metrics = self.machine.metrics()
        self.assertGreater(int(metrics.pop("swiotlb_handoff_test_timestamp_seconds")), 1700000000)
        self.assertEqual(metrics.pop("swiotlb_handoff_test_available_bytes"), str(71 << 20))
        self.assertEqual({name for name, value in metrics.items() if value == "1"}, {'swiotlb_handoff_test_outcome{outcome="dump-written"}'})

    def test_what_was_left_and_is_damaged_is_an_error_and_a_problem(self):
        self.machine.write(kept, b"{}")
        for words in (("--result",), ("--yes",), ("--dry-run",)):
            done = self.machine.test(*words)
            self.assertEqual((done.status, done.out), (INPUT, ""), done)
            self.assertIn(f"{kept}: ", done.err)
        self.assertRegex(run("status", "--root", self.machine.root).out, r"problem +\S*test\.json")


if __name__ == "__main__":
    unittest.main()
