#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the patched kernel with pools for single devices (swiotlb_dev=), and asks the devices which memory they were given.

    tests/vm/device_pools.py [--kernel BZIMAGE] [--out DIR] [MACHINE...]

Each machine has one NVMe disk and one virtio disk. QEMU traces every address that the NVMe disk uses: of its queues, of the lists
of pages, and of the data. Without --kernel it is the newest patched kernel of fetch.py's cache.
"""

import argparse
import dataclasses
import gzip
import hashlib
import random
import re
import subprocess
import sys
from pathlib import Path

import initramfs

HERE = Path(__file__).resolve().parent
DISK_BYTES = 8 << 20
# Emulated, perhaps beside a compiler.
SECONDS = 400


@dataclasses.dataclass(frozen=True)
class Machine:
    """`pool` is where all of the NVMe disk's memory must be, None where none of it may be in any pool."""
    words: str
    pool: tuple[int, int] | None
    says: tuple[str, ...] = ()
    listed: str = ""
    nvme: tuple[str, ...] = ("-device", "nvme,serial=lab,drive=n,addr=4")
    extra: tuple[str, ...] = ()
    memory: str = "1024M"


BELOW = ("-device", "pcie-root-port,id=above,addr=6,chassis=1", "-device", "nvme,serial=lab,drive=n,bus=above")
IOMMU = ("-device", "intel-iommu,intremap=off")
POOL = (0x20000000, 0x20800000)
WORDS = "swiotlb_dev=4096,addr=0x20000000,"
THROUGH = ("all its DMA goes through the pool at 0x0000000020000000, 4096 slabs",)

MACHINES = {
    "place": Machine(WORDS + "00:04.0", POOL, THROUGH, "Software IO TLB 00:04.0"),
    "kind": Machine(WORDS + "pci:1b36:0010", POOL, THROUGH, "Software IO TLB pci:1b36:0010"),
    "bridge": Machine(WORDS + "0000:00:06.0", POOL, THROUGH, "Software IO TLB 0000:00:06.0", nvme=BELOW),
    "path": Machine(WORDS + "00:07.0;00:06.0/00.0", POOL, THROUGH, "Software IO TLB 00:07.0;00:06.0/00.0", nvme=BELOW),
    # The default pool is for the others.
    "force": Machine("swiotlb=4096,force " + WORDS + "00:04.0", POOL, THROUGH, "Software IO TLB 00:04.0"),
    # The second and the third of them are for others, and the last is too late.
    "several": Machine("swiotlb_dev=512,addr=0x30000000,00:1f.2 " + WORDS + "00:04.0 swiotlb_dev=512,addr=0x28000000,00:04.0",
                       POOL, THROUGH, "Software IO TLB 00:04.0"),
    # KASLR keeps clear of a pool over the place where the kernel lies otherwise; without it the pool is refused.
    "kaslr": Machine("swiotlb_dev=65536,addr=16M,00:04.0", (0x1000000, 0x9000000),
                     ("all its DMA goes through the pool at 0x0000000001000000, 65536 slabs",), "Software IO TLB 00:04.0"),
    "nokaslr": Machine("nokaslr swiotlb_dev=65536,addr=16M,00:04.0", None,
                       ("some of it is in use, there is no such pool",
                        "no pool of its own at 0x0000000001000000, as swiotlb_dev= asks for: some of it is in use")),
    "none": Machine("", None),
    "not-ram": Machine("swiotlb_dev=4096,addr=0xc0000000,00:04.0", None, ("not all of it is RAM, there is no such pool",)),
    "noforce": Machine("swiotlb=noforce " + WORDS + "00:04.0", None, ("swiotlb=noforce is set, there is no such pool",)),
    "overlap": Machine(WORDS + "00:1f.2 " + "swiotlb_dev=4096,addr=0x20400000,00:04.0", None,
                       ("some of it is in use, there is no such pool",), "Software IO TLB 00:1f.2"),
    "other": Machine(WORDS + "00:09.0", None, ("there is no device 00:09.0 yet",), "Software IO TLB 00:09.0"),
    "typing": Machine(WORDS + "nvme0", None, ('"nvme0" does not name a PCI device',), "Software IO TLB nvme0"),
    "words": Machine("swiotlb_dev=4096,00:04.0", None, ("addr= has to follow the number of slabs, there is no such pool",)),
    "iommu": Machine("intel_iommu=on " + WORDS + "00:04.0", None, ("its DMA is translated, swiotlb_dev= is ignored",),
                     "Software IO TLB 00:04.0", extra=IOMMU),
    "iommu-pt": Machine("intel_iommu=on iommu=pt " + WORDS + "00:04.0", POOL, THROUGH, "Software IO TLB 00:04.0", extra=IOMMU),
}


def initial_image(busybox):
    archive = initramfs.Archive()
    for name in ("proc", "sys", "dev", "bin"):
        archive.directory(name)
    archive.file("bin/busybox", busybox.read_bytes())
    archive.file("init", (HERE / "guest/device-pools").read_bytes())
    return gzip.compress(archive.bytes(), 6, mtime=0)


def command(machine, directory, kernel, initrd):
    disk = "-drive", "file={0}/{1},if=none,id={1},format=raw,cache=unsafe"
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", machine.memory, *machine.extra,
            *(word.format(directory, name) for name in "nv" for word in disk), *machine.nvme,
            "-device", "virtio-blk-pci,drive=v,addr=5,disable-legacy=on,iommu_platform=on",
            "-trace", "pci_nvme_map_*", "-trace", "pci_nvme_create_*", "-trace", "pci_nvme_mmio_a*", "-D", f"{directory}/trace",
            "-serial", f"file:{directory}/serial.log", "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", f"console=ttyS0 loglevel=4 panic=1 no_timer_check {machine.words}"]


def addresses(trace):
    """What the kernel told the NVMe disk to use: its queues, data, and lists of pages. A second PRP is the last page or a list of
    them. The firmware looks for a boot sector first: what it uses ends where the admin queue is set for the second time."""
    found = {"queue": set(), "data": set()}
    _, *setups = trace.split("pci_nvme_mmio_asqaddr ")
    for line in "".join("pci_nvme_mmio_asqaddr " + setup for setup in setups[1:]).splitlines():
        if "pci_nvme_map_addr " in line or "pci_nvme_map_prp " in line:
            found["data"] |= {int(address, 16) for address in re.findall(r"(?:addr|prp1|prp2) 0x([0-9a-f]+)", line)}
        elif match := re.search(r"pci_nvme_(?:create_.q|mmio_a.qaddr) .*?(?:addr|address)=0x([0-9a-f]+)", line):
            found["queue"].add(int(match[1], 16))
    return {kind: sorted(values - {0}) for kind, values in found.items()}


def judge(machine, serial, used, sums):
    """What is wrong, one sentence each."""
    wrong = []
    if "lab: end" not in serial:
        return ["the machine did not get to the end"]
    wrong += [f"the kernel does not say \"{text}\"" for text in machine.says if text not in serial]
    if "not ok" in serial:
        wrong.append("a KUnit test fails")
    lines = [line for line in serial.splitlines() if line.startswith("iomem: ")]
    if machine.listed:
        start, end = machine.pool or POOL
        entry = f"iomem:   {start:08x}-{end - 1:08x} : {machine.listed}"
        if entry not in lines:
            wrong.append(f"/proc/iomem does not have \"{entry}\"")
    elif any("Software IO TLB " in line for line in lines):
        wrong.append("/proc/iomem lists a pool of a device")
    for name, expected in (("nvme0n1", sums["n"]), ("vda", sums["v"]), ("again", sums["n again"])):
        if f"lab: sum {name} {expected}" not in serial:
            wrong.append(f"what was read ({name}) is not what the disk has")
    for kind, values in used.items():
        if not values:
            wrong.append(f"the trace has no address of the NVMe disk ({kind})")
        inside = [value for value in values if machine.pool and machine.pool[0] <= value < machine.pool[1]]
        if machine.pool and len(inside) != len(values):
            wrong.append(f"{len(values) - len(inside)} of {len(values)} addresses ({kind}) are outside of the pool")
    if machine.pool:
        bound, unbound = (re.findall(rf"lab: used {when} (\d+)", serial) for when in ("bound", "unbound"))
        if not any(int(number) for number in bound):
            wrong.append("no slab of the pool is in use while the driver is bound")
        if not unbound or any(int(number) for number in unbound):
            wrong.append("slabs of the pool are in use while no driver is bound")
    return wrong


def run(name, machine, directory, kernel, initrd):
    directory.mkdir(parents=True, exist_ok=True)
    sums = {}
    for disk in "nv":
        content = random.Random(name + disk).randbytes(DISK_BYTES)
        (directory / disk).write_bytes(content)
        sums[disk] = hashlib.md5(content).hexdigest()
        sums[f"{disk} again"] = hashlib.md5(bytes(1 << 20) + content[1 << 20:]).hexdigest()
    for file in ("serial.log", "trace"):
        (directory / file).unlink(missing_ok=True)
    try:
        done = subprocess.run(command(machine, directory, kernel, initrd), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS)
        problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired:
        problem = [f"not done after {SECONDS} s"]
    serial = (directory / "serial.log").read_text(errors="replace").replace("\r", "") if (directory / "serial.log").exists() else ""
    used = addresses((directory / "trace").read_text()) if (directory / "trace").exists() else {"queue": [], "data": []}
    for disk in "nv":
        (directory / disk).unlink()
    return problem + judge(machine, serial, used, sums), used


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=Path, help="another bzImage")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "build/vm-device-pools")
    parser.add_argument("machine", nargs="*", help=f"which ones (default: {' '.join(MACHINES)})")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.machine if name not in MACHINES]:
        parser.error(f"no machine {unknown[0]}")
    import fetch
    store = fetch.Store()
    kernel = arguments.kernel or store.get("kernel-patched-newest")[0] / "vmlinuz"
    arguments.out.mkdir(parents=True, exist_ok=True)
    initrd = arguments.out / "initrd"
    initrd.write_bytes(initial_image(store.get("busybox")[0] / "busybox"))
    failed = 0
    for name in arguments.machine or MACHINES:
        wrong, used = run(name, MACHINES[name], arguments.out / name, kernel, initrd)
        failed += bool(wrong)
        where = "all in its pool" if MACHINES[name].pool else "no pool of its own"
        print(f"{'FAIL' if wrong else 'pass'}  {name:10} {len(used['queue'])} queues, {len(used['data'])} addresses of data, {where}", flush=True)
        for sentence in wrong:
            print(f"      {sentence}")
    print(f"{len(arguments.machine or MACHINES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
