#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads kept dumps with crash, drgn and gdb: everything but the old pool is there, and reading the pool says clearly that it is not.

    tests/vm/run.py --matrix tests/vm/readers.table --keep-dumps --out build/vm-readers
    tests/vm/read_dumps.py --root DIR --vmlinux DIR/vmlinux --out build/vm-readers [--report docs/reading-dumps.md]

DIR is the root of a system with these programs, made for example by `mmdebstrap --include=crash,gdb,python3-drgn trixie DIR`, and
vmlinux, inside of it, the kernel with debug symbols out of Debian's linux-image-...-dbg package (a gigabyte unpacked). By hand.
"""

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import judge

DRGN = """
import drgn
from drgn.helpers.linux.pid import for_each_task
program = drgn.Program()
program.set_core_dump("/cell/vmcore")
program.load_debug_info(["/cell/vmlinux"])
print("release", program["init_uts_ns"].name.release.string_().decode())
try:
    print("tasks", len(list(for_each_task(program))))
except drgn.FaultError as problem:
    print("first task", program["init_task"].comm.string_().decode(), "and then", problem)
for where in (POOL, BESIDE):
    try:
        print(hex(where), "read", program.read(where, 16, physical=True).hex())
    except drgn.FaultError as problem:
        print(hex(where), "FaultError:", problem)
"""


def inside(root, *command, stdin=""):
    """What a program of the root prints, errors too."""
    done = subprocess.run(["unshare", "--mount", "--fork", "sh", "-ec", 'root=$1; shift; mount -t proc proc "$root/proc"; exec chroot "$root" "$@"', "sh", root,
                           *command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900)
    return done.stdout


def direct_map(dump):
    """Where the kernel had all memory mapped, as the ELF dump says: p_vaddr - p_paddr of what is not the kernel itself."""
    data = dump.open("rb").read(1 << 16)
    at, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _, _, virtual, physical = struct.unpack_from("<IIQQQ", data, at + number * size)
        if kind == 1 and virtual < 0xffffffff00000000:
            return virtual - physical
    return 0


def last_line(text, pattern):
    found = re.findall(pattern, text, re.M)
    return " ".join(found[-1].split()) if found else ""


def by_crash(root, pool, beside):
    """(what is there, what reading the pool says, what reading beside it says)"""
    said = inside(root, "crash", "-s", "/cell/vmlinux", "/cell/vmcore", stdin=f"sys\nps\nlog\nbt\nrd -p {pool:#x} 2\nrd -p {beside:#x} 2\nquit\n")
    return {"release": last_line(said, r"RELEASE: (\S+)"), "tasks": len(re.findall(r"^[> ] +\d+ +\d+ +\d+ +[0-9a-f]{16} ", said, re.M)),
            "panic": last_line(said, r"(sysrq: Trigger a crash)"), "pool": last_line(said, rf"^(rd: .*\b0*{pool:x}\b.*|\s*{pool:x}: .*)$"),
            "beside": last_line(said, rf"^(rd: .*\b0*{beside:x}\b.*|\s*{beside:x}: .*)$"), "said": said}


def by_drgn(root, pool, beside):
    (root / "cell/look.py").write_text(DRGN.replace("POOL", hex(pool)).replace("BESIDE", hex(beside)))
    said = inside(root, "python3", "/cell/look.py")
    return {"release": last_line(said, r"^release (\S+)"), "tasks": int(last_line(said, r"^tasks (\d+)") or "first task swapper" in said),
            "pool": last_line(said, rf"^{pool:#x} (.*)$"), "beside": last_line(said, rf"^{beside:#x} (.*)$"), "said": said}


def by_gdb(root, pool, beside):
    base = direct_map(root / "cell/vmcore")
    said = inside(root, "gdb", "-batch", "-nx", "-ex", "p init_uts_ns.name.release", "-ex", "p init_task.comm", "-ex", f"x/2gx {base + pool:#x}", "-ex",
                  f"x/2gx {base + beside:#x}", "/cell/vmlinux", "/cell/vmcore")
    return {"release": last_line(said, r'^\$1 = "([^"\\]*)'), "tasks": 1 if 'swapper' in said else 0,
            "pool": last_line(said, rf"^(.*{base + pool:x}.*)$"), "beside": last_line(said, rf"^(.*{base + beside:x}.*)$"), "said": said}


READERS = {"crash": by_crash, "drgn": by_drgn, "gdb": by_gdb}


def page_beside(directory, pool):
    """The address of a page of the dump that is not of the pool: the kernel's own code."""
    text = (directory / "first/iomem").read_text()
    return judge.ranges_named(text, "Kernel code")[0][0]


def look(arguments, cell, directory):
    fact = judge.facts({"first": {path.name: path.read_text(errors="replace") for path in (directory / "first").iterdir()},
                        "crash": {path.name: path.read_text(errors="surrogateescape") for path in (directory / "crash").iterdir()}})
    pool, beside = fact["pool"][0], page_beside(directory, fact["pool"])
    home = arguments.root / "cell"
    home.mkdir(exist_ok=True)
    shutil.copy(directory / "vmcore", home / "vmcore")
    shutil.copy(arguments.vmlinux, home / "vmlinux") if not (home / "vmlinux").exists() else None
    found = {}
    for name in ["gdb"] if "elf" in cell else ["crash", "drgn"]:
        found[name] = READERS[name](arguments.root, pool, beside)
        (directory / f"read-by-{name}").write_text(found[name].pop("said"))
    (home / "vmcore").unlink()
    return {"cell": cell, "in_headers": fact["pool_in_headers"], "pool": fact["pool"], "bytes": (directory / "vmcore").stat().st_size, "readers": found}


def markdown(rows, versions):
    yield "# Dumps without the pool, read\n"
    yield "Made by `tests/vm/read_dumps.py`. A handoff that is loaded with kexec_load leaves the old pool's pages out of the ELF headers of /proc/vmcore, and so out"
    yield "of the dump; with kexec_file_load the kernel writes the headers, and has them. All else is there: the kernel's release, its tasks and its log. A read of"
    yield "the pool fails with the error in the last column. gdb reads ELF dumps (`makedumpfile -E`), crash and drgn those of makedumpfile's own format.\n"
    yield "Where one task is counted, the program was not asked for more (gdb), or could not walk all of them since makedumpfile 1.7.2 had left out a page of"
    yield "this kernel's task list that is not of the pool (drgn).\n"
    yield from (f"- {name} {version}" for name, version in versions.items())
    yield "\n| boot | the pool in the headers | dump | program | release read | tasks | the kernel's code | the pool |"
    yield "|---|--:|--:|---|---|--:|---|---|"
    for row in rows:
        for name, found in row["readers"].items():
            yield (f"| {row['cell']} | {(row['in_headers'] or 0) >> 20} MiB | {row['bytes'] >> 20} MiB | {name} | {found['release'] or '**none**'} | {found['tasks']} | "
                   f"`{found['beside'] or 'nothing'}` | `{found['pool'] or 'nothing'}` |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--vmlinux", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    rows = [look(arguments, vmcore.parents[1].name, vmcore.parent) for vmcore in sorted(arguments.out.glob("cells/*/*/vmcore"))]
    if not rows:
        sys.exit("read_dumps: no dump was kept: run.py --keep-dumps")
    print(json.dumps(rows, indent=1))
    versions = {name: inside(arguments.root, "dpkg-query", "-W", "-f", "${Version}", package)
                for name, package in (("crash", "crash"), ("drgn", "python3-drgn"), ("gdb", "gdb"))}
    if arguments.report:
        arguments.report.write_text("\n".join(markdown(rows, versions)) + "\n")
    unread = [f"{row['cell']} by {name}" for row in rows for name, found in row["readers"].items() if not found["release"] or not found["tasks"] or not found["pool"]]
    print(f"read_dumps: {'all read' if not unread else 'not read: ' + ', '.join(unread)}")
    return 1 if unread else 0


if __name__ == "__main__":
    sys.exit(main())
