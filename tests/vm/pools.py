#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How small a pool of its own still lets a crash kernel write its dump, from the boots of tests/vm/smallest-pool.table.

    tests/vm/run.py --matrix tests/vm/smallest-pool.table --out build/vm-pools    # boots
    tests/vm/pools.py build/vm-pools docs/smallest-pool.md                   # boots nothing: what the boots so far say

The document's text up to its first table stays as it is, and so does what stands from its next heading on.
"""

import json
import re
import sys
from pathlib import Path

import cells
import vm

HERE = Path(__file__).resolve().parent
FIRST = "| load | Linux | CPUs |"


def slabs_asked(cell):
    return int(re.search(r"swiotlb=(\d+)", cell.crash_words)[1])


def load_of(cell):
    return "light" if "lab.busy=" in cell.crash_words else "full"


def boots_of(directory, chosen):
    """[(cell, [result])] of the cells that were booted, in the table's order. A machine that was lost before it crashed says nothing."""
    done = {}
    for line in (directory / "results.jsonl").read_text().splitlines():
        result = json.loads(line)
        if result["status"] != "lost":
            done.setdefault((result["cell"], result["key"]), {})[result["boot"]] = result
    found = [(cell, list(done.get((cell.name, cell.key()), {}).values())) for cell in chosen]
    return [(cell, results) for cell, results in found if results]


def smallest(rows):
    """{(load, kernel, cpus): slabs}: the smallest pool with which each dump was written, as with each larger one that was tried; None where
    none was."""
    verdicts = {}
    for cell, results in rows:
        verdicts.setdefault((load_of(cell), cell.kernel, cell.crash_cpus), {})[slabs_asked(cell)] = all(written(one) for one in results)
    answer = {}
    for key, by_size in verdicts.items():
        answer[key] = None
        for slabs in sorted(by_size, reverse=True):
            if not by_size[slabs]:
                break
            answer[key] = slabs
    return answer


def written(result):
    return result["facts"]["dump"] == "ok"


def spread(values):
    """'' of nothing, '5' of equal ones, else '5 to 7'."""
    known = sorted(value for value in values if value is not None)
    return "" if not known else f"{known[0]}" if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def row(cell, results):
    facts = [one["facts"] for one in results]
    pools = spread([(one["observed"][1] - one["observed"][0]) >> 11 if one["observed"] else 0 for one in facts])
    return [load_of(cell), results[0]["versions"]["kernel"], str(cell.crash_cpus), str(slabs_asked(cell)), pools,
            f"{sum(map(written, results))} of {len(results)}", spread([one["pool_full"] for one in facts]),
            spread([one["slabs_used_at_most"] or None for one in facts if one["dump"] == "ok"]),
            spread([one["dump_seconds"] and round(one["dump_seconds"]) for one in facts])]


def tables(rows):
    yield f"{FIRST} smallest pool with which each dump was written |"
    yield "|---|---|--:|---|"
    versions = {cell.kernel: results[0]["versions"]["kernel"] for cell, results in rows}
    for (load, kernel, cpus), slabs in smallest(rows).items():
        yield f"| {load} | {versions[kernel]} | {cpus} | {f'{slabs} slabs, {slabs >> 9} MiB' if slabs else 'none of those tried'} |"
    yield ""
    yield "| load | Linux | CPUs | `swiotlb=` | slabs of its pool | dumps written | full | slabs in use at most | dump in s |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    yield from ("| " + " | ".join(row(cell, results)) + " |" for cell, results in rows)
    yield ""
    for name in ("kexec-tools", "makedumpfile"):
        yield f"- {name} " + ", ".join(sorted({one["versions"][name] for _, results in rows for one in results}))
    yield f"- the crash kernel's words besides: `{vm.BASE_WORDS.format(cpus='CPUs')}`"


def into(document, lines):
    """The document with these tables instead of those that it has."""
    text, _, rest = document.partition(FIRST)
    following = re.search(r"(?m)^## ", rest)
    return text.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n" + (f"\n{rest[following.start():]}" if following else "")


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    path = Path(argv[2])
    table = HERE / "smallest-pool.table"
    rows = boots_of(Path(argv[1]), cells.parse(table.read_text(), table.name))
    path.write_text(into(path.read_text(), list(tables(rows))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
