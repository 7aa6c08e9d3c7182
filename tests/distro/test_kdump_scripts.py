#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What kdump's scripts run once `swiotlb-handoff enable` has edited their configuration.

Debian's kdump-config is the real one, of Debian 12, 13 and sid, from their packages (the cache of tests/vm/fetch.py); only the
absolute paths in it are led into a temporary directory. Of Fedora's kdumpctl and openSUSE's load.sh there is no package here:
stubs stand for them, which set, source and run KEXEC in the order and with the quoting of the real ones. The real ones are run
by real_scripts.py, by hand.

    test_kdump_scripts.py --tool build/dev/tool/swiotlb-handoff --helpers PATH --program PATH

The two paths are those that the tool was built for.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path.insert(0, str(SOURCE / "tests/vm"))
import fetch  # noqa: E402

ARGUMENTS = None
RELEASE = os.uname().release

# Sets KEXEC, then sources, then runs "$KEXEC" with an array; see kdumpctl of kdump-utils, load_kdump() and unload.
KDUMPCTL = """#!/bin/bash
KEXEC=/sbin/kexec
. /etc/sysconfig/kdump
case $1 in
    load) args=(-s -p "--command-line=root=/dev/vda $KDUMP_COMMANDLINE_APPEND" --initrd=/boot/kdump.img /boot/vmlinuz); $KEXEC "${args[@]}" ;;
    unload) $KEXEC -s -p -u ;;
esac
"""
# Sets KEXEC, then sources, then evaluates one string; see init/load.sh and init/unload.sh of openSUSE's kdump.
LOAD_SH = """#!/bin/bash
KEXEC=/sbin/kexec
. /etc/sysconfig/kdump
case $1 in
    load) eval "$KEXEC -p /boot/vmlinuz --append=\\"root=/dev/vda $KDUMP_COMMANDLINE_APPEND\\" --initrd=/boot/initrd  -a" ;;
    unload) $KEXEC -a -p -u ;;
esac
"""
LOGS_ITS_ARGUMENTS = '#!/bin/sh\n{ printf "%s" "${0##*/}"; printf " [%s]" "$@"; echo; } >>ROOT/log\n'
# ... and changes what the kernel says of itself.
KEXEC = LOGS_ITS_ARGUMENTS + 'case " $* " in *" -u "*) echo 0 ;; *) echo 1 ;; esac >ROOT/sys/kernel/kexec_crash_loaded\n'


def kdump_config(suite):
    """The real script of a suite's kdump-tools package, or None."""
    fetch.ITEMS[f"kdump-config-{suite}"] = (suite, lambda *a: fetch.keep_file(*a, "kdump-tools", "*/sbin/kdump-config"))
    try:
        directory = fetch.Store().get(f"kdump-config-{suite}")
        return (Path(directory[0] if isinstance(directory, tuple) else directory) / "kdump-config").read_text()
    except fetch.Unavailable:
        return None


class Machine:
    """A directory that stands for the machine, with a kexec that writes down how it was called."""

    PREFIXES = ("/etc/default/kdump-tools", "/etc/sysconfig/kdump", "/sbin/kexec", "/usr/bin/kexec", "/var/lib/kdump", "/var/crash", "/boot/",
                "/sys/kernel", "/proc/", "/etc/kernel", "/etc/kdump", "/lib/init", "/run/swiotlb-handoff",
                "/var/lib/swiotlb-handoff")

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="handoff-scripts-"))
        self.helpers = self.root / "helpers"
        for name, text in {"proc/cmdline": "BOOT_IMAGE=/v root=/dev/vda ro quiet crashkernel=192M swiotlb=force\n",
                           "proc/iomem": "65000000-70ffffff : Crash kernel\n", "sys/kernel/kexec_crash_loaded": "0\n",
                           f"boot/vmlinuz-{RELEASE}": "k", f"boot/config-{RELEASE}": "CONFIG_RELOCATABLE=y\n",
                           f"var/lib/kdump/initrd.img-{RELEASE}": "i", f"var/lib/kdump/latest_sysctls-{RELEASE}": "",
                           "etc/kdump/sysctl.conf": "",
                           "etc/default/kdump-tools": 'USE_KDUMP=1\nKDUMP_KERNEL=/var/lib/kdump/vmlinuz\n'
                                                      'KDUMP_INITRD=/var/lib/kdump/initrd.img\nKDUMP_COREDIR="/var/crash"\n',
                           "etc/sysconfig/kdump": 'KDUMP_COMMANDLINE_APPEND="nr_cpus=1 reset_devices"\nKEXEC_ARGS="-s"'}.items():
            self.write(name, self.redirected(text) if name.startswith("etc/") else text)
        (self.root / "var/crash").mkdir(parents=True)
        for name in ("sbin/kexec", "usr/bin/kexec"):
            self.program(name, KEXEC)
        self.program("bin/logger", "#!/bin/sh\n")
        # The tool itself is not under test here: it writes down its call and runs kexec.
        self.program("sbin/swiotlb-handoff", LOGS_ITS_ARGUMENTS + 'shift 2\nexec ROOT/sbin/kexec "$@"\n')
        for name in ("kexec", "kdump-tools.sh", "kdump-kexec.sh"):
            text = (SOURCE / "dropins" / f"{name}.in").read_text()
            text = text.replace("@HANDOFF_VERIFY_REPORT@", (SOURCE / "dropins/verify-report.sh.in").read_text().strip())
            text = text.replace("/usr/sbin/kexec", "/sbin/kexec").replace("@CMAKE_INSTALL_FULL_SBINDIR@", "ROOT/sbin")
            self.program(f"helpers/{name}", self.redirected(text.replace("@HANDOFF_HELPERS_DIR@", "ROOT/helpers")
                                                             .replace("@HANDOFF_STATE_DIR@", "/var/lib/swiotlb-handoff")))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("ROOT", str(self.root)))
        return path

    def program(self, name, text):
        self.write(name, text).chmod(0o755)

    def redirected(self, text):
        for prefix in self.PREFIXES:
            text = re.sub(r"(?<![\w./}])" + re.escape(prefix), f"ROOT{prefix}", text)
        return re.sub(r"^PATH=(.*)$", r"PATH=ROOT/bin:\1", text, flags=re.M)

    def tool(self, command):
        """enable or disable, with the tool that was built; its helpers' path is led into the directory, too."""
        for config in ("etc/default/kdump-tools", "etc/sysconfig/kdump"):
            path = self.root / config
            path.write_bytes(path.read_bytes().replace(bytes(self.helpers), ARGUMENTS.helpers.encode()))
        # It looks for what the block would call where it was built for.
        for path in (ARGUMENTS.program, *(f"{ARGUMENTS.helpers}/{name}" for name in ("kexec", "verify", "kdump-tools.sh", "kdump-kexec.sh"))):
            self.write(path.lstrip("/"), "")
        done = subprocess.run([ARGUMENTS.tool, command, "--root", self.root], capture_output=True, text=True)
        for config in ("etc/default/kdump-tools", "etc/sysconfig/kdump"):
            path = self.root / config
            path.write_bytes(path.read_bytes().replace(ARGUMENTS.helpers.encode(), bytes(self.helpers)))
        return done

    def run(self, *arguments):
        """Runs the script; returns its status and the programs that were called, in order."""
        log = self.root / "log"
        log.write_text("")
        if arguments == ("load",):  # kdump-config refuses a second one
            self.write("sys/kernel/kexec_crash_loaded", "0\n")
        done = subprocess.run(["dash" if self.shell == "sh" else "bash", self.script, *arguments], capture_output=True, text=True,
                              env={"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"})
        self.output = done.stdout + done.stderr
        return done.returncode, log.read_text().replace(str(self.root), "").splitlines()

    def install(self, path, script, shell):
        self.shell = shell
        self.script = self.root / path
        self.program(path, self.redirected(script))

    def remove(self):
        shutil.rmtree(self.root)


class Scripts:
    """What holds for every one of them."""

    def setUp(self):
        self.machine = Machine()
        self.addCleanup(self.machine.remove)
        self.provide()
        self.config = self.machine.root / self.CONFIG
        self.original = self.config.read_bytes()
        status, self.plain = self.machine.run("load")
        self.assertEqual(status, 0, self.machine.output)
        self.assertEqual(len(self.plain), 1)
        self.assertRegex(self.plain[0], r"^kexec \[.*-p\]")

    def enable(self):
        done = self.machine.tool("enable")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_load_goes_through_the_handoff_with_the_very_arguments(self):
        self.enable()
        status, calls = self.machine.run("load")
        self.assertEqual(status, 0)
        self.assertEqual(calls, [self.plain[0].replace("kexec", "swiotlb-handoff [kexec] [--]", 1), self.plain[0]])

    # How a configuration may end, which a shell reads to its end or not.
    ENDS = {"no newline": "A=b", "a backslash": "A=b\\\n", "a backslash and no newline": "A=b\\", "two backslashes": "A=b\\\\",
            "return": "return 0\n", "return in a condition": "if true; then return; fi\n", "a comment": "# and so on", "blanks": "  \t",
            "an open here-document": "cat >/dev/null <<E\nA=b\n", "an open here-document with tabs": "cat >/dev/null <<-'E'\n\tA=b",
            "a backslash in a comment": "# A=b\\", "a function": "f() { return 1; }\n", "carriage returns": "# A=b\r\n"}
    # With these the scripts do not load at all, with the handoff or without.
    BROKEN_ENDS = {"an open single quote": "A='b\n", "an open double quote": 'A="b\n', "an open condition": "if true; then\n", "exit": "exit 0\n"}

    def test_whatever_the_configuration_ends_in_a_load_goes_through_the_handoff(self):
        for what, end in self.ENDS.items():
            with self.subTest(what):
                self.config.write_bytes(self.original.rstrip(b"\n") + b"\n" + end.encode())
                before, (status, plain) = self.config.read_bytes(), self.machine.run("load")
                self.assertEqual(status, 0, self.machine.output)
                self.enable()
                self.assertEqual(self.machine.run("load"), (0, [plain[0].replace("kexec", "swiotlb-handoff [kexec] [--]", 1), plain[0]]), self.machine.output)
                self.assertEqual(self.machine.tool("disable").returncode, 0)
                self.assertEqual(self.config.read_bytes(), before)

    def test_a_configuration_with_which_nothing_loads_is_made_no_worse(self):
        for what, end in self.BROKEN_ENDS.items():
            with self.subTest(what):
                self.config.write_bytes(self.original.rstrip(b"\n") + b"\n" + end.encode())
                before, (status, plain) = self.config.read_bytes(), self.machine.run("load")
                self.enable()
                after, loads = self.machine.run("load")
                self.assertEqual((after, [call for call in loads if call.startswith("kexec")]), (status, plain))
                self.assertEqual(self.machine.tool("disable").returncode, 0)
                self.assertEqual(self.config.read_bytes(), before)

    def test_the_block_has_its_effect_in_dash_and_bash_before_the_file_ends(self):
        for shell in ("dash", "bash"):
            for what, end in (self.ENDS | self.BROKEN_ENDS).items():
                with self.subTest(shell=shell, what=what):
                    self.config.write_bytes(end.encode())
                    self.enable()
                    sourced = self.machine.write("sourced", "")
                    for snippet in ("kdump-tools.sh", "kdump-kexec.sh"):
                        self.machine.write(f"helpers/{snippet}", f"echo sourced >{sourced}\n")
                    self.config.write_bytes(self.config.read_bytes().replace(b"command -v", f"echo sourced >{sourced}; command -v".encode()))
                    subprocess.run([shell, "-c", f". {self.config}"], capture_output=True, text=True)
                    self.assertEqual(sourced.read_text(), "sourced\n")
                    self.config.write_bytes(self.config.read_bytes().replace(f"echo sourced >{sourced}; ".encode(), b""))
                    self.assertEqual(self.machine.tool("disable").returncode, 0)

    def test_an_unload_still_unloads(self):
        before = self.machine.run("unload")
        self.enable()
        status, calls = self.machine.run("unload")
        self.assertEqual((status, calls[-1:]), before)

    def test_a_tool_that_dies_or_is_missing_leaves_the_plain_load(self):
        self.enable()
        for name, program in (("killed", "#!/bin/sh\nkill -SEGV $$\n"), ("not a program", "\x7fELF"), ("gone", None)):
            if program is None:
                (self.machine.root / "sbin/swiotlb-handoff").unlink()
            else:
                self.machine.program("sbin/swiotlb-handoff", program)
            self.assertEqual(self.machine.run("load"), (0, self.plain), name)

    def test_without_the_package_the_block_does_nothing(self):
        self.enable()
        shutil.rmtree(self.machine.helpers)
        self.assertEqual(self.machine.run("load"), (0, self.plain))

    def test_a_kexec_that_fails_still_fails(self):
        self.enable()
        self.machine.program("sbin/kexec", LOGS_ITS_ARGUMENTS + "exit 255\n")
        self.assertNotEqual(self.machine.run("load")[0], 0)

    def test_a_kexec_that_dpkg_diverted_is_found_where_it_is_now(self):
        # dpkg-divert --rename --divert /sbin/kexec.distrib, and the stand-in in its place.
        self.enable()
        (self.machine.root / "sbin/swiotlb-handoff").unlink()
        for name in ("sbin/kexec", "usr/bin/kexec"):
            (self.machine.root / name).unlink()
        self.machine.program("sbin/kexec.distrib", KEXEC)
        shutil.copy(self.machine.helpers / "kexec", self.machine.root / "sbin/kexec")
        status, calls = self.machine.run("load")
        self.assertEqual((status, calls[-1]), (0, self.plain[0].replace("kexec", "kexec.distrib", 1)))

    def test_disabled_is_byte_for_byte_what_it_was(self):
        self.enable()
        for directory in ("run", "var/lib"):
            self.machine.write(f"{directory}/swiotlb-handoff/record.json", "{}")
        self.assertNotEqual(self.config.read_bytes(), self.original)
        self.assertTrue(Path(f"{self.config}.before-swiotlb-handoff").exists())
        self.assertEqual(self.machine.tool("disable").returncode, 0)
        self.assertEqual(self.config.read_bytes(), self.original)
        self.assertEqual([path.name for path in self.config.parent.iterdir()], [self.config.name])
        # ... and no record says of later loads that they have the handoff.
        self.assertEqual(list(self.machine.root.rglob("record.json")), [])
        self.assertEqual(self.machine.run("load"), (0, self.plain))


class KdumpTools(Scripts):
    CONFIG = "etc/default/kdump-tools"

    def provide(self):
        script = kdump_config(self.SUITE)
        if script is None:
            self.skipTest(f"kdump-tools of {self.SUITE} cannot be had")
        self.machine.install("usr/sbin/kdump-config", script, "sh")

    def test_a_reload_by_udev_goes_through_the_handoff(self):
        self.enable()
        status, calls = self.machine.run("try-reload")
        self.assertEqual(status, 0)
        self.assertTrue(calls[-2].startswith("swiotlb-handoff [kexec] [--] [-p]"), calls)

    def test_systemd_finds_no_variable_in_the_block(self):
        # EnvironmentFile=/etc/default/kdump-tools is read without a shell.
        self.enable()
        block = self.config.read_text()[:-len(self.original.decode())]
        self.assertIn("kdump-tools.sh", block)
        self.assertNotIn("=", block.replace(str(self.machine.root), ""))

    def savecore(self, status=0):
        self.machine.write("proc/vmcore", "core")
        self.machine.program("bin/makedumpfile", f'#!/bin/sh\nfor last; do :; done\n[ "$1" = --dump-dmesg ] && exec touch "$last"\necho dump\nexit {status}\n')
        done = self.machine.run("savecore")
        return done[0], {path.name: path.read_text() for path in (self.machine.root / "var/crash").glob("2*/*")}

    def test_in_the_crash_kernel_the_verdict_goes_beside_the_dump(self):
        self.enable()
        self.machine.program("helpers/verify", "#!/bin/sh\nmkdir -p ROOT/run/swiotlb-handoff\necho exact >$2\n")
        status, files = self.savecore()
        self.assertEqual(status, 0)
        self.assertEqual(files["swiotlb-handoff.txt"], "exact\n")
        self.assertEqual([text for name, text in files.items() if name.startswith("dump.")], ["dump\n"])

    def test_what_the_initramfs_found_is_preferred(self):
        self.enable()
        self.machine.program("helpers/verify", "#!/bin/sh\nexit 1\n")
        self.machine.write("run/swiotlb-handoff/verify.txt", "elsewhere\n")
        self.assertEqual(self.savecore()[1]["swiotlb-handoff.txt"], "elsewhere\n")

    RECORD = '{\n  "after": [],\n  "append": "swiotlb=32768 memmap=64M@0x70000000",\n  "command_line": "ro swiotlb=32768 memmap=64M@0x70000000"\n}\n'

    def test_the_record_of_a_load_outlives_the_crash(self):
        self.enable()
        (self.machine.root / "var/lib/swiotlb-handoff").mkdir()
        kept = self.machine.root / "var/lib/swiotlb-handoff/record.json"
        self.machine.write("run/swiotlb-handoff/record.json", self.RECORD)
        self.machine.run("load")
        self.assertEqual(kept.read_text(), self.RECORD)
        # A load that leaves none, or cannot be kept, leaves no old one.
        (self.machine.root / "run/swiotlb-handoff/record.json").unlink()
        self.machine.run("load")
        self.assertEqual(list(kept.parent.iterdir()), [])

    def test_the_record_goes_beside_the_dump_if_it_is_of_the_load_that_crashed(self):
        self.enable()
        self.machine.write("var/lib/swiotlb-handoff/record.json", self.RECORD)
        self.machine.program("helpers/verify", "#!/bin/sh\nexit 1\n")
        for line, saved in (("ro swiotlb=32768 memmap=64M@0x70000000 elfcorehdr=9K", True), ("ro swiotlb=32768 memmap=64M@0x60000000", False),
                            ("ro", False)):
            self.machine.write("proc/cmdline", line + "\n")
            status, files = self.savecore()
            self.assertEqual((status, files.get("swiotlb-handoff.json")), (0, self.RECORD if saved else None), line)
            shutil.rmtree(next((self.machine.root / "var/crash").glob("2*")))

    def test_the_record_of_a_load_without_a_handoff_goes_beside_the_dump_too(self):
        self.enable()
        plain = '{\n  "append": "",\n  "command_line": "ro quiet"\n}\n'
        self.machine.write("var/lib/swiotlb-handoff/record.json", plain)
        self.machine.program("helpers/verify", "#!/bin/sh\nexit 1\n")
        self.machine.write("proc/cmdline", "ro quiet elfcorehdr=9K\n")
        self.assertEqual(self.savecore()[1].get("swiotlb-handoff.json"), plain)

    def test_what_was_seen_of_the_memory_goes_beside_the_dump(self):
        self.enable()
        self.machine.program("helpers/verify", '#!/bin/sh\nmkdir -p ROOT/run/swiotlb-handoff\n[ "$1" != --watch ] || { echo looks >$2; echo $$ >ROOT/watch; exec sleep 100; }\n')
        began = time.monotonic()
        status, files = self.savecore()
        self.assertEqual((status, files.get("swiotlb-handoff-memory.json")), (0, "looks\n"))
        self.assertLess(time.monotonic() - began, 60, "nobody waits for the watch")
        os.kill(int((self.machine.root / "watch").read_text()), signal.SIGKILL)

    def test_nothing_about_the_verdict_stops_a_dump(self):
        self.enable()
        for name, program in (("fails", "#!/bin/sh\nexit 3\n"), ("dies", "#!/bin/sh\nkill -SEGV $$\n"), ("is no program", "\x7fELF")):
            self.machine.program("helpers/verify", program)
            status, files = self.savecore()
            self.assertEqual(status, 0, name)
            self.assertTrue(any(file.startswith("dump.") for file in files), name)
            shutil.rmtree(next((self.machine.root / "var/crash").glob("2*")))


class KdumpToolsOfBookworm(KdumpTools, unittest.TestCase):
    SUITE = "bookworm"


class KdumpToolsOfTrixie(KdumpTools, unittest.TestCase):
    SUITE = "trixie"


class KdumpToolsOfSid(KdumpTools, unittest.TestCase):
    SUITE = "sid"


class ChosenKexec:
    def test_a_kexec_that_the_configuration_names_is_the_one_that_runs(self):
        self.machine.program("opt/kexec", KEXEC)
        with open(self.config, "a", encoding="ascii") as config:
            config.write(f"\nKEXEC={self.machine.root}/opt/kexec\n")
        status, self.plain = self.machine.run("load")
        self.enable()
        self.machine.program("sbin/swiotlb-handoff", LOGS_ITS_ARGUMENTS + 'kexec=$3\nshift 4\nexec "$kexec" "$@"\n')
        status, calls = self.machine.run("load")
        self.assertEqual((status, calls), (0, [self.plain[0].replace("kexec", "swiotlb-handoff [kexec] [--kexec] [/opt/kexec] [--]", 1), *self.plain]))
        (self.machine.root / "sbin/swiotlb-handoff").unlink()
        for name in ("sbin/kexec", "usr/bin/kexec"):
            (self.machine.root / name).unlink()
        self.assertEqual(self.machine.run("load"), (0, self.plain), "there is no other one")


class KdumpctlStub(ChosenKexec, Scripts, unittest.TestCase):
    CONFIG = "etc/sysconfig/kdump"

    def provide(self):
        self.machine.install("usr/bin/kdumpctl", KDUMPCTL, "bash")


class SuseStub(Scripts, unittest.TestCase):
    CONFIG = "etc/sysconfig/kdump"

    def provide(self):
        self.machine.install("usr/lib/kdump/load.sh", LOAD_SH, "bash")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--helpers", required=True)
    parser.add_argument("--program", required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
