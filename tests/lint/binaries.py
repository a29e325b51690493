#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What was linked: the client library needs libc alone and has the agreed soname; everything installed is hardened
(RELRO, BIND_NOW, no executable stack, programs position independent)."""
import re

import gate

SONAME = "libreqivo-client.so.0"
PROGRAMS = ("reqivod", "reqivo", "reqivoctl")


def hardened(path, program):
    _, head, _ = gate.run("readelf", "-h", path)
    _, segments, _ = gate.run("readelf", "-lW", path)
    _, dynamic, _ = gate.run("readelf", "-dW", path)
    if "GNU_RELRO" not in segments:
        yield "%s: no RELRO" % path.name
    if not re.search(r"\bBIND_NOW\b|FLAGS_1.*\bNOW\b", dynamic):
        yield "%s: no BIND_NOW" % path.name
    if not re.search(r"GNU_STACK.*\bRW \s", segments):
        yield "%s: the stack is executable" % path.name
    if program and not (re.search(r"Type:\s+DYN", head) and re.search(r"FLAGS_1.*\bPIE\b", dynamic)):
        yield "%s: not position independent" % path.name


def problems(_src, build):
    library = gate.client_library(build)
    if library is None:
        yield "%s: libreqivo-client.so is not built" % build
    else:
        _, dynamic, _ = gate.run("readelf", "-dW", library)
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
            if name != "libc.so.6":
                yield "%s needs %s (libc alone is allowed)" % (library.name, name)
        if "(SONAME)" not in dynamic or "[%s]" % SONAME not in dynamic:
            yield "%s: the soname is not %s" % (library.name, SONAME)
        yield from hardened(library, program=False)
    for name in PROGRAMS:
        path = build / ".libs" / name
        path = path if path.exists() else build / name
        if not path.exists():
            yield "%s: not built" % name
            continue
        yield from hardened(path, program=True)


if __name__ == "__main__":
    gate.main(problems)
