#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real kdump scripts of Fedora, RHEL, openSUSE, Debian and Ubuntu with the handoff enabled, and writes docs/distributions.md. By hand,
as root.

    tests/distro/real_scripts.py CHECKOUTS [--tool build/dev/tool/swiotlb-handoff] [--kernel DIR] [--fillup PROGRAM] [--report]

CHECKOUTS is a directory with git repositories, bare or not: kdump-utils (rhkdump/kdump-utils, which has the history of Fedora's
kexec-tools package too), kdump (openSUSE/kdump) and kdump-tools (a copy of Debian's, kaloronahuang/kdump-tools). What no repository has
is taken from Debian's package (the cache of tests/vm/fetch.py). DIR has a vmlinuz for the plan, such as
~/.cache/swiotlb-handoff/kernel-6.12. PROGRAM is fillup of openSUSE, built from its source (openSUSE/fillup, gcc -fcommon); without it
that column is not run. Nothing of any of them is kept.

Each version runs in a mount namespace of its own, in an overlay over the root of this machine: the scripts lie where their package
puts them, what they ask of the machine (command line, reservation, whether a crash kernel is loaded) is what a captured machine says,
kexec writes down how it was called, and makers of initial RAM disks write a file. The tool plans for that machine.
"""
import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/vm"))
import fetch  # noqa: E402

MACHINE = SOURCE / "fixtures/machines/debian-6.12-high-no-low"
HELPERS, PROGRAM = "/usr/local/lib/swiotlb-handoff", "/usr/local/sbin/swiotlb-handoff"
RELEASE = os.uname().release

KEXEC = """#!/bin/sh
{ printf kexec; printf " [%s]" "$@"; echo; } >>/log
case " $* " in *" -u "*) echo 0 ;; *) echo 1 ;; esac >/sys/kernel/kexec_crash_loaded
"""
# Writes down its call and what the real one would do with it; then the crash kernel is loaded as asked for.
TOOL = """#!/bin/sh
[ "$1" = kexec ] || exec /real-tool "$@"
{ printf tool; printf " [%s]" "$@"; echo; } >>/log
[ ! -e /tool-dies ] || kill -SEGV $$
while [ "$1" != -- ]; do shift; done
shift
/real-tool kexec --root /machine --kexec /sbin/kexec --dry-run -- "$@" >>/words 2>&1
exec /sbin/kexec "$@"
"""
# Of dracut, what kdumpctl sources; it asks it for little.
DRACUT_FUNCTIONS = "dinfo() { echo \"$*\"; }; dwarn() { echo \"$*\" >&2; }; derror() { echo \"$*\" >&2; }; ddebug() { :; }\n"
MAKES_AN_INITRD = "#!/bin/sh\nfor word; do case $word in /*img*) truncate -s 9M \"$word\" ;; esac; done\nexit 0\n"

# (row, repository, commit or branch, family); the repository of a package is "package", and its commit the suite.
VERSIONS = [
    ("RHEL 6 (kexec-tools 2.0.0, an init script)", "kdump-utils", "6d2cc25", "fedora"),
    ("RHEL 7 (kexec-tools 2.0.8)", "kdump-utils", "f58228a", "fedora"),
    ("RHEL 8 (kexec-tools 2.0.19-2)", "kdump-utils", "8af2875", "fedora"),
    ("RHEL 8 (kexec-tools 2.0.20-2)", "kdump-utils", "ae142da", "fedora"),
    ("RHEL 9 (kexec-tools 2.0.23-5)", "kdump-utils", "59fcb8a", "fedora"),
    ("RHEL 9 (kexec-tools 2.0.25-4)", "kdump-utils", "bc4196a", "fedora"),
    ("RHEL 9, Fedora 40 (kexec-tools 2.0.27-5)", "kdump-utils", "00d40c4", "fedora"),
    ("kdump-utils 1.0.43 (Fedora 41, RHEL 10)", "kdump-utils", "v1.0.43", "fedora"),
    ("kdump-utils 1.0.51", "kdump-utils", "v1.0.51", "fedora"),
    ("kdump-utils 1.0.61 (Fedora)", "kdump-utils", "v1.0.61", "fedora"),
    ("kdump 0.8.10, setup-kdump.sh", "kdump", "v0.8.10", "suse"),
    ("kdump 0.8.16, before SLE 15", "kdump", "v0.8.16", "suse"),
    ("kdump 0.9.0, before SLE 15 SP4", "kdump", "v0.9.0", "suse"),
    ("SLE 15 SP4", "kdump", "SLE-15-SP4", "suse"),
    ("SLE 15 SP5, Leap 15.5", "kdump", "SLE-15-SP5", "suse"),
    ("SLE 15 SP6, Leap 15.6", "kdump", "SLE-15-SP6", "suse"),
    ("SLE 15 SP7", "kdump", "SLE-15-SP7", "suse"),
    ("SLFO-1.2 (SLES 16, Leap 16)", "kdump", "SLFO-1.2", "suse"),
    ("Tumbleweed (kdump 2.1.9)", "kdump", "v2.1.9", "suse"),
    ("Debian 11 (kdump-tools 1.6.8.4), by 1.6.8.3", "kdump-tools", "c71ccde", "debian"),
    ("Debian 12 (kdump-tools 1.8.1)", "kdump-tools", "812e8e5", "debian"),
    ("Debian 13 (kdump-tools 1.10.7)", "package", "trixie", "debian"),
    ("Debian sid (kdump-tools 1.10.9)", "package", "sid", "debian"),
    ("Ubuntu 22.04 (kdump-tools 1.6.10ubuntu2), by Debian's 1.6.10", "kdump-tools", "782aabc", "debian"),
    ("Ubuntu 24.04 (kdump-tools 1.10.3ubuntu2), by Debian's 1.10.3", "kdump-tools", "8010519", "debian"),
    ("Ubuntu 26.04 (kdump-tools 1.10.7ubuntu3), by Debian's 1.10.7", "package", "trixie", "debian"),
]


class Repository:
    def __init__(self, checkouts, name, commit):
        self.name = name
        for self.path in (checkouts / name, *checkouts.glob(f"*+{name}/repo")):
            if self.path.is_dir() and self.git("cat-file", "-t", f"{commit}^0", check=False):
                return
        sys.exit(f"real_scripts: {checkouts} has no repository {name} with {commit}")

    def git(self, *arguments, check=True):
        return subprocess.run(["git", "-c", f"safe.directory={self.path}", "-C", self.path, *arguments], capture_output=True, check=check).stdout

    def show(self, commit, path):
        """The file's contents; None where that commit does not have it."""
        done = subprocess.run(["git", "-c", f"safe.directory={self.path}", "-C", self.path, "show", f"{commit}:{path}"], capture_output=True)
        return None if done.returncode else done.stdout


    def described(self, commit):
        return f"{self.name} " + self.git("log", "-1", "--format=%h %cs", commit).decode().strip()


class Package:
    """Debian's package of kdump-tools, in the place of its repository: the files that it makes of those there."""

    FILES = {"debian/kdump-config.in": ("kdump-config", "*/sbin/kdump-config"), "debian/kdump-tools.conf.in": ("kdump-conf", "*/kdump-tools/kdump-tools.conf")}

    def load(self, suite, path):
        name, pattern = self.FILES[path]
        fetch.ITEMS[f"{name}-{suite}"] = (suite, lambda *a: fetch.keep_file(*a, "kdump-tools", pattern))
        return fetch.Store().get(f"{name}-{suite}")

    def show(self, suite, path):
        if path not in self.FILES:
            return b""
        return (Path(self.load(suite, path)[0]) / self.FILES[path][1].split("/")[-1]).read_bytes()

    def described(self, suite):
        return f"package of {suite}, {self.load(suite, 'debian/kdump-config.in')[1]['version']}"


class Root:
    """The overlay, mounted by this process, which is alone in its mount namespace."""

    def __init__(self, directory, arguments):
        self.top = directory / "root"
        for name in ("upper", "work", "root"):
            (directory / name).mkdir()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={directory}/upper,workdir={directory}/work", self.top)
        run("mount", "--rbind", "/proc", self.top / "proc")
        run("mount", "--rbind", "/dev", self.top / "dev")
        run("mount", "-t", "tmpfs", "tmpfs", self.top / "sys")
        run("mount", "-t", "tmpfs", "tmpfs", self.top / "run")
        self.write("cmdline", (MACHINE / "proc/cmdline").read_bytes())
        run("mount", "--bind", self.top / "cmdline", self.top / "proc/cmdline")
        for name, text in {"sys/kernel/kexec_crash_loaded": "0\n", "sys/kernel/kexec_crash_size": "268435456\n", "sys/kernel/kexec_loaded": "0\n",
                           "etc/machine-id": "0123456789abcdef0123456789abcdef\n", "etc/kdump.conf": ""}.items():
            self.write(name, text)
        shutil.copytree(MACHINE, self.top / "machine")
        release = (MACHINE / "proc/sys/kernel/osrelease").read_text().strip()
        config = next(Path(arguments.kernel).glob("config*"), None)
        if config:
            self.write(f"machine/boot/config-{release}", config.read_bytes())
        image = next(Path(arguments.kernel).glob("vmlinuz*")).read_bytes()
        for place in (f"boot/vmlinuz-{RELEASE}", "var/lib/kdump/kernel"):
            self.write(place, image)
        for place in (f"boot/initramfs-{RELEASE}.img", f"boot/initramfs-{RELEASE}kdump.img", "var/lib/kdump/initrd"):
            self.write(place, bytes(9 << 20))
        self.write(f"lib/modules/{RELEASE}/modules.dep", "")
        for name in ("sbin/kexec", "usr/sbin/kexec"):
            self.program(name, KEXEC)
        self.program(PROGRAM[1:], TOOL)
        self.write("real-tool", Path(arguments.tool).read_bytes(), 0o755)
        for name in ("kexec", "kdump-tools.sh", "kdump-kexec.sh", "verify"):
            text = (SOURCE / "dropins" / f"{name}.in").read_text() if name != "verify" else "#!/bin/sh\n"
            for variable, value in {"HANDOFF_HELPERS_DIR": HELPERS, "HANDOFF_STATE_DIR": "/var/lib/swiotlb-handoff",
                                    "CMAKE_INSTALL_FULL_SBINDIR": os.path.dirname(PROGRAM), "HANDOFF_VERIFY_REPORT": ":"}.items():
                text = text.replace(f"@{variable}@", value)
            self.program(f"{HELPERS[1:]}/{name}", text)
        for hook in ("usr/share/initramfs-tools/hooks/swiotlb-handoff", "usr/share/initramfs-tools/scripts/init-top/swiotlb-handoff",
                     "usr/lib/dracut/modules.d/99swiotlb-handoff/module-setup.sh", "usr/lib/dracut/modules.d/99swiotlb-handoff/report.sh"):
            self.write(hook, "")
        (self.top / "run/lock").mkdir()
        (self.top / "var/crash").mkdir(exist_ok=True)
        self.program("usr/bin/keyctl", "#!/bin/sh\necho '1 --alswrv 0 0 keyring: _uid.0'\n")
        self.shell("bash")  # the /bin/sh of RHEL and SUSE
        for name in ("usr/sbin/kdump-config", "usr/bin/kdumpctl", "usr/lib/kdump/load.sh"):
            (self.top / name).unlink(missing_ok=True)

    def write(self, name, content, mode=0o644):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def program(self, name, content):
        self.write(name, content, 0o755)

    def shell(self, name):
        (self.top / "usr/bin/sh").unlink()
        (self.top / "usr/bin/sh").symlink_to(name)

    def run(self, *command, log="log"):
        for name in ("log", "words"):
            (self.top / name).write_text("")
        done = subprocess.run(["chroot", self.top, *command], capture_output=True, text=True, timeout=600,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "TERM": "dumb", "DEBIAN_FRONTEND": "noninteractive"})
        self.output = done.stdout + done.stderr
        return done.returncode, (self.top / log).read_text().splitlines()


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


class Fedora:
    config, script = "etc/sysconfig/kdump", "usr/bin/kdumpctl"

    def install(self, root, repository, commit):
        for name in ("kdump-lib.sh", "kdump-lib-initramfs.sh", "kdump-logger.sh"):
            text = repository.show(commit, name)
            if text is not None:
                root.write(f"usr/lib/kdump/{name}", text)
        root.write("etc/os-release", "ID=rhel\nID_LIKE=fedora\n")
        script = repository.show(commit, "kdumpctl")
        if script is None:  # before systemd
            root.program("etc/init.d/kdump", repository.show(commit, "kdump.init"))
        else:
            self.verb = "reload" if b"reload)" in script else "restart"
            root.program(self.script, script)
        root.write("usr/lib/dracut/dracut-functions.sh", DRACUT_FUNCTIONS)
        for name in ("sbin/mkdumprd", "sbin/mkfadumprd", "usr/sbin/grubby"):
            root.program(name, MAKES_AN_INITRD)
        for generator, old, place in (("gen-kdump-sysconfig.sh", "kdump.sysconfig.x86_64", "etc/sysconfig/kdump"), ("gen-kdump-conf.sh", "kdump.conf", "etc/kdump.conf")):
            text = repository.show(commit, generator)
            if text is not None:
                text = subprocess.run(["bash", "-s", "x86_64"], input=text, capture_output=True, check=True).stdout
            root.write(place, text if text is not None else repository.show(commit, old))

    def load(self, root):
        root.write("sys/kernel/kexec_crash_loaded", "1\n")
        return root.run("/usr/bin/kdumpctl", self.verb)

    def unload(self, root):
        root.write("sys/kernel/kexec_crash_loaded", "1\n")
        return root.run("/usr/bin/kdumpctl", "stop")

    def updated(self, *_):
        return "the file is %config(noreplace)"


class Suse:
    config, script = "etc/sysconfig/kdump", "usr/lib/kdump/load.sh"

    def template(self, repository, commit):
        """As its build system makes it for x86-64."""
        text = repository.show(commit, "sysconfig.kdump.in").decode()
        text = re.sub(r"(?ms)^@if @HAVE_FADUMP@ TRUE\n.*?^@endif\n", "", text)
        return re.sub(r"@\w+@", "", re.sub(r"(?m)^@(if|endif).*\n", "", text))

    def install(self, root, repository, commit):
        for name, place in {"init/load.sh": "load.sh", "init/unload.sh": "unload.sh", "init/load-once.sh": "load-once.sh", "kdump-read-config.sh": "kdump-read-config.sh"}.items():
            text = repository.show(commit, name)
            if text is not None:
                root.program(f"usr/lib/kdump/{place}", text)
        root.write("usr/lib/kdump/70-kdump.rules", "")
        self.text = self.template(repository, commit)
        root.write(self.config, self.text)
        root.write("etc/os-release", "ID=sles\nID_LIKE=suse\n")
        # Before 1.9 the program is C++, and prints the variables that it knows as the shell expands them.
        root.program("usr/sbin/kdumptool", '#!/bin/sh\ncase $1 in\ndump_config) . /etc/sysconfig/kdump; for v in $(sed -n "s/^\\\\(KDUMP[A-Z_]*\\|KEXEC_OPTIONS\\)=.*/\\\\1/p" '
                     '/etc/sysconfig/kdump); do eval "echo $v=\\\\\'\\$$v\\\\\'"; done ;;\n'
                     "find_kernel) printf 'Kernel:\\t/var/lib/kdump/kernel\\nInitrd:\\t/var/lib/kdump/initrd\\n' ;;\nidentify_kernel) echo x86 ;;\nesac\n")

    def load(self, root):
        return root.run("/usr/lib/kdump/load.sh")

    def unload(self, root):
        return root.run("/usr/lib/kdump/unload.sh")

    def updated(self, root, repository, fillup):
        """What fillup makes of the enabled configuration at an update to each later version, and what YaST writes."""
        enabled = (root.top / self.config).read_bytes()
        block = enabled[:-len(self.text.encode())]
        for commit in ("SLE-15-SP6", "SLE-15-SP7", "SLFO-1.2", "master", "master"):
            if not fillup:
                return "not run"
            root.write("template", self.template(repository, commit))
            run(fillup, "-q", root.top / self.config, root.top / "template")
            if block not in (root.top / self.config).read_bytes():
                return f"lost at an update to {commit}"
        (root.top / self.config).write_text(yast((root.top / self.config).read_text()))
        if block not in (root.top / self.config).read_bytes():
            return "kept by fillup, lost when YaST saves"
        if not self.load(root)[1][0].startswith("tool"):
            return "kept, but lost its effect"
        taken_out = root.run(PROGRAM, "disable")[0]
        return "kept by fillup and YaST" if taken_out == 0 and block not in (root.top / self.config).read_bytes() else "kept, and disable does not find it"


class Debian:
    config, script = "etc/default/kdump-tools", "usr/sbin/kdump-config"

    def install(self, root, repository, commit):
        root.shell("dash")
        words = re.findall(rb"KDUMP_CMDLINE_APPEND \+?= (.*)", repository.show(commit, "debian/rules"))
        made = [repository.show(commit, f"debian/{name}.in").replace(b"@KDUMP_CMDLINE_APPEND@", b" ".join([words[0], words[-1]]) if words else b"")
                for name in ("kdump-config", "kdump-tools.conf")]
        root.program("usr/sbin/kdump-config", made[0])
        self.text = made[1]
        root.write("template", self.text)
        (root.top / self.config).unlink(missing_ok=True)
        root.run("ucf", "/template", f"/{self.config}")
        root.write(f"boot/config-{RELEASE}", "CONFIG_RELOCATABLE=y\n")
        root.write(f"var/lib/kdump/initrd.img-{RELEASE}", bytes(9 << 20))
        for name in ("etc/kdump/sysctl.conf", f"var/lib/kdump/latest_sysctls-{RELEASE}"):
            root.write(name, "")

    def load(self, root):
        root.write("sys/kernel/kexec_crash_loaded", "1\n")
        return root.run("/usr/sbin/kdump-config", "reload")

    def unload(self, root):
        root.write("sys/kernel/kexec_crash_loaded", "1\n")
        return root.run("/usr/sbin/kdump-config", "unload")

    def updated(self, root, *_):
        """What the package's postinst does with ucf where the new version's file is another one."""
        enabled = (root.top / self.config).read_bytes()
        root.write("template", self.text + b"# new\n")
        status, _ = root.run("ucf", "--debconf-ok", "/template", f"/{self.config}")
        return "kept by ucf" if status == 0 and (root.top / self.config).read_bytes() == enabled else f"lost: {root.output}"


def yast(text):
    """The file as YaST writes it after a change of nothing: comments and assignments, by the regular expressions of SysConfigFile in
    agent-ini/src/IniAgent.cc of yast-core; any other line is gone."""
    out, comments, seen = [], "", {}
    for line in text.splitlines():
        if re.fullmatch(r"[ \t]*#.*|[ \t]*", line):
            comments += line + "\n"
            continue
        for pattern, form in ((r'([A-Za-z0-9_]+)[ \t]*=[ \t]*"([^"]*)"', '{}="{}"'), (r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*'([^']*)'", "{}='{}'"),
                              (r'([A-Za-z0-9_]+)[ \t]*=[ \t]*([^"]*[^ \t"]|)[ \t]*$', '{}="{}"')):
            found = re.search(pattern, line)
            if found:
                if found[1] not in seen:
                    seen[found[1]] = len(out)
                    out.append(comments)
                    out.append(form.format(found[1], found[2]) + "\n")
                comments = ""
                break
    return "".join(out) + comments


def cells(root, family, repository, commit, fillup):
    """(enable, loads, words, without the tool, unloads, disable, after an update) of one version."""
    family.install(root, repository, commit)
    original = (root.top / family.config).read_bytes()
    old = not (root.top / family.script).exists()
    status, plain = (0, []) if old else family.load(root)
    plain = [call for call in plain if "-u]" not in call]
    if status or not plain and not old:
        return ["the scripts do not load here: " + " ".join(root.output.split())[-160:]] + ["-"] * 6
    enabled = subprocess.run(["chroot", root.top, PROGRAM, "enable"], capture_output=True, text=True)
    if enabled.returncode:
        unchanged = (root.top / family.config).read_bytes() == original
        said = re.search(r"this script does not read .*? has no effect", enabled.stderr)
        return [f"refused: {said[0] if said else ' '.join(enabled.stderr.split())}{'' if unchanged else ', AND CHANGED THE FILE'}"] + ["-"] * 6
    if old:
        return ["NO: enabled without a script that it knows"] + ["-"] * 6
    result = ["works, and names `" + re.findall(r"(?:Next:|^ +) Run '([^']*)'", enabled.stdout, re.M)[-1] + "`"]
    status, calls = family.load(root)
    loads = [call for call in calls if "-u]" not in call]
    through = [call.replace("tool [kexec] [--]", "kexec", 1) for call in loads if call.startswith("tool")]
    same = status == 0 and through == plain and [call for call in loads if call.startswith("kexec")] == plain
    loader = next((word for word in ("-s", "-c", "-a") if f"[{word}]" in plain[0]), "as kexec is by default")
    result.append(f"through the handoff, same arguments ({loader})" if same else f"NO: {status} {calls}")
    words = re.findall(r"swiotlb_handoff=\S+", (root.top / "words").read_text())
    result.append("added" if words else " ".join((root.top / "words").read_text().split())[:200] or "none")
    root.write("tool-dies", "")
    status, calls = family.load(root)
    result.append("loads plain" if status == 0 and [call for call in calls if call.startswith("kexec") and "-u]" not in call] == plain else f"NO: {status} {calls}")
    (root.top / "tool-dies").unlink()
    status, calls = family.unload(root)
    result.append("unloads" if status == 0 and calls and "-u]" in calls[-1] else f"NO: {status} {calls}")
    done = subprocess.run(["chroot", root.top, PROGRAM, "disable"], capture_output=True, text=True)
    same = done.returncode == 0 and (root.top / family.config).read_bytes() == original
    after = [call for call in family.load(root)[1] if "-u]" not in call]
    result.append("byte for byte" if same and after == plain else f"NO: {done.stderr}")
    subprocess.run(["chroot", root.top, PROGRAM, "enable"], capture_output=True, check=True)
    result.append(family.updated(root, repository, fillup))
    return result


COLUMNS = ("scripts", "commit", "`enable`", "a load goes", "words", "where the tool dies", "an unload", "`disable`", "after an update of the package")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("--tool", default=SOURCE / "build/dev/tool/swiotlb-handoff", type=Path)
    parser.add_argument("--kernel", default=Path.home() / ".cache/swiotlb-handoff/kernel-6.12", type=Path)
    parser.add_argument("--fillup", type=Path)
    parser.add_argument("--report", action="store_true", help="write the table into docs/distributions.md")
    parser.add_argument("--only", default="", help="only rows with this in their name")
    arguments = parser.parse_args()
    if not os.environ.get("REAL_SCRIPTS_ALONE"):
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv], {**os.environ, "REAL_SCRIPTS_ALONE": "1"})
    rows, failed = [], 0
    for name, repository_name, commit, kind in VERSIONS:
        if arguments.only not in name:
            continue
        repository = Package() if repository_name == "package" else Repository(arguments.checkouts, repository_name, commit)
        directory = Path(tempfile.mkdtemp(prefix="real-scripts-"))
        run("mount", "-t", "tmpfs", "tmpfs", directory)
        root = Root(directory, arguments)
        try:
            result = cells(root, {"fedora": Fedora, "suse": Suse, "debian": Debian}[kind](), repository, commit, arguments.fillup)
        finally:
            run("umount", "-l", "-R", root.top)
            run("umount", "-l", directory)
            directory.rmdir()
        rows.append((name, repository.described(commit), *result))
        bad = [cell for cell in result if "NO:" in cell or "CHANGED" in cell or "do not load" in cell or "lost" in cell]
        failed += bool(bad)
        print(f"{'FAILED' if bad else 'passed'}  {name}: {'; '.join(result)}", flush=True)
    if arguments.report:
        page = SOURCE / "docs/distributions.md"
        table = "| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS) + "\n" + "".join("| " + " | ".join(row) + " |\n" for row in rows)
        text = page.read_text()
        begin, end = "<!-- real_scripts.py -->\n", "<!-- end -->\n"
        head, rest = text.split(begin)
        page.write_text(head + begin + f"Run on {datetime.date.today()}, by `tests/distro/real_scripts.py`:\n\n" + table + end + rest.split(end)[1])
    print(f"{len(rows) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
