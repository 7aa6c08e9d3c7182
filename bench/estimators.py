#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the estimators of the distributions, `recommend` and `audit` say of the machines whose smallest reservation was measured. By hand, as root.

    bench/estimators.py CHECKOUTS --boots OUT --tool PROGRAM [--initrd-tool PROGRAM] [--report docs/estimators.md]

CHECKOUTS has the git repositories kdump-utils, kdump and kdump-tools, as tests/distro/real_scripts.py takes them. OUT is what
bench/crashkernel_min.py left: what each machine said of itself at its boot (/proc/iomem, /proc/meminfo, its log). What was measured of it is
in docs/memory-saved.md. No machine is booted here. What the scripts say goes to bench/results/estimators.json. --initrd-tool is the program with which OUT was measured; its verify is
in the initial RAM disk, whose size is compared with what the crash kernel said of it.

Each script runs in a mount namespace of its own, where /proc, /sys and /boot are those of the captured machine. kdumptool's program is
compiled from its source. Nothing of any of them is kept.
"""

import argparse
import datetime
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
for place in ("tests/vm", "tests/distro", "bench"):
    sys.path.insert(0, str(SOURCE / place))
import crashkernel_min as smallest  # noqa: E402
import fetch  # noqa: E402
import load  # noqa: E402
import real_scripts  # noqa: E402
import run as lab  # noqa: E402

KERNELS = ["6.1", "6.12", "newest"]
WAYS = ["handoff", "plain", "plain-full"]
USER_KIB = 8 << 10  # what the programs of the crash kernel take: assumed, nobody measured it
STRUCT_PAGE = 64
KDUMP_UTILS, KDUMP, KDUMP_TOOLS, DEBIAN = "v1.0.61", "v2.1.9", "8010519", "trixie"
MEASURED = SOURCE / "docs/memory-saved.md"
RESULTS = SOURCE / "bench/results/estimators.json"
BEGIN, END = "<!-- estimators.py -->\n", "<!-- end -->\n"


def kib(text, key):
    """A line of /proc/meminfo."""
    return int(re.search(rf"(?m)^{key}: +(\d+)", text)[1])


def measured(release):
    """{way: MiB} of one kernel, by the page that bench/crashkernel_min.py writes."""
    version = release.split("+")[0].split("-")[0]
    section = re.search(rf"(?ms)^## Linux (newest )?{version}\D.*?(?=^## |\Z)", MEASURED.read_text())
    rows = dict(re.findall(r"(?m)^\| ([^|]+?) \| (\d+) MiB \|", section[0])) if section else {}
    return {way: int(rows[smallest.WAYS[way].title]) for way in WAYS if smallest.WAYS[way].title in rows}


class Machine:
    """One of the machines that crashed, as it was at the boot with the smallest reservation that works without the handoff."""

    def __init__(self, kernel, out, images, store):
        self.kernel = kernel
        version = store.get(f"kernel-{kernel}")[1]["version"]
        self.found = measured(version)
        cell = smallest.cell_of(kernel, smallest.WAYS["plain"], self.found["plain"])
        self.boot = out / "cells" / cell.name / "1"
        self.vmlinuz = store.get(f"kernel-{kernel}")[0] / "vmlinuz"
        self.config = next(store.get(f"kernel-{kernel}")[0].glob("config-*"))
        self.release = self.first("release").strip()
        self.words = f"console=ttyS0 loglevel=6 reset_devices nr_cpus=1 irqpoll panic=1 no_timer_check {cell.crash_words}"
        self.loader = cell.loader
        self.initrd = images.crash(cell)
        self.unpacked = len(gzip.decompress(self.initrd))
        start, end = (int(number, 16) for number in re.search(r"RAMDISK: \[mem (0x\w+)-(0x\w+)\]", self.crash("dmesg")).groups())
        self.initrd_pages_more = (len(self.initrd) + 4095) // 4096 - (end + 1 - start) // 4096

    def first(self, name):
        return (self.boot / "first" / name).read_text()

    def crash(self, name):
        return (self.boot / "crash" / name).read_text()

    def capture(self, root):
        """A directory that the tool reads as this machine."""
        # The pool was read in the kernel's memory, since the kernel did not print where it is: the line that others print.
        pool = json.loads(self.first("show"))["pool"]
        line = f"[    0.000000] software IO TLB: mapped [mem {int(pool['start'], 16):#018x}-{int(pool['end'], 16):#018x}] ({pool['size_bytes'] >> 20}MB)\n"
        for name, text in {"dmesg": re.sub(r"(?m)^.*software IO TLB: area num.*\n", line, self.first("dmesg")), "proc/iomem": self.first("iomem"), "proc/cmdline": self.first("cmdline"), "proc/meminfo": self.first("meminfo"),
                           "proc/sys/kernel/osrelease": self.release + "\n", "sys/kernel/kexec_crash_size": self.first("crash_size"),
                           f"boot/config-{self.release}": self.config.read_text(), "etc/default/kdump-tools": "USE_KDUMP=1\n", "sys/devices/system/cpu/possible": "0\n"}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name, data in {"var/lib/kdump/vmlinuz": self.vmlinuz.read_bytes(), "var/lib/kdump/initrd.img": self.initrd}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)


def ours(machine, tool):
    """What `recommend` and `audit` say of it. The files of kdump lie where Debian has them, so that audit finds them, too."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        machine.capture(root)
        def ask(command, *more):
            return json.loads(subprocess.run([tool, command, "--json", *more], capture_output=True, text=True, check=False).stdout)
        said = ask("recommend", "--root", root, "--kernel", root / "var/lib/kdump/vmlinuz", "--initrd", root / "var/lib/kdump/initrd.img",
                   "--loader", machine.loader, "--command-line", machine.words)
        audit = ask("audit", root)
    handoff = next((one for one in said["candidates"] if one["crashkernel"] == said["crashkernel"]), {"reservation_bytes": 0, "fallback": None})
    return {"crashkernel": said["crashkernel"], "verdict": said["verdict"], "mib": handoff["reservation_bytes"] >> 20,
            "lower_bound_mib": said["need"]["lower_bound_bytes"] >> 20, "need_mib": -(-said["need"]["recommended_bytes"] >> 20),
            "margin_mib": next(line["size_bytes"] for line in said["need"]["lines"] if line["name"] == "margin") >> 20,
            "without": (handoff["fallback"] or {}).get("crashkernel"), "by_handoff_mib": said["saved_by_handoff_bytes"] >> 20,
            "audit": {"verdict": audit["verdict"], "crashkernel": audit["crashkernel"], "lacking_mib": audit["lacking_bytes"] >> 20,
                      "assumed": audit["sizes_assumed"]}}


def place(root, machine):
    """The machine's /proc, /sys and /boot, in an overlay that real_scripts.py made."""
    for name, text in {"iomem": machine.first("iomem"), "cmdline": machine.first("cmdline"), "meminfo": machine.first("meminfo"),
                       "modules": "".join(f"{path.stem} {path.stat().st_size} 0 - Live 0x0\n" for path in sorted((machine.vmlinuz.parent / "modules").glob("*.ko"))),
                       "slabinfo": "slabinfo - version: 2.1\n"}.items():
        if not (root.top / "proc" / name).exists():
            continue  # this kernel has no modules; those of the machines take less than 1 MiB
        root.write(f"of-machine/{name}", text)
        real_scripts.run("mount", "--bind", root.top / "of-machine" / name, root.top / "proc" / name)
    root.write("sys/kernel/kexec_crash_size", machine.first("crash_size"))
    for name in (f"boot/vmlinuz-{machine.release}", f"boot/vmlinuz-{real_scripts.RELEASE}"):
        root.write(name, machine.vmlinuz.read_bytes())
    for name in (f"boot/initramfs-{machine.release}.img", f"boot/initramfs-{machine.release}kdump.img"):
        root.write(name, machine.initrd)
    root.program("usr/bin/nproc", "#!/bin/sh\necho 1\n")
    modules = " ".join(path.stem for path in sorted((machine.vmlinuz.parent / "modules").glob("*.ko")))
    root.program("usr/bin/lsinitrd", f"#!/bin/sh\necho {modules}\n")


def fedora(root, machine, repository):
    """`kdumpctl estimate`, and its default crashkernel=."""
    real_scripts.Fedora().install(root, repository, KDUMP_UTILS)
    root.write("etc/kdump.conf", "force_no_rebuild 1\n")
    root.write("etc/sysconfig/kdump", (root.top / "etc/sysconfig/kdump").read_text() + f'KDUMP_KERNELVER="{machine.release}"\n')
    root.run("/usr/bin/kdumpctl", "estimate")
    said = root.output
    root.run("/usr/bin/kdumpctl", "get-default-crashkernel")
    return {"output": said, "mib": int(re.search(r"Recommended crashkernel: (\d+)M", said)[1]), "default": root.output.strip()}


def constants(machine):
    """What calibrate.conf would say, of this machine's own crash instead of a SUSE system: by calibrate/run-qemu.py, kernel.py and maxrss.py."""
    info, log = machine.crash("meminfo.before-dump"), machine.crash("dmesg")
    ram = int(re.search(r"Memory: \d+K/(\d+)K available", log)[1])
    pool = int(machine.crash("io_tlb_nslabs")) * 2  # calibrate's machine makes none
    unpack = log[log.index("Trying to unpack rootfs image"):] if "Trying to unpack rootfs image" in log else log
    freed = sum(int(size) for size in re.findall(r"Freeing .* memory: (\d+)K", unpack))
    base = ram - pool - kib(info, "MemFree") - kib(info, "Cached") - ram // 4 * STRUCT_PAGE // 1024 - kib(info, "Percpu")
    return {"KERNEL_BASE": base, "KERNEL_INIT": freed, "INIT_CACHED": kib(info, "Cached"), "PAGESIZE": 4096, "SIZEOFPAGE": STRUCT_PAGE,
            "PERCPU": kib(info, "Percpu"), "USER_BASE": USER_KIB, "INIT_NET": 0, "INIT_CACHED_NET": 0, "USER_NET": 0}


def suse(root, machine, repository, program):
    """`kdumptool calibrate`, with the 32 CPUs of its default and with the one of these machines."""
    root.program("usr/sbin/kdumptool", repository.show(KDUMP, "kdumptool/kdumptool"))
    root.program("usr/lib/kdump/kdump-read-config.sh", repository.show(KDUMP, "kdump-read-config.sh"))
    root.write("usr/lib/kdump/calibrate", program.read_bytes(), 0o755)
    values = constants(machine)
    root.write("usr/lib/kdump/calibrate.conf", "".join(f"export {key}={value}\n" for key, value in values.items()))
    said = {}
    for cpus in (32, 1):
        root.write("etc/sysconfig/kdump", f'KDUMP_CPUS="{cpus}"\n')
        root.run("/usr/sbin/kdumptool", "calibrate")
        numbers = dict(re.findall(r"(?m)^(\w+): (\d+)", root.output))
        said[cpus] = {"output": root.output, "mib": int(numbers["Low"]) + int(numbers["High"])}
    return {"constants": values, "cpus": said}


def debian(root, machine, package):
    """`kdump-config show`, once the package's service has kept /proc/meminfo at boot and its hook the size of the initrd."""
    real_scripts.Debian().install(root, package, DEBIAN)
    release = real_scripts.RELEASE  # of the kernel that runs here: kdump-config asks uname
    root.write(f"var/lib/kdump/mem-{release}", machine.first("meminfo"))
    root.write(f"var/lib/kdump/size_initrd.img-{release}", f"{(machine.unpacked + (1 << 20) - 1) >> 20}\n")
    root.write(f"var/lib/kdump/initrd.img-{release}", machine.initrd)
    for name, target in (("vmlinuz", f"/boot/vmlinuz-{release}"), ("initrd.img", f"/var/lib/kdump/initrd.img-{release}")):
        (root.top / "var/lib/kdump" / name).unlink(missing_ok=True)
        (root.top / "var/lib/kdump" / name).symlink_to(target)
    root.run("/usr/sbin/kdump-config", "show")
    return {"output": root.output, "mib": int(re.search(r"suggested size: (\d+)M", root.output)[1])}


def in_overlay(machine, arguments, function, *more):
    directory = Path(tempfile.mkdtemp(prefix="estimators-"))
    real_scripts.run("mount", "-t", "tmpfs", "tmpfs", directory)
    arguments.kernel = machine.vmlinuz.parent
    root = real_scripts.Root(directory, arguments)
    try:
        place(root, machine)
        return function(root, machine, *more)
    except (TypeError, KeyError) as error:
        sys.exit(f"estimators: {function.__name__} says no number ({error}): {root.output}")
    finally:
        real_scripts.run("umount", "-l", "-R", root.top)
        real_scripts.run("umount", "-l", directory)
        directory.rmdir()


def measure(arguments):
    store = fetch.Store(None)
    utils, suses, tools = (real_scripts.Repository(arguments.checkouts, name, commit)
                           for name, commit in (("kdump-utils", KDUMP_UTILS), ("kdump", KDUMP), ("kdump-tools", KDUMP_TOOLS)))
    package = real_scripts.Package()
    defaults = {name: re.search(r"crashkernel=([^\s\"]+)", tools.show(KDUMP_TOOLS, f"debian/kdump-tools.grub.{file}").decode())[1]
                for name, file in (("Debian", "default"), ("Ubuntu", "arm64"))}
    results = {"date": str(datetime.date.today()), "defaults": defaults, "machines": [],
               "scripts": {"kdumpctl": utils.described(KDUMP_UTILS), "kdumptool": suses.described(KDUMP), "kdump-config": package.described(DEBIAN),
                           "defaults": tools.described(KDUMP_TOOLS)}}
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "calibrate"
        subprocess.run(["g++", "-O1", "-w", "-x", "c++", "-o", program, "-"], input=suses.show(KDUMP, "kdumptool/calibrate.cc"), check=True)
        images = lab.Images(store, Path(name) / "images", arguments.initrd_tool or arguments.tool)
        for kernel in KERNELS:
            machine = Machine(kernel, arguments.boots, images, store)
            said = {"kernel": machine.release, "measured_mib": machine.found, "initrd_bytes": len(machine.initrd), "unpacked_bytes": machine.unpacked,
                    "initrd_pages_more_than_measured": machine.initrd_pages_more,
                    "kdumpctl": in_overlay(machine, arguments, fedora, utils),
                    "kdumptool": in_overlay(machine, arguments, suse, suses, program),
                    "kdump-config": in_overlay(machine, arguments, debian, package), "ours": ours(machine, arguments.tool)}
            results["machines"].append(said)
            print(f"{machine.release}: done", flush=True)
    return results


def of_ranges(words, mib):
    """What crashkernel=RANGE:SIZE,... reserves on a machine of `mib`."""
    units = {"M": 1, "G": 1 << 10, "": 1 << 20}
    for start, unit, end, end_unit, size in re.findall(r"(\d+)([MG])-(\d*)([MG]?):(\d+)M", words):
        if int(start) * units[unit] <= mib < (int(end) * units[end_unit] if end else 1 << 40):
            return f"{size} MiB"
    return "nothing"


def judged(mib, machine):
    """The number, and what the measurement says of it for a load without the handoff."""
    plain, whole = machine["measured_mib"].get("plain"), machine["measured_mib"].get("plain-full")
    said = "too small" if mib < plain else "enough" if whole and mib >= whole else "enough, with a smaller pool"
    return f"{mib} MiB: {said}"


def table(results):
    machines = results["machines"]
    def row(name, cells):
        return f"| {name} | " + " | ".join(cells) + " |"
    lines = [row("", [f"Linux {one['kernel']}" for one in machines]), "|---|" + "---|" * len(machines)]
    for way, name in (("handoff", "**measured**, with the handoff"), ("plain", "**measured**, without it, the pool made smaller by the kernel"),
                      ("plain-full", "**measured**, without it, the pool of 64 MiB")):
        lines.append(row(name, [f"**{one['measured_mib'][way]} MiB**" if way in one["measured_mib"] else "not measured" for one in machines]))
    lines.append(row("`kdumpctl estimate`", [judged(one["kdumpctl"]["mib"], one) for one in machines]))
    for cpus, why in (("1", "`KDUMP_CPUS=1`, as measured"), ("32", "`KDUMP_CPUS=32`, its default")):
        lines.append(row(f"`kdumptool calibrate`, {why}", [judged(one["kdumptool"]["cpus"][cpus]["mib"], one) for one in machines]))
    lines.append(row("`kdump-config show`", [judged(one["kdump-config"]["mib"], one) for one in machines]))
    for name, words in (("Fedora, RHEL", machines[0]["kdumpctl"]["default"]), *((name, results["defaults"][name]) for name in ("Debian", "Ubuntu"))):
        lines.append(row(f"default of {name}: `{words}`", [of_ranges(words, 1024)] * len(machines)))
    lines.append(row("`recommend`", [f"{one['ours']['mib']} MiB, with the handoff" for one in machines]))
    lines.append(row("`recommend`: needed besides the pool", [f"{one['ours']['lower_bound_mib']} MiB for certain, {one['ours']['need_mib']} MiB with a margin of "
                                                                f"{one['ours']['margin_mib']} MiB" for one in machines]))
    lines.append(row("`recommend`: what a load without the handoff should have",
                     [judged(int(re.search(r"=(\d+)M", one["ours"]["without"])[1]), one) for one in machines]))
    lines.append(row("`audit`, of the reservation measured without the handoff", [f"too small by {one['ours']['audit']['lacking_mib']} MiB" for one in machines]))
    return "\n".join(lines) + "\n"


def write_report(page, results):
    scripts = results["scripts"]
    text = f"""Run on {results['date']}, by `bench/estimators.py`: kdumpctl and kdump-lib.sh of {scripts['kdumpctl']};
kdumptool and calibrate.cc of {scripts['kdumptool']}; kdump-config of Debian's {scripts['kdump-config']};
the defaults of Debian and Ubuntu of {scripts['defaults']}.

"""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + BEGIN + text + table(results) + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="?")
    parser.add_argument("--boots", type=Path)
    parser.add_argument("--tool", type=Path, default=lab.find_tool())
    parser.add_argument("--initrd-tool", type=Path)
    parser.add_argument("--report", type=Path, help="write the table into this page; without CHECKOUTS from what was found before")
    arguments = parser.parse_args()
    if arguments.checkouts:
        if not arguments.boots:
            parser.error("--boots is needed")
        if not os.environ.get("ESTIMATORS_ALONE"):
            os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv], {**os.environ, "ESTIMATORS_ALONE": "1"})
        RESULTS.write_text(json.dumps(measure(arguments), indent=1) + "\n")
    if arguments.report:
        write_report(arguments.report, json.loads(RESULTS.read_text()))


if __name__ == "__main__":
    main()
