#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans anew for boots that were kept, without booting anything.

    tests/vm/replay.py --tool TOOL OUT...     OUT: what run.py --out wrote

What a boot proves it proves about the words that its crash kernel was given. So a boot of an earlier tool is evidence for this
one where this one's plan, for the machine as its first kernel reported it, comes to the same verdict, words and address. Each
other boot is a line; the last line is 'N boots the same, N not, N without a plan'. The exit status is 0 only if none differs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cells as table
import fetch
import initramfs
import judge
import vm

HERE = Path(__file__).resolve().parent


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if text.endswith("\n") else text + "\n")


def machine_of(cell, first, store, root):
    """The first kernel's machine as a captured directory. What the lab does not keep follows from the cell."""
    for key, name in (("iomem", "proc/iomem"), ("cmdline", "proc/cmdline"), ("dmesg", "dmesg"), ("release", "proc/sys/kernel/osrelease"),
                      ("crash_size", "sys/kernel/kexec_crash_size"), ("io_tlb_used", "sys/kernel/debug/swiotlb/io_tlb_used"),
                      ("io_tlb_nslabs", "sys/kernel/debug/swiotlb/io_tlb_nslabs")):
        if key in first:
            write(root, name, first[key])
    write(root, "sys/devices/system/cpu/possible", f"0-{cell.cpus - 1}")
    write(root, "sys/devices/system/node/has_memory", "0" if cell.nodes == 1 else f"0-{cell.nodes - 1}")
    write(root, "sys/kernel/security/lockdown", "[none] integrity confidentiality")
    if cell.firmware == "ovmf":
        write(root, "sys/firmware/efi/fw_platform_size", "64")
    kexec = root / "usr/sbin/kexec"
    kexec.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(store.get(f"kexec-{cell.kexec}")[0] / "kexec", kexec)


def plan_again(tool, cell, first, store):
    """(what the tool says now, what it said); None where the boot has no plan, or not all that it was made from."""
    was = judge.parse_json(first.get("plan"))
    if not was or "iomem" not in first:
        return None
    pool = judge.pool_of(judge.parse_json(first.get("witness")))
    initrd = next((int(s["end"], 16) - int(s["start"], 16) for s in was.get("segments") or [] if s["name"] == "initrd"), None)
    with tempfile.TemporaryDirectory(prefix="handoff-replay-") as name:
        root = Path(name)
        machine_of(cell, first, store, root)

        def plan(command_line, front):
            words = ["plan", "--json", "--root", root, "--kernel", store.get(f"kernel-{cell.loaded_kernel}")[0] / "vmlinuz", "--loader", cell.loader,
                     "--command-line", command_line]
            if initrd:
                (root / "initrd").write_bytes(front)
                os.truncate(root / "initrd", initrd)
                words += ["--initrd", root / "initrd"]
            if pool:  # read in the kernel's memory, which is not kept
                words += ["--pool", judge.span(*pool)]
            done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, check=False)
            return judge.parse_json(done.stdout) or {"verdict": done.stderr.strip()[:100]}

        now = plan(vm.base_words(cell), initramfs.acpi_table(vm.size_of(cell.acpi)) if cell.acpi else b"")
        forced = ["", ""]
        # What was loaded where it is refused is right but for what the cell is about.
        if vm.triggered(cell):
            forced = [plan(vm.harmless_words(cell), b"").get("append", "") if now.get("verdict") == "refused" else "",
                      first.get("append", "").strip() if was.get("verdict") == "refused" else ""]
    return [{"verdict": one.get("verdict", ""), "append": words or one.get("append", ""), "expected": judge.expected_range(one)}
            for one, words in zip((now, was), forced)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=Path, required=True)
    parser.add_argument("--matrix", type=Path, default=HERE / "matrix.table")
    parser.add_argument("out", type=Path, nargs="+")
    arguments = parser.parse_args()
    cells = {cell.name: cell for cell in table.parse(arguments.matrix.read_text(), arguments.matrix.name)}
    store = fetch.Store(None)
    same = other = without = 0
    for out in arguments.out:
        for directory in sorted(out.glob("cells/*/*")):
            cell = cells.get(directory.parent.name)
            if not directory.name.isdigit() or cell is None or cell.mode != "handoff":
                continue
            both = plan_again(arguments.tool.resolve(), cell, vm.kept(directory)["first"], store)
            if both is None:
                without += 1
            elif both[0] == both[1]:
                same += 1
            else:
                other += 1
                print(f"{cell.name} {directory.name}:")
                for label, plan in zip(("now", "was"), both):
                    print(f"    {label}  {plan['verdict']}  {judge.span(*plan['expected']) if plan['expected'] else ''}  {plan['append']}")
    print(f"{same} boots the same, {other} not, {without} without a plan")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
