#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Code that README.md shows is code that is built: a block of C stands behind a line `<!-- PATH -->` and is an excerpt
of that file, line for line. Every local link of README.md and doc/*.md leads to a file."""
import re

import gate

BLOCK = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def source_of(text, start):
    """The path in the comment on the last line before a block that is not empty, or None."""
    before = text[:start].rstrip().splitlines()
    match = re.fullmatch(r"<!-- (\S+) -->", before[-1].strip()) if before else None
    return match.group(1) if match else None


def block_problems(src, text):
    for match in BLOCK.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        name = source_of(text, match.start())
        if name is None:
            yield "README.md:%d: no <!-- PATH --> before the block" % number
        elif not (src / name).exists():
            yield "README.md:%d: %s is not there" % (number, name)
        elif "\n" + match.group(1) not in "\n" + gate.read(src / name):
            yield "README.md:%d: the block is no excerpt of %s" % (number, name)


def link_problems(src, path):
    for target in LINK.findall(gate.read(src / path)):
        if not (src / path.parent / target).exists():
            yield "%s: the link to %s leads nowhere" % (path, target)


def problems(src, _build):
    pages = [p for p in gate.files(src, "doc") if p.suffix == ".md"]
    if (src / "README.md").exists():
        yield from block_problems(src, gate.read(src / "README.md"))
        pages += [p for p in gate.files(src) if str(p) == "README.md"]
    for path in pages:
        yield from link_problems(src, path)


if __name__ == "__main__":
    gate.main(problems)
