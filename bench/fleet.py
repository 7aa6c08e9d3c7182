#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fleets to measure audit with, made of the captured machines in fixtures/.

    bench/fleet.py captures 100000 >fleet.tar       so many machines, no two alike, in one archive
    bench/fleet.py reports 8 15 DIR                 so many sosreports of about 15 MB each, packed by xz, in DIR

Each machine of an archive is a fixture with one more line in its log. A report has a machine's files, and beside them what
makes reports large: logs whose lines are made by chance, in the manner of real ones, as many as it takes.
"""
import argparse
import io
import lzma
import os
import random
import sys
import tarfile
from pathlib import Path

MACHINES = Path(__file__).resolve().parent.parent / "fixtures/machines"


def captured():
    """The files of each machine that an audit can read."""
    found = []
    for machine in sorted(MACHINES.iterdir()):
        files = {str(path.relative_to(machine)): path.read_bytes() for path in sorted(machine.rglob("*")) if path.is_file() and "expected" not in path.parts}
        files = {name: content for name, content in files.items() if not name.endswith((".md", ".json", "request"))}
        if "dmesg" in files:
            found.append(files)
    return found


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def another(files, number):
    """The same machine at another boot."""
    log = files["dmesg"]
    return {**files, "dmesg": log + f"[   99.{number % 1000000:06}] host-{number}: up\n".encode()}


def captures(count, out):
    machines = captured()
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for i in range(count):
            for name, content in another(machines[i % len(machines)], i).items():
                add(tar, f"host-{i:06}/{name}", content)


def chatter(dice, size):
    """Lines of a journal, of which xz makes about an eighth."""
    units = [f"service-{dice.randrange(10**6):x}" for _ in range(200)]
    words = ["started", "stopped", "reloading", "connection from", "timed out", "session opened", "request", "queue", "latency", "usec", "bytes", "ok", "failed"]
    lines, length, second = [], 0, 0
    while length < size:
        second += dice.randrange(3)
        line = (f"Mar {1 + second // 86400 % 28:2} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} host {dice.choice(units)}[{dice.randrange(400, 32768)}]: "
                f"{' '.join(dice.choice(words) for _ in range(dice.randrange(3, 9)))} {dice.getrandbits(28):x}\n")
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def report(files, number, megabytes, path):
    dice = random.Random(number)
    with lzma.open(path, "wb", preset=1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        top = f"sosreport-host-{number:03}"
        for name, content in sorted(another(files, number).items()):
            add(tar, f"{top}/{'sos_commands/kernel/dmesg' if name == 'dmesg' else name}", content)
        # Many small files, as reports have, then logs until the size is there.
        for i in range(5000):
            add(tar, f"{top}/sos_commands/process/{i:05}", chatter(dice, dice.randrange(200, 4000)))
        logs = 0
        while os.path.getsize(path) < megabytes * 10**6:
            add(tar, f"{top}/var/log/messages-{logs:03}", chatter(dice, 4 * 2**20))
            logs += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("captures")
    one.add_argument("count", type=int)
    many = kinds.add_parser("reports")
    many.add_argument("count", type=int)
    many.add_argument("megabytes", type=int)
    many.add_argument("directory")
    arguments = parser.parse_args()
    if arguments.kind == "captures":
        captures(arguments.count, sys.stdout.buffer)
        return
    machines = captured()
    os.makedirs(arguments.directory, exist_ok=True)
    for i in range(arguments.count):
        report(machines[i % len(machines)], i, arguments.megabytes, os.path.join(arguments.directory, f"sosreport-host-{i:03}.tar.xz"))


if __name__ == "__main__":
    main()
