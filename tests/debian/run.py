#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian with kdump-tools that crashes: the package installed, enabled, crash kernel loaded by kdump-config, sysrq-c, the
dump saved by kdump-tools, a reboot, and a look at what is in /var/crash. There are several parts, each a machine of its own:

    handoff   the pool handed over; then the same with a smaller reservation and dracut's initramfs, and all of it taken away again
    loan      the idle pool lent, a device that ends the loan, and a crash after that
    reserve   the crashkernel= of the next boot set, a boot by GRUB with it, a crash, and all of it undone

    tests/debian/run.py [--suite bookworm|trixie] [--parts handoff,loan,reserve] [--package FILE.deb...] [--crashkernel 256M] [--out DIR]
                        [--report FILE.md] [--image-only] [--resume]

The base system is made with mmdebstrap once and kept in the cache of tests/vm/fetch.py with its sha256 sum. Everything the
guest has to say comes over a virtio-serial port as lines KEY VALUE; the console is kept in DIR/PART/console.log. A part is a module
here (what its machine has, and the judgement) and a file of the same name in guest/ (the functions first, second and third).
"""

import argparse
import dataclasses
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "vm"))
import fetch  # noqa: E402
import vm  # noqa: E402
from said import Said  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Suite:
    title: str
    parts: tuple
    libraries: str  # that the package needs there
    more: str = ""

    def packages(self):
        return ("systemd-sysv udev kmod kdump-tools linux-image-amd64 initramfs-tools makedumpfile kexec-tools procps "
                f"{self.libraries} {self.more}").split()


SUITES = {"bookworm": Suite("Debian 12", ("handoff", "loan", "reserve"), "libfmt9 libboost-program-options1.74.0",
                            "bash-completion prometheus-node-exporter dracut-core grub-pc-bin grub2-common"),
          "trixie": Suite("Debian 13", ("loan",), "libfmt10 libboost-program-options1.83.0")}
# The modules of both initramfs, which a chroot cannot find out (MODULES=dep), and of which "most" takes minutes to pack.
MODULES = "virtio_pci virtio_blk ext4"

began = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - began:5.0f} s] {text}", flush=True)


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command[:4]))}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def apt_settings():
    """The machine's own apt settings, proxies for example."""
    return [f"--aptopt={one}" for one in re.findall(r'^(Acquire::(?:https?|Retries|Check-Valid-Until)\S* ".*");$', run("apt-config", "dump"), re.M)]


def base_system(suite):
    """The tar file of the base system, verified."""
    packages = ",".join(SUITES[suite].packages())
    recipe = hashlib.sha256(f"5 {suite} minbase {packages} {MODULES}".encode()).hexdigest()
    base = fetch.CACHE / f"debian-root-{suite}"
    tar, manifest = base / "root.tar", base / "manifest.json"
    try:
        known = json.loads(manifest.read_text())
        if known["recipe"] == recipe and fetch.sha256(tar) == known["sha256"]:
            return tar
        progress("the cached base system is another one, or damaged: making it anew")
    except (OSError, ValueError, KeyError):
        progress("making the base system (once; about five minutes)")
    base.mkdir(parents=True, exist_ok=True)
    fresh = base / "root.tar.new"
    fresh.unlink(missing_ok=True)
    run("mmdebstrap", "--format=tar", "--variant=minbase", f"--include={packages}", *apt_settings(),
        "--dpkgopt=force-confold",
        '--essential-hook=mkdir -p "$1"/etc/initramfs-tools/conf.d && echo MODULES=list >"$1"/etc/initramfs-tools/conf.d/test && '
        f'printf "%s\\n" {MODULES} >"$1"/etc/initramfs-tools/modules',
        '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list', suite, fresh,
        f"deb {fetch.debian_archive()} {suite} main")
    manifest.write_text(json.dumps({"recipe": recipe, "sha256": fetch.sha256(fresh)}))
    fresh.rename(tar)
    return tar


def this_suite():
    """Of the machine that the test runs on, as far as it is a Debian."""
    return (re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M) or ["", ""])[1]


def build_package(suite):
    """The package of what is committed, built here. Returns its path."""
    if suite != this_suite():
        raise SystemExit(f"debian: this machine is no {suite}: give --package, built there, or built here with the libraries that {suite} does not have")
    progress("building the package")
    run(ROOT / "scripts/package")
    return next((ROOT / "build/package/deb").glob("swiotlb-handoff_*.deb"))


def chroot(root, *command, variables=()):
    """Runs a program of the system, with /proc, which is gone with it. Returns what it printed. As the first process of a name space it
    does not look like one in a chroot, where kdump-tools of Debian 13 makes no initramfs."""
    return run("unshare", "--mount", "--pid", "--fork", "sh", "-ec", 'root=$1; shift; mount -t proc proc "$root/proc"; exec chroot "$root" env "$@"', "sh",
               root, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *variables, *command)


def ours_in(root):
    """The files of the system that have our name."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*swiotlb*handoff*"))


def kernel_words(part, crashkernel):
    """The first kernel's command line in this part, without what says where its root file system is."""
    return f"console=ttyS0 loglevel=5 crashkernel={crashkernel} {part.WORDS} panic=5 lab.part={part.__name__}"


# Finds the machine's disk, and goes on with what is there.
GRUB_BEGINS = """serial --unit=0
terminal_output serial
search.file /boot/grub/grub.cfg root
set prefix=($root)/boot/grub
"""
GRUB_DEFAULTS = """GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{}"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0"
"""


def put_grub(root, out, crashkernel):
    """Makes a disk that boots GRUB, and gives the system what GRUB reads: its modules, and a first configuration."""
    part = importlib.import_module("reserve")
    boot, modules = root / "boot/grub", root / "usr/lib/grub/i386-pc"
    shutil.copytree(modules, boot / "i386-pc")
    (boot / "begins.cfg").write_text(GRUB_BEGINS)
    chroot(root, "grub-mkimage", "--format=i386-pc", "--output=/boot/grub/core.img", "--prefix=/boot/grub", "--config=/boot/grub/begins.cfg",
           "biosdisk", "ext2", "search_fs_file", "serial", "terminal", "normal")
    # The boot sector of GRUB loads what lies behind it.
    disk = (modules / "boot.img").read_bytes() + (boot / "core.img").read_bytes()
    (out / "grub.img").write_bytes(disk.ljust(1 << 20, b"\0"))
    for name in ("begins.cfg", "core.img"):
        (boot / name).unlink()
    words = kernel_words(part, crashkernel)
    (boot / "grub.cfg").write_text(f"linux /vmlinuz root=/dev/vda rw {words}\ninitrd /initrd.img\nboot\n")
    others = " ".join(word for word in words.split() if not word.startswith("crashkernel="))
    (root / "etc/default/grub").write_text(GRUB_DEFAULTS.format(others))


def image(tar, packages, out, suite, crashkernel):
    """The system's disk, with the package installed as dpkg installs it. Returns what was measured, and what was seen of dpkg."""
    root = Path(tempfile.mkdtemp(prefix="handoff-debian-", dir=out))
    try:
        run("tar", "-C", root, "-xf", tar)
        release = next(path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
        found = {"release": release}
        kdump_initrd, dracut_initrd = root / f"var/lib/kdump/initrd.img-{release}", root / "var/lib/kdump/dracut.img"
        # Without systemd in it, as kdump's are small; the drivers are those of the VM.
        dracut = ("dracut", "--force", "--no-hostonly", "--kver", release, "--drivers", MODULES, "--omit", "systemd systemd-initrd dracut-systemd")

        hook = ("/etc/kernel/postinst.d/kdump-tools", release)
        progress("kdump's initramfs without the package")
        chroot(root, *hook)
        found["initramfs-tools-before"] = kdump_initrd.stat().st_size
        progress("installing the package, removing it, installing it again")
        config = root / "etc/default/kdump-tools"
        original = config.read_bytes()
        for number, one in enumerate(packages):
            shutil.copy(one, root / f"package{number}.deb")
        installed = [f"/package{number}.deb" for number in range(len(packages))]
        chroot(root, "dpkg", "--install", *installed)
        chroot(root, "swiotlb-handoff", "enable")
        found["enabled"] = config.read_bytes() != original
        chroot(root, "dpkg", "--remove", "swiotlb-handoff")
        found["restored"] = config.read_bytes() == original
        chroot(root, "dpkg", "--purge", "swiotlb-handoff")
        found["left"] = ours_in(root)
        chroot(root, "dpkg", "--install", *installed)
        for name in installed:
            (root / name[1:]).unlink()
        found["verify"] = (root / "usr/lib/swiotlb-handoff/verify").stat().st_size
        progress("each initramfs with the package")
        chroot(root, *hook)
        found["initramfs-tools-after"] = kdump_initrd.stat().st_size
        found["initramfs-tools"] = chroot(root, "lsinitramfs", f"/var/lib/kdump/initrd.img-{release}")
        chroot(root, "update-initramfs", "-u", "-k", release)
        found["initramfs-tools-regular"] = chroot(root, "lsinitramfs", f"/boot/initrd.img-{release}")
        if "dracut-core" in suite.packages():
            # A regular initramfs is what one for kdump was without the package. One in /var/lib/kdump is for kdump.
            regular = root / "boot/dracut.img"
            chroot(root, *dracut, "/boot/dracut.img")
            found["dracut-before"] = regular.stat().st_size
            found["dracut-regular"] = chroot(root, "lsinitrd", "/boot/dracut.img")
            regular.unlink()
            chroot(root, *dracut, "/var/lib/kdump/dracut.img", variables=["IN_KDUMP=1"])
            found["dracut-after"] = dracut_initrd.stat().st_size
            found["dracut"] = chroot(root, "lsinitrd", "/var/lib/kdump/dracut.img")
        shown = ("dash", "dracut-core", "initramfs-tools", "kdump-tools", "kexec-tools", f"linux-image-{release}", "makedumpfile",
                 "prometheus-node-exporter", "swiotlb-handoff", "systemd")
        versions = dict(line.split(" ", 1) for line in chroot(root, "dpkg-query", "-W", "-f", "${Package} ${Version}\n").splitlines())
        found["versions"] = {name: versions[name] for name in shown if name in versions}

        # As after a first load: kdump-config else builds the initramfs anew then, which takes minutes when emulated.
        shutil.copy(root / "etc/kdump/sysctl.conf", root / f"var/lib/kdump/latest_sysctls-{release}")
        shutil.copy(HERE / "guest/handoff-test.service", root / "etc/systemd/system/handoff-test.service")
        tools = root / "usr/local/lib/handoff-test"
        tools.mkdir(parents=True)
        for path in (HERE / "guest").iterdir():
            shutil.copy(path, tools)
        (tools / "handoff-test").chmod(0o755)
        run("cc", "-std=c17", "-O2", "-static", "-o", tools / "pattern", HERE.parent / "vm/guest/pattern.c")
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "handoff-test.service").symlink_to("../handoff-test.service")
        # What takes time at each boot, and is not looked at.
        (wants / "prometheus-node-exporter.service").unlink(missing_ok=True)
        for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"):
            (root / "etc/systemd/system/timers.target.wants" / name).unlink(missing_ok=True)
        (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
        (root / "etc/hostname").write_text("handoff\n")
        (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")  # no first boot, which may ask questions
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(root / "boot" / f"{name}-{release}", out / name)
        if "grub-pc-bin" in suite.packages():
            put_grub(root, out, crashkernel)
        progress("making the disk")
        disk = out / "root.img"
        disk.unlink(missing_ok=True)
        run("mke2fs", "-q", "-t", "ext4", "-d", root, disk, "6G")
        return found
    finally:
        shutil.rmtree(root, ignore_errors=True)


def boot(built, out, part, arguments):
    """Runs the machine of a part, on the disk in `built`, until it powers off. What it writes to the disk is gone then."""
    said = out / "said"
    said.write_text("")
    if part.GRUB:
        begins = ["-drive", f"file={built}/grub.img,format=raw,if=none,id=grub,readonly=on",
                  "-device", "virtio-blk-pci,drive=grub,disable-legacy=on,iommu_platform=on,addr=0x10,bootindex=0"]
    else:
        begins = ["-kernel", built / "vmlinuz", "-initrd", built / "initrd.img",
                  "-append", f"root=/dev/vda rw {kernel_words(part, arguments.crashkernel)}"]
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-m", "3G", "-smp", "2", "-nodefaults", "-display", "none", *begins,
               # iommu_platform: the device's DMA goes through the DMA API, and so really through the pool.
               "-drive", f"file={built}/root.img,format=raw,if=none,id=disk,cache=unsafe,snapshot=on",
               "-device", "virtio-blk-pci,drive=disk,disable-legacy=on,iommu_platform=on",
               "-device", "virtio-serial-pci", "-chardev", f"file,id=said,path={said}", "-device", "virtserialport,chardev=said,name=handoff", "-device", "virtio-balloon-pci",
               "-serial", f"file:{out}/console.log", "-chardev", f"pipe,id=monitor,path={out}/monitor", "-mon", "chardev=monitor", *part.DEVICES]
    command = [str(word) for word in command]
    (out / "qemu.sh").write_text(" ".join(f"'{word}'" for word in command) + "\n")
    with vm.Plug(out, part.PLUG, said, b"\nplug ") as plug:
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline, shown = time.monotonic() + arguments.seconds, 0
        try:
            while True:
                ended = machine.poll() is not None
                lines = said.read_text(errors="replace").split("\n")[:-1]
                for line in lines[shown:]:
                    if not line.startswith("text "):
                        progress(f"guest: {line}")
                shown = len(lines)
                if ended:
                    break
                plug.look()
                if time.monotonic() > deadline:
                    progress(f"no end after {arguments.seconds} s")
                    break
                time.sleep(0.5)
        finally:
            if machine.poll() is None:
                machine.kill()
            machine.wait()


INTRODUCTION = """# A whole Debian

Debian with systemd and kdump-tools in QEMU (emulated), with the kernel that Debian installs, and with the package installed. Made by
`tests/debian/run.py --report`, a section for each part of it; `scripts/check --vm=debian` runs them on Debian 12. The package is built on
Debian 12, and is installed on Debian 13 as it is: of shared libraries it needs only the C library.
"""


def into(document, title, lines):
    """The document with these lines as its section `title`, in place of what was there or else at the end."""
    sections = re.split(r"(?m)^(?=## )", document)[1:]
    fresh = f"## {title}\n\n" + "\n".join(lines).rstrip() + "\n"
    kept = [fresh if one.startswith(f"## {title}\n") else one.rstrip() + "\n" for one in sections]
    if fresh not in kept:
        kept.append(fresh)
    return INTRODUCTION + "".join("\n" + one for one in kept)


def report(suite, part, said, image, checks, crashkernel):
    """What was seen, as Markdown: its title and its lines."""
    failed = sum(not good for good, _ in checks)
    words = " ".join(f"crashkernel={crashkernel} {part.WORDS}".split())
    lines = [*part.ABOUT.splitlines(), f"First kernel: `{words}`.", "",
             *(f"- {name} {version}" for name, version in sorted(image["versions"].items())), f"- {run('qemu-system-x86_64', '--version').splitlines()[0]}",
             "", f"{len(checks) - failed} passed, {failed} failed:", "", *(f"- {'' if good else '**FAILED** '}{what.rstrip()}" for good, what in checks), ""]
    for title, key in part.SECTIONS:
        lines += [f"### {title}", "", "```", *(key(said) if callable(key) else said.lines(key)), "```", ""]
    return f"{SUITES[suite].title}: {part.TITLE}", lines


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, default="bookworm")
    parser.add_argument("--parts", type=lambda text: text.split(","), help="only these (default: all of the suite)")
    parser.add_argument("--package", type=Path, nargs="+", metavar="FILE.deb", help="the package, and libraries that the suite does not have (default: build it, where this machine is of the suite)")
    parser.add_argument("--crashkernel", default="256M")
    parser.add_argument("--report", type=Path, help="write what was seen to this file, as Markdown, each part in place of its section")
    parser.add_argument("--out", type=Path, help="default: build/debian/SUITE")
    parser.add_argument("--image-only", action="store_true", help="make the disk and no more")
    parser.add_argument("--resume", action="store_true", help="keep the disk, and the parts that have passed")
    parser.add_argument("--seconds", type=int, default=3600, help="give a part up after so long")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or list(SUITES[arguments.suite].parts)
    if unknown := set(arguments.parts) - set(SUITES[arguments.suite].parts):
        parser.error(f"{arguments.suite} has no part {', '.join(sorted(unknown))}: {', '.join(SUITES[arguments.suite].parts)}")
    arguments.out = (arguments.out or ROOT / "build/debian" / arguments.suite).resolve()
    return arguments


def make_image(arguments):
    """The disk in the output directory, and what was measured meanwhile."""
    out, known = arguments.out, arguments.out / "image.json"
    if arguments.resume and known.exists() and (out / "root.img").exists():
        return json.loads(known.read_text())
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        packages = arguments.package or [build_package(arguments.suite)]
        built = image(base_system(arguments.suite), packages, out, SUITES[arguments.suite], arguments.crashkernel)
    except fetch.Unavailable as problem:
        raise SystemExit(f"debian: {problem}")
    known.write_text(json.dumps(built, indent=1))
    return built


def run_part(name, built, arguments):
    """Boots a part, unless it has passed. Returns its checks."""
    part, out = importlib.import_module(name), arguments.out / name
    said = out / "said"
    checks = part.judge(Said(said.read_text(errors="replace")), built) if arguments.resume and said.exists() else [(False, "")]
    if not all(good for good, _ in checks):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        progress(f"{name}: booting {built['release']} with crashkernel={arguments.crashkernel}")
        boot(arguments.out, out, part, arguments)
        checks = part.judge(Said(said.read_text(errors="replace")), built)
    for good, what in checks:
        print(f"{'ok   ' if good else 'FAIL '} {what}")
    if arguments.report:
        title, lines = report(arguments.suite, part, Said(said.read_text(errors="replace")), built, checks, arguments.crashkernel)
        document = arguments.report.read_text() if arguments.report.exists() else ""
        arguments.report.write_text(into(document, title, lines))
    if not all(good for good, _ in checks):
        print(f"console: {out}/console.log   what the guest said: {said}   again: sh {out}/qemu.sh")
    return checks


def main():
    arguments = arguments_of()
    if os.geteuid() != 0:
        raise SystemExit("debian: needs root: the system is made with chroot and mount")
    built = make_image(arguments)
    if arguments.image_only:
        return 0
    checks = [check for name in arguments.parts for check in run_part(name, built, arguments)]
    failed = sum(not good for good, _ in checks)
    if not failed and not arguments.resume:
        for name in ("root.img", "vmlinuz", "initrd.img", "grub.img"):
            (arguments.out / name).unlink(missing_ok=True)
    print(f"debian: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
