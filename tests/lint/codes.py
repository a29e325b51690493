#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The codes that a function returns are the same in its header and in its manual page. In a header of include/reqivo
they stand in the comment above the declaration, behind the word "Returns"; in a page of section 3 in the RETURN VALUES
section, in a list with one ".It Fn NAME" a function (several in a row share what follows). Each function that has one
must have the other."""
import re

import gate

DECLARED = re.compile(r"/\*((?:(?!\*/).)*)\*/\s*REQIVO_API\s+[\w\s*]*?\b(reqivo_\w+)\(", re.S)
CODE = re.compile(r"(?<![\w-])-(E[A-Z0-9]+)\b|\b(REQIVO_E_[A-Z0-9_]+)")
PAGE_CODE = re.compile(r"^\.(?:Fl|It Fl) (E[A-Z0-9]+)\b|^\.Dv (REQIVO_E_[A-Z0-9_]+)", re.M)


def found(pattern, text):
    return {one or two for one, two in pattern.findall(text)}


def of_headers(src):
    """{function: (path, codes)} of those whose comment says what it returns."""
    out = {}
    for path in gate.files(src, "include"):
        if path.suffix == ".h":
            for comment, name in DECLARED.findall(gate.read(src / path)):
                said = re.sub(r"\n\s*\* ?", " ", comment).partition("Returns ")[2]
                if said:
                    out[name] = (path, found(CODE, said))
    return out


def of_pages(src):
    out = {}
    for path in gate.files(src, "doc/man"):
        if path.suffix != ".3":
            continue
        section = re.search(r"^\.Sh RETURN VALUES\n(.*?)(?=^\.Sh |\Z)", gate.read(src / path), re.M | re.S)
        listed = re.search(r"^\.Bl\b.*?\n(.*?)^\.El", section.group(1), re.M | re.S) if section else None
        waiting = []
        for name, text in re.findall(r"^\.It Fn (\w+)\n(.*?)(?=^\.It |\Z)", listed.group(1) if listed else "",
                                     re.M | re.S):
            waiting.append(name)
            if text.strip():
                out.update({one: (path, found(PAGE_CODE, text)) for one in waiting})
                waiting = []
    return out


def problems(src, _build):
    headers, pages = of_headers(src), of_pages(src)
    for name in sorted(set(headers) | set(pages)):
        if name not in headers:
            yield "%s: %s returns codes, but no header says \"Returns\" above it" % (pages[name][0], name)
        elif name not in pages:
            yield "%s: %s says what it returns, but no RETURN VALUES has \".It Fn %s\"" % (headers[name][0], name, name)
        else:
            for where, one, other in ((pages[name][0], headers, pages), (headers[name][0], pages, headers)):
                for code in sorted(one[name][1] - other[name][1]):
                    yield "%s: %s returns %s, says %s" % (where, name, code, one[name][0])


if __name__ == "__main__":
    gate.main(problems)
