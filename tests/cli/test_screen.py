#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command prints for people: short, within the terminal, in colour only where somebody wants it."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from harness import Tree, machines, run, tool

ready, refused, not_needed = "debian-7.2-high-default-low", "debian-6.1-kexec-load", "kvm-low-512M"


def at(machine):
    return os.path.join(machines, machine)


def in_terminal(*arguments, columns=0, **environment):
    """What the command writes to a terminal so wide; 0: the terminal does not say how wide it is."""
    own, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([tool, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
                               env={"TERM": "xterm", "LSAN_OPTIONS": "detect_leaks=0", **environment})
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    process.wait(timeout=60)
    os.close(own)
    return written.decode().replace("\r\n", "\n")


def widest(text):
    """Of all lines but the words for the command line, which are there to be copied."""
    return max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n") if not line.startswith("append "))


golden = sorted(entry.name for entry in os.scandir(machines) if entry.is_dir())


class FirstScreen(unittest.TestCase):
    def screens(self, command, *arguments):
        """What the command prints of each golden machine that it can read: in lines of 100 columns at most."""
        for machine in golden:
            with self.subTest(machine):
                done = run(command, *arguments, "--root", at(machine))
                if not done.out:  # it cannot be read, which one line says
                    self.assertEqual(done.err.count("\n"), 1)
                    continue
                self.assertLessEqual(widest(done.out), 100, done.out)
                yield done.out

    def test_of_each_golden_machine_has_20_lines_and_says_what_to_do(self):
        for command in ("plan", "recommend"):
            seen = set()
            for out in self.screens(command):
                self.assertLessEqual(out.count("\n"), 20, out)
                self.assertRegex(out, r"\n\nNext: (kdump |[A-Z])")
                self.assertRegex(out, r"[.]\n\Z")
                seen.add(out.split()[1].rstrip(":"))
            self.assertEqual(seen, {"ready", "refused", "not-needed"})

    def test_of_status_and_show_has_20_lines_too(self):
        for command in ("status", "show"):
            for out in self.screens(command):
                self.assertLessEqual(out.count("\n"), 20, out)

    def test_verbose_keeps_to_the_width(self):
        for command in ("plan", "recommend"):
            self.assertGreater(len(list(self.screens(command, "--verbose"))), 20)

    def test_no_text_has_two_full_stops_or_an_empty_bracket(self):
        for command in ("plan", "recommend", "status"):
            for out in self.screens(command, *(["--verbose"] if command != "status" else [])):
                self.assertNotRegex(out, r"[a-z)]\.\.(?!\.)|\.;|\(\)|: \.|  \n", out)

    def test_recommend_names_no_size_that_is_smaller_than_what_it_says_is_needed(self):
        for out in self.screens("recommend"):
            then = re.search(r"(?m)^then +(\d+) MiB", out)
            needed = re.search(r"crash\s+kernel\s+should\s+have\s+(\d+)\s+MiB", out[then.start():] if then else "")
            if then:
                self.assertGreaterEqual(int(then[1]), int(needed[1]), out)
            else:
                self.assertTrue(out.startswith("verdict     refused"), out)
            if "too small" in out:
                self.assertNotIn("without need", out)

    def test_recommend_says_that_it_is_about_the_next_boot_where_the_plan_says_something_else(self):
        plan, recommend = (run(command, "--root", at("debian-6.12-high-no-low")).out for command in ("plan", "recommend"))
        self.assertRegex(plan, r"\Averdict +ready")
        self.assertRegex(" ".join(recommend.split()), r"^verdict not-needed: .* That holds from the next boot on\. For the reservation of this boot "
                                                      r"'swiotlb-handoff plan' says ready\. boot with ")
        self.assertNotIn("from the next boot on", run("recommend", "--root", at("kvm-low-512M")).out)

    def test_two_needs_of_two_sizes_say_so(self):
        for command, label in (("plan", "reservation"), ("recommend", "now"), ("recommend", "then")):
            out = " ".join(run(command, "--root", at("debian-6.12-high-no-low")).out.split())
            self.assertRegex(out, rf" {label} \d+ MiB[^.:]*[.:] [Ii]n a reservation of this size the crash kernel (needs|should have) ")

    def test_recommend_speaks_of_a_pool_and_of_a_low_part_only_where_its_reservation_has_one(self):
        for out in self.screens("recommend", "--verbose"):
            words = re.search(r"(?m)^boot with +(.*)$", out)
            if words:
                self.assertEqual(",high" in words[1], bool(re.search(r"(?m)^low part ", out)), out)
            if out.startswith("verdict     not-needed"):
                self.assertNotRegex(out[re.search(r"(?m)^then ", out).start():], r"should\s+have\s+\d+\s+MiB\s+in\s+addition")

    def test_shrink_says_where_there_is_nothing_to_hand_over(self):
        with Tree(not_needed) as tree:
            tree.write("sys/kernel/kexec_crash_size", f"{512 << 20}\n".encode())
            out = run("shrink", "--dry-run", "--root", tree.root).out
        self.assertLessEqual(widest(out), 100, out)
        self.assertRegex(" ".join(out.split()), r"refused There is nothing to hand over, and only a reservation for a handoff is made smaller here\. The crash kernel makes "
                                                r"no pool: .* 'swiotlb-handoff recommend' says whether a smaller crashkernel= is enough from the next boot on\.$")

    def test_audit_has_a_line_for_each_machine_and_says_what_to_do(self):
        done = run("audit", machines)
        self.assertLessEqual(widest(done.out), 100, done.out)
        self.assertRegex(done.out, r"\n\nNext: [A-Z][^\n]+(\n[^\n]+)?\n\Z")
        self.assertRegex(done.out.split("\n")[0], r"^verdict +pool +reserved +saves +lacks +machine$")

    def test_says_the_verdict_the_pool_what_is_saved_and_what_to_do(self):
        out = run("plan", "--root", at(ready)).out
        self.assertRegex(out, r"\Averdict +ready")
        for label in ("pool", "saves", "reservation"):
            self.assertRegex(out, rf"(?m)^{label} +\S")
        self.assertNotIn("e820", out)

    def test_names_enable_where_kdump_is_installed(self):
        with Tree(ready) as tree:
            self.assertIn("swiotlb-handoff cmdline", run("plan", "--root", tree.root).out)
            tree.write("usr/sbin/kdump-config", b"#!/bin/sh\n. /etc/default/kdump-tools\n")
            tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\n")
            self.assertRegex(run("plan", "--root", tree.root).out, r"Next: Run 'swiotlb-handoff enable',\s+and\s+then\s+'kdump-config\s+reload'")

    def test_of_a_refusal_names_the_requirement_and_how_to_read_more(self):
        out = run("plan", "--root", at(refused)).out
        rule = re.search(r"(?m)^requires +([a-z0-9-]+): [A-Z0-9'`]", out).group(1)
        self.assertIn(f"'swiotlb-handoff explain {rule}'", re.sub(r"\s+", " ", out))

    def test_where_nothing_is_handed_over_has_one_line_about_a_loan(self):
        out = run("plan", "--root", at(not_needed)).out
        self.assertEqual(len(re.findall(r"(?m)^loan +", out)), 1, out)

    def test_verbose_has_the_reasons_the_words_and_the_maps_as_well(self):
        out = run("plan", "--verbose", "--root", at(ready)).out
        for part in (r"^append +\S", r"^loads +0x", r"^info +pool-exact: ", r"^With the handoff:$", r"^BIOS-provided physical RAM map:$"):
            self.assertRegex(out, "(?m)" + part)


class Terminal(unittest.TestCase):
    def test_lines_end_where_the_terminal_ends_but_at_100_columns_at_most(self):
        for columns, most in ((60, 60), (80, 80), (120, 100), (0, 80)):
            with self.subTest(columns):
                width = widest(in_terminal("plan", "--root", at(refused), columns=columns))
                self.assertLessEqual(width, most)
                self.assertGreater(width, most - 20)

    def test_status_show_and_recommend_keep_to_it_too(self):
        for command in ("status", "show", "recommend"):
            with self.subTest(command):
                self.assertLessEqual(widest(in_terminal(command, "--root", at(refused), columns=90)), 90)

    def test_the_verdict_is_in_colour(self):
        self.assertRegex(in_terminal("plan", "--root", at(ready)), r"verdict +\x1b\[1;32mready\x1b\[0m")
        self.assertRegex(in_terminal("plan", "--root", at(refused)), r"verdict +\x1b\[1;31mrefused\x1b\[0m")

    def test_nothing_is_in_colour_with_no_color_or_without_a_terminal_that_has_colours(self):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", in_terminal("plan", "--root", at(refused), **environment))
        self.assertNotIn("\x1b", run("plan", "--root", at(refused)).out)
        self.assertIn("\x1b", in_terminal("plan", "--root", at(refused), NO_COLOR=""))

    def test_so_it_is_with_recommend_and_audit(self):
        for command, colour in ((("recommend", "--root", at("synthetic-sev-guest")), 31), (("recommend", "--root", at(refused)), 32),
                                (("audit", at(refused)), 31), (("audit", at(ready)), 32)):
            with self.subTest(command):
                self.assertIn(f"\x1b[1;{colour}m", in_terminal(*command))
                self.assertNotIn("\x1b", in_terminal(*command, NO_COLOR="1"))
                self.assertLessEqual(widest(in_terminal(*command, columns=80)), 80)


if __name__ == "__main__":
    unittest.main()
