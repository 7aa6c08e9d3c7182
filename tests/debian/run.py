#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian 12 with kdump-tools that crashes: the package installed, enabled, crash kernel loaded by kdump-config,
sysrq-c, the dump saved by kdump-tools, a reboot, and then a look at what is in /var/crash.

    tests/debian/run.py [--package FILE.deb] [--crashkernel 192M] [--out DIR]

The base system is made with mmdebstrap once and kept in the cache of tests/vm/fetch.py with its sha256 sum. Everything the
guest has to say comes over a virtio-serial port as lines KEY VALUE; the console is kept in DIR/console.log.
"""

import argparse
import hashlib
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
sys.path.insert(0, str(HERE.parent / "vm"))
import fetch  # noqa: E402

PACKAGES = ("systemd-sysv udev kmod kdump-tools linux-image-cloud-amd64 initramfs-tools makedumpfile kexec-tools "
            "libfmt9 libboost-program-options1.74.0 libelf1 libbpf1")
BASE = fetch.CACHE / "debian-root"
# The modules of both initramfs, which a chroot cannot find out (MODULES=dep), and of which "most" takes minutes to pack.
MODULES = "virtio_pci virtio_blk ext4"
RECIPE = hashlib.sha256(f"2 bookworm minbase {PACKAGES} {MODULES}".encode()).hexdigest()

began = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - began:5.0f} s] {text}", flush=True)


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command[:4]))}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def base_system():
    """The tar file of the base system, verified."""
    tar, manifest = BASE / "root.tar", BASE / "manifest.json"
    try:
        known = json.loads(manifest.read_text())
        if known["recipe"] == RECIPE and fetch.sha256(tar) == known["sha256"]:
            return tar
        progress("the cached base system is another one, or damaged: making it anew")
    except (OSError, ValueError, KeyError):
        progress("making the base system (once; about five minutes)")
    BASE.mkdir(parents=True, exist_ok=True)
    fresh = BASE / "root.tar.new"
    fresh.unlink(missing_ok=True)
    # The machine's own apt settings, proxies for example; not left in the image.
    settings = re.findall(r'^(Acquire::(?:https?|Retries|Check-Valid-Until)\S* ".*");$', run("apt-config", "dump"), re.M)
    run("mmdebstrap", "--format=tar", "--variant=minbase", f"--include={','.join(PACKAGES.split())}", *(f"--aptopt={s}" for s in settings),
        "--dpkgopt=force-confold",
        '--essential-hook=mkdir -p "$1"/etc/initramfs-tools/conf.d && echo MODULES=list >"$1"/etc/initramfs-tools/conf.d/test && '
        f'printf "%s\\n" {MODULES} >"$1"/etc/initramfs-tools/modules',
        '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list', "bookworm", fresh,
        f"deb {fetch.debian_archive()} bookworm main")
    manifest.write_text(json.dumps({"recipe": RECIPE, "sha256": fetch.sha256(fresh)}))
    fresh.rename(tar)
    return tar


def image(tar, package, out):
    """The system's disk, with the package installed as dpkg installs it. Returns kernel, initrd, what was measured."""
    root = Path(tempfile.mkdtemp(prefix="handoff-debian-", dir=out))
    try:
        run("tar", "-C", root, "-xf", tar)
        shutil.copy(package, root / "package.deb")
        release = next(path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
        hook = "/etc/kernel/postinst.d/kdump-tools"
        run("chroot", root, hook, release)
        before = (root / f"var/lib/kdump/initrd.img-{release}").stat().st_size
        progress("installing the package")
        run("chroot", root, "dpkg", "-i", "/package.deb")
        run("chroot", root, hook, release)
        after = (root / f"var/lib/kdump/initrd.img-{release}").stat().st_size
        (root / "package.deb").unlink()
        for name, target in (("guest/handoff-test", "usr/local/sbin/handoff-test"),
                             ("guest/handoff-test.service", "etc/systemd/system/handoff-test.service")):
            shutil.copy(HERE / name, root / target)
        (root / "usr/local/sbin/handoff-test").chmod(0o755)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "handoff-test.service").symlink_to("../handoff-test.service")
        (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
        (root / "etc/hostname").write_text("handoff\n")
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(root / "boot" / f"{name}-{release}", out / name)
        progress("making the disk")
        disk = out / "root.img"
        disk.unlink(missing_ok=True)
        run("mke2fs", "-q", "-t", "ext4", "-d", root, disk, "2500M")
        return {"release": release, "initrd_before": before, "initrd_after": after}
    finally:
        shutil.rmtree(root, ignore_errors=True)


def boot(out, crashkernel, seconds):
    """Runs the machine until it powers off. Returns what the guest said: key -> list of values."""
    said = out / "said"
    said.write_text("")
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-m", "3G", "-smp", "2", "-nodefaults", "-display", "none",
               "-kernel", out / "vmlinuz", "-initrd", out / "initrd.img",
               "-append", f"root=/dev/vda rw console=ttyS0 loglevel=5 crashkernel={crashkernel} swiotlb=force panic=5",
               # iommu_platform: the device's DMA goes through the DMA API, and so really through the pool.
               "-drive", f"file={out}/root.img,format=raw,if=none,id=disk,cache=unsafe",
               "-device", "virtio-blk-pci,drive=disk,disable-legacy=on,iommu_platform=on",
               "-device", "virtio-serial-pci", "-chardev", f"file,id=said,path={said}", "-device", "virtserialport,chardev=said,name=handoff",
               "-serial", f"file:{out}/console.log"]
    command = [str(word) for word in command]
    (out / "qemu.sh").write_text(" ".join(f"'{word}'" for word in command) + "\n")
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    deadline, shown = time.monotonic() + seconds, 0
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
            if time.monotonic() > deadline:
                progress(f"no end after {seconds} s")
                break
            time.sleep(0.5)
    finally:
        if machine.poll() is None:
            machine.kill()
        machine.wait()
    found = {}
    for line in said.read_text(errors="replace").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def judge(found, measured):
    """The checks, each a line: (passed, what)."""
    def last(key):
        return found.get(key, [""])[-1]

    added = measured["initrd_after"] - measured["initrd_before"]
    text = "\n".join(found.get("text", []))
    return [
        (0 < added <= 1536 * 1024, f"verify adds {added / 1024:.0f} KiB to kdump's initramfs, at most 1536"),
        (last("enable") == "0", "swiotlb-handoff enable succeeds"),
        (last("enable-again") == "0" and last("enabled-twice") == "same", "enabling twice is enabling once"),
        (last("load") == "0", "kdump-config reload loads the crash kernel"),
        (last("loaded") == "1", "a crash kernel is loaded"),
        (last("handoffs") == "1", f"with the handoff: {last('note')}"),
        (last("try-reload") == "0" and last("handoffs-after-reload") == "2", "and so does a reload as by udev"),
        (last("phase") == "after", "the machine came up again after the crash"),
        (last("dump-bytes") not in ("", "0"), f"kdump-tools saved a dump ({last('dump-bytes') or 'none'} bytes)"),
        (last("canary") == "found", "the dump can be read, and is of this crash"),
        ("(exact)" in text, "the verdict beside the dump says exact"),
        (last("disable") == "0" and last("config") == "identical", "disable leaves the configuration byte-identical"),
        (last("backup") == "gone", "and no backup"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="the .deb (default: build it with scripts/package)")
    parser.add_argument("--crashkernel", default="192M")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "build/debian")
    parser.add_argument("--seconds", type=int, default=900, help="give up after so long")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    package = arguments.package
    if package is None:
        progress("building the package")
        run(HERE.parents[1] / "scripts/package")
        package = next((HERE.parents[1] / "build/package").glob("swiotlb-handoff_*.deb"))
    try:
        tar = base_system()
    except fetch.Unavailable as problem:
        raise SystemExit(f"debian: {problem}")
    measured = image(tar, package, out)
    progress(f"booting {measured['release']} with crashkernel={arguments.crashkernel}")
    found = boot(out, arguments.crashkernel, arguments.seconds)
    checks = judge(found, measured)
    for good, what in checks:
        print(f"{'ok   ' if good else 'FAIL '} {what}")
    failed = sum(not good for good, _ in checks)
    for name in ("root.img", "vmlinuz", "initrd.img"):
        if not failed:
            (out / name).unlink()
    if failed:
        print(f"console: {out}/console.log   what the guest said: {out}/said   again: sh {out}/qemu.sh")
    print(f"debian: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
