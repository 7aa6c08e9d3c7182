#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the shell offers at each place of a command line."""
import json
import os
import re
import shutil
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


class Elsewhere:
    """What zsh and fish offer, which have more to say of a word than bash, in their own order."""

    def test_the_first_word_is_a_command(self):
        self.assertEqual(sorted(self.offered("")), sorted(offered("")))
        self.assertEqual(sorted(self.offered("ver")), ["verify", "version"])
        self.assertEqual(self.offered("--json pla"), ["plan"])
        self.assertEqual(self.offered("--root /somewhere pla"), ["plan"])

    def test_each_command_has_its_own_options(self):
        for command in ("plan", "audit", "check", "shrink", "version"):
            with self.subTest(command):
                # -h and -V are no long options; fish offers one letter and one word at a time.
                self.assertEqual(sorted(set(self.offered(f"{command} --"))), sorted(offered(command, "--")))
        self.assertEqual(self.offered("map --s"), ["--svg"])
        self.assertEqual(self.offered("plan --sv"), [])
        self.assertEqual(self.offered("check --vm"), ["--vmcore"])

    def test_a_value_is_one_of_its_words_with_a_blank_or_an_equals_sign(self):
        self.assertEqual(sorted(self.offered("plan --loader k")), ["kexec_file_load", "kexec_load"])
        self.assertEqual([word.split("=")[-1] for word in sorted(self.offered("plan --loader=k"))], ["kexec_file_load", "kexec_load"])
        self.assertEqual(self.offered("audit --jobs "), [])

    def test_rules_are_offered(self):
        self.assertEqual(self.offered("explain pool-ex"), ["pool-exact"])
        self.assertEqual(sorted(self.offered("plan --accept ")), sorted(offered("plan", "--accept", "")))
        self.assertEqual(self.offered("help expl"), ["explain"])

    def test_files_are_offered_where_they_belong(self):
        for line in ("plan --kernel /etc/host", "audit /etc/host", "kexec -- -p /etc/host", "plan --root /etc/host"):
            with self.subTest(line):
                self.assertIn("hosts", [word.split("/")[-1] for word in self.offered(line)])
        self.assertNotIn("hosts", [word.split("/")[-1] for word in self.offered("capture /etc/host")])


# An interactive zsh at a terminal of its own, which prints each match that is added.
ZSH = r"""
zmodload zsh/zpty
zpty child zsh -f -i
zpty -w child "PS1= PS2=; autoload -Uz compinit; compinit -u -D; source $1; compdef _swiotlb_handoff swiotlb-handoff"
zpty -w child 'compadd() { local -a hits; [[ -n ${(M)@:#-[OAD]*} ]] || { builtin compadd -O hits "$@"; print -rl -- "HIT:"$^hits }; builtin compadd "$@" }'
zpty -w child 'ends() { print "END:" }; comppostfuncs=(ends); zstyle ":completion:*" insert-tab false; bindkey "^I" complete-word; print READ""Y:'
# A line at a time: with a pattern, zsh compares all that was read at each byte.
until [[ $line == *READY:* ]]; do zpty -r child line || exit; done
zpty -w -n child "swiotlb-handoff $2"$'\t'
until [[ $line == *END:* ]]; do zpty -r child line || exit; out+=$line; done
print -r -- "$out"
zpty -d child
"""


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Elsewhere, unittest.TestCase):
    def offered(self, line):
        done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", os.path.join(os.path.dirname(completion), "_swiotlb-handoff"), line],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [word for word in re.findall(r"HIT:(.*)", done.stdout) if word]


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(Elsewhere, unittest.TestCase):
    def offered(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", os.path.join(os.path.dirname(completion), "swiotlb-handoff.fish"),
                               f"swiotlb-handoff {line}"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [word.split("\t")[0] for word in done.stdout.splitlines()]


if __name__ == "__main__":
    unittest.main()
