#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines in archives and in other programs' reports; and captures that are not complete."""
import gzip
import json
import os
import shutil
import subprocess
import unittest

from harness import INPUT, NOT_PERMITTED, Tree, archive, machines, run

server = os.path.join(machines, "dell-r6515-high")
with open(os.path.join(server, "dmesg"), "rb") as server_log:
    log = server_log.read()
none = "expected one of these and found none: a sosreport (sos_commands), "


class Reports(unittest.TestCase):
    def test_every_command_that_plans_takes_an_archive(self):
        with Tree() as tree:
            name = "dell-r65.tar.xz"  # as long as the other: 'map' names the machine by it, in lines that are wrapped
            archive = tree.path(name)
            subprocess.run(["tar", "-cJf", archive, "-C", machines, "dell-r6515-high"], check=True)
            for command in (["show"], ["plan"], ["cmdline"], ["e820"], ["map"], ["recommend"], ["plan", "--json"]):
                with self.subTest(command):
                    there, here = run(*command, "--root", server), run(*command, "--root", archive)
                    said = here.out.replace(archive, server).replace(name, "dell-r6515-high")
                    self.assertEqual((here.status, said, here.err), (there.status, there.out, there.err))

    def test_an_error_names_the_archive_and_the_file_in_it(self):
        with Tree() as tree:
            tree.write("bad/proc/iomem", b"no such line\n")
            subprocess.run(["tar", "-czf", tree.path("bad.tgz"), "-C", tree.root, "bad"], check=True)
            self.assertTrue(run("plan", "--root", tree.path("bad.tgz")).err.startswith(f"swiotlb-handoff: {tree.path('bad.tgz')}/proc/iomem:1: "))

    def test_a_sosreport_is_read_where_sos_puts_things(self):
        with Tree() as tree:
            tree.write("sos/sos_commands/kernel/dmesg", log)
            tree.write("sos/etc/kdump.conf", b"core_collector makedumpfile -l\n")
            tree.write("sos/etc/sysconfig/kdump", b'KEXEC_ARGS="-s"\n')
            found = json.loads(run("plan", "--json", "--root", tree.path("sos")).out)
            self.assertEqual(found["pool"], json.loads(run("plan", "--json", "--root", server).out)["pool"])
            self.assertIn("sos_commands/kernel/dmesg:", json.dumps(found))
            # The loader is that of kdump's configuration.
            self.assertEqual(found["segments"], json.loads(run("plan", "--json", "--root", server, "--loader", "kexec_file_load").out)["segments"])

    def test_a_directory_that_is_none_is_one_error(self):
        with Tree() as tree:
            tree.write("some/file", b"x")
            for command in (["plan"], ["show"], ["capture", tree.path("out")], ["recommend"], ["audit"]):
                with self.subTest(command):
                    done = run(*command, "--root", tree.path("some")) if command != ["audit"] else run("audit", "--json", tree.path("some"))
                    self.assertEqual(done.status, INPUT)
                    said = done.err if command != ["audit"] else done.out
                    self.assertIn(none, said)
                    self.assertEqual(len(said.splitlines()), 1)

    def test_a_log_alone_is_a_machine(self):
        with Tree() as tree:
            tree.write("host.log", log)
            subprocess.run(["xz", "-k", tree.path("host.log")], check=True)
            for name in ("host.log", "host.log.xz"):
                found = json.loads(run("plan", "--json", "--root", tree.path(name)).out)
                self.assertEqual(found["pool"], json.loads(run("plan", "--json", "--root", server).out)["pool"])
                self.assertIn(f"{name}:114", json.dumps(found))
            line = run("audit", "--json", tree.path("host.log.xz")).out
            self.assertIsNone(json.loads(line)["error"])

    def test_what_acts_on_a_machine_says_of_an_archive_what_it_takes(self):
        with Tree() as tree:
            archive = tree.path("server.tar.xz")
            subprocess.run(["tar", "-cJf", archive, "-C", machines, "dell-r6515-high"], check=True)
            for command in (["enable"], ["disable"], ["kexec", "--dry-run"]):
                done = run(*command, "--root", archive)
                self.assertEqual((done.status, done.out), (INPUT, ""))
                self.assertEqual(done.err, f"swiotlb-handoff: {archive}: {command[0]} needs a directory that has the files of the machine at their own paths. "
                                 "Unpack the archive first. The commands plan, recommend and status can read it as it is\n")
            there, here = (run("status", "--json", "--root", root) for root in (server, archive))
            self.assertEqual((here.status, here.out.replace(f"{archive}/dell-r6515-high", server)), (there.status, there.out))
            self.assertEqual(run("status", "--root", tree.path("none.tar")).status, INPUT)

    def test_of_several_machines_none_is_chosen(self):
        with Tree() as tree:
            subprocess.run(["tar", "-czf", tree.path("two.tgz"), "-C", machines, "dell-r6515-high", "debian-6.1-kexec-load"], check=True)
            done = run("plan", "--root", tree.path("two.tgz"))
            self.assertEqual(done.status, INPUT)
            self.assertIn("expected one machine, found 2", done.err)


class Captures(unittest.TestCase):
    def test_a_capture_has_the_sizes_of_image_and_initrd(self):
        with Tree() as tree:
            shutil.copytree(os.path.join(machines, "debian-6.1-kexec-load"), tree.path("m"))
            tree.write("m/usr/sbin/kdump-config", b"")
            tree.write("m/etc/default/kdump-tools", b'MAKEDUMP_ARGS="-c -d 31"\n')
            tree.write("m/var/lib/kdump/initrd.img", b"x" * 5000)
            self.assertEqual(run("capture", "--root", tree.path("m"), tree.path("copy")).status, 0)
            there, here = (json.loads(run("plan", "--json", "--root", tree.path(name)).out) for name in ("m", "copy"))
            self.assertEqual(there["segments"], here["segments"])
            self.assertNotEqual(here["segments"], json.loads(run("plan", "--json", "--root", os.path.join(machines, "debian-6.1-kexec-load")).out)["segments"])
            with open(tree.path("copy/swiotlb-handoff/crash-image.json")) as kept_file:
                kept = json.load(kept_file)
            self.assertEqual((kept["initrd"]["bytes"], kept["image"], kept["collector"]), (5000, None, "mmap"))
            self.assertIsNone(kept["initrd"]["contents"], "no kernel unpacks this one")

    def test_a_capture_has_what_the_initrd_becomes(self):
        with Tree() as tree:
            shutil.copytree(os.path.join(machines, "debian-6.1-kexec-load"), tree.path("m"))
            tree.write("m/usr/sbin/kdump-config", b"")
            tree.write("m/etc/default/kdump-tools", b"")
            tree.write("m/var/lib/kdump/initrd.img", gzip.compress(archive((b"lib/modules/6.1/virtio_net.ko", b"m" * 70000), (b"init", b"i" * 9000))))
            self.assertEqual(run("capture", "--root", tree.path("m"), tree.path("copy")).status, 0)
            with open(tree.path("copy/swiotlb-handoff/crash-image.json")) as kept_file:
                kept = json.load(kept_file)["initrd"]["contents"]
            self.assertEqual((kept["file_bytes"], kept["module_bytes"], kept["formats"]), (18 * 4096 + 3 * 4096, 70000, ["gzip"]))

            def need_of(name):
                lines = json.loads(run("recommend", "--json", "--root", tree.path(name)).out)["need"]["lines"]
                return [line for line in lines if line["name"] in ("initrd", "unpacked", "modules")]
            self.assertEqual(need_of("m"), need_of("copy"))
            self.assertEqual(len(need_of("copy")), 3)
            # A capture of a capture has the same.
            self.assertEqual(run("capture", "--root", tree.path("copy"), tree.path("again")).status, 0)
            self.assertEqual(need_of("again"), need_of("copy"))
            # One that is older has no such member.
            with open(tree.path("copy/swiotlb-handoff/crash-image.json")) as kept_file:
                old = json.load(kept_file)
            del old["initrd"]["contents"]
            tree.write("copy/swiotlb-handoff/crash-image.json", json.dumps(old).encode())
            self.assertNotEqual(need_of("copy"), need_of("again"))
            old["initrd"]["contents"] = {"file_bytes": -1}
            tree.write("copy/swiotlb-handoff/crash-image.json", json.dumps(old).encode())
            self.assertIn("expected a member 'file_bytes'", run("plan", "--root", tree.path("copy")).err)

    def test_what_kdump_kept_of_a_dump_is_read_for_what_ran_out(self):
        said = (b"[    0.000000] Linux version 6.1.0-50-amd64 (x) (gcc) #1 SMP\n[    0.000000] Command line: ro nr_cpus=1 elfcorehdr=900536K\n"
                b"[    0.010000] Memory: 98304K/262144K available (14344K kernel code)\n[    5.000000] Out of memory: Killed process 312 (makedumpfile)\n")
        with Tree() as tree:
            tree.write("crash/127.0.0.1-2024-02-01-00:00:00/vmcore-dmesg.txt", log)
            tree.write("crash/127.0.0.1-2024-02-01-00:00:00/kexec-dmesg.log", said)
            tree.write("sos/sos_commands/kernel/dmesg", log)
            tree.write("sos/var/crash/127.0.0.1-2024-02-01-00:00:00/kexec-dmesg.log", said)
            for name in ("crash", "sos"):
                self.assertIn("Out of memory: Killed process 312", run("recommend", "--root", tree.path(name)).out)

    def test_a_capture_without_what_nobody_was_permitted_to_read_is_no_machine(self):
        for path in ("proc/iomem", "dmesg"):
            with self.subTest(path), Tree() as tree:
                shutil.copytree(server, tree.path("m"))
                tree.write("m/swiotlb-handoff/not-permitted", f"sys/kernel/debug/swiotlb/io_tlb_nslabs\n{path}\n".encode())
                for command in (["plan"], ["show"], ["recommend"]):
                    done = run(*command, "--root", tree.path("m"))
                    self.assertEqual((done.status, done.out), (NOT_PERMITTED, ""))
                    self.assertIn(f"{path}: the capture is not complete", done.err)
                self.assertEqual(json.loads(run("audit", "--json", tree.path("m")).out)["verdict"], None)

    def test_of_other_sources_it_is_said(self):
        with Tree() as tree:
            shutil.copytree(server, tree.path("m"))
            tree.write("m/swiotlb-handoff/not-permitted", b"proc/kcore\n")
            self.assertIn("proc/kcore: it was not permitted to read this when the machine was captured", run("show", "--root", tree.path("m")).out)

    def test_a_damaged_record_of_the_image_is_an_error(self):
        with Tree() as tree:
            shutil.copytree(server, tree.path("m"))
            tree.write("m/swiotlb-handoff/crash-image.json", b"{}")
            done = run("plan", "--root", tree.path("m"))
            self.assertEqual(done.status, INPUT)
            self.assertIn("swiotlb-handoff/crash-image.json: expected a member 'image'", done.err)


if __name__ == "__main__":
    unittest.main()
