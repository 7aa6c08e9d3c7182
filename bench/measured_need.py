#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What recommend names before and after a crash that was watched, and what comes of crashes with that.

    bench/measured_need.py [--configurations 6.1-low,6.12-low] [--minutes 9]    # boots; one machine at a time; run it again to go on
    bench/measured_need.py --report docs/measured-need.md                       # boots nothing: what the boots so far say

For each configuration in turn: a crash with a large reservation, of which `verify --watch` keeps what it saw; `recommend` on a capture of that
machine without and with that record beside a dump; crashes with the reservation that it names then; crashes with 15 % less. Each boot is a
line of OUT/results.jsonl, which another run goes on from.
"""

import argparse
import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/vm"))
import fetch  # noqa: E402
import run  # noqa: E402
import vm  # noqa: E402
from cells import Cell  # noqa: E402

BOOTS = {"measured": 1, "recommended": 3, "less": 3}
LESS = 0.85


@dataclasses.dataclass(frozen=True)
class Configuration:
    name: str
    kernel: str
    handed: bool = True  # the machine bounces all DMA, and the pool is handed over; else the crash kernel makes none
    high: bool = False
    initrd: str = "small"
    cpus: int = 1
    words: str = "crashkernel=256M"


def configurations():
    for kernel in ("6.1", "6.12"):
        yield Configuration(f"{kernel}-low", kernel)
        yield Configuration(f"{kernel}-low-without", kernel, handed=False)
        yield Configuration(f"{kernel}-low-60M", kernel, initrd="60M")
        yield Configuration(f"{kernel}-low-squash", kernel, initrd="squash")
        yield Configuration(f"{kernel}-low-8-cpus", kernel, cpus=8)
        yield Configuration(f"{kernel}-high", kernel, high=True, words="crashkernel=256M,high crashkernel=72M,low")


# The order in which machine time is best spent.
CONFIGURATIONS = {one.name: one for one in sorted(configurations(), key=lambda one: (
    ("low", "low-without", "low-60M", "low-squash", "low-8-cpus", "high").index(one.name.split("-", 1)[1]), one.kernel == "6.12"))}


def cell_of(configuration, step, words):
    force = "swiotlb=force" if configuration.handed else ""
    return Cell(name=f"{configuration.name}-{step}", kernel=configuration.kernel, cpus=max(2, configuration.cpus), memory="3G" if configuration.high else "1G",
                words=f"{force} {words}".strip(), by="wrapper", loader="kexec_load", initrd=configuration.initrd, crash_cpus=configuration.cpus,
                crash_words=f"{force} lab.packaged lab.measure".strip(), mode="handoff", expect="either", dump="any", boots=1)


def works(configuration, result):
    facts = result["facts"]
    return facts["dump"] == "ok" and (not configuration.handed or facts["verdict"] == "ready" and facts["observed"] == facts["pool"] == facts["predicted"])


def smaller(words):
    """With 15 % less in what comes first: an even number of MiB."""
    return re.sub(r"=(\d+)M", lambda size: f"={int(int(size[1]) * LESS) // 2 * 2}M", words, count=1)


class Boots:
    def __init__(self, journal, lab=None):
        self.journal, self.lab, self.done = journal, lab, {}
        for line in journal.read_text().splitlines() if journal.exists() else []:
            result = json.loads(line)
            if result["status"] != "lost":
                self.done.setdefault(result["cell"], []).append(result)

    def tries(self, configuration, step, words):
        """The boots of a step, as many as there are to be; None as soon as there is no time for more."""
        cell = cell_of(configuration, step, words)
        have = self.done.setdefault(cell.name, [])
        while self.lab and len(have) < BOOTS[step]:
            if time.monotonic() > self.lab.until:
                return None
            result = self.lab.run(cell, len(have) + 1)
            if result is None:
                raise KeyboardInterrupt
            if result["status"] == "lost":
                return None
            have.append(result)
            print(f"{cell.name} {words}: {'works' if works(configuration, result) else 'no: ' + '; '.join(result['reasons'])[:150]}  {result['seconds']:.0f} s", flush=True)
        return have


def recommended(arguments, store, images, configuration, directory, record):
    """What recommend says of the captured machine: its JSON. `record`: with what was seen beside a dump."""
    said = vm.kept(directory)
    with tempfile.TemporaryDirectory() as root:
        with tarfile.open(fileobj=io.BytesIO(said["first"]["capture.tar"].encode(errors="surrogateescape"))) as tar:
            tar.extractall(root)
        if record:
            beside = Path(root) / "var/crash/202611270000"
            beside.mkdir(parents=True)
            (beside / "swiotlb-handoff-memory.json").write_text(said["crash"]["memory"])
            (beside / "swiotlb-handoff.json").write_text(said["first"]["record"])
        initrd = Path(root) / "crash.img"
        initrd.write_bytes(images.crash(cell_of(configuration, "measured", configuration.words)))
        line = json.loads(said["first"]["record"])
        base = line["command_line"].removesuffix(line["append"]).strip()
        done = subprocess.run([arguments.tool, "recommend", "--json", "--root", root, "--kernel", store.get(f"kernel-{configuration.kernel}")[0] / "vmlinuz", "--initrd", initrd,
                               "--loader", "kexec_load", "--command-line", base], capture_output=True, text=True, check=False)
        return json.loads(done.stdout)


def words_of(configuration, document):
    """What it names for this kind of reservation, and for machines that bounce only where the handoff is ready."""
    for one in document["candidates"]:
        if (",high" in one["crashkernel"]) == configuration.high and one["verdict"] != "refused":
            return one["crashkernel"]
    return None


def measure(arguments, boots, store, images, configuration):
    """One configuration up to where the time goes. What recommend said is kept beside the boots."""
    measured = boots.tries(configuration, "measured", configuration.words)
    if not measured:
        return
    kept = arguments.out / f"{configuration.name}.json"
    if not kept.exists():
        directory = arguments.out / "cells" / f"{configuration.name}-measured" / "1"
        before, after = (recommended(arguments, store, images, configuration, directory, record) for record in (False, True))
        kept.write_text(json.dumps({"before": before, "after": after, "memory": json.loads(vm.kept(directory)["crash"]["memory"])}))
    documents = json.loads(kept.read_text())
    words = words_of(configuration, documents["after"])
    print(f"{configuration.name}: {words_of(configuration, documents['before'])}, after the crash {words}", flush=True)
    if words and boots.tries(configuration, "recommended", words) is not None:
        boots.tries(configuration, "less", smaller(words))


HEAD = """\
# What a crash measured, and crashes with that

This page is made by `bench/measured_need.py` from real crashes in emulated machines (QEMU q35, 1 GiB, 3 GiB for `,high`). Each machine crashed once
with the reservation in the first column of sizes, while `verify --watch` looked at the memory of its crash kernel. *Before* and *after* are what
`recommend` names for the same machine without and with that record. Then it crashed with what was named after, and with 15 % less. The initial
RAM disk is small and has the driver of one disk; with *60M* it is padded with zeros, which the kernel skips when it unpacks; with *squash* nearly
all of it is in one packed file (squashfs), which is mounted with an overlay above it, as dracut's module 99squash does. *Handed* machines
bounce all DMA; the others bounce none, and their crash kernels make no pool. The terms are in the [glossary](glossary.md).

`recommend` keeps room for a load without the handoff, with a pool of 32 MiB, wherever one may be needed. So for the handed machines the crash kernel
has 32 MiB more than what was measured and its margin, and 15 % less need not be too little for it.

| configuration | measured with | lowest available | taken | before | after | dumps with that | dumps with 15 % less |
|---|---|--:|--:|---|---|--:|--:|
"""


def count(configuration, results):
    return f"{sum(works(configuration, one) for one in results)} of {len(results)}" if results else "not run"


def write_report(arguments, boots):
    lines, missing = [], []
    for configuration in CONFIGURATIONS.values():
        kept = arguments.out / f"{configuration.name}.json"
        if not kept.exists():
            missing.append(configuration.name)
            continue
        documents = json.loads(kept.read_text())
        memory = documents["memory"]
        taken = next((one["size_bytes"] >> 20 for one in documents["after"]["need"]["lines"] if one["name"] == "measured"), None)
        before, after = (words_of(configuration, documents[when]) for when in ("before", "after"))
        kind = f"{configuration.kernel}, {'handed' if configuration.handed else 'not handed'}, {configuration.initrd} initrd, {configuration.cpus} CPU{'s' if configuration.cpus > 1 else ''}"
        less = boots.done.get(f"{configuration.name}-less", [])
        lines.append(f"| {kind} | `{configuration.words}` | {memory['lowest_available_bytes'] >> 20} of {memory['total_bytes'] >> 20} MiB | "
                     f"{taken if taken is not None else 'not used: ' + str([one['why'] for one in documents['after']['crash_records']])} MiB | `{before}` | `{after}` | "
                     f"{count(configuration, boots.done.get(f'{configuration.name}-recommended', []))} | "
                     f"{'`' + smaller(after) + '`: ' if after and less else ''}{count(configuration, less)} |")
    text = HEAD + "\n".join(lines) + "\n"
    named, less = ([(one, result) for one in CONFIGURATIONS.values() for result in boots.done.get(f"{one.name}-{step}", [])] for step in ("recommended", "less"))
    text += (f"\nIn all, {sum(works(*one) for one in named)} of {len(named)} crashes wrote a dump with what `recommend` named after the crash, "
             f"and {sum(works(*one) for one in less)} of {len(less)} with 15 % less.\n")
    if missing:
        text += "\nNot run: " + ", ".join(missing) + ".\n"
    arguments.report.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=lambda text: text.split(","), default=list(CONFIGURATIONS), metavar="A,B", help=" ".join(CONFIGURATIONS))
    parser.add_argument("--minutes", type=float, default=60, help="begin no boot after so long")
    parser.add_argument("--tool", type=Path, default=run.find_tool())
    parser.add_argument("--out", type=Path, default=ROOT / "build/measured-need")
    parser.add_argument("--report", type=Path, metavar="FILE", help="boot nothing, write the table to FILE")
    arguments = parser.parse_args()
    if unknown := [one for one in arguments.configurations if one not in CONFIGURATIONS]:
        parser.error(f"no {unknown[0]}, only {' '.join(CONFIGURATIONS)}")
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = arguments.out / "results.jsonl"
    if arguments.report:
        return write_report(arguments, Boots(journal))
    if arguments.tool is None or not os.access(arguments.tool, os.X_OK):
        parser.error("no program in build/: build it, or name it with --tool")
    arguments.tool_sum = fetch.sha256(arguments.tool)[:12]
    store = fetch.Store(None)
    images = run.Images(store, arguments.out / "images", arguments.tool)
    lab = run.Lab(arguments, store, images)
    lab.until = time.monotonic() + 60 * arguments.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    boots = Boots(journal, lab)
    try:
        for name in arguments.configurations:
            if reason := run.unavailable(store, cell_of(CONFIGURATIONS[name], "measured", "crashkernel=256M")):
                print(f"{name}: {reason}", flush=True)
                continue
            measure(arguments, boots, store, images, CONFIGURATIONS[name])
            if time.monotonic() > lab.until:
                return None
    except KeyboardInterrupt:
        sys.exit("interrupted; another run goes on")
    finally:
        shutil.rmtree(images.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
