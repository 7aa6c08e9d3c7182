#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian 12 with kdump-tools that crashes: the package installed, enabled, crash kernel loaded by kdump-config,
sysrq-c, the dump saved by kdump-tools, a reboot, and a look at what is in /var/crash. Then the same with a smaller reservation
and dracut's initramfs, and at last all of it taken away again.

    tests/debian/run.py [--package FILE.deb] [--crashkernel 256M] [--out DIR] [--report FILE.md]

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
            "libfmt9 libboost-program-options1.74.0 bash-completion prometheus-node-exporter dracut-core")
BASE = fetch.CACHE / "debian-root"
# The modules of both initramfs, which a chroot cannot find out (MODULES=dep), and of which "most" takes minutes to pack.
MODULES = "virtio_pci virtio_blk ext4"
RECIPE = hashlib.sha256(f"4 bookworm minbase {PACKAGES} {MODULES}".encode()).hexdigest()

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


def chroot(root, *command, variables=()):
    """Runs a program of the system, with /proc, which is gone with it. Returns what it printed."""
    return run("unshare", "--mount", "--fork", "sh", "-ec", 'root=$1; shift; mount -t proc proc "$root/proc"; exec chroot "$root" env "$@"', "sh",
               root, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *variables, *command)


def ours_in(root):
    """The files of the system that have our name."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*swiotlb*handoff*"))


def image(tar, package, out):
    """The system's disk, with the package installed as dpkg installs it. Returns what was measured, and what was seen of dpkg."""
    root = Path(tempfile.mkdtemp(prefix="handoff-debian-", dir=out))
    try:
        run("tar", "-C", root, "-xf", tar)
        release = next(path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
        found = {"release": release}
        kdump_initrd, dracut_initrd = root / f"var/lib/kdump/initrd.img-{release}", root / "var/lib/kdump/dracut.img"
        # Without systemd in it, as kdump's are small; the drivers are those of the VM.
        dracut = ("dracut", "--force", "--no-hostonly", "--kver", release, "--drivers", MODULES, "--omit", "systemd systemd-initrd dracut-systemd",
                  "/var/lib/kdump/dracut.img")

        hook = ("/etc/kernel/postinst.d/kdump-tools", release)
        progress("kdump's initramfs without the package")
        chroot(root, *hook)
        found["initramfs-tools-before"] = kdump_initrd.stat().st_size
        progress("installing the package, removing it, installing it again")
        config = root / "etc/default/kdump-tools"
        original = config.read_bytes()
        shutil.copy(package, root / "package.deb")
        chroot(root, "dpkg", "--install", "/package.deb")
        chroot(root, "swiotlb-handoff", "enable")
        found["enabled"] = config.read_bytes() != original
        chroot(root, "dpkg", "--remove", "swiotlb-handoff")
        found["restored"] = config.read_bytes() == original
        chroot(root, "dpkg", "--purge", "swiotlb-handoff")
        found["left"] = ours_in(root)
        chroot(root, "dpkg", "--install", "/package.deb")
        (root / "package.deb").unlink()
        progress("each initramfs with the package")
        chroot(root, *hook)
        found["initramfs-tools-after"] = kdump_initrd.stat().st_size
        found["initramfs-tools"] = chroot(root, "lsinitramfs", f"/var/lib/kdump/initrd.img-{release}")
        chroot(root, "update-initramfs", "-u", "-k", release)
        found["initramfs-tools-regular"] = chroot(root, "lsinitramfs", f"/boot/initrd.img-{release}")
        # A regular initramfs is what one for kdump was without the package.
        chroot(root, *dracut)
        found["dracut-before"] = dracut_initrd.stat().st_size
        found["dracut-regular"] = chroot(root, "lsinitrd", "/var/lib/kdump/dracut.img")
        chroot(root, *dracut, variables=["IN_KDUMP=1"])
        found["dracut-after"] = dracut_initrd.stat().st_size
        found["dracut"] = chroot(root, "lsinitrd", "/var/lib/kdump/dracut.img")
        found["versions"] = dict(line.split(" ", 1) for line in chroot(
            root, "dpkg-query", "-W", "-f", "${Package} ${Version}\n", "kdump-tools", "kexec-tools", "makedumpfile", "initramfs-tools", "dracut-core",
            "systemd", "dash", "prometheus-node-exporter", f"linux-image-{release}", "swiotlb-handoff").splitlines())

        # As after a first load: kdump-config else builds the initramfs anew then, which takes minutes when emulated.
        shutil.copy(root / "etc/kdump/sysctl.conf", root / f"var/lib/kdump/latest_sysctls-{release}")
        for name, target in (("guest/handoff-test", "usr/local/sbin/handoff-test"),
                             ("guest/handoff-test.service", "etc/systemd/system/handoff-test.service")):
            shutil.copy(HERE / name, root / target)
        (root / "usr/local/sbin/handoff-test").chmod(0o755)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "handoff-test.service").symlink_to("../handoff-test.service")
        # What takes time at each boot, and is not looked at.
        (wants / "prometheus-node-exporter.service").unlink(missing_ok=True)
        for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"):
            (root / "etc/systemd/system/timers.target.wants" / name).unlink(missing_ok=True)
        (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
        (root / "etc/hostname").write_text("handoff\n")
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(root / "boot" / f"{name}-{release}", out / name)
        progress("making the disk")
        disk = out / "root.img"
        disk.unlink(missing_ok=True)
        run("mke2fs", "-q", "-t", "ext4", "-d", root, disk, "2500M")
        return found
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
               "-device", "virtio-serial-pci", "-chardev", f"file,id=said,path={said}", "-device", "virtserialport,chardev=said,name=handoff", "-device", "virtio-balloon-pci",
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


LIMIT = 512  # KiB that verify may add to a crash kernel's initramfs


def judge(said, image):
    """The checks, each a line: (passed, what)."""
    def last(key):
        return said.get(key, [""])[-1]

    def text(key):
        return "\n".join(line.removeprefix(key).strip() for line in said.get("text", []) if line.split(" ", 1)[0] == key)

    def number(key):
        return int(last(key)) if last(key).isdigit() else 0

    def added(kind):
        return (image[f"{kind}-after"] - image[f"{kind}-before"]) / 1024

    def loaded(key, what):
        return last(key) == "0", what

    def crash(name, what):
        return [
            (number(f"{name}-bytes") > 0, f"{what}: kdump-tools saved a dump ({last(f'{name}-bytes') or 'no'} bytes) and the machine rebooted"),
            (last(f"{name}-canary") == "found", "... makedumpfile reads it, and it is of this crash"),
            ("(exact)" in text(f"{name}-verdict"), f"... the verdict beside it: {(text(f'{name}-verdict') or 'none').splitlines()[0]}"),
            (last(f"{name}-record") == "0", "... the load's record is beside it, and sound for check --record"),
        ]

    verify, report = "usr/lib/swiotlb-handoff/verify", "hooks/cmdline/01-report.sh"
    exposure = re.search(r"exposure level .*: ([\d.]+) (\w+)", text("security"))
    shrunk = number("memory-after") - number("memory-before")
    offered = set(last("completes").split())
    return [
        (image["enabled"] and image["restored"], "dpkg --remove takes the handoff out of kdump's configuration, byte for byte"),
        (not image["left"], f"dpkg --purge leaves nothing {' '.join(image['left'])}"),
        (verify in image["initramfs-tools"] and verify not in image["initramfs-tools-regular"],
         "initramfs-tools: verify is in kdump's initramfs, and not in the system's"),
        (0 < added("initramfs-tools") <= LIMIT, f"... which grows by {added('initramfs-tools'):.0f} KiB, at most {LIMIT}"),
        (verify in image["dracut"] and report in image["dracut"] and verify not in image["dracut-regular"],
         "dracut: verify and its hook are in an initramfs for kdump, and not in a regular one"),
        (0 < added("dracut") <= LIMIT, f"... which grows by {added('dracut'):.0f} KiB, at most {LIMIT}"),
        ("man-missing" not in said, "the man pages are there"),
        ("_swiotlb_handoff" in last("completion") and {"plan", "kexec", "recommend", "shrink", "status"} <= offered, "bash completes the commands"),
        (last("verify-units") == "0" and "swiotlb" not in text("verify-units"), "systemd-analyze verify has nothing to say of the units"),
        (exposure is not None and float(exposure[1]) < 4, f"systemd-analyze security: exposure {exposure[0].split(': ')[-1] if exposure else '?'}"),
        (last("units").split() == ["active", "active"], "timer and path unit run after installation"),
        loaded("enable", "swiotlb-handoff enable succeeds"),
        (last("enable-again") == "0" and last("enabled-twice") == "same", "enabling twice is enabling once"),
        (last("load") == "0" and last("loaded") == "1", "kdump-config reload loads the crash kernel"),
        (last("handoffs") == "1", f"... with the handoff: {last('note')}"),
        (last("try-reload") == "0" and last("handoffs-after-reload") == "2", "and so does kdump-config try-reload, which udev's rule runs"),
        (last("status") == "0" and "in use" in text("status").replace("in-use", "in use"), "status says that the handoff is in use"),
        (last("prometheus") == "0" and "swiotlb_handoff_ready 1" in text("prometheus"), "status --prometheus says ready"),
        loaded("check", "check --record finds the record of this load sound"),
        (last("recommend") in ("0", "3", "4") and text("recommend") != "", f"recommend: {(text('recommend') or 'nothing').splitlines()[0]}"),
        (last("service") == "success 0" and text("service") == text("prometheus"), "the metrics' service says the very same from its sandbox"),
        (number("path-unit") > 0, "the path unit writes the metrics at a load"),
        (number("scraped") >= 8, f"node_exporter serves them ({number('scraped')} samples)"),
        (last("udev-loaded") == "1" and last("udev-handoffs") == "0" and last("udev-record") == "same" and last("udev-status") == "in-use",
         "a CPU comes: udevd's filter permits no load, the crash kernel stays loaded with the handoff"),
        (number("udev-permitted") >= 1, "with a filter that permits it, udev's reload has the handoff"),
        (last("lent-device").endswith(" 0") and last("unlent-handoffs") == "0", f"a driver takes a device ({last('lent-device').split(' ')[0]}): nothing happens where nothing is lent"),
        (last("lent-handoffs") in ("1", "2") and last("lent-record") == "1",
         f"... and where the record says that the pool is lent, udev's rule has it loaded anew, in a unit of its own; loads for four such events: {last('lent-handoffs')}"),
        (last("disabled-record") == "0", "disable leaves no record that says otherwise"),
        (last("divert") == "0" and number("divert-handoffs") == 1, "with kexec diverted, the stand-in in its place loads with the handoff"),
        *crash("first", "first crash"),
        (number("boot-handoffs") == 1 and last("boot-status") == "0", "at the next boot, kdump-tools.service loads with the handoff by itself"),
        (last("dracut-load") == "0" and "with the handoff" in last("dracut-note"), "with dracut's initramfs in place of the other, too"),
        (last("shrink") == "0" and shrunk > 0, f"shrink gives back {shrunk // 1024} MiB at once, as MemTotal says"),
        (last("shrunk-status") == "0", "... and the handoff is in use again"),
        *crash("second", "second crash, of the smaller reservation and with dracut's initramfs"),
        (last("disable") == "0" and last("config") == "identical", "disable leaves the configuration byte-identical"),
        (last("backup") == "gone", "... and no backup"),
        (last("plain") == "0" and last("plain-loaded") == "1 0", "... and the next load is a plain one"),
        ("not-in-use" in text("disabled"), "... which status does not take for one with the handoff"),
        (last("purge") == "0" and text("left") == "", f"dpkg --purge on the running machine leaves nothing {text('left')}"),
        (last("removed-load") == "0" and last("removed-loaded") == "1", "... and kdump loads as before"),
    ]


def write_report(path, said, image, checks, crashkernel):
    """What was seen, as Markdown."""
    def text(key):
        return [line.removeprefix(key).removeprefix(" ") for line in said.get("text", []) if line.split(" ", 1)[0] == key]

    failed = sum(not good for good, _ in checks)
    lines = ["# A whole Debian", "",
             "A Debian 12 with systemd and kdump-tools in QEMU (emulated), the package installed as dpkg installs it, two crashes by sysrq: made by",
             "`tests/debian/run.py --report`, which `scripts/check --vm=debian` runs. The first crash kernel has the initramfs of initramfs-tools, the",
             f"second one that of dracut, and a reservation that `shrink` made smaller. First kernel: `crashkernel={crashkernel} swiotlb=force`.", "",
             *(f"- {name} {version}" for name, version in sorted(image["versions"].items())), f"- {run('qemu-system-x86_64', '--version').splitlines()[0]}",
             "", f"{len(checks) - failed} passed, {failed} failed:", "", *(f"- {'' if good else '**FAILED** '}{what}" for good, what in checks), ""]
    for title, key in (("`swiotlb-handoff status`, before the first crash", "status"), ("`swiotlb-handoff status --prometheus`", "prometheus"),
                       ("`swiotlb-handoff plan`", "plan"), ("`swiotlb-handoff recommend`", "recommend"),
                       ("Beside the first dump", "first-files"), ("The verdict beside the first dump", "first-verdict"),
                       ("`swiotlb-handoff check --record` on the record beside it", "first-record"),
                       ("`swiotlb-handoff shrink`", "shrink"), ("The verdict beside the second dump", "second-verdict")):
        lines += [f"## {title}", "", "```", *text(key), "```", ""]
    path.write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="the .deb (default: build it with scripts/package)")
    parser.add_argument("--crashkernel", default="256M")
    parser.add_argument("--report", type=Path, help="write what was seen to this file, as Markdown")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "build/debian")
    parser.add_argument("--seconds", type=int, default=3600, help="give up after so long")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("debian: needs root: the system is made with chroot and mount")
    out = arguments.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    package = arguments.package
    if package is None:
        progress("building the package")
        run(HERE.parents[1] / "scripts/package")
        package = next((HERE.parents[1] / "build/package/deb").glob("swiotlb-handoff_*.deb"))
    try:
        tar = base_system()
    except fetch.Unavailable as problem:
        raise SystemExit(f"debian: {problem}")
    built = image(tar, package, out)
    (out / "image.json").write_text(json.dumps(built, indent=1))
    progress(f"booting {built['release']} with crashkernel={arguments.crashkernel}")
    said = boot(out, arguments.crashkernel, arguments.seconds)
    checks = judge(said, built)
    for good, what in checks:
        print(f"{'ok   ' if good else 'FAIL '} {what}")
    if arguments.report:
        write_report(arguments.report, said, built, checks, arguments.crashkernel)
    failed = sum(not good for good, _ in checks)
    if failed:
        print(f"console: {out}/console.log   what the guest said: {out}/said   again: sh {out}/qemu.sh")
    else:
        for name in ("root.img", "vmlinuz", "initrd.img"):
            (out / name).unlink()
    print(f"debian: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
