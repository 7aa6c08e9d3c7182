#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 'swiotlb-handoff shrink' as a program, on a machine that is a directory, with a kexec and a loader that are scripts.
#   tests/shrink_tool.sh TOOL MACHINE FAKE_KEXEC
set -eu
tool=$1 fake=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"
cp -r "$2/." "$root/"
mkdir -p "$root/run/swiotlb-handoff" "$root/sys/kernel"
failed=0
problem() { echo "FAILED: $*" >&2; failed=1; }

# What the captured machine has below 4 GiB, as one reservation.
size=$(sed -n 's/^ *\([0-9a-f]*\)-\([0-9a-f]*\) : Crash kernel$/\1 \2/p' "$root/proc/iomem" | tail -1)
start=$((0x${size% *})) end=$((0x${size#* } + 1))
reserved=$((end - start))

cat >"$work/record" <<END
#!/bin/sh
# record OUTCOME TIME COMMAND-LINE APPEND: what 'swiotlb-handoff kexec' leaves, swiotlb-handoff-record(5).
cat >"$root/run/swiotlb-handoff/record.json" <<JSON
{"schema": 2, "command": "kexec", "outcome": "\$1", "why": "", "tool": "0.1.0", "time": "\$2", "release": "", "kexec_tools": "", "verdict": null, "reasons": [],
 "loader": "auto", "method": "ram", "kernel": "", "initrd": "", "command_line": "\$3", "append": "\$4", "pool": null, "promised": \${5:-null}, "lent": false,
 "fences": [], "segments": [], "segments_reported": false, "elfcorehdr": null, "rsdp_address": null, "before": {"entries": []},
 "after": {"entries": []}}
JSON
END
# The pool of the machine, and what promises it to the crash kernel.
pool=$("$tool" show --root "$root" --json | tr -d ' \n' | sed 's/.*"pool":{"start":"\(0x[0-9a-f]*\)","end":"\(0x[0-9a-f]*\)".*/\1-\2/')
words="swiotlb=32768 swiotlb_handoff=$pool"
promised="{\"start\": \"${pool%-*}\", \"end\": \"${pool#*-}\"}"
cat >"$work/segments" <<END
segment[0].mem   = 0x50000000
segment[0].memsz = 0x2000
END

# memory COMMAND-LINE: the machine has a crash kernel loaded that will read this.
memory() {
    FAKE_LOG=/dev/null FAKE_ROOT=$root FAKE_SEGMENTS=$work/segments "$fake" -p "--append=$1" vmlinuz >/dev/null 2>&1 ||
        problem "the fake kernel does not load"
}

cat >"$work/kexec" <<END
#!/bin/sh
echo "kexec \$*" >>"$work/log"
echo "kexec on standard output"
[ "\$*" = "-p -u" ] && echo 0 >"$root/sys/kernel/kexec_crash_loaded"
END
cat >"$work/load" <<END
#!/bin/sh
echo "load \$*" >>"$work/log"
[ -e "$work/load-fails" ] && exit 1
FAKE_LOG=/dev/null FAKE_ROOT=$root FAKE_SEGMENTS=$work/segments "$fake" -p "--append=nr_cpus=1 $words" vmlinuz
[ -e "$work/load-is-plain" ] && FAKE_LOG=/dev/null FAKE_ROOT=$root FAKE_SEGMENTS=$work/segments "$fake" -p --append=nr_cpus=1 vmlinuz
"$work/record" handoff "\$(wc -l <"$work/log")" "nr_cpus=1 $words" "$words" '$promised'
END
truncate -s 4M "$work/initrd"
chmod +x "$work/kexec" "$work/load" "$work/record"

begin() {  # a machine with the crash kernel loaded, and nothing done
    : >"$work/log"
    memory "nr_cpus=1 $words"
    echo "$reserved" >"$root/sys/kernel/kexec_crash_size"
    "$work/record" handoff 0 "nr_cpus=1 $words" "$words" "$promised"
    rm -f "$work/load-fails" "$work/load-is-plain"
}
shrink() {
    status=0
    "$tool" shrink --root "$root" --margin 40M --initrd "$work/initrd" --kexec "$work/kexec" "$@" >"$work/out" 2>"$work/err" || status=$?
}
written() { cat "$root/sys/kernel/kexec_crash_size"; }
# expect WHAT STATUS LOADED: and whether a crash kernel is loaded.
expect() {
    [ $status = "$2" ] || problem "$1: exit status $status, expected $2: $(cat "$work/err")"
    [ "$(cat "$root/sys/kernel/kexec_crash_loaded")" = "$3" ] || problem "$1: loaded is not $3"
}

begin
shrink --dry-run
expect "dry run" 0 1
[ -s "$work/log" ] && problem "dry run: something was run"
[ "$(written)" = $reserved ] || problem "dry run: something was written"

begin
shrink -- "$work/load" "two words"
expect "shrink" 0 1
[ "$(cat "$work/log")" = "kexec -p -u
load two words" ] || problem "shrink: ran $(cat "$work/log")"
[ "$(written)" -lt $reserved ] || problem "shrink: wrote $(written)"
grep -q '^outcome *done$' "$work/out" || problem "shrink: said $(cat "$work/out")"
grep -q 'kexec on' "$work/out" && problem "shrink: what kexec prints is on standard output"

begin
memory "nr_cpus=1"
for how in "--dry-run" "-- $work/load"; do
    # shellcheck disable=SC2086  # words
    shrink $how
    expect "loaded without the handoff, whatever the record says" 3 1
    cat "$work/out" "$work/err" | grep -q "no word of a handoff" || problem "loaded without the handoff: said $(cat "$work/out")"
    [ -s "$work/log" ] && problem "loaded without the handoff: something was run"
done

begin
rm "$root/run/swiotlb-handoff/record.json"
shrink -- "$work/load"
expect "loaded with words that nobody proved" 3 1

begin
: >"$root/proc/kallsyms"
shrink -- "$work/load"
expect "nobody can see what is loaded" 3 1
grep -q "cannot be read" "$work/err" || problem "nobody can see what is loaded: said $(cat "$work/err")"
[ -s "$work/log" ] && problem "nobody can see what is loaded: something was run"
cp "$2/proc/kallsyms" "$root/proc/kallsyms"

begin
: >"$work/load-is-plain"
shrink -- "$work/load"
expect "loaded again without the handoff" 1 1
grep -q '^outcome *without-handoff$' "$work/out" || problem "loaded again without the handoff: said $(cat "$work/out")"

begin
"$work/record" handoff 0 "memtest=4 $words" "$words" "$promised"
shrink -- "$work/load"
expect "the recorded command line cannot be handed over" 3 1
grep -q 'command-line-early' "$work/out" || problem "the recorded command line: said $(cat "$work/out")"

begin
echo '{"outcome": "handoff"}' >"$root/run/swiotlb-handoff/record.json"
shrink -- "$work/load"
expect "a record that is none" 3 1
[ -s "$work/log" ] && problem "a record that is none: something was run"

begin
shrink --to 8M -- "$work/load"
expect "too small" 3 1
[ -s "$work/log" ] && problem "too small: something was run"

begin
rm "$root/sys/kernel/kexec_crash_size"
mkdir "$root/sys/kernel/kexec_crash_size"
shrink -- "$work/load"
expect "nobody knows the size" 3 1
rmdir "$root/sys/kernel/kexec_crash_size"

begin
: >"$work/load-fails"
shrink -- "$work/load"
expect "every load fails" 1 0
grep -q 'Loading the crash kernel failed' "$work/err" || problem "every load fails: said $(cat "$work/err")"

begin
shrink -- load
expect "a program without a path" 2 1
shrink
expect "no kdump service" 2 1

[ $failed = 0 ] && echo "ok"
exit $failed
