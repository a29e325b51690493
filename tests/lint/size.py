#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Files of at most 800 lines, functions of at most 100 lines and a complexity of 20, tests too.

C is measured by pmccabe (its first figure, in which a switch counts once), Python by its own parser.
"""
import ast
import re
import tempfile

import gate

FILE_LINES, FUNCTION_LINES, COMPLEXITY = 800, 100, 20


def python_functions(src, path):
    for node in ast.walk(ast.parse(gate.read(src / path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def plain_c(text):
    """What pmccabe understands: no preprocessor, comments, strings or static assertions, structs, macros on
    lines of their own; tests of `check` as functions. Line numbers stay."""
    text = gate.strip_c(text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M)
    text = re.sub(r"^\s*(?:_Static_assert|static_assert)\s*\(.*?\);", lambda m: "\n" * m.group(0).count("\n"), text,
                  flags=re.M | re.S)
    text = re.sub(r"^(?:struct|union|enum)\s+\w+\s*\{.*?^\}[^;\n]*;", lambda m: "\n" * m.group(0).count("\n"), text,
                  flags=re.M | re.S)
    text = re.sub(r"^START_TEST\((\w+)\)", r"static void \1(void)", text, flags=re.M)
    text = re.sub(r"^END_TEST\b", "", text, flags=re.M)
    return re.sub(r"^[ \t]*[A-Z][A-Z0-9_]*\([^;{}()\n]*\)[ \t]*$", "", text, flags=re.M)


def c_functions(src, sources):
    """Rows of pmccabe: (complexity, lines, place)."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(sources):
            with open("%s/%d.c" % (folder, number), "w", encoding="utf-8") as out:
                out.write(plain_c(gate.read(src / path)))
        names = ["%d.c" % number for number in range(len(sources))]
        _, out, err = gate.run("pmccabe", *names, cwd=folder)
    def place(text):
        return re.sub(r"\b(\d+)\.c\b", lambda m: sources[int(m.group(1))].as_posix(), text)
    for row in out.splitlines():
        complexity, _, _, _, length, where = row.split("\t", 5)
        yield int(complexity), int(length), place(where)
    for line in err.splitlines():
        if line.strip():
            yield 0, FUNCTION_LINES + 1, "pmccabe could not read %s" % place(line)


def problems(src, _build):
    code = [p for p in gate.files(src) if p.suffix in (".c", ".h", ".py", ".sh", ".mk") or p.name == "dev"]
    for path in code:
        lines = gate.read(src / path).count("\n")
        if lines > FILE_LINES:
            yield "%s: %d lines (at most %d)" % (path, lines, FILE_LINES)
        if path.suffix == ".py":
            for name, line, length in python_functions(src, path):
                if length > FUNCTION_LINES:
                    yield "%s:%d: %s has %d lines (at most %d)" % (path, line, name, length, FUNCTION_LINES)
    sources = [p for p in code if p.suffix in (".c", ".h")]
    if not sources:
        return
    for complexity, length, where in c_functions(src, sources):
        if length > FUNCTION_LINES:
            yield "%s: %d lines (at most %d)" % (where, length, FUNCTION_LINES)
        if complexity > COMPLEXITY:
            yield "%s: complexity %d (at most %d)" % (where, complexity, COMPLEXITY)


if __name__ == "__main__":
    gate.main(problems)
