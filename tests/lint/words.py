#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Words that no file may hold: marks of unfinished work, and calls of C that the project does without."""
import re

import gate

MARKS = re.compile(r"\b(%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))
CALLS = re.compile(r"\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|gethostbyname|"
                   r"alloca|rand|srand|tmpnam|mktemp|inet_addr|inet_ntoa|setjmp|longjmp|localtime|gmtime|"
                   r"asctime|ctime)\s*\(")
SHELL = re.compile(r"\b(system|popen)\s*\(")
TEXT = {".c", ".h", ".py", ".sh", ".mk", ".md", ".am", ".ac", ".in", ".m4", ".map", ".txt", ".1", ".3", ".5", ".8", ""}


def problems(src, _build):
    for path in gate.files(src):
        if path.suffix not in TEXT or "corpus" in path.parts:
            continue
        text = gate.read(src / path)
        for number, line in enumerate(text.splitlines(), 1):
            match = MARKS.search(line)
            if match:
                yield "%s:%d: %s" % (path, number, match.group(1))
        if path.suffix in (".c", ".h"):
            for number, line in enumerate(gate.strip_c(text).splitlines(), 1):
                match = CALLS.search(line) or (path.parts[0] != "tests" and SHELL.search(line))
                if match:
                    yield "%s:%d: %s() is not used here" % (path, number, match.group(1))
                if re.search(r"\btypedef\s+(struct|union)\b", line):
                    yield "%s:%d: structs are not typedef'd" % (path, number)


if __name__ == "__main__":
    gate.main(problems)
