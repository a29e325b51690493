# SPDX-License-Identifier: MIT
"""What the gates share: which files there are, and how a gate speaks.

A gate is a program NAME.py SRCDIR BUILDDIR that prints one line a problem and exits 1 when it printed any. It has a
function problems(src, build) that yields those lines, and knows of no allow-list.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Folders and files that are made, not written.
SKIP_DIRS = {".git", "autom4te.cache", "build", "build-aux", "__pycache__", ".deps", ".libs"}
SKIP_FILES = {"aclocal.m4", "configure", "config.h.in", "Makefile.in", "libtool.m4"}
CODE_DIRS = ("common", "proto", "daemon", "libclient", "cli", "include", "tests", "doc/examples")


def main(problems):
    src, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = 0
    for line in problems(src, build):
        print(line)
        found += 1
    sys.exit(1 if found else 0)


def files(src, *dirs):
    """Every written file below the dirs (all of src without any), as paths relative to src, sorted."""
    out = []
    for top in dirs or (".",):
        for here, subdirs, names in os.walk(src / top):
            subdirs[:] = [d for d in subdirs if d not in SKIP_DIRS and not d.startswith("build-")]
            for name in names:
                if name not in SKIP_FILES and not name.startswith("lt") and not name.endswith(("~", ".pyc")):
                    out.append((pathlib.Path(here) / name).relative_to(src))
    return sorted(out)


def c_files(src, *dirs):
    return [p for p in files(src, *(dirs or CODE_DIRS)) if p.suffix in (".c", ".h")]


def read(path):
    return path.read_text(errors="replace")


def strip_c(text):
    """C without comments, strings and character constants; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] * 2
        return "\n" * token.count("\n") or " "
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def run(*command, cwd=None):
    """(exit code, stdout, stderr) of a command; a missing program stops the gate with an error."""
    if not shutil.which(str(command[0])):
        sys.exit("%s is not installed (./dev deps)" % command[0])
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, errors="replace",
                          check=False)
    return done.returncode, done.stdout, done.stderr


def map_symbols(src):
    """The names in the global: part of the client library's symbol map, or None without a map."""
    path = src / "libclient/libreqivo-client.map"
    if not path.exists():
        return None
    text = re.sub(r"/\*.*?\*/|#[^\n]*", " ", read(path), flags=re.S)
    names = set()
    for part in re.findall(r"global\s*:(.*?)(?:local\s*:|\})", text, re.S):
        names.update(name for name in re.split(r"[\s;]+", part) if name)
    return names


def client_library(build):
    """The built shared library, or None."""
    found = sorted(build.glob(".libs/libreqivo-client.so.*"), key=lambda p: len(p.name))
    return found[-1] if found else None
