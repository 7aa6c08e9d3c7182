# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a boot left behind to a verdict. Pure: no machine, no files, so that it has tests of its own.

pass  everything the cell expects was seen
fail  something else was seen
lost  the virtual machine was gone before the first kernel had crashed itself: this says nothing about the project
skip  never started (decided by the runner)
"""

import json
import re
import struct

import load
import next_kernels
import vm

SCHEMA = 2  # of the tool's JSON, as it is read here


def parse_json(text):
    try:
        value = json.loads(text)
        return value if isinstance(value, dict) else {}
    except (TypeError, ValueError):
        return {}


def span(start, end):
    return f"{start:#x}-{end:#x}"


def ranges_named(iomem, wanted):
    """Half-open ranges of the lines of /proc/iomem with this name."""
    found = re.findall(r"^\s*([0-9a-f]+)-([0-9a-f]+) : (.*)$", iomem or "", re.M)
    return [(int(start, 16), int(end, 16) + 1) for start, end, name in found if name == wanted]


def meminfo(text, key):
    """KiB, or None."""
    match = re.search(rf"^{key}:\s+(\d+) kB", text or "", re.M)
    return int(match[1]) if match else None


def pool_of(witness):
    """(start, end) as the witness saw it; None without a pool or without a witness."""
    start, end = witness.get("start", 0), witness.get("end", 0)
    return (start, end) if end > start else None


def overlap(ranges, region):
    """Bytes of `ranges` inside `region`."""
    return sum(max(0, min(end, region[1]) - max(start, region[0])) for start, end in ranges)


def expected_range(plan):
    expected = plan.get("expected") or {}
    try:
        return int(expected["start"], 16), int(expected["end"], 16)
    except (KeyError, TypeError, ValueError):
        return None


def loaded_segments(first):
    """Half-open ranges of what was loaded: kexec -d prints them for kexec_load, the kernel for kexec_file_load (since
    Linux 6.8 only if kexec-tools asks, which 2.0.25 does not). None if nobody did."""
    tools = re.findall(r"segment\[\d+\]\.mem +(?:= )?0x([0-9a-f]+)\nsegment\[\d+\]\.memsz +(?:= )?0x([0-9a-f]+)",
                       first.get("kexec.stderr", ""))
    kernel = re.findall(r"segment.*\bmem=0x([0-9a-f]+) memsz=0x([0-9a-f]+)", first.get("kexec.dmesg", ""))
    return sorted((int(at, 16), int(at, 16) + int(size, 16)) for at, size in tools or kernel) or None


def reported_segments(record):
    """What 'swiotlb-handoff kexec' was told about the load. None if nobody told."""
    try:
        return sorted((int(one["start"], 16), int(one["end"], 16)) for one in record["segments"]) \
            if record["segments_reported"] else None
    except (KeyError, TypeError, ValueError):
        return None


def planned_segments(plan):
    """The kernel and the initrd, which decide where the pool lands and where no fence may be. The small segments beside
    them differ by a page or two between kernel versions; a plan is proven for more of those than its first load shows."""
    try:
        return sorted((int(one["start"], 16), int(one["end"], 16)) for one in plan["segments"]
                      if one["name"] in ("kernel", "initrd")) or None
    except (KeyError, TypeError, ValueError):
        return None


def pool_in_headers(head, pool):
    """Bytes of the pool in the PT_LOADs of /proc/vmcore, of which `head` is the beginning; None where nobody looked."""
    data = (head or "").encode(errors="surrogateescape")
    if not pool or data[:4] != b"\x7fELF":
        return None
    at, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    loads = []
    for number in range(count):
        kind, _, _, _, start, _, length, _ = struct.unpack_from("<IIQQQQQQ", data, at + number * size)
        if kind == 1:
            loads.append((start, start + length))
    return overlap(set(loads), pool)


def seconds_between(text):
    """Of two times of /proc/uptime, or None."""
    match = re.fullmatch(r"([0-9.]+) ([0-9.]+)", (text or "").strip())
    return round(float(match[2]) - float(match[1]), 2) if match else None


def number(text):
    return int(text) if text and text.strip().isdigit() else None


def facts(said):
    """What is known about one boot, in a form that goes into the results."""
    first, crash = said["first"], said["crash"]
    plan, seen = parse_json(first.get("plan")), parse_json(crash.get("witness"))
    pool = pool_of(parse_json(first.get("witness")))
    observed = pool_of(seen)
    code = ranges_named(crash.get("iomem"), "Kernel code")
    record = parse_json(first.get("record"))
    used = [value for key in ("io_tlb_used_hiwater.after-dump", "io_tlb_used.after-dump")
            if (value := number(crash.get(key))) is not None]
    return {
        "pool": pool,
        "crashkernel": ranges_named(first.get("iomem"), "Crash kernel"),
        "verdict": plan.get("verdict"),
        "loan": bool(plan.get("lent")),
        "pool_in_headers": pool_in_headers(crash.get("vmcore.head"), pool),
        "forced": first.get("forced.status") == "0",
        "rules": [f"{reason.get('severity')} {reason.get('rule')}" for reason in plan.get("reasons", [])
                  if isinstance(reason, dict)],
        "predicted": expected_range(plan),
        "record": {key: record[key] for key in ("outcome", "why", "segments_reported") if key in record},
        "segments": reported_segments(record) if record else loaded_segments(first),
        "segments_planned": planned_segments(plan),
        "append": record.get("append", "") if record else first.get("append", "").strip(),
        "booted": bool(crash),
        "observed": observed,
        "ordinary_in_pool": overlap(seen.get("ordinary", []), pool) if pool and seen.get("complete") else None,
        "kernel_at": code[0][0] if code else None,
        "free_kib": meminfo(crash.get("meminfo"), "MemFree"),
        "total_kib": meminfo(crash.get("meminfo"), "MemTotal"),
        "slabs_used_at_most": max(used) if used else None,
        "dump_seconds": seconds_between(crash.get("dump.uptime")),
        "dump_bytes": number(crash.get("dump.bytes")),
        "pool_full": number(crash.get("pool.full")),
        "release": first.get("release"),
        "capabilities": first.get("capabilities", "").splitlines(),
        # Of a crash under load.
        "pattern": parse_json(crash["pattern"]) if "pattern" in crash else None,
        "used_at_crash": number(first.get("used-at-crash")),
    }


def promised(fact):
    """Where the crash kernel's pool should be: all of the old pool, or the part of it that the plan names."""
    predicted, pool = fact["predicted"], fact["pool"]
    return predicted if predicted and pool and pool[0] <= predicted[0] < predicted[1] <= pool[1] else pool


def misplaced(fact):
    """In what way the pool is not where it should be; an empty list if it is. Only for a crash kernel that reported."""
    wrong = []
    if fact["observed"] != promised(fact):
        wrong.append(f"pool at {span(*fact['observed'])}" if fact["observed"] else "no pool")
    if fact["ordinary_in_pool"]:
        wrong.append(f"{fact['ordinary_in_pool'] >> 10} KiB of the old pool are ordinary RAM")
    return wrong


def dump_lost(fact, dump_problem):
    """Why there is no dump, or an empty list."""
    if not fact["booted"]:
        return ["the crash kernel died before it could report"]
    return [dump_problem] if dump_problem else []


def judge(cell, said, dump_problem, vm_problem):
    """(status, reasons, facts). `dump_problem` and `vm_problem` are None when there is none."""
    fact = facts(said)
    first, crash = said["first"], said["crash"]
    fact["dump"] = "lost" if dump_problem else "none" if cell.dump == "none" else "ok"
    if cell.by == "next":
        return next_kernels.judge(cell, said, vm_problem, fact)
    if first.get("end") == "evidence":
        reasons = judge_evidence(cell, first, fact)
        return ("fail" if reasons else "pass"), reasons, fact
    counts = cell.dump in ("ok", "none")  # that the crash kernel gets to its end
    if first.get("end") != "crash":
        if first.get("end") == "not ready" and fact["verdict"] in ("refused", "not-needed"):
            return "pass", [], fact
        if "end" in first:
            tail = (first.get("plan.stderr", "") + first.get("kexec.stderr", "")).strip().splitlines()
            return "fail", [f"{first['end']}: {tail[-1] if tail else 'no message'}"], fact
        return "lost", [vm_problem or "the first kernel never reported"], fact

    reasons = []
    if "problem" in first:
        reasons.append(first["problem"])
    reasons += judge_sayings(cell, said)
    if cell.kernel.startswith("patched-"):
        reasons += judge_listing(said, fact)
    if cell.mode == "handoff":
        reasons += judge_plan(cell, said, fact)
    plainly = cell.mode == "handoff" and fact["record"].get("outcome") in ("plain", "own-pool")
    if cell.refuse:
        reasons += judge_rung(cell, said, fact)
    elif cell.by != "kexec":
        reasons += judge_wrapper(cell, said, fact)
    if cell.shrink == "tool":
        reasons += judge_shrink(first, fact)
    reasons += judge_status(first, fact)
    lent = cell.mode == "handoff" and fact["loan"]
    handed_over = cell.mode == "handoff" and fact["verdict"] == "ready" and not plainly
    elsewhere = misplaced(fact) if fact["booted"] else []
    lost = dump_lost(fact, dump_problem) + load.judge(fact["pattern"], first, lent)
    if cell.plug and cell.by != "window":
        reasons += judge_plug(said, fact)
    if cell.external and [rule for rule in fact["rules"] if rule.startswith("refusal ")] != ["refusal lend-trusted"]:
        reasons.append(f"the loan is not refused for the external port alone: {', '.join(fact['rules'])}")
    if handed_over and lent:
        reasons += judge_lent(cell, said, fact) + (lost if counts else [])
    elif handed_over:
        reasons += elsewhere + judge_ready(cell, said, fact) + (lost if counts else [])
    elif cell.mode == "naive" or (fact["verdict"] == "refused" and not plainly):
        fact["naive"] = elsewhere + lost
        reasons += judge_forced(cell, first)
    elif cell.mode == "handoff" and fact["verdict"] == "not-needed" and fact["observed"]:
        reasons.append(f"not needed, but the crash kernel made a pool at {span(*fact['observed'])}")

    must_dump = counts and (cell.mode == "plain" or fact["verdict"] == "not-needed" or plainly)
    if must_dump:
        reasons += lost
    if cell.dump == "lost" and not dump_problem:
        reasons.append("the dump was written, although it should be lost: this control controls nothing")
    if vm_problem and lost and counts and (handed_over or must_dump):
        reasons.append(vm_problem)
    return ("fail" if reasons else "pass"), reasons, fact


def judge_sayings(cell, said):
    return [f"the log of the {kernel} kernel does not say '{wanted}'"
            for kernel, wanted in (("first", cell.first_says), ("crash", cell.crash_says))
            if wanted and wanted not in said[kernel].get("dmesg", "")]


def pool_traces(text):
    """What a capture keeps of the pool's memory: {"moved-areas": 0, ...}; {} where it says why there is nothing."""
    lines = dict(line.split(": ", 1) for line in (text or "").splitlines() if ": " in line)
    return {key: int(value, 0) for key, value in lines.items() if key not in ("pool", "not-read")} if "pool" in lines else {}


def judge_evidence(cell, first, fact):
    """A pool starts blank and with its search at the first slab; one transfer through it moves the one and dirties the other,
    and the loan is then refused for that alone."""
    before, after = parse_json(first.get("evidence.before")), parse_json(first.get("evidence.after"))
    rules = {when: sorted({reason["rule"] for reason in plan.get("reasons", []) if reason["severity"] == "refusal"})
             for when, plan in (("before", before), ("after", after))}
    fact["verdict"] = before.get("verdict", "?")
    fact["evidence"] = {when: pool_traces(first.get(f"pool-traces.{when}")) for when in ("before", "after")}
    fact["content"] = {when: parse_json(first.get(f"content.{when}")) for when in ("before", "after")}
    reasons = []
    if before.get("verdict") != cell.expect:
        reasons.append(f"at first the plan says {before.get('verdict')} ({', '.join(rules['before'])}), expected {cell.expect}")
    traces = fact["evidence"]["before"]
    bounces = "lend-idle" in rules["before"]
    if not bounces and (traces.get("moved-areas") != 0 or traces.get("slabs-used") != 0 or "first-written" in traces or not traces.get("blank-bytes")):
        reasons.append(f"the pool does not start blank: {first.get('pool-traces.before', 'nothing was read').strip()}")
    if not bounces and fact["content"]["before"].get("written") != 0:
        reasons.append(f"the witness does not find the pool blank: {fact['content']['before']}")
    if "lab.bounce" in cell.crash_words:
        traces = fact["evidence"]["after"]
        if rules["after"] != ["lend-idle"]:
            reasons.append(f"after a transfer the plan is refused for {', '.join(rules['after']) or 'nothing'}, expected lend-idle")
        if not traces.get("moved-areas"):
            reasons.append(f"the search for slabs did not move: {first.get('pool-traces.after', 'nothing was read').strip()}")
        if not fact["content"]["after"].get("written"):
            reasons.append(f"the witness finds nothing in the pool: {fact['content']['after']}")
    return reasons


def judge_forced(cell, first):
    """What is forced where a plan is refused for what the cell is about is right but for that."""
    if cell.mode != "handoff" or not vm.triggered(cell) or first.get("forced.status") == "0":
        return []
    return ["without what the cell is about the plan is not ready either: "
            f"{(first.get('forced.stderr') or 'nobody asked for it').strip()[:200]}"]


def judge_listing(said, fact):
    """A patched kernel lists its pool in /proc/iomem, inside System RAM and where it really is; both kernels do."""
    reasons = []
    for kernel, pool in (("first", fact["pool"]), ("crash", fact["observed"])):
        if "iomem" not in said[kernel]:
            continue
        listed = ranges_named(said[kernel]["iomem"], "Software IO TLB")
        if listed != ([pool] if pool else []):
            reasons.append(f"the {kernel} kernel lists {', '.join(span(*one) for one in listed) or 'no pool'} in /proc/iomem")
        elif re.search("^[0-9a-f-]+ : Software IO TLB$", said[kernel]["iomem"], re.M):
            reasons.append(f"the {kernel} kernel lists its pool beside System RAM, not inside")
    shown = parse_json(said["first"].get("show"))
    sources = {one.get("source") for one in shown.get("sightings", []) if isinstance(one, dict)}
    wanted = {"iomem", "memory"} | ({"log"} if "software IO TLB: mapped [mem" in said["first"].get("dmesg", "") else set())
    if fact["pool"] and "show" in said["first"] and (not shown.get("agree") or not wanted <= sources):
        reasons.append(f"'show' has the pool from {', '.join(sorted(filter(None, sources))) or 'nowhere'}, "
                       f"{'agreeing' if shown.get('agree') else 'disagreeing'}; expected {', '.join(sorted(wanted))}")
    return reasons


def judge_plan(cell, said, fact):
    reasons = []
    if fact["verdict"] not in ("ready", "refused", "not-needed"):
        return [f"the plan has no verdict: {said['first'].get('plan.stderr', '').strip()[:200]}"]
    if cell.expect != "either" and fact["verdict"] != cell.expect:
        reasons.append(f"the plan says {fact['verdict']}, expected {cell.expect}")
    found = expected_range({"expected": parse_json(said["first"].get("plan")).get("pool")})
    # Where nothing is needed the tool need not look for a pool either.
    if found != fact["pool"] and not (fact["verdict"] == "not-needed" and found is None):
        reasons.append(f"the plan takes the pool to be at {span(*found) if found else 'nowhere'}, the witness finds it at "
                       f"{span(*fact['pool']) if fact['pool'] else 'nowhere'}")
    return reasons


def judge_wrapper(cell, said, fact):
    """'swiotlb-handoff kexec' loads with the handoff if and only if the plan is ready and the load is as planned."""
    first, crash = said["first"], said["crash"]
    wanted = "handoff" if cell.by == "wrapper" and fact["verdict"] == "ready" else "plain"
    outcome = fact["record"].get("outcome")
    reasons = []
    if outcome != wanted:
        reasons.append(f"the record says {outcome} ({fact['record'].get('why')}), expected {wanted}")
    checked = parse_json(first.get("check"))
    if outcome == "handoff" and checked and checked.get("verdict") != "proven":
        reasons.append(f"'check --record' says {checked.get('verdict')} of the load: "
                       f"{[reason.get('text') for reason in checked.get('reasons', []) if reason.get('severity') == 'refusal']}")
    if cell.by == "moved" and "another place" not in fact["record"].get("why", ""):
        reasons.append(f"the moved load was not noticed: {fact['record'].get('why')}")
    if cell.by == "window" and "may not be lent any more" not in fact["record"].get("why", ""):
        reasons.append(f"the device that came while kexec ran was not noticed: {fact['record'].get('why')}")
    if printed := (first.get("kexec.stderr", "") + first.get("kexec", "")).strip():
        reasons.append(f"the caller got what only -d prints: {printed[:100]}")
    word = "swiotlb_lent=" if fact["loan"] else "swiotlb_handoff="
    if crash and (word in crash.get("cmdline", "")) != (wanted == "handoff"):
        reasons.append("the crash kernel's command line is not that of the record")
    return reasons


def reserved(words):
    """MiB that crashkernel= words ask for in all."""
    return sum(int(size) for size in re.findall(r"crashkernel=(\d+)M?\b", words))


def recommended_words(first):
    """Those that 'recommend' found to do, of each form."""
    return [one.get("crashkernel") for one in parse_json(first.get("recommend")).get("candidates", []) if one.get("verdict") == "ready"]


def judge_rung(cell, said, fact):
    """The handoff was loaded, then refused: the crash kernel is loaded without it, on the rung that the plan named, and has
    the pool of that rung."""
    first, crash = said["first"], said["crash"]
    before, fallback = parse_json(first.get("record.before")), parse_json(first.get("plan")).get("fallback") or {}
    fact["rung"], fact["rung_word"] = fact["record"].get("outcome"), fallback.get("append", "")
    reasons = []
    recommended = recommended_words(first)
    high = ",high" in cell.words
    if "rec-" in cell.name and not any(reserved(words) >= reserved(cell.words) and (",high" in words) == high for words in recommended):
        reasons.append(f"'recommend' names {', '.join(recommended) or 'nothing'}, and {cell.words} is more")
    if before.get("outcome") != "handoff":
        reasons.append(f"before the refusal the record says {before.get('outcome')}: {before.get('why')}")
    if fact["rung"] != fallback.get("rung"):
        reasons.append(f"the record says {fact['rung']} ({fact['record'].get('why')}), and the plan {fallback.get('rung')}: {fallback.get('text')}")
    status = parse_json(first.get("status"))
    if status.get("rung") != fact["rung"]:
        reasons.append(f"status says {status.get('rung')}, and the record {fact['rung']}")
    if not fact["booted"]:
        return reasons
    line = crash.get("cmdline", "")
    if "swiotlb_handoff=" in line:
        reasons.append("the crash kernel has the words of a handoff")
    word = fact["rung_word"]
    if bool(word) != (fact["rung"] == "own-pool") or word not in line:
        reasons.append(f"the crash kernel's command line does not have '{word}': {line.strip()}")
    size = fact["observed"][1] - fact["observed"][0] if fact["observed"] else 0
    if word and not 0 < size <= fallback.get("pool_bytes", 0):
        reasons.append(f"the crash kernel's pool has {size >> 20} MiB, and {word} asks for {fallback.get('pool_bytes', 0) >> 20}")
    return reasons


def judge_shrink(first, fact):
    """The running system has as much memory more as the tool says that it gave back."""
    if first.get("shrink.status") != "0":
        said = (first.get("shrink.stderr", "") or first.get("shrink", "")).strip()
        return [f"shrink exits with {first.get('shrink.status')}: {said[:200]}"]
    shrunk = parse_json(first.get("shrink"))
    given = (shrunk.get("saved_bytes") or 0) >> 10
    before, after = (meminfo(first.get(f"meminfo.{when}-shrink"), "MemTotal") for when in ("before", "after"))
    fact["given_back_kib"] = after - before if before and after else None
    reasons = []
    if shrunk.get("outcome") != "done" or not given:
        reasons.append(f"shrink: {shrunk.get('outcome')}, {given} KiB")
    if fact["given_back_kib"] != given:
        reasons.append(f"shrink gave back {given} KiB, MemTotal went from {before} to {after} KiB")
    return reasons


def judge_status(first, fact):
    """What 'status' says after the load: read off the loaded crash kernel, and in use only where the record is of it."""
    status = parse_json(first.get("status"))
    if "why" not in status:  # kept from before it said so
        return []
    marked = "swiotlb_handoff=" in fact["append"] or "swiotlb_lent=" in fact["append"]
    if fact["record"]:
        wanted = "in-use" if fact["record"].get("outcome") == "handoff" else "not-in-use"
    else:
        wanted = "unknown" if marked else "not-in-use"
    return [] if status.get("handoff") == wanted else [f"status says {status.get('handoff')}, expected {wanted}: {status['why']}"]


def judge_ready(cell, said, fact):
    """What a handoff owes beyond having the pool in place and the dump on disk."""
    first, crash = said["first"], said["crash"]
    reasons = []
    if fact["predicted"] is None:
        reasons.append("ready, but the plan names no expected address")
    elif fact["booted"] and fact["observed"] != fact["predicted"]:
        reasons.append(f"predicted {span(*fact['predicted'])}")
    planned = (parse_json(first.get("plan")).get("append") or "").split()
    if planned != fact["append"].split():
        reasons.append("the plan's words and those of 'cmdline' differ")
    loaded, intended = fact["segments"], fact["segments_planned"]
    if loaded and intended and not set(intended) <= set(loaded):
        reasons.append(f"loaded elsewhere than planned: {', '.join(span(*one) for one in loaded if one not in intended)}, "
                       f"planned {', '.join(span(*one) for one in intended if one not in loaded)}")
    if fact["booted"]:
        if fact["ordinary_in_pool"] is None:
            reasons.append("the witness could not tell which pages are ordinary RAM")
        # The quick boots leave it to the witness.
        if crash.get("verify.status", "0" if cell.dump == "none" else None) != "0":
            reasons.append(f"verify exits with {crash.get('verify.status')}: "
                           f"{(crash.get('verify.stderr') or crash.get('verify') or '').strip()[:200]}")
        if fact["slabs_used_at_most"] == 0 and "io_tlb_used_hiwater.after-dump" in crash:
            reasons.append("the dump did not go through the pool")
        reasons += judge_headers(cell, fact)
    return reasons


def judge_headers(cell, fact):
    """kexec_load through the tool leaves the old pool out of the headers of /proc/vmcore. Other loads of a loan leave it in."""
    left_out = cell.by == "wrapper" and cell.loader == "kexec_load" and fact["record"].get("outcome") == "handoff"
    if not left_out and not fact["loan"]:
        return []
    if fact["pool_in_headers"] is None:
        return ["nobody looked at the headers of /proc/vmcore"]
    if bool(fact["pool_in_headers"]) == left_out:
        return [f"{fact['pool_in_headers'] >> 10} KiB of the old pool are in the headers of /proc/vmcore"]
    return []


def judge_lent(cell, said, fact):
    """A lent pool is RAM of the crash kernel, which has no pool; and the dump has its pages or has them not, as the plan says."""
    crash = said["crash"]
    if not fact["booted"]:
        return []
    reasons = []
    if fact["observed"]:
        reasons.append(f"the crash kernel made a pool at {span(*fact['observed'])}, although the old one was lent")
    ram = overlap(ranges_named(crash.get("iomem"), "System RAM"), fact["pool"])
    if ram != fact["pool"][1] - fact["pool"][0]:
        reasons.append(f"only {ram >> 10} KiB of the lent pool are RAM")
    if fact["kernel_at"] is not None and fact["pool"][0] <= fact["kernel_at"] < fact["pool"][1]:
        reasons.append("the kernel itself lies in the lent pool")
    if crash.get("verify.status") != "0":
        reasons.append(f"verify exits with {crash.get('verify.status')}: {(crash.get('verify.stderr') or crash.get('verify') or '').strip()[:200]}")
    reasons += judge_headers(cell, fact)
    return reasons


def judge_plug(said, fact):
    """The pool was lent, a device came that could bounce through it, and then it was not lent any more."""
    first = said["first"]
    before = parse_json(first.get("record.before-plug"))
    reasons = []
    if before.get("outcome") != "handoff" or not before.get("lent"):
        reasons.append(f"before the device came the pool was not lent: {before.get('why')}")
    if "refusal lend-devices" not in fact["rules"]:
        reasons.append("the plan does not see the new device")
    if first.get("reload-lent.status") != "0":
        reasons.append(f"reload-lent exits with {first.get('reload-lent.status')}: {first.get('reload-lent.stderr', '').strip()[-200:]}")
    return reasons


def over_cautious(boots):
    """A refusal that harmed nobody in any of the boots (facts of one cell)."""
    tried = [fact for fact in boots if fact.get("verdict") == "refused" and "naive" in fact]
    return bool(tried) and not any(fact["naive"] for fact in tried)
