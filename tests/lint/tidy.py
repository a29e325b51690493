#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""At most five parameters, and the checks of .clang-tidy: clang-tidy over every source, on all processors.

The tool's findings in headers count too. What a file was found clean with is remembered in BUILDDIR/.tidy, keyed by
the content of everything that can change the verdict.
"""
import concurrent.futures
import hashlib
import os
import re

import gate

FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-DREQIVO_SBINDIR=\"/usr/sbin\"", "-Iinclude", "-I.", "-w")


# A function that is handed to one of these (OpenSSL's, wslay's) has the parameters that the library dictates.
FOREIGN = re.compile(r"(?:\b(?:SSL_CTX_set_msg_callback|SSL_set_msg_callback)\s*\(\s*[\w>.-]+\s*,|\.read_callback\s*=)\s*(\w+)\s*[)}]")
PARAMETERS = re.compile(r"function '(\w+)' exceeds recommended size/complexity thresholds")


def key_of(src, build, path, headers):
    digest = hashlib.sha256(headers)
    for part in (src / path, build / "config.h"):
        digest.update(part.read_bytes() if part.exists() else b"-")
    return digest.hexdigest()


def check(src, build, path):
    status, out, err = gate.run("clang-tidy", "--quiet", path, "--", *FLAGS, "-I%s" % build, cwd=src)
    lines = [line for line in out.splitlines() if re.search(r"(warning|error): ", line)]
    if status != 0 and not lines:
        lines = ["%s: clang-tidy failed: %s" % (path, (err or out).strip()[:800])]
    foreign = set(FOREIGN.findall(gate.read(src / path)))
    lines = [line for line in lines if not foreign.intersection(PARAMETERS.findall(line))]
    lines = [PARAMETERS.sub(r"function '\1' has more than 5 parameters", line) for line in lines]
    return [re.sub(r"^\./", "", line.replace("%s/" % src.resolve(), "")) for line in lines]


def problems(src, build):
    sources = [p for p in gate.c_files(src) if p.suffix == ".c"]
    digest = hashlib.sha256(gate.read(src / ".clang-tidy").encode() if (src / ".clang-tidy").exists() else b"")
    for path in gate.c_files(src):
        if path.suffix == ".h":
            digest.update(path.as_posix().encode() + (src / path).read_bytes())
    memory = build / ".tidy"
    memory.mkdir(exist_ok=True)
    keys = {path: key_of(src, build, path, digest.digest()) for path in sources}
    todo = [path for path in sources if not (memory / keys[path]).exists()]
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, lines in zip(todo, pool.map(lambda p: check(src, build, p), todo)):
            if not lines:
                (memory / keys[path]).touch()
            for line in lines:
                if line not in seen:
                    seen.add(line)
                    yield line


if __name__ == "__main__":
    gate.main(problems)
