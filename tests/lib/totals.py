#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Adds up what automake's test driver said in several runs: totals.py RESULTS_DIR SKIPS_FILE

RESULTS_DIR holds, for each run, NAME.label (it was started), NAME.log (automake's test-suite.log, when it got so
far) and NAME.bad (make ended with an error). A skipped test that SKIPS_FILE does not list is a failure: one per
line, "PROGRAM: NAME" as in the log, '#' begins a comment. What an ordinary user skipped because it needs root is shown
and is no failure, but it is in CI. Exits 1 unless all is well.
"""
import os
import pathlib
import re
import sys

KINDS = ("PASS", "SKIP", "XFAIL", "FAIL", "XPASS", "ERROR")


def counts(text):
    """The block "# TOTAL: 3 / # PASS: 2 ..." at the head of a test-suite.log."""
    found = dict(re.findall(r"^# ([A-Z]+): +(\d+)$", text, re.M))
    return {kind: int(found.get(kind, 0)) for kind in KINDS}


def skips(text):
    """(program, test name, why) of every skipped test: lines "SKIP: tests/unit/test_x 3 - name # SKIP why"."""
    for line in re.findall(r"^SKIP: (.*)$", text, re.M):
        match = re.match(r"(\S+)(?: \d+)?(?: -)? ?(.*?)(?: # SKIP(.*))?$", line)
        yield match.group(1), match.group(2).strip(), (match.group(3) or "").strip()


def allowed_skips(path):
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def may_lack_root():
    """An ordinary user cannot do all that the tests want; CI can, and must."""
    return os.geteuid() != 0 and not os.environ.get("CI")


def main():
    results, allowed = pathlib.Path(sys.argv[1]), allowed_skips(pathlib.Path(sys.argv[2]))
    total = dict.fromkeys(KINDS, 0)
    unlisted = 0
    print("\n%-28s %6s %6s %6s" % ("run", "passed", "failed", "skipped"))
    for label in sorted(results.glob("*.label"), key=lambda p: p.stat().st_mtime):
        name, log, bad = label.read_text().strip(), label.with_suffix(".log"), label.with_suffix(".bad").exists()
        here = counts(log.read_text(errors="replace")) if log.exists() else dict.fromkeys(KINDS, 0)
        failed = here["FAIL"] + here["XPASS"] + here["ERROR"]
        if failed == 0 and (bad or sum(here.values()) == 0):
            print("%s: did not run to its end, or ran no test: counted as one failure" % name)
            here["ERROR"] = failed = 1
        wrong = 0
        for program, test, why in skips(log.read_text(errors="replace")) if log.exists() else ():
            if "%s: %s" % (program, test) in allowed:
                continue
            if why == "needs root" and may_lack_root():
                print('%s: NOT TRIED, because this is not root: "%s: %s"' % (name, program, test))
            else:
                print('%s: skipped, but not in %s: "%s: %s"' % (name, sys.argv[2], program, test))
                wrong += 1
        for kind in KINDS:
            total[kind] += here[kind]
        print("%-28s %6d %6d %6d" % (name, here["PASS"] + here["XFAIL"], failed + wrong, here["SKIP"] - wrong))
        unlisted += wrong
    failed = total["FAIL"] + total["XPASS"] + total["ERROR"] + unlisted
    print("%d passed, %d failed, %d skipped" % (total["PASS"] + total["XFAIL"], failed, total["SKIP"] - unlisted))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
