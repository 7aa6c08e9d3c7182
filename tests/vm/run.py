#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the cells of matrix.table in QEMU, crashes them, and compares what the tool predicted with what happened.

Every boot leaves a directory with both kernels' console (serial.log), everything they reported (first/, crash/) and the
exact QEMU command. results.jsonl has one line per boot and is what --resume continues; results.json and results.md are
written at the end. The last line printed is 'N passed, N failed, N skipped', counted in cells; lost machines count as
failed. The exit status is 0 only if every cell passed.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cells as table
import fetch
import initramfs
import judge
import load
import replay
import report
import vm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Images:
    """Initial RAM disks, made once per kernel and kind."""

    def __init__(self, store, directory, tool):
        self.store, self.directory = store, directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.witness = directory / "witness"
        subprocess.run(["cc", "-std=c17", "-O2", "-static", "-o", self.witness, HERE / "guest/witness.c"], check=True)
        self.pattern, self.caps = directory / "pattern", directory / "caps"
        for program in (self.pattern, self.caps):
            subprocess.run(["cc", "-std=c17", "-O2", "-static", "-o", program, HERE / f"guest/{program.name}.c"], check=True)
        self.tool = None
        self.built = tool.parent.parent if tool is not None else None
        if tool is not None:
            self.tool = directory / "tool"
            initramfs.gather(tool, self.tool)
        self.ready = {}

    def common(self, cell, crash=False):
        kernel, _ = self.store.get(f"kernel-{cell.loaded_kernel if crash else cell.kernel}")
        busybox, _ = self.store.get("busybox")
        extra = [(f"bin/{name}", path.read_bytes()) for word, name, path in (("lab.caps", "caps", self.caps),
                 ("lab.caps", "capabilities", HERE / "guest/capabilities"), ("lab.cost", "cost", HERE / "guest/cost")) if word in cell.crash_words]
        if cell.by == "next":
            extra.append(("bin/next", (HERE / "guest/next").read_bytes()))
        if "lab.verify" in cell.crash_words:
            extra.append(("bin/verify-faults", (HERE / "guest/verify-faults").read_bytes()))
        small = crash and load.packaged(cell)
        if small or "lab.verify" in cell.crash_words:
            extra += initramfs.crash_side(self.built)
        extra.append(("bin/reload-lent", (ROOT / "udev/reload-lent").read_bytes()))
        drivers = pattern = None
        if load.has_drivers(cell):
            pattern = self.pattern
            if load.has_modules(cell):
                drivers = self.store.get(f"drivers-{cell.kernel}")[0]
        return initramfs.common(kernel, busybox, HERE / "guest/init", self.witness, None if small else self.tool, drivers, pattern, extra)

    def crash(self, cell):
        makedumpfile, _ = self.store.get("makedumpfile")
        packed = cell.initrd == "squash"
        key = f"crash-{cell.loaded_kernel}{load.kind(cell)}{packed}"
        if key not in self.ready:
            root = self.common(cell, crash=True)
            self.ready[key] = initramfs.squash_image(root, makedumpfile, self.store.get("busybox")[0], HERE / "guest/squash-init", self.store.get(f"squash-{cell.loaded_kernel}")[0],
                                                     self.store.get("sqfstar")[0]) if packed else initramfs.crash_image(root, makedumpfile)
        small = self.ready[key]
        image = small if cell.initrd in ("small", "squash") else initramfs.pad(small, vm.size_of(cell.initrd))
        return (initramfs.acpi_table(vm.size_of(cell.acpi)) if cell.acpi else b"") + image

    def first(self, cell):
        """Path of all of the first kernel's archive that does not differ from boot to boot."""
        path = self.directory / f"first-{cell.kernel}-{cell.loaded_kernel}-{cell.kexec}-{cell.initrd}{cell.acpi}{load.kind(cell)}{'-next' if cell.by == 'next' else ''}.cpio"
        if path not in self.ready:
            kernel, manifest = self.store.get(f"kernel-{cell.loaded_kernel}")
            kexec, _ = self.store.get(f"kexec-{cell.kexec}")
            archive = self.common(cell)
            archive.program("kexec", kexec)
            # Where the tool looks for its version; not in the guest's PATH, for it brings no libraries there.
            archive.file("usr/local/sbin/kexec", (Path(kexec) / "kexec").read_bytes())
            archive.file("cell/vmlinuz", (kernel / "vmlinuz").read_bytes(), 0o644)
            config = f"config-{manifest['release']}"
            archive.file(f"cell/{config}", (kernel / config).read_bytes(), 0o644)
            if cell.by != "next":
                archive.file("cell/crash.img", self.crash(cell), 0o644)
            path.write_bytes(archive.bytes())
            self.ready[path] = True
        return path


class Lab:
    def __init__(self, arguments, store, images):
        self.arguments, self.store, self.images = arguments, store, images
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.results = open(arguments.out / "results.jsonl", "a", encoding="utf-8")

    def versions(self, cell):
        def version(item):
            return self.store.get(item)[1]["version"]
        patched = ", patched" if cell.kernel.startswith("patched-") else ""
        if cell.crash_kernel:
            patched += f", which loads {version(f'kernel-{cell.crash_kernel}')}"
        return {"kernel": version(f"kernel-{cell.kernel}") + patched, "kexec-tools": version(f"kexec-{cell.kexec}"),
                "makedumpfile": version("makedumpfile")}

    def run(self, cell, number):
        """One boot of a cell; None if interrupted."""
        directory = self.arguments.out / "cells" / cell.name / str(number)
        makedumpfile, _ = self.store.get("makedumpfile")
        shutil.rmtree(directory.with_suffix(".lost"), ignore_errors=True)
        for attempt in range(2):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            canary = secrets.token_hex(8)
            with self.lock:
                first = self.images.first(cell)
            extra = initramfs.Archive()
            seed = str(secrets.randbits(32)) if load.wanted(cell) else ""
            extra.file("cell/settings", vm.settings(cell, canary, seed), 0o644)
            with open(directory / "initrd", "wb") as initrd, open(first, "rb") as common:
                shutil.copyfileobj(common, initrd)
                initrd.write(extra.bytes())
            ovmf = self.store.get("ovmf")[0] if cell.firmware == "ovmf" else None
            kernel = self.store.get(f"kernel-{cell.kernel}")[0] / "vmlinuz"
            words = vm.command(cell, directory, kernel, directory / "initrd", ovmf)
            with load.Devices(directory, wide=bool(cell.lend)) if seed or load.busy(cell) else contextlib.nullcontext() as devices, \
                    vm.Plug(directory, cell.plug) if cell.plug else contextlib.nullcontext() as plug:
                vm_problem, seconds = vm.boot(words + (devices.words if devices else []), directory, self.stop, plug, console=not load.busy(cell))
            (directory / "initrd").unlink()
            if vm_problem == "interrupted":
                (directory / "disk").unlink()
                return None
            said = vm.records(directory)
            if said["crash"]:
                said["crash"]["dump.bytes"] = str((directory / "disk").stat().st_blocks * 512)  # written: the rest of it is a hole
            vm.keep(directory, said)
            dump_problem = "no dump: the crash kernel did not get to the end"
            if said["crash"].get("end") == "done":
                status = said["crash"].get("dump.status")
                found = {}
                look = (lambda dump: found.update(load.compare(self.images.pattern, dump, said, seed))) if seed else None
                dump_problem = (None if cell.dump == "none" else vm.read_dump(directory, makedumpfile, canary, look, directory / "vmcore" if getattr(self.arguments, "keep_dumps", False) else None) if status == "0"
                                else f"makedumpfile exits with {status}")
            (directory / "disk").unlink()
            if seed and dump_problem is None:
                said["crash"]["pattern"] = json.dumps(found)
                vm.keep(directory, said)
            status, reasons, facts = judge.judge(cell, said, dump_problem, vm_problem)
            # A machine that was gone before its first kernel did anything says nothing, and is tried again, once and
            # on the record. Whatever a crash kernel did stands.
            if status != "lost" or attempt:
                break
            directory.rename(directory.with_suffix(".lost"))
        result = {"cell": cell.name, "key": self.key(cell), "boot": number, "status": status, "reasons": reasons,
                  "attempts": attempt + 1, "seconds": round(seconds, 1), "facts": facts, "versions": self.versions(cell)}
        with self.lock:
            self.results.write(json.dumps(result) + "\n")
            self.results.flush()
        return result

    def key(self, cell):
        """Another tool makes earlier results of cells that use it void, unless replay.py says otherwise."""
        return cell.key() + (f"-{self.arguments.tool_sum}" if cell.mode == "handoff" else "")


def finished(arguments, lab, chosen):
    """Boots that --resume need not repeat. What they reported was kept and is judged anew. Those of an earlier tool count where
    this one plans the same for them; not where the tool did more than that."""
    cells = {cell.name: cell for cell in chosen}
    done = {}
    for line in (arguments.out / "results.jsonl").read_text().splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        cell = cells.get(result["cell"])
        if cell is None or result["status"] not in ("pass", "fail") or result["key"].split("-")[0] != cell.key():
            continue
        said = vm.kept(arguments.out / "cells" / cell.name / str(result["boot"]))
        if result["key"] != lab.key(cell):
            planned = None
            if cell.by == "kexec" and cell.shrink != "tool":
                planned = replay.plan_again(arguments.tool, cell, said["first"], lab.store)
            if planned is None or planned[0] != planned[1] or judge.parse_json(said["first"]["plan"]).get("schema") != judge.SCHEMA:
                continue
        lost = None if result["facts"]["dump"] in ("ok", "none") else "no dump that can be read back"
        status, reasons, facts = judge.judge(cell, said, lost, None)
        done[cell.name, result["boot"]] = {**result, "status": status, "reasons": reasons, "facts": facts}
    return done


def find_tool():
    found = [path for pattern in ("build/*/tool/swiotlb-handoff", "build/*/swiotlb-handoff")
             for path in ROOT.glob(pattern) if os.access(path, os.X_OK)]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--smoke", action="store_true", help="the cells tagged smoke, one boot each")
    which.add_argument("--all", action="store_true", help="every cell with all its boots (the default)")
    parser.add_argument("--cells", metavar="REGEX", help="only cells whose name matches")
    parser.add_argument("--tool", type=Path, help="the swiotlb-handoff to test (default: the newest below build/)")
    parser.add_argument("--suites", type=lambda text: text.split(","), metavar="A,B", help="only kernels of these suites")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="machines at a time (default 2)")
    parser.add_argument("--boots", type=int, metavar="N", help="boots per cell")
    parser.add_argument("--mode", choices=("naive", "plain"),
                        help="run the handoff cells without the tool: with the naive words, or with nothing handed over")
    parser.add_argument("--out", type=Path, default=ROOT / "build/vm", help="where results go (default build/vm)")
    parser.add_argument("--resume", action="store_true", help="keep the boots already finished in the output directory")
    parser.add_argument("--matrix", type=Path, default=HERE / "matrix.table", help="another table of cells")
    parser.add_argument("--random", type=int, metavar="N", help="instead of the table: N machines made up by chance")
    parser.add_argument("--seed", type=int, default=1, help="for --random: equal seeds make equal machines (default 1)")
    parser.add_argument("--no-dump", action="store_true",
                        help="a boot ends once the crash kernel has told where its pool is: quicker, and shows nothing of the dump")
    parser.add_argument("--keep-dumps", action="store_true", help="a dump stays beside what else is known of its boot, as vmcore")
    parser.add_argument("--list", action="store_true", help="print the chosen cells and leave")
    return parser.parse_args(argv)


def choose(arguments):
    if arguments.random:
        chosen = list(table.random_cells(arguments.seed, arguments.random))
    else:
        chosen = table.parse(arguments.matrix.read_text(), arguments.matrix.name)
    if arguments.smoke:
        chosen = [dataclasses.replace(cell, boots=1) for cell in chosen if "smoke" in cell.tags]
    if arguments.cells:
        chosen = [cell for cell in chosen if re.search(arguments.cells, cell.name)]
    if arguments.boots:
        chosen = [dataclasses.replace(cell, boots=min(arguments.boots, cell.boots) if "plain-twin" in cell.tags
                                      else arguments.boots) for cell in chosen]
    if arguments.no_dump:
        chosen = [dataclasses.replace(cell, dump="none") for cell in chosen]
    if arguments.mode:
        chosen = [dataclasses.replace(cell, mode=arguments.mode, expect="", dump="any") if cell.mode == "handoff"
                  else cell for cell in chosen]
    return chosen


def unavailable(store, cell):
    """Why a cell cannot run here, or None."""
    if shutil.which("qemu-system-x86_64") is None:
        return "no qemu-system-x86_64 on this machine (package qemu-system-x86)"
    try:
        for item in (f"kernel-{cell.kernel}", f"kernel-{cell.loaded_kernel}", f"kexec-{cell.kexec}", "busybox", "makedumpfile",
                     *([f"drivers-{cell.kernel}"] if load.has_modules(cell) else []),
                     *([f"squash-{cell.loaded_kernel}", "sqfstar"] if cell.initrd == "squash" else []), *(["ovmf"] if cell.firmware == "ovmf" else [])):
            store.get(item)
        return None
    except fetch.Unavailable as reason:
        return str(reason)


def repeat_command(arguments, cell):
    words = [os.path.relpath(HERE / "run.py"), "--cells", f"'^{re.escape(cell.name)}$'", "--boots", "1"]
    if arguments.tool:
        words += ["--tool", str(arguments.tool)]
    if arguments.random:
        words += ["--random", str(arguments.random), "--seed", str(arguments.seed)]
    if arguments.mode:
        words += ["--mode", arguments.mode]
    if arguments.no_dump:
        words.append("--no-dump")
    return " ".join(words + ["--out", f"{arguments.out}-again"])


def main(argv=None):
    arguments = arguments_of(argv)
    arguments.out = arguments.out.resolve()
    try:
        chosen = choose(arguments)
    except (OSError, ValueError, re.error) as problem:
        print(f"run.py: {problem}", file=sys.stderr)
        return 2
    if arguments.list:
        for cell in chosen:
            print(f"{cell.name:28} {cell.kernel:7} {cell.firmware:8} {cell.words}")
        return 0
    if not chosen:
        print("run.py: no cell chosen", file=sys.stderr)
        return 2
    needs_tool = any(cell.mode == "handoff" for cell in chosen)
    arguments.tool = (arguments.tool or find_tool()) if needs_tool else None
    if needs_tool and (arguments.tool is None or not os.access(arguments.tool, os.X_OK)):
        print(f"run.py: no program at {arguments.tool or 'build/*/tool/swiotlb-handoff'}: build it, or name it with --tool",
              file=sys.stderr)
        return 2
    arguments.tool_sum = fetch.sha256(arguments.tool)[:12] if arguments.tool else ""

    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = arguments.out / "results.jsonl"
    if not arguments.resume:
        journal.unlink(missing_ok=True)
        shutil.rmtree(arguments.out / "cells", ignore_errors=True)
    journal.touch()
    store = fetch.Store(arguments.suites)
    skipped = {cell.name: reason for cell in chosen if (reason := unavailable(store, cell))}
    images = Images(store, arguments.out / "images", arguments.tool)
    lab = Lab(arguments, store, images)
    outcome = execute(arguments, lab, chosen, skipped)
    shutil.rmtree(images.directory, ignore_errors=True)
    if outcome is None:
        print("interrupted; --resume continues", file=sys.stderr)
        return 130
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout.splitlines() \
        if shutil.which("qemu-system-x86_64") else [""]
    summary = report.summarise(outcome)
    report.write(arguments.out, summary, outcome, {"qemu": qemu[0], "tool": str(arguments.tool or "")})
    for line in report.closing_lines(summary):
        print(line)
    print(f"results: {arguments.out}/results.md")
    print(f"{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped")
    return 0 if summary["failed"] == summary["skipped"] == 0 and summary["passed"] and not summary["alarms"] else 1


def execute(arguments, lab, chosen, skipped):
    """Run all boots; returns one report.Outcome per cell in the table's order, or None if interrupted."""
    done = finished(arguments, lab, chosen) if arguments.resume else {}
    boots = {cell.name: {} for cell in chosen}
    tasks = []
    for cell in chosen:
        for number in range(1, cell.boots + 1):
            if cell.name in skipped:
                continue
            if (cell.name, number) in done:
                boots[cell.name][number] = done[cell.name, number]
            else:
                tasks.append((cell, number))
    began, count = time.monotonic(), 0
    total = sum(cell.boots for cell in chosen if cell.name not in skipped)
    print(f"{len(chosen)} cells, {total} boots, {total - len(tasks)} of them already done, {arguments.jobs} at a time",
          flush=True)
    for cell in chosen:
        if cell.name in skipped:
            print(f"skip  {cell.name}: {skipped[cell.name]}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: lab.stop.set())
    pool = concurrent.futures.ThreadPoolExecutor(arguments.jobs)
    futures = {pool.submit(lambda c, n: None if lab.stop.is_set() else lab.run(c, n), cell, number): (cell, number)
               for cell, number in tasks}
    try:
        for future in concurrent.futures.as_completed(futures):
            cell, number = futures[future]
            result = future.result()
            if result is None:
                continue
            boots[cell.name][number] = result
            count += 1
            if len(boots[cell.name]) == cell.boots:
                line = report.progress_line(cell, list(boots[cell.name].values()))
                minutes = (time.monotonic() - began) / 60
                print(f"[{count:3}/{len(tasks)} {minutes:5.1f} min] {line}", flush=True)
                if any(boot["status"] != "pass" for boot in boots[cell.name].values()):
                    print(f"      logs: {arguments.out}/cells/{cell.name}/\n"
                          f"      again: {repeat_command(arguments, cell)}", flush=True)
    except KeyboardInterrupt:
        lab.stop.set()
    finally:
        pool.shutdown(cancel_futures=lab.stop.is_set())
    if lab.stop.is_set():
        return None
    return [report.Outcome(cell, skipped.get(cell.name), [boots[cell.name][n] for n in sorted(boots[cell.name])])
            for cell in chosen]


if __name__ == "__main__":
    sys.exit(main())
