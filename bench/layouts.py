#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Of which machines the model of the next boot explains this boot: `recommend` over a directory of kernel logs and captured machines.

    bench/layouts.py DIRECTORY [--releases INDEX.tsv] [--tool PROGRAM] [--all]

Each file in DIRECTORY is a kernel log, each directory a captured machine. INDEX.tsv has a line for each log, with its name and, in the
third column, the release of its kernel, for logs from which that line is gone. A row for each machine with a reservation, or with --all
for each that the model does not explain, says whether reservation and pool are where the model puts them, and if not, how they differ.
"""

import argparse
import collections
import concurrent.futures
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests/vm"))
import run  # noqa: E402


def said(tool, path, release):
    """What recommend says of one machine; None where it cannot be read."""
    with tempfile.TemporaryDirectory() as name:
        root = path
        if path.is_file():
            root = Path(name)
            (root / "dmesg").write_bytes(path.read_bytes())
            if release:
                (root / "proc/sys/kernel").mkdir(parents=True)
                (root / "proc/sys/kernel/osrelease").write_text(release + "\n")
        done = subprocess.run([tool, "recommend", "--json", "--root", root], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def is_efi(path):
    """Whether the machine was started by EFI, as its log says."""
    log = path if path.is_file() else path / "dmesg"
    return log.exists() and b"efi: EFI v" in log.read_bytes()


def kind(answer):
    if answer is None:
        return "not read"
    if answer["layout_reproduced"]:
        return "yes"
    return "not compared" if "cannot be compared" in answer["layout_differs"] else "no"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--releases", type=Path)
    parser.add_argument("--tool", type=Path, default=run.find_tool())
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    rows = [line.split("\t") for line in arguments.releases.read_text().splitlines()] if arguments.releases else []
    releases = {row[0]: row[2] for row in rows if len(row) > 2}
    paths = sorted(path for path in arguments.directory.iterdir() if path.name.startswith("dmesg") or path.is_dir())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(zip(paths, pool.map(lambda path: said(arguments.tool, path, releases.get(path.name)), paths)))
    counts = collections.defaultdict(collections.Counter)
    print("| machine | kernel | | explained | how it differs | recommended |\n|---|---|---|---|---|---|")
    for path, answer in answers.items():
        reserved = answer is not None and answer["reservation_bytes"] > 0
        firmware = "EFI" if is_efi(path) else "BIOS"
        counts[reserved, firmware][kind(answer)] += 1
        if reserved or (arguments.all and kind(answer) == "no"):
            print(f"| {path.stem} | {releases.get(path.name, '')} | {firmware} | {kind(answer)} | {answer['layout_differs'] or ''} | {answer['verdict']}"
                  f"{', ' + answer['crashkernel'] if answer['crashkernel'] else ''} |")
    for (reserved, firmware), kinds in sorted(counts.items(), reverse=True):
        print(f"{'with a' if reserved else 'without'} reservation, {firmware}: " + ", ".join(f"{name} {count}" for name, count in sorted(kinds.items())))


if __name__ == "__main__":
    main()
