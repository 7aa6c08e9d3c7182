#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed library as others find it, who have nothing but libswiotlb-handoff(3).

    test_library.py BUILD TOOL MACHINE CXX FLAGS

Installs the library of a build, takes the two programs of EXAMPLES out of the installed page, and builds them as the page
says: with pkg-config and with CMake, with the shared and with the static library. A build that has no shared library is
asked for the static one alone.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD, TOOL, MACHINE, CXX, FLAGS = sys.argv[1:6]
# What the program of the page plans for, and the same as options of the tool.
LINE = "root=/dev/vda1 reset_devices nr_cpus=1"
REQUEST = ("--root", MACHINE, "--loader", "kexec_load", "--command-line")


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)


def must(*command, **more):
    done = run(*command, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def as_read(text):
    """A literal display as the reader of a page sees it."""
    if re.search(r"(?m)^[.']", text) or re.search(r"\\[^e&]", text):
        raise AssertionError(f"mandoc does not show this as it stands:\n{text}")
    return text.replace("\\&", "").replace("\\e", "\\")


def displays(page):
    """The literal displays of a page, by the first word of the heading above them."""
    found = {}
    for block in re.split(r"(?m)^\.Ss ", page)[1:]:
        literal = re.findall(r"(?ms)^\.Bd -literal\n(.*?)^\.Ed$", block)
        found[re.match(r"[\w.-]+", block)[0]] = [as_read(text) for text in literal]
    return found


def setUpModule():
    global work, prefix, page, examples, kinds, environment
    work = Path(tempfile.mkdtemp())
    unittest.addModuleCleanup(shutil.rmtree, work)
    prefix = work / "prefix"
    must("cmake", "--install", BUILD, "--prefix", prefix, "--component", "development")
    page = next(prefix.rglob("libswiotlb-handoff.3")).read_text()
    examples = displays(page)
    libraries = next(prefix.rglob("libswiotlb-handoff.a")).parent
    kinds = ("static", "shared") if (libraries / "libswiotlb-handoff.so").exists() else ("static",)
    environment = {**os.environ, "CXX": CXX, "CXXFLAGS": FLAGS, "LD_LIBRARY_PATH": str(libraries),
                   "PKG_CONFIG_PATH": f"{libraries}/pkgconfig:{os.environ.get('PKG_CONFIG_PATH', '')}"}
    for name in ("plan.cpp", "check.cpp"):
        (work / name).write_text(examples[name][0])


def with_pkg_config(kind):
    """By the page's command for a kind of library, and by the same one for its other program."""
    where = work / f"pkg-config-{kind}"
    where.mkdir()
    for command in examples["Building"][0].splitlines():
        if ("handoff-static" in command) == (kind == "static"):
            for name in ("plan", "check"):
                command_for = command.replace("c++", f"{CXX} {FLAGS}", 1).replace("plan.cpp", f"{work}/{name}.cpp -o {name}")
                must("sh", "-c", command_for, cwd=where, env=environment)
    return where


def with_cmake(kind):
    """By the page's CMakeLists.txt, with the component, and with the other program as well."""
    where = work / f"cmake-{kind}"
    where.mkdir()
    lines = examples["Building"][1].replace("REQUIRED", f"REQUIRED COMPONENTS {kind}").splitlines()
    lines += [line.replace("plan", "check") for line in lines if "plan" in line]
    (where / "CMakeLists.txt").write_text("\n".join(lines))
    for name in ("plan.cpp", "check.cpp"):
        shutil.copy(work / name, where)
    must("cmake", "-G", "Ninja", "-S", where, "-B", where / "build", f"-DCMAKE_PREFIX_PATH={prefix}", env=environment)
    must("cmake", "--build", where / "build", env=environment)
    return where / "build"


class Headers(unittest.TestCase):
    def test_are_fewer_than_ten_and_the_page_names_each(self):
        include = prefix / "include"
        there = sorted(str(path.relative_to(include)) for path in include.rglob("*") if path.is_file())
        self.assertLess(len(there), 10)
        self.assertEqual(there, sorted(re.findall(r"(?m)^\.In (\S+)", page)))

    def test_include_nothing_but_each_other_and_the_standard_library(self):
        for header in (prefix / "include/swiotlb-handoff").iterdir():
            for name in re.findall(r'(?m)^#include [<"]([^>"]+)', header.read_text()):
                self.assertTrue((prefix / "include" / name).exists() or re.fullmatch("[a-z_]+", name), f"{header.name}: {name}")


class Shared(unittest.TestCase):
    def setUp(self):
        if "shared" not in kinds:
            self.skipTest("this build has no shared library")
        library = next(prefix.rglob("libswiotlb-handoff.so"))
        self.names = [line.split(maxsplit=2)[2] for line in must("nm", "-DC", "--defined-only", library).splitlines()]
        self.soname = re.search(r"SONAME.*\[(.*)\]", must("readelf", "-d", library))[1]

    def test_exports_what_the_headers_declare_and_nothing_else(self):
        declared = set(re.findall(r"\w+", "".join(path.read_text() for path in prefix.rglob("*.hpp"))))
        for name in self.names:
            plain = re.split(r"operator|[(<[]", name)[0]  # of a template only the name
            self.assertRegex(plain, r"^(base|e820|handoff)::", name)
            self.assertLessEqual(set(re.findall(r"\w+", plain)), declared, name)

    def test_exports_each_function_of_the_synopsis(self):
        for function in set(re.findall(r"(?m)^\.Fn (handoff::\w+)", page)):
            self.assertTrue(any(re.match(rf"{function}[(\[]", name) for name in self.names), function)

    def test_has_the_minor_version_in_its_soname(self):
        version = re.search(r"(?m)^Version: (\d+\.\d+)", next(prefix.rglob("swiotlb-handoff.pc")).read_text())[1]
        self.assertEqual(self.soname, f"libswiotlb-handoff.so.{version}")
        self.assertIn(self.soname, page)


class PkgConfig(unittest.TestCase):
    def libs(self, *arguments):
        return set(must("pkg-config", "--libs", *arguments, env=environment).split())

    def test_names_what_the_static_library_needs_to_who_links_that_one(self):
        needs = {"-larchive", "-lz", "-llzma", "-lzstd", "-llz4", "-llzo2", "-lbz2", "-lfmt"}
        self.assertLessEqual(needs, self.libs("swiotlb-handoff-static"))
        self.assertLessEqual(needs, self.libs("--static", "swiotlb-handoff"))
        self.assertEqual(needs & self.libs("swiotlb-handoff"), set() if "shared" in kinds else needs)


class Programs(unittest.TestCase):
    """Those of the page say what the tool says, however they are built."""

    @classmethod
    def setUpClass(cls):
        cls.built = {(how.__name__, kind): how(kind) for kind in kinds for how in (with_pkg_config, with_cmake)}
        cls.plan = json.loads(run(TOOL, "plan", *REQUEST, LINE, "--json").stdout)

    def assert_each(self, program, arguments, status, lines):
        for how, where in self.built.items():
            done = run(where / program, *arguments, env=environment)
            self.assertEqual((done.returncode, done.stdout.splitlines()), (status, lines), (how, done.stderr))

    def test_have_the_library_that_they_were_linked_with(self):
        for (how, kind), where in self.built.items():
            needed = re.findall(r"NEEDED.*\[libswiotlb", must("readelf", "-d", where / "plan"))
            self.assertEqual(len(needed), int(kind == "shared"), (how, kind))

    def test_plan_for_a_captured_machine(self):
        self.assertEqual(self.plan["verdict"], "ready")
        assumed = [f"assumed: {one['text']}" for one in self.plan["assumptions"]]
        self.assert_each("plan", [MACHINE], 0, ["ready", f"append: {self.plan['append']}", *assumed])

    def test_find_the_words_of_that_plan_right(self):
        self.assert_each("check", [MACHINE, f"{LINE} {self.plan['append']}"], 0, ["sound, and proven for this machine"])

    def test_refuse_them_where_the_pool_is_a_page_lower(self):
        def lower(match):
            return f"{int(match[0], 16) - 4096:#x}"

        line = f"{LINE} {re.sub('0x[0-9a-f]+', lower, self.plan['append'])}"
        judged = json.loads(run(TOOL, "check", "--place", *REQUEST, line, "--json").stdout)
        refusals = [f"{one['rule']}: {one['text']}" for one in judged["reasons"] if one["severity"] == "refusal"]
        self.assertTrue(refusals)
        self.assert_each("check", [MACHINE, line], 1, ["refused", *refusals])

    def test_end_with_status_2_where_there_is_no_machine(self):
        self.assert_each("plan", [work / "nothing"], 2, [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[6:]])
