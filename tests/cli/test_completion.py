#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the shell offers at each place of a command line."""
import json
import os
import re
import subprocess
import unittest

from harness import run, top

completion = os.environ.get("COMPLETION", os.path.join(top, "build/dev/completions/swiotlb-handoff"))
# What bash-completion has of the two functions that are used. bash breaks words at '=', and -s puts them together again.
library = r"""
_init_completion() {
    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD split=false
    case $cur in --?*=*) prev=${cur%%=*} cur=${cur#*=} split=true ;; esac
}
_filedir() { COMPREPLY=("files$1"); }
complete() { :; }
"""


def offered(*words):
    """For the last of these words, which may have been begun."""
    script = f'{library}\n. {completion}\nCOMP_WORDS=(swiotlb-handoff "$@") COMP_CWORD=$#\n_swiotlb_handoff\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [line for line in done.stdout.split("\n") if line]


class Completion(unittest.TestCase):
    def test_the_first_word_is_a_command(self):
        commands = re.findall(r"^  ([a-z0-9]+)(?: |$)", run("--help").out, re.M)
        self.assertEqual(offered(""), commands)
        self.assertEqual(offered("ver"), ["verify", "version"])
        self.assertEqual(offered("--json", "pla"), ["plan"])
        self.assertEqual(offered("--root", "/somewhere", "pla"), ["plan"])

    def test_each_command_has_its_own_options(self):
        for command in offered(""):
            with self.subTest(command):
                told = re.findall(r"(?<= )--[a-z0-9-]+(?=[ ,\n])", re.sub(r"(?m)^ {7,}.*$", "", run(command, "--help").out.split("\n", 1)[1]))
                self.assertEqual(sorted(offered(command, "--")), sorted(set(told)))
        self.assertIn("--svg", offered("map", "--json", "--s"))
        self.assertEqual(offered("plan", "--sv"), [])
        self.assertIn("--vmcore", offered("check", "--v"))

    def test_a_value_is_one_of_its_words_with_a_blank_or_an_equals_sign(self):
        self.assertEqual(offered("plan", "--loader", "k"), ["kexec_load", "kexec_file_load"])
        self.assertEqual(offered("plan", "--loader=k"), ["kexec_load", "kexec_file_load"])
        self.assertEqual(offered("--collector", ""), ["mmap", "read"])
        self.assertEqual(offered("audit", "--jobs", ""), [])
        self.assertEqual(offered("audit", "--jobs="), [])

    def test_a_file_and_a_directory_are_known_from_each_other(self):
        self.assertEqual(offered("plan", "--kernel", "/b"), ["files"])
        self.assertEqual(offered("check", "--vmcore", ""), ["files"])
        self.assertEqual(offered("plan", "--root", ""), ["files"])
        self.assertEqual(offered("capture", ""), ["files-d"])
        self.assertEqual(offered("audit", "first", ""), ["files"])

    def test_rules_are_offered(self):
        rules = json.loads(run("explain", "--json").out)["rules"]
        self.assertEqual(offered("explain", ""), [rule["rule"] for rule in rules])
        self.assertEqual(offered("explain", "pool-ex"), ["pool-exact"])
        self.assertEqual(offered("plan", "--accept", ""), [rule["rule"] for rule in rules if rule["acceptable"]])
        self.assertEqual(offered("help", "expl"), ["explain"])

    def test_what_follows_two_dashes_is_a_file(self):
        self.assertEqual(offered("kexec", "--", "-p", ""), ["files"])
        self.assertEqual(offered("shrink", "--to", "256M", "--", ""), ["files"])


if __name__ == "__main__":
    unittest.main()
