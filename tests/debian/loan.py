# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "loan" of run.py: no DMA bounces, and the crash kernel has the idle pool as ordinary RAM. guest/loan runs inside.

The machine crashes with the loan; then a network card of 32 bits is plugged in, which ends it, and the machine crashes again.
"""

import json

from said import dump

TITLE = "the idle pool lent"
ABOUT = """No DMA bounces here, the crash kernel makes no pool, and kdump's configuration has `SWIOTLB_HANDOFF_LEND=yes`. The machine crashes with
the loan. Then a network card that addresses 32 bits (e1000) is plugged in, udev ends the loan, and the machine crashes again. 128 MiB
of memory have a pattern before each crash, of which each byte is looked for in the dump."""
WORDS = ""
DEVICES = ["-device", "pcie-root-port,id=port1,chassis=1"]
GRUB = False
PLUG = "e1000,bus=port1"

SECTIONS = [("`swiotlb-handoff plan`, before the loan is asked for", "idle-plan"), ("`swiotlb-handoff plan --lend`", "loan-plan"),
            ("`swiotlb-handoff status`, with the loan", "loan-status"), ("Beside the first dump", "first-files"),
            ("The verdict beside the first dump", "first-verdict"), ("`swiotlb-handoff status`, after the card", "plugged-status"),
            ("Beside the second dump", "second-files")]


def pattern(said, name):
    """The check of each byte."""
    try:
        found = json.loads(said.last(f"{name}-pattern"))
    except ValueError:
        return False, f"... the pattern was not compared: {said.last(f'{name}-pattern') or 'nobody tried'}"
    good = found["pages"] and not found["missing"] and not found["wrong_bytes"]
    return bool(good), f"... {found['pages'] // 256} MiB of a pattern: {found['missing']} pages missing, {found['wrong_bytes']} bytes wrong"


def judge(said, image):
    """The checks, each a line: (passed, what)."""
    last, text = said.last, said.text
    return [
        (last("enable") == "0" and last("load") == "0" and last("unasked") == "plain false", "enabled, but a loan not asked for: nothing is lent"),
        (last("loan-load") == "0" and last("loan-loaded") == "1", "with SWIOTLB_HANDOFF_LEND=yes, kdump-config reload loads the crash kernel"),
        (last("loan-record") == "handoff true", f"... with the loan: {last('loan-note')}"),
        (last("loan-status") == "0" and "lent" in text("loan-status"), "status says that the pool is lent"),
        (last("loan-check") == "0", "check --record finds the record of this load sound"),
        (last("loan-loaded-at-crash") == "1", "the crash kernel stays loaded"),
        *dump(said, "first", "crash with the loan", "lent"),
        pattern(said, "first"),
        (last("before-plug") == "handoff true" and (last("boot-record") == "handoff true" or "has no driver" in last("boot-why")),
         "at the next boot, kdump-tools.service lends the pool by itself" if last("boot-record") == "handoff true" else
         f"at the next boot, kdump-tools.service comes too early, and a reload lends the pool: {last('boot-why')}"),
        (last("plugged-driver") == "e1000", "a network card of 32 bits is plugged in, and its driver takes it"),
        (last("plugged-record") == "plain false" and last("plugged-loaded") == "1",
         f"... udev has the crash kernel loaded anew, and the loan is gone: {last('plugged-why')}"),
        (last("plugged-status") != "" and "lent to" not in text("plugged-status"), "... status does not say that the pool is lent"),
        *dump(said, "second", "crash after the loan", None),
        pattern(said, "second"),
        (last("still-record") == "plain false", f"at the next boot the card is there, and nothing is lent: {last('still-why')}"),
        (last("disable") == "0" and last("config") == "identical", "disable leaves the configuration byte-identical"),
        (last("plain") == "0" and last("plain-loaded") == "1", "... and the next load is a plain one"),
    ]
