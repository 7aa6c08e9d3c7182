# SPDX-License-Identifier: GPL-2.0-or-later
"""A root with a release of Debian and the packages that are asked for, made by mmdebstrap and gone afterwards. As root."""
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
import fetch  # noqa: E402


class NoRoot(Exception):
    """mmdebstrap made none, and said why."""


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)


class Root:
    def __init__(self, path, cache=None):
        self.path, self.cache = path, cache

    def run(self, script, **more):
        """A shell script in it, in a mount namespace with /proc, and with the cache's directory at /cache; ends at the first command that fails."""
        cache = 'mkdir -p "$3" "$1/cache"; mount --bind "$3" "$1/cache"; ' if self.cache else ""
        return run("unshare", "--mount", "--fork", "sh", "-ec", f'mount -t proc proc "$1/proc"; {cache}exec chroot "$1" sh -ec "$2"', "sh", self.path, script,
                   self.cache or "", **more)

    def versions(self):
        """package -> version"""
        said = self.run("dpkg-query -W -f '${Package} ${Version}\\n'").stdout
        return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


@contextlib.contextmanager
def minimal_root(suite, packages, cache=None):
    path = Path(tempfile.mkdtemp(prefix=f"handoff-{suite}-"))
    settings = re.findall(r'^(Acquire::(?:https?|Retries|Check-Valid-Until)\S* ".*");$', run("apt-config", "dump").stdout, re.M)
    try:
        include = [f"--include={','.join(packages)}"] if packages else []
        done = run("mmdebstrap", "--variant=minbase", "--mode=root", *include, *(f"--aptopt={one}" for one in settings),
                   suite, path, f"deb {fetch.debian_archive()} {suite} main")
        if done.returncode:
            raise NoRoot(f"no root of {suite}: {done.stderr[-800:]}")
        yield Root(path, cache)
    finally:
        shutil.rmtree(path, ignore_errors=True)
