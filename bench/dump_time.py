#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a dump takes with the handoff, beside plain kdump in the same machine.

    bench/dump_time.py [--kernels 6.1,6.12] [--ways plain,handoff] [--repeat 3] [--resume]     # boots; one machine at a time, plain and handoff in turn
    bench/dump_time.py --report docs/memory-saved.md                    # boots nothing: puts what was measured into its section

Every machine is the same: 1 GiB, all DMA bounced, a pool of 64 MiB, a reservation of 256 MiB, in which plain kdump has a whole pool of its
own. The time is that of makedumpfile -l -d 31 in the machine's own clock. Each boot is a line of OUT/results.jsonl.
"""

import argparse
import shutil
import signal
import statistics
import sys

import crashkernel_min as smallest  # has its imports from tests/vm

import fetch
import report
import run
from cells import Cell

KERNELS = smallest.KERNELS
# name -> (title, loader, mode)
WAYS = {"plain": ("plain", "kexec_load", "plain"), "handoff": ("handoff, kexec_load", "kexec_load", "handoff"),
        "file": ("handoff, kexec_file_load", "kexec_file_load", "handoff")}
LIMIT = 1.1  # of plain's time, with kexec_load
TITLE = "How long the dump takes"

ABOUT = f"""\
Made by `bench/dump_time.py`: the same machine, reservation (256 MiB) and dump in each row. The time is that of `makedumpfile -l -d 31` in the
machine's own clock, each boot in turn. With kexec_load the pool's pages are not in the ELF headers, and the dump is to take at most {LIMIT} of
plain's time. With kexec_file_load the kernel makes the headers, which have them: that is what it costs. Other work on the host lengthens single
boots; the rows of a kernel took turns, so that it fell on each of them.
"""


def cell_of(kernel, way):
    _, loader, mode = WAYS[way]
    # With -d, kexec-tools 2.0.32 asks kexec_file_load for messages by a flag that Linux before 6.8 refuses.
    return Cell(name=f"time-{kernel}-{way}", kernel=kernel, cpus=1, memory="1G", words="swiotlb=force crashkernel=256M", loader=loader,
                by="wrapper" if mode == "handoff" else "kexec", kexec="2.0.25" if kernel in ("5.10", "6.1") else "newest",
                crash_words="swiotlb=force lab.packaged", mode=mode, expect="ready" if mode == "handoff" else "", boots=1)


def rows(done, key, kernels):
    """A row for each kernel and way that has boots."""
    found = []
    for kernel in kernels:
        base = None
        for way in WAYS:
            boots = [one for one in done.get((f"time-{kernel}-{way}", key(cell_of(kernel, way))), []) if one["status"] == "pass"]
            seconds = [one["facts"]["dump_seconds"] for one in boots]
            if not seconds:
                continue
            middle = statistics.median(seconds)
            base = middle if way == "plain" else base
            found.append({"kernel": boots[0]["versions"]["kernel"], "series": kernel, "way": way, "seconds": sorted(seconds), "median": middle,
                          "ratio": middle / base if base else None, "mib": statistics.median(one["facts"]["dump_bytes"] for one in boots) / (1 << 20),
                          "in_headers": statistics.median((one["facts"]["pool_in_headers"] or 0) for one in boots) / (1 << 20)})
    return found


def markdown(found):
    """The lines of the section."""
    slow = [f"{one['kernel']} ({one['ratio']:.2f})" for one in found if one["way"] == "handoff" and one["ratio"] and one["ratio"] > LIMIT]
    lines = [f"- {sum(len(one['seconds']) for one in found)} boots; with kexec_load "
             + (f"the dump takes longer than {LIMIT} of plain's time on {', '.join(slow)}" if slow else f"no dump takes longer than {LIMIT} of plain's time"),
             f"- QEMU {smallest.program_version('qemu-system-x86_64', '--version')}, makedumpfile 1.7.2", "",
             "| kernel | | dump in, each boot | median | of plain's | dump | the pool in the headers |", "|---|---|---|--:|--:|--:|--:|"]
    for one in found:
        ratio = "" if one["way"] == "plain" or not one["ratio"] else f"{one['ratio']:.2f}"
        lines.append(f"| {one['kernel']} | {WAYS[one['way']][0]} | {', '.join(f'{value:.1f}' for value in one['seconds'])} s | {one['median']:.1f} s | {ratio} | "
                     f"{one['mib']:.0f} MiB | {'' if one['way'] == 'plain' else str(round(one['in_headers'])) + ' MiB'} |")
    return lines


def main():
    arguments, journal = smallest.read_arguments(__doc__, KERNELS, WAYS, "dump-time", "put the table into FILE")

    def key(cell):
        return run.Lab.key(argparse.Namespace(arguments=arguments), cell)

    if arguments.report:
        lines = markdown(rows(smallest.Boots(journal, key).done, key, arguments.kernels))
        document = arguments.report.read_text()
        if f"## {TITLE}\n" not in document:
            document = document.rstrip("\n") + f"\n\n## {TITLE}\n\n{ABOUT}\n"
        arguments.report.write_text(report.into(document, TITLE, lines))
        return
    if not arguments.resume:
        journal.unlink(missing_ok=True)
        shutil.rmtree(arguments.out / "cells", ignore_errors=True)
    store = fetch.Store(None)
    for kernel in arguments.kernels:
        if reason := run.unavailable(store, cell_of(kernel, "handoff")):
            sys.exit(f"dump_time: {reason}")
    images = run.Images(store, arguments.out / "images", arguments.tool)
    lab = run.Lab(arguments, store, images)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    done = smallest.Boots(journal, key).done
    try:
        for number in range(1, arguments.repeat + 1):
            for kernel in arguments.kernels:
                for way in arguments.ways:
                    cell = cell_of(kernel, way)
                    have = done.setdefault((cell.name, key(cell)), [])
                    if len(have) >= number:
                        continue
                    if (result := lab.run(cell, number)) is None:
                        raise KeyboardInterrupt
                    have.append(result)
                    print(f"{kernel:7} {way:8} {number}: {result['status']} {'; '.join(result['reasons'])} {result['facts']['dump_seconds']} s", flush=True)
    except KeyboardInterrupt:
        sys.exit("interrupted; --resume continues")
    finally:
        shutil.rmtree(images.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
