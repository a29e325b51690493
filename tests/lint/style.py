#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every C file looks as clang-format with .clang-format would write it (./dev format does), every text file has
newlines at its ends of lines and no blanks before them."""
import re

import gate

TEXT = {".c", ".h", ".py", ".sh", ".mk", ".md", ".am", ".ac", ".in", ".m4", ".map", ".txt", ".1", ".3", ".5", ".8"}


def problems(src, _build):
    sources = gate.c_files(src)
    if sources:
        _, _, err = gate.run("clang-format", "--dry-run", *sources, cwd=src)
        for line in re.findall(r"^(\S+:\d+:\d+): ", err, re.M):
            yield "%s: not as clang-format writes it (./dev format)" % line
    for path in gate.files(src):
        if path.suffix not in TEXT or "corpus" in path.parts:
            continue
        text = (src / path).read_bytes()
        if b"\r\n" in text and path.suffix != ".txt":
            yield "%s: ends lines with CR LF" % path
        if text and not text.endswith(b"\n"):
            yield "%s: no newline at the end" % path
        for number, line in enumerate(text.split(b"\n"), 1):
            if line.endswith((b" ", b"\t")):
                yield "%s:%d: blanks at the end of the line" % (path, number)


if __name__ == "__main__":
    gate.main(problems)
