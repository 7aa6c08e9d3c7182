# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "handoff" of run.py: all DMA bounces, and the crash kernel takes over the pool. guest/handoff runs inside.

The first crash kernel has the initramfs of initramfs-tools, the second one that of dracut, and a smaller reservation.
"""

import re
from pathlib import Path

from said import dump

TITLE = "the pool handed over"
ABOUT = """The package is installed as dpkg installs it, and the machine crashes twice: by `swiotlb-handoff test --yes`, and by sysrq. The first crash
kernel has the initramfs of initramfs-tools, the second one that of dracut, and a reservation that `shrink` made smaller."""
WORDS = "swiotlb=force"
DEVICES = []
GRUB = False
PLUG = ""


def outline(said):
    """The report without what lies deeper than two levels, which is mostly maps of memory."""
    return [line for line in said.lines("report-file") if not line.startswith("     ")]


SECTIONS = [("`swiotlb-handoff status`, before the first crash", "status"), ("`swiotlb-handoff status --prometheus`", "prometheus"),
            ("`swiotlb-handoff plan`", "plan"), ("`swiotlb-handoff recommend`", "recommend"),
            ("Beside the first dump", "first-files"), ("The verdict beside the first dump", "first-verdict"),
            ("`swiotlb-handoff check --record` on the record beside it", "first-record"),
            ("`swiotlb-handoff test --dry-run`, before the first crash", "test-dry-run"),
            ("`swiotlb-handoff test --result`, after it", "test-result"), ("`swiotlb-handoff status`, after it", "boot-status"),
            ("The metrics of the test, after it", "fresh-metrics"),
            ("`swiotlb-handoff test --report`: what it writes, without its maps of memory", outline),
            ("`swiotlb-handoff test --result`, with another initramfs loaded", "stale-result"),
            ("`swiotlb-handoff shrink`", "shrink"), ("The verdict beside the second dump", "second-verdict")]

LIMIT = 512  # KiB that verify may add to a crash kernel's initramfs
PAGE = Path(__file__).resolve().parents[2] / "docs/own-initramfs.md"  # says how large verify is


def judge(said, image):
    """The checks, each a line: (passed, what)."""
    last, text, number = said.last, said.text, said.number

    def added(kind):
        return (image[f"{kind}-after"] - image[f"{kind}-before"]) / 1024

    def flat(key):
        return " ".join(text(key).split())

    def metrics(when):
        """What the metrics say of the test: the outcome that they give a 1, and whether they call it stale."""
        lines = dict(line.rsplit(" ", 1) for line in said.lines(f"{when}-metrics"))
        outcomes = [name.split('"')[1] for name, value in lines.items() if "_outcome{" in name and value == "1"]
        return {"outcome": " ".join(outcomes), "stale": lines.get("swiotlb_handoff_test_stale")}

    def loaded(key, what):
        return last(key) == "0", what

    size = int(re.search(r"without a C library, of about (\d+) KiB", PAGE.read_text())[1])
    verify, report = "usr/lib/swiotlb-handoff/verify", "hooks/cmdline/01-report.sh"
    exposure = re.search(r"exposure level .*: ([\d.]+) (\w+)", text("security"))
    shrunk = number("memory-after") - number("memory-before")
    offered = set(last("completes").split())
    return [
        (image["enabled"] and image["restored"], "dpkg --remove takes the handoff out of kdump's configuration, byte for byte"),
        (not image["left"], f"dpkg --purge leaves nothing {' '.join(image['left'])}"),
        (verify in image["initramfs-tools"] and verify not in image["initramfs-tools-regular"],
         "initramfs-tools: verify is in kdump's initramfs, and not in the system's"),
        (0 < added("initramfs-tools") <= LIMIT, f"... which grows by {added('initramfs-tools'):.0f} KiB, at most {LIMIT}"),
        (verify in image["dracut"] and report in image["dracut"] and verify not in image["dracut-regular"],
         "dracut: verify and its hook are in an initramfs for kdump, and not in a regular one"),
        (0 < added("dracut") <= LIMIT, f"... which grows by {added('dracut'):.0f} KiB, at most {LIMIT}"),
        (abs(image["verify"] / 1024 - size) < size / 10, f"verify has {image['verify'] / 1024:.0f} KiB, docs/own-initramfs.md says {size}"),
        ("man-missing" not in said, "the man pages are there"),
        ("_swiotlb_handoff" in last("completion") and {"plan", "kexec", "recommend", "shrink", "status"} <= offered, "bash completes the commands"),
        (last("verify-units") == "0" and "swiotlb" not in text("verify-units"), "systemd-analyze verify has nothing to say of the units"),
        (exposure is not None and float(exposure[1]) < 4, f"systemd-analyze security: exposure {exposure[0].split(': ')[-1] if exposure else '?'}"),
        (last("units").split() == ["inactive", "active"], "after installation the path unit runs, and the timer does not"),
        loaded("enable", "swiotlb-handoff enable succeeds"),
        (last("enable-again") == "0" and last("enabled-twice") == "same", "enabling twice is enabling once"),
        (last("load") == "0" and last("loaded") == "1", "kdump-config reload loads the crash kernel"),
        (last("handoffs") == "1", f"... with the handoff: {last('note')}"),
        (last("try-reload") == "0" and last("handoffs-after-reload") == "2", "and so does kdump-config try-reload, which udev's rule runs"),
        (last("status") == "0" and "in use" in text("status").replace("in-use", "in use"), "status says that the handoff is in use"),
        (last("prometheus") == "0" and "swiotlb_handoff_ready 1" in text("prometheus"), "status --prometheus says ready"),
        loaded("check", "check --record finds the record of this load sound"),
        (last("recommend") in ("0", "3", "4") and text("recommend") != "", f"recommend: {(text('recommend') or 'nothing').splitlines()[0]}"),
        (last("service") == "success 0" and text("service") == text("prometheus"), "the metrics' service says the very same from its sandbox"),
        (number("path-unit") > 0, "the path unit writes the metrics at a load"),
        (number("scraped") >= 8, f"node_exporter serves them ({number('scraped')} samples)"),
        (last("udev-loaded") == "1" and last("udev-handoffs") == "0" and last("udev-record") == "same" and last("udev-status") == "in-use",
         "a CPU comes: udevd's filter permits no load, the crash kernel stays loaded with the handoff"),
        (number("udev-permitted") >= 1, "with a filter that permits it, udev's reload has the handoff"),
        (last("lent-device").endswith(" 0") and last("unlent-handoffs") == "0", f"a driver takes a device ({last('lent-device').split(' ')[0]}): nothing happens where nothing is lent"),
        (last("lent-handoffs") in ("1", "2") and last("lent-record") == "1",
         f"... and where the record says that the pool is lent, udev's rule has it loaded anew, in a unit of its own; loads for four such events: {last('lent-handoffs')}"),
        (last("disabled-record") == "0", "disable leaves no record that says otherwise"),
        (last("divert") == "0" and number("divert-handoffs") == 1, "with kexec diverted, the stand-in in its place loads with the handoff"),
        *dump(said, "first", "first crash", "exact"),
        (last("test-dry-run") == "0" and "test-failed" not in said, "'swiotlb-handoff test' crashed it the first time"),
        (last("test-service") == "success 0" and last("test-kept") == "1", "... and at the next boot its service keeps the result"),
        (last("test-result") == "0" and "dump-written" in text("test-result") and "where the handoff promised it" in flat("test-result")
         and "were available to the crash kernel" in flat("test-result"), f"... {flat('test-result')}"),
        ("dump-written" in text("boot-status") and metrics("fresh") == {"outcome": "dump-written", "stale": "0"},
         "... status and the metrics say so as well, and that it is of what is loaded now"),
        (last("report") == "0" and '"outcome": "dump-written"' in text("report-file") and last("report-names") == "0",
         "... test --report writes a report that does not name the machine, this boot, its disk or where the dump is"),
        (number("boot-handoffs") == 1 and last("boot-status") == "0", "at the next boot, kdump-tools.service loads with the handoff by itself"),
        (last("dracut-load") == "0" and "with the handoff" in last("dracut-note"), "with dracut's initramfs in place of the other, too"),
        ("The test is stale: the crash kernel's initrd has changed since" in flat("stale-result") and "The test is stale" in flat("stale-status")
         and metrics("stale") == {"outcome": "dump-written", "stale": "1"},
         f"... and the test, which was of the other initramfs, is stale for test --result, status and the metrics: {flat('stale-result')}"),
        (last("shrink") == "0" and shrunk > 0, f"shrink gives back {shrunk // 1024} MiB at once, as MemTotal says"),
        (last("shrunk-status") == "0", "... and the handoff is in use again"),
        (last("shrunk-check") == "0", "... and check --record finds the record of this load sound"),
        *dump(said, "second", "second crash, of the smaller reservation and with dracut's initramfs", "exact", same_reservation=False),
        (last("disable") == "0" and last("config") == "identical", "disable leaves the configuration byte-identical"),
        (last("backup") == "gone", "... and no backup"),
        (last("plain") == "0" and last("plain-loaded") == "1 0", "... and the next load is a plain one"),
        ("not-in-use" in text("disabled"), "... which status does not take for one with the handoff"),
        (last("purge") == "0" and text("left") == "", f"dpkg --purge on the running machine leaves nothing {text('left')}"),
        (last("removed-load") == "0" and last("removed-loaded") == "1", "... and kdump loads as before"),
    ]
