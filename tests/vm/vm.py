# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of one cell: start QEMU, wait, and bring home what the guest said."""

import base64
import dataclasses
import json
import os
import shlex
import subprocess
import time

import initramfs

# Words on every first and every crash kernel's command line. The timer check counts interrupts against a busy loop and
# panics when an emulated machine is scheduled away at that moment.
FIRST_WORDS = "console=ttyS0 loglevel=4 panic=1 no_timer_check"
BASE_WORDS = "console=ttyS0 loglevel=6 reset_devices nr_cpus={cpus} irqpoll panic=1 no_timer_check"

# Emulated, two at a time, perhaps beside a compiler: only a machine that shows no sign of life for long is given up.
IDLE_SECONDS = 150
TOTAL_SECONDS = 900

DISK_BYTES = 4 << 30

# Records that are no text.
BINARY = ("vmcore.head", "capture.tar")


def first_words(cell):
    """Without KASLR in the first kernel a cell means the same layout in every boot: now and then the kernel would land
    just where the table wants the reservation. The crash kernel keeps its KASLR, and machines made up by chance too."""
    return " ".join([FIRST_WORDS, *([] if "random" in cell.tags else ["nokaslr"]), cell.words]).strip()


def base_words(cell):
    return " ".join(f"{BASE_WORDS.format(cpus=cell.crash_cpus)} {cell.crash_words} {cell.trigger} {'lab.nodump' if cell.dump == 'none' else ''}".split())


def harmless_words(cell):
    """The same without the words that the cell is about."""
    return base_words(dataclasses.replace(cell, trigger=""))


def settings(cell, canary, seed=""):
    """What the first kernel's script sources; a seed only for a crash under load."""
    shrink = cell.shrink if cell.shrink in ("", "tool") else str(size_of(cell.shrink))
    values = {"MODE": cell.mode, "LOADER": cell.loader, "BY": cell.by, "SHRINK": shrink,
              "BASE": base_words(cell), "CANARY": canary, "METHOD": cell.method, "SEED": seed, "LEND": cell.lend, "PLUG": cell.plug, "REFUSE": cell.refuse}
    if cell.by == "next" and cell.initrd != "small":
        values["PAD"] = str(size_of(cell.initrd))
    # A quick boot of a machine made up by chance is about plans that are ready.
    if "random" in cell.tags and cell.dump == "none":
        values["READY_ONLY"] = "yes"
    elif triggered(cell):
        values["HARMLESS"] = harmless_words(cell)
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items()).encode()


def triggered(cell):
    """The cell is about something that its machine can be planned for without."""
    return bool(cell.trigger or cell.acpi) and "random" not in cell.tags


def size_of(text):
    """Bytes."""
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1]]


def command(cell, directory, kernel, initrd, ovmf):
    memory = size_of(cell.memory)
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-machine", cell.machine, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(cell.cpus),
             "-m", f"{memory >> 20}M"]
    if cell.nodes > 1:
        for node in range(cell.nodes):
            words += ["-object", f"memory-backend-ram,id=m{node},size={memory // cell.nodes}",
                      "-numa", f"node,memdev=m{node},cpus={node % cell.cpus}" if node < cell.cpus
                      else f"node,memdev=m{node}"]
    if cell.firmware == "ovmf":
        words += ["-bios", str(ovmf / "OVMF.fd")]
    if cell.iommu == "intel":
        words += ["-device", "intel-iommu,intremap=off"]
    if cell.external:
        (directory / "external.aml").write_bytes(initramfs.external_port())
        words += ["-acpitable", f"file={directory / 'external.aml'}", "-device", "pcie-root-port,id=external,addr=8,chassis=1",
                  "-device", "virtio-rng-pci,bus=external,disable-legacy=on"]
    if cell.plug:
        words += ["-chardev", f"pipe,id=monitor,path={directory / 'monitor'}", "-mon", "chardev=monitor"]
    # With iommu_platform=on the guest's DMA API decides, so that swiotlb=force really bounces.
    words += ["-serial", f"file:{directory / 'serial.log'}",
              "-chardev", f"file,id=port,path={directory / 'port'}",
              "-device", "virtio-serial-pci,disable-legacy=on,iommu_platform=on", "-device",
              "virtserialport,chardev=port,name=swiotlb-handoff",
              "-drive", f"file={directory / 'disk'},if=none,id=disk,format=raw,cache=unsafe",
              "-device", "virtio-blk-pci,drive=disk,disable-legacy=on,iommu_platform=on",
              "-kernel", str(kernel), "-initrd", str(initrd), "-append", first_words(cell)]
    return words


def signs_of_life(directory, console=True):
    """A kernel that cannot bounce repeats itself on the console for ever: that is no life. Nor is, without `console`, what disks
    that are kept busy have to complain about."""
    def look(name):
        try:
            status = os.stat(directory / name)
            return status.st_size, status.st_blocks
        except FileNotFoundError:
            return None
    names = ("port", "disk") if not console or hopeless(directory / "serial.log") else ("serial.log", "port", "disk")
    return tuple(look(name) for name in names)


def hopeless(console):
    try:
        with open(console, "rb") as text:
            text.seek(max(0, console.stat().st_size - 1500))
            return text.read().count(b"Can not allocate SWIOTLB buffer") >= 5
    except OSError:
        return False


class Plug:
    """Plugs a device in once the guest asks for it by `word`: QEMU's monitor behind two pipes. A context manager for one boot."""

    def __init__(self, directory, device, port=None, word=b'"key":"plug"'):
        self.port, self.device, self.word = port or directory / "port", device, word
        self.pipes = [directory / "monitor.in", directory / "monitor.out"]

    def __enter__(self):
        for pipe in self.pipes:
            os.mkfifo(pipe)
        self.ends = [os.open(pipe, os.O_RDWR | os.O_NONBLOCK) for pipe in self.pipes]
        return self

    def look(self):
        if self.device and self.port.exists() and self.word in self.port.read_bytes():
            os.write(self.ends[0], f"device_add {self.device}\n".encode())
            self.device = ""

    def __exit__(self, *_):
        for end in self.ends:
            os.close(end)
        for pipe in self.pipes:
            pipe.unlink()


def boot(words, directory, stop, plug=None, console=True):
    """Run QEMU until it ends by itself, falls silent, or `stop` (an Event) is set. Returns (problem or None, seconds)."""
    with open(directory / "disk", "wb") as disk:
        disk.truncate(DISK_BYTES)
    (directory / "qemu.sh").write_text("#!/bin/sh\n# The exact machine; its disk and initial RAM disk are made by "
                                       "run.py.\nexec " + shlex.join(words) + "\n")
    began = time.monotonic()
    with open(directory / "qemu.log", "wb") as log:
        qemu = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    seen, since = None, began
    problem = None
    try:
        while qemu.poll() is None:
            now = time.monotonic()
            if (life := signs_of_life(directory, console)) != seen:
                seen, since = life, now
            if plug:
                plug.look()
            if stop.is_set():
                problem = "interrupted"
            elif now - since > IDLE_SECONDS:
                problem = f"no sign of life for {IDLE_SECONDS} s"
            elif now - began > TOTAL_SECONDS:
                problem = f"not done after {TOTAL_SECONDS} s"
            if problem:
                break
            time.sleep(0.2)
    finally:
        if qemu.poll() is None:
            qemu.kill()
        qemu.wait()
    if problem is None and qemu.returncode != 0:
        message = (directory / "qemu.log").read_text(errors="replace").strip().splitlines()
        problem = f"QEMU ended with {qemu.returncode}: {message[-1] if message else 'no message'}"
    return problem, time.monotonic() - began


def records(directory):
    """What the guest sent: {'first': {key: text}, 'crash': {key: text}}, and one of each kernel that an ordinary kexec started:
    'next1', ... A line cut short by the crash is dropped."""
    said = {"first": {}, "crash": {}}
    try:
        lines = (directory / "port").read_bytes().split(b"\n")
    except FileNotFoundError:
        return said
    for line in lines:
        try:
            record = json.loads(line)
            text = record["value"] if "value" in record else base64.b64decode(record["base64"]).decode(errors="surrogateescape" if record["key"] in BINARY else "replace")
            said.setdefault(record["from"], {})[record["key"]] = text
        except (ValueError, KeyError, TypeError):
            continue
    return said


def keep(directory, said):
    """One file per record, for people."""
    for kernel, values in said.items():
        (directory / kernel).mkdir(exist_ok=True)
        for key, text in values.items():
            (directory / kernel / key).write_text(text if text.endswith("\n") else text + "\n", errors="surrogateescape")


def kept(directory):
    """What keep() wrote, as records() gave it."""
    return {kernel: {path.name: path.read_text(errors="surrogateescape" if path.name in BINARY else "replace").removesuffix("\n")
                     for path in (directory / kernel).glob("*") if path.is_file()}
            for kernel in ("first", "crash", *sorted(path.name for path in directory.glob("next[0-9]")))}


def read_dump(directory, makedumpfile, canary, look=None, keep=None):
    """None if the disk holds a dump of this very crash, else what is wrong with it. `look` is called with its path; where `keep` is
    a path, a good dump stays there."""
    run = [str(makedumpfile / "ld-linux-x86-64.so.2"), "--library-path", str(makedumpfile),
           str(makedumpfile / "makedumpfile")]
    dump, log = directory / "dump", directory / "dump.dmesg"
    try:
        with open(directory / "disk", "rb", buffering=0) as disk:
            if disk.read(16) != b"makedumpfile\0\0\0\0":
                return "the disk holds no dump"
            disk.seek(0)
            done = subprocess.run([*run, "-R", dump], stdin=disk, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            return f"the dump cannot be put together: {(done.stdout + done.stderr).strip().splitlines()[-1:]}"
        done = subprocess.run([*run, "--dump-dmesg", dump, log], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            return f"no kernel log can be read from the dump: {(done.stdout + done.stderr).strip().splitlines()[-1:]}"
        if f"canary {canary}" not in log.read_text(errors="replace"):
            return "the dump is not of this crash: its kernel log lacks the canary"
        if look:
            look(dump)
        if keep:
            dump.rename(keep)
        return None
    except subprocess.TimeoutExpired:
        return "reading the dump back took too long"
    finally:
        for path in (dump, log):
            path.unlink(missing_ok=True)
