# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of cells: one line, one virtual machine.

    name | machine | first kernel's words | load | expectation | tags

A line that starts with '#' or is empty says nothing. Each column holds words separated by blanks, in any order; what is
left out has the default. See COLUMNS for the words.
"""

import dataclasses
import hashlib
import json
import random
import re


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    # The machine.
    kernel: str = "6.1"  # 5.10, 6.1, 6.12, 7.3 or newest (of Debian unstable, 7.2); patched-6.1, patched-6.12 or patched-newest (7.3), with the patches of kernel/
    firmware: str = "seabios"  # or ovmf
    plug: str = ""  # a device that is plugged in once the crash kernel is loaded
    iommu: str = ""  # or intel
    external: str = ""  # or external: a device behind a port that ACPI says leads out of the machine
    machine: str = "q35"  # 2 GiB of RAM lie below 4 GiB; with pc it is 3 GiB
    memory: str = "3G"
    cpus: int = 2
    nodes: int = 1  # NUMA nodes, of equal size
    # The first kernel.
    words: str = ""  # crashkernel=, swiotlb=, memmap= ...
    shrink: str = ""  # what to write to /sys/kernel/kexec_crash_size before anything else; tool: load, then let the tool do it
    # The load.
    loader: str = "kexec_load"  # or kexec_file_load, or auto
    lend: str = ""  # or lend: the kdump configuration asks for it, and has makedumpfile save the dump
    refuse: str = ""  # after a load with the handoff something refuses it, and the crash kernel is loaded again: log, word, accept, update or kexec
    by: str = "kexec"  # or wrapper: 'swiotlb-handoff kexec' loads; or moved: it runs a kexec that puts a handoff elsewhere; or window: during kexec's work the plugged device's driver comes; or next: no crash, ordinary kexecs one after the other (next_kernels.py)
    crash_kernel: str = ""  # what is loaded is another kernel than the first; empty: the same
    initrd: str = "small"  # or 60M: padded with zeros, which the kernel skips when it unpacks; or squash: nearly all of it in one packed file system
    kexec: str = "2.0.25"  # or newest
    crash_words: str = "swiotlb=force"  # on the crash kernel's command line besides BASE_WORDS
    crash_cpus: int = 1  # nr_cpus= of the crash kernel
    trigger: str = ""  # more of them, which are what the cell is about: where they are refused, the words that are right without them are forced
    acpi: str = ""  # the size of an ACPI table in an uncompressed cpio archive in front of the crash kernel's initrd; a trigger, too
    # What happens and what should come of it.
    method: str = ""  # what --method says; empty: nothing
    first_says: str = ""  # words that the log of the first kernel must have
    crash_says: str = ""  # and that of the crash kernel
    mode: str = "handoff"  # the tool decides; or naive: its words by rote; or plain: nothing handed over
    expect: str = "ready"  # the tool's verdict: ready, refused, not-needed, or either (whatever it says must be right)
    dump: str = "ok"  # ok, lost or any; none: the boot ends once the crash kernel has said where its pool is
    boots: int = 3
    tags: tuple = ()

    @property
    def loaded_kernel(self):
        return self.crash_kernel or self.kernel

    def key(self):
        """Identifies everything that could change the result, so that --resume never mixes two definitions."""
        # Without the fields that came later where they say nothing new, so that results from before them still count.
        later = {"by": "kexec", "method": "", "first_says": "", "crash_says": "", "lend": "", "plug": "", "iommu": "", "external": "", "trigger": "", "acpi": "", "crash_cpus": 1, "refuse": "", "crash_kernel": ""}
        fields = {k: v for k, v in dataclasses.asdict(self).items()
                  if k not in ("boots", "tags", "expect", "dump") and later.get(k) != v}
        if self.dump == "none":
            fields["dump"] = self.dump
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


# In every column a word is either one of these, or key=value with a key of that column.
COLUMNS = [
    ("machine", {"5.10": "kernel", "6.1": "kernel", "6.12": "kernel", "newest": "kernel", "7.3": "kernel",
                 "patched-6.1": "kernel", "patched-6.12": "kernel", "patched-newest": "kernel", "seabios": "firmware",
                 "ovmf": "firmware", "q35": "machine", "pc": "machine", "machine": "machine", "cpus": "cpus", "nodes": "nodes",
                 "iommu": "iommu", "external": "external", "plug": "plug"}),
    ("words", None),
    ("load", {"-c": "loader", "-s": "loader", "-a": "loader", "lend": "lend", "wrapper": "by", "moved": "by", "window": "by", "next": "by", "small": "initrd", "60M": "initrd", "squash": "initrd", "kexec-2.0.25": "kexec",
              "kexec-newest": "kexec", "shrink": "shrink", "refuse": "refuse", "method": "method", "acpi": "acpi",
              "crash-cpus": "crash_cpus", "crash-kernel": "crash_kernel"}),
    ("expectation", {"ready": "expect", "refused": "expect", "not-needed": "expect", "either": "expect",
                     "naive": "mode", "plain": "mode", "dump": "dump", "lost": "dump", "any": "dump", "none": "dump",
                     "boots": "boots", "first-says": "first_says", "crash-says": "crash_says"}),
    ("tags", None),
]
MEANING = {"-c": "kexec_load", "-s": "kexec_file_load", "-a": "auto", "kexec-2.0.25": "2.0.25", "kexec-newest": "newest", "dump": "ok"}


def parse(text, source="matrix"):
    """All cells of a table. Raises ValueError with the line and what was expected."""
    cells = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            for cell in expand(parse_line(line)):
                if cell.name in cells:
                    raise ValueError(f"a second cell named {cell.name}")
                cells[cell.name] = cell
        except ValueError as problem:
            raise ValueError(f"{source}:{number}: {problem}") from None
    return list(cells.values())


def parse_line(line):
    columns = [column.strip() for column in line.split("|")]
    if len(columns) != 6:
        raise ValueError(f"expected 6 columns, found {len(columns)}")
    name = columns[0]
    if not re.fullmatch(r"[a-z0-9.+@_-]+", name):
        raise ValueError(f"expected a name, found '{name}'")
    fields = {"name": name, "words": columns[2], "tags": tuple(columns[5].split())}
    for (title, known), column in zip(COLUMNS, columns[1:]):
        if known is None:
            continue
        for word in column.split():
            key, _, value = word.partition("=")
            if title == "machine" and re.fullmatch(r"\d+[MG]", word):
                fields["memory"] = word
            elif title == "load" and key == "crash":
                # Words for the crash kernel, instead of swiotlb=force; crash=none for no word at all.
                fields["crash_words"] = "" if value == "none" else value.replace("+", " ")
            elif title == "load" and key == "trigger" and value:
                fields["trigger"] = value.replace("+", " ")
            elif key in ("first-says", "crash-says") and value:
                fields[known[key]] = value.replace("+", " ")
            elif value and key in known:
                fields[known[key]] = int(value) if known[key] in ("cpus", "nodes", "boots", "crash_cpus") else value
            elif word in known and not value:
                fields[known[word]] = MEANING.get(word, word)
            else:
                raise ValueError(f"column {title}: expected one of {' '.join(known)}, found '{word}'")
    if fields.get("mode", "handoff") != "handoff":
        fields.setdefault("expect", "")
    return Cell(**fields)


def expand(cell):
    """The tag 'twin' adds the same machine without a handoff, booted once, to compare what memory is left."""
    yield cell
    if "twin" in cell.tags:
        yield dataclasses.replace(cell, name=cell.name + "+plain", mode="plain", expect="", dump="any", boots=1,
                                  tags=("plain-twin",))


# Words that a crash kernel reads before its pool is made, and boots with: they take memory, or nothing, or change page tables.
EARLY_WORDS = ["log_buf_len=1M", "log_buf_len=3M", "log_buf_len=4M log_buf_len=1K", "dhash_entries=65536", "dhash_entries=99999999",
               "ihash_entries=99999999", "slub_debug", "slub_debug=FZPU", "slab_debug=U", "initcall_blacklist=a,b,c", "nohz_full=1",
               "rcu_nocbs=0-3", "irqaffinity=0", "isolcpus=1", "nr_cpus=2", "nr_cpus=4", "possible_cpus=2", "kfence.sample_interval=100",
               "memory_corruption_check=1", "nopti", "nopcid", "no5lvl", "nogbpages", "nopat", "movable_node", "cma=0", "numa=off",
               "memtest=0", "hugepages=4", "hugepagesz=2M hugepages=2", "hashdist=1", "noinvpcid", "mitigations=off"]


def random_cells(seed, count):
    """Machines nobody thought of: holes cut into low memory at random, any C, pool, kernel and loader, words on the crash
    kernel's line, an ACPI table in front of its initrd. Whatever the tool says must be right. The lowest 768 MiB stay whole, so that a reservation is always possible. Half of those that do not
    boot by UEFI get their whole map from the command line (memmap=exactmap), the others only the holes."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        kernel = dice.choice(["5.10", "6.1", "6.12", "newest", "7.3"])
        smallest = 128 if kernel in ("5.10", "6.1") else 160
        size = dice.choice([smallest, 192, 256, dice.randrange(smallest, 513, 16)])
        slabs = dice.choice([16384, 32768, 32768, 65536, 131072])
        if dice.random() < 0.4:
            low = dice.choice(["0", "16M", "32M", "72M", None])
            words = [f"crashkernel={size}M,high"] + ([f"crashkernel={low},low"] if low else [])
        else:
            words = [f"crashkernel={size}M"]
        words.append(f"swiotlb={slabs},force")
        holes = []
        for _ in range(dice.randrange(0, 6)):
            hole = dice.choice([4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20])
            holes.append((dice.randrange(768 << 20, (2 << 30) - hole - (8 << 20), 4 << 10), hole))
        firmware = dice.choice(["seabios", "seabios", "ovmf"])
        if firmware == "seabios" and dice.random() < 0.5:
            words.append("memmap=exactmap memmap=632K@4K " +
                         " ".join(f"memmap={(end - start) >> 10}K@{start:#x}" for start, end in without(holes, 1 << 20, 0x7ff00000)) +
                         " memmap=1G@4G")
        else:
            words += [f"memmap={size >> 10}K${start:#x}" for start, size in holes]
        loader = dice.choice(["kexec_load", "kexec_file_load"])
        # With -d, kexec-tools 2.0.32 asks kexec_file_load for messages by a flag that Linux before 6.8 refuses.
        kexec = "2.0.25" if kernel in ("5.10", "6.1") and loader == "kexec_file_load" else dice.choice(["2.0.25", "newest"])
        early = dice.sample(EARLY_WORDS, dice.choice([0, 1, 1, 2, 3]))
        yield Cell(name=f"random-{seed}-{number}", kernel=kernel, firmware=firmware, words=" ".join(words), loader=loader,
                   crash_words=" ".join(["swiotlb=force", *early]), acpi=dice.choice(["", "", "", "64K", "1M"]),
                   kexec=kexec, initrd=dice.choice(["small", "small", "60M"]) if size >= 192 else "small", expect="either", boots=1,
                   tags=("random",))


def without(holes, start, end):
    """[start, end) without the holes (start, size): a list of (start, end)."""
    left = []
    for hole, size in sorted(holes):
        if hole > start:
            left.append((start, min(hole, end)))
        start = max(start, hole + size)
    if start < end:
        left.append((start, end))
    return left
