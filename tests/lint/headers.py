#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each header compiles alone (a file includes what it uses); the public ones also as strict C11 and as C++,
and all of them are installed. The examples compile as strict C11, by the flags of nobody's build."""
import re

import gate

WARN = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only")


def problems(src, build):
    listing = src / "include/local.mk"
    listed = re.split(r"[\s\\]+", gate.read(listing)) if listing.exists() else []
    for path in gate.files(src, "include"):
        if path.suffix == ".h" and path.as_posix() not in listed:
            yield "%s: not in include/local.mk, so not installed" % path
    for path in gate.c_files(src):
        if path.suffix != ".h":
            continue
        ways = [("gcc", "-x", "c", "-std=gnu11", "-D_GNU_SOURCE")]
        if path.as_posix().startswith("include/"):
            pedantic = () if "ev" in path.stem else ("-pedantic",)
            ways.append(("clang", "-x", "c", "-std=c11", *pedantic))
            ways.append(("clang", "-x", "c++", "-std=c++11", "-Wno-pragma-once-outside-header"))
        for way in ways:
            flags = (*way, *WARN, "-Wno-unused-function", "-Iinclude", "-I.", "-I%s" % build, "-include", path,
                     "/dev/null")
            status, _, err = gate.run(*flags, cwd=src)
            if status != 0:
                yield "%s: does not compile alone (%s): %s" % (path, " ".join(way), err.strip().split("\n")[0])
    for path in gate.c_files(src, "doc/examples"):
        status, _, err = gate.run("gcc", "-std=c11", "-pedantic", *WARN, "-Iinclude", path, cwd=src)
        if status != 0:
            yield "%s: does not compile as strict C11: %s" % (path, err.strip().split("\n")[0])


if __name__ == "__main__":
    gate.main(problems)
