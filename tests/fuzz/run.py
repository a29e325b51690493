#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Replays the corpora, fuzzes for a while and measures what the corpora reach; prints TAP: run.py [TARGET...]

REQIVO_SRCDIR and REQIVO_BUILDDIR name the trees (the build has --enable-fuzz), FUZZ_SECONDS is the time a target.
Targets are the lines of targets.txt. What a target finds is left in BUILDDIR/tests/fuzz/found/.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SRC, BUILD = pathlib.Path(os.environ["REQIVO_SRCDIR"]), pathlib.Path(os.environ["REQIVO_BUILDDIR"])
SECONDS = int(os.environ.get("FUZZ_SECONDS", "10"))
FOUND = BUILD / "tests/fuzz/found"
LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256", "-artifact_prefix=%s/" % FOUND)
LINES = 90.0
EMPTY_PROFILE = {"LLVM_PROFILE_FILE": "/dev/null"}


def targets():
    """name -> sources, in the order of targets.txt."""
    rows = {}
    for line in (SRC / "tests/fuzz/targets.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            rows[words[0]] = words[1:]
    return rows


def run(command, more_env):
    env = dict(os.environ, **more_env)
    done = subprocess.run([str(c) for c in command], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout


def program(name):
    """The program that runs, and the object file with the coverage map (libtool may have wrapped it)."""
    path = BUILD / ("tests/fuzz/fuzz_%s" % name)
    inner = path.parent / ".libs" / path.name
    return path, inner if inner.exists() else path


def replay(name, sources, folder):
    """Yields (ok, what, detail) for the corpus itself and for what it reaches."""
    path, inner = program(name)
    corpus = SRC / "tests/fuzz/corpus" / name
    seeds = len(list(corpus.glob("*"))) if corpus.is_dir() else 0
    raw, data = "%s/%s.profraw" % (folder, name), "%s/%s.profdata" % (folder, name)
    status, out = run((path, "-runs=0", *LIMITS, corpus), {"LLVM_PROFILE_FILE": raw}) if seeds else (1, "no corpus")
    yield status == 0, "%s: replay of %d inputs" % (name, seeds), out
    run(("llvm-profdata", "merge", "-o", data, raw), {})
    for source in sources:
        status, out = run(("llvm-cov", "export", "-summary-only", "-instr-profile", data, inner,
                           "-ignore-filename-regex", "^(?!.*/%s$)" % re.escape(source)), {})
        lines = [row["summary"]["lines"] for row in json.loads(out)["data"][0]["files"]
                 if row["filename"].endswith("/" + source)] if status == 0 and out.startswith("{") else []
        percent = lines[0]["percent"] if lines else 0.0
        yield (percent >= LINES, "%s: its corpus reaches %.1f %% of the lines of %s" % (name, percent, source),
               "at least %.0f %% is asked for" % LINES)


def fuzz(name):
    path, _ = program(name)
    with tempfile.TemporaryDirectory() as fresh:
        command = (path, "-max_total_time=%d" % SECONDS, "-print_final_stats=1", *LIMITS, fresh,
                   SRC / "tests/fuzz/corpus" / name)
        status, out = run(command, EMPTY_PROFILE)
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", out)
    what = "%s: %s inputs in %d s" % (name, runs.group(1) if runs else "no", SECONDS)
    return status == 0, what, "\n".join(out.splitlines()[-60:])


def judge(name, sources):
    if not program(name)[0].exists():
        return [(False, "%s: is built" % name, "no program tests/fuzz/fuzz_%s" % name)]
    with tempfile.TemporaryDirectory() as folder:
        results = list(replay(name, sources, folder))
    results.append(fuzz(name))
    return results


def main():
    rows = targets()
    written = {p.stem[len("fuzz_"):] for p in (SRC / "tests/fuzz").glob("fuzz_*.c")}
    names = sys.argv[1:] or list(rows)
    FOUND.mkdir(parents=True, exist_ok=True)
    number, bad = 1, 0
    strangers = sorted(written ^ set(rows))
    print("%s 1 - targets.txt lists every target" % ("not ok" if strangers else "ok"))
    for name in strangers:
        print("#   %s: only in one of targets.txt and tests/fuzz/fuzz_%s.c" % (name, name))
    bad += bool(strangers)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(lambda name: judge(name, rows.get(name, [])), names):
            for good, what, detail in results:
                number += 1
                print("%s %d - %s" % ("ok" if good else "not ok", number, what))
                if not good:
                    bad += 1
                    print("\n".join("#   " + line for line in detail.splitlines()))
                sys.stdout.flush()
    print("1..%d" % number)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
