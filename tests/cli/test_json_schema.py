#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands print with --json is what schema/ describes: no more, no less."""
import atexit
import copy
import functools
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

from harness import READY, Crashed, Tree, archive, machines, run, tool, top, verify

sys.path.insert(0, os.path.join(top, "tests/kexec"))
import faults  # noqa: E402
import test_reserve  # noqa: E402

schemas = pathlib.Path(top, "schema")
fake_kexec = os.environ.get("FAKE_KEXEC", os.path.join(os.path.dirname(os.path.dirname(tool)), "tests/fake-kexec"))
names = sorted(name for name in os.listdir(machines) if os.path.isdir(os.path.join(machines, name)))

# What no document here has: what is seen after all has to go from this list.
UNSEEN = {
    # Only the running machine's boot loader is changed; tests/debian does it.
    "reserve.ran", "reserve.boot_entries", "reserve.boot_entries.entries_as_asked", "reserve.boot_entries.entries_otherwise", "reserve.boot_entries.entries_without",
    "status.reserved.state=unknown",  # a machine that cannot be read; reserve_test has it
    "common.source=user",  # --pool, which show does not take
    "common.method=auto",  # a plan has decided
    "common.segment.name=",  # such a load is not taken for the planned one, and is made anew
    # No captured machine is refused for these; placement_test has them.
    "plan.counterexample.kind=not-ram", "plan.counterexample.kind=slides-up", "plan.counterexample.kind=eaten-low",
}


# --- the schemas


@functools.cache
def schema(name):
    """With what common.json defines inside, so that any version of the validator finds it."""
    text = (schemas / f"{name}.json").read_text(encoding="utf-8")
    whole = json.loads(text.replace("common.json#/$defs/", "#/$defs/common."))
    common = json.loads((schemas / "common.json").read_text(encoding="utf-8").replace("#/$defs/", "#/$defs/common."))
    whole.setdefault("$defs", {}).update({f"common.{key}": value for key, value in common["$defs"].items()})
    return whole


@functools.cache
def validator(name):
    jsonschema.Draft202012Validator.check_schema(schema(name))
    return jsonschema.Draft202012Validator(schema(name))

# A captured machine of which nothing is known.
nothing = tempfile.mkdtemp()
atexit.register(shutil.rmtree, nothing)
os.mkdir(os.path.join(nothing, "proc"))


def problems(document):
    """Of a document, by the schema of the command that it names."""
    command = document.get("command")
    if not (schemas / f"{command}.json").exists():
        return [f"there is no schema for '{command}'"]
    return [f"{error.json_path}: {error.message}" for error in validator(command).iter_errors(document)]


def described(name):
    """Every object of a schema file: (what it is called, its schema)."""
    whole = json.loads((schemas / f"{name}.json").read_text(encoding="utf-8"))
    if "properties" in whole:
        yield name, whole
    for key, one in whole.get("$defs", {}).items():
        yield f"{name}.{key}", one


def allowed(place, one):
    """What a schema allows: each property as 'place.property', each word of an enum as '…=word'."""
    for word in one.get("enum", ()):
        yield f"{place}={word}"
    for key, value in one.get("properties", {}).items():
        yield f"{place}.{key}"
        yield from allowed(f"{place}.{key}", value)


def seen_in(document):
    """What of it a document has: a property that is neither null nor empty, a word."""
    seen = set()

    def walk(place, one, value):
        if "$ref" in one:
            key = one["$ref"].removeprefix("#/$defs/")
            return walk(key if key.startswith("common.") else f"{document['command']}.{key}", schema(document["command"])["$defs"][key], value)
        if "anyOf" in one:
            return None if value is None else walk(place, one["anyOf"][0], value)
        if "enum" in one:
            seen.add(f"{place}={value}")
        for key, inner in one.get("properties", {}).items():
            if value[key] not in (None, "", []):
                seen.add(f"{place}.{key}")
            walk(f"{place}.{key}", inner, value[key])
        if "items" in one:
            for each in value:
                walk(place, one["items"], each)
        return None
    walk(document["command"], schema(document["command"]), document)
    return seen


def shape(value):
    """Of a property, without what is said of it and whether it may be null."""
    value = {key: what for key, what in (value["anyOf"][0] if "anyOf" in value else value).items() if key not in ("description", "minimum")}
    if isinstance(value.get("type"), list):
        value["type"] = value["type"][0]
    return json.dumps(value, sort_keys=True).replace("common.json#", "#").replace(", null]", "]")


def commands():
    return re.findall(r"^  ([a-z0-9]+) ", run("--help").out, re.M)


def with_json():
    return [command for command in commands() if "--json" in run(command, "--help").out]


# --- documents of every kind


def printed(command, *arguments):
    """The documents that a command prints: one or none, of audit one a line."""
    out = run(command, "--json", *arguments).out
    return [json.loads(text) for text in (out.splitlines() if command == "audit" else [out]) if text]


def of_the_machines():
    """What is said of each captured machine."""
    for name in names:
        root = ("--root", os.path.join(machines, name))
        for command in (("show",), ("plan",), ("plan", "--lend"), ("plan", "--loader", "kexec_load"), ("cmdline",), ("e820",), ("e820", "--before"), ("map",),
                        ("recommend",), ("recommend", "--lend"), ("shrink", "--dry-run"), ("status",), ("verify",), ("check",), ("check", "--place")):
            for document in printed(*command, *root):
                yield f"{' '.join(command)} of {name}", document
    yield from (("audit", document) for document in printed("audit", machines, "/no/such/directory"))


def ready_words(name):
    """A machine whose plan is ready: its root, the loader, the whole command line."""
    root = os.path.join(machines, name)
    words = ("--root", root, "--loader", "kexec_load", "--command-line", "console=ttyS0 reset_devices nr_cpus=1 irqpoll")
    (plan,) = printed("plan", *words)
    assert plan["verdict"] == "ready", plan["reasons"]
    return root, plan


def of_checks():
    root, plan = ready_words("debian-6.1-kexec-load")
    line = f"{plan['base']} {plan['append']}"
    yield from (("check", one) for one in printed("check", "--root", nothing, "--command-line", line))
    idle = os.path.join(machines, "kvm-low-512M")  # its crash kernel makes no pool
    unused = "reset_devices nr_cpus=1 swiotlb=32768 memmap=64M@0x56000000 swiotlb_handoff=0x56000000-0x5a000000"
    yield from (("check of what is not needed", one) for one in printed("check", "--root", idle, "--command-line", unused))
    yield from (("check --place", one) for one in printed("check", "--root", root, "--loader", "kexec_load", "--place", "--command-line", line))
    lent = f"nr_cpus=1 memmap=64M@0x56000000 swiotlb_lent=0x56000000-0x5a000000"
    yield from (("check of a loan", one) for one in printed("check", "--root", nothing, "--command-line", lent))


def of_crash_kernels():
    """verify, where it would run: the promise on the command line, and what the kernel has."""
    for name, words in (("debian-6.1-kexec-load", "swiotlb_handoff=0x71000000-0x75000000"), ("debian-6.1-kexec-load", "swiotlb_handoff=0x60000000-0x64000000"),
                        ("debian-6.1-kexec-load", "swiotlb_lent=0x71000000-0x75000000"), ("debian-6.1-kexec-load", "ro"),
                        ("synthetic-no-swiotlb-force", "swiotlb_handoff=0x60000000-0x64000000")):
        with Tree(name) as tree:
            tree.write("proc/cmdline", words.encode() + b"\n")
            yield from ((f"verify {words}", one) for one in printed("verify", "--root", tree.root))
    with Tree("debian-6.1-kexec-load") as tree:
        tree.write("proc/cmdline", b"nr_cpus=1 swiotlb=32768,force memmap=64M@0x71000000 swiotlb_handoff=0x71000000-0x75000000\n")
        yield from (("check in a crash kernel", one) for one in printed("check", "--root", tree.root))
    with Tree() as tree:
        tree.write("proc/iomem", b"00100000-0fffffff : System RAM\n")
        tree.write("dmesg", b"[    0.000000] Linux version 6.1.0 (x) (gcc) #1 SMP\n")
        for words in ("swiotlb_lent=0x400000-0x800000", "swiotlb_handoff=0x400000-0x800000"):
            tree.write("proc/cmdline", words.encode() + b"\n")
            yield from ((f"verify {words}", one) for one in printed("verify", "--root", tree.root))


def lending(tree):
    """Makes of the machine one whose idle pool can be lent."""
    tree.write("sys/kernel/debug/swiotlb/io_tlb_used_hiwater", b"0\n")
    tree.write("sys/kernel/debug/swiotlb/io_tlb_used", b"0\n")
    tree.write("swiotlb-handoff/pool-traces", b"pool: 0x56000000-0x5a000000\nareas: 1\nmoved-areas: 0\nslabs-used: 0\nblank-bytes: 67108864\n")
    for directory in ("sys/bus/pci/devices", "sys/bus/platform/devices", "sys/kernel/iommu_groups"):
        os.makedirs(tree.path(directory))


def of_device_pools():
    """A crash kernel that pools of single devices were handed to."""
    with Tree("synthetic-device-pools") as tree:
        tree.write("proc/cmdline", b"memmap=64M@0x71000000,1M@0x40000000,1M@0x50000000 swiotlb_handoff=0x71000000-0x75000000 swiotlb_dev=512,addr=0x40000000,00:04.0 "
                                   b"swiotlb_dev=512,addr=0x50000000,00:1c.0;pci:1b36:0010\n")
        yield from (("verify of device pools", one) for one in printed("verify", "--root", tree.root))


def of_loans():
    with Tree("kvm-low-512M") as tree:
        lending(tree)
        for command in (("show",), ("plan", "--lend", "--loader", "kexec_load", "--collector", "mmap"), ("recommend", "--lend", "--loader", "kexec_load", "--collector", "mmap"),
                        ("audit", tree.root)):
            root = () if command[0] == "audit" else ("--root", tree.root)
            yield from ((" ".join(command), one) for one in printed(*command, *root))


def of_devices():
    with Tree("debian-6.12-high-no-low") as tree:
        tree.write("sys/bus/pci/devices/0000:00:1f.2/uevent", b"DRIVER=ahci\nPCI_CLASS=10601\n")
        for bits in ("dma_mask_bits", "consistent_dma_mask_bits"):
            tree.write(f"sys/bus/pci/devices/0000:00:1f.2/{bits}", b"32\n")
        yield from (("recommend with a device", one) for one in printed("recommend", "--root", tree.root))


def of_last_crashes():
    with Tree("dell-r6515-high") as tree:
        log = ("Linux version 6.1.0 (x)\nCommand line: ro elfcorehdr=1K\n{}"
               "software IO TLB: mapped [mem 0x0000000032000000-0x0000000035ffffff] (64MB)\nOut of memory: Killed process 9 (x)\n"
               "software IO TLB: No low mem\nswiotlb buffer is full\nInitramfs unpacking failed: write error\npage allocation failure: order:5\n")
        for more in ("", "Memory: 98304K/262144K available (1K kernel code)\nsmpboot: Allowing 8 CPUs, 0 hotplug CPUs\n"):
            tree.write("console", log.format(more).encode())
            yield from (("recommend after a crash", one) for one in printed("recommend", "--root", tree.root, "--crash-log", tree.path("console")))
        tree.write("dmesg", tree.read("dmesg") + log.format("").encode())
        yield from (("recommend of a serial console", one) for one in printed("recommend", "--root", tree.root))


def of_initrds():
    """What the crash kernel needs of one that has a packed root, with several CPUs and a root file system of tmpfs."""
    with Tree("debian-6.12-high-no-low") as tree:
        tree.write("initrd", archive((b"squash-root.img", b"hsqs" + bytes(8192)), (b"init", b"#!/bin/sh")))
        yield from (("recommend with an initrd", one) for one in printed("recommend", "--root", tree.root, "--initrd", tree.path("initrd"), "--command-line", "nr_cpus=4"))


def of_crashes():
    """What verify saw of a crash kernel's memory, and what recommend makes of it."""
    with Crashed() as tree:
        tree.dump()
        tree.dump("202611210305", release="5.10.0")
        yield from (("recommend after a crash that was watched", one) for one in printed("recommend", "--root", tree.root))
    with Tree() as tree:
        for name, text in (("meminfo", "MemTotal: 9000 kB\nMemFree: 8000 kB\nMemAvailable: 7000 kB\n"), ("cmdline", "ro\n"), ("sys/kernel/osrelease", "6.1.0\n"),
                           ("iomem", "00001000-0fffffff : System RAM\n"), ("vmstat", "oom_kill 1\n"), ("vmcore", "x" * 5000), ("70/cmdline", "makedumpfile\0"),
                           ("70/io", "wchar: 5000\n"), ("70/stat", f"70 (x) {'0 ' * 19}1 0\n")):
            tree.write(f"proc/{name}", text.encode())
        for name, text in (("io_tlb_nslabs", "32768\n"), ("io_tlb_used", "7\n")):
            tree.write(f"sys/kernel/debug/swiotlb/{name}", text.encode())
        for name in ("possible", "online"):
            tree.write(f"sys/devices/system/cpu/{name}", b"0\n")
        for directory, link, target in (("proc/1", "root", "../.."), ("proc/70/fd", "3", "/proc/vmcore")):
            os.makedirs(tree.path(directory))
            os.symlink(target, tree.path(f"{directory}/{link}"))
        subprocess.run([verify, "--watch", tree.path("memory"), "--proc", tree.path("proc"), "--interval", "1", "--looks", "4"], check=True)
        yield "what verify saw", json.loads(tree.read("memory"))


def of_services():
    for script, config in (("usr/sbin/kdump-config", "etc/default/kdump-tools"), ("usr/bin/kdumpctl", "etc/sysconfig/kdump"), ("usr/lib/kdump/load.sh", "etc/sysconfig/kdump")):
        with Tree("debian-6.1-kexec-load") as tree:
            tree.write(script, b"#!/bin/sh\n. /" + config.encode() + b"\n")
            tree.write(config, b"USE_KDUMP=1\n")
            tree.install_handoff()
            for command in ("status", "enable", "enable", "status", "disable", "disable"):
                yield from ((f"{command} with {script}", one) for one in printed(command, "--root", tree.root))


def of_reservations():
    """What is set for the next boot, and what that boot then has."""
    boots = (("pending", lambda tree, words: None), ("otherwise", lambda tree, words: tree.boots("crashkernel=1M")), ("smaller", lambda tree, words: (tree.boots(words), tree.reserves("=16M"))),
             ("failed", lambda tree, words: (tree.boots(words), tree.reserves_nothing())))
    with test_reserve.Debian() as tree:
        tree.write("etc/default/kdump-tools", b"KDUMP_CMDLINE_APPEND=nr_cpus=1\n")
        (asked,) = printed("reserve", "--root", tree.root)
        yield "reserve", asked
        for what, boot in boots:
            boot(tree, asked["crashkernel"])
            yield from ((f"status of a boot that is {what}", one) for one in printed("status", "--root", tree.root))
        yield from (("reserve --undo", one) for one in printed("reserve", "--undo", "--root", tree.root))
    with test_reserve.Debian() as tree:
        (asked,) = printed("reserve", "--root", tree.root)
        tree.boots(asked["crashkernel"])
        tree.reserves(asked["crashkernel"])
        yield from (("status of a boot that is as asked", one) for one in printed("status", "--root", tree.root))
    with test_reserve.Debian("synthetic-sev-guest") as tree:
        yield from (("reserve where nothing is recommended", one) for one in printed("reserve", "--root", tree.root))
    with test_reserve.Debian() as tree:
        tree.remove("usr/sbin/kdump-config")
        tree.remove("etc/default/kdump-tools")
        test_reserve.service(tree, "usr/bin/kdumpctl", "etc/sysconfig/kdump")
        tree.write("etc/kdump.conf", b"path /var/crash\n")
        yield from (("reserve by hand", one) for one in printed("reserve", "--root", tree.root))


def of_loads():
    """Records of loads, and what status says of them."""
    with tempfile.TemporaryDirectory(prefix="handoff-schema-") as home:
        lab = faults.Lab(tool, fake_kexec, pathlib.Path(machines), home)
        for what, caller, fake in (("as planned", (), {}), ("without a report", (), {"report": "/dev/null"}), ("by the file", (), {}),
                                   ("without a plan", ("-p", "-c", "--append=ro", "/no/such/vmlinuz"), {})):
            lab.fresh()
            lab.run(*(["-s" if word == "-c" else word for word in lab.caller] if what == "by the file" else caller), **fake)
            record = lab.record()
            assert record, what
            yield f"the record of a load {what}", record
            for loaded in ("1\n", "0\n"):
                (lab.root / "sys/kernel/kexec_crash_loaded").write_text(loaded)
                yield from ((f"status of a load {what}", one) for one in printed("status", "--root", lab.root))
        lab.run(*lab.small(), handoff="fail")
        assert lab.record()["outcome"] == "own-pool", lab.record()
        yield "the record of a load with a smaller pool", lab.record()
        yield from (("status of a load with a smaller pool", one) for one in printed("status", "--root", lab.root))
        yield from (("recommend for a load with a smaller pool", one) for one in printed("recommend", "--root", lab.root))
        lab.fresh()
        lab.run()
        path = lab.root / "run/swiotlb-handoff/record.json"
        (lab.root / "sys/kernel/kexec_crash_loaded").write_text("1\n")
        path.write_text(json.dumps({**lab.record(), "lent": True}))
        yield from (("status with a record of a loan", one) for one in printed("status", "--root", lab.root))
        lab.run()
        subprocess.run([fake_kexec, "-p", "--append=swiotlb_handoff=0x60000000-0x64000000", "x"], check=True, capture_output=True,
                       env=lab.environment())
        yield from (("status of a load for another pool", one) for one in printed("status", "--root", lab.root))
    with Tree("debian-6.1-kexec-load") as tree:
        tree.write("sys/kernel/kexec_crash_loaded", b"1\n")
        yield from (("status without a record", one) for one in printed("status", "--root", tree.root))


class Shrinking(Tree):
    """A machine whose reservation can be made smaller, with a kexec and a loader that are scripts."""

    def __init__(self):
        super().__init__("debian-7.3-high-default-low")
        start, end = (int(n, 16) for n in self.read("proc/iomem").decode().split(" : Crash kernel")[-2].split("\n")[-1].split("-"))
        self.size = self.path("sys/kernel/kexec_crash_size")
        self.write("sys/kernel/kexec_crash_size", f"{end + 1 - start}\n".encode())
        self.write("sys/kernel/kexec_crash_loaded", b"1\n")
        self.write("initrd", b"")
        os.truncate(self.path("initrd"), 4 << 20)
        self.write("segments", b"segment[0].mem   = 0x50000000\nsegment[0].memsz = 0x2000\n")
        self.write("log", b"")
        pool = json.loads(run("show", "--json", "--root", self.root).out)["pool"]
        self.promised = {key: pool[key] for key in ("start", "end")}
        self.words = f"swiotlb=32768 swiotlb_handoff={pool['start']}-{pool['end']}"
        subprocess.run(self.loads("nr_cpus=1 " + self.words), shell=True, check=True, capture_output=True)
        self.record("handoff", "0")

    def loads(self, line):
        """What makes this a machine with a crash kernel loaded that will read this line: for a shell."""
        return f"FAKE_LOG={self.path('log')} FAKE_ROOT={self.root} FAKE_SEGMENTS={self.path('segments')} {fake_kexec} -p '--append={line}' vmlinuz"

    def record(self, outcome, time, path="run/swiotlb-handoff/record.json"):
        empty = {"entries": []}
        self.write(path, json.dumps({
            "schema": 2, "command": "kexec", "outcome": outcome, "why": "", "tool": "0.1.0", "time": time, "release": "", "kexec_tools": "", "verdict": None,
            "reasons": [], "loader": "auto", "method": "ram", "kernel": "", "initrd": "", "command_line": "nr_cpus=1 " + self.words, "append": self.words, "pool": None, "promised": self.promised,
            "lent": False, "fences": [], "segments": [], "segments_reported": False, "elfcorehdr": None, "rsdp_address": None, "before": empty, "after": empty}).encode())

    def script(self, name, text):
        self.write(name, f"#!/bin/sh\ncd {self.root}\n{text}\n".encode())
        os.chmod(self.path(name), stat.S_IRWXU)
        return self.path(name)

    def shrink(self, unload="", load="", *more):
        kexec = self.script("kexec", f"echo 0 >sys/kernel/kexec_crash_loaded; {unload}")
        loader = self.script("load", load)
        return printed("shrink", "--root", self.root, "--margin", "0", "--initrd", self.path("initrd"), "--kexec", kexec, *more, "--", loader)


def of_shrinks():
    for what, unload, load, line in (("done", "", "", "nr_cpus=1 {}"), ("without-handoff", "", "", "nr_cpus=1"), ("not-loaded", "", "exit 1", ""),
                                     ("restored", "rm sys/kernel/kexec_crash_size; mkdir sys/kernel/kexec_crash_size", "", "nr_cpus=1 {}")):
        with Shrinking() as tree:
            (document,) = tree.shrink(unload, f"{load}\n{tree.loads(line.format(tree.words))}")
            assert document["outcome"] == what, document
            yield f"shrink: {what}", document
    with Shrinking() as tree:
        tree.remove("run/swiotlb-handoff/record.json")
        yield from (("shrink: unchanged", one) for one in tree.shrink())
        yield from (("shrink --to 8M", one) for one in tree.shrink("", "", "--to", "8M"))


def of_crash_tests():
    """A crash on purpose: before it, after it with each outcome, and the report."""
    import test_crash_test
    after = (("not-crashed", lambda tree: None), ("dump-written", lambda tree: (tree.dumps(), tree.boots("b"))), ("no-dump", lambda tree: tree.boots("b")),
             ("pool-elsewhere", lambda tree: (tree.dumps(verdict=b"landing     elsewhere\n"), tree.boots("b"))),
             *(("pool-elsewhere", lambda tree, word=word: (tree.dumps(verdict=f"landing     {word}\n".encode()), tree.boots("b"))) for word in ("no-pool", "no-handoff", "not-lent")),
             ("dump-written", lambda tree: (tree.dumps(verdict=b"landing     lent\n"), tree.boots("b"))),
             ("unknown", lambda tree: (tree.boots("b"), tree.remove("var/crash"))))
    for outcome, change in after:
        with test_crash_test.Machine() as tree:
            root = ("--root", tree.root)
            tree.write("run/systemd/sessions/1", b"UID=0\nCLASS=user\n")
            tree.write("run/systemd/sessions/2", b"UID=0\nCLASS=user\n")
            yield from (("test --dry-run", one) for one in printed("test", "--dry-run", *root))
            yield from (("test", one) for one in printed("test", "--yes", *root))
            yield from (("test again", one) for one in printed("test", "--yes", *root))
            change(tree)
            tree.write("proc/cmdline", tree.read("proc/cmdline").replace(b"crashkernel=", b"crashkernel=1"))
            for command in (("test", "--result"), ("status",)):
                for one in printed(*command, *root):
                    assert one["test"]["outcome"] == outcome, one["test"]
                    yield f"{command} with {outcome}", one
            # Of a load that says all that there is to say.
            kept = tree.kept()
            kept["record"].update(kexec_tools="2.0.25", segments=[{"name": "kernel", "start": "0x1000", "end": "0x2000"}], fences=[{"start": "0x5000", "end": "0x6000"}],
                                  reasons=[{"rule": "pool-exact", "severity": "refusal", "text": "x", "evidence": None, "advice": None}])
            tree.write(test_crash_test.kept, json.dumps(kept).encode())
            tree.write("etc/os-release", b"ID=debian\n")
            run("test", "--report", tree.path("report"), *root)
            yield f"the report of {outcome}", json.loads(tree.read("report"))


def of_the_rest():
    with Tree() as tree:
        yield from (("capture", one) for one in printed("capture", "--root", os.path.join(machines, "debian-6.1-kexec-load"), tree.path("new")))
        damaged = Tree("debian-6.1-kexec-load")
        with damaged:
            damaged.remove("proc/cmdline")
            os.makedirs(damaged.path("proc/cmdline"))
            yield from (("capture of a damaged one", one) for one in printed("capture", "--root", damaged.root, tree.path("other")))
            yield from (("show of a damaged one", one) for one in printed("show", "--root", damaged.root))
    yield from (("explain", one) for one in printed("explain"))
    yield from (("explain pool-exact", one) for one in printed("explain", "pool-exact"))


def of_the_goldens():
    for path in sorted(pathlib.Path(machines).glob("*/expected/*.json")):
        yield str(path.relative_to(top)), json.loads(path.read_text(encoding="utf-8"))


@functools.cache
def documents():
    return [one for some in (of_the_machines, of_checks, of_crash_kernels, of_device_pools, of_loans, of_devices, of_initrds, of_last_crashes, of_crashes, of_services, of_reservations, of_loads, of_shrinks, of_crash_tests, of_the_rest, of_the_goldens) for one in some()]


# --- the tests


class Schemas(unittest.TestCase):
    def test_every_command_that_has_json_has_one_and_there_is_no_other(self):
        have = {path.stem for path in schemas.glob("*.json")} - {"common"}
        self.assertGreater(len(with_json()), 10)
        self.assertEqual(have, {*with_json(), "kexec", "watch", "test-report"})  # the record of a load, that of its memory, and what a crash showed

    def test_they_describe_each_property_and_allow_no_other(self):
        for path in schemas.glob("*.json"):
            for name, one in described(path.stem):
                with self.subTest(name):
                    self.assertIn("$schema", json.loads(path.read_text(encoding="utf-8")))
                    if "properties" not in one:
                        self.assertTrue(one.get("description"))
                        continue
                    self.assertIs(one["additionalProperties"], False)
                    self.assertEqual(one["required"], list(one["properties"]))
                    for key, value in one["properties"].items():
                        self.assertRegex(value.get("description", ""), r"^.*\.$", key)

    def test_a_number_says_its_unit_in_its_name(self):
        for path in schemas.glob("*.json"):
            for name, one in described(path.stem):
                for key, value in one.get("properties", {}).items():
                    if "integer" in value.get("type", ""):
                        self.assertRegex(key, r"_(bytes|seconds|bits)$|^slabs(_used|_hiwater)?$|^type$|^looks$|^oom_kills$|^entries_", f"{name}.{key}")
                    is_address = "address" in str(value.get("$ref", value.get("anyOf", "")))
                    self.assertEqual(is_address, key.endswith("_address") or key in ("start", "end"), f"{name}.{key}")

    def test_the_same_name_is_the_same_thing_everywhere(self):
        of_each_command = {"command", "verdict", "outcome", "enabled", "name"}  # words, whose values are said for each
        shapes = {}
        for path in schemas.glob("*.json"):
            for place, one in described(path.stem):
                for key, value in one.get("properties", {}).items():
                    if key not in of_each_command:
                        self.assertEqual(shapes.setdefault(key, shape(value)), shape(value), f"{place}.{key}")
        self.assertGreater(len(shapes), 50)


@unittest.skipUnless(jsonschema, "python3-jsonschema is not installed")
class Documents(unittest.TestCase):
    def test_each_is_as_its_schema_says(self):
        self.assertGreater(len(documents()), 10 * len(names))
        for label, document in documents():
            if wrong := problems(document):
                self.fail(f"{label}: " + "; ".join(wrong[:5]))

    def test_there_is_one_of_every_command(self):
        self.assertEqual({document["command"] for _, document in documents()}, {*with_json(), "kexec", "watch", "test-report"})

    def test_everything_that_is_described_is_seen(self):
        everything = {what for path in schemas.glob("*.json") for name, one in described(path.stem) for what in allowed(name, one)}
        seen = set().union(*(seen_in(document) for _, document in documents()))
        self.assertEqual(everything - seen - UNSEEN, set(), "never seen")
        self.assertEqual(UNSEEN & seen, set(), "seen after all")
        self.assertEqual(UNSEEN - everything, set(), "not described")

    def test_what_is_not_described_is_found(self):
        whole = next(document for label, document in documents() if label == "plan of debian-6.1-kexec-load")
        self.assertEqual(problems(whole), [])
        for change in (lambda d: d.update(later=1), lambda d: d.pop("append"), lambda d: d.update(schema=1), lambda d: d.update(verdict="maybe"),
                       lambda d: d["pool"].update(size=1), lambda d: d["pool"].update(start="75000000"), lambda d: d["reasons"][0].pop("advice"),
                       lambda d: d["before"]["entries"][0].update(type="1"), lambda d: d.update(command="else")):
            document = copy.deepcopy(whole)
            change(document)
            self.assertNotEqual(problems(document), [])


class Errors(unittest.TestCase):
    def test_with_json_they_are_a_line_on_standard_error_and_no_document(self):
        more = {"capture": ["/no/such/directory/either"], "audit": []}
        for command in with_json():
            if command in ("explain", "audit", "status"):
                continue  # nothing can fail; errors are in the document
            with self.subTest(command):
                done = run(command, "--json", "--root", "/no/such/directory", *more.get(command, []))
                self.assertEqual(done.out, "")
                self.assertRegex(done.err, r"^swiotlb-handoff: [^\n]+\n$")
                if command != "cmdline":  # without --strict a script goes on
                    self.assertNotEqual(done.status, READY)


class ManPage(unittest.TestCase):
    def test_it_has_every_member_of_every_document(self):
        page = pathlib.Path(top, "man/swiotlb-handoff-json.5").read_text(encoding="utf-8")
        record = pathlib.Path(top, "man/swiotlb-handoff-record.5").read_text(encoding="utf-8")
        sections = {name: body for heading, body in re.findall(r"^\.Ss (.*)\n((?:(?!\.S[sh] ).*\n)*)", page, re.M) for name in heading.split(" and ")}
        sections["kexec"], sections["watch"] = record.split(".Sh THE CRASH KERNEL'S MEMORY\n")
        for path in schemas.glob("*.json"):
            if path.stem == "common":
                continue
            with self.subTest(path.stem):
                items = re.findall(r"^\.It (Va .*)$", sections[path.stem], re.M)
                members = [member for item in items for member in re.findall(r"[a-z][a-z0-9_]+", item)]
                known = set(json.loads(path.read_text(encoding="utf-8"))["properties"])
                self.assertEqual(set(members) - {"schema", "command"}, known - {"schema", "command"})
                self.assertEqual(len(members), len(set(members)))


if __name__ == "__main__":
    unittest.main()
