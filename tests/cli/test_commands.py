#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user meets: every command, its help, its JSON, and each exit status."""
import functools
import json
import os
import re
import shlex
import unittest

from harness import INPUT, NOT_NEEDED, NOT_PERMITTED, READY, REFUSED, USAGE, Tree, machines, run, tool, top

ready = os.path.join(machines, "debian-6.1-kexec-load")
words = "console=ttyS0 reset_devices nr_cpus=1 irqpoll"
load = ("--loader", "kexec_load", "--command-line", words)


@functools.cache
def commands():
    return re.findall(r"^  ([a-z0-9]+)(?: |$)", run("--help").out, re.M)


@functools.cache
def options_of(command):
    return re.findall(r"^  (?:-\w, |    )--([a-z0-9-]+)", run(command, "--help").out, re.M)


class Help(unittest.TestCase):
    def test_every_command_has_some(self):
        self.assertGreaterEqual(len(commands()), 18)
        for command in commands():
            with self.subTest(command):
                shown = run(command, "--help")
                self.assertEqual((shown.status, shown.err), (READY, ""))
                self.assertIn("Usage: swiotlb-handoff " + command, shown.out)
                self.assertIn("--help", shown.out)

    def test_every_way_of_asking_for_it_gives_the_same(self):
        for command in commands():
            shown = run(command, "--help").out
            for asked in (["help", command], ["--help", command], ["-h", command], [command, "-h"], [command, "--json", "--help"]):
                with self.subTest(asked):
                    said = run(*asked)
                    self.assertEqual((said.status, said.out, said.err), (READY, shown, ""))
        for asked in ("help", "-h"):
            self.assertEqual(run(asked).out, run("--help").out)

    def test_it_is_readable_in_80_columns(self):
        for command in ("--help", *commands()):
            for line in run(*(["--help"] if command == "--help" else [command, "--help"])).out.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_it_is_whole_sentences(self):
        for command in commands():
            for text in re.split(r"\n(?=  (?:-\w, |    )--|\n)", run(command, "--help").out.rstrip())[1:]:
                if not text.strip().endswith("ptions:"):
                    with self.subTest(text):
                        self.assertRegex(text, r"\s[A-Z][^\n]*(\n[^\n]*)*\.$")

    def test_version(self):
        said = run("--version").out
        self.assertRegex(said, r"^swiotlb-handoff \d+\.\d+\.\d+\n$")
        for asked in (["-V"], ["version"], ["plan", "--version"], ["--json", "-V"]):
            self.assertEqual((run(*asked).status, run(*asked).out), (READY, said))


class Arguments(unittest.TestCase):
    def test_options_stand_before_or_behind_the_command(self):
        expected = run("plan", "--root", ready, *load, "--json")
        for order in (["--json", "plan", "--root", ready, *load], ["--root", ready, "--json", *load, "plan"], [f"--root={ready}", "plan", *load, "--json"]):
            with self.subTest(order):
                self.assertEqual((run(*order).status, run(*order).out), (READY, expected.out))

    def test_a_pool_is_two_hexadecimal_addresses_with_or_without_0x(self):
        expected = run("plan", "--root", ready, *load, "--pool", "0x71000000-0x75000000")
        self.assertEqual(expected.status, READY)
        for pool in ("71000000-75000000", "0x71000000-75000000", "0X71000000-0x75000000", "0071000000-75000000"):
            with self.subTest(pool):
                self.assertEqual(run("plan", "--root", ready, *load, "--pool", pool).out, expected.out)

    def test_a_size_is_what_the_kernel_takes_for_one(self):
        expected = run("recommend", "--root", ready, *load, "--margin", "128M").out
        for size in ("0x8000000", "134217728", "131072K", "128m", "0x80M"):
            with self.subTest(size):
                self.assertEqual(run("recommend", "--root", ready, *load, "--margin", size).out, expected)

    def test_what_follows_two_dashes_is_for_the_other_program(self):
        said = run("--root", ready, "--dry-run", "kexec", "--", "-v", "--json", "--", "plan")
        self.assertEqual((said.status, said.out), (READY, f"{ready}/usr/sbin/kexec -v --json -- plan\n"))


class Usage(unittest.TestCase):
    def refused(self, *arguments):
        """One line, status 2, and the help that there is."""
        asked = run(*arguments)
        self.assertEqual((asked.status, asked.out), (USAGE, ""), (arguments, asked))
        self.assertRegex(asked.err, r"^swiotlb-handoff: [^\n]+[.?] See 'swiotlb-handoff [^\n]*--help'\.\n$")
        return asked.err

    def test_what_is_asked_wrongly_is_said_in_one_line_with_status_2(self):
        for arguments in ([], ["--"], ["--json"], ["no-such-command"], ["plan", "--no-such-option"], ["plan", "-x"], ["plan", "operand"], ["plan", "--", "operand"],
                          ["plan", "--loader", "x"], ["plan", "--method", "x"], ["plan", "--collector", "x"], ["plan", "--accept", "pool-found"], ["plan", "--root"],
                          ["plan", "--root", "a", "--root", "b"], ["plan", "--json=yes"], ["plan", "--root="], ["capture"], ["capture", "a", "b"],
                          ["explain", "no-rule"], ["explain", "pool-exact", "pool-found"], ["help", "no-command"], ["help", "plan", "show"], ["version", "x"],
                          ["no-such-command", "--help"], ["e820", "--format", "x"], ["e820", "--input", "x", "--input-format", "x"], ["show", "--json=yes"],
                          ["plan", "--pool", "nonsense"], ["plan", "--pool", "5"], ["plan", "--pool", "5-"], ["plan", "--pool", "-5"], ["plan", "--pool", "10000-1000x"],
                          ["plan", "--pool", "1-10000000000000000"], ["recommend", "--margin", "10X"], ["recommend", "--margin", ""], ["shrink", "--margin", "-1"],
                          ["shrink", "--to", "10X"], ["shrink", "--to", "99999999999E"], ["audit", "x", "--jobs", "x"], ["audit", "x", "--jobs", "0"],
                          ["audit", "x", "--jobs", "1025"], ["kexec", "--kexec", "kexec", "--", "-p"], ["kexec", "-p"], ["audit"],
                          ["kexec", "--root", ready, "--", "-p", "x"], ["kexec", "--kexec", tool, "--", "-p", "x"], ["shrink", "--root", ready, "--", "load"]):
            with self.subTest(arguments):
                self.refused(*arguments)

    def test_the_help_of_the_command_is_named(self):
        self.assertIn("See 'swiotlb-handoff plan --help'.", self.refused("plan", "--no-such-option"))
        self.assertIn("See 'swiotlb-handoff plan --help'.", self.refused("--no-such-option", "plan"))
        self.assertIn("See 'swiotlb-handoff explain --help'.", self.refused("explain", "no-rule"))
        self.assertIn("See 'swiotlb-handoff --help'.", self.refused("no-such-command"))

    def test_a_word_that_is_nearly_right_is_recognised(self):
        for arguments, meant in ((["plna"], "'plan'"), (["recomend"], "'recommend'"), (["rec"], "'recommend'"), (["help", "pln"], "'plan'"),
                                 (["plan", "--jsno"], "'--json'"), (["plan", "--command"], "'--command-line'"), (["plan", "-json"], "'--json'"),
                                 (["plan", "--comand-line", "x"], "'--command-line'"), (["explain", "pool-exat"], "'pool-exact'"),
                                 (["explain", "pool-below-crash"], "'pool-below-crashkernel'")):
            with self.subTest(arguments):
                self.assertIn(f" Did you mean {meant}?", self.refused(*arguments))
        for arguments in (["zzz"], ["x"], ["plan", "--zzzzzz"], ["explain", "zzzz"], ["plan", "--sgv"]):
            with self.subTest(arguments):
                self.assertNotIn("Did you mean", self.refused(*arguments))

    def test_what_can_be_accepted_is_listed(self):
        acceptable = re.findall(r"^([a-z0-9-]+) [^\n]*(?:\n [^\n]*)*? Can be accepted\.$", run("explain").out, re.M)
        self.assertGreaterEqual(len(acceptable), 3)
        for rule in ("foo", "help", "", "pool-found"):
            with self.subTest(rule):
                said = self.refused("plan", "--accept", rule)
                for each in acceptable:
                    self.assertIn(each, said)
                self.assertIn(f"not '{rule}'.", said)
        for each in acceptable:
            self.assertIn(each, self.refused("plan", "--accept"))
            self.assertEqual(run("plan", "--root", ready, *load, "--accept", each).status, READY)

    def test_a_range_that_ends_before_it_begins_is_said_as_such(self):
        self.assertIn("--pool: the range ends before it begins: '0x75000000-0x71000000'.", self.refused("plan", "--pool", "0x75000000-0x71000000"))
        self.assertIn("--pool: the range is empty: '5-5'.", self.refused("plan", "--pool", "5-5"))

    def test_an_option_of_another_command_is_refused(self):
        everywhere = {option: [command for command in commands() if option in options_of(command)] for command in commands() for option in options_of(command)}
        self.assertGreater(len(everywhere), 25)
        for option, known in everywhere.items():
            others = [command for command in commands() if command not in known]
            for command in {*others[:1], *others[-1:]}:
                with self.subTest(f"{command} --{option}"):
                    takes_value = re.search(fr"--{option}(, --\w+)? [A-Z]", run(known[0], "--help").out)
                    self.assertIn(f"{command} does not take the option --{option}.", self.refused(command, f"--{option}", *(["1"] if takes_value else [])))

    def test_an_option_that_would_do_nothing_is_refused(self):
        for arguments in (["status", "--prometheus", "--json"], ["status", "--output", "x", "--json"], ["map", "--svg", "--json"], ["e820", "--json", "--format", "log"],
                          ["e820", "--input-format", "log"], ["e820", "--input", "x", "--before"], ["e820", "--input", "x", "--root", "y"],
                          ["e820", "--input", "x", "--kernel", "y"]):
            with self.subTest(arguments):
                self.assertIn(f"{arguments[0]} cannot use --", self.refused(*arguments))


class Check(unittest.TestCase):
    def planned(self):
        plan = json.loads(run("plan", "--root", ready, *load, "--json").out)
        self.assertEqual(plan["verdict"], "ready")
        return f"{plan['base']} {plan['append']}"

    def verdict(self, *arguments):
        done = run("check", "--json", "--loader", "kexec_load", *arguments)
        said = json.loads(done.out)
        self.assertEqual(done.status, REFUSED if said["verdict"] == "refused" else READY)
        return said["verdict"], {reason["rule"] for reason in said["reasons"] if reason["severity"] == "refusal"}

    def test_compares_with_the_machines_pool_wherever_it_is_known(self):
        line = self.planned()
        self.assertEqual(self.verdict("--root", ready, "--command-line", line), ("proven", set()))
        moved = re.sub(r"0x71000000", "0x70000000", re.sub(r"0x75000000", "0x74000000", line))
        self.assertNotEqual(moved, line)
        self.assertEqual(self.verdict("--root", ready, "--command-line", moved), ("refused", {"pool-agrees"}))

    def test_is_well_formed_where_no_pool_is_known(self):
        line = self.planned()
        with Tree() as nothing:
            os.mkdir(nothing.path("proc"))
            self.assertEqual(self.verdict("--root", nothing.root, "--command-line", line), ("well-formed", set()))
            self.assertIn("well-formed, but there is no pool to compare it with", run("check", "--root", nothing.root, "--command-line", line).out)
            # What is refused on each machine is refused without one.
            self.assertEqual(self.verdict("--root", nothing.root, "--command-line", f"numa_cma=0:64M {line}"), ("refused", {"command-line-early"}))
        with Tree("debian-6.1-kexec-load") as machine:
            with open(os.path.join(ready, "dmesg"), "rb") as log:
                machine.write("dmesg", b"".join(line for line in log if b"software IO TLB" not in line))
            self.assertEqual(self.verdict("--root", machine.root, "--command-line", line)[0], "well-formed")
            self.assertIn("pool-found", self.verdict("--root", machine.root, "--command-line", line, "--place")[1])
            self.assertEqual(self.verdict("--root", machine.root, "--command-line", line, "--pool", "0x71000000-0x75000000"), ("proven", set()))

    def test_judges_what_plan_judges(self):
        line = self.planned()
        self.assertEqual(self.verdict("--root", ready, "--command-line", f"{line} log_buf_len=64M")[0], "refused")
        self.assertEqual(self.verdict("--root", ready, "--command-line", f"numa=fake=4 {line}")[1], {"command-line-early"})


class Loan(unittest.TestCase):
    """What 'plan' says of an idle pool where nothing has to be handed over."""

    lender = ("--root", os.path.join(machines, "debian-6.1-lend"), "--loader", "kexec_load")

    def test_where_nothing_is_needed_one_line_says_what_a_loan_would_give(self):
        plan = run("plan", *self.lender)
        self.assertEqual(plan.status, NOT_NEEDED)
        self.assertRegex(plan.out, r"(?m)^loan +With --lend the crash kernel has 60 MiB more memory")

    def test_or_what_speaks_against_it(self):
        with Tree("debian-6.1-lend") as tree:
            tree.write("swiotlb-handoff/pool-traces", b"not-read: proc/kcore: Operation not permitted\n")
            plan = run("plan", "--root", tree.root, "--loader", "kexec_load")
        self.assertEqual(plan.status, NOT_NEEDED)
        self.assertIn("loan Lending the pool would give the crash kernel 60 MiB more memory, but the loan is refused (requires lend-idle):",
                      " ".join(plan.out.split()))

    def test_a_plan_that_hands_the_pool_over_says_nothing_of_it(self):
        self.assertNotRegex(run("plan", "--root", ready, *load).out, "(?m)^loan")

    def test_is_made_by_no_captured_machine_that_may_bounce(self):
        asked = ("--lend", "--collector", "mmap", "--loader", "kexec_load", "--json")
        self.assertTrue(json.loads(run("plan", *self.lender, "--lend", "--collector", "mmap", "--json").out)["lent"])
        # Where all DMA bounces the pool is handed over instead, which is no loan.
        for what, name, change, verdict, rule in (
                ("Xen PV", "sys/hypervisor/type", lambda _: b"xen\n", "refused", "xen-none"),
                ("SEV", "dmesg", lambda log: log + b"<6>[    0.400000] Memory Encryption Features active: AMD SEV\n", "refused", "encryption-unproven"),
                ("swiotlb=force", "proc/cmdline", lambda line: line.rstrip() + b" swiotlb=force\n", "ready", "pool-exact")):
            with self.subTest(what), Tree("debian-6.1-lend") as tree:
                tree.write(name, change(tree.read(name) if os.path.exists(tree.path(name)) else b""))
                plan = json.loads(run("plan", "--root", tree.root, *asked, "--command-line", words).out)
                self.assertEqual((plan["verdict"], plan["lent"]), (verdict, False), plan["reasons"])
                self.assertIn(rule, [one["rule"] for one in plan["reasons"]])


class E820(unittest.TestCase):
    def test_shows_the_map_of_plain_kdump_where_no_handoff_is_needed(self):
        root = ("--root", os.path.join(machines, "kvm-low-512M"))
        asked, plain = run("e820", *root), run("e820", "--before", *root)
        self.assertEqual((asked.status, plain.status), (NOT_NEEDED, READY))
        self.assertEqual(asked.out, plain.out)
        self.assertIn("usable", asked.out)
        self.assertRegex(asked.err, r"^swiotlb-handoff: not-needed: ")

    def test_shows_it_of_a_refused_machine_only_when_that_is_asked_for(self):
        with Tree("debian-6.1-kexec-load") as tree:
            lines = ("--loader", "kexec_load", "--command-line", words + " memtest")
            asked, plain = run("e820", "--root", tree.root, *lines), run("e820", "--before", "--root", tree.root, *lines)
        self.assertEqual((asked.status, asked.out, plain.status), (REFUSED, "", READY))
        self.assertEqual(plain.out, run("e820", "--before", "--root", ready, *load).out)
        self.assertNotEqual(plain.out, run("e820", "--root", ready, *load).out)


class Explain(unittest.TestCase):
    def test_without_a_rule_it_lists_all_of_them(self):
        listed = run("explain")
        self.assertEqual(listed.status, READY)
        with open(os.path.join(top, "docs/rules.md"), encoding="utf-8") as page:
            rules = re.findall(r"^## (\S+)$", page.read(), re.M)
        self.assertEqual(sorted(re.findall(r"^([a-z0-9-]+)  +\S", listed.out, re.M)), sorted(rules))
        entries = json.loads(run("explain", "--json").out)
        self.assertEqual([rule["rule"] for rule in entries["rules"]], re.findall(r"^([a-z0-9-]+)  +\S", listed.out, re.M))
        for rule in entries["rules"]:
            self.assertEqual(set(rule), {"rule", "demands", "acceptable", "means", "why", "what_to_do"})


class Json(unittest.TestCase):
    def test_every_command_speaks_it_and_says_its_schema(self):
        with Tree() as tree:
            for arguments in (["show"], ["plan", *load], ["cmdline", *load], ["check", "--place", *load], ["verify"], ["map", *load], ["recommend", *load],
                              ["capture", tree.path("out")]):
                with self.subTest(arguments):
                    said = run(*arguments, "--root", ready, "--json")
                    self.assertEqual(json.loads(said.out)["schema"], 2, said)

    def test_explain_has_the_section_of_the_documentation(self):
        (asked,) = json.loads(run("explain", "pool-exact", "--json").out)["rules"]
        told = run("explain", "pool-exact").out
        with open(os.path.join(top, "docs/rules.md"), encoding="utf-8") as page:
            section = page.read().split("\n## pool-exact\n")[1].split("\n## ")[0]
        for key in ("means", "why", "what_to_do"):
            self.assertIn(asked[key], told)
            self.assertIn(asked[key], section)

    def test_it_is_utf8_whatever_the_input_is(self):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write("proc/sys/kernel/osrelease", b"6.1\xff\xfe\n")
            run_it = run("plan", "--root", tree.root, "--loader", "kexec_load", "--command-line", "nr_cpus=1 a=\xe9", "--json")
            json.loads(run_it.out)


class ExitStatus(unittest.TestCase):
    def expect(self, status, *arguments):
        done = run(*arguments)
        self.assertEqual(done.status, status, done)
        return done

    def test_0_is_ready(self):
        done = self.expect(READY, "plan", "--root", ready, *load)
        self.assertEqual(done.err, "")
        done = self.expect(READY, "cmdline", "--root", ready, *load)
        self.assertRegex(done.out, r"^swiotlb=32768(,force)? memmap=[^\n ]+( [^\n]*)? swiotlb_handoff=0x\w+-0x\w+\n$")

    def test_1_is_an_input_or_io_error(self):
        for arguments in (["plan", "--root", "/no/such/directory"], ["show", "--root", "/no/such/directory"], ["e820", "--input", "/no/such/file"],
                          ["plan", "--root", ready, "--kernel", "/etc/passwd"], ["plan", "--root", ready, "--initrd", "/no/such/file"],
                          ["check", "--command-line", words, "--elfcorehdr", "/etc/passwd"],
                          ["check", "--command-line", words, "--e820", "/no/such/file"], ["capture", "--root", ready, ready]):
            with self.subTest(arguments):
                done = self.expect(INPUT, *arguments)
                self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                self.assertEqual(done.out, "")

    def test_3_is_refused(self):
        done = self.expect(REFUSED, "plan", "--root", os.path.join(machines, "synthetic-sev-guest"))
        self.assertIn("refused", done.out)

    def test_4_is_not_needed(self):
        self.expect(NOT_NEEDED, "plan", "--root", ready, "--loader", "kexec_load", "--command-line", words + " swiotlb=noforce")
        with Tree() as tree:
            os.mkdir(tree.path("proc"))
            self.expect(NOT_NEEDED, "show", "--root", tree.root)
        self.expect(NOT_NEEDED, "verify", "--root", ready)

    def test_verify_goes_by_each_pool_of_single_devices(self):
        words = "memmap=64M@0x71000000,1M@0x40000000,{} swiotlb_handoff=0x71000000-0x75000000 swiotlb_dev=512,addr=0x40000000,00:04.0 {},00:1c.0;pci:1b36:0010\n"
        with Tree("synthetic-device-pools") as tree:
            self.assertIn("16 MiB, 8192 slabs, of 00:1c.0;pci:1b36:0010 (/proc/iomem:12)", " ".join(self.expect(READY, "show", "--root", tree.root).out.split()))
            for status, landing, memory, word in ((READY, "exact", "16M@0x42000000", "swiotlb_dev=8192,addr=0x42000000"),
                                                  (REFUSED, "elsewhere, found at [0x42000000-0x43000000)", "1M@0x42000000", "swiotlb_dev=512,addr=0x42000000")):
                tree.write("proc/cmdline", words.format(memory, word).encode())
                said = " ".join(self.expect(status, "verify", "--root", tree.root).out.split())
                self.assertIn("00:04.0: exact ", said)
                self.assertTrue(said.endswith(f"00:1c.0;pci:1b36:0010: {landing}"), said)

    def test_5_is_not_permitted(self):
        self.expect(NOT_PERMITTED, "plan", "--root", os.path.join(machines, "iomem-not-root"))

    def test_cmdline_never_stops_a_script_unless_it_is_told_to(self):
        for machine, status in (("synthetic-sev-guest", REFUSED), ("iomem-not-root", NOT_PERMITTED)):
            with self.subTest(machine):
                root = os.path.join(machines, machine)
                done = self.expect(READY, "cmdline", "--root", root)
                self.assertEqual(done.out, "")
                self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                self.assertEqual(self.expect(status, "cmdline", "--strict", "--root", root).out, "")

    def test_output_that_cannot_be_written_is_an_error(self):
        import subprocess
        with open("/dev/full", "w") as full:
            done = subprocess.run([tool, "plan", "--root", ready, *load], stdout=full, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, INPUT)


class Readme(unittest.TestCase):
    def test_its_picture_is_what_map_draws(self):
        drawn = run("map", "--svg", "--root", f"{machines}/dell-r6515-high")
        with open(f"{top}/docs/map.svg", encoding="utf-8") as picture:
            self.assertEqual(drawn.out, picture.read(), "if this is right: map --svg >docs/map.svg, and scripts/draw")

    def test_its_examples_are_what_the_program_says(self):
        with open(f"{top}/README.md", encoding="utf-8") as page:
            examples = re.findall(r"(?m)^    \$ swiotlb-handoff (.*)\n((?:    (?!\$).*\n)+)", page.read())
        self.assertGreaterEqual(len(examples), 2)
        for line, shown in examples:
            with self.subTest(line):
                done = run(*shlex.split(line), cwd=top)
                self.assertEqual((done.out + done.err).split(), shown.split())


class Environment(unittest.TestCase):
    """Root's environment may be somebody else's: nothing in it changes what the tool does."""

    def test_an_empty_and_a_hostile_one_give_the_same_plan(self):
        expected = run("plan", "--root", ready, *load, "--json").out
        with Tree() as tree:
            tree.write("kexec", b"#!/bin/sh\ntouch " + tree.path("ran").encode() + b"\n")
            os.chmod(tree.path("kexec"), 0o755)
            hostile = {"PATH": tree.root, "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8", "IFS": "0x", "ELFUTILS_DEBUG": "1", "TMPDIR": "/no/such", "HOME": "/no/such"}
            for environment in ({}, hostile):
                self.assertEqual(run("plan", "--root", ready, *load, "--json", environment=environment).out, expected)
            # Not even where it runs kexec: an absolute path, or none.
            run("kexec", "--", "-v", environment=hostile)
            self.assertFalse(os.path.exists(tree.path("ran")))


if __name__ == "__main__":
    unittest.main()
