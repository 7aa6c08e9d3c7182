# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real program on machines made of files, and says what came of it."""
import os
import shutil
import signal
import subprocess
import tempfile

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


def can_inject():
    """Whether strace can spoil system calls of the program here: not under a sanitizer, which has its own."""
    with open(tool, "rb") as f:
        if b"__asan_init" in f.read():
            return False
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def run(*arguments, stdin=None, environment=None, cwd=None, inject=None):
    """A crash or a hang is an AssertionError: no test has to look for one. `inject` is what strace calls an injection."""
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
