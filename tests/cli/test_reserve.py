#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The recommended crashkernel= for the next boot: what is written, what a shell makes of it, what takes it away, and what status says after the boot."""
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import INPUT, NOT_NEEDED, READY, REFUSED, USAGE, Tree, has_sanitizer, run, tool

ours = "etc/default/grub.d/zz-swiotlb-handoff.cfg"
record = "var/lib/swiotlb-handoff/reserve.json"
kdump_tools = b'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=384M-:128M"\n'


def service(tree, script, config, text=b"USE_KDUMP=1\n"):
    tree.write(script, b"#!/bin/sh\n. /" + config.encode() + b"\nauto_reset_crashkernel\nreload)\nrebuild)\n")
    tree.write(config, text)


class Debian(Tree):
    """One of which image and initrd are known, and whose boot loader is GRUB."""

    def __init__(self, machine="debian-6.12-high-no-low"):
        super().__init__(machine)
        service(self, "usr/sbin/kdump-config", "etc/default/kdump-tools")
        self.write("etc/default/grub.d/kdump-tools.cfg", kdump_tools)
        self.write("usr/sbin/update-grub", b"#!/bin/sh\nexit 1\n")
        self.write("proc/sys/kernel/random/boot_id", b"first\n")
        os.makedirs(self.path("var/lib"), exist_ok=True)
        self.write("swiotlb-handoff/crash-image.json", json.dumps(IMAGES).encode())

    def reserve(self, *more):
        return run("reserve", *more, "--root", self.root)

    def files(self):
        return {os.path.relpath(os.path.join(folder, name), self.root): self.read(os.path.relpath(os.path.join(folder, name), self.root))
                for folder, _, names in os.walk(self.root) for name in names}

    def status(self):
        done = run("status", "--json", "--root", self.root)
        return json.loads(done.out), done.status

    def boots(self, words, boot_id=b"second\n"):
        """The next boot, of the same machine as far as the tool can see."""
        self.write("proc/sys/kernel/random/boot_id", boot_id)
        line = b" ".join(word for word in self.read("proc/cmdline").split() if not word.startswith(b"crashkernel="))
        self.write("proc/cmdline", line + b" " + words.encode() + b"\n")

    def reserves(self, words):
        """As much in one piece as all of the words say."""
        size = sum(int(number) << 20 for number in re.findall(r"=(\d+)M", words))
        lines = self.read("proc/iomem").decode().splitlines(keepends=True)
        self.write("proc/iomem", "".join(f"  1d0000000-{0x1d0000000 + size - 1:x} : Crash kernel\n" if "Crash kernel" in line else line for line in lines).encode())

    def reserves_nothing(self):
        lines = self.read("proc/iomem").splitlines(keepends=True)
        self.write("proc/iomem", b"".join(line for line in lines if b"Crash kernel" not in line))


# As a capture has them: swiotlb-handoff-capture(5).
IMAGES = {"schema": 1, "loader": "auto", "collector": "mmap",
          "image": {"init_size": 50 << 20, "kernel_alignment": 2 << 20, "pref_address": 16 << 20, "setup_bytes": 16384, "cmdline_size": 2047, "payload_bytes": 9 << 20,
                    "uncompressed_bytes": 48 << 20, "release": "6.12.1", "swiotlb_addr": False},
          "initrd": {"bytes": 9 << 20, "acpi_bytes": 0, "bootconfig": False,
                     "contents": {"file_bytes": 20 << 20, "inodes": 500, "symbolic_links": 50, "packed_root_bytes": 0, "module_bytes": 4 << 20,
                                  "compressed_module_bytes": 0, "loaded_module_bytes": 4 << 20, "formats": ["gzip"]}}}


def evaluated(text, before=b"", shell="dash"):
    """Both variables as grub-mkconfig has them once it has read /etc/default/grub and these files."""
    script = b"set -e\n" + before + text + b'printf "%s\\n%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"\n'
    done = subprocess.run([shell, "-e"], input=script, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert done.stderr == b"", done.stderr
    return done.stdout.decode().split("\n")[:2]


class OnDebian(unittest.TestCase):
    def setUp(self):
        self.tree = Debian()
        self.addCleanup(self.tree.__exit__)
        self.words = json.loads(run("recommend", "--json", "--root", self.tree.root).out)["crashkernel"]
        self.assertTrue(self.words)

    def test_it_writes_what_recommend_says_into_a_file_of_its_own_and_undo_takes_it_away(self):
        before = self.tree.files()
        done = self.tree.reserve()
        self.assertEqual(done.status, READY, done)
        self.assertIn(f"boot with   {self.words}\n", done.out)
        self.assertIn("is not the running machine", done.out)
        after = self.tree.files()
        self.assertEqual(set(after) - set(before), {ours, record})
        self.assertEqual({name: text for name, text in after.items() if name in before}, before, "no other file is touched")
        self.assertIn(f" {self.words} ", f" {' '.join(evaluated(after[ours.replace('/', os.sep)]))} ")
        self.assertLess("kdump-tools.cfg", os.path.basename(ours), "grub-mkconfig reads them by name")

        again = json.loads(self.tree.reserve("--json").out)
        self.assertEqual((again["changed"], again["crashkernel"], again["ran"]), (False, self.words, None))
        undone = self.tree.reserve("--undo")
        self.assertEqual(undone.status, READY, undone)
        self.assertEqual(self.tree.files(), before, "byte for byte")
        self.assertIn("'reserve' has written nothing on this machine", self.tree.reserve("--undo").out)

    def test_a_dry_run_shows_the_difference_and_writes_nothing(self):
        before = self.tree.files()
        shown = self.tree.reserve("--dry-run")
        self.assertEqual(shown.status, READY)
        self.assertIn(f"+++ {self.tree.path(ours)}", shown.out)
        self.assertRegex(shown.out, rf"\Anow         crashkernel=\S.*\nboot with   {self.words}\n---")
        self.assertTrue(shown.out.endswith("\n\nNext: Run 'swiotlb-handoff reserve' without --dry-run, and reboot.\n"), shown.out)
        self.assertIn(f"+    GRUB_CMDLINE_LINUX_DEFAULT=\"{self.words} ", shown.out)
        self.assertEqual(self.tree.files(), before)
        os.makedirs(os.path.dirname(self.tree.path(ours)), exist_ok=True)
        patched = subprocess.run(["patch", "--posix", self.tree.path(ours)], input=shown.out, capture_output=True, text=True) if shutil.which("patch") else None
        by_patch = self.tree.files().get(ours)
        self.tree.reserve()
        if patched:
            self.assertEqual(by_patch, self.tree.read(ours), "what stands around the difference is skipped by patch(1)")
        before = self.tree.files()
        shown = self.tree.reserve("--undo", "--dry-run")
        self.assertIn("-# Written by 'swiotlb-handoff reserve'", shown.out)
        self.assertTrue(shown.out.endswith("\n\nNext: Run 'swiotlb-handoff reserve --undo' without --dry-run, and reboot.\n"), shown.out)
        self.assertTrue(self.tree.reserve("--dry-run").out.endswith("\n\nNext: Nothing has to be done. This file is as it should be.\n"))
        self.assertEqual(self.tree.files(), before)

    def test_a_file_of_somebody_else_in_that_place_stays(self):
        self.tree.write(ours, b"GRUB_CMDLINE_LINUX=mine\n")
        before = self.tree.files()
        for more in ((), ("--undo",), ("--dry-run",)):
            done = self.tree.reserve(*more)
            self.assertEqual((done.status, done.out), (INPUT, ""), done)
            self.assertRegex(done.err, "zz-swiotlb-handoff.cfg:1: this file was not written by 'reserve'")
        self.assertEqual(self.tree.files(), before)

    def test_what_cannot_be_written_changes_nothing(self):
        self.tree.remove("var/lib")
        before = self.tree.files()
        done = self.tree.reserve()
        self.assertEqual((done.status, done.out), (INPUT, ""), done)
        self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]*/var/lib/swiotlb-handoff: [^\n]+\. Nothing is changed\n$")
        self.assertEqual(self.tree.files(), before)

    def test_what_nobody_measured_is_refused(self):
        self.tree.remove("swiotlb-handoff/crash-image.json")
        before = self.tree.files()
        done = self.tree.reserve()
        self.assertEqual(done.status, REFUSED, done)
        self.assertRegex(done.out, "^refused     ")
        self.assertEqual(self.tree.files(), before)

    def test_a_machine_for_which_nothing_is_recommended_is_refused(self):
        with Debian("synthetic-sev-guest") as tree:
            done = tree.reserve("--json")
            said = json.loads(done.out)
            self.assertEqual(done.status, REFUSED)
            self.assertIsNone(said["crashkernel"])
            self.assertTrue(said["problem"])
            self.assertNotIn(ours, tree.files())

    def test_a_link_out_of_the_root_is_not_followed(self):
        with Tree() as outside:
            os.makedirs(outside.path("grub.d"))
            shutil.rmtree(self.tree.path("etc/default/grub.d"))
            os.symlink(outside.path("grub.d"), self.tree.path("etc/default/grub.d"))
            self.tree.reserve()
            self.assertEqual(os.listdir(outside.path("grub.d")), [])


class CountingOnALoan(unittest.TestCase):
    """Of a machine whose crash kernel makes no pool, and that may lend its own."""

    costs = "If a device appears later that ends the loan"

    def setUp(self):
        self.tree = Debian("debian-6.1-lend")
        self.addCleanup(self.tree.__exit__)
        self.tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\nSWIOTLB_HANDOFF_LEND=yes\n")
        self.tree.write("swiotlb-handoff/crash-image.json", json.dumps({**IMAGES, "loader": "kexec_load"}).encode())

    def documents(self, command, *more):
        done = run(command, "--json", *more, "--root", self.tree.root)
        return json.loads(done.out), done

    def test_no_size_counts_on_the_loan_unless_that_is_asked(self):
        for command in ("recommend", "reserve"):
            document, done = self.documents(command)
            self.assertEqual((document["on_loan_bytes"], document["crashkernel"]), (0, "crashkernel=192M"), done)
            self.assertNotIn(self.costs, run(command, "--root", self.tree.root).out)
        recommended, _ = self.documents("recommend")
        self.assertGreaterEqual(192 << 20, recommended["need"]["recommended_bytes"])

    def test_a_size_that_counts_on_it_is_smaller_and_says_what_that_costs(self):
        for command, status in (("recommend", NOT_NEEDED), ("reserve", READY)):
            document, done = self.documents(command, "--count-on-loan")
            self.assertEqual((done.status, document["crashkernel"]), (status, "crashkernel=128M"), done)
            self.assertGreater(document["on_loan_bytes"], 32 << 20)
            said = run(command, "--count-on-loan", "--root", self.tree.root)
            self.assertIn(self.costs, " ".join(said.out.split()))
        self.assertIn("crashkernel=128M", self.tree.read(ours).decode())
        self.tree.remove(ours)
        dry = run("reserve", "--count-on-loan", "--dry-run", "--root", self.tree.root)
        self.assertEqual(dry.status, READY, dry)
        self.assertIn(self.costs, " ".join(dry.out.split()))

    def test_a_loan_that_is_not_ready_is_not_counted_on(self):
        self.tree.write("swiotlb-handoff/pool-traces", self.tree.read("swiotlb-handoff/pool-traces").replace(b"moved-areas: 0", b"moved-areas: 1"))
        before = self.tree.files()
        recommended, done = self.documents("recommend", "--count-on-loan")
        self.assertEqual((done.status, recommended["verdict"], recommended["crashkernel"]), (REFUSED, "refused", None), done)
        self.assertIn("lend-idle", recommended["loan"]["why"])
        reserved, done = self.documents("reserve", "--count-on-loan")
        self.assertEqual((done.status, reserved["crashkernel"]), (REFUSED, None), done)
        self.assertIn("lend-idle", reserved["problem"])
        self.assertRegex(run("recommend", "--count-on-loan", "--root", self.tree.root).out, "Next: Run this command without --count-on-loan")
        self.assertEqual(self.tree.files(), before)

    def test_a_machine_on_which_kdump_lends_nothing_is_refused(self):
        self.tree.write("etc/default/kdump-tools", b"USE_KDUMP=1\n")
        reserved, done = self.documents("reserve", "--count-on-loan")
        self.assertEqual((done.status, reserved["crashkernel"]), (REFUSED, None), done)
        self.assertIn("SWIOTLB_HANDOFF_LEND=yes", reserved["problem"])

    def test_it_still_refuses_what_nobody_read(self):
        self.tree.remove("swiotlb-handoff/crash-image.json")
        self.assertEqual(run("reserve", "--count-on-loan", "--root", self.tree.root).status, REFUSED)

    def test_shrink_says_what_it_costs(self):
        self.tree.remove("sys/kernel/kexec_crash_loaded")  # of a captured machine only the sizes are compared
        plain, _ = self.documents("shrink", "--dry-run", "--margin", "0", "--lend")
        counted, done = self.documents("shrink", "--dry-run", "--margin", "0", "--count-on-loan")
        self.assertEqual((plain["verdict"], plain["on_loan_bytes"], done.status), ("ready", 0, READY), done)
        self.assertGreater(counted["on_loan_bytes"], 32 << 20)
        self.assertGreater(counted["saved_bytes"], plain["saved_bytes"] + (32 << 20))
        said = run("shrink", "--dry-run", "--margin", "0", "--count-on-loan", "--root", self.tree.root).out
        self.assertIn(self.costs, " ".join(said.split()))

    def test_status_says_it_when_the_loan_is_gone(self):
        self.tree.write("swiotlb-handoff/pool-traces", self.tree.read("swiotlb-handoff/pool-traces").replace(b"moved-areas: 0", b"moved-areas: 1"))
        status, code = self.tree.status()
        self.assertEqual((code, status["plan"]["verdict"]), (REFUSED, "refused"))
        self.assertEqual(status["plan"]["fallback"]["fits"], "perhaps")

    def test_undo_has_no_use_for_it(self):
        self.assertEqual(run("reserve", "--undo", "--count-on-loan", "--root", self.tree.root).status, USAGE)


class InAShell(unittest.TestCase):
    """What the file does to the words of others."""

    def setUp(self):
        with Debian() as tree:
            tree.reserve()
            self.text = tree.read(ours)
            self.words = json.loads(run("recommend", "--json", "--root", tree.root).out)["crashkernel"]

    def check(self, before, linux, default):
        for shell in ("dash", "bash"):
            if shutil.which(shell):
                with self.subTest(before=before, shell=shell):
                    got = evaluated(self.text, before, shell)
                    self.assertEqual([text.split() for text in got], [text.replace("OURS", self.words).split() for text in (linux, default)])

    def test_it_takes_the_place_of_the_distributions(self):
        self.check(b'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n' + kdump_tools, "", "OURS quiet")
        self.check(kdump_tools, "", "OURS")
        self.check(b"", "", "OURS")

    def test_it_stands_where_the_others_stood_so_that_a_recovery_boot_keeps_one(self):
        self.check(b'GRUB_CMDLINE_LINUX="console=ttyS0 crashkernel=512M,high crashkernel=72M,low nosmt"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n' + kdump_tools,
                   "OURS console=ttyS0 nosmt", "quiet")

    def test_it_leaves_everything_else_alone(self):
        self.check(b"GRUB_CMDLINE_LINUX_DEFAULT='dyndbg=\"file drivers/* +p\" my_crashkernel=1 crashkernel=1G-4G:192M,4G-:256M x'\n", "",
                   'OURS dyndbg="file drivers/* +p" my_crashkernel=1 x')

    def test_a_word_of_init_does_not_swallow_it(self):
        self.check(b'GRUB_CMDLINE_LINUX_DEFAULT="quiet -- single"\n', "", "OURS quiet -- single")


class Elsewhere(unittest.TestCase):
    """Where the tool does not write: what to do, and what would undo it."""

    def by_hand(self, script, config, more={}, text=b"USE_KDUMP=1\n"):
        with Debian() as tree:
            tree.remove("usr/sbin/kdump-config")
            tree.remove("etc/default/kdump-tools")
            service(tree, script, config, text)
            for name, content in more.items():
                tree.write(name, content)
            before = tree.files()
            done, said = tree.reserve(), json.loads(tree.reserve("--json").out)
            self.assertEqual(done.status, READY, done)
            self.assertEqual(tree.files(), before)
            undo = tree.reserve("--undo")
            self.assertEqual((undo.status, undo.out), (INPUT, ""))
            for line in said["by_hand"]:
                self.assertIn(line, done.out)
            recommended = run("recommend", "--root", tree.root).out
            if said["undone_by"]:
                self.assertIn(said["undone_by"], " ".join(recommended.split()), "recommend says the same")
            return said

    def test_fedora_and_rhel(self):
        said = self.by_hand("usr/bin/kdumpctl", "etc/sysconfig/kdump", {"etc/kdump.conf": b"path /var/crash\n"})
        self.assertEqual(said["by_hand"], ["echo 'auto_reset_crashkernel no' >>/etc/kdump.conf", f"grubby --update-kernel=ALL --args=\"{said['crashkernel']}\""])
        self.assertRegex(said["undone_by"], "kdumpctl puts the crashkernel= of the distribution back")
        said = self.by_hand("usr/bin/kdumpctl", "etc/sysconfig/kdump", {"etc/kdump.conf": b"auto_reset_crashkernel no\n"})
        self.assertEqual(len(said["by_hand"]), 1)
        self.assertIsNone(said["undone_by"])

    def test_opensuse_and_sles(self):
        said = self.by_hand("usr/lib/kdump/load.sh", "etc/sysconfig/kdump", text=b'KDUMP_CRASHKERNEL="auto"\nKDUMP_CPUS=1\n')
        self.assertEqual(said["by_hand"][:2], [f"set KDUMP_CRASHKERNEL=\"{said['crashkernel']}\" in /etc/sysconfig/kdump", "kdumptool commandline -u"])
        self.assertRegex(said["undone_by"], "^kdump-commandline.service puts")

    def test_debian_with_another_boot_loader(self):
        with Debian() as tree:
            tree.remove("usr/sbin/update-grub")
            said = json.loads(tree.reserve("--json").out)
            self.assertEqual(len(said["by_hand"]), 1)
            self.assertIn(said["crashkernel"], said["by_hand"][0])
            self.assertNotIn(ours, tree.files())


class AfterTheBoot(unittest.TestCase):
    def setUp(self):
        self.tree = Debian()
        self.addCleanup(self.tree.__exit__)
        self.words = json.loads(self.tree.reserve("--json").out)["crashkernel"]

    def reserved(self):
        status, code = self.tree.status()
        self.assertIn("reserved    " + status["reserved"]["state"], run("status", "--root", self.tree.root).out)
        metrics = run("status", "--prometheus", "--root", self.tree.root).out
        self.assertIn(f'swiotlb_handoff_reservation{{state="{status["reserved"]["state"]}"}} 1\n', metrics)
        return status["reserved"]["state"], code

    def test_status_compares_what_was_asked_with_what_was_reserved(self):
        self.assertEqual(self.reserved()[0], "pending")
        self.tree.boots("crashkernel=999M")
        self.assertEqual(self.reserved()[0], "otherwise")
        self.tree.boots(self.words)
        self.tree.reserves(self.words)
        self.assertEqual(self.reserved()[0], "as-asked")
        self.tree.reserves("=16M")
        self.assertEqual(self.reserved()[0], "smaller")
        self.tree.write(record, b"{}")
        status, _ = self.tree.status()
        self.assertIn("reserve.json", " ".join(status["problems"]))

    def test_a_reservation_that_failed_is_critical_whoever_asked(self):
        self.tree.boots(self.words)
        self.tree.reserves_nothing()
        self.assertEqual(self.reserved(), ("failed", REFUSED))
        self.tree.remove(record)
        self.assertEqual(self.reserved(), ("failed", REFUSED))
        self.assertIn("A crash leaves no dump.", self.tree.status()[0]["reserved"]["why"])

    def test_where_nothing_was_asked_nothing_is_said(self):
        self.tree.remove(record)
        status, _ = self.tree.status()
        self.assertEqual(status["reserved"], {"state": "nothing-asked", "why": None, "asked": None})
        self.assertNotIn("\nreserved ", run("status", "--root", self.tree.root).out)
        self.assertNotIn("swiotlb_handoff_reservation{", run("status", "--prometheus", "--root", self.tree.root).out)


@unittest.skipUnless(os.geteuid() == 0, "needs root for chroot")
@unittest.skipIf(has_sanitizer(), "a sanitizer needs /proc, which is not there after chroot")
class UpdateGrubFails(unittest.TestCase):
    """The running machine is a directory of this test: /bin/sh, the program, and an update-grub that spoils what it should write."""

    def setUp(self):
        self.tree = Debian()
        self.addCleanup(self.tree.__exit__)
        self.tree.reserve()
        self.tree.write("boot/grub/grub.cfg", b"linux /vmlinuz as it was\n")
        for program in (tool, shutil.which("dash")):
            libraries = [word for word in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split() if word.startswith("/")]
            for source, target in ((program, "usr/bin/" + os.path.basename(program)), *((library, library[1:]) for library in libraries)):
                os.makedirs(os.path.dirname(self.tree.path(target)), exist_ok=True)
                shutil.copy(source, self.tree.path(target))
        os.makedirs(self.tree.path("bin"), exist_ok=True)
        shutil.copy(self.tree.path("usr/bin/dash"), self.tree.path("bin/sh"))

    def undo(self, script):
        self.tree.write("usr/sbin/update-grub", b"#!/bin/sh\n" + script)
        os.chmod(self.tree.path("usr/sbin/update-grub"), 0o755)
        before = self.tree.files()
        done = subprocess.run(["chroot", self.tree.root, "/usr/bin/swiotlb-handoff", "reserve", "--undo"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return before, done

    def test_everything_is_put_back_with_one_line(self):
        before, done = self.undo(b"echo broken >/boot/grub/grub.cfg\nexit 3\n")
        self.assertEqual((done.returncode, done.stdout), (INPUT, ""), done.stderr)
        self.assertEqual(done.stderr, "swiotlb-handoff: /usr/sbin/update-grub: exit status 3. Nothing is changed\n")
        self.assertEqual(self.tree.files(), before)

    def test_where_it_works_the_file_is_gone(self):
        before, done = self.undo(b"echo made >/boot/grub/grub.cfg\n")
        self.assertEqual((done.returncode, done.stderr), (READY, ""))
        self.assertIn("ran         /usr/sbin/update-grub\n", done.stdout)
        after = self.tree.files()
        self.assertEqual(set(before) - set(after), {ours, record})
        self.assertEqual(after["boot/grub/grub.cfg"], b"made\n")


class Usage(unittest.TestCase):
    def test_undo_looks_at_nothing(self):
        done = run("reserve", "--undo", "--margin", "10M")
        self.assertEqual(done.status, USAGE)
        self.assertIn("cannot use --margin together with --undo", done.err)


if __name__ == "__main__":
    unittest.main()
