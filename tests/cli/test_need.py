#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What 'recommend' says that a crash kernel needs, of an initrd that it unpacks."""
import gzip
import json
import os
import unittest

from harness import Tree, archive, machines, run

MIB = 1 << 20
machine = "debian-6.12-high-no-low"


def line(tree, name, *arguments):
    """That line of the need as JSON; None where it is not there."""
    document = json.loads(run("recommend", "--json", "--root", tree.root, *arguments).out)
    return next((one for one in document["need"]["lines"] if one["name"] == name), None), document


class Need(unittest.TestCase):
    def test_an_initrd_counts_with_what_it_unpacks_to(self):
        with Tree(machine) as tree:
            files = archive((b"bin/makedumpfile", os.urandom(MIB)), (b"zeros", bytes(40 * MIB)))
            tree.write("initrd", archive((b"kernel/x86/microcode/AuthenticAMD.bin", b"ucode")) + gzip.compress(files, mtime=0))
            unpacked, document = line(tree, "unpacked", "--initrd", tree.path("initrd"))
            self.assertEqual(unpacked["basis"], "read")
            self.assertGreater(unpacked["at_least_bytes"], 41 * MIB)
            self.assertLess(unpacked["size_bytes"], 42 * MIB)
            self.assertGreaterEqual(document["need"]["lower_bound_bytes"], unpacked["at_least_bytes"])
            text = run("recommend", "--root", tree.root, "--initrd", tree.path("initrd")).out
            self.assertRegex(text, r"42 MiB  read     the initrd unpacked: by unpacking it \(gzip\)")

    def test_what_was_not_read_is_assumed_and_there_is_a_warning(self):
        text = run("recommend", "--root", os.path.join(machines, machine)).out
        self.assertRegex(text, r"MiB  assumed  the kernel: no image was read")
        self.assertRegex(text, r"MiB  assumed  the initrd unpacked: 4 times as much as the packed one")
        self.assertRegex(text, r"warning     image-known: \d+ MiB of what the crash kernel needs are assumed: image, unpacked")
        self.assertNotIn("as its image says", text)

    def test_an_initrd_that_the_kernel_would_not_unpack_is_assumed_and_says_why(self):
        with Tree(machine) as tree:
            for bytes_of_it, why in ((b"junk", "neither cpio nor a compression"), (gzip.compress(archive((b"f", bytes(100))))[:-9], "gzip: the data is damaged")):
                with self.subTest(why):
                    tree.write("initrd", bytes_of_it)
                    unpacked, _ = line(tree, "unpacked", "--initrd", tree.path("initrd"))
                    self.assertEqual((unpacked["basis"], unpacked["at_least_bytes"]), ("assumed", 0))
                    self.assertIn(why, unpacked["evidence"])

    def test_cpus_are_those_of_the_command_line_that_the_service_will_use(self):
        with Tree(machine) as tree:
            tree.write("sys/devices/system/cpu/possible", b"0-63\n")
            tree.write("usr/lib/kdump/load.sh", b"#!/bin/sh\n")
            for config, cpus in ((b"KDUMP_SAVEDIR=/var/crash\n", 32), (b"KDUMP_CPUS=4\n", 4), (b"KDUMP_CPUS=0\n", 64), (b"KDUMP_CPUS=1\n", None)):
                with self.subTest(config):
                    tree.write("etc/sysconfig/kdump", config)
                    found, document = line(tree, "cpus")
                    self.assertEqual(found and found["evidence"].split()[0], str(cpus) if cpus else None)
                    threads = next(one for one in document["need"]["lines"] if one["name"] == "makedumpfile")["evidence"]
                    self.assertIn(f"{cpus or 0} threads", threads)


if __name__ == "__main__":
    unittest.main()
