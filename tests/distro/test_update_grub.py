#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the real update-grub of Debian 12 makes of the file that `swiotlb-handoff reserve` writes.

Its grub-mkconfig and the scripts in /etc/grub.d run in an overlay over the root of this machine, in a mount namespace of its own. A
stub stands for grub-probe, since there is no disk to look at, and files stand for kernel and initrd. A whole Debian with a real
disk that boots with these words is in tests/debian.

    test_update_grub.py --tool build/dev/tool/swiotlb-handoff
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path.insert(0, str(SOURCE / "tests/vm"))
sys.path.insert(0, str(SOURCE / "tests/cli"))
import fetch  # noqa: E402

ARGUMENTS = None
PACKAGES = ("grub-common", "grub2-common", "gettext-base", "libdevmapper1.02.1")
OURS = "etc/default/grub.d/zz-swiotlb-handoff.cfg"
ALONE = "UPDATE_GRUB_ALONE"

PROBE = """#!/bin/sh
case "$*" in
*--target=device*) echo /dev/vda1 ;;
*--target=fs_uuid*) echo 0123-4567 ;;
*--target=fs*) echo ext2 ;;
*--target=partmap*) echo msdos ;;
*--target=abstraction* | *--target=*hint*) ;;
*) exit 1 ;;
esac
"""
GRUB = 'GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="{}"\n'
# As Debian 12's kdump-tools has it.
KDUMP_TOOLS = 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=384M-:128M"\n'


def keep_packages(suite, work, packages):
    """The files of several packages, below one directory, as they lie on a merged /usr."""
    for name in PACKAGES:
        path, version, digest = suite.download(name, work)
        packages[name] = {"version": version, "sha256": digest}
        subprocess.run(["dpkg-deb", "-x", path, work / "tree"], check=True)
        path.unlink()
    # The cache has plain files in one directory.
    subprocess.run(["tar", "-C", work / "tree", "-cf", work / "grub.tar", "."], check=True)
    shutil.rmtree(work / "tree")
    return {"version": re.sub(r"^\d+:", "", packages["grub-common"]["version"])}


def real_grub():
    fetch.ITEMS["grub-bookworm"] = ("bookworm", keep_packages)
    try:
        directory = fetch.Store().get("grub-bookworm")
        return Path(directory[0] if isinstance(directory, tuple) else directory) / "grub.tar"
    except fetch.Unavailable:
        return None


class UpdateGrub(unittest.TestCase):
    def setUp(self):
        if not ARGUMENTS.tar:
            self.skipTest("Debian's grub packages cannot be had")
        self.top = Path(tempfile.mkdtemp(prefix="handoff-grub-"))
        self.addCleanup(shutil.rmtree, self.top, True)
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.top], capture_output=True).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.top])
        upper, self.root = self.top / "upper", self.top / "root"
        for directory in (upper, self.top / "work", self.root, upper / "etc/default/grub.d", upper / "boot/grub", upper / "var/lib"):
            directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-C", upper, "-xf", ARGUMENTS.tar], check=True)
        for name in ("lib", "sbin", "bin"):
            if (upper / name).is_dir():
                shutil.copytree(upper / name, upper / "usr" / name, symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(upper / name)
        for name, text in {"etc/default/grub": GRUB.format(""), "etc/default/grub.d/kdump-tools.cfg": KDUMP_TOOLS, "usr/sbin/grub-probe": PROBE,
                           "boot/vmlinuz-6.1.0-1-amd64": "k", "boot/initrd.img-6.1.0-1-amd64": "i", "boot/config-6.1.0-1-amd64": "c"}.items():
            self.write(upper / name, text)
        (upper / "usr/sbin/grub-probe").chmod(0o755)
        if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={self.top}/work", self.root],
                          capture_output=True).returncode:
            self.skipTest("no overlay can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.root])

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)

    def update_grub(self):
        """The kernels' lines of the grub.cfg that it wrote: (normal, recovery), as lists of words."""
        done = subprocess.run(["chroot", self.root, "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "update-grub"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = re.findall(r"(?m)^\s*linux\s+(/boot/vmlinuz\S*.*)$", (self.root / "boot/grub/grub.cfg").read_text())
        self.assertGreaterEqual(len(lines), 3, "one, the same below 'Advanced options', and its recovery")
        return [line.split() for line in lines if " single" not in line], [line.split() for line in lines if " single" in line]

    def words(self, line):
        return [word for word in line if word.startswith("crashkernel=")]

    def reserve(self, words):
        """The file as the tool writes it for a captured machine, with these words in the place of that machine's."""
        from test_reserve import Debian
        with Debian() as tree:
            done = subprocess.run([ARGUMENTS.tool, "reserve", "--root", tree.root], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            asked = re.search(r"(?m)^boot with +(.*)$", done.stdout)[1]
            text = tree.read(OURS).decode()
        self.assertIn(asked, text)
        self.write(self.root / OURS, text.replace(asked, words))

    def test_the_words_take_the_place_of_the_distributions_in_each_normal_entry(self):
        normal, recovery = self.update_grub()
        self.assertTrue(all(self.words(line) == ["crashkernel=384M-:128M"] for line in normal))
        before = (self.root / "boot/grub/grub.cfg").read_bytes()
        for words in ("crashkernel=144M", "crashkernel=160M,high crashkernel=32M,low"):
            with self.subTest(words):
                self.reserve(words)
                normal, recovery = self.update_grub()
                for line in normal:
                    self.assertEqual(self.words(line), words.split())
                    self.assertIn("quiet", line)
                self.assertTrue(all(self.words(line) == [] for line in recovery))
        (self.root / OURS).unlink()
        self.update_grub()
        self.assertEqual((self.root / "boot/grub/grub.cfg").read_bytes(), before, "without the file it is what it was, byte for byte")

    def test_what_stood_in_every_entry_stands_in_every_entry(self):
        self.write(self.root / "etc/default/grub", GRUB.format("console=ttyS0 crashkernel=512M"))
        self.reserve("crashkernel=144M")
        normal, recovery = self.update_grub()
        for line in normal + recovery:
            self.assertEqual(self.words(line), ["crashkernel=144M"])
            self.assertIn("console=ttyS0", line)


def main():
    global ARGUMENTS
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    os.environ["TOOL"] = ARGUMENTS.tool = os.path.abspath(ARGUMENTS.tool)
    if os.geteuid() == 0 and ALONE not in os.environ:
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        if subprocess.run([*again[:4], "true"], capture_output=True).returncode == 0:
            os.execvpe("unshare", again, {**os.environ, ALONE: "1"})
    ARGUMENTS.tar = real_grub() if ALONE in os.environ else None
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
