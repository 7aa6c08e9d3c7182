#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What udev's reload-lent does where a driver takes a device, in a mount namespace with a /run and a kdump service of its own."""
import os
import subprocess
import unittest

script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../udev/reload-lent")
unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]

# 'record OUTCOME LENT' is what a load leaves; 'loading COMMAND...' holds the lock of a load while the command runs.
prepared = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /usr/sbin
mkdir /run/swiotlb-handoff
printf '#!/bin/sh\\necho "$*" >>/run/reloads\\n' >/usr/sbin/kdump-config
chmod 755 /usr/sbin/kdump-config
touch /run/swiotlb-handoff/lock
record() { printf '{\\n  "outcome": "%s",\\n  "lent": %s\\n}\\n' "$1" "$2" >/run/swiotlb-handoff/record.json; }
loading() {
    (exec 8>>/run/swiotlb-handoff/lock; flock 8; touch /run/locked; sleep 1; "$@") &
    until [ -e /run/locked ]; do sleep 0.1; done
}
"""


def in_a_namespace(commands):
    return subprocess.run([*unshare, "sh", "-c", prepared + commands + "\nwait\ncat /run/reloads 2>/dev/null || echo none", script],
                          capture_output=True, text=True)


@unittest.skipUnless(in_a_namespace("").returncode == 0, "mounts are not permitted here")
class ReloadLent(unittest.TestCase):
    def said(self, commands):
        done = in_a_namespace(commands)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_a_pool_that_is_lent_is_judged_anew(self):
        self.assertEqual(self.said("record handoff true; sh $0 --now"), "try-reload\n")

    def test_a_load_that_lends_nothing_is_left_alone(self):
        self.assertEqual(self.said("record plain false; sh $0 --now"), "none\n")
        self.assertEqual(self.said("record handoff false; sh $0 --now"), "none\n")

    def test_a_load_that_is_under_way_is_waited_for_since_it_may_lend_the_pool(self):
        self.assertEqual(self.said("record plain false; loading record handoff true; sh $0 --now"), "try-reload\n")

    def test_and_if_it_did_not_nothing_is_loaded(self):
        self.assertEqual(self.said("record plain false; loading record plain false; sh $0 --now"), "none\n")

    def test_devices_that_come_while_a_load_is_under_way_are_one_load(self):
        self.assertEqual(self.said("record plain false; loading record handoff true; for i in 1 2 3; do sh $0 --now & done"), "try-reload\n")


if __name__ == "__main__":
    unittest.main()
