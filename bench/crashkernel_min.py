#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest crashkernel= with which a crash kernel still writes its dump, by bisection in virtual machines.

    bench/crashkernel_min.py --kernels 6.1,6.12 --ways plain,handoff [--resume]    # boots; one machine at a time
    bench/crashkernel_min.py --report docs/memory-saved.md                         # boots nothing: what the boots so far say

Machine, initial RAM disk and dump are the same for every way; the machine bounces all DMA (swiotlb=force) and its pool has 64
MiB. The ways:

    plain           as it is: a crash kernel that cannot have 64 MiB takes half, and half of that
    plain-full      the same boots; works only if the pool of the crash kernel is all of 64 MiB
    8192            the rival: swiotlb=8192,force, a pool of 16 MiB by hand
    cma             the rival where the kernel has it: plain, and crashkernel=256M,cma
    handoff         what the tool says; works if it says ready, the pool is the old one and the dump is written
    high            crashkernel=X,high with the low part that the kernel adds by itself, 256 MiB
    high-72         the rival: with crashkernel=72M,low
    high-8192       the rival: with crashkernel=32M,low, and swiotlb=8192,force in the crash kernel
    high-handoff    with crashkernel=32M,low: what 'swiotlb-handoff recommend' names where it does not know the devices
    high-handoff-0  with crashkernel=0,low
    idle            a machine that bounces nothing: its crash kernel makes no pool
    lend            the same, and the idle pool is lent to it; works if the pool is RAM there and the dump is written

At one size that is enough for all, a crash kernel of plain, 8192 and handoff is watched while it saves the dump and six other
devices are busy at the same time (lab.busy): how fast, and how often the kernel says "swiotlb buffer is full".

Sizes are even numbers of MiB. Boots differ (KASLR): the size that the bisection finds and the one below it are tried --repeat times,
and larger ones until one works each time. Each boot is a line of OUT/results.jsonl, which --resume starts from. What --report finds
there it keeps in bench/results/memory-saved.json, row by row, and of the rows that it does not find it shows what is kept.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/vm"))
import fetch  # noqa: E402
import run  # noqa: E402
from cells import Cell  # noqa: E402

KERNELS = ["5.10", "6.1", "6.12", "newest"]
RESULTS = ROOT / "bench/results/memory-saved.json"
POOL = 64 << 20
SMALLEST, LARGEST, STEP = 48, 320, 2  # MiB
BUSY_SIZE = 176  # MiB; nowhere enough for a pool of 64 MiB beside the rest
BUSY_WAYS = ("plain", "8192", "handoff")


@dataclasses.dataclass(frozen=True)
class Way:
    name: str
    title: str
    hint: int  # MiB: where the search begins
    words: str = "crashkernel={size}M"
    crash_words: str = "swiotlb=force"
    mode: str = "plain"
    machine: str = ""  # the way whose boots these are, if not its own
    kernels: tuple = tuple(KERNELS)
    pool: int = 1  # bytes; smaller ones do not count; 0: there has to be none
    first_words: str = "swiotlb=force "
    lend: str = ""


WAYS = {way.name: way for way in [
    Way("plain", "plain, as the kernel degrades it", 134),
    Way("plain-full", "plain, with the whole pool", 224, machine="plain", pool=POOL),
    Way("8192", "rival: `swiotlb=8192`", 116, crash_words="swiotlb=8192,force"),
    Way("cma", "rival: `crashkernel=256M,cma`", 110, words="crashkernel={size}M crashkernel=256M,cma", kernels=("newest",)),  # Linux 6.17
    Way("handoff", "**handoff**", 102, mode="handoff", pool=POOL),
    Way("high", "`,high`, low part of the kernel's choice", 96, words="crashkernel={size}M,high", pool=POOL),
    Way("high-72", "`,high`, rival: `72M,low`", 96, words="crashkernel={size}M,high crashkernel=72M,low", pool=POOL),
    Way("high-8192", "`,high`, rival: `swiotlb=8192` with `32M,low`", 80, words="crashkernel={size}M,high crashkernel=32M,low", crash_words="swiotlb=8192,force"),
    Way("high-handoff", "`,high`, **handoff**, `32M,low`", 96, words="crashkernel={size}M,high crashkernel=32M,low",
        mode="handoff", pool=POOL),
    Way("high-handoff-0", "`,high`, **handoff**, `0,low`", 96, words="crashkernel={size}M,high crashkernel=0,low", mode="handoff", pool=POOL),
    Way("idle", "no bouncing: no pool", 80, crash_words="", pool=0, first_words="", kernels=("6.12", "newest")),
    Way("lend", "**the idle pool lent**", 66, crash_words="", pool=0, first_words="", mode="handoff", lend="lend", kernels=("6.12", "newest")),
]}


def all_cells():
    return [(kernel, way) for kernel in KERNELS for way in WAYS.values() if kernel in way.kernels]


def cell_of(kernel, way, size, busy=False):
    # A small machine, since most of a boot is its dump; with memory above 4 GiB where the reservation is to lie there.
    return Cell(name=f"{'busy' if busy else 'min'}-{kernel}-{way.machine or way.name}-{size}", kernel=kernel, cpus=1,
                memory="3G" if way.name.startswith("high") or not way.pool else "1G",
                # Without a driver for it, the firmware leaves q35's SATA controller as a bus master, which forbids to lend.
                machine="q35" if way.pool else "q35,sata=off",
                words=way.first_words + way.words.format(size=size), lend=way.lend, by="wrapper" if way.mode == "handoff" else "kexec",
                loader="kexec_file_load" if kernel == "newest" else "kexec_load",
                kexec="newest" if kernel == "newest" else "2.0.25",
                crash_words=f"{way.crash_words} lab.packaged{' lab.busy' if busy else ''}".strip(), mode=way.mode, expect="either" if way.mode == "handoff" else "", dump="any", boots=1)


def works(way, result):
    facts = result["facts"]
    if facts["dump"] != "ok" or bool(facts["observed"]) != bool(way.pool):
        return False
    if not way.pool:
        return not way.lend or (facts["loan"] and result["status"] == "pass")
    if way.mode == "handoff" and not (facts["verdict"] == "ready" and facts["observed"] == facts["pool"] == facts["predicted"]):
        return False
    start, end = facts["observed"]
    return end - start >= way.pool


def smallest(good, hint):
    """The smallest size for which good(size) is true, if it is false below that and true from there on; None if there is none. Looks
    around the hint first, in growing strides."""
    low, high = SMALLEST - STEP, LARGEST + STEP  # taken for one that fails and one that works
    stride, size = 2 * STEP, hint
    while high - low > STEP:
        if good(size):
            high = size
            size = max(high - stride, low + STEP) if low < SMALLEST else (low + high) // (2 * STEP) * STEP
        else:
            low = size
            size = min(low + stride, high - STEP) if high > LARGEST else (low + high) // (2 * STEP) * STEP
        stride *= 2
    return high if high <= LARGEST else None


class Missing(Exception):
    """There is no boot of this size yet."""


class Boots:
    """All results so far; makes more with a lab, or raises Missing without one."""

    def __init__(self, journal, key, lab=None):
        self.lab, self.key, self.done = lab, key, {}
        self.began = time.monotonic()
        for line in journal.read_text().splitlines() if journal.exists() else []:
            result = json.loads(line)
            self.done.setdefault((result["cell"], result["key"]), []).append(result)

    def tries(self, kernel, way, size, count=1, busy=False):
        """The first `count` results of one size. A machine that was lost before its first kernel crashed says nothing."""
        cell = cell_of(kernel, way, size, busy)
        have = self.done.setdefault((cell.name, self.key(cell)), [])
        while len(good := [one for one in have if one["status"] != "lost"]) < count:
            if self.lab is None or len(have) - len(good) > 2:
                raise Missing(cell.name)
            result = self.lab.run(cell, len(have) + 1)
            if result is None:
                raise KeyboardInterrupt
            have.append(result)
            said = ("lost" if result["status"] == "lost" else "works" if works(way, result) else
                    "refused" if result["facts"]["verdict"] == "refused" else "no")
            print(f"[{(time.monotonic() - self.began) / 60:5.1f} min] {kernel:7} {way.name + (' busy' if busy else ''):14} {size:3} MiB  {said:8}"
                  f"{result['seconds']:5.0f} s", flush=True)
        return good[:count]

    def search(self, kernel, way, hint, repeat):
        """Boots until found() has an answer."""
        size = smallest(lambda size: works(way, self.tries(kernel, way, size)[0]), min(max(hint, SMALLEST), LARGEST))
        while size is not None and size <= LARGEST:
            self.tries(kernel, way, size - STEP, repeat)
            if all(works(way, one) for one in self.tries(kernel, way, size, repeat)):
                return
            size += STEP

    def found(self, kernel, way, repeat):
        """{"smallest": MiB, "boots": those at that size, "near": {MiB: (worked, tried)}, "refused": [MiB]}: the smallest size that
        worked each time while the one below did not, and the sizes that the tool refused. "smallest" is None if even the largest
        failed. Raises Missing."""
        tried = {}
        for size in range(SMALLEST - STEP, LARGEST + STEP, STEP):
            cell = cell_of(kernel, way, size)
            if results := [one for one in self.done.get((cell.name, self.key(cell)), []) if one["status"] != "lost"]:
                tried[size] = (sum(works(way, one) for one in results), len(results), results)
        refused = [size for size, (_, _, results) in tried.items() if any(one["facts"]["verdict"] == "refused" for one in results)]
        for size, (worked, count, results) in tried.items():
            below = tried.get(size - STEP, (0, 0))
            if worked == count >= repeat and below[1] >= repeat and below[0] < below[1]:
                near = {one: tried[one][:2] for one in tried if size - 3 * STEP <= one <= size and tried[one][1] >= repeat}
                return {"smallest": size, "boots": results, "near": near, "refused": refused}
        if tried.get(LARGEST, (1,))[0] == 0:
            return {"smallest": None, "boots": [], "near": {}, "refused": refused}
        raise Missing(f"{kernel} {way.name}")


def median(values):
    values = sorted(value for value in values if value is not None)
    return values[len(values) // 2] if values else None


def rate(facts):
    """MiB written in a second, or None."""
    return facts["dump_bytes"] / facts["dump_seconds"] / (1 << 20) if facts.get("dump_seconds") and facts.get("dump_bytes") else None


def pool_mib(facts):
    return median([(one["observed"][1] - one["observed"][0]) >> 20 if one["observed"] else 0 for one in facts])


def busy_row(kernel, way, boots):
    facts = [one["facts"] for one in boots]
    return {"kernel": kernel, "way": way.name, "boots": len(boots), "worked": sum(works(way, one) for one in boots),
            "pool_mib": pool_mib(facts),
            "slabs_used_at_most": max((one["slabs_used_at_most"] or 0 for one in facts), default=0),
            "pool_full": sorted(one["pool_full"] for one in facts if one.get("pool_full") is not None),
            "dump_mib": median([(one.get("dump_bytes") or 0) >> 20 or None for one in facts]), "mib_per_s": median([rate(one) for one in facts])}


def row(kernel, way, found):
    boots = found["boots"]
    facts = [one["facts"] for one in boots]
    return {"kernel": kernel, "way": way.name, "smallest_mib": found["smallest"],
            "near": {str(size): list(counts) for size, counts in sorted(found["near"].items())},
            "reserved_mib": median([sum(end - start for start, end in one["crashkernel"]) >> 20 for one in facts]),
            "pool_mib": pool_mib(facts),
            "free_mib": median([one["free_kib"] and one["free_kib"] >> 10 for one in facts]),
            "dump_s": median([one.get("dump_seconds") for one in facts]), "refused": found["refused"]}


HEAD = """\
# The smallest reservation that still writes a dump

This page is made by `bench/crashkernel_min.py` from real crashes in emulated machines: QEMU q35, 1 CPU, 1 GiB (3 GiB for `,high` and for loans). With
`swiotlb=force` (not for loans) all DMA bounces, and the running kernel's pool has 64 MiB. The terms are in the [glossary](glossary.md).

For each kernel, the machine, the initial RAM disk and the dump are the same in every row. Only the reservation differs, in steps of 2 MiB. The table
gives the smallest size that worked in each of its boots. The last column says how often that size and the sizes below it worked. KASLR makes boots
differ, so a difference of 2 MiB means nothing where a size was booted only once. The initial RAM disk is small and has the driver of one disk. A real
machine needs more, in every row: **the differences count.**

*Lost* is the memory that the running system does not have: all of the reservation. *Free* is MemFree when the crash kernel's first program starts, at
the smallest size. *Dump in* is how long `makedumpfile -l -d 31` takes, in the machine's own time. The machine is emulated and shared its processors
with other work, so use this column only to compare rows.

With kexec_load (5.10, 6.1, 6.12) `swiotlb-handoff kexec` leaves the pool's pages out of the ELF headers; crash, drgn and gdb read such a dump
([reading-dumps.md](reading-dumps.md)). With kexec_file_load (7.2) the kernel makes the
headers, so the pool's pages are in the dump. They have what was bounced last, which is pieces of the dump. So the dump is larger, by at most the size
of the pool, and takes longer: "How long the dump takes", below, compares the two. The kernel puts all of its System RAM into the headers except the
first MiB and the reservation (arch/x86/kernel/crash.c, elf_header_exclude_ranges()), nothing in user space can take the pool out of that, and makedumpfile
has no option that skips a range. What is left is headers of our own inside the initrd, named by a second `elfcorehdr=`. That is not done: the
initrd would have to be changed at each load, and the kernel could not keep these headers right when memory comes and goes.

Each initial RAM disk has the `verify` and the hook of the package, and each crash kernel runs the hook before its dump, as a packaged one does
(docs/cost.md, "In the crash kernel").
"""

BUSY_TITLE = "While other devices are busy"
BUSY_HEAD = f"## {BUSY_TITLE}\n" + """
Here the reservation has {size} MiB in every row. The crash kernel loads the drivers of three more disks (virtio, virtio, NVMe), an AHCI disk and two
network cards (e1000, virtio-net). It keeps 32 requests of 128 KiB in flight on each disk, and saves the dump meanwhile. *Full* is how often the kernel
said "swiotlb buffer is full" in each boot, with the messages that it only counted. There were more such events, since NVMe asks it to say nothing.
*Dump* is the size of the dump, and *written* how fast it was written. The machines shared two processors with other work, more of it in some rows
than in others, and a pool that is full makes requests wait until they time out. So the speeds say less than how often the pool was full.
"""


def listed(near):
    return ", ".join(f"{size}: {worked} of {tried}" for size, (worked, tried) in near.items())


def known(value, form):
    """The value in its form, "" where nobody knows it."""
    return form.format(value) if value else ""


def busy_markdown(rows):
    lines = [BUSY_HEAD.format(size=BUSY_SIZE), "| kernel | | pool | slabs in use at most | full | dump | written | dumps |", "|---|---|--:|--:|--:|--:|--:|--:|"]
    for one in rows:
        lines.append(f"| {one['kernel']} | {WAYS[one['way']].title} | {one['pool_mib']} MiB | {known(one['slabs_used_at_most'], '{}')} | "
                     f"{', '.join(map(str, one['pool_full']))} | {known(one['dump_mib'], '{} MiB')} | {known(one['mib_per_s'], '{:.1f} MiB/s')} | {one['worked']} of {one['boots']} |")
    return [*lines, ""]


def markdown(rows, versions, missing, busy=()):
    lines = [HEAD, *[f"- {name} {version}" for name, version in sorted(versions.items())], ""]
    for kernel in KERNELS:
        mine = {one["way"]: one for one in rows if one["kernel"] == kernel}
        if not mine:
            continue
        linux = versions.get(f"Linux {kernel}", kernel)
        lines += [f"## Linux {linux}", ""]
        for ours, names in (("handoff", ("plain", "plain-full", "8192", "cma", "handoff")), ("high-handoff", [n for n in WAYS if n.startswith("high")]),
                            ("lend", ("idle", "lend"))):
            table = {name: mine[name] for name in WAYS if name in mine and name in names}
            if not table:
                continue
            best = table.get(ours, {}).get("reserved_mib")
            lines += [f"| | smallest `X` | lost | more than with {'the loan' if ours == 'lend' else 'handoff'} | pool | free | dump in | boots that worked |", "|---|--:|--:|--:|--:|--:|--:|---|"]
            for name, one in table.items():
                with_what = "" if one.get("linux", linux) == linux else f"; Linux {one['linux']}"
                if one["smallest_mib"] is None:
                    lines.append(f"| {WAYS[name].title} | none up to {LARGEST} MiB | | | | | |{with_what} |")
                    continue
                more = "" if best is None or "handoff" in name or name == "lend" else f"{one['reserved_mib'] - best} MiB"
                lines.append(f"| {WAYS[name].title} | {one['smallest_mib']} MiB | {one['reserved_mib']} MiB | {more} | {one['pool_mib']} MiB | "
                             f"{one['free_mib']} MiB | {known(one['dump_s'], '{:.1f} s')} | {listed(one['near'])}{with_what} |")
            lines.append("")
            if "cma" in table:
                lines += ["`crashkernel=,cma` (6.17 and later) needs the least. The running system can use its 256 MiB for user pages, and after a crash the crash",
                          "kernel has them. The dump then lacks these pages. For DMA that is in flight into them the kernel waits 10 s and no longer (Linux,",
                          "Documentation/admin-guide/kernel-parameters.txt and kernel/crash_core.c).", ""]
            for name, one in table.items():
                if one["refused"]:
                    lines += [f"{WAYS[name].title}: the tool refused {', '.join(map(str, one['refused']))} MiB and said *ready* to all larger ones that were tried.", ""]
    if busy:
        lines += busy_markdown(busy)
    if missing:
        lines += ["## Not measured", "", *(f"- {kernel}: {'; '.join(names)}" for kernel, names in missing.items()), ""]
    return "\n".join(lines)


def section(page, title):
    """What stands under this heading, with the heading; "" where there is none."""
    found = re.search(rf"(?ms)^## {re.escape(title)}.*?(?=^## |\Z)", page)
    return found[0] if found else ""


def together(kept, rows):
    """The rows that are kept, with those that are measured anew in their places: one for each kernel and way, in their order."""
    latest = {(one["kernel"], one["way"]): one for one in [*kept, *rows]}
    order = list(WAYS)
    return [latest[cell] for cell in sorted(latest, key=lambda cell: (KERNELS.index(cell[0]), order.index(cell[1])))]


def versions_of(results):
    found = {}
    for (name, _), boots in results.items():
        for boot in boots:
            kernel = name.split("-")[1]
            found[f"Linux {kernel}"] = boot["versions"]["kernel"]
            found[f"kexec-tools ({kernel})"] = boot["versions"]["kexec-tools"]
            found["makedumpfile"] = boot["versions"]["makedumpfile"]
    return found


def program_version(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0].removeprefix("QEMU emulator version ").removeprefix("swiotlb-handoff ")


def read_arguments(description, kernels, ways, out, report, more=lambda parser: None):
    """The options of a bench that boots each kernel in each way, with the directory of its results made, and the file that has a line
    for each boot. `report`: what --report does with its file; `more` adds options."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=lambda text: text.split(","), default=kernels, metavar="A,B", help=" ".join(kernels))
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(ways), metavar="A,B", help=" ".join(ways))
    parser.add_argument("--repeat", type=int, default=3, metavar="N")
    parser.add_argument("--tool", type=Path, default=run.find_tool())
    parser.add_argument("--out", type=Path, default=ROOT / "build" / out)
    parser.add_argument("--resume", action="store_true", help="keep the boots that are there")
    parser.add_argument("--report", type=Path, metavar="FILE", help=f"boot nothing, {report}")
    more(parser)
    arguments = parser.parse_args()
    for given, known in ((arguments.kernels, kernels), (arguments.ways, ways)):
        if unknown := [one for one in given if one not in known]:
            parser.error(f"no {unknown[0]}, only {' '.join(known)}")
    if arguments.tool is None or not os.access(arguments.tool, os.X_OK):
        parser.error("no program in build/: build it, or name it with --tool")
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.tool_sum = fetch.sha256(arguments.tool)[:12]
    return arguments, arguments.out / "results.jsonl"


def main():
    arguments, journal = read_arguments(__doc__, KERNELS, WAYS, "crashkernel-min", "write the tables to FILE",
                                        lambda parser: (parser.add_argument("--hint", type=int, metavar="MIB", help="begin each search here"),
                                                        parser.add_argument("--busy", action="store_true", help="no search, only while other devices are busy")))
    asked = [(kernel, way) for kernel, way in all_cells() if kernel in arguments.kernels and way.name in arguments.ways]

    def key(cell):
        return run.Lab.key(argparse.Namespace(arguments=arguments), cell)

    if arguments.report:
        return write_report(arguments, Boots(journal, key))
    if not arguments.resume:
        journal.unlink(missing_ok=True)
        shutil.rmtree(arguments.out / "cells", ignore_errors=True)
    store = fetch.Store(None)
    for kernel, way in asked:
        if reason := run.unavailable(store, cell_of(kernel, way, LARGEST)):
            sys.exit(f"crashkernel_min: {reason}")
    images = run.Images(store, arguments.out / "images", arguments.tool)
    lab = run.Lab(arguments, store, images)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    boots = Boots(journal, key, lab)
    hints = {way.name: arguments.hint or way.hint for way in WAYS.values()}
    try:
        # By kernel, the handoff first: the others differ from it much the same for each kernel.
        for number, (kernel, way) in enumerate([] if arguments.busy else sorted(asked, key=lambda one: (arguments.kernels.index(one[0]), one[1].name != "handoff")), 1):
            print(f"{number} of {len(asked)}: {kernel} {way.name}, from {hints[way.name]} MiB", flush=True)
            try:
                boots.search(kernel, way, hints[way.name], arguments.repeat)
                found = boots.found(kernel, way, arguments.repeat)
            except Missing as lost:
                print(f"{lost}: its machine was lost three times; going on with the next", flush=True)
                continue
            print(f"  -> {found['smallest']} MiB; {listed(found['near'])}", flush=True)
            shift = (found["smallest"] or hints[way.name]) - hints[way.name]
            for name in WAYS if way.name == "handoff" else [way.name]:
                hints[name] += shift
        for kernel, way in asked:
            if way.name in BUSY_WAYS:
                boots.tries(kernel, way, BUSY_SIZE, arguments.repeat, busy=True)
    except KeyboardInterrupt:
        sys.exit("interrupted; --resume continues")
    finally:
        shutil.rmtree(images.directory, ignore_errors=True)


def write_report(arguments, boots):
    """The tables of what the boots so far say, and of what RESULTS keeps of earlier ones; RESULTS has both then."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"versions": {}, "rows": [], "busy": []}
    versions = kept["versions"] | versions_of(boots.done) | {"QEMU": program_version("qemu-system-x86_64", "--version"),
                                                             "swiotlb-handoff": program_version(arguments.tool, "--version")}
    rows, busy = [], []
    for kernel, way in all_cells():
        if way.name in BUSY_WAYS:
            with contextlib.suppress(Missing):
                busy.append(busy_row(kernel, way, boots.tries(kernel, way, BUSY_SIZE, arguments.repeat, busy=True)))
        with contextlib.suppress(Missing):
            rows.append(row(kernel, way, boots.found(kernel, way, arguments.repeat)) | {"linux": versions[f"Linux {kernel}"]})
    rows, busy = together(kept["rows"], rows), together(kept["busy"], busy)
    missing = {}
    for kernel, way in all_cells():
        for title, have in ((way.title, rows), (f"{BUSY_TITLE.lower()}: {way.title}", busy if way.name in BUSY_WAYS else None)):
            if have is not None and not any((one["kernel"], one["way"]) == (kernel, way.name) for one in have):
                missing.setdefault(kernel, []).append(title)
    RESULTS.write_text(json.dumps({"schema": 1, "versions": versions, "rows": rows, "busy": busy}, indent=1) + "\n")
    duration = section(arguments.report.read_text() if arguments.report.exists() else "", "How long the dump takes")  # by bench/dump_time.py
    arguments.report.write_text(markdown(rows, versions, missing, busy) + (f"\n{duration}" if duration else ""))


if __name__ == "__main__":
    main()
