#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tables of doc/wire.md say what proto/wire.h, proto/wire_layout.h and proto/fields.h say: frames, their rules,
every offset of every payload, every limit."""
import re

import gate

WIDTH = {"u8": 1, "u16": 2, "u32": 4, "i32": 4, "u64": 8, "i64": 8}
PAYLOADS = {"HELLO": "HELLO", "REQUEST and PROCEED": "REQUEST", "RESPONSE and WS_OPENED": "RESPONSE", "TRAILERS and INFO": "FIELDS",
            "DONE": "DONE", "GOAWAY": "GOAWAY",
            "WS_OPEN": "WS_OPEN", "WS_CLOSE": "WS_CLOSE", "WS_EVENT": "WS_EVENT", "HOP": "HOP",
            "OPERATE": "OPERATION"}


def number(text, known):
    """The value of a C constant expression of integers, known names, brackets and + - * /."""
    text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uU]?\b", lambda m: str(int(m.group(1), 0)), text)
    text = re.sub(r"\b[A-Z_]\w*\b", lambda m: str(known[m.group(0)]), text)
    if not re.fullmatch(r"[\d\s()+*/-]+", text):
        raise ValueError(text)
    return eval(text.replace("/", "//"))  # pylint: disable=eval-used


def macros(text, pattern, known):
    for name, value in re.findall(r"^#define (%s)[ \t]+([^\n/]*(?:/[^*\n][^\n/]*)*)" % pattern, text, re.M):
        known[name] = number(value, known)


def header(src):
    """All constants, the frames {name: (number, sender)}, the rules {name: cells}, the layouts {payload: rows}."""
    wire, layout = gate.read(src / "proto/wire.h"), gate.read(src / "proto/wire_layout.h")
    known = {}
    macros(gate.read(src / "proto/fields.h"), "RQV_FIELDS_MAX", known)
    macros(wire, r"RQV_WIRE_[A-Z_]+|RQV_FLAG_[A-Z]+", known)
    frames = {n: (int(v), s) for n, v, s in re.findall(r"\bX\((\w+), (\d+), ([CDB])\)", wire)}
    layouts = {}
    for payload in PAYLOADS.values():
        rows = re.findall(r"^    RQV_%s_(\w+) = (\d+),(?: +/\* ([^*]+) \*/)?" % payload, layout, re.M)
        layouts[payload] = [(name.lower(), int(at), kind) for name, at, kind in rows]
        known.update({"RQV_%s_%s" % (payload, name): int(at) for name, at, _ in rows})
    macros(layout, r"RQV_WS_DATA_FLAGS", known)
    rules = {}
    for name, *cells in re.findall(r"\bX\((\w+), ([^,]+), ([^,]+), ([^,]+), ([^,]+), ([^,)]+)\)", layout):
        if name in frames:
            rules[name] = [number(cell, known) for cell in cells]
    return known, frames, rules, layouts


def tables(text):
    """Each table as (heading above it, list of rows of cells), without its two head lines."""
    found, heading, rows = [], "", None
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        if line.startswith("|") and not heading.startswith("1."):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if rows is None:
                rows = []
                found.append((heading, rows))
            rows.append(cells)
        else:
            rows = None
    return [(heading, rows[2:]) for heading, rows in found]


def frame_problems(rows, known, frames, rules):
    bits = [(known["RQV_FLAG_" + name], name) for name in ("END", "MORE", "FIRST", "TEXT")]
    flags = {mask: ", ".join(name for bit, name in bits if mask & bit) or "-" for mask in range(16)}
    want = []
    for name, (value, sender) in frames.items():
        library, daemon, with_id, least, greatest = rules.get(name, [0] * 5)
        want.append([name, str(value), sender, flags[library], flags[daemon], "id" if with_id else "0", str(least),
                     str(greatest)])
    yield from differences("frames", [row[:8] for row in rows], want)


def differences(what, got, want):
    for row in want:
        if row not in got:
            yield "doc/wire.md: %s: the code has %s" % (what, " | ".join(row))
    for row in got:
        if row not in want:
            yield "doc/wire.md: %s: the code has no %s" % (what, " | ".join(row))
    if sorted(got) == sorted(want) and got != want:
        yield "doc/wire.md: %s: in another order than the code" % what


def layout_problems(heading, rows, layout):
    want, at = [], 0
    for name, offset, kind in layout:
        if name == "short":
            continue
        if name == "size":
            if offset != at:
                yield "proto/wire_layout.h: %s: SIZE is %d, its members end at %d" % (heading, offset, at)
            continue
        if offset != at:
            yield "proto/wire_layout.h: %s: %s is at %d, not at %d" % (heading, name, offset, at)
        want.append([str(offset), "-", "core ends"] if name == "core" else [str(offset), kind, name])
        if name != "core":
            width, _, times = kind.partition(" x ")
            at = offset + WIDTH[width] * int(times or 1)
    yield from differences(heading, [row[:3] for row in rows], want)
    if rows and not rows[0][3].startswith("%d in version 1" % at):
        yield "doc/wire.md: %s: fixed_len is %d in version 1" % (heading, at)


def problems(src, _build):
    known, frames, rules, layouts = header(src)
    seen = set()
    for heading, rows in tables(gate.read(src / "doc/wire.md")):
        seen.add(heading)
        if heading == "2. Frames":
            yield from frame_problems(rows, known, frames, rules)
        elif heading == "9. Limits":
            limits = {k: v for k, v in known.items() if re.match("RQV_WIRE_|RQV_FIELDS_MAX", k)}
            want = sorted([name, str(value)] for name, value in limits.items())
            yield from differences("limits", sorted(row[:2] for row in rows), want)
        elif heading in PAYLOADS:
            yield from layout_problems(heading, rows, layouts[PAYLOADS[heading]])
    for heading in {"2. Frames", "9. Limits", *PAYLOADS} - seen:
        yield "doc/wire.md: no table below \"%s\"" % heading
    for name in frames.keys() - rules.keys():
        yield "proto/wire_layout.h: RQV_WIRE_RULES has no %s" % name


if __name__ == "__main__":
    gate.main(problems)
