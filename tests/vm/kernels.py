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
SERIES = {"patched-6.1": ("bookworm-security", "linux-source-6.1", "6.1"), "patched-6.12": ("trixie", "linux-source-6.12", "6.12"),
          "patched-newest": ("trixie-backports", "linux-source-7.3", "7.3")}

# What every kernel is configured with, and what is added where the patches bring tests.
TINY = PATCHES / "tiny.config"
KUNIT = PATCHES / "kunit.config"
DEVICE_POOLS = PATCHES / "device-pools.config"

# What a newer kernel has under another name.
RENAMED = {"CONFIG_PROC_SYSCTL=y": "CONFIG_SYSCTL=y"}

# So that the same inputs make the same image.
ENVIRONMENT = {"KBUILD_BUILD_USER": "swiotlb-handoff", "KBUILD_BUILD_HOST": "localhost", "KBUILD_BUILD_TIMESTAMP": "@0",
               "LC_ALL": "C"}


class BuildFailed(Exception):
    pass


def has_device_pools(path):
    """A patch or a source file with the parameter that gives devices pools of their own."""
    return b'"swiotlb_dev"' in path.read_bytes()


def inputs(series):
    """Everything besides the source package that decides what is built."""
    _, _, directory = SERIES[series]
    digest = hashlib.sha256()
    patches = sorted((PATCHES / directory).glob("*.patch"))
    device_pools = [DEVICE_POOLS] if any(has_device_pools(path) for path in patches) else []
    for path in [*patches, TINY, KUNIT, *device_pools]:
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
    return [line for line in lines if line not in have and RENAMED.get(line) not in have and not line.endswith("=n")]


def unpack(package, tree, log):
    """The source tree out of Debian's package; files keep their times, so that an earlier build of it stays good."""
    fetched = tree.with_name(tree.name + ".package")
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    try:
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", fetched, "--strip-components=3", "--wildcards", "*/linux-source-*.tar.*"],
                       stdin=files.stdout, check=True)
        files.stdout.close()
        files.wait()
        (archive,) = fetched.iterdir()
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        run("tar", "-xf", archive, "-C", tree, "--strip-components=1", cwd=fetched, log=log)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def patched_tree(package, tree, patches, log):
    """The source tree with these patches. One that is there from the same package loses its old patches instead of being unpacked."""
    origin, applied = tree / ".package", tree / ".applied"
    try:
        if origin.exists() and origin.read_text() == package.name:
            for patch in sorted(applied.iterdir(), reverse=True):
                run("patch", "-p1", "-R", "-F0", "-i", patch, cwd=tree, log=log)
                patch.unlink()
        else:
            unpack(package, tree, log)
            applied.mkdir()
            origin.write_text(package.name)
        for patch in patches:
            run("patch", "-p1", "-F0", "-i", patch, cwd=tree, log=log)
            shutil.copy(patch, applied)
    except BuildFailed:
        shutil.rmtree(tree)  # nobody knows what is applied
        raise


def build(package, directory, work, log):
    """Unpack, patch, configure and make in `work`. Returns the build directory."""
    tree, out = work / package, work / f"b{directory.replace('.', '')}"
    patched_tree(next(work.glob(f"{package}_*.deb")), tree, sorted((PATCHES / directory).glob("*.patch")), log)
    make = ["make", "-s", f"O={out}", f"-j{os.cpu_count() + 2}"]
    if shutil.which("ccache"):
        make += ["CC=ccache gcc"]
    run(*make, "tinyconfig", cwd=tree, log=log)
    fragments = [TINY, *([KUNIT] if (tree / "kernel/dma/swiotlb_kunit.c").exists() else []),
                 *([DEVICE_POOLS] if has_device_pools(tree / "kernel/dma/swiotlb.c") else [])]
    run("scripts/kconfig/merge_config.sh", "-m", "-O", out, out / ".config", *fragments, cwd=tree, log=log)
    run(*make, "olddefconfig", cwd=tree, log=log)
    lost = missing_options((out / ".config").read_text(), "\n".join(path.read_text() for path in fragments))
    if lost:
        raise BuildFailed(f"{package} has no {' '.join(lost)}")
    run(*make, "bzImage", cwd=tree, log=log)
    return out


def keep_patched(suite, cached, packages, series):
    """Build the kernel; its image becomes `vmlinuz`, everything is built in. For fetch.ITEMS.

    With WORK in the environment what was unpacked and built stays there, and a patch that changed costs seconds.
    """
    _, package, directory = SERIES[series]
    made_of = inputs(series)
    kept = os.environ.get("WORK")
    work = Path(kept).resolve() if kept else cached / "work"
    work.mkdir(parents=True, exist_ok=True)
    for path in work.glob(f"{package}_*.deb"):
        path.unlink()
    try:
        _, version, digest = suite.download(package, work)
        packages[package] = {"version": version, "sha256": digest}
        print(f"building {series} of {package} {version}: about ten minutes of CPU", file=sys.stderr)
        out = build(package, directory, work, work / f"log-{directory}")
        shutil.copy(out / "arch/x86/boot/bzImage", cached / "vmlinuz")
        release = (out / "include/config/kernel.release").read_text().strip()
        shutil.copy(out / ".config", cached / f"config-{release}")
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
    (cached / "modules").mkdir()
    return {"release": release, "version": version, "made of": made_of}


def main():
    import fetch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", action="store_true", help="build nothing; exit 1 if there is something to build")
    parser.add_argument("series", nargs="*", metavar="SERIES", help=f"which ones (default: {' '.join(SERIES)})")
    arguments = parser.parse_args()
    unknown = [series for series in arguments.series if series not in SERIES]
    if unknown:
        parser.error(f"no {unknown[0]}, only {' '.join(SERIES)}")
    store = fetch.Store()
    for series in arguments.series or SERIES:
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
