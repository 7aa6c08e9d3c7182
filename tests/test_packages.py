#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is installed, from this build and as packages: paths that fit each other, one version, and an RPM that installs.

    test_packages.py BUILD PREFIX HELPERS PROGRAM
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
BUILD, PREFIX, HELPERS, PROGRAM = sys.argv[1:5]


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)


def git(*arguments):
    return run("git", "-c", f"safe.directory={SOURCE}", "-C", SOURCE, *arguments)


class Version(unittest.TestCase):
    def test_there_is_one(self):
        version = re.search(r"project\(swiotlb-handoff VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text())[1]
        self.assertEqual(re.search(r"^Version: +(\S+)", (SOURCE / "rpm/swiotlb-handoff.spec").read_text(), re.M)[1], version)
        self.assertRegex((SOURCE / "debian/changelog").read_text(), rf"\Aswiotlb-handoff \({re.escape(version)}-\d+\)")
        self.assertRegex((SOURCE / "CHANGELOG.md").read_text(), rf"(?m)^## {re.escape(version)}\b")


class WithoutApt(unittest.TestCase):
    """On a PATH with what a system has that has no apt."""

    def setUp(self):
        self.path = tempfile.TemporaryDirectory()
        self.addCleanup(self.path.cleanup)
        for name in ("cmake", "g++", "ninja", "pkg-config", "git"):
            self.has(name)
        self.has("dirname", f"exec {shutil.which('dirname')} \"$@\"")

    def has(self, program, does="exit 0"):
        path = Path(self.path.name) / program
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)

    def run_script(self, *command):
        done = run("/bin/bash", *command, env={"PATH": self.path.name})
        return done.returncode, done.stderr

    def test_nothing_is_to_do_where_all_is_there(self):
        self.assertEqual(self.run_script(SOURCE / "scripts/install-deps"), (0, ""))

    def test_what_is_missing_is_named(self):
        self.has("pkg-config", '[ "$2" != lzo2 ]')
        (Path(self.path.name) / "ninja").unlink()
        status, said = self.run_script(SOURCE / "scripts/install-deps")
        self.assertEqual(status, 1)
        self.assertIn("with their development files: ninja lzo2\n", said)

    def test_what_the_checks_need_besides_is_named_too(self):
        status, said = self.run_script(SOURCE / "scripts/install-deps", "--check")
        self.assertEqual(status, 1)
        self.assertIn(" mandoc ", said)

    def quickstart(self):
        """In a copy, since it writes into the sources that it is in."""
        copy = Path(self.path.name) / "copy"
        shutil.copytree(SOURCE / "scripts", copy / "scripts")
        return self.run_script(copy / "scripts/quickstart")

    def test_quickstart_names_what_is_missing_and_builds_nothing(self):
        self.has("pkg-config", '[ "$2" != lzo2 ]')
        self.has("cmake", "echo built >&2")
        status, said = self.quickstart()
        self.assertEqual(status, 1)
        self.assertIn("There is no apt on this system. Install these programs and libraries, with their development files: lzo2\n", said)
        self.assertNotIn("built", said)

    def test_quickstart_goes_on_where_all_is_there(self):
        self.has("cmake", "echo the build began; exit 1")
        self.has("tail", f'exec {shutil.which("tail")} "$@"')
        self.assertEqual(self.quickstart(), (1, "the build began\nquickstart: The build failed. Its output is in build-quickstart.log.\n"))

    def test_checks_in_virtual_machines_are_refused_in_words(self):
        self.assertEqual(self.run_script(SOURCE / "scripts/check"), (2, "check: The tests in virtual machines need programs of Debian, which apt fetches, but "
                                                                        "this system has no apt. Run scripts/check --no-vm.\n"))


class Removal(unittest.TestCase):
    def test_of_both_packages_takes_away_what_the_program_wrote(self):
        taken = [re.findall(r"rm -r?f (.*)", re.sub(r'"|\$DPKG_ROOT', "", (SOURCE / script).read_text())) for script in ("debian/swiotlb-handoff.postrm", "rpm/swiotlb-handoff.spec")]
        self.assertEqual(taken[0], taken[1])


class DebianPackage(unittest.TestCase):
    def test_what_is_linked_statically_is_named_with_its_version(self):
        if not shutil.which("dpkg-query") or not shutil.which("ninja") or not (Path(BUILD) / "build.ninja").exists():
            self.skipTest("neither Debian nor a build by ninja")
        done = run(SOURCE / "debian/static-built-using", BUILD)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        linked = run("ninja", "-C", BUILD, "-t", "commands", "swiotlb-handoff").stdout
        self.assertEqual("libarchive (= " in done.stdout, "/libarchive.a" in linked)
        self.assertRegex(done.stdout, r"\A(\S+ \(= \S+\)(, \S+ \(= \S+\))*\n)?\Z")

    def test_the_copyright_has_each_directory_of_what_others_published(self):
        stanzas = (SOURCE / "debian/copyright").read_text()
        for folder in (path for path in (SOURCE / "fixtures").iterdir() if path.is_dir()):
            self.assertIn(f"fixtures/{folder.name}/*", stanzas)


class DebianUnits(unittest.TestCase):
    """What deb-systemd-helper and debian/swiotlb-handoff.postrm make of the links of enabled units, in a directory that is the root."""

    UNITS = {"swiotlb-handoff-status.timer": "timers", "swiotlb-handoff-status.path": "paths", "swiotlb-handoff-test.service": "multi-user"}

    def setUp(self):
        if not os.access("/usr/bin/deb-systemd-helper", os.X_OK):
            self.skipTest("no deb-systemd-helper")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        (self.root / "lib/systemd/system").mkdir(parents=True)
        self.put_units()

    def put_units(self):
        for unit, target in self.UNITS.items():
            (self.root / "lib/systemd/system" / unit).write_text(f"[Install]\nWantedBy={target}.target\n")

    def script(self, text, *arguments):
        done = run("sh", "-ec", text, "sh", *arguments, env={**os.environ, "DPKG_ROOT": str(self.root), "DPKG_MAINTSCRIPT_PACKAGE": "swiotlb-handoff"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def configured(self):
        """As debhelper's postinst does it."""
        for unit in self.UNITS:
            self.script(f"if deb-systemd-helper --quiet was-enabled {unit}; then deb-systemd-helper enable {unit}; else deb-systemd-helper update-state {unit}; fi")
        return self.links()

    def links(self):
        return {path.name for path in (self.root / "etc/systemd/system").glob("*.wants/*")}

    def removed(self):
        for unit in self.UNITS:
            (self.root / "lib/systemd/system" / unit).unlink()
        postrm = (SOURCE / "debian/swiotlb-handoff.postrm").read_text()
        self.assertNotRegex(postrm, r"rm -r?f (?!\"\$DPKG_ROOT/)", "it is about to be run")
        self.script(postrm, "remove")
        return self.links()

    def test_no_link_is_left_when_the_package_is_removed_and_all_are_there_when_it_is_installed_again(self):
        self.assertEqual(self.configured(), set(self.UNITS))
        self.assertEqual(self.removed(), set())
        self.put_units()
        self.assertEqual(self.configured(), set(self.UNITS))

    def test_a_unit_that_was_disabled_is_not_enabled_by_a_new_installation(self):
        self.configured()
        (self.root / "etc/systemd/system/timers.target.wants/swiotlb-handoff-status.timer").unlink()
        self.assertEqual(self.removed(), set())
        self.put_units()
        self.assertEqual(self.configured(), set(self.UNITS) - {"swiotlb-handoff-status.timer"})


class Archive(unittest.TestCase):
    def test_of_a_commit_is_the_same_each_time(self):
        if git("rev-parse", "HEAD").returncode:
            self.skipTest("the sources are no git repository")
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            archives = [run(SOURCE / "scripts/source-archive", folder, env={**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                                                                          "GIT_CONFIG_VALUE_0": str(SOURCE)}).stdout.strip() for folder in (one, other)]
            self.assertEqual(Path(archives[0]).read_bytes(), Path(archives[1]).read_bytes())
            names = run("tar", "-tf", archives[0]).stdout.split("\n")
            self.assertEqual({name.split("/")[0] for name in names if name}, {Path(archives[0]).name[:-len(".tar.gz")]})


class Installed(unittest.TestCase):
    """Staged with DESTDIR."""

    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="handoff-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        done = run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": str(cls.root)})
        assert done.returncode == 0, done.stderr

    def files(self):
        return [path for path in self.root.rglob("*") if path.is_file()]

    def test_each_path_of_its_own_in_a_script_unit_or_rule_is_installed(self):
        looked_at = 0
        for path in self.files():
            if path.suffix not in (".service", ".rules", ".sh", "") or path.stat().st_size > 100000:
                continue
            for name in re.findall(rf"{re.escape(PREFIX)}/(?:lib/swiotlb-handoff/[\w.-]+|sbin/swiotlb-handoff)", path.read_text(errors="replace")):
                looked_at += 1
                self.assertTrue((self.root / name[1:]).exists(), f"{path} names {name}")
        self.assertGreater(looked_at, 5)

    def test_the_timer_runs_where_its_service_has_something_to_say(self):
        conditions = lambda unit: re.findall(r"(?m)^ConditionPathExists(?:Glob)?=\|.*$", next(self.root.rglob(unit)).read_text())  # noqa: E731
        self.assertEqual(len(conditions("swiotlb-handoff-status.timer")), 3)
        self.assertEqual(conditions("swiotlb-handoff-status.timer"), conditions("swiotlb-handoff-status.service"))

    def test_enable_finds_all_of_it_and_the_hooks_where_the_generators_look(self):
        machine = self.root / "machine"
        shutil.copytree(self.root, machine, ignore=lambda folder, _: ["machine"] if Path(folder) == self.root else [])
        self.addCleanup(shutil.rmtree, machine)
        for name, text in {"usr/sbin/kdump-config": ". /etc/default/kdump-tools\n", "etc/default/kdump-tools": "USE_KDUMP=1\n", "usr/sbin/mkinitramfs": "",
                           "usr/bin/dracut": ""}.items():
            (machine / name).parent.mkdir(parents=True, exist_ok=True)
            (machine / name).write_text(text)
        done = run(machine / PROGRAM[1:], "enable", "--root", machine)
        if PREFIX in ("/usr", "/usr/local"):
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(HELPERS, (machine / "etc/default/kdump-tools").read_text())
        else:
            self.assertIn("is not there", done.stderr)

    def test_another_prefix_than_that_of_the_build_is_refused_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            done = run("cmake", "--install", BUILD, "--prefix", elsewhere)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"This build is for {PREFIX}: its programs, units, rules and hooks name that path.", " ".join(done.stderr.split()))
            self.assertEqual(os.listdir(elsewhere), [])

    def test_the_library_alone_goes_anywhere(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            self.assertEqual(run("cmake", "--install", BUILD, "--prefix", elsewhere, "--component", "development").returncode, 0)
            self.assertEqual(sorted(os.listdir(elsewhere)), ["include", "lib", "share"])


@unittest.skipUnless(shutil.which("rpmbuild"), "rpm is not installed")
class Rpm(unittest.TestCase):
    """The spec with what this build has installed, in place of a build of its own, for its own prefix."""

    def build(self, family):
        top = Path(tempfile.mkdtemp(prefix="handoff-rpm-"))
        self.addCleanup(shutil.rmtree, top)
        spec = (SOURCE / "rpm/swiotlb-handoff.spec").read_text()
        version = re.search(r"^Version: +(\S+)", spec, re.M)[1]
        build = spec.index("%build\n")
        spec = spec[:build] + "%build\n" + spec[spec.index("%install\n"):].replace("cmake --install build/rpm", f"cmake --install {BUILD}")
        (top / "test.spec").write_text(spec)
        (top / "SOURCES").mkdir()
        # No more of the sources than %doc and %license take.
        staged = top / f"swiotlb-handoff-{version}"
        shutil.copytree(SOURCE / "docs", staged / "docs")
        for name in ("LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"):
            shutil.copy(SOURCE / name, staged / name)
        subprocess.run(["tar", "-C", top, "-czf", top / "SOURCES" / f"swiotlb-handoff-{version}.tar.gz", staged.name], check=True)
        variables = dict(re.findall(r"^(HANDOFF_\w+_DIR|CMAKE_INSTALL_\w+DIR):\w+=(.*)$", (Path(BUILD) / "CMakeCache.txt").read_text(), re.M))
        full = lambda path: path if path.startswith("/") else f"{PREFIX}/{path}"  # noqa: E731
        defines = {"_topdir": top, "_prefix": PREFIX, "_sbindir": f"{PREFIX}/sbin", "_libdir": full(variables.get("CMAKE_INSTALL_LIBDIR", "lib")),
                   "_mandir": f"{PREFIX}/share/man", "_datadir": f"{PREFIX}/share", "_includedir": f"{PREFIX}/include", "_docdir": "/usr/share/doc", "_unitdir": full(variables["HANDOFF_UNIT_DIR"]), "_udevrulesdir": full(variables["HANDOFF_UDEV_DIR"]),
                   "_handoff_dracut": full(variables["HANDOFF_DRACUT_DIR"]), "_handoff_initramfs_tools": full(variables["HANDOFF_INITRAMFS_TOOLS_DIR"]),
                   "_sharedstatedir": "/var/lib", "debug_package": "%{nil}", "__os_install_post": "%{nil}", "_binary_payload": "w.ufdio", **family}
        # As scripts/package has it.
        defines.update(one.split(" ", 1) for one in re.findall(r'--define "([a-z_]+ [a-z0-9]+)"', (SOURCE / "scripts/package").read_text()))
        done = run("rpmbuild", "-bb", "--nodeps", *(word for name, value in defines.items() for word in ("--define", f"{name} {value}")), top / "test.spec",
                   env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        self.assertEqual(done.returncode, 0, done.stdout[-1500:] + done.stderr[-3000:])
        return list((top / "RPMS").rglob("*.rpm"))

    def test_has_the_same_bytes_each_time(self):
        one, other = ({path.name: path.read_bytes() for path in self.build({"fedora": "41"})} for _ in range(2))
        self.assertEqual(one.keys(), other.keys())
        for name in one:
            self.assertTrue(one[name] == other[name], name)

    def test_installs_where_enable_looks_and_leaves_nothing_when_it_is_taken_away(self):
        for name, family, requires in (("Fedora", {"fedora": "41"}, "kdump-utils"), ("SUSE", {"suse_version": "1600"}, "kdump")):
            with self.subTest(name):
                packages = self.build(family)
                self.assertEqual(len(packages), 2)
                main = next(path for path in packages if "-devel-" not in path.name)
                self.assertIn(requires, run("rpm", "-qp", "--recommends", main).stdout.split())
                root = Path(tempfile.mkdtemp(prefix="handoff-rpm-root-"))
                self.addCleanup(shutil.rmtree, root)
                rpm = ("rpm", "--root", root, "--dbpath", "/var/lib/rpm")
                done = run(*rpm, "-i", "--nodeps", "--noscripts", *packages)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue((root / PROGRAM[1:]).exists())
                self.assertFalse(list(root.rglob("initramfs-tools")))
                for file, text in {"usr/bin/kdumpctl": ". /etc/sysconfig/kdump\nreload)\nrebuild)\n", "etc/sysconfig/kdump": "KEXEC_ARGS=-s\n", "usr/bin/dracut": ""}.items():
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    (root / file).write_text(text)
                if PREFIX in ("/usr", "/usr/local"):
                    self.assertEqual(run(root / PROGRAM[1:], "enable", "--root", root).returncode, 0)
                    self.assertEqual(run(root / PROGRAM[1:], "disable", "--root", root).returncode, 0)
                self.assertEqual(run(*rpm, "-e", "--noscripts", "swiotlb-handoff", "swiotlb-handoff-devel").returncode, 0)
                self.assertEqual([str(path) for path in root.rglob("*swiotlb*")], [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
