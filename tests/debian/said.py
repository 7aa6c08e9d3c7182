# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest said: lines KEY VALUE, and "text NAME LINE" for what programs print."""


class Said:
    def __init__(self, text):
        self.values = {}
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            self.values.setdefault(key, []).append(value)

    def __contains__(self, key):
        return key in self.values

    def last(self, key):
        return self.values.get(key, [""])[-1]

    def number(self, key):
        return int(self.last(key)) if self.last(key).isdigit() else 0

    def lines(self, key):
        return [line.removeprefix(key).removeprefix(" ") for line in self.values.get("text", []) if line.split(" ", 1)[0] == key]

    def text(self, key):
        return "\n".join(line.strip() for line in self.lines(key))


def dump(said, name, what, verdict, same_reservation=True):
    """Checks of a dump that kdump-tools saved: `verdict` is a word of the one beside it, or None where nothing was handed over. The record is
    judged for the boot after the crash, which may have another reservation than the one that was loaded into."""
    found = said.text(f"{name}-verdict")
    checks = [
        (said.number(f"{name}-bytes") > 0, f"{what}: kdump-tools saved a dump ({said.last(f'{name}-bytes') or 'no'} bytes) and the machine rebooted"),
        (said.last(f"{name}-canary") == "found", "... makedumpfile reads it, and it is of this crash"),
    ]
    if verdict:
        checks.append((f"({verdict})" in found, f"... the verdict beside it: {(found or 'none').splitlines()[0]}"))
        checks.append((said.last(f"{name}-record") == "0", "... the load's record is beside it, and sound for check --record") if same_reservation else
                      (said.last(f"{name}-record") == "3" and "requires    pool-exact" in said.text(f"{name}-record"),
                       "... the load's record is beside it, and refused for this boot, whose reservation is as large as before: pool-exact"))
    return checks
