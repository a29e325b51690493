#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Manual pages: every exported function has a name of its own in doc/man (NAME section of a page of section 3, or a
page that is a .so link to one), every page is installed by doc/local.mk, and mandoc finds no error in any."""
import re

import gate


def named(text):
    """The names that a page's NAME section lists, in mdoc(7) or man(7)."""
    match = re.search(r"^\.S[Hh] \"?NAME\"?\s*\n(.*?)(?=^\.S[Hh] )", text, re.M | re.S)
    if not match:
        return set()
    body = match.group(1)
    if re.search(r"^\.Nm", body, re.M):
        return {name for name in re.findall(r"^\.Nm\s+(\S+)", body, re.M)}
    before = re.split(r"\s\\?-\s", body.replace("\\-", "-"), maxsplit=1)[0]
    return set(re.findall(r"[\w.-]+", before))


def problems(src, _build):
    wanted = gate.map_symbols(src) or set()
    pages = {p.name: gate.read(src / p) for p in gate.files(src, "doc/man") if re.search(r"\.[1-9]$", p.name)}
    installed = gate.read(src / "doc/local.mk") if (src / "doc/local.mk").exists() else ""
    known = set()
    for name, text in sorted(pages.items()):
        if "doc/man/%s" % name not in re.split(r"[\s\\]+", installed):
            yield "doc/man/%s: not in doc/local.mk, so not installed" % name
        link = re.match(r"\.so (?:man\d/)?(\S+)\s*$", text)
        if link:
            if link.group(1) not in pages:
                yield "doc/man/%s: links to %s, which is not there" % (name, link.group(1))
            known.add(name.rsplit(".", 1)[0])
            continue
        if name.endswith(".3"):
            known |= named(text)
        status, out, err = gate.run("mandoc", "-Tlint", "-W", "error", "doc/man/%s" % name, cwd=src)
        if status >= 3:
            yield "doc/man/%s: %s" % (name, (out or err).strip().split("\n")[0])
    for name in sorted(wanted - known):
        yield "%s: exported, but no manual page of doc/man names it" % name
    for listed in re.findall(r"doc/man/(\S+\.[1-9])\b", installed):
        if listed not in pages:
            yield "doc/local.mk lists doc/man/%s, which is not there" % listed


if __name__ == "__main__":
    gate.main(problems)
