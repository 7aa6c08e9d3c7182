#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md and docs/objections.md say what the results say: each number in them, and the pictures. The links of every page lead somewhere.

    tests/test_readme.py            compares
    tests/test_readme.py --write    puts the numbers of the results into README.md; the sentences around them stay

A claim is a piece of README.md's text with a group for each number, and what the results give for these groups. Blanks in a claim
match line ends as well.
"""
import pathlib
import re
import subprocess
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
KERNELS = ("5.10", "6.1", "6.12", "7.2")

# What is no result: sizes that the kernel or a command line sets, and that docs/ only repeat.
GIVEN = {
    "64 MiB": "the default size of a pool (IO_TLB_DEFAULT_SIZE in include/linux/swiotlb.h)",
    "32 MiB": "half of it; the own pool that recommend keeps room for (docs/smallest-pool.md)",
    "16 MiB": "8192 slabs",
    "256 MiB": "the least low part of the kernel's choice; crashkernel=256M,cma",
    "256 MiB below": "the same, in the example's log",
    "512 MiB": "the example's crashkernel=",
}
# A number with one of these behind it has to be claimed or given.
COUNTED = (r"MiB|KiB|bytes|crashes|boots|dumps|layouts|machines|times|were called ready|were refused|layouts were|with the loan|without on|"
           r"and the pool was|of their boots|of \d+|dumps of \d+")


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def number(text):
    """The first number in a cell, 0 in an empty one."""
    found = re.search(r"-?\d+(\.\d+)?", text)
    return float(found[0]) if found else 0.0


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]


class Saved:
    """The tables of docs/memory-saved.md."""

    def __init__(self, text):
        self.ways, self.busy = {}, {}
        for section in re.split(r"(?m)^## ", text)[1:]:
            title, _, body = section.partition("\n")
            if release := re.match(r"Linux (\d+\.\d+)", title):
                for name, smallest, lost, more, pool, *_ in (row for row in rows(body) if len(row) == 8):
                    if number(smallest):
                        self.ways.setdefault(release[1], {})[name.replace("*", "").replace("`", "")] = {
                            "mib": round(number(lost)), "more": round(number(more)), "pool": round(number(pool))}
            elif title.startswith("While other devices"):
                for kernel, way, pool, _, full, _, written, dumps in (row for row in rows(body) if len(row) == 8):
                    if kernel != "kernel":
                        good, tried = map(int, dumps.split(" of "))
                        self.busy["7.2" if kernel == "newest" else kernel, way.replace("*", "").replace("`", "")] = {
                            "pool": round(number(pool)), "full": [int(n) for n in re.findall(r"\d+", full)], "rate": number(written),
                            "good": good, "tried": tried}

    def way(self, kernel, name):
        return self.ways[kernel].get(name)

    def mib(self, kernel, name):
        way = self.way(kernel, name)
        return f"{way['mib']} MiB" if way else "-"

    def more(self, name, kernels=KERNELS):
        """How much more than the handoff this way needs, on each kernel that has it."""
        return [self.ways[kernel][name]["more"] for kernel in kernels if name in self.ways[kernel]]


PLAIN, WHOLE, BY_HAND, CMA, OURS = ("plain, as the kernel degrades it", "plain, with the whole pool", "rival: swiotlb=8192",
                                    "rival: crashkernel=256M,cma", "handoff")
HIGH, HIGH_72, HIGH_OURS = ",high, low part of the kernel's choice", ",high, rival: 72M,low", ",high, handoff, 32M,low"
HIGH_BY_HAND = ",high, rival: swiotlb=8192 with 32M,low"
IDLE, LENT = "no bouncing: no pool", "the idle pool lent"


def span(values):
    return str(min(values)), str(max(values))


def spanned(values):
    """A piece of text with a group for each number: "224", or "106 to 128" where the values differ; and these numbers."""
    return (r"(\d+)", span(values)[:1]) if min(values) == max(values) else (r"(\d+) to (\d+)", span(values))


def halving(saved):
    """The kernels whose crash kernel halved its pool to fit."""
    return [kernel for kernel in KERNELS if saved.way(kernel, PLAIN)["pool"] < saved.way(kernel, WHOLE)["pool"]]


def claims_of_memory_saved(saved):
    cell = r"([^|]+?)"
    for kernel in KERNELS:
        halved = saved.mib(kernel, PLAIN) if kernel in halving(saved) else "does not halve"
        yield (rf"\| {re.escape(kernel)} \| {cell} \| {cell} \| {cell} \| {cell} \| \*\*{cell}\*\* \|\n",
               (saved.mib(kernel, WHOLE), halved, saved.mib(kernel, BY_HAND), saved.mib(kernel, CMA), saved.mib(kernel, OURS)))
        yield (rf"\| {re.escape(kernel)} \| {cell} \| {cell} \| \*\*{cell}\*\* \|\n",
               (saved.mib(kernel, HIGH), saved.mib(kernel, HIGH_72), saved.mib(kernel, HIGH_OURS)))
    high, high_72, by_hand = saved.more(HIGH), saved.more(HIGH_72), saved.more(BY_HAND)
    high_by_hand = saved.more(HIGH_BY_HAND)
    yield r"by (\d+) to (\d+) MiB in our measurements", (str(min(by_hand + high_by_hand)), str(max(high)))
    yield r"together with `crashkernel=X,high` and `32M,low`, the handoff saves (\d+) to (\d+) MiB", span(high_by_hand)
    numbers, by_default = spanned(high)
    yield rf"- {numbers} MiB against the kernel's default for `,high`, and (\d+) to (\d+) MiB against `72M,low`;", (*by_default, *span(high_72))
    half = [saved.busy[kernel, PLAIN] for kernel in halving(saved)]
    yield (r"- (\d+) to (\d+) MiB against a kernel that halves its own pool. With that pool (\d+) of (\d+) dumps were written",
           (*span(saved.more(PLAIN, halving(saved))), str(sum(one["good"] for one in half)), str(sum(one["tried"] for one in half))))
    small = [saved.busy[kernel, BY_HAND] for kernel in KERNELS]
    tried, good = (sum(one[what] for one in small) for what in ("tried", "good"))
    yield (r"- (\d+) to (\d+) MiB against a pool of 16 MiB by hand. With several busy devices that small pool ran full at least (\d+) times in each boot, "
           r"and (\d+) of (\d+) dumps were lost", (*span(by_hand), str(min(min(one["full"]) for one in small)), str(tried - good), str(tried)))
    yield (r"Linux 7.2 then wrote its dump at ([\d.]+) instead of ([\d.]+) MiB a second",
           (str(saved.busy["7.2", BY_HAND]["rate"]), str(saved.busy["7.2", OURS]["rate"])))
    yield r"`crashkernel=256M,cma` needs (\d+) MiB \*less\* than the handoff", (str(-saved.more(CMA)[0]),)
    yield (r"was (\d+) MiB with the loan and (\d+) MiB without on 6.12, (\d+) MiB and (\d+) MiB on 7.2",
           tuple(str(saved.way(kernel, name)["mib"]) for kernel in ("6.12", "7.2") for name in (LENT, IDLE)))


def only(pattern, text):
    found = re.search(pattern.replace(" ", r"\s+"), text)
    if not found:
        raise AssertionError(f"the results have no text like {pattern!r}")
    return found.groups()


def claims_of_boots():
    vm = read("docs/results-vm.md")
    main, by_chance = vm.split("## Machines made up by chance")
    boots, ready, refused = only(r"- (\d+) boots; (\d+) cells ready, (\d+) refused", main)
    landed = only(r"In all (\d+) boots of ready cells that were loaded as planned the pool was at the predicted address and the dump was written", main)
    yield r"- (\d+) crashes of Debian kernels", (boots,)
    yield r"(\d+) layouts were called ready", (ready,)
    yield r"In all (\d+) of their boots that were loaded as planned", landed
    yield r"(\d+) layouts were refused", (refused,)
    boots, ready = only(r"- (\d+) boots; (\d+) cells ready", by_chance)
    assert ready in only(r"All (\d+) that were ready had their pool at the predicted address", by_chance)
    yield (r"- (\d+) machines made up by chance, Linux 7.3 among their kernels. (\d+) were called ready, and in all (\d+) the pool was",
           (boots, ready, ready))
    security = read("SECURITY.md")
    good, tried, wrong = only(r"\| handoff \| (\d+) of (\d+) \| (\d+) of \d+ MiB \|", security)
    by_rote, control = only(r"\*\*(\d+) of (\d+)\*\*", security)
    yield (r"- (\d+) crashes with six busy devices: (\d+) dumps, (\d+) bytes wrong. As a control, the same words without the proof lost (\d+) dumps of (\d+)",
           (tried, good, wrong, str(int(control) - int(by_rote)), control))
    compared = re.findall(r"- (\d+) dumps compared with the pattern: (\d+) MiB, \d+ pages missing, (\d+) bytes wrong", read("docs/results-lend.md"))
    yield (r"In (\d+) crashes with busy devices (\d+) MiB of dumps were compared, and (\d+) bytes were wrong",
           tuple(str(sum(map(int, column))) for column in zip(*compared)))
    debian = read("docs/debian.md")
    assert re.search(r"\d+ passed, 0 failed", debian) and "first crash" in debian and "second crash" in debian
    yield r"enabled, crashed (twice) and removed again", ("twice",)


def claims():
    return [*claims_of_memory_saved(Saved(read("docs/memory-saved.md"))), *claims_of_boots()]


def place_of(pattern, text):
    return re.search(pattern.replace(" ", r"\s+"), text)


class Readme(unittest.TestCase):
    def test_each_number_is_that_of_the_results(self):
        text = read("README.md")
        for pattern, expected in claims():
            with self.subTest(pattern):
                found = place_of(pattern, text)
                self.assertTrue(found, "README.md has no such text")
                self.assertEqual(found.groups(), expected, "the results have the second; 'tests/test_readme.py --write' takes them over")

    def test_no_number_is_without_its_results(self):
        text = read("README.md")
        for pattern, _ in claims():
            if found := place_of(pattern, text):
                text = text[:found.start()] + re.sub(r"\d", "#", found[0]) + text[found.end():]
        text = re.sub(r"(?m)^    .*$|`[^`\n]*`|\]\([^)\n]*\)", "", text)
        for given in GIVEN:
            text = re.sub(rf"\b{given}".replace(" ", r"\s+"), "", text)
        self.assertEqual(re.findall(rf"\b\d[\d.,]*\s+(?:{COUNTED})", text), [], "neither a claim nor GIVEN")

    def test_who_has_one_minute_can_install_it_before_the_first_table_of_results(self):
        headings = re.findall(r"(?m)^## (.*)$", read("README.md"))
        order = ["Is it for you?", "What you gain, and what you risk", "Install", "Switch it on, check, switch it off", "How much does it save?", "Is it safe?"]
        self.assertEqual([heading for heading in headings if heading in order], order)

    def test_the_example_is_of_the_log(self):
        log = read("fixtures/machines/dell-r6515-high/dmesg")
        for word in re.findall(r"Its command line has `(crashkernel=[^`]+)`", read("README.md")) or [""]:
            self.assertTrue(word and word in log, f"the log does not have {word!r}")


def claims_of_objections():
    """Pieces of docs/objections.md, as those of README.md."""
    saved = Saved(read("docs/memory-saved.md"))
    small = [saved.busy[kernel, BY_HAND] for kernel in KERNELS]
    tried, good = (sum(one[what] for one in small) for what in ("tried", "good"))
    numbers, by_default = spanned(saved.more(HIGH))
    yield rf"This holds for {numbers} MiB: that is against the kernel's default low part", by_default
    yield r"the handoff then saves (\d+) to (\d+) MiB", span(saved.more(HIGH_72))
    yield r"Against a kernel that halves its own pool it saves (\d+) to (\d+) MiB", span(saved.more(PLAIN, halving(saved)))
    yield r"the difference is (\d+) to (\d+) MiB", span(saved.more(BY_HAND))
    yield r"together with `,high` and `32M,low` it is (\d+) to (\d+) MiB", span(saved.more(HIGH_BY_HAND))
    yield r"and (\d+) of (\d+) dumps were lost", (str(tried - good), str(tried))
    yield r"It then needs (\d+) MiB less than the handoff", (str(-saved.more(CMA)[0]),)
    smaller = [row for row in rows(read("docs/results-rungs.md")) if re.match(r"rung-(rec|shrunk)-", row[0])]
    assert all("dump ok" in row[-1] for row in smaller)
    own = [row for row in smaller if "own-pool" in row[-1]]
    yield (r"This was tried in (\d+) machines whose .* Each of them wrote its dump, (\d+) of them with a smaller pool",
           (str(len(smaller)), str(len(own))))
    assert {row[0].split("-")[3] for row in own if "pool of 16 MiB" in row[-1]} == {"5.10"} and sum("pool of 16 MiB" in row[-1] for row in own) == 4
    injected, = only(r"Of (\d+) errors that were injected into a load", read("SECURITY.md"))
    yield r"(\d+) errors were injected into loads one at a time", (injected,)
    works = [row for row in rows(read("docs/distributions.md")) if len(row) > 2 and row[2].startswith("works, and names")]
    yield r"`enable` works with the scripts of (\d+) releases that were run", (str(len(works)),)
    good, tried, wrong = only(r"\| handoff \| (\d+) of (\d+) \| (\d+) of \d+ MiB \|", read("SECURITY.md"))
    compared, = only(r"\| handoff \| \d+ of \d+ \| \d+ of (\d+) MiB \|", read("SECURITY.md"))
    yield r"In (\d+) crashes with six busy devices no byte of (\d+) MiB was wrong", (tried, compared)


class Objections(unittest.TestCase):
    def test_each_number_is_that_of_the_results(self):
        text = read("docs/objections.md")
        for pattern, expected in claims_of_objections():
            with self.subTest(pattern):
                found = re.search(pattern.replace(" ", r"\s+"), text, re.S)
                self.assertTrue(found, "docs/objections.md has no such text")
                self.assertEqual(found.groups(), expected)


class Pictures(unittest.TestCase):
    def test_they_are_what_the_results_draw(self):
        done = subprocess.run([sys.executable, TOP / "scripts/draw", "--check"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Links(unittest.TestCase):
    def test_each_leads_somewhere(self):
        pages = [page for page in TOP.rglob("*.md") if "build" not in page.relative_to(TOP).parts]
        self.assertIn(TOP / "docs/distributions.md", pages)
        for page in pages:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
                name, _, anchor = target.partition("#")
                with self.subTest(f"{page.relative_to(TOP)}: {target}"):
                    other = page.parent / name if name else page
                    self.assertTrue(other.exists())
                    if anchor:
                        headings = re.findall(r"(?m)^#+ (.*)$", other.read_text(encoding="utf-8"))
                        self.assertIn(anchor, [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings])


def write():
    text = read("README.md")
    for pattern, expected in claims():
        found = place_of(pattern, text)
        if not found:
            sys.exit(f"README.md has no text like {pattern!r}")
        for group in range(len(expected), 0, -1):
            text = text[:found.start(group)] + expected[group - 1] + text[found.end(group):]
    (TOP / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
