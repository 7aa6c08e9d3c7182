# SPDX-License-Identifier: GPL-2.0-or-later
"""Ordinary kexecs one after the other: what each kernel said of its pool, and whether the load by the tool was as it should be.

ready       each kernel has the pool of the first at its address, by the words that the tool appended
refused     the tool says why, and the next kernel gets exactly the caller's command line
not-needed  the same, and nothing is said in the log
"""

import json
import re

KEXECS = 3


def pool(said):
    try:
        seen = json.loads(said.get("witness", ""))
        return (seen["start"], seen["end"]) if seen["end"] > seen["start"] else None
    except (ValueError, KeyError, TypeError):
        return None


def span(found):
    return f"{found[0]:#x}-{found[1]:#x}" if found else "nowhere"


def words_for(found, line):
    """What the tool should append, after a line that asks to bounce everything or does not."""
    return f"swiotlb={(found[1] - found[0]) >> 11}{',force' if 'swiotlb=force' in line else ''},addr={found[0]:#x}"


def listed(said):
    return [(int(start, 16), int(end, 16) + 1)
            for start, end in re.findall(r"^\s+([0-9a-f]+)-([0-9a-f]+) : Software IO TLB$", said.get("iomem", ""), re.M)]


def judge_started(number, said, before, first_pool, verdict):
    """Of the kernel that kexec number `number` started, and of the load before it."""
    name, reasons = f"kernel {number}", []
    line = before.get("line", "").strip()
    message = (re.findall(r"swiotlb-handoff(?:\[\d+\])?: (.*)", before.get("kexec.messages", "")) or [""])[-1]
    wanted = f"{line} {words_for(first_pool, line)}" if verdict == "ready" else line
    if (cmdline := said.get("cmdline", "").strip()) != wanted:
        reasons.append(f"{name} has the command line '{cmdline}', expected '{wanted}'")
    status = {"ready": "0"}.get(verdict, "4")
    if said.get("verify.status") != status:
        reasons.append(f"verify in {name} exits with {said.get('verify.status')}, expected {status}: {said.get('verify.stderr', '').strip()[:200]}")
    if verdict == "ready":
        if pool(said) != first_pool:
            reasons.append(f"the pool of {name} is at {span(pool(said))}, that of the first was at {span(first_pool)}")
        if listed(said) != [first_pool]:
            reasons.append(f"{name} lists {', '.join(map(span, listed(said))) or 'no pool'} in /proc/iomem")
        if "the pool is there" not in said.get("dmesg", ""):
            reasons.append(f"{name} does not say that addr= was obeyed")
        if "gets the pool at" not in message:
            reasons.append(f"the tool does not say that {name} gets the pool: '{message}'")
    elif verdict == "refused" and "exactly as asked" not in message:
        reasons.append(f"the tool does not say why {name} does not get the pool: '{message}'")
    elif verdict == "not-needed" and message:
        reasons.append(f"the tool says '{message}' of a load that it has nothing to do with")
    return reasons


def judge(cell, said, vm_problem, fact):
    """As judge.judge(): (status, reasons, facts)."""
    kernels = [said["first"], *(said.get(f"next{number}", {}) for number in range(1, KEXECS + 1))]
    first_pool = pool(kernels[0])
    fact |= {"verdict": cell.expect, "dump": "none", "booted": bool(kernels[-1]), "observed": pool(kernels[-1]), "predicted": None,
             "pools": [pool(one) for one in kernels]}
    if kernels[0].get("end") not in ("kexec", "done") and "end" not in kernels[0]:
        return "lost", [vm_problem or "the first kernel never reported"], fact
    reasons = []
    for number in range(1, KEXECS + 1):
        before, now = kernels[number - 1], kernels[number]
        if before.get("end") != "kexec":
            reasons.append(f"before kexec {number}: {before.get('end', vm_problem)}: {before.get('kexec.stderr', '').strip()[:200]}")
            break
        if "end" not in now:
            reasons.append(f"kernel {number} did not report{': ' + vm_problem if vm_problem else ''}")
            break
        if first_pool is None and cell.expect == "ready":
            reasons.append("the first kernel has no pool")
            break
        reasons += judge_started(number, now, before, first_pool, cell.expect)
    return ("fail" if reasons else "pass"), reasons, fact
