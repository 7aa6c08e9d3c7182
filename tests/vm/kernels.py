#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels with the patches of kernel/, built from Debian's source packages.

They are kept in fetch.py's cache like everything else the virtual machines run. What they were made of (source package,
patches, configuration, compiler) is part of the manifest, and another one means another build.

Run directly, it builds those that are not there yet; with --warm it only tells whether they are.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PATCHES = Path(__file__).resolve().parents[2] / "kernel"

# Series of a kernel in the tables -> suite, source package, and the directory of its patches.
SERIES = {"patched-6.1": ("bookworm", "linux-source-6.1", "6.1"), "patched-newest": ("unstable", "linux-source-7.2", "7.2")}

# So that the same inputs make the same image.
ENVIRONMENT = {"KBUILD_BUILD_USER": "swiotlb-handoff", "KBUILD_BUILD_HOST": "localhost", "KBUILD_BUILD_TIMESTAMP": "@0",
               "LC_ALL": "C"}


class BuildFailed(Exception):
    pass


def inputs(series):
    """Everything besides the source package that decides what is built."""
    _, _, directory = SERIES[series]
    digest = hashlib.sha256()
    for path in [*sorted((PATCHES / directory).glob("*.patch")), PATCHES / "tiny.config"]:
        digest.update(path.read_bytes())
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {"patches and configuration": digest.hexdigest(), "compiler": compiler}


def run(*command, cwd, log):
    environment = os.environ | ENVIRONMENT
    for variable in ("MAKEFLAGS", "MFLAGS"):
        environment.pop(variable, None)
    with open(log, "ab") as stream:
        done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    if done.returncode != 0:
        tail = Path(log).read_text(errors="replace").splitlines()[-15:]
        raise BuildFailed("\n".join([f"{' '.join(map(str, command[:3]))} fails:", *tail]))


def missing_options(config, wanted):
    """Options of a fragment that a configuration does not have as asked for."""
    have = set(config.splitlines())
    lines = [line for line in wanted.splitlines() if line.startswith("CONFIG_")]
    return [line for line in lines if line not in have and not line.endswith("=n")]


def keep_patched(suite, work, packages, series):
    """Build the kernel; its image becomes `vmlinuz`, everything is built in. For fetch.ITEMS."""
    _, package, directory = SERIES[series]
    made_of = inputs(series)
    path, version, digest = suite.download(package, work)
    packages[package] = {"version": version, "sha256": digest}
    tree, build, log = work / "tree", work / "build", work / "log"
    tree.mkdir()
    try:
        unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", work, "--strip-components=3", "--wildcards", "*/linux-source-*.tar.*"],
                       stdin=unpack.stdout, check=True)
        unpack.stdout.close()
        unpack.wait()
        path.unlink()
        (archive,) = work.glob("linux-source-*.tar.*")
        print(f"unpacking {archive.name}", file=sys.stderr)
        run("tar", "-xf", archive, "-C", tree, "--strip-components=1", cwd=work, log=log)
        archive.unlink()
        for patch in sorted((PATCHES / directory).glob("*.patch")):
            run("patch", "-p1", "-F0", "-i", patch, cwd=tree, log=log)
        make = ["make", "-s", f"O={build}", f"-j{os.cpu_count()}"]
        if shutil.which("ccache"):
            make += ["CC=ccache gcc"]
        run(*make, "tinyconfig", cwd=tree, log=log)
        run("scripts/kconfig/merge_config.sh", "-m", "-O", build, build / ".config", PATCHES / "tiny.config", cwd=tree, log=log)
        run(*make, "olddefconfig", cwd=tree, log=log)
        lost = missing_options((build / ".config").read_text(), (PATCHES / "tiny.config").read_text())
        if lost:
            raise BuildFailed(f"{package} has no {' '.join(lost)}")
        print(f"building {series}: about ten minutes of CPU", file=sys.stderr)
        run(*make, "bzImage", cwd=tree, log=log)
        shutil.copy(build / "arch/x86/boot/bzImage", work / "vmlinuz")
        release = (build / "include/config/kernel.release").read_text().strip()
    finally:
        for done in (tree, build):
            shutil.rmtree(done, ignore_errors=True)
        path.unlink(missing_ok=True)
        for archive in work.glob("linux-source-*.tar.*"):
            archive.unlink()
    log.unlink()
    (work / "modules").mkdir()
    return {"release": release, "version": version, "made of": made_of}


def main():
    import fetch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", action="store_true", help="build nothing; exit 1 if there is something to build")
    arguments = parser.parse_args()
    store = fetch.Store()
    for series in SERIES:
        item = f"kernel-{series}"
        if arguments.warm:
            if store.current(item) is None:
                return 1
            continue
        try:
            directory, manifest = store.get(item)
            print(f"{item:24} {manifest['version']:24} {directory}")
        except fetch.Unavailable as reason:
            print(f"{item}: {reason}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
