# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real program on machines made of files, and says what came of it."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import zlib

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
tool = os.environ.get("TOOL", os.path.join(top, "build/dev/tool/swiotlb-handoff"))
verify = os.environ.get("VERIFY", os.path.join(top, "build/dev/tool/swiotlb-handoff-verify"))
helpers = os.environ.get("HELPERS", "/usr/local/lib/swiotlb-handoff")
program = os.environ.get("PROGRAM", "/usr/local/sbin/swiotlb-handoff")
machines = os.path.join(top, "fixtures/machines")
longest = float(os.environ.get("CLI_TIMEOUT", "60"))

READY, INPUT, USAGE, REFUSED, NOT_NEEDED, NOT_PERMITTED = range(6)


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.out[:1500]}\nstderr: {self.err[:1500]}"


def has_sanitizer():
    with open(tool, "rb") as f:
        return b"__asan_init" in f.read()


def can_inject():
    """Whether strace can spoil system calls of the program here: not under a sanitizer, which has its own."""
    if has_sanitizer():
        return False
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def run(*arguments, stdin=None, environment=None, cwd=None, inject=None):
    """A crash or a hang is an AssertionError: no test has to look for one. `inject` is what strace calls an injection."""
    environment = {**(os.environ if environment is None else environment), "SWIOTLB_HANDOFF_NEVER_CRASH": "1"}
    under = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", "inject=" + inject] if inject else []
    process = subprocess.Popen([*under, tool, *arguments], stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment, cwd=cwd)
    try:
        out, err = process.communicate(stdin, timeout=longest)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"{arguments}: not done after {longest:.0f} s")
    outcome = Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    if process.returncode < 0:
        raise AssertionError(f"{arguments}: {signal.Signals(-process.returncode).name}\n{outcome}")
    if process.returncode > 5 or "terminate called" in outcome.err or "Sanitizer" in outcome.err:
        raise AssertionError(f"{arguments}: {outcome}")
    return outcome


class Tree:
    """A copy of a captured machine to be damaged; gone after the `with`."""

    def __init__(self, machine=None):
        self.root = tempfile.mkdtemp(prefix="handoff-cli-")
        if machine:
            shutil.copytree(os.path.join(machines, machine), self.root, dirs_exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        if os.path.lexists(self.path(name)):
            os.remove(self.path(name))
        with open(self.path(name), "wb") as f:
            f.write(content)

    def install_handoff(self):
        """As much of swiotlb-handoff as 'enable' wants to find."""
        for path in (program, *(os.path.join(helpers, name) for name in ("kexec", "verify", "kdump-tools.sh", "kdump-kexec.sh"))):
            self.write(path.lstrip("/"), b"")

    def remove(self, name):
        if os.path.isdir(self.path(name)):
            shutil.rmtree(self.path(name))
        else:
            os.remove(self.path(name))


def archive(*files):
    """What an initrd is made of: a cpio archive with these (name, data)."""
    def entry(name, data, mode):
        header = b"070701" + b"".join(b"%08x" % field for field in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)) + name + b"\0"
        return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)
    return b"".join(entry(name, data, 0o100644) for name, data in files) + entry(b"TRAILER!!!", b"", 0)


def bzimage(release):
    """As much of a kernel's image as anybody reads: tests/bzimage_file.hpp has the same."""
    data = bytearray(5 * 512 + 64)
    for at, size, value in ((0x1f1, 1, 4), (0x1fe, 2, 0xaa55), (0x202, 4, 0x53726448), (0x206, 2, 0x020f), (0x20e, 2, 0x100), (0x211, 1, 1), (0x230, 4, 0x200000),
                            (0x234, 1, 1), (0x236, 2, 3), (0x24c, 4, 64), (0x260, 4, 0x2000000)):
        data[at:at + size] = value.to_bytes(size, "little")
    data[0x300:0x300 + len(release)] = release.encode()
    return bytes(data)


class Crashed(Tree):
    """A machine with Debian's kdump that has crashed: beside the dump lies what the crash kernel's memory was, and what was loaded."""

    def __init__(self):
        super().__init__("debian-6.12-high-no-low")
        self.write("usr/sbin/kdump-config", b"")
        self.write("etc/default/kdump-tools", b'KDUMP_CMDLINE_APPEND="nr_cpus=1"\nMAKEDUMP_ARGS="-c -d 31"\n')
        release = self.read("proc/sys/kernel/osrelease").decode().strip()
        self.write("var/lib/kdump/vmlinuz", bzimage(release))
        self.write("var/lib/kdump/initrd.img", archive((b"init", b"x")))
        line = "ro nr_cpus=1"
        self.memory = {"schema": 2, "command": "watch", "time": "2026-11-20T03:05:00Z", "release": release, "command_line": line + " elfcorehdr=9K",
                       "possible_cpus": "0", "running_cpus": "0", "ram_bytes": 176 << 20, "total_bytes": 150 << 20, "first_free_bytes": 130 << 20,
                       "first_available_bytes": 130 << 20, "lowest_free_bytes": 9 << 20, "lowest_available_bytes": 71 << 20, "slabs": 0, "slabs_used": 0,
                       "oom_kills": 0, "vmcore_bytes": 1 << 40, "collector": "makedumpfile -c -d 31 /proc/vmcore x", "dump_bytes": 1 << 20, "dump_seconds": 3,
                       "dump_done": True, "looks": 30}
        empty = {"entries": []}
        self.load = {"schema": 2, "command": "kexec", "outcome": "plain", "why": "", "tool": "0.1.0", "time": "", "release": release, "kexec_tools": "", "verdict": None,
                     "reasons": [], "loader": "kexec_load", "method": "ram", "kernel": "", "initrd": "", "kernel_file": self.sum_of("var/lib/kdump/vmlinuz"),
                     "initrd_file": self.sum_of("var/lib/kdump/initrd.img"), "command_line": line, "append": "", "pool": None, "promised": None, "lent": False, "fences": [],
                     "segments": [], "segments_reported": False, "elfcorehdr": None, "rsdp_address": None, "before": empty, "after": empty}

    def sum_of(self, name):
        content = self.read(name)
        return {"size_bytes": len(content), "crc32": f"{zlib.crc32(content):#010x}"}

    def dump(self, name="202611200305", load=(), **memory):
        """Writes both, with these members changed."""
        self.write(f"var/crash/{name}/swiotlb-handoff-memory.json", json.dumps({**self.memory, **memory}).encode())
        self.write(f"var/crash/{name}/swiotlb-handoff.json", json.dumps({**self.load, **dict(load)}).encode())
