#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbook and the alerts of docs/many-hosts.md, as far as one machine can try them: against a directory as the host's root."""
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

from harness import Tree, run, tool, top

folder = os.path.join(top, "docs/many-hosts")
config = "etc/default/kdump-tools"
text = b"USE_KDUMP=1\nKDUMP_COREDIR=/var/crash\n"


@unittest.skipUnless(shutil.which("ansible-playbook"), "ansible-core is not installed")
class Playbook(unittest.TestCase):
    def setUp(self):
        self.host = Tree("debian-7.2-high-default-low")
        self.addCleanup(self.host.__exit__)
        self.host.write("usr/sbin/kdump-config", b". /etc/default/kdump-tools\n")
        self.host.write(config, text)
        self.host.install_handoff()
        self.home = tempfile.mkdtemp(prefix="handoff-ansible-")
        self.addCleanup(shutil.rmtree, self.home)

    def play(self, *more, **variables):
        """(changed, failed) tasks, and what was printed."""
        variables = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "swiotlb_handoff_become": False,
                     "swiotlb_handoff_package": "", "swiotlb_handoff_reload": False, "swiotlb_handoff_root": self.host.root,
                     "swiotlb_handoff_command": tool, **variables}
        extra = [word for name, value in variables.items() for word in ("-e", f"{name}={value!r}" if isinstance(value, str) else f'{{"{name}": {str(value).lower()}}}')]
        done = subprocess.run(["ansible-playbook", "-i", "host,", os.path.join(folder, "swiotlb-handoff.yml"), *extra, *more], capture_output=True, text=True,
                              env={**os.environ, "HOME": self.home, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8"}, timeout=300)
        recap = re.search(r"changed=(\d+).*failed=(\d+)", done.stdout)
        self.assertTrue(recap, done.stdout + done.stderr)
        self.output = done.stdout
        return int(recap[1]), int(recap[2])

    def test_a_check_changes_nothing_and_says_what_would_change(self):
        changed, failed = self.play("--check", "--diff")
        self.assertEqual((changed > 0, failed), (True, 0), self.output)
        self.assertIn("+# >>> swiotlb-handoff enable >>>", self.output)
        self.assertEqual(self.host.read(config), text)

    def test_once_is_enough_and_it_is_undone(self):
        changed, failed = self.play()
        self.assertEqual((changed > 0, failed), (True, 0), self.output)
        self.assertIn(b"swiotlb-handoff enable", self.host.read(config))
        self.assertRegex(self.output, "host: kdump-tools: enabled True, handoff ")
        self.assertEqual(self.play(), (0, 0), self.output)
        self.assertEqual(self.play("--check"), (0, 0), self.output)
        changed, failed = self.play(swiotlb_handoff="disabled")
        self.assertEqual((changed > 0, failed), (True, 0), self.output)
        self.assertEqual(self.host.read(config), text)
        self.assertEqual(self.play(swiotlb_handoff="absent"), (0, 0), self.output)

    def test_after_a_role_wrote_the_file_anew_it_is_enabled_again(self):
        self.play()
        # As linux-system-roles' kdump does on Ubuntu.
        self.host.write(config, b"# Ansible managed\nUSE_KDUMP=1\n")
        changed, failed = self.play()
        self.assertEqual((changed > 0, failed), (True, 0), self.output)
        self.assertIn(b"swiotlb-handoff enable", self.host.read(config))

    def test_a_refusal_is_said_in_words_and_fails_the_host(self):
        self.host.write("usr/sbin/kdump-config", b"read /etc/default/kdump-tools\n")
        self.assertEqual(self.play()[1], 1)
        self.assertIn("this script does not read /etc/default/kdump-tools as a shell does", self.output)
        self.assertEqual(self.host.read(config), text)

    def test_captures_are_collected_for_an_audit(self):
        self.assertEqual(self.play("--check", swiotlb_handoff_captures=self.home), (1, 0), self.output)
        with tarfile.open(os.path.join(self.home, "host.tar.gz")) as archive:
            self.assertIn("./proc/iomem", archive.getnames())
        self.assertIn("host", run("audit", os.path.join(self.home, "host.tar.gz")).out)


def promtool():
    """Of Debian's prometheus package, or None."""
    if shutil.which("promtool"):
        return "promtool"
    sys.path.insert(0, os.path.join(top, "tests/vm"))
    import fetch
    fetch.ITEMS["promtool"] = ("bookworm", lambda *a: fetch.keep_file(*a, "prometheus", "*/bin/promtool"))
    try:
        directory = fetch.Store().get("promtool")
    except fetch.Unavailable:
        return None
    path = os.path.join(str(directory[0] if isinstance(directory, tuple) else directory), "promtool")
    os.chmod(path, 0o755)
    return path


class Alerts(unittest.TestCase):
    def setUp(self):
        self.promtool = promtool()
        if not self.promtool:
            self.skipTest("promtool cannot be had")

    def test_the_rules_are_sound_and_fire_where_they_should(self):
        for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts-test.yml")):
            done = subprocess.run([self.promtool, *command], cwd=folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_metric_in_them_is_one_that_status_has(self):
        with Tree("debian-7.2-high-default-low") as host:
            there = set(re.findall(r"^# TYPE (\S+)", run("status", "--prometheus", "--root", host.root).out, re.M))
        with open(os.path.join(folder, "alerts.yml"), encoding="utf-8") as file:
            used = set(re.findall(r"\bswiotlb_handoff_\w+", file.read()))
        self.assertEqual(used - there, set())


if __name__ == "__main__":
    unittest.main()
