# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that crashes while its memory is full of a known pattern and its devices are at work through the pool.

A cell asks for it with a word on its crash kernel's command line:

lab.load        the crash kernel loads the driver of the disk that takes the dump and no other, as kdump's initial RAM disks
                do: NVMe, AHCI, e1000 and virtio-net go on with what the old kernel had asked of them
lab.load,reset  it loads all drivers first, which resets all devices
lab.busy        the first kernel has no load; the crash kernel has: it sets the same devices to work, then saves the dump
lab.busy=N      the same with N requests in flight on each disk instead of 32
"""

import json
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

# Each disk is full of one letter and each frame too, so that a wrong byte in the dump tells whose it is.
DISKS = {"b": "virtio-blk-pci,disable-legacy=on,iommu_platform=on", "c": "virtio-blk-pci,disable-legacy=on,iommu_platform=on",
         "n": "nvme,serial=lab", "s": "ide-hd,bus=ide.0"}
NETS = {"e1000": "e1000", "virtio-net": "virtio-net-pci,disable-legacy=on,iommu_platform=on"}
DISK_BYTES = 32 << 20
# 32 requests of 128 KiB at this rate are in flight for half a minute: longer than it takes to boot the crash kernel.
BYTES_PER_SECOND = 128 << 10
# A ring of 256 receive buffers lasts as long.
FRAMES_PER_SECOND = 8


def wanted(cell):
    return "lab.load" in cell.crash_words


def busy(cell):
    return "lab.busy" in cell.crash_words


def has_drivers(cell):
    return bool(cell.plug) or busy(cell) or wanted(cell)


def has_modules(cell):
    """A patched kernel has its drivers built in, and no modules: kernel/tiny.config."""
    return has_drivers(cell) and not cell.kernel.startswith("patched-")


def packaged(cell):
    """The crash kernel's initial RAM disk has what a package puts there, and not the whole program."""
    return "lab.packaged" in cell.crash_words


def kind(cell):
    """In the names of files that differ for such cells."""
    return ("-load" if has_drivers(cell) else "") + "".join(f"-{word}" for word in ("caps", "cost", "verify", "packaged") if f"lab.{word}" in cell.crash_words)


class Devices:
    """What is plugged in besides the usual, and the other end of the wires. A context manager for one boot."""

    def __init__(self, directory, wide=False):
        """`wide`: only such as address all memory, for a pool that is lent."""
        self.directory = Path(directory)
        self.nets = {name: device for name, device in NETS.items() if not (wide and name == "e1000")}
        self.stop = threading.Event()
        self.frames = 0

    def __enter__(self):
        # A socket's path may have 107 bytes.
        self.sockets = tempfile.TemporaryDirectory(prefix="lab-")
        home = Path(self.sockets.name)
        self.words, self.wires = [], []
        for letter, device in DISKS.items():
            (self.directory / f"disk-{letter}").write_bytes(letter.upper().encode() * DISK_BYTES)
            self.words += ["-drive", f"file={self.directory / f'disk-{letter}'},if=none,id=disk{letter},format=raw,cache=unsafe,"
                           f"throttling.bps-total={BYTES_PER_SECOND}", "-device", f"{device},drive=disk{letter}"]
        for number, (name, device) in enumerate(self.nets.items()):
            wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            wire.bind(str(home / f"{name}.host"))
            wire.setblocking(False)
            self.wires.append((wire, str(home / name), number))
            self.words += ["-netdev", f"dgram,id={name},local.type=unix,local.path={home / name},remote.type=unix,"
                           f"remote.path={home / name}.host", "-device", f"{device},netdev={name},mac=52:54:00:00:00:{number:02x}"]
        self.thread = threading.Thread(target=self.talk, daemon=True)
        self.thread.start()
        return self

    def talk(self):
        frame = b"\xff" * 6 + b"\x52\x54\x00\x00\x01\x00" + b"\x88\xb5" + b"F" * 1400
        while not self.stop.wait(1 / FRAMES_PER_SECOND):
            for wire, guest, _ in self.wires:
                try:
                    while wire.recv(4096):
                        pass
                except OSError:
                    pass
                try:
                    wire.sendto(frame, guest)
                    self.frames += 1
                except OSError:
                    pass  # not yet, or no more

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for wire, _, _ in self.wires:
            wire.close()
        self.sockets.cleanup()
        for letter in DISKS:
            (self.directory / f"disk-{letter}").unlink(missing_ok=True)


def compare(program, dump, said, seed):
    """What the pattern looks like in the dump: the numbers of 'pattern compare', or {"problem": why there are none}."""
    runs = said["first"].get("pattern")
    if not runs:
        return {"problem": "the first kernel did not say where the pattern is"}
    path = Path(dump).with_suffix(".runs")
    path.write_text(runs)
    try:
        done = subprocess.run([program, "compare", dump, str(seed), path], capture_output=True, text=True, timeout=300)
        return json.loads(done.stdout) if done.returncode == 0 else {"problem": done.stderr.strip()[:200]}
    except (subprocess.TimeoutExpired, ValueError) as problem:
        return {"problem": str(problem)}
    finally:
        path.unlink()


def judge(found, first, lent=False):
    """Reasons why a dump is not as it has to be; [] for one that is right in every byte. Nothing bounces where the pool is lent."""
    if found is None:
        return []
    if "problem" in found:
        return [f"the pattern was not compared: {found['problem']}"]
    reasons = []
    if not found["pages"]:
        reasons.append("there was no pattern")
    if found["missing"]:
        reasons.append(f"{found['missing']} pages of the pattern are not in the dump")
    if found["wrong_bytes"]:
        reasons.append(f"{found['wrong_bytes']} bytes of {found['wrong_pages']} pages are wrong")
    used = int(first.get("used-at-crash", "0"))
    if lent:
        if used:
            reasons.append(f"{used} slabs of a pool that was lent were in use when the machine crashed")
    elif not used:
        reasons.append("no slab of the pool was in use when the machine crashed: this load loads nothing")
    return reasons


def total(facts):
    """One line over all boots with a comparison; None without any."""
    found = [fact["pattern"] for fact in facts if "pages" in (fact.get("pattern") or {})]
    if not found:
        return None
    used = sorted(fact["used_at_crash"] for fact in facts if fact.get("used_at_crash") is not None)
    mib = sum(one["pages"] for one in found) // 256
    return (f"{len(found)} dumps compared with the pattern: {mib} MiB, {sum(one['missing'] for one in found)} pages missing, "
            f"{sum(one['wrong_bytes'] for one in found)} bytes wrong; slabs in use at the crash: "
            + ("unknown" if not used else str(used[0]) if used[0] == used[-1] else f"{used[0]} to {used[-1]}"))
