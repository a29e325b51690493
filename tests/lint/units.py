#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The system unit's exposure, as systemd-analyze(1) judges it offline, is at most 1.5; nothing in it is unknown to systemd."""
import pathlib
import re
import tempfile

import gate

UNIT = "systemd/reqivod.service.in"
THRESHOLD = "15"  # tenths


def problems(src, _build):
    if not (src / UNIT).exists():
        yield "%s is not there" % UNIT
        return
    with tempfile.TemporaryDirectory() as temp:
        unit = pathlib.Path(temp) / "reqivod.service"
        unit.write_text(re.sub(r"@s?bindir@", "/usr/sbin", gate.read(src / UNIT)))
        status, out, errors = gate.run("systemd-analyze", "security", "--offline=true", "--no-pager",
                                       "--threshold=" + THRESHOLD, unit)
    for line in errors.splitlines():
        yield "%s: %s" % (UNIT, line.replace(temp + "/", ""))
    found = re.search(r"exposure level for reqivod.service: ([\d.]+)", out)
    if not found:
        yield "%s: systemd-analyze gave no figure" % UNIT
    elif status:
        yield "%s: the exposure is %s; at most 1.5 is allowed" % (UNIT, found.group(1))


if __name__ == "__main__":
    gate.main(problems)
