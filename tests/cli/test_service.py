#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command that asks which kdump service is installed gets the same answer."""
import json
import os
import unittest

from harness import INPUT, READY, Tree, run

# Of the service with this script: what 'shrink' runs to load the crash kernel.
loads = {"usr/sbin/kdump-config": "/usr/sbin/kdump-config load", "usr/bin/kdumpctl": "/usr/bin/kdumpctl reload",
         "usr/lib/kdump/load.sh": "/usr/bin/systemctl restart kdump.service"}
services = {"kdump-tools": "usr/sbin/kdump-config", "kdumpctl": "usr/bin/kdumpctl", "suse": "usr/lib/kdump/load.sh"}
configs = {"kdump-tools": "etc/default/kdump-tools", "kdumpctl": "etc/sysconfig/kdump", "suse": "etc/sysconfig/kdump"}


class Machine(Tree):
    """One whose reservation can be made smaller, with these scripts and this os-release."""

    def __init__(self, scripts, os_release):
        super().__init__("debian-6.12-high-no-low")
        for script in scripts:
            self.write(script, b"#!/bin/sh\n")
        self.write("usr/bin/systemctl", b"")
        self.write("etc/os-release", os_release)
        for config in set(configs.values()):
            self.write(config, b"USE_KDUMP=1\n")
        self.write("initrd", b"")
        os.truncate(self.path("initrd"), 4 << 20)
        start, end = (int(n, 16) for n in self.read("proc/iomem").decode().split(" : Crash kernel")[-2].split("\n")[-1].split("-"))
        self.write("sys/kernel/kexec_crash_size", f"{end + 1 - start}\n".encode())

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
            self.assertRegex(status["next"], "^remove the kdump service that is not used: ")
            self.assertIn("several kdump services", machine.shrink().out)
            before = machine.read("etc/sysconfig/kdump")
            for command in ("enable", "disable"):
                refused = run(command, "--root", machine.root)
                self.assertEqual(refused.status, INPUT)
                self.assertIn("several kdump services", refused.err)
            self.assertEqual(machine.read("etc/sysconfig/kdump"), before)

    def test_no_script_is_said_with_what_was_looked_for(self):
        with Machine([], b"ID=arch\n") as machine:
            for said in (machine.status()["problems"][0], machine.shrink().out, run("enable", "--root", machine.root).err):
                self.assertIn("no kdump service is found", said)
                for script in loads:
                    self.assertIn("/" + script, said)
                self.assertIn("os-release says arch", said)


if __name__ == "__main__":
    unittest.main()
