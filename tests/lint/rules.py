#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""doc/rules.md maps every rule of tests/lint/rules.txt to its tests, or to "later" and why.

Rows of doc/rules.md:   | ID | rule | `test_name`, `tests/integration/file.py` ... |   or   | ID | rule | later: why |
A name in backquotes is a file of the tree (a path with a slash) or a word that occurs in a file below tests/.
"""
import re

import gate


def rows(text):
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if line.strip().startswith("|") and len(cells) >= 3 and re.fullmatch(r"[A-Z]\d+-[\w.-]+", cells[0].strip("*` ")):
            yield number, cells[0].strip("*` "), cells[-1]


def words_of_tests(src):
    words = set()
    for path in gate.files(src, "tests"):
        if path.parts[1] != "lint" and path.suffix in (".c", ".h", ".py", ".sh", ".txt", ".json"):
            words.add(path.name)
            words.add(path.stem)
            words.update(re.findall(r"[\w.-]+", gate.read(src / path)))
    return words


def row_problem(src, known, proof):
    """Why the last cell of a row is no proof, or None."""
    names = re.findall(r"`([^`]+)`", proof)
    if re.match(r"later\b", proof):
        return None if len(proof) >= len("later: ") + 10 else '"later" needs a reason'
    if not names:
        return 'neither a test in backquotes nor "later: why"'
    for name in names:
        path, _, part = name.partition("::")
        if "/" in path and not (src / path).exists():
            return "%s is not in the tree" % path
        if "/" not in path and path not in known:
            return "no test has the name %s" % path
        if part and part not in known:
            return "no test has the name %s" % part
    return None


def problems(src, _build):
    listed = [line.split("\t")[0] for line in gate.read(src / "tests/lint/rules.txt").splitlines()
              if line and not line.startswith("#")]
    page = src / "doc/rules.md"
    if not page.exists():
        yield "doc/rules.md is missing"
        return
    known, seen = words_of_tests(src), set()
    for number, rule, proof in rows(gate.read(page)):
        if rule not in listed:
            yield "doc/rules.md:%d: %s is not a rule of tests/lint/rules.txt" % (number, rule)
        if rule in seen:
            yield "doc/rules.md:%d: %s has two rows" % (number, rule)
        seen.add(rule)
        why = row_problem(src, known, proof)
        if why:
            yield "doc/rules.md:%d: %s: %s" % (number, rule, why)
    for rule in listed:
        if rule not in seen:
            yield "doc/rules.md: %s has no row" % rule


if __name__ == "__main__":
    gate.main(problems)
