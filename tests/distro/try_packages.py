#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs the packages that scripts/package built in a scratch root, looks at what is there, and takes them away again. As root.

    tests/distro/try_packages.py DIRECTORY [--suite bookworm]

A .deb is installed in a minimal root of Debian with kdump-tools and what else debian/tests/control names. The tests of debian/tests run
there, as autopkgtest would run them. An .rpm is installed in a directory with nothing else in it, without its dependencies and scripts.
"""
import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from minimal_root import NoRoot, minimal_root, run

SOURCE = Path(__file__).resolve().parents[2]
MACHINE = SOURCE / "fixtures/machines/dell-r6515-high"
UNITS = ("swiotlb-handoff-status.timer", "swiotlb-handoff-status.path", "swiotlb-handoff-test.service")
results = []


def check(good, what):
    results.append(bool(good))
    print(f"{'ok  ' if good else 'FAIL'}  {what}", flush=True)


def ours(root):
    """What has this project's name in a root, sorted; directories of dpkg's and rpm's own apart."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*swiotlb*") if not {"dpkg", "apt", "rpm"} & set(path.relative_to(root).parts))


def try_deb(directory, suite):
    package = next(directory.glob("swiotlb-handoff_*.deb"))
    control = (SOURCE / "debian/tests/control").read_text()
    needed = re.findall(r"[\w@.+-]+", " ".join(re.findall(r"^Depends: (.*)$", control, re.M)))
    depends = [one.split()[0] for one in run("dpkg-deb", "-f", package, "Depends").stdout.strip().split(", ")]
    with minimal_root(suite, sorted({*depends, *needed} - {"@"}) + ["man-db", "systemd"]) as root:
        before = ours(root.path)
        check(before == [], "nothing of it is there before")
        for path in directory.glob("*.deb"):
            shutil.copy(path, root.path)
        done = root.run("dpkg -i /swiotlb-handoff_*.deb")
        check(done.returncode == 0, f"dpkg installs {package.name} in {suite} {done.stderr[-400:] if done.returncode else ''}")
        done = root.run("systemctl is-enabled " + " ".join(UNITS))
        check(done.stdout.split() == ["enabled"] * len(UNITS), f"its units are enabled: {done.stdout.split()}")
        said = root.run("dpkg-query -L swiotlb-handoff").stdout.split()
        check(any(name.startswith("/usr/share/doc/swiotlb-handoff/") and "rules.md" in name for name in said), "the pages that explain names are there")
        print(f"      units in {next((name for name in said if name.endswith('.timer')), 'none')}")
        shutil.copytree(SOURCE / "fixtures", root.path / "source/fixtures")
        for test in re.findall(r"^Tests: (.*)$", control, re.M):
            shutil.copy(SOURCE / "debian/tests" / test, root.path / "source")
            done = root.run(f"cd /source && ./{test}")
            check(done.returncode == 0, f"debian/tests/{test} {(done.stdout + done.stderr)[-600:] if done.returncode else ''}")
        root.run("dpkg --remove swiotlb-handoff")
        links = [str(path) for path in (root.path / "etc/systemd").rglob("*swiotlb*")]
        check(links == [], f"dpkg --remove leaves no link of a unit {' '.join(links)}")
        root.run("dpkg -i /swiotlb-handoff_*.deb")
        done = root.run("systemctl is-enabled " + " ".join(UNITS))
        check(done.stdout.split() == ["enabled"] * len(UNITS), "a new installation enables its units again")
        root.run("swiotlb-handoff enable")
        done = root.run("dpkg --purge swiotlb-handoff")
        check(done.returncode == 0 and "swiotlb" not in (root.path / "etc/default/kdump-tools").read_text(), "dpkg --purge takes it and its block away")
        shutil.rmtree(root.path / "source")
        left = [name for name in ours(root.path) if not name.endswith(".deb")]
        check(left == [], f"nothing is left {' '.join(left)}")


def try_rpm(directory):
    root = Path(tempfile.mkdtemp(prefix="handoff-rpm-"))
    rpm = ("rpm", "--root", root, "--dbpath", "/var/lib/rpm")
    try:
        packages = sorted(directory.glob("*.rpm"))
        done = run(*rpm, "-i", "--nodeps", "--noscripts", *packages)
        check(done.returncode == 0, f"rpm installs {', '.join(path.name for path in packages)} {done.stderr}")
        names = [name for name in run(*rpm, "-q", "--qf", "%{NAME}\\n", "-a").stdout.split()]
        for name in names:
            print("\n".join(f"      {line}" for line in run(*rpm, "-q", "--list", name).stdout.splitlines() if "/include/" not in line and "/doc/" not in line))
        check(run(*rpm, "-V", "--nodeps", *names).returncode == 0, "what is there is what the packages say")
        program = next(path for path in root.rglob("*bin/swiotlb-handoff"))
        done = run(program, "plan", "--root", MACHINE, "--loader", "kexec_file_load")
        check("0x00006017c000-0x00006417c000" in done.stdout, "the program plans")
        service = next(root.rglob("swiotlb-handoff-status.service")).read_text()
        check(f"ExecStart=/{program.relative_to(root)} status" in service, f"its service names /{program.relative_to(root)}")
        check(not [path for path in root.rglob("*") if "com" in path.relative_to(root).parts], "nothing is below /usr/com")
        check(run(*rpm, "-e", "--noscripts", *names).returncode == 0 and ours(root) == [], f"nothing is left {' '.join(ours(root))}")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--suite", default="bookworm", help="of Debian, for a .deb")
    arguments = parser.parse_args()
    try:
        if any(arguments.directory.glob("*.deb")):
            try_deb(arguments.directory, arguments.suite)
        else:
            try_rpm(arguments.directory)
    except NoRoot as why:
        sys.exit(f"try_packages: {why}")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(not results or not all(results))


if __name__ == "__main__":
    main()
