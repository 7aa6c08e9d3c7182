#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs: measures, compares with the last recorded run, and records.

    bench/cost.py [SECTION...] [--record]
    bench/cost.py --report docs/cost.md      # measures nothing: what was recorded last

    sizes     of the installed tool
    parser    /proc/iomem from 20 to a million lines, beside kexec-tools' sscanf loop, and plans (Google Benchmark)
    commands  whole commands on a captured machine (hyperfine), and their peak memory
    audit     100,000 captured machines: peak memory at 1,000, 10,000 and 100,000, throughput on one core and two
    archives  sosreports of 15 MB, beside a program that only lists them, and 100,000 machines in one archive
    vm        plan and cmdline beside kexec, in a virtual machine of the lab; by the first qemu-system-x86_64 in PATH
    verify    what verify needs in the crash kernel of each Linux, and that dumps are written whatever becomes of it, in
              machines of the lab with the smallest reservations of docs/memory-saved.md

What is recorded is bench/results/SECTION.json, with what it was measured on. Times depend on the machine and on what else it does:
compare runs of one machine. No test asserts on any of it. Needs the release build (cmake --preset release, and build it),
hyperfine and time(1).
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MACHINES = ROOT / "fixtures/machines"
RESULTS = ROOT / "bench/results"


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True, **more).stdout


def peak_kib(words, **more):
    """(peak resident set in KiB, seconds, seconds of processors) of one command. By time(1): what wait4() tells of a child of this
    program is at least the size of this program, which the child had before it became another."""
    with tempfile.NamedTemporaryFile("r") as said:
        subprocess.run(["/usr/bin/time", "-q", "-o", said.name, "-f", "%M %e %U %S", *map(str, words)], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False, **more)
        kib, seconds, user, system = said.read().split()
    return int(kib), float(seconds), float(user) + float(system)


def sizes(build):
    values = {}
    with tempfile.TemporaryDirectory() as name:
        stripped = Path(name) / "tool"
        run("strip", "-o", stripped, build / "tool/swiotlb-handoff")
        values["tool_kib"] = stripped.stat().st_size >> 10
        values["tool_gzip_kib"] = len(subprocess.run(["gzip", "-9c", stripped], capture_output=True, check=True).stdout) >> 10
    return values


def parser(build):
    report = json.loads(run(build / "bench/plan_bench", "--benchmark_format=json", "--benchmark_repetitions=5",
                            "--benchmark_report_aggregates_only=true"))
    times = {one["run_name"]: round(one["cpu_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[one["time_unit"]], 2)
             for one in report["benchmarks"] if one["aggregate_name"] == "median"}
    values = {f"{name}_us": time for name, time in times.items()}
    for lines in (20, 1000, 30000, 1000000):
        values[f"times_faster/{lines}"] = round(times[f"iomem_sscanf/{lines}"] / times[f"iomem_parse/{lines}"], 1)
    return values


def commands(build):
    tool = build / "tool/swiotlb-handoff"
    machine = ["--root", MACHINES / "dell-r6515-high"]
    asked = {"version": ["--version"], "show": ["show", *machine], "plan": ["plan", *machine, "--loader", "kexec_file_load"],
             "cmdline": ["cmdline", *machine, "--loader", "kexec_file_load"], "map": ["map", *machine, "--loader", "kexec_file_load"],
             "recommend": ["recommend", *machine, "--loader", "kexec_file_load"], "explain": ["explain", "pool-exact"]}
    values = {}
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        for name, words in asked.items():
            line = " ".join(str(word) for word in [tool, *words])
            run("hyperfine", "-N", "-i", "--warmup", "3", "--min-runs", "30", "--export-json", report.name, line)
            values[f"{name}_ms"] = round(json.loads(Path(report.name).read_text())["results"][0]["median"] * 1e3, 2)
            values[f"{name}_peak_kib"] = peak_kib([tool, *words])[0]
    return values


def audit(build):
    """The captures in turn, as a list of paths on standard input: so many directories would measure the file system."""
    tool = build / "tool/swiotlb-handoff"
    captured = [path for path in sorted(MACHINES.iterdir()) if (path / "proc").exists() or (path / "dmesg").exists()]
    values = {"different_captures": len(captured)}
    for jobs, counts in (("2", (1000, 10000, 100000)), ("1", (10000,))):
        for count in counts:
            with tempfile.TemporaryFile("w+") as paths:
                paths.writelines(f"{captured[i % len(captured)]}\n" for i in range(count))
                paths.seek(0)
                kib, seconds, used = peak_kib([tool, "audit", "--json", "--jobs", jobs, "-"], stdin=paths)
            print(f"  {count} captures, {jobs} jobs: {seconds:.1f} s", flush=True)
            values |= {f"{count}_jobs_{jobs}_peak_kib": kib, f"{count}_jobs_{jobs}_per_s": round(count / seconds),
                       f"{count}_jobs_{jobs}_per_cpu_s": round(count / used)}
    return values


def archives(build):
    """Reports of real size, made by fleet.py, against what only lists them; and a fleet in one archive, through a pipe."""
    tool, fleet = build / "tool/swiotlb-handoff", ROOT / "bench/fleet.py"
    values = {"xz": run("xz", "--version").splitlines()[0], "tar": run("tar", "--version").splitlines()[0],
              "libarchive": run("pkg-config", "--modversion", "libarchive").strip()}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as directory:
        run(fleet, "reports", "6", "15", directory)
        files = sorted(Path(directory).iterdir())
        values |= {"reports": len(files), "packed_mb": round(sum(f.stat().st_size for f in files) / 1e6), "members": len(run("tar", "-tf", files[0]).splitlines()),
                   "unpacked_mb": round(sum(int(run("sh", "-c", f"xz -dc {f} | wc -c")) for f in files) / 1e6)}
        lists = f"printf '%s\\n' {directory}/* | xargs -P {{}} -I@ sh -c 'xz -dc @ | tar -t >/dev/null'"
        for jobs in (1, 2):
            # In turn, so that other work on the machine slows down both.
            pairs = [(peak_kib(["sh", "-c", lists.format(jobs)])[1], *peak_kib([tool, "audit", "--json", "--jobs", str(jobs), directory])[:2]) for _ in range(5)]
            listing, kib, ours = (sorted(column)[len(pairs) // 2] for column in zip(*pairs))
            values |= {f"jobs_{jobs}_list_s": round(listing, 2), f"jobs_{jobs}_audit_s": round(ours, 2), f"jobs_{jobs}_peak_kib": kib,
                       f"jobs_{jobs}_ratio": round(sorted(a / c for a, _, c in pairs)[len(pairs) // 2], 2)}
    for count in (1000, 10000, 100000):
        with subprocess.Popen([fleet, "captures", str(count)], stdout=subprocess.PIPE) as made:
            kib, seconds, _ = peak_kib([tool, "audit", "--json", "/dev/stdin"], stdin=made.stdout)
        print(f"  {count} captures in an archive: {seconds:.1f} s", flush=True)
        values |= {f"fleet_{count}_peak_kib": kib, f"fleet_{count}_per_s": round(count / seconds)}
    return values


# A word for the machine: every process is at the same addresses.
STILL = " norandmaps"
# The most that a load with the handoff is to take of a plain one.
AIM = 1.3


def vm(build):
    sys.path.insert(0, str(ROOT / "tests/vm"))
    import fetch
    import run as lab_run
    from cells import Cell
    values = {"qemu": re.search(r"version ([0-9.]+)", run("qemu-system-x86_64", "--version"))[1]}
    out = ROOT / "build/cost-vm"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tool = build / "tool/swiotlb-handoff"
    arguments = argparse.Namespace(out=out, tool=tool, tool_sum=fetch.sha256(tool)[:12])
    store = fetch.Store(None)
    lab = lab_run.Lab(arguments, store, lab_run.Images(store, out / "images", tool))
    cell = Cell(name="cost", memory="2G", cpus=1, words="swiotlb=force crashkernel=256M", crash_words="swiotlb=force lab.cost")
    for kernel, loader in (("6.1", "kexec_load"), ("newest", "kexec_file_load")):
        for name, words in ((kernel, cell.words), (f"{kernel}{STILL}", f"{cell.words}{STILL}")):
            one = dataclasses.replace(cell, name=f"cost-{name.replace(' ', '-')}", words=words, kernel=kernel, loader=loader,
                                      kexec="newest" if kernel == "newest" else "2.0.25")
            result = lab.run(one, 1)
            said = out / "cells" / one.name / "1/first/cost"
            if not said.exists():
                sys.exit(f"cost: the machine {one.name} measured nothing: {result['reasons']}")
            seconds = {what: float(total) / int(runs) for what, runs, total in re.findall(r"^(\w+) (\d+) ([0-9.]+)$", said.read_text(), re.M)}
            if "status" in said.read_text():
                sys.exit(f"cost: a command failed in {one.name}:\n{said.read_text()}")
            values |= {f"{name}/{what}_s": round(each, 3) for what, each in seconds.items()}
            values[f"{name}/wrapper_by_kexec"] = round(seconds["wrapper"] / seconds["kexec"], 3)
            values[f"{name}/release"] = result["versions"]["kernel"]
    shutil.rmtree(out / "images", ignore_errors=True)
    return values


# The smallest crashkernel= of a handoff in docs/memory-saved.md, MiB. That of 7.3 was not looked for: 102, 7.2's, is
# too small.
SMALLEST = {"5.10": 92, "6.1": 104, "6.12": 86, "newest": 102, "7.3": 128}
FAULTS = ("works", "fails", "is-killed", "stops", "is-missing")


def verify(build):
    import crashkernel_min
    lab = crashkernel_min.run
    values = {}
    out = ROOT / "build/verify-vm"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tool = build / "tool/swiotlb-handoff"
    arguments = argparse.Namespace(out=out, tool=tool, tool_sum=crashkernel_min.fetch.sha256(tool)[:12])
    store = crashkernel_min.fetch.Store(None)
    machines = lab.Lab(arguments, store, lab.Images(store, out / "images", tool))
    for kernel, size in SMALLEST.items():
        cell = crashkernel_min.cell_of(kernel, crashkernel_min.WAYS["handoff"], size)
        cell = dataclasses.replace(cell, name=f"verify-{kernel}", crash_words=f"{cell.crash_words} lab.verify",
                                   **({"loader": "kexec_file_load", "kexec": "newest"} if kernel == "7.3" else {}))
        for number in (1, 2, 3):  # a machine that was too slow says nothing
            result = machines.run(cell, number)
            said = lab.vm.kept(out / "cells" / cell.name / str(number))["crash"]
            if "verify.process" in said:
                break
        else:
            sys.exit(f"cost: the machine {cell.name} measured nothing: {result['reasons']}")
        values |= {f"{kernel}/release": result["versions"]["kernel"], f"{kernel}/reservation_mib": size,
                   f"{kernel}/peak_kib": int(re.search(r"VmPeak:\s*(\d+) kB", said["verify.process"])[1]),
                   f"{kernel}/size_kib": -(-int(said["verify.size"]) // 1024), f"{kernel}/said": said["verify.report"].splitlines()[0],
                   f"{kernel}/dump": result["facts"]["dump"]}
        for fault in FAULTS:
            began, ended, *text = said[f"verify.{fault}"].split(" ", 2)
            values |= {f"{kernel}/{fault}_s": round(float(ended) - float(began), 1), f"{kernel}/{fault}_said": " ".join(text)}
        print(f"verify    {cell.name}: {values[f'{kernel}/peak_kib']} KiB, dump {values[f'{kernel}/dump']}", flush=True)
    shutil.rmtree(out / "images", ignore_errors=True)
    return values


SECTIONS = {one.__name__: one for one in (sizes, parser, commands, audit, archives, vm, verify)}


def measured_on():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else "unknown", "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
            "compiler": run("c++", "--version").splitlines()[0], "tool_at": run("git", "-C", ROOT, "describe", "--always", "--dirty").strip()}


def results_file(section, values):
    """Of each QEMU its own."""
    return RESULTS / (f"{section}-qemu-{values['qemu']}.json" if "qemu" in values else f"{section}.json")


def compare(section, values):
    """A line for each value, and what it was the last time."""
    file = results_file(section, values)
    last = json.loads(file.read_text())["values"] if file.exists() else {}
    for name, value in values.items():
        was = last.get(name)
        change = ""
        if was is not None and was != value:
            change = f"  was {was}" + (f" ({(value - was) / was:+.0%})" if isinstance(was, (int, float)) and was else "")
        print(f"{section:9} {name:32} {value:>12}{change}", flush=True)


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1), *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def seconds(value):
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"


def report_vm(*runs):
    parts = ("kexec", "wrapper", "plan", "cmdline", "version", "kallsyms", "btf")
    rows, missed = [], []
    for values in runs:
        for k in dict.fromkeys(name.split("/")[0] for name in values if "/" in name):
            took = {part: values[f"{k}/{part}_s"] for part in parts}
            machine = f"Linux {values[f'{k}/release']}, QEMU {values['qemu']}{', `norandmaps`' * k.endswith(STILL)}"
            if took["wrapper"] > AIM * took["kexec"]:
                missed.append(machine)
            rows.append([machine, seconds(took["kexec"]), seconds(took["wrapper"]),
                         f"**{took['wrapper'] / took['kexec']:.2f}**", *(seconds(took[part]) for part in parts[2:])])
    return ["The table has the time of one run, in a virtual machine: of `kexec -p`, which loads a kernel and an initial RAM disk; of `swiotlb-handoff kexec` for the same",
            "two, which plans, loads and looks at what was loaded; and the second divided by the first. A load happens once in a boot.",
            f"The aim is {AIM}.{' It is missed in: ' + '; '.join(missed) + '.' if missed else ''}", "",
            "The processor is emulated. It translates code before it runs it for the first time. QEMU 7.2 translates a program again when it is at another address, and each",
            "process has random addresses. So there each run of a short program pays for the translation of all that it runs, where a real processor pays nothing. QEMU 10.0",
            "translates it once. So does QEMU 7.2 with `norandmaps` on the command line of the machine, which gives every process the same addresses.", "",
            "The first aim for a plan alone was 0.02 of `kexec -p`, and it is missed by far. The kernel needs a large part of that time to produce what is read.", "",
            *table(["", "`kexec -p`", "with the handoff", "divided", "`plan`", "`cmdline`", "`--version`", "`cat /proc/kallsyms`", "`cat /sys/kernel/btf/vmlinux`"], rows)]


def report_parser(values):
    lines = [int(name.removeprefix("times_faster/")) for name in values if name.startswith("times_faster/")]
    rows = [[f"{n:,}", *(f"{values[f'iomem_{how}/{n}_us'] * 1e3 / n:.0f} ns" for how in ("sscanf", "parse")), values[f"times_faster/{n}"]] for n in lines]
    return ["A file like /proc/iomem is opened, read and parsed: by a loop of `fgets()` and `sscanf()` as kexec-tools has it, and by our parser. The table has the",
            "time for one line. Our parser keeps each line (name, range, depth), and that loop does not. At a million lines most of our time is the first use of that",
            "memory. The aim was to be ten times as fast, and it is missed.", "",
            *table(["lines", "sscanf", "ours", "times faster"], rows)]


def report_commands(values):
    names = [name.removesuffix("_ms") for name in values if name.endswith("_ms")]
    return ["These are whole commands for a captured server (`fixtures/machines/dell-r6515-high`), on the machine named below, without emulation.", "",
            *table(["command", "time", "peak memory"], [[f"`{n}`", f"{values[f'{n}_ms']:.1f} ms", f"{values[f'{n}_peak_kib'] / 1024:.1f} MiB"] for n in names])]


def report_audit(values):
    runs = re.findall(r"(\d+)_jobs_(\d+)_per_s", " ".join(values))
    rows = [[f"{int(n):,}", jobs, f"{values[f'{n}_jobs_{jobs}_per_s']:,}", f"{values[f'{n}_jobs_{jobs}_peak_kib'] / 1024:.1f} MiB"]
            for n, jobs in runs if f"{n}_jobs_{jobs}_peak_kib" in values]
    return [f"`audit` looked at many captured machines, which were {values['different_captures']} different ones again and again.", "",
            *table(["captures", "jobs", "a second", "peak memory"], rows)]


def report_archives(values):
    rows = [[str(jobs), f"{values[f'jobs_{jobs}_list_s']:.1f} s", f"{values[f'jobs_{jobs}_audit_s']:.1f} s", f"{values[f'jobs_{jobs}_ratio']:.2f}",
             f"{values[f'jobs_{jobs}_peak_kib'] / 1024:.1f} MiB"] for jobs in (1, 2)]
    fleet = [[f"{n:,}", f"{values[f'fleet_{n}_per_s']:,}", f"{values[f'fleet_{n}_peak_kib'] / 1024:.1f} MiB"] for n in (1000, 10000, 100000)]
    return [f"The reports are {values['reports']} sosreports of `bench/fleet.py`, {values['packed_mb']} MB packed by xz, {values['unpacked_mb']} MB unpacked, with {values['members']:,} members in the",
            "first one. The table compares `audit` of their directory with `xz -dc | tar -t` of each file, with as many of these at a time.",
            f"{values['xz']}, {values['tar']}, libarchive {values['libarchive']}.", "",
            *table(["at a time", "listing", "audit", "listing / audit", "peak memory of audit"], rows), "",
            "Here captured machines, no two alike, are in one archive. It comes through a pipe from the program that makes it, and is read by one thread:", "",
            *table(["machines", "a second", "peak memory"], fleet)]


def report_sizes(values):
    return ["This is the size of the installed program, stripped. In brackets it is compressed by gzip -9.", "",
            *table(["", "size"], [["swiotlb-handoff", f"{values['tool_kib']} KiB ({values['tool_gzip_kib']} KiB)"]])]


def report_verify(values):
    kernels = list(dict.fromkeys(name.split("/")[0] for name in values))

    def row(k):
        return [f"Linux {values[f'{k}/release']}", f"{values[f'{k}/reservation_mib']} MiB", f"{values[f'{k}/peak_kib']} KiB", f"{values[f'{k}/size_kib']} KiB",
                "yes" if "(exact)" in values[f"{k}/said"] else "**no**", *(f"{values[f'{k}/{fault}_s']:.1f} s" for fault in FAULTS),
                "written" if values[f"{k}/dump"] == "ok" else "**lost**"]
    return ["The crash kernel's initial RAM disk has a small program, `verify`. It was measured in machines of the lab with the smallest reservation that a handoff",
            "needs there. These sizes are from docs/memory-saved.md; that of 7.3 was not searched for, and 102 MiB is too small.", "",
            "- *Memory* is the most address space that the program had at once, with stack and data, as the kernel says when it ends (VmPeak). What is resident is",
            "  a part of that; older kernels count it in batches.",
            "- *Unpacked* is the size of its file.",
            "- *Exact* says whether it found the pool where it was promised.",
            "- The next five columns say how long the hook of the initial RAM disk took, which runs the program: with `verify` as it is, and with one that fails, is",
            "  killed, stops for ever, or is missing. This is the machine's own time; the machine is emulated and shared its processors with other work.",
            "- *Dump* says what became of the dump after all of these.", "",
            *table(["", "reservation", "memory", "unpacked", "exact", "works", "fails", "killed", "stops", "missing", "dump"], [row(k) for k in kernels])]


REPORTS = {"vm": ("Beside a load", report_vm), "verify": ("In the crash kernel", report_verify), "commands": ("Commands", report_commands), "parser": ("The parser", report_parser),
           "audit": ("Audits", report_audit), "archives": ("Archives", report_archives), "sizes": ("Sizes", report_sizes)}


def report():
    lines = ["# What it costs", "", "This page is made by `bench/cost.py --report` from the last recorded runs, `bench/results/*.json`. Times depend on the machine, so compare",
             "columns and not pages.", ""]
    for section, (title, write) in REPORTS.items():
        files = sorted(RESULTS.glob(f"{section}-*.json"), reverse=True) or [RESULTS / f"{section}.json"]
        recorded = [json.loads(file.read_text()) for file in files if file.exists()]
        if not recorded:
            continue
        on = dict.fromkeys(f"{one['cpu']}, {one['cores']} cores, {one['compiler']}, commit {one['tool_at']}." for one in (each["measured_on"] for each in recorded))
        lines += [f"## {title}", "", *write(*(each["values"] for each in recorded)), *on, ""]
    return "\n".join(lines)


def main():
    parser_ = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser_.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    parser_.add_argument("--record", action="store_true", help="keep the results in bench/results")
    parser_.add_argument("--report", type=Path, metavar="FILE", help="write what was recorded to FILE, as Markdown")
    parser_.add_argument("--build", type=Path, default=ROOT / "build/release")
    arguments = parser_.parse_args()
    if unknown := [one for one in arguments.sections if one not in SECTIONS]:
        parser_.error(f"no section {unknown[0]}, only {' '.join(SECTIONS)}")
    if arguments.report:
        arguments.report.write_text(report())
        return
    sections = arguments.sections or list(SECTIONS)
    if not (arguments.build / ("bench/plan_bench" if "parser" in sections else "tool/swiotlb-handoff")).exists():
        parser_.error(f"no release build in {arguments.build}: cmake --preset release && cmake --build --preset release")
    for section in sections:
        on = measured_on()
        values = SECTIONS[section](arguments.build)
        compare(section, values)
        if arguments.record:
            RESULTS.mkdir(exist_ok=True)
            results_file(section, values).write_text(json.dumps({"schema": 1, "measured_on": on, "values": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()
