# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "reserve" of run.py: `reserve` sets the crashkernel= of the next boot, and GRUB boots it. guest/reserve runs inside."""

from said import dump

TITLE = "the reservation of the next boot"
ABOUT = """GRUB boots this machine by its /boot/grub/grub.cfg. GRUB itself lies on a disk of its own, as the machine's disk has no partitions.
The first grub.cfg is the test's. Then update-grub writes one as the distribution would have it, and `reserve` has it write another one.
The machine reboots with that, crashes, and boots once more. `reserve --undo` then takes the words away again."""
WORDS = "swiotlb=force"
DEVICES = []
PLUG = ""
GRUB = True

SECTIONS = [("`swiotlb-handoff recommend`", "recommend"), ("What update-grub made of the distribution's files", "entries-before"),
            ("`swiotlb-handoff reserve`", "reserve"), ("What update-grub then made", "entries-after"),
            ("`swiotlb-handoff status`, before the reboot", "pending"), ("`swiotlb-handoff status`, after it", "status"),
            ("Beside the dump", "second-files"), ("The verdict beside the dump", "second-verdict"), ("`swiotlb-handoff reserve --undo`", "undo")]


def reservations(line):
    return [word for word in line.split() if word.startswith("crashkernel=")]


def bytes_of(words):
    """Of words such as crashkernel=176M,high crashkernel=32M,low."""
    return sum(int(word.split("=")[1].split("M")[0]) << 20 for word in words)


def judge(said, image):
    """The checks, each a line: (passed, what)."""
    last, text = said.last, said.text
    asked = last("recommended").split()
    before, after = said.lines("entries-before"), said.lines("entries-after")
    booted = reservations(last("command-line"))
    return [
        (last("enable") == "0" and last("load") == "0" and last("loaded") == "1 1", "enabled, and loaded with the handoff"),
        (last("update-grub") == "0" and before != [] and all(reservations(line) != asked for line in before),
         f"update-grub gives the distribution's own: {' '.join(reservations(before[0])) if before else 'nothing'}"),
        (asked != [], f"recommend: {' '.join(asked) or 'nothing'}"),
        (last("dry-run") == "0" and "+++ /etc/default/grub.d/zz-swiotlb-handoff.cfg" in text("dry-run") and last("dry-run-changed") == "0",
         "reserve --dry-run shows the difference, and changes nothing"),
        (last("reserve") == "0" and "/usr/sbin/update-grub" in text("reserve"), "reserve writes its file and runs update-grub"),
        (after != [] and reservations(after[0]) == asked, "... which boots with exactly these words by default"),
        ("pending" in text("pending"), "status says that the next boot has them"),
        (booted == asked and "BOOT_IMAGE=" in last("command-line"), f"GRUB boots the kernel with them: {last('command-line')}"),
        (said.number("crash-size") in (bytes_of(asked), bytes_of(asked[:1])), f"... and the kernel reserves as much: {said.number('crash-size') >> 20} MiB"),
        ("as-asked" in text("status"), "status says that what was asked for is reserved"),
        (last("boot-handoffs") == "1" and last("status") == "0", f"kdump-tools.service loads by itself, into the smaller reservation: {last('boot-note')}"),
        *dump(said, "second", "crash", "exact"),
        (last("undo") == "0" and last("undone") == "0", "reserve --undo leaves /etc/default and grub.cfg byte-identical, and no record"),
        (said.lines("entries-undone") == before, "... so that the next boot has the distribution's words"),
    ]
