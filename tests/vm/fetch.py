#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything the virtual machines run that this project does not build, taken from Debian's suites.

Each suite gets an apt state of its own, so the machine's own package lists and sources stay as they are. The archive is
whichever one the machine itself uses for Debian; apt verifies what it downloads. Out of each package only the few files
the lab needs are kept, under ${XDG_CACHE_HOME:-~/.cache}/swiotlb-handoff, with their sha256 sums. The sums are checked
on every use. A full cache needs no network; an empty or damaged one fills itself.

Run directly, it fills the cache and prints what is in it.
"""

import argparse
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import kernels

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swiotlb-handoff"

# The suite a kernel series comes from. "newest" is whatever unstable carries on the day the cache is filled.
KERNEL_SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "unstable",
                 "7.3": "trixie-backports"}

# The versions of kexec-tools a cell can name.
KEXEC_SUITES = {"2.0.25": "bookworm", "newest": "unstable"}

# In the order in which they must be loaded. What a kernel has built in is simply absent from its package.
MODULES = ["virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
           "virtio_console"]

# Drivers of the devices that are kept busy when a machine crashes under load; what these need comes with them.
LOAD_MODULES = ["nvme", "ahci", "sd_mod", "e1000", "virtio_net"]

# What mounts a packed root file system, as dracut's module 99squash does.
SQUASH_MODULES = ["loop", "squashfs", "overlay"]

# Bump when the layout of a cached directory changes.
LAYOUT = 1


class Unavailable(Exception):
    """A suite, package or file cannot be had, neither from the cache nor from the archive."""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Suite:
    """One Debian suite behind its private apt state."""

    def __init__(self, name):
        self.name = name
        self.state = CACHE / "apt" / name
        self.updated = False

    def run(self, *command, cwd=None):
        environment = dict(os.environ, LC_ALL="C")
        done = subprocess.run([command[0], *self.options(), *command[1:]], cwd=cwd, env=environment, text=True,
                              capture_output=True)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise Unavailable(f"{self.name}: {' '.join(command[:3])}: {errors[0] if errors else done.stderr.strip()}")
        return done.stdout

    def options(self):
        pairs = {"Dir::Etc::sourcelist": self.state / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
                 "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
                 "Dir::State": self.state, "Dir::State::status": "/dev/null", "Dir::Cache": self.state / "cache",
                 # Some container images switch these off, and every query then reads all lists again.
                 "Dir::Cache::pkgcache": "pkgcache.bin", "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
                 "APT::Sandbox::User": "root", "APT::Architecture": "amd64", "APT::Architectures": "amd64",
                 "Acquire::Languages": "none", "Acquire::Retries": "3", "APT::Update::Error-Mode": "any"}
        return [f"-o{key}={value}" for key, value in pairs.items()]

    def update(self):
        if self.updated:
            return
        for part in ("lists/partial", "cache/archives/partial"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={keyring}] " if keyring.exists() else ""
        (self.state / "sources.list").write_text(f"deb {signed}{debian_archive(self.name)} {self.name} main\n")
        self.run("apt-get", "update", "-q")
        self.updated = True

    def depends(self, package, recurse=False):
        """What a package depends on, in apt's words and order, with `recurse` down to the last library."""
        self.update()
        only = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
        text = self.run("apt-cache", "depends", *only, *(["--recurse"] if recurse else []), package)
        if recurse:
            return [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
        return re.findall(r"Depends: ([^\s<>]+)", text)

    def describe(self, package):
        """Version and sha256 of the candidate, or None if the suite does not have the package."""
        self.update()
        try:
            text = self.run("apt-cache", "show", "--no-all-versions", package)
        except Unavailable:
            return None
        fields = dict(re.findall(r"^(Version|SHA256): (\S+)$", text, re.M))
        return fields if len(fields) == 2 else None

    def download(self, package, directory):
        """Download one package and check it against the suite's signed metadata. Returns (path, version, sha256)."""
        fields = self.describe(package)
        if fields is None:
            raise Unavailable(f"{self.name}: no package {package}")
        before = set(directory.glob("*.deb"))
        self.run("apt-get", "download", "-q", f"{package}={fields['Version']}", cwd=directory)
        fresh = set(directory.glob("*.deb")) - before
        if len(fresh) != 1:
            raise Unavailable(f"{self.name}: downloading {package} left {len(fresh)} files, expected one")
        path = fresh.pop()
        if sha256(path) != fields["SHA256"]:
            raise Unavailable(f"{self.name}: {path.name} is not what the package list says (sha256)")
        return path, fields["Version"], fields["SHA256"]


def debian_archive(suite=""):
    """The URI from which this machine takes a suite of Debian itself, whatever the format of its sources."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Identifier: Packages"],
                          capture_output=True, text=True, check=True).stdout
    targets = [line.split(" ", 1) for line in text.splitlines() if line]
    security = suite.endswith("-security")
    label, directory = ("Debian-Security", "/debian-security") if security else ("Debian", "/debian")
    # The label is known only once the lists were fetched; the path tells on a machine where they never were.
    for wanted in (lambda uri, named: named == label, lambda uri, named: uri.rstrip("/").endswith(directory)):
        for uri, named in targets:
            if wanted(uri, named):
                return uri
    raise Unavailable(f"apt's sources on this machine name no archive of {label}")


def extract(package, tree, *patterns):
    """Unpack those files of a package that match one of tar's wildcard patterns."""
    tree.mkdir(exist_ok=True)
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    # tar complains about patterns without a match; whoever needs a file looks for it afterwards.
    subprocess.run(["tar", "-x", "-C", tree, "--no-same-owner", "--wildcards", *patterns], stdin=unpack.stdout,
                   stderr=subprocess.DEVNULL)
    unpack.stdout.close()
    unpack.wait()


def keep_kernel(suite, work, packages):
    """vmlinuz, its configuration and the modules of the newest kernel of a suite."""
    meta = "linux-image-amd64"
    image = next((name for name in suite.depends(meta) if name.startswith("linux-image-")), None)
    if image is None:
        raise Unavailable(f"{suite.name}: {meta} depends on no linux-image")
    release = image.removeprefix("linux-image-")
    if suite.describe(image) is None:
        image += "-unsigned"
    # Newer suites split the image: linux-binary has vmlinuz, linux-modules the modules, linux-base the configuration.
    parts = [name for name in suite.depends(image) if re.match(r"linux-(binary|modules)-", name)] or [image]
    if parts != [image]:
        parts.append(f"linux-base-{release}")
    tree = work / "tree"
    for part in parts:
        path, version, digest = suite.download(part, work)
        packages[part] = {"version": version, "sha256": digest}
        extract(path, tree, "*/vmlinuz*", f"*/config-{release}", f"*/{release}/config", *(f"*/{module}.ko*" for module in MODULES))
        path.unlink()
    (work / "modules").mkdir()
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        if path.name.startswith("vmlinuz"):
            shutil.copy(path, work / "vmlinuz")
        elif path.name.startswith("config"):
            shutil.copy(path, work / f"config-{release}")  # where the tool looks for it: beside the image
        elif path.name.endswith(".ko.xz"):
            (work / "modules" / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
        elif path.suffix == ".ko":
            shutil.copy(path, work / "modules")
    shutil.rmtree(tree)
    for name in ("vmlinuz", f"config-{release}"):
        if not (work / name).exists():
            raise Unavailable(f"{suite.name}: no {name} in {', '.join(parts)}")
    return {"release": release, "version": packages[parts[0]]["version"]}


def keep_drivers(suite, work, packages, kernel, names=tuple(LOAD_MODULES)):
    """These modules of a kernel that is in the cache already, and whatever they need, named in the order of loading."""
    manifest = Store.verify(CACHE / kernel)
    if manifest is None:
        raise Unavailable(f"{suite.name}: {kernel} first, since these are its modules")
    archives = []
    for part, have in manifest["packages"].items():
        path, version, digest = suite.download(part, work)
        if digest != have["sha256"]:
            raise Unavailable(f"{suite.name}: {part} is now {version}, {kernel} has {have['version']}: fetch.py --refresh")
        packages[part] = {"version": version, "sha256": digest}
        archives.append(path)
    tree, found, order = work / "tree", {}, []
    wanted = set(names)
    while missing := wanted - found.keys():
        for path in archives:
            extract(path, tree, *(f"*/{name.replace('_', '?').replace('-', '?')}.ko*" for name in missing))
        for path in tree.rglob("*.ko*"):
            name = path.name.split(".")[0].replace("-", "_")
            if name in missing:
                found[name] = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        for name in missing - found.keys():
            found[name] = b""  # built in
        for content in [found[name] for name in missing]:
            depends = re.search(rb"\0depends=([^\0]*)\0", content)
            wanted |= {name.decode().replace("-", "_") for name in depends[1].split(b",") if name} if depends else set()

    def add(name):
        for needed in re.findall(rb"[^,]+", (re.search(rb"\0depends=([^\0]*)\0", found[name]) or [b"", b""])[1]):
            add(needed.decode().replace("-", "_"))
        if found[name] and name not in order:
            order.append(name)

    for name in names:
        add(name)
    for number, name in enumerate(order):
        (work / f"{number:02}-{name}.ko").write_bytes(found[name])
    shutil.rmtree(tree)
    for path in archives:
        path.unlink()
    return {"release": manifest["release"], "version": manifest["version"]}


def keep_program(suite, work, packages, package, binary):
    """One program with every library it loads, all of the same suite, to be started through its own ld.so."""
    tree = work / "tree"
    tree.mkdir()
    wanted = [package] + [name for name in suite.depends(package, recurse=True)
                          if re.match(r"(lib(?!-)|zlib1g)", name) and not re.search(r"gconv|perl|-bin$|-common$", name)]
    for name in dict.fromkeys(wanted):
        if suite.describe(name) is None:
            continue  # a virtual package
        path, version, digest = suite.download(name, work)
        packages[name] = {"version": version, "sha256": digest}
        subprocess.run(["dpkg-deb", "-x", path, tree], check=True)
        path.unlink()
    found = [path for path in (tree / "usr/sbin" / binary, tree / "sbin" / binary, tree / "usr/bin" / binary)
             if path.is_file()]
    if not found:
        raise Unavailable(f"{suite.name}: no {binary} in {package}")
    libraries = {}
    for path in sorted(tree.rglob("*.so*")):
        libraries.setdefault(path.name, path)
    linker = libraries.get("ld-linux-x86-64.so.2")
    if linker is None:
        raise Unavailable(f"{suite.name}: no dynamic linker among the libraries of {package}")
    directories = ":".join(sorted({str(path.parent) for path in libraries.values()}))
    listing = subprocess.run([linker.resolve(), "--library-path", directories, "--list", found[0]],
                             capture_output=True, text=True, check=True).stdout
    shutil.copy(found[0], work / binary)
    shutil.copy(linker.resolve(), work / linker.name)
    for name in re.findall(r"^\s*(lib\S+) => /", listing, re.M):
        shutil.copy(libraries[name].resolve(), work / name)
    shutil.rmtree(tree)
    return {"version": re.sub(r"^\d+:|-[^-]*$", "", packages[package]["version"])}


def keep_file(suite, work, packages, package, pattern):
    """One file of a package."""
    path, version, digest = suite.download(package, work)
    packages[package] = {"version": version, "sha256": digest}
    tree = work / "tree"
    extract(path, tree, pattern)
    path.unlink()
    found = [path for path in tree.rglob("*") if path.is_file()]
    if len(found) != 1:
        raise Unavailable(f"{suite.name}: {len(found)} files match {pattern} in {package}, expected one")
    shutil.copy(found[0], work)
    shutil.rmtree(tree)
    return {"version": re.sub(r"^\d+:", "", version)}


# What can be asked for: name -> (suite, how to make it).
ITEMS = {f"kernel-{series}": (suite, keep_kernel) for series, suite in KERNEL_SUITES.items()}
ITEMS |= {f"kernel-{series}": (suite, lambda *a, series=series: kernels.keep_patched(*a, series))
          for series, (suite, _, _) in kernels.SERIES.items()}
ITEMS |= {f"drivers-{series}": (suite, lambda *a, kernel=f"kernel-{series}": keep_drivers(*a, kernel))
          for series, suite in KERNEL_SUITES.items()}
ITEMS |= {f"squash-{series}": (suite, lambda *a, kernel=f"kernel-{series}": keep_drivers(*a, kernel, SQUASH_MODULES))
          for series, suite in KERNEL_SUITES.items()}
ITEMS |= {f"kexec-{version}": (suite, lambda *a: keep_program(*a, "kexec-tools", "kexec"))
          for version, suite in KEXEC_SUITES.items()}
ITEMS["makedumpfile"] = ("bookworm", lambda *a: keep_program(*a, "makedumpfile", "makedumpfile"))
ITEMS["sqfstar"] = ("bookworm", lambda *a: keep_program(*a, "squashfs-tools", "sqfstar"))
ITEMS["busybox"] = ("bookworm", lambda *a: keep_file(*a, "busybox-static", "*/bin/busybox"))
ITEMS["ovmf"] = ("bookworm", lambda *a: keep_file(*a, "ovmf", "*/ovmf/OVMF.fd"))


class Store:
    """The cache. `get` returns a directory whose files were just verified, and its manifest."""

    def __init__(self, suites=None, refresh=False):
        self.allowed = suites
        self.refresh = refresh
        self.suites = {}
        self.verified = {}

    def get(self, item):
        if item not in self.verified:
            try:
                self.verified[item] = self.load(item)
            except (Unavailable, kernels.BuildFailed, OSError, subprocess.CalledProcessError) as problem:
                self.verified[item] = Unavailable(str(problem))
        if isinstance(self.verified[item], Unavailable):
            raise self.verified[item]
        return self.verified[item]

    def load(self, item):
        suite, make = ITEMS[item]
        if item.startswith("kernel-") and self.allowed is not None and suite not in self.allowed:
            raise Unavailable(f"{suite} is left out by --suites")
        directory = CACHE / item
        manifest = None if self.refresh else self.current(item)
        if manifest is None:
            self.fill(item, suite, make, directory)
            manifest = self.verify(directory)
            if manifest is None:
                raise Unavailable(f"{directory} does not verify right after it was filled")
        return directory, manifest

    def current(self, item):
        """The manifest of what is in the cache; None if there is nothing, or nothing that is still wanted."""
        manifest = self.verify(CACHE / item)
        series = item.removeprefix("kernel-")
        if manifest is not None and series in kernels.SERIES and manifest.get("made of") != kernels.inputs(series):
            return None
        if manifest is not None and item.startswith("kernel-") and f"config-{manifest['release']}" not in manifest["files"]:
            return None
        return manifest

    @staticmethod
    def verify(directory):
        """The manifest, if the directory is complete and every file has the sum recorded for it."""
        try:
            manifest = json.loads((directory / "manifest.json").read_text())
            if manifest["layout"] != LAYOUT:
                return None
            for name, digest in manifest["files"].items():
                if sha256(directory / name) != digest:
                    print(f"{directory / name}: sha256 differs from the recorded one, fetching again", file=sys.stderr)
                    return None
            return manifest
        except (OSError, ValueError, KeyError):
            return None

    def fill(self, item, suite_name, make, directory):
        print(f"fetching {item} from {suite_name}", file=sys.stderr)
        suite = self.suites.setdefault(suite_name, Suite(suite_name))
        CACHE.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{item}-", dir=CACHE))
        try:
            packages = {}
            manifest = {"layout": LAYOUT, "item": item, "suite": suite_name, **make(suite, work, packages)}
            manifest["packages"] = packages
            manifest["files"] = {str(path.relative_to(work)): sha256(path)
                                 for path in sorted(work.rglob("*")) if path.is_file()}
            (work / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
            shutil.rmtree(directory, ignore_errors=True)
            work.chmod(0o755)
            work.rename(directory)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suites", type=lambda text: text.split(","), metavar="A,B",
                        help="only the kernels of these suites (%s)" % ",".join(KERNEL_SUITES.values()))
    parser.add_argument("--refresh", action="store_true", help="look for newer versions even if the cache is full")
    arguments = parser.parse_args()
    store = Store(arguments.suites, arguments.refresh)
    failed = 0
    for item in ITEMS:
        # These take minutes to build: kernels.py does, and who boots them.
        if item.removeprefix("kernel-") in kernels.SERIES:
            continue
        try:
            directory, manifest = store.get(item)
            print(f"{item:16} {manifest['suite']:9} {manifest['version']:24} {directory}")
        except Unavailable as reason:
            left_out = "--suites" in str(reason)
            failed += not left_out
            print(f"{item:16} {'left out' if left_out else f'unavailable: {reason}'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
