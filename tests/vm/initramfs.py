# SPDX-License-Identifier: GPL-2.0-or-later
"""Initial RAM file systems, written straight in the cpio format the kernel reads (Documentation/driver-api/
early-userspace/buffer-format.rst): no cpio program, no root, no temporary tree."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path


class Archive:
    """A cpio archive in the making. A file that is already there under another name becomes a symbolic link to it."""

    def __init__(self):
        self.chunks = []
        self.members = []
        self.inode = 0
        self.names = set()
        self.contents = {}

    def entry(self, name, mode, data=b""):
        self.inode += 1
        self.members.append((name, mode, data))
        encoded = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self.chunks += [header, bytes(-len(header) % 4), data, bytes(-len(data) % 4)]

    def directory(self, name):
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path and path not in self.names:
                self.names.add(path)
                self.entry(path, 0o040755)

    def file(self, name, data, mode=0o755):
        self.directory(os.path.dirname(name))
        digest = hashlib.sha256(data).digest()
        same = self.contents.setdefault(digest, name)
        if same != name and len(data) > 4096:
            self.entry(name, 0o120777, b"/" + same.encode())
        else:
            self.entry(name, 0o100000 | mode, data)

    def program(self, name, directory):
        """A program that brings its own libraries and dynamic linker, so that one archive can mix suites."""
        for path in sorted(Path(directory).iterdir()):
            if path.is_file() and path.name != "manifest.json":
                self.file(f"opt/{name}/{path.name}", path.read_bytes())
        home = f"/opt/{name}"
        self.file(f"bin/{name}", f'#!/bin/busybox sh\nexec {home}/ld-linux-x86-64.so.2 --library-path {home} '
                                 f'{home}/{name} "$@"\n'.encode())

    def tar(self):
        """The same as a tar archive."""
        made = io.BytesIO()
        kinds = {0o040000: tarfile.DIRTYPE, 0o120000: tarfile.SYMTYPE, 0o100000: tarfile.REGTYPE}
        with tarfile.open(fileobj=made, mode="w") as tar:
            for name, mode, data in self.members:
                member = tarfile.TarInfo(name)
                member.mode, member.type = mode & 0o7777, kinds[mode & 0o170000]
                if member.issym():
                    member.linkname = data.decode()
                member.size = len(data) if member.isreg() else 0
                tar.addfile(member, io.BytesIO(data))
        return made.getvalue()

    def bytes(self):
        closed = Archive()
        closed.entry("TRAILER!!!", 0)
        data = b"".join(self.chunks + closed.chunks)
        return data + bytes(-len(data) % 512)


def gather(binary, directory):
    """Copy a program of this machine and its libraries into one directory, without debug information."""
    directory.mkdir(parents=True)
    target = directory / "swiotlb-handoff"
    if subprocess.run(["strip", "-o", target, binary], stderr=subprocess.DEVNULL).returncode != 0:
        target.write_bytes(Path(binary).read_bytes())
    listing = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    if "not found" in listing:
        raise ValueError(f"{binary}: a library is missing:\n{listing}")
    for path in re.findall(r"(/\S+)", listing):
        (directory / Path(path).name).write_bytes(Path(path).read_bytes())


def crash_side(build):
    """What the package puts into a crash kernel's initramfs, at its place: verify, stripped as it is installed by a package, and
    dracut's hook, which runs it."""
    hook = (build / "dropins/dracut/report.sh").read_text()
    verify = build / "tool/swiotlb-handoff-verify"
    place = re.search(r"-x /(\S*/verify) ", hook)[1]
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, verify], check=True)
        return [(place, Path(stripped.name).read_bytes()), ("bin/report-hook", hook.encode())]


def common(kernel, busybox, init, witness, tool, drivers=None, pattern=None, extra=()):
    """What both kernels need; drivers and pattern for a crash under load (load.py)."""
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "tmp", "bin", "modules", "cell"):
        archive.directory(name)
    archive.file("bin/busybox", (busybox / "busybox").read_bytes())
    archive.file("init", init.read_bytes())
    archive.file("bin/witness", witness.read_bytes())
    for path in sorted((kernel / "modules").iterdir()):
        archive.file(f"modules/{path.name}", path.read_bytes(), 0o644)
    for path in sorted(drivers.glob("*.ko")) if drivers else []:
        archive.file(f"modules/load/{path.name}", path.read_bytes(), 0o644)
    if pattern is not None:
        archive.file("bin/pattern", pattern.read_bytes())
    for name, data in extra:
        archive.file(name, data)
    if tool is not None:
        archive.program("swiotlb-handoff", tool)
    return archive


def crash_image(archive, makedumpfile):
    archive.program("makedumpfile", makedumpfile)
    return gzip.compress(archive.bytes(), 6, mtime=0)


def squash_image(archive, makedumpfile, busybox, init, modules, sqfstar):
    """The same as crash_image(), with nearly all of it in one packed file, as dracut's module 99squash does."""
    archive.program("makedumpfile", makedumpfile)
    outside = Archive()
    for name in ("dev", "squash/root", "squash/changes", "newroot"):
        outside.directory(name)
    with tempfile.TemporaryDirectory() as directory:
        packed = Path(directory) / "squashfs-root.img"
        subprocess.run([sqfstar / "ld-linux-x86-64.so.2", "--library-path", sqfstar, sqfstar / "sqfstar", "-quiet", "-no-progress", "-all-root", packed],
                       input=archive.tar(), stdout=subprocess.DEVNULL, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "0"})
        outside.file("squashfs-root.img", packed.read_bytes(), 0o644)
    outside.file("bin/busybox", (busybox / "busybox").read_bytes())
    outside.file("init", init.read_bytes())
    for path in sorted(modules.glob("*.ko")):
        outside.file(f"modules/{path.name}", path.read_bytes(), 0o644)
    return gzip.compress(outside.bytes(), 6, mtime=0)


def acpi_table(size):
    """An uncompressed cpio archive with an ACPI table of `size` bytes, as CONFIG_ACPI_TABLE_UPGRADE reads it in front of an
    initial RAM disk (Documentation/admin-guide/acpi/initrd_table_override.rst). The table is of a kind that nothing uses, and
    no machine has it."""
    table = bytearray(b"UEFI" + size.to_bytes(4, "little") + b"\1\0" + b"LABLAB" + b"LABTABLE" + bytes(12)).ljust(size, b"\0")
    table[9] = -sum(table) % 256
    archive = Archive()
    archive.file("kernel/firmware/acpi/lab.aml", bytes(table), 0o644)
    return archive.bytes()


def external_port():
    """An SSDT that says of the PCIe port in slot 8 of QEMU's q35 that it leads out of the machine, as firmware does for Thunderbolt:
    pci_acpi_set_external_facing() in drivers/pci/pci-acpi.c. Encoded by hand (ACPI 6.5, chapter 20): Scope (\\_SB.PCI0.S40),
    Name (_DSD, Package {UUID, Package {Package {"ExternalFacingPort", 1}}})."""
    def package(operator, body):
        size = len(body) + (1 if len(body) < 63 else 2)
        length = bytes([size]) if size < 64 else bytes([0x40 | size & 15, size >> 4])
        return operator + length + body

    guid = bytes.fromhex("cc06ccefac73c34bbff076143807c389")  # efcc06cc-73ac-4bc3-bff0-76143807c389, mixed-endian
    pair = package(b"\x12", b"\x02" + b"\x0dExternalFacingPort\0" + b"\x01")
    properties = package(b"\x12", b"\x02" + package(b"\x11", b"\x0a\x10" + guid) + package(b"\x12", b"\x01" + pair))
    body = package(b"\x10", b"\x5c\x2f\x03_SB_PCI0S40_" + b"\x08_DSD" + properties)
    table = bytearray(b"SSDT" + (36 + len(body)).to_bytes(4, "little") + b"\x02\0LABLABEXTERNAL" + (1).to_bytes(4, "little") + b"LAB " + (1).to_bytes(4, "little") + body)
    table[9] = -sum(table) % 256
    return bytes(table)


def pad(image, size):
    """The kernel skips zeros between archives (init/initramfs.c, unpack_to_rootfs), so padding costs no memory later."""
    return image + bytes(max(0, size - len(image)))
