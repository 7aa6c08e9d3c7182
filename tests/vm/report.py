#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What all boots together say: progress lines, the summary, and the tables in JSON and Markdown.

    tests/vm/report.py OUT DOCUMENT TITLE     puts the results of run.py --out OUT into a section of a Markdown document

The section is replaced as a whole, up to the next one; where the document has none of this title it is added at the end. Text
that stands between the title and the first line of the results stays.
"""

import dataclasses
import json
import re
import sys
from pathlib import Path

import cells as cell_table
import judge
import load

# Of the refusals at most this share may turn out to have been unnecessary.
OVER_CAUTIOUS_LIMIT = 1 / 20

# A crash kernel with a handoff may not have less free memory than one without; this much is noise between boots.
NOISE_KIB = 2048


@dataclasses.dataclass
class Outcome:
    cell: object
    skipped: str
    boots: list
    status: str = ""
    reasons: tuple = ()
    free_without: int = None

    @property
    def facts(self):
        return [boot["facts"] for boot in self.boots]


def cell_status(boots):
    states = {boot["status"] for boot in boots}
    return next((state for state in ("fail", "lost") if state in states), "pass")


def smallest(values):
    return min((value for value in values if value is not None), default=None)


def summarise(outcomes):
    by_name = {outcome.cell.name: outcome for outcome in outcomes}
    for outcome in outcomes:
        if outcome.skipped:
            outcome.status, outcome.reasons = "skip", (outcome.skipped,)
            continue
        outcome.status = cell_status(outcome.boots)
        outcome.reasons = tuple(dict.fromkeys(reason for boot in outcome.boots for reason in boot["reasons"]))
        twin = by_name.get(outcome.cell.name + "+plain")
        if twin is not None:
            outcome.free_without = smallest(fact["free_kib"] for fact in twin.facts if fact["dump"] == "ok")
            free_with = smallest(fact["free_kib"] for fact in outcome.facts if fact["verdict"] == "ready")
            # A twin that found no place for a pool has saved what one costs, and stays without.
            pools = all(fact["observed"] for fact in twin.facts)
            if pools and outcome.free_without and free_with and free_with + NOISE_KIB < outcome.free_without:
                outcome.status = "fail"
                outcome.reasons += (f"{free_with} KiB free with the handoff, {outcome.free_without} KiB without",)
    refused = [outcome for outcome in outcomes if any(fact["verdict"] == "refused" for fact in outcome.facts)]
    # A method asked for by name is refused for what it needs, whatever another one could do.
    cautious = [outcome.cell.name for outcome in refused if not outcome.cell.method and judge.over_cautious(outcome.facts)]
    count = {status: sum(outcome.status == status for outcome in outcomes) for status in ("pass", "fail", "lost", "skip")}
    alarms = []
    # With a handful of refusals a share says nothing.
    known = {outcome.cell.name for outcome in refused if "cautious" in outcome.cell.tags}
    news = [name for name in cautious if name not in known]
    if len(refused) >= 1 / OVER_CAUTIOUS_LIMIT and len(news) > OVER_CAUTIOUS_LIMIT * len(refused):
        alarms.append(f"{len(news)} of {len(refused)} refusals were over-cautious")
    return {"passed": count["pass"], "failed": count["fail"] + count["lost"], "lost": count["lost"],
            "skipped": count["skip"],
            "retried": sum(boot.get("attempts", 1) > 1 for outcome in outcomes for boot in outcome.boots),
            "load": load.total([fact for outcome in outcomes for fact in outcome.facts]),
            "capabilities": [f"{outcome.cell.name}: {line}" for outcome in outcomes
                             for line in dict.fromkeys(line for fact in outcome.facts for line in fact.get("capabilities", []))],
            "boots": sum(len(outcome.boots) for outcome in outcomes),
            "ready_cells": sum(any(fact["verdict"] == "ready" for fact in outcome.facts) for outcome in outcomes),
            "refused_cells": len(refused), "over_cautious": cautious, "alarms": alarms}


def closing_lines(summary):
    yield (f"{summary['boots']} boots; {summary['ready_cells']} cells ready, {summary['refused_cells']} refused, "
           f"{len(summary['over_cautious'])} of these without need, {summary['lost']} lost, "
           f"{summary['retried']} boots repeated because the machine got lost before the crash")
    if summary["load"]:
        yield summary["load"]
    yield from summary["capabilities"]
    if summary["over_cautious"]:
        yield "refused, yet the naive handoff went well every time: " + " ".join(summary["over_cautious"])
    for alarm in summary["alarms"]:
        yield "ALARM: " + alarm


def landing(fact):
    if not fact["observed"] or fact["observed"] != judge.promised(fact):
        return "MISSED"
    part, pool = ((end - start) / 2 ** 20 for start, end in (fact["observed"], fact["pool"]))
    return "exact" if part == pool else f"exact, {part:g} of {pool:g} MiB"


def what_happened(facts):
    """One phrase per boot, equal ones merged: 'exact x3', 'wrong: pool at ... x2'."""
    phrases = []
    for fact in facts:
        if "naive" in fact:
            phrases.append(f"{'forced' if fact.get('forced') else 'naive'} words went {'wrong' if fact['naive'] else 'well'}")
        elif fact["verdict"] == "refused" and not fact["booted"]:
            phrases.append("refused")
        elif fact.get("rung"):
            pool = fact["observed"][1] - fact["observed"][0] >> 20 if fact["observed"] else 0
            phrases.append(f"{fact['rung']} {fact['rung_word']}".strip() + f", pool of {pool} MiB, dump {fact['dump']}")
        elif fact.get("record", {}).get("outcome") == "plain":
            phrases.append(f"loaded plainly, dump {fact['dump']}")
        elif fact["verdict"] == "ready":
            phrases.append("lent" if fact.get("loan") else landing(fact))
        else:
            phrases.append("no pool" if fact["booted"] and not fact["observed"] else f"dump {fact['dump']}")
    return ", ".join(f"{phrase} x{phrases.count(phrase)}" for phrase in dict.fromkeys(phrases))


def progress_line(cell, boots):
    status = cell_status(boots)
    verdicts = "/".join(dict.fromkeys(boot["facts"]["verdict"] or cell.mode for boot in boots))
    seconds = max(boot["seconds"] for boot in boots)
    line = f"{status:4}  {cell.name:30} {verdicts:10} {what_happened([b['facts'] for b in boots])} ({seconds:.0f} s)"
    reasons = dict.fromkeys(reason for boot in boots for reason in boot["reasons"])
    return line + "".join(f"\n      {reason}" for reason in reasons)


def mib(kib):
    return "" if kib is None else f"{kib / 1024:.0f}"


def addresses(values):
    return "<br>".join(judge.span(*value) if value else "none" for value in dict.fromkeys(
        tuple(value) if value else None for value in values))


def words_of(cell):
    """What a cell says to its kernels and to the tool, as far as it is special."""
    text = cell.words.replace("|", "\\|") + ({"": "", "tool": "<br>made smaller by shrink"}.get(cell.shrink, f" shrunk to {cell.shrink}"))
    if cell.crash_words.startswith("swiotlb=") and cell.crash_words != "swiotlb=force":
        text += f"<br>for the crash kernel {cell.crash_words}"
    if cell.refuse:
        text += {"log": "<br>then a log that says SME", "word": "<br>then a word that is refused", "accept": "<br>then a rule not accepted any more",
                 "update": "<br>then an image of another release", "kexec": "<br>then kexec rejects the words"}[cell.refuse]
    if cell.trigger:
        text += "<br>and the crash kernel's " + cell.trigger.replace("|", "\\|")
    if cell.acpi:
        text += f"<br>an ACPI table of {cell.acpi} in front of the crash kernel's initrd"
    if cell.lend:
        text += "<br>the pool may be lent"
    if cell.plug:
        text += f"<br>{cell.plug} is plugged in after the load"
    if cell.external:
        text += "<br>a device behind an external-facing port"
    if cell.method:
        text += f"<br>--method {cell.method}"
    return text + "".join(f"<br>its log says '{said}'" for said in (cell.first_says, cell.crash_says) if said)


def markdown(summary, outcomes, versions):
    yield from (f"- {line}" for line in closing_lines(summary))
    yield f"- {summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped"
    yield f"- {versions['qemu']}\n"
    yield "Addresses are half-open. Free memory is MemFree at the start of the crash kernel's first process, the smallest of"
    yield "the cell's boots; 'without' is the same machine with nothing handed over, where that was run and dumped. Where that"
    yield "machine found no place for a pool (its own row says so), the inherited one costs 2 to 3 MiB.\n"
    yield ("| cell | kernel | kexec-tools | loader | first kernel's words | crashkernel | pool | verdict | predicted | "
           "observed | kernel at | dump | free MiB with / without | boots | result |")
    yield "|" + "---|" * 15
    for outcome in outcomes:
        cell, facts = outcome.cell, outcome.facts
        if not facts:
            yield f"| {cell.name} | {cell.kernel} |" + " |" * 12 + f" {outcome.status}: {outcome.skipped} |"
            continue
        found = outcome.boots[0]["versions"]
        crashkernel = "<br>".join(judge.span(*area) for area in facts[0]["crashkernel"])
        wrong = dict.fromkeys(text for fact in facts for text in fact.get("naive", ()))
        because = dict.fromkeys(f"refused by {rule.removeprefix('refusal ')}" for fact in facts if fact.get("forced")
                                for rule in fact["rules"] if rule.startswith("refusal "))
        result = "<br>".join([outcome.status + ": " + what_happened(facts), *outcome.reasons, *because, *wrong])
        row = [cell.name, found["kernel"], found["kexec-tools"], cell.loader,
               words_of(cell), crashkernel,
               addresses(fact["pool"] for fact in facts),
               "/".join(dict.fromkeys(fact["verdict"] or cell.mode for fact in facts)),
               addresses(fact["predicted"] for fact in facts) if any(fact["predicted"] for fact in facts) else "",
               addresses(fact["observed"] for fact in facts),
               "<br>".join(dict.fromkeys(f"{fact['kernel_at']:#x}" for fact in facts if fact["kernel_at"])),
               "/".join(dict.fromkeys(fact["dump"] for fact in facts)),
               f"{mib(smallest(fact['free_kib'] for fact in facts))} / {mib(outcome.free_without)}",
               str(len(facts)), result]
        yield "| " + " | ".join(row) + " |"


def write(directory, summary, outcomes, versions):
    table = [{"cell": dataclasses.asdict(outcome.cell), "status": outcome.status, "reasons": list(outcome.reasons),
              "free_without_kib": outcome.free_without, "boots": outcome.boots} for outcome in outcomes]
    (directory / "results.json").write_text(
        json.dumps({"summary": summary, "versions": versions, "cells": table}, indent=1) + "\n")
    (directory / "results.md").write_text("\n".join(["# Predicted and observed\n", *markdown(summary, outcomes, versions)]) + "\n")


def read(directory):
    """What write() wrote: the outcomes and the versions."""
    found = json.loads((directory / "results.json").read_text())
    outcomes = [Outcome(cell_table.Cell(**one["cell"]), one["reasons"][0] if one["status"] == "skip" else None, one["boots"])
                for one in found["cells"]]
    return outcomes, found["versions"]


def into(document, title, lines):
    """The document with these lines as the results of its section `title`; the first of them tells results from other text."""
    parts = re.split(r"(?m)^(?=## )", document)
    results = "\n".join(lines) + "\n"
    for number, part in enumerate(parts):
        if part.startswith(f"## {title}\n"):
            text = re.split(r"(?m)^- \d+ boots; ", part)[0]
            parts[number] = text + results + ("\n" if number + 1 < len(parts) else "")
            return "".join(parts)
    return document.rstrip("\n") + f"\n\n## {title}\n\n" + results


def main(argv):
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    directory, path, title = Path(argv[1]), Path(argv[2]), argv[3]
    outcomes, versions = read(directory)
    path.write_text(into(path.read_text(), title, markdown(summarise(outcomes), outcomes, versions)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
