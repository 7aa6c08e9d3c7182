#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command that asks which kdump service is installed gets the same answer."""
import json
import os
import subprocess
import unittest

from harness import INPUT, READY, USAGE, Tree, can_inject, helpers, program, run

# Of the service with this script: what 'shrink' runs to load the crash kernel.
loads = {"usr/sbin/kdump-config": "/usr/sbin/kdump-config load", "usr/bin/kdumpctl": "/usr/bin/kdumpctl reload",
         "usr/lib/kdump/load.sh": "/usr/bin/systemctl restart kdump.service"}
services = {"kdump-tools": "usr/sbin/kdump-config", "kdumpctl": "usr/bin/kdumpctl", "suse": "usr/lib/kdump/load.sh"}
# As much of a script as says that a shell reads the configuration, and which verbs there are.
sourcing = {"usr/sbin/kdump-config": b". /etc/default/kdump-tools\n", "usr/bin/kdumpctl": b". /etc/sysconfig/kdump\nreload) ;;\nrebuild) ;;\n",
            "usr/lib/kdump/load.sh": b". /usr/lib/kdump/kdump-read-config.sh\n"}
configs = {"kdump-tools": "etc/default/kdump-tools", "kdumpctl": "etc/sysconfig/kdump", "suse": "etc/sysconfig/kdump"}


class Machine(Tree):
    """One whose reservation can be made smaller, with these scripts and this os-release."""

    def __init__(self, scripts, os_release, name="debian-7.2-high-default-low"):
        super().__init__(name)
        for script in scripts:
            self.write(script, b"#!/bin/sh\n" + sourcing[script])
        self.write("usr/bin/systemctl", b"")
        self.write("etc/os-release", os_release)
        # Of a captured machine the configuration alone shows a service: where there is none, there is neither.
        for config in set(configs.values()) if scripts else ():
            self.write(config, b"USE_KDUMP=1\n")
        self.install_handoff()
        self.write("initrd", b"")
        os.truncate(self.path("initrd"), 4 << 20)
        if b" : Crash kernel" in self.iomem():
            start, end = (int(n, 16) for n in self.iomem().decode().split(" : Crash kernel")[-2].split("\n")[-1].split("-"))
            self.write("sys/kernel/kexec_crash_size", f"{end + 1 - start}\n".encode())

    def iomem(self):
        return self.read("proc/iomem") if os.path.exists(self.path("proc/iomem")) else b""

    def shrink(self):
        return run("shrink", "--dry-run", "--root", self.root, "--margin", "0", "--initrd", self.path("initrd"), "--command-line", "nr_cpus=1")

    def status(self):
        return json.loads(run("status", "--json", "--root", self.root).out)


class WhichService(unittest.TestCase):
    def test_with_several_scripts_os_release_decides_for_every_command(self):
        for os_release, service in ((b"ID=debian\n", "kdump-tools"), (b"ID=fedora\n", "kdumpctl"), (b"ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", "kdumpctl"),
                                    (b"ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n", "suse")):
            with self.subTest(os_release), Machine(loads, os_release) as machine:
                self.assertEqual(machine.status()["service"], service)
                shrunk = machine.shrink()
                self.assertEqual(shrunk.status, READY, shrunk)
                self.assertIn(loads[services[service]], shrunk.out)
                enabled = run("enable", "--json", "--root", machine.root)
                self.assertEqual(json.loads(enabled.out)["config"], machine.path(configs[service]))

    def test_several_scripts_and_an_unknown_distribution_are_said(self):
        with Machine(loads, b"ID=arch\n") as machine:
            status = machine.status()
            self.assertIsNone(status["service"])
            self.assertRegex(status["problems"][0], "^several kdump services are installed, .* os-release says arch$")
            self.assertRegex(status["next"], "^Remove the kdump service that is not used: ")
            self.assertIn("several kdump services", " ".join(machine.shrink().out.split()))
            before = machine.read("etc/sysconfig/kdump")
            for command in ("enable", "disable"):
                refused = run(command, "--root", machine.root)
                self.assertEqual(refused.status, INPUT)
                self.assertIn("several kdump services", refused.err)
            self.assertEqual(machine.read("etc/sysconfig/kdump"), before)

    def test_no_script_is_said_with_what_was_looked_for(self):
        with Machine([], b"ID=arch\n") as machine:
            for said in (machine.status()["problems"][0], machine.shrink().out, run("enable", "--root", machine.root).err):
                said = " ".join(said.split())
                self.assertIn("no kdump service was found", said)
                for script in loads:
                    self.assertIn("/" + script, said)
                self.assertIn("os-release says arch", said)


class Enabling(unittest.TestCase):
    """What enable and disable write, and when they write nothing."""

    def setUp(self):
        self.machine = Machine(["usr/sbin/kdump-config"], b"ID=debian\n")
        self.addCleanup(self.machine.__exit__)
        self.config = configs["kdump-tools"]

    def files(self):
        return {os.path.relpath(os.path.join(folder, name), self.machine.root): self.machine.read(os.path.relpath(os.path.join(folder, name), self.machine.root))
                for folder, _, names in os.walk(self.machine.root) for name in names}

    def test_without_what_it_would_call_it_fails_with_one_line_and_status_says_so(self):
        for path in (program, *(f"{helpers}/{name}" for name in ("kexec", "kdump-tools.sh", "verify"))):
            with self.subTest(path):
                enabled = run("enable", "--root", self.machine.root)
                self.assertEqual(enabled.status, READY, enabled)
                self.assertEqual(self.machine.status()["problems"], [])
                self.machine.remove(path[1:])
                status = self.machine.status()
                self.assertEqual(status["problems"], [f"{path}: this file is missing, and kdump needs it to load with the handoff"])
                self.assertRegex(status["next"], "^Install swiotlb-handoff\\. ")
                self.assertIn(path, run("status", "--root", self.machine.root).out)
                self.assertEqual(run("disable", "--root", self.machine.root).status, READY)

                before = self.files()
                for more in ((), ("--dry-run",), ("--json",)):
                    done = run("enable", *more, "--root", self.machine.root)
                    self.assertEqual((done.status, done.out), (INPUT, ""), done)
                    self.assertRegex(done.err, f"^swiotlb-handoff: swiotlb-handoff is not installed for kdump-tools: {path} does not exist\\. [^\n]+\n$")
                self.assertEqual(self.files(), before)
                self.machine.install_handoff()

    def test_scripts_that_run_the_configuration_in_no_shell_are_refused_and_status_says_so(self):
        with Machine(["usr/lib/kdump/load.sh"], b"ID=sles\n") as machine:
            machine.write("usr/lib/kdump/load.sh", b"KEXEC=/sbin/kexec\neval $($KDUMPTOOL dump_config)\n")
            before = machine.read("etc/sysconfig/kdump")
            for more in ((), ("--dry-run",), ("--json",)):
                done = run("enable", *more, "--root", machine.root)
                self.assertEqual((done.status, done.out), (INPUT, ""), done)
                self.assertRegex(done.err, "load.sh: this script does not read /etc/sysconfig/kdump as a shell does, .* no effect[^\n]*\n$")
            self.assertEqual(machine.read("etc/sysconfig/kdump"), before)
            status = machine.status()
            self.assertIsNone(status["enabled"])
            self.assertRegex(status["problems"][0], "SLE 15 SP4 and SP5")
            self.assertEqual(run("disable", "--root", machine.root).status, READY, "what is there can always be taken out")

    def test_what_would_undo_another_crashkernel_is_said_when_it_is_enabled(self):
        with Machine(["usr/bin/kdumpctl"], b"ID=fedora\n") as machine:
            machine.write("usr/bin/kdumpctl", sourcing["usr/bin/kdumpctl"] + b"auto_reset_crashkernel\n")
            machine.write("etc/kdump.conf", b"path /var/crash\n")
            said = run("enable", "--root", machine.root).out
            self.assertRegex(said, r"(?m)^note +When its package is updated,")
            self.assertIn("kdumpctl puts the crashkernel= of the distribution back", " ".join(said.split()))
            machine.write("etc/kdump.conf", b"auto_reset_crashkernel no\n")
            self.assertNotIn("\nnote ", run("enable", "--root", machine.root).out)

    def test_enable_says_what_the_handoff_comes_to_on_this_machine_now(self):
        def said(name, *more):
            with Machine(["usr/sbin/kdump-config"], b"ID=debian\n", name) as machine:
                done = run("enable", *more, "--root", machine.root)
                self.assertEqual(done.status, READY, done)
                return done
        self.assertNotIn("At present", said("debian-7.2-high-default-low").out)
        idle = said("kvm-low-512M").out
        self.assertLessEqual(max(map(len, idle.split("\n")[2:])), 100, idle)
        self.assertRegex(idle, r"(?m)^note +At present the handoff has no effect: the crash kernel makes no pool")
        self.assertIn("lent to the crash kernel instead, with SWIOTLB_HANDOFF_LEND=yes in kdump's configuration: swiotlb-handoff-lending(7).", " ".join(idle.split()))
        self.assertRegex(said("debian-6.1-kexec-load").out, r"At present kdump loads without the handoff: refused \(requires pool-exact\)")
        dry = said("kvm-low-512M", "--dry-run")
        self.assertTrue(dry.out.startswith("--- "), "the difference alone, so that it can be applied")
        self.assertRegex(dry.err, r"\Aswiotlb-handoff: At present the handoff has no effect: [^\n]+\n\Z")

    def test_a_pool_that_is_to_be_lent_is_not_without_effect(self):
        with Machine(["usr/sbin/kdump-config"], b"ID=debian\n", "kvm-low-512M") as machine:
            machine.write(self.config, b"USE_KDUMP=1\nexport SWIOTLB_HANDOFF_LEND=yes\n")
            said = run("enable", "--root", machine.root).out
            self.assertNotIn("has no effect", said)
            self.assertRegex(said, r"At present kdump loads without the handoff: refused \(requires lend-idle\)")

    def test_a_generator_of_initrds_without_the_hook_is_said(self):
        self.machine.write("usr/sbin/mkinitramfs", b"")
        done = run("enable", "--root", self.machine.root)
        self.assertEqual(done.status, INPUT)
        self.assertIn("/usr/share/initramfs-tools/hooks/swiotlb-handoff, /usr/share/initramfs-tools/scripts/init-top/swiotlb-handoff do not exist", done.err)

    def test_a_dry_run_prints_the_difference_that_is_then_made_and_writes_nothing(self):
        for text in (b"USE_KDUMP=1\n", b"", b"no end", b"A=1\nB=2\nC=3\n\n# a\ttab\nD=4\n"):
            self.machine.write(self.config, text)
            for command in ("enable", "disable"):
                with self.subTest(text=text, command=command):
                    before = self.files()
                    dry = run(command, "--dry-run", "--root", self.machine.root)
                    self.assertEqual((dry.status, dry.err), (READY, ""), dry)
                    self.assertEqual(self.files(), before)
                    self.assertEqual(run(command, "--root", self.machine.root).status, READY)
                    difference = subprocess.run(["diff", "-u", "-", self.machine.path(self.config)], input=before[self.config], stdout=subprocess.PIPE).stdout.decode()
                    self.assertEqual(dry.out.split("\n")[2:], difference.split("\n")[2:])
                    self.assertEqual(dry.out.split("\n")[:2], [f"--- {self.machine.path(self.config)}", f"+++ {self.machine.path(self.config)}"])
                    self.assertEqual(run(command, "--dry-run", "--root", self.machine.root).out, "", "nothing is left to change")

    def test_json_and_a_dry_run_are_two_things(self):
        for command in ("enable", "disable"):
            self.assertEqual(run(command, "--dry-run", "--json", "--root", self.machine.root).status, USAGE)

    @unittest.skipUnless(can_inject(), "needs strace")
    def test_the_configuration_is_the_last_thing_that_is_written(self):
        """Whatever fails, either the command says that it is done, or the configuration is what it was."""
        before = self.files()
        for command in ("enable", "disable"):
            for fault in ("rename", "renameat", "unlinkat", "fsync", "fchown", "fchmod", "write"):
                for number in range(1, 5):
                    with self.subTest(command=command, fault=fault, number=number):
                        for name in set(self.files()) - set(before):
                            self.machine.remove(name)
                        self.machine.write(self.config, before[self.config])
                        if command == "disable":
                            self.assertEqual(run("enable", "--root", self.machine.root).status, READY)
                        old = self.machine.read(self.config)
                        done = run(command, "--root", self.machine.root, inject=f"{fault}:error=EIO:when={number}")
                        changed = self.machine.read(self.config) != old
                        if "standard output" not in done.err:
                            self.assertEqual(changed, done.status == READY, done)
                        self.assertEqual([name for name in self.files() if name.endswith(".new")], [])

    def test_a_name_of_a_root_that_is_no_utf8_is_printed_all_the_same(self):
        root = os.fsencode(self.machine.root) + b"/\xff"
        os.mkdir(root)
        for entry in os.listdir(os.fsencode(self.machine.root)):
            if entry != b"\xff":
                os.rename(os.path.join(os.fsencode(self.machine.root), entry), os.path.join(root, entry))
        for command in ("enable", "status", "disable"):
            for more in ((), ("--json",)):
                with self.subTest((command, *more)):
                    done = run(command, *more, "--root", os.fsdecode(root))
                    self.assertEqual(done.err, "")
                    if more:
                        json.loads(done.out)


if __name__ == "__main__":
    unittest.main()
