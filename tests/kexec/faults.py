#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Never worse than plain kdump: whatever goes wrong, 'swiotlb-handoff kexec' ends with a crash kernel loaded, either
with a handoff that was proven and compared, or by exactly the command its caller gave.

A captured machine is read, and a program in the place of kexec logs how it was called, so no machine is touched.
    faults.py TOOL FAKE_KEXEC FIXTURES [--full] [NAME...]
--full injects every error into every system call; otherwise it stops after 45 seconds of those.
The last line printed is 'N passed, N failed, N skipped'."""

import argparse
import collections
import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MACHINE = "debian-6.1-kexec-load"
BASE = "console=ttyS0 reset_devices nr_cpus=1 irqpoll panic=1"


class Skip(Exception):
    pass


def image(header, knows_addr=False):
    """As much of a bzImage as anybody reads: the setup header of the golden machine's request, and a hollow payload. One with
    the patches of kernel/ says in kernel_info that it knows swiotlb=...,addr=."""
    setup = header["setup_bytes"]
    data = bytearray(setup + header["payload_bytes"])

    def put(at, form, value):
        struct.pack_into("<" + form, data, at, value)
    put(0x1f1, "B", setup // 512 - 1)
    put(0x1fe, "H", 0xaa55)
    data[0x202:0x206] = b"HdrS"
    put(0x206, "H", 0x020f)
    put(0x20e, "H", 0x100)
    data[0x300:0x300 + len(header["release"]) + 1] = header["release"].encode() + b"\0"
    put(0x211, "B", 1)
    put(0x22c, "I", 0x7fffffff)
    put(0x230, "I", header["kernel_alignment"])
    put(0x234, "B", 1)
    put(0x236, "H", 3)  # XLF_KERNEL_64, XLF_CAN_BE_LOADED_ABOVE_4G
    put(0x238, "I", header["cmdline_size"])
    put(0x24c, "I", header["payload_bytes"])
    put(0x258, "Q", header["pref_address"])
    put(0x260, "I", header["init_size"])
    put(len(data) - 4, "I", header["uncompressed_bytes"])
    if knows_addr:
        put(0x268, "I", 0x300)
        struct.pack_into("<4sIIIIII", data, setup + 0x300, b"LToP", 16, 28, 9, 0x41424c54, 12, 1)
    return bytes(data)


def elfcorehdr(plan):
    return next(int(one["start"], 16) for one in plan["segments"] if one["name"] == "elfcorehdr")


def report_of(plan):
    """What kexec -d would print for this plan (kexec/kexec.c, print_segments())."""
    lines = ["Try gzip decompression.", "MEMORY RANGES", "0000000000001000-000000000009fbff (0)",
             "Command line after adding elfcorehdr", plan["base"] + " " + plan["append"] + f" elfcorehdr={elfcorehdr(plan) >> 10}K acpi_rsdp=0xf59d0",
             "kexec_load: entry = 0x7efff730 flags = 0x3e0001", f"nr_segments = {len(plan['segments'])}"]
    for i, one in enumerate(plan["segments"]):
        lines += [f"segment[{i}].buf   = 0x55d0c7a8b2a0", f"segment[{i}].bufsz = 0x10", f"segment[{i}].mem   = {one['start']}",
                  f"segment[{i}].memsz = {one['size_bytes']:#x}"]
    return "\n".join(lines) + "\n"


class Lab:
    def __init__(self, tool, fake, fixtures, directory):
        self.tool, self.fake, self.fixtures, self.home = tool, fake, fixtures, Path(directory)
        request = json.loads((fixtures / MACHINE / "request.json").read_text())
        (self.home / "vmlinuz").write_bytes(image(request["image"]))
        (self.home / "patched").write_bytes(image(request["image"], knows_addr=True))
        (self.home / "initrd").write_bytes(bytes(request["initrd_bytes"]))
        self.caller = ["-p", "-c", f"--initrd={self.home}/initrd", f"--append={BASE}", f"{self.home}/vmlinuz"]
        self.log = self.home / "log"
        self.fresh()
        self.plan = self.plan_for("kexec_load")
        for name in ("report", "segments"):
            (self.home / name).write_text(report_of(self.plan))

    def plan_for(self, loader):
        done = subprocess.run([self.tool, "plan", "--json", "--root", self.root, "--kernel", self.home / "vmlinuz", "--initrd",
                               self.home / "initrd", "--loader", loader, "--command-line", BASE], stdout=subprocess.PIPE)
        plan = json.loads(done.stdout)
        assert plan["verdict"] == "ready", plan["reasons"]
        return plan

    def fresh(self):
        """The machine as it was, and an empty log."""
        self.root = self.home / "machine"
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.fixtures / MACHINE, self.root)
        (self.root / "run").mkdir()
        self.log.unlink(missing_ok=True)
        return self.root

    def small(self):
        """The machine with a reservation that has no room for the crash kernel's own pool of 64 MiB, and a load that makes one."""
        path = self.fresh() / "proc/iomem"
        path.write_text(path.read_text().replace("75000000-7effffff : Crash kernel", "75000000-7bffffff : Crash kernel"))
        return [word + " swiotlb=force" if word.startswith("--append=") else word for word in self.caller]

    def encrypt(self):
        """The log of this machine says that its memory is encrypted."""
        with open(self.root / "dmesg", "a", encoding="utf-8") as log:
            log.write("[    0.000000] Memory Encryption Features active: AMD SME\n")

    def command(self, *caller, kexec=None):
        return [str(self.tool), "kexec", "--root", str(self.root), "--kexec", str(kexec or self.fake), "--",
                *(caller or self.caller)]

    def environment(self, **fake):
        values = {"FAKE_LOG": str(self.log), "FAKE_REPORT": str(self.home / "report"),
                  "FAKE_SEGMENTS": str(self.home / "segments"), "FAKE_ROOT": str(self.root)}
        return {**os.environ, **values, **{f"FAKE_{key.upper()}": str(value) for key, value in fake.items()}}

    def run(self, *caller, under=(), kexec=None, merged=False, **fake):
        return subprocess.run([*under, *self.command(*caller, kexec=kexec)], env=self.environment(**fake), timeout=90,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merged else subprocess.PIPE, text=True)

    def calls(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def record(self):
        path = self.root / "run/swiotlb-handoff/record.json"
        return json.loads(path.read_text()) if path.exists() else None

    def status(self):
        """What 'status' says of this machine."""
        done = subprocess.run([self.tool, "status", "--json", "--root", self.root], capture_output=True, text=True)
        assert done.stderr == "", done.stderr
        return json.loads(done.stdout)

    def expect_handoff(self, what):
        status = self.status()
        assert status["handoff"] == what, f"status says {status['handoff']}, expected {what}: {status['why']} {self.record()}"
        return status

    def loaded(self):
        """'handoff', 'plain' or None: what the machine would have now."""
        last = [call for call in self.calls() if call["did"] == "loaded"]
        if not last:
            return None
        if last[-1]["argv"] == self.caller:
            return "plain"
        assert any("swiotlb_handoff=" in word for word in last[-1]["argv"]), f"neither: {last[-1]}"
        return "handoff"

    def expect(self, what, done, status=0):
        found = self.loaded()
        assert found == what, f"loaded {found}, expected {what}; {self.calls()}\n{done.stderr}"
        assert done.returncode == status, f"exit status {done.returncode}, expected {status}: {done.stderr}"
        record = self.record()
        if record is not None:
            assert record["outcome"] == what, f"the record says {record['outcome']}, loaded is {what}"
        self.expect_handoff("in-use" if what == "handoff" and record else "unknown" if what == "handoff" else "not-in-use")


# --- what each case shows; the names are the specification -----------------------------------------------------------------


def a_proven_load_that_agrees_has_the_handoff(lab):
    done = lab.run()
    lab.expect("handoff", done)
    assert len(lab.calls()) == 1
    assert (done.stdout, done.stderr) == ("handoff output\n", "handoff warning\n"), "what -d prints is not the caller's"
    record = lab.record()
    assert record["pool"]["start"] == lab.plan["pool"]["start"] and record["segments_reported"] is True
    assert record["rsdp_address"] == "0xf59d0" and record["elfcorehdr"]["start"] == f"{elfcorehdr(lab.plan):#x}"
    assert oct((lab.root / "run/swiotlb-handoff/record.json").stat().st_mode)[-3:] == "644"
    assert oct((lab.root / "run/swiotlb-handoff").stat().st_mode)[-3:] == "755"


def what_d_prints_is_passed_on_where_the_caller_asked_for_it(lab):
    lab.caller.insert(1, "-d")
    try:
        done = lab.run()
        assert done.stderr == "handoff warning\n" + (lab.home / "report").read_text()
        merged = lab.run(merged=True)
        assert merged.stdout.startswith("handoff output\nhandoff warning\nTry gzip"), "one file, one order"
    finally:
        lab.caller.remove("-d")


def the_record_is_sound_and_check_reads_it_back(lab):
    lab.run()
    path = lab.root / "run/swiotlb-handoff/record.json"
    done = subprocess.run([lab.tool, "check", "--record", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(path.read_text())
    record["fences"] = [{"start": "0x7efff000", "end": "0x7f000000", "size_bytes": 4096}] + record["fences"]
    record["segments"].append({"name": "x", "start": "0x71000000", "end": "0x71001000", "size_bytes": 4096})
    path.write_text(json.dumps(record))
    done = subprocess.run([lab.tool, "check", "--record", path], capture_output=True, text=True)
    assert done.returncode == 3 and "is in the pool" in done.stdout, done.stdout + done.stderr
    path.write_text("{")
    done = subprocess.run([lab.tool, "check", "--record", path], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr


def anything_that_loads_no_crash_kernel_is_passed_through(lab):
    for caller in (["-p", "-u"], ["-l", "vmlinuz"], ["-p", "-S"], ["--version"], ["-p"], ["--no-such-option"], []):
        lab.fresh()
        done = subprocess.run([str(lab.tool), "kexec", "--root", str(lab.root), "--kexec", str(lab.fake), "--", *caller],
                              env=lab.environment(plain=5), capture_output=True, text=True)
        assert [call["argv"] for call in lab.calls()] == [caller] and done.returncode == 5, (caller, lab.calls(), done)
        assert (done.stdout, done.stderr) == ("plain output\n", "plain error\n")


def unloading_removes_the_record_where_it_works(lab):
    lab.run()
    assert lab.record()
    done = lab.run("-p", "-u", plain=7)
    assert done.returncode == 7 and (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done
    assert lab.expect_handoff("in-use")["loaded"]
    done = lab.run("-p", "-u")
    assert done.returncode == 0 and lab.record() is None
    assert not lab.expect_handoff("not-in-use")["loaded"]
    lab.run()
    lab.run("-p", "-S")
    assert lab.record(), "asking for the status does not"


def a_load_that_is_not_modelled_is_plain(lab):
    initrd, kernel = lab.caller[2], lab.caller[-1]
    for words in (["--hotplug"], ["--mem-min=0x100000"], ["--mem-max", "0x78000000"], ["--dtb=x"], ["-t", "bzImage64"], ["--type=bzImage"],
                  ["--entry=1"], ["--noefi"], ["--pass-memmap-cmdline"], ["--reuseinitrd"]):
        lab.fresh()
        caller = ["-p", *words, initrd, kernel]
        done = lab.run(*caller)
        assert [call["argv"] for call in lab.calls()] == [caller] and done.returncode == 0, (caller, lab.calls())
        assert "not modelled" in lab.record()["why"]


def a_refusal_is_a_plain_load_and_says_why(lab):
    (lab.root / "proc/cmdline").write_text("swiotlb=force crashkernel=160M noforce")
    (lab.root / "dmesg").write_text("")
    (lab.root / "sys/kernel/debug/swiotlb/io_tlb_nslabs").write_text("1\n")
    done = lab.run()
    lab.expect("plain", done)
    assert lab.record()["verdict"] == "refused" and lab.record()["why"], lab.record()


def a_load_without_the_handoff_has_a_smaller_pool_where_its_own_does_not_fit(lab):
    def expect_own_pool(caller, done, recorded=True):
        last = lab.calls()[-1]
        assert last["did"] == "loaded" and last["argv"][:-1] == caller, lab.calls()
        assert re.fullmatch(f"--append={BASE} swiotlb=force swiotlb=[0-9]+,force", last["argv"][-1]), last
        assert done.returncode == 0 and (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done
        assert (lab.record() or {}).get("outcome") == ("own-pool" if recorded else None), lab.record()
        status = lab.expect_handoff("not-in-use")
        assert not recorded or status["rung"] == "own-pool", status

    caller = lab.small()
    expect_own_pool(caller, lab.run(*caller, handoff="fail"))
    for how in ("half", "mute", "move"):
        caller = lab.small()
        expect_own_pool(caller, lab.run(*caller, handoff=how))
    caller = lab.small()
    lab.encrypt()
    expect_own_pool(caller, lab.run(*caller))
    assert lab.record()["verdict"] == "refused", lab.record()
    caller = ["-p", "--hotplug", *lab.small()[1:]]
    expect_own_pool(caller, lab.run(*caller))
    caller = lab.small()
    (lab.root / "run/swiotlb-handoff").mkdir()
    with open(lab.root / "run/swiotlb-handoff/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        expect_own_pool(caller, lab.run(*caller), recorded=False)


def where_the_smaller_pool_fails_too_exactly_the_callers_command_is_left(lab):
    caller = lab.small()
    done = lab.run(*caller, handoff="fail", plain=9)
    assert [call["argv"] == caller for call in lab.calls()] == [False, False, True] and done.returncode == 9, lab.calls()
    assert (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done
    assert lab.record()["outcome"] == "plain" and "swiotlb=" in lab.record()["why"], lab.record()


def a_dry_run_prints_the_smaller_pool(lab):
    caller = lab.small()
    lab.encrypt()
    done = subprocess.run([lab.tool, "kexec", "--root", lab.root, "--kexec", lab.fake, "--dry-run", "--", *caller],
                          env=lab.environment(), capture_output=True, text=True)
    assert done.returncode == 0 and not lab.calls() and ",force'" in done.stdout, done


def its_status_and_output_are_those_of_the_plain_kexec(lab):
    done = lab.run(handoff="fail", plain=9)
    assert done.returncode == 9 and (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done
    assert [call["argv"] == lab.caller for call in lab.calls()] == [False, True]


def a_kexec_that_fails_with_the_handoff_is_run_again_without(lab):
    for how in ("fail", "half", "kill"):
        lab.fresh()
        lab.expect("plain", lab.run(handoff=how))


def a_load_that_may_be_a_plain_one_leaves_no_record_of_another(lab):
    initrd, kernel = lab.caller[2], lab.caller[-1]
    for words in (["-p", "--no-such-option"], ["-p", "-f"], ["-p", "--exec"], ["-p", "--load-jump-back-helper"], ["-p", "--h"]):
        lab.fresh()
        lab.expect("handoff", lab.run())
        caller = [*words, "--append=" + BASE, initrd, kernel]
        lab.run(*caller)
        assert lab.calls()[-1]["argv"] == caller and lab.record() is None, (caller, lab.record())
        lab.expect_handoff("not-in-use")
    for words in (["-l"], ["-p", "-S"], ["--version"]):
        lab.fresh()
        lab.expect("handoff", lab.run())
        lab.run(*words, plain=1)
        assert lab.record()["outcome"] == "handoff", words


def both_attempts_fail_while_an_old_crash_kernel_stays_loaded(lab):
    lab.expect("handoff", lab.run())
    done = lab.run(handoff="fail", plain=255)
    assert done.returncode == 255
    record = lab.record()
    assert record["outcome"] == "plain" and record["why"] == "kexec failed with the handoff (exit status 7): handoff warning", record["why"]
    status = lab.expect_handoff("unknown")
    assert "kexec failed with the handoff" in status["why"], status["why"]
    lab.run(*lab.caller)  # and a load that works ends that
    lab.expect_handoff("in-use")


def what_could_not_be_loaded_keeps_its_reason(lab):
    done = lab.run(handoff="fail")
    lab.expect("plain", done)
    status = lab.status()
    assert "kexec failed with the handoff (exit status 7): handoff warning" in status["record"]["why"], status
    fake = lab.run(handoff="fail", plain=255)
    assert fake.returncode == 255 and "handoff warning" in lab.record()["why"]


def segments_elsewhere_mean_a_plain_load(lab):
    done = lab.run(handoff="move")
    lab.expect("plain", done)
    assert "another place" in lab.record()["why"]
    assert not any("-u" in call["argv"] for call in lab.calls()), "nothing is unloaded: the next load replaces it"


def a_kexec_load_without_a_report_means_a_plain_load(lab):
    lab.expect("plain", lab.run(handoff="mute"))


def a_load_by_the_kernel_needs_no_report(lab):
    lab.caller[1] = "-s"
    (lab.home / "segments").write_text(report_of(lab.plan_for("kexec_file_load")))
    try:
        done = lab.run(handoff="mute")
        lab.expect("handoff", done)
        assert lab.record()["segments_reported"] is False
    finally:
        lab.caller[1] = "-c"
        (lab.home / "segments").write_text(report_of(lab.plan))


def a_report_in_the_words_of_another_kexec_means_a_plain_load(lab):
    report = lab.home / "report"
    todays = report.read_text()
    changes = {
        "another name": lambda text: text.replace("segment[", "part["),
        "another key": lambda text: text.replace(".mem  ", ".address "),
        "decimal": lambda text: re.sub(r"(\.mem +=) 0x([0-9a-f]+)", lambda m: f"{m[1]} {int(m[2], 16)}", text),
        "sizes lost": lambda text: re.sub(r"segment\[\d+\]\.memsz.*\n", "", text),
        "one of them cut": lambda text: text.rstrip("\n")[:-12],
        "JSON": lambda text: json.dumps({"segments": re.findall(r"\.mem +=? *(0x[0-9a-f]+)", text)}),
        "65 bits": lambda text: re.sub(r"(segment\[0\]\.mem +=) 0x", r"\1 0xffffffffffffffff", text),
        "the kernel's form, cut": lambda text: re.sub(r"segment\[(\d+)\]\.mem +=.*", r"kexec_file: segment[\1]: buf=0x1 mem=0x1000", text),
    }
    try:
        for what, change in changes.items():
            lab.fresh()
            report.write_text(change(todays))
            assert report.read_text() != todays, what
            done = lab.run()
            assert lab.loaded() == "plain", f"{what}: loaded {lab.loaded()}"
            lab.expect("plain", done)
            assert "segment" in lab.record()["why"], f"{what}: {lab.record()['why']}"
    finally:
        report.write_text(todays)


def a_reader_of_its_output_that_is_gone_costs_nothing(lab):
    lab.caller.insert(1, "-d")
    try:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(lab.command(), env=lab.environment(), stdout=write, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
        os.close(write)
        lab.expect("handoff", done)
        assert len(lab.calls()) == 1
    finally:
        lab.caller.remove("-d")


def a_reader_of_its_output_that_does_not_read_holds_up_the_output_alone(lab):
    """Whatever ends the process that waits for the reader: what it loaded stays loaded."""
    lab.caller.insert(1, "-d")
    report = lab.home / "report"
    todays = report.read_text()
    report.write_text("Try gzip decompression.\n" * 20000 + todays)
    try:
        for how in (signal.SIGALRM, signal.SIGKILL):
            lab.fresh()
            tool = subprocess.Popen(lab.command(), env=lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            children = Path(f"/proc/{tool.pid}/task/{tool.pid}/children")
            began = time.monotonic()
            while (lab.record() or {}).get("outcome") != "handoff":
                assert time.monotonic() - began < 60, "nothing is loaded"
                time.sleep(0.05)
            time.sleep(0.5)
            child = int(children.read_text().split()[0])
            assert tool.poll() is None, "it does not wait for its reader"
            os.kill(child, how)
            assert tool.wait(timeout=30) == 0
            tool.stderr.close()
            assert len(lab.calls()) == 1 and lab.loaded() == "handoff"
            lab.expect_handoff("in-use")
    finally:
        report.write_text(todays)
        lab.caller.remove("-d")


def output_without_end_is_survived(lab):
    lab.expect("plain", lab.run(handoff="noisy"))


def a_process_that_kexec_leaves_behind_does_not_hold_it_up(lab):
    began = time.monotonic()
    lab.expect("handoff", lab.run(handoff="stay"))
    assert time.monotonic() - began < 15


def a_missing_kexec_is_the_shells_business(lab):
    done = lab.run(kexec="/no/such/kexec")
    assert done.returncode == 127 and "/no/such/kexec" in done.stderr, done
    lab.fresh()
    plain = lab.home / "vmlinuz"
    done = lab.run(kexec=plain)
    assert done.returncode == 126, done


def sources_that_cannot_be_read_mean_a_plain_load(lab):
    def truncated(root):
        path = root / "proc/iomem"
        path.write_bytes(path.read_bytes()[:100])

    def zeroed(root):
        path = root / "proc/iomem"
        path.write_text(re.sub(r"[0-9a-f]{8,}", "00000000", path.read_text()))

    def empty(root):
        (root / "proc/iomem").write_text("")

    def directory(root):
        (root / "proc/iomem").unlink()
        (root / "proc/iomem").mkdir()

    def no_log(root):
        (root / "dmesg").unlink()

    def rubbish(root):
        (root / "dmesg").write_bytes(os.urandom(4096))

    def no_machine(root):
        for path in root.iterdir():
            if path.name != "run":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for spoil in (truncated, zeroed, empty, directory, no_log, rubbish, no_machine):
        spoil(lab.fresh())
        try:
            lab.expect("plain", lab.run())
        except AssertionError as problem:
            raise AssertionError(f"{spoil.__name__}: {problem}") from None


def a_kcore_that_lies_or_cannot_be_read_is_no_worse(lab):
    for content in (b"", b"\x7fELF", os.urandom(100000)):
        root = lab.fresh()
        (root / "proc/kcore").write_bytes(content)
        (root / "proc/kallsyms").write_text("ffffffff82f0aba8 b io_tlb_default_mem\n")
        done = lab.run()
        assert lab.loaded() in ("plain", "handoff") and done.returncode == 0, done


def images_that_cannot_be_read_mean_that_kexec_says_so(lab):
    for caller in (["-p", "-c", "/no/such/vmlinuz"], ["-p", "-c", str(lab.home / "initrd")],
                   ["-p", "-c", "--initrd=/no/such", lab.caller[-1]]):
        lab.fresh()
        done = lab.run(*caller, plain=255)
        assert [call["argv"] for call in lab.calls()] == [caller] and done.returncode == 255, (lab.calls(), done)


def a_full_disk_costs_the_record_and_nothing_else(lab):
    directory = lab.root / "run"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", directory], capture_output=True).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        (directory / "swiotlb-handoff").mkdir(mode=0o755)
        (directory / "swiotlb-handoff/record.json").write_text("{}")
        (directory / "full").write_bytes(b"")
        done = lab.run()
        assert lab.loaded() == "handoff" and done.returncode == 0
        assert lab.record() is None, "rather none than an old one"
        assert not (directory / "swiotlb-handoff/record.json.new").exists()
    finally:
        subprocess.run(["umount", directory], check=True)


def a_read_only_run_means_a_plain_load(lab):
    directory = lab.root / "run"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", directory], capture_output=True).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        lab.expect("plain", lab.run())
    finally:
        subprocess.run(["umount", directory], check=True)


def a_run_directory_that_others_own_is_not_used(lab):
    directory = lab.root / "run/swiotlb-handoff"
    for spoil in (lambda: (directory.mkdir(), directory.chmod(0o777)), lambda: directory.symlink_to("/tmp"),
                  lambda: directory.write_text("a file")):
        lab.fresh()
        spoil()
        lab.expect("plain", lab.run())
        assert not (Path("/tmp") / "record.json").exists()
    if os.geteuid() == 0:
        lab.fresh()
        directory.mkdir()
        os.chown(directory, 12345, 12345)
        lab.expect("plain", lab.run())


def a_record_that_is_a_link_is_replaced_not_followed(lab):
    (lab.root / "run/swiotlb-handoff").mkdir()
    victim = lab.home / "victim"
    victim.write_text("precious")
    for name in ("record.json", "record.json.new"):
        (lab.root / "run/swiotlb-handoff" / name).symlink_to(victim)
    lab.expect("handoff", lab.run())
    assert victim.read_text() == "precious" and not (lab.root / "run/swiotlb-handoff/record.json").is_symlink()


def two_loads_at_once_take_turns(lab):
    first = subprocess.Popen(lab.command(), env=lab.environment(handoff="slow"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    lab.expect("handoff", lab.run())
    assert first.wait() == 0
    assert [call["did"] for call in lab.calls()] == ["loaded", "loaded"]


def a_lock_that_never_comes_free_means_a_plain_load_after_ten_seconds(lab):
    (lab.root / "run/swiotlb-handoff").mkdir()
    with open(lab.root / "run/swiotlb-handoff/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        done = lab.run()
        took = time.monotonic() - began
    lab.expect("plain", done)
    assert 9 < took < 60, took


def a_load_that_does_not_get_the_lock_leaves_no_record_of_an_older_one(lab):
    lab.expect("handoff", lab.run())
    with open(lab.root / "run/swiotlb-handoff/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lab.expect("plain", lab.run())
    assert lab.record() is None


def a_load_that_another_one_did_not_wait_for_is_not_taken_for_what_is_loaded(lab):
    first = subprocess.Popen(lab.command(), env=lab.environment(handoff="slow", seconds=16), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    second = lab.run()
    assert second.returncode == 0 and lab.loaded() == "plain", lab.calls()
    lab.expect_handoff("not-in-use")
    assert first.wait() == 0
    assert lab.loaded() == "plain", "whoever had the lock sees that it was passed"
    assert "did not wait" in lab.record()["why"], lab.record()
    lab.expect_handoff("not-in-use")
    lab.expect("handoff", lab.run())


def a_load_past_the_lock_that_still_goes_on_is_seen(lab):
    (lab.root / "run/swiotlb-handoff").mkdir()
    with open(lab.root / "run/swiotlb-handoff/passed", "w", encoding="ascii") as passed:
        fcntl.flock(passed, fcntl.LOCK_SH)
        lab.expect("plain", lab.run())
    lab.expect("handoff", lab.run())


def a_planner_that_is_stopped_means_a_plain_load(lab):
    began = time.monotonic()
    done = lab.run(handoff="stop-parent")
    assert 4 < time.monotonic() - began < 60, time.monotonic() - began
    lab.expect("plain", done)
    assert lab.record() is None, "a record that nobody ended"


def a_planner_that_cannot_be_killed_means_a_plain_load(lab):
    """A process that a version 1 control group has frozen waits in the kernel (state D), as one behind a disk that hangs."""
    freezer = Path("/sys/fs/cgroup/freezer")
    if not os.access(freezer / "cgroup.procs", os.W_OK):
        raise Skip("there is no freezer of control groups, version 1")
    group = Path(tempfile.mkdtemp(prefix="swiotlb-handoff-", dir=freezer))
    began = time.monotonic()
    # It keeps the descriptors that it has: a pipe would not end.
    process = subprocess.Popen(lab.command(), env=lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text().split():
            pass
        planner = int(children.read_text().split()[0])
        (group / "cgroup.procs").write_text(str(planner))
        (group / "freezer.state").write_text("FROZEN")
        assert process.wait(timeout=120) == 0
        assert Path(f"/proc/{planner}/stat").read_text().split()[2] == "D", "the planner was killed after all"
        assert 60 < time.monotonic() - began < 110, time.monotonic() - began
        assert lab.loaded() == "plain" and lab.record() is None, lab.record()
    finally:
        (group / "freezer.state").write_text("THAWED")
        time.sleep(1)
        group.rmdir()
    assert [call["did"] for call in lab.calls()] == ["loaded"] and lab.loaded() == "plain", "it went on when it could"


def a_kexec_that_is_a_script_is_no_kexec_of_kexec_tools(lab):
    script = lab.home / "script"
    script.write_text("#!/bin/sh\n# kexec-tools 2.0.25\nexec " + str(lab.fake) + ' "$@"\n')
    script.chmod(0o755)
    lab.expect("handoff", lab.run(kexec=script))
    shutil.copy(script, lab.root / "usr/sbin/kexec")
    plan = subprocess.run([lab.tool, "plan", "--json", "--root", lab.root], capture_output=True, text=True)
    assert '"kexec_tools": "2.0.25"' not in plan.stdout, "a script has no version"


def the_planner_killed_means_a_plain_load(lab):
    # The fake's parent is the process that plans, compares and records.
    done = lab.run(handoff="kill-parent-first")
    lab.expect("plain", done)
    assert lab.record() is None, "a record that nobody ended"
    assert [call["did"] for call in lab.calls()] == ["loaded"], "a kexec dies with the process that watches it"
    lab.fresh()
    lab.expect("plain", lab.run(handoff="kill-parent"))


def the_tool_killed_leaves_what_was_loaded_before(lab):
    """SIGKILL to both processes at every step: nothing is loaded by halves, and nobody goes on unwatched."""
    whole = subprocess.Popen(lab.command(), env=lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    whole.wait()
    took = time.monotonic() - began
    seen = collections.Counter()
    for step in range(10):
        lab.fresh()
        tool = subprocess.Popen(lab.command(), env=lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(took * step / 9)
        tool.send_signal(signal.SIGKILL)
        tool.wait()
        time.sleep(0.1)
        before = lab.calls()
        time.sleep(0.1)
        assert lab.calls() == before, "something went on loading after the tool was killed"
        seen[lab.loaded()] += 1
        if (record := lab.record()) and record["outcome"] == "handoff":
            assert lab.loaded() == "handoff"
        lab.expect("handoff", lab.run())  # whatever it left, it is in nobody's way
    assert seen[None], seen


def a_signal_that_is_ignored_or_blocked_changes_nothing(lab):
    code = ("import os,signal,sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGALRM])\nos.execv(sys.argv[1], sys.argv[1:])")
    lab.expect("handoff", lab.run(under=[sys.executable, "-c", code]))


def no_environment_is_needed_and_path_is_not_trusted(lab):
    trap = lab.home / "trap"
    trap.mkdir(exist_ok=True)
    (trap / "kexec").write_text("#!/bin/sh\ntouch " + str(lab.home / "trapped") + "\n")
    (trap / "kexec").chmod(0o755)
    done = subprocess.run(lab.command(), env={**{key: value for key, value in lab.environment().items() if key.startswith("FAKE_")},
                                                "PATH": str(trap)}, capture_output=True, text=True, cwd=trap)
    lab.expect("handoff", done)
    assert not (lab.home / "trapped").exists()
    assert lab.run(kexec="kexec").returncode == 2, "a relative path is no program"


def a_plan_for_another_machine_never_reaches_a_real_kexec(lab):
    real = lab.home / "real-kexec"
    real.write_bytes(b"\x7fELF kexec-tools 2.0.25 released\n")
    real.chmod(0o755)
    done = lab.run(kexec=real)
    assert done.returncode == 2 and "another machine" in done.stderr, done
    done = subprocess.run([lab.tool, "kexec", "--root", lab.root, "--", *lab.caller], capture_output=True, text=True)
    assert done.returncode == 2 and not lab.calls()
    done = subprocess.run([lab.tool, "kexec", "--kexec", lab.tool, "--", *lab.caller], capture_output=True, text=True)
    assert done.returncode == 2 and "itself" in done.stderr


def a_dry_run_prints_the_command_and_runs_nothing(lab):
    done = subprocess.run([lab.tool, "kexec", "--root", lab.root, "--kexec", lab.fake, "--dry-run", "--", *lab.caller],
                          env=lab.environment(), capture_output=True, text=True)
    assert done.returncode == 0 and not lab.calls() and lab.record() is None
    assert "swiotlb_handoff=" in done.stdout and done.stdout.startswith(str(lab.fake)), done.stdout


def the_stand_in_script_runs_kexec_where_the_tool_cannot(lab):
    home = lab.home / "stand-in"
    home.mkdir()
    script = (Path(__file__).resolve().parent.parent.parent / "dropins/kexec.in").read_text()
    run_directory, state = lab.root / "run/swiotlb-handoff", lab.root / "state"
    script = script.replace("@CMAKE_INSTALL_FULL_SBINDIR@", str(home)).replace("/usr/sbin/kexec", str(lab.fake))
    script = script.replace("/run/swiotlb-handoff", str(run_directory)).replace("@HANDOFF_STATE_DIR@", str(state))
    (home / "kexec").write_text(script)
    (home / "kexec").chmod(0o755)
    plain = [lab.caller]

    def run(tool):
        lab.fresh()
        for directory in (run_directory, state):
            directory.mkdir()
            (directory / "record.json").write_text("{}")
        path = home / "swiotlb-handoff"
        path.unlink(missing_ok=True)
        if tool is not None:
            path.write_text("#!/bin/sh\n" + tool + "\n")
            path.chmod(0o755)
        done = subprocess.run([home / "kexec", *lab.caller], env=lab.environment(plain=3), capture_output=True, text=True)
        fell_back = bool(lab.calls())
        for directory in (run_directory, state):
            assert (directory / "record.json").exists() is not fell_back, f"{tool}: {directory}"
        return done.returncode, [call["argv"] for call in lab.calls()]
    assert run(None) == (3, plain), "not installed"
    assert run("exit 127") == (3, plain), "a library is missing"
    for name in ("SEGV", "KILL", "ABRT", "ILL", "BUS"):
        assert run(f"kill -{name} $$") == (3, plain), name
    for name, status in (("TERM", 143), ("INT", 130), ("HUP", 129)):
        assert run(f"kill -{name} $$") == (status, []), name
    assert run("exit 0") == (0, [])
    assert run("exit 255") == (255, [])
    assert run('[ "$1 $2 $3 $4" = "kexec -- -p -c" ] && exit 9') == (9, [])


# --- an ordinary kexec --------------------------------------------------------------------------------------------------------


def next_load(lab, flag="-c", kernel="patched"):
    return ["-l", flag, f"--initrd={lab.home}/initrd", "--append=quiet", str(lab.home / kernel)]


def segments_at(lab, *starts):
    """A file for FAKE_SEGMENTS: what is loaded, a page at each address."""
    path = lab.home / "next-segments"
    path.write_text("".join(f"segment[{i}].mem   = {start:#x}\nsegment[{i}].memsz = 0x1000\n" for i, start in enumerate(starts)))
    return path


def pool_of(lab):
    return int(lab.plan["pool"]["start"], 16), int(lab.plan["pool"]["end"], 16)


def an_ordinary_kexec_gives_a_patched_kernel_the_pool(lab):
    start, end = pool_of(lab)
    words = f"swiotlb={(end - start) >> 11},force,addr={start:#x}"
    for flag in ("-c", "-s"):
        lab.fresh()
        caller = next_load(lab, flag)
        done = lab.run(*caller, segments=segments_at(lab, 0x1000, end))
        load = [f"--initrd={lab.home}/initrd", f"--append=quiet {words}", str(lab.home / "patched")]
        wanted = [f"--mem-min={end:#x}", "-d", "-c", "-l", *load] if flag == "-c" else ["-s", "-l", *load]
        assert [call["argv"] for call in lab.calls()] == [wanted], lab.calls()
        assert done.returncode == 0 and (done.stdout, done.stderr) == ("handoff output\n", "handoff warning\n"), done
        assert not (lab.root / "run/swiotlb-handoff").exists(), "the record is that of the crash kernel"


def an_ordinary_kexec_of_another_kernel_is_passed_through(lab):
    for caller in (next_load(lab, kernel="vmlinuz"), next_load(lab, "-s", kernel="vmlinuz"), ["-l", "/no/such"],
                   ["-l", str(lab.home / "initrd")], ["-e"], ["-l", "-e", str(lab.home / "patched")], ["-f", str(lab.home / "patched")]):
        lab.fresh()
        done = lab.run(*caller, plain=5)
        assert [call["argv"] for call in lab.calls()] == [caller] and done.returncode == 5, (caller, lab.calls(), done)
        assert (done.stdout, done.stderr) == ("plain output\n", "plain error\n")


def a_next_kernel_with_a_segment_in_the_pool_is_unloaded_and_loaded_as_asked(lab):
    start, end = pool_of(lab)
    for flag, segments in (("-c", (0x1000, end - 0x1000)), ("-s", (start,)), ("-s", ())):
        for status in (0, 7):
            lab.fresh()
            caller = next_load(lab, flag)
            done = lab.run(*caller, segments=segments_at(lab, *segments), plain=status, handoff="mute")
            calls = lab.calls()
            assert [call["argv"] for call in calls[1:]] == [["-u", flag], caller], calls
            assert [call["did"] for call in calls] == ["loaded", "unloaded", "failed" if status else "loaded"], calls
            assert done.returncode == status and (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done


def whatever_goes_wrong_the_next_kernel_is_loaded_as_asked(lab):
    segments = segments_at(lab, 0x1000)

    def expect_plain(tried, caller, **fake):
        done = lab.run(*caller, **({"segments": segments} | fake))
        calls = [call["argv"] for call in lab.calls()]
        assert calls[-1] == caller and (len(calls) > 1) == tried, lab.calls()
        assert done.returncode == 0 and (done.stdout, done.stderr) == ("plain output\n", "plain error\n"), done
    for how in ("fail", "half", "kill"):
        lab.fresh()
        expect_plain(True, next_load(lab), handoff=how)
    lab.fresh()
    expect_plain(False, next_load(lab), handoff="kill-parent-first")
    lab.fresh()
    lab.encrypt()
    expect_plain(False, next_load(lab))
    lab.fresh()
    (lab.root / "proc/iomem").write_text("rubbish")
    expect_plain(False, next_load(lab))
    lab.fresh()
    expect_plain(False, ["-l", "--mem-max=0x40000000", *next_load(lab)[1:]])
    lab.fresh()
    expect_plain(False, [*next_load(lab)[:3], "--append=memmap=4K$0x71000000", str(lab.home / "patched")])


def an_ordinary_kexec_leaves_the_crash_kernel_alone(lab):
    lab.expect("handoff", lab.run())
    before = lab.record()
    lab.run(*next_load(lab), segments=segments_at(lab, 0x1000))
    assert len(lab.calls()) == 2 and lab.record() == before
    lab.expect_handoff("in-use")


def a_dry_run_prints_the_ordinary_kexec(lab):
    for kernel, words, said in (("patched", ",addr=0x", ""), ("vmlinuz", "", "does not announce")):
        done = subprocess.run([lab.tool, "kexec", "--root", lab.root, "--kexec", lab.fake, "--dry-run", "--", *next_load(lab, kernel=kernel)],
                              env=lab.environment(), capture_output=True, text=True)
        assert done.returncode == 0 and not lab.calls(), done
        assert (",addr=0x" in done.stdout) == bool(words) and said in done.stderr and bool(done.stderr) == bool(said), done


# --- every system call -------------------------------------------------------------------------------------------------------


def traced(lab, arguments, **fake):
    """Per process: how often it made each system call, up to its execve()."""
    trace = lab.home / "trace"
    subprocess.run(["strace", "-f", "-b", "execve", "-qq", "-o", trace, *arguments], env=lab.environment(**fake), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=90, check=False)
    counts = collections.defaultdict(collections.Counter)
    for line in trace.read_text(errors="replace").splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            counts[match[1]][match[2]] += 1
    return list(counts.values())


def needs_strace(lab):
    if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode:
        raise Skip("strace cannot trace here")
    if b"__asan_init" in lab.tool.read_bytes():
        raise Skip("a sanitizer's own system calls do not survive it")


def injections(lab, command):
    """(system call, which of them, error): each into each, those first that come first."""
    # Before main() there is only the dynamic linker: without its libraries no program can do anything.
    start = traced(lab, [str(lab.tool), "--version"])[0]
    calls = collections.Counter()
    processes = traced(lab, command)
    for process in processes:
        for name, count in process.items():
            calls[name] = max(calls[name], count)
    # brk() returns no error: where it cannot grow it returns the old end, and glibc takes any other value for an address.
    never_fail = {"brk", "exit_group", "execve", "rt_sigreturn", "getpid", "getppid", "geteuid", "restart_syscall"}
    cases = []
    for name, count in calls.items():
        first = start[name] + 1 if name not in ("write", "exit_group") else 1
        if name not in never_fail:
            cases += [(n, name) for n in range(first, count + 1)]
    # First what the process does that has the last word; then the first few of each call, where the calls differ.
    cases.sort(key=lambda case: (case[0] > processes[0][case[1]], case[0] - start[case[1]], case[1]))
    errors = ["EPERM", "EIO", "ENOENT"]
    return [(name, n, errors[(n + i) % 3]) for i in range(3) for n, name in cases]


def spoil(queue, full, seconds, one):
    """Calls one(strace's words, where) for each injection, or for as many as there is time for."""
    began, done = time.monotonic(), 0
    for name, n, error in queue:
        if not full and time.monotonic() - began > seconds:
            break
        one(["strace", "-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", f"inject={name}:error={error}:when={n}"], f"{name} number {n}: {error}")
        done += 1
        if full and done % 100 == 0:
            print(f"      {done} of {len(queue)}", flush=True)
    assert done, "no system call was found to spoil"
    return f"{done} of {len(queue)} injections"


def an_error_from_any_system_call_is_survived(lab, full=False, seconds=45):
    needs_strace(lab)
    outcomes = collections.Counter()

    def one(under, where):
        shutil.rmtree(lab.root / "run", ignore_errors=True)
        (lab.root / "run").mkdir()
        lab.log.unlink(missing_ok=True)
        run = lab.run(under=under)
        assert lab.loaded() is not None, f"{where}: nothing is loaded, exit status {run.returncode}: {run.stderr}"
        assert run.returncode == 0, f"{where}: exit status {run.returncode}: {run.stderr}"
        record = lab.record()
        assert not record or record["outcome"] == "plain" or lab.loaded() == "handoff", f"{where}: the record says handoff"
        outcomes[lab.loaded()] += 1
    done = spoil(injections(lab, lab.command()), full, seconds, one)
    print(f"      {done}: {outcomes['plain']} plain, {outcomes['handoff']} handoff", flush=True)


def an_error_while_enabling_or_disabling_leaves_a_whole_configuration(lab, full=False, seconds=20):
    needs_strace(lab)
    (lab.root / "usr/sbin").mkdir(exist_ok=True)
    (lab.root / "usr/sbin/kdump-config").write_text(". /etc/default/kdump-tools\n")
    # What would be called must be where the tool was built for: it says what it misses.
    config = lab.root / "etc/default/kdump-tools"
    config.parent.mkdir(parents=True, exist_ok=True)
    plain = "USE_KDUMP=1\n"
    config.write_text(plain)
    missing = subprocess.run([lab.tool, "enable", "--root", lab.root], capture_output=True, text=True).stderr
    for path in re.findall(r"/\S+?(?=,| does not exist| do not exist)", missing):
        (lab.root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path[1:]).touch()
    enable = [str(lab.tool), "enable", "--root", str(lab.root)]
    assert subprocess.run(enable, capture_output=True).returncode == 0
    enabled = config.read_text()
    for command, before, after in (("enable", plain, enabled), ("disable", enabled, plain)):
        def one(under, where):
            for file in config.parent.iterdir():
                file.unlink()
            config.write_text(before)
            done = subprocess.run([*under, str(lab.tool), command, "--root", lab.root], capture_output=True, text=True, timeout=90)
            now = config.read_text()
            assert now in (before, after), f"{command}: {where}: half a configuration: {now!r}"
            assert done.returncode >= 0 and "terminate" not in done.stderr, f"{command}: {where}: {done}"
            said = done.returncode == 0 or "standard output" in done.stderr
            assert (now == after) == said or where.startswith("write number"), f"{command}: {where}: exit status {done.returncode}, and the configuration " \
                f"{'was' if now == after else 'was not'} changed: {done.stderr}"
        one([], "nothing")
        config.write_text(before)
        done = spoil(injections(lab, [str(lab.tool), command, "--root", str(lab.root)]), full, seconds / 2, one)
        print(f"      {command}: {done}", flush=True)


CASES = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", None) == __name__ and name.startswith(("a_", "an_", "the_", "two_", "its_",
                                                                                                   "what_", "anything_", "unloading_",
                                                                                                   "segments_", "output_", "sources_",
                                                                                                   "images_", "no_", "both_", "where_"))]

SLOW = {a_planner_that_cannot_be_killed_means_a_plain_load}  # only with --full


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=Path)
    parser.add_argument("fake", type=Path)
    parser.add_argument("fixtures", type=Path)
    parser.add_argument("names", nargs="*", help="only these cases")
    parser.add_argument("--full", action="store_true", help="every error into every system call, however long it takes")
    arguments = parser.parse_args()
    passed = failed = skipped = 0
    os.umask(0o077)  # a caller's umask must not matter
    with tempfile.TemporaryDirectory(prefix="handoff-faults-") as directory:
        lab = Lab(arguments.tool.resolve(), arguments.fake.resolve(), arguments.fixtures.resolve(), directory)
        for case in CASES:
            if arguments.names and case.__name__ not in arguments.names:
                continue
            if case in SLOW and not arguments.full:
                continue
            lab.fresh()
            began = time.monotonic()
            try:
                case(lab, full=arguments.full) if "full" in case.__code__.co_varnames else case(lab)
                passed += 1
                print(f"ok    {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except Skip as reason:
                skipped += 1
                print(f"skip  {case.__name__}: {reason}", flush=True)
            except Exception as problem:  # pylint: disable=broad-except
                failed += 1
                print(f"FAIL  {case.__name__}: {type(problem).__name__}: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
