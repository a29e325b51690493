#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The library's symbols: map == public headers == what the built library exports, and all begin with reqivo_."""
import re
import tempfile

import gate


def header_functions(src):
    """Every function that a public header declares (not the static inline ones), as the compiler sees it."""
    names = set()
    for header in gate.files(src, "include/reqivo"):
        if header.suffix != ".h":
            continue
        with tempfile.TemporaryDirectory() as folder:
            unit = "%s/unit.c" % folder
            with open(unit, "w", encoding="utf-8") as out:
                out.write("#include <%s>\n" % header.relative_to("include").as_posix())
            status, _, err = gate.run("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-I%s" % (src / "include"), "-aux-info",
                                      "%s/info" % folder, "-S", "-o", "/dev/null", unit)
            if status != 0:
                raise SystemExit("%s does not compile alone: %s" % (header, err.strip()))
            info = open("%s/info" % folder, encoding="utf-8", errors="replace").read()
        for where, declaration in re.findall(r"^/\* (\S+):\d+:\w+ \*/ (.*)$", info, re.M):
            match = re.match(r"extern .*?\b(\w+) \(", declaration)
            if match and "/reqivo/" in where and "reqivo" in match.group(1):
                names.add(match.group(1))
            elif match and where.startswith(str(src / "include")):
                names.add(match.group(1))
    return names


def exported(library):
    _, out, _ = gate.run("nm", "-D", "--defined-only", library)
    rows = (line.split() for line in out.splitlines())
    return {row[-1].split("@")[0] for row in rows if len(row) >= 3 and row[1] in "TtDdBbRrVvWwi"}


def difference(have, have_name, want, want_name):
    for name in sorted(have - want):
        yield "%s: in the %s, not in the %s" % (name, have_name, want_name)


def problems(src, build):
    in_map, library = gate.map_symbols(src), gate.client_library(build)
    if in_map is None:
        yield "libclient/libreqivo-client.map is missing"
        return
    if library is None:
        yield "%s: libreqivo-client.so is not built" % build
        return
    in_headers, in_library = header_functions(src), exported(library)
    for name in sorted(in_map):
        if not re.fullmatch(r"reqivo_\w+", name):
            yield "%s: the map names functions one by one, and each begins with reqivo_" % name
    for name in sorted(in_library):
        if not name.startswith("reqivo_"):
            yield "%s: exported, but does not begin with reqivo_" % name
    yield from difference(in_map, "map", in_headers, "headers")
    yield from difference(in_headers, "headers", in_map, "map")
    yield from difference(in_map, "map", in_library, "library")
    yield from difference(in_library, "library", in_map, "map")


if __name__ == "__main__":
    gate.main(problems)
