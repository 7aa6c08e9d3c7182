#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs: measures, compares with the last recorded run, and records.

    bench/cost.py [SECTION...] [--record]

    sizes     of the installed tool, and of what it adds to the crash kernel's initial RAM disk
    parser    /proc/iomem from 20 to a million lines, beside kexec-tools' sscanf loop, and plans (Google Benchmark)
    commands  whole commands on a captured machine (hyperfine), and their peak memory
    audit     100,000 captured machines: peak memory at 1,000, 10,000 and 100,000, throughput on one core and two
    vm        plan and cmdline beside kexec, in a virtual machine of the lab

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
        for label, path in (("tool_kib", "tool/swiotlb-handoff"), ("initramfs_verify_kib", "tool/swiotlb-handoff-verify")):
            stripped = Path(name) / label
            run("strip", "-o", stripped, build / path)
            values[label] = stripped.stat().st_size >> 10
            values[label.replace("_kib", "_gzip_kib")] = len(subprocess.run(["gzip", "-9c", stripped], capture_output=True, check=True).stdout) >> 10
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


def vm(build):
    sys.path.insert(0, str(ROOT / "tests/vm"))
    import fetch
    import run as lab_run
    from cells import Cell
    values = {}
    out = ROOT / "build/cost-vm"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tool = build / "tool/swiotlb-handoff"
    arguments = argparse.Namespace(out=out, tool=tool, tool_sum=fetch.sha256(tool)[:12])
    store = fetch.Store(None)
    lab = lab_run.Lab(arguments, store, lab_run.Images(store, out / "images", tool))
    cell = Cell(name="cost", memory="2G", cpus=1, words="swiotlb=force crashkernel=256M", crash_words="swiotlb=force lab.cost")
    for kernel, loader in (("6.1", "kexec_load"), ("newest", "kexec_file_load")):
        one = dataclasses.replace(cell, name=f"cost-{kernel}", kernel=kernel, loader=loader, kexec="newest" if kernel == "newest" else "2.0.25")
        result = lab.run(one, 1)
        said = out / "cells" / one.name / "1/first/cost"
        if not said.exists():
            sys.exit(f"cost: the machine {one.name} measured nothing: {result['reasons']}")
        seconds = {name: float(total) / int(runs) for name, runs, total in re.findall(r"^(\w+) (\d+) ([0-9.]+)$", said.read_text(), re.M)}
        if "status" in said.read_text():
            sys.exit(f"cost: a command failed in {one.name}:\n{said.read_text()}")
        values |= {f"{kernel}/{name}_s": round(each, 3) for name, each in seconds.items()}
        values |= {f"{kernel}/{name}_by_kexec": round(seconds[name] / seconds["kexec"], 3) for name in ("plan", "cmdline")}
        values[f"{kernel}/release"] = result["versions"]["kernel"]
    shutil.rmtree(out / "images", ignore_errors=True)
    return values


SECTIONS = {one.__name__: one for one in (sizes, parser, commands, audit, vm)}


def measured_on():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else "unknown", "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
            "compiler": run("c++", "--version").splitlines()[0], "tool_at": run("git", "-C", ROOT, "describe", "--always", "--dirty").strip()}


def compare(section, values):
    """A line for each value, and what it was the last time."""
    file = RESULTS / f"{section}.json"
    last = json.loads(file.read_text())["values"] if file.exists() else {}
    for name, value in values.items():
        was = last.get(name)
        change = ""
        if was is not None and was != value:
            change = f"  was {was}" + (f" ({(value - was) / was:+.0%})" if isinstance(was, (int, float)) and was else "")
        print(f"{section:9} {name:32} {value:>12}{change}", flush=True)


def main():
    parser_ = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser_.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    parser_.add_argument("--record", action="store_true", help="keep the results in bench/results")
    parser_.add_argument("--build", type=Path, default=ROOT / "build/release")
    arguments = parser_.parse_args()
    if unknown := [one for one in arguments.sections if one not in SECTIONS]:
        parser_.error(f"no section {unknown[0]}, only {' '.join(SECTIONS)}")
    if not (arguments.build / "bench/plan_bench").exists():
        parser_.error(f"no release build in {arguments.build}: cmake --preset release && cmake --build --preset release")
    for section in arguments.sections or SECTIONS:
        on = measured_on()
        values = SECTIONS[section](arguments.build)
        compare(section, values)
        if arguments.record:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"{section}.json").write_text(json.dumps({"schema": 1, "measured_on": on, "values": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()
