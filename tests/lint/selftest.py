#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The gates can fail: each gets a small tree that violates it and must refuse it, and one that does not. Prints TAP.

A case is (gate, what it violates, files of the tree, a word that the gate's output must hold). Binaries that a case
needs are compiled on the spot. What totals.py makes of skipped and missing tests is tried here as well.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAD = "int pad;\n"
LONG_FUNCTION = "int f(int a);\nint f(int a)\n{\n" + "    a++;\n" * 99 + "    return a;\n}\n"
COMPLEX_FUNCTION = "int f(int a);\nint f(int a)\n{\n" + "    if (a == 1)\n        a++;\n" * 21 + "    return a;\n}\n"
TIDY = "Checks: '-*,readability-function-size,bugprone-sizeof-expression'\nWarningsAsErrors: '*'\nCheckOptions:\n" \
       "  - key: readability-function-size.ParameterThreshold\n    value: '5'\n"
MAP = "X_0 {\n global:\n  reqivo_a;\n local: *;\n};\n"
HEADER = "int reqivo_a(int a);\n"
RULES = "# ids\nB1-1\tfirst\nB1-2\tsecond\n"
PAGE = ".TH X 3\n.SH NAME\nreqivo_a \\- does a\n.SH DESCRIPTION\ntext\n"
RETURNS = "/* Does a. Returns 0,\n * -EINVAL, or REQIVO_E_URL. */\nREQIVO_API int reqivo_a(int a);\n"
VALUES = ".Sh RETURN VALUES\n.Bl -tag -width Ds\n.It Fn reqivo_a\n0,\n.Fl EINVAL ,\n%s.El\n.Sh SEE ALSO\n"
UNIT = (HERE.parent.parent / "systemd/reqivod.service.in").read_text()
KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\n"

REFUSED = [
    ("layers", "a lower layer includes a higher one", {
        "common/a.c": '#include "proto/b.h"\n', "proto/b.h": ""}, "above"),
    ("layers", "the daemon's net includes its work", {
        "daemon/net/a.c": '#include "daemon/work/b.h"\n', "daemon/work/b.h": ""}, "above"),
    ("layers", "libclient includes the daemon", {
        "libclient/a.c": '#include "daemon/base/b.h"\n', "daemon/base/b.h": ""}, "libclient includes"),
    ("layers", "the daemon includes libclient", {
        "daemon/base/a.c": '#include "libclient/b.h"\n', "libclient/b.h": ""}, "neither"),
    ("layers", "cli includes the daemon", {"cli/a.c": '#include "daemon/base/b.h"\n', "daemon/base/b.h": ""}, "cli"),
    ("layers", "ev.h outside of the loop", {"daemon/net/a.c": "#include <ev.h>\n"}, "ev.h"),
    ("layers", "http_parser.h outside of its file", {"proto/a.c": "#include <http_parser.h>\n"}, "http_parser"),
    ("layers", "a clock in a pure folder", {"common/a.c": "#include <time.h>\n"}, "pure"),
    ("layers", "a socket in sync.c", {"libclient/sync.c": "#include <sys/socket.h>\n"}, "sync.c"),
    ("layers", "a relative include", {"common/a.c": '#include "b.h"\n', "common/b.h": ""}, "not a path"),
    ("layers", "an internal header in an example", {
        "doc/examples/a.c": '#include "common/b.h"\n', "common/b.h": ""}, "public"),
    ("size", "a file of 801 lines", {"common/a.c": PAD * 801}, "801 lines"),
    ("size", "a function of 102 lines", {"common/a.c": LONG_FUNCTION}, "lines"),
    ("size", "a test of 102 lines", {"tests/unit/test_a.c": LONG_FUNCTION.replace("int f(int a)\n{", "START_TEST(f)\n{")},
     "lines"),
    ("size", "a complexity of 22", {"common/a.c": COMPLEX_FUNCTION}, "complexity 22"),
    ("size", "a long function in Python", {"tests/a.py": "def f():\n" + "    pass\n" * 100}, "lines"),
    ("tidy", "six parameters", {
        ".clang-tidy": TIDY, "common/a.c": "int f(int a, int b, int c, int d, int e, int g) { return a+b+c+d+e+g; }\n"},
     "more than 5"),
    ("tidy", "a bug", {
        ".clang-tidy": TIDY, "common/a.c": "unsigned long f(char *a) { return sizeof(sizeof(a)); }\n"}, "bugprone"),
    ("tidy", "a file that does not compile", {".clang-tidy": TIDY, "common/a.c": "int f(\n"}, "error"),
    ("headers", "a header that needs another first", {"common/a.h": "struct x { size_t n; };\n"}, "alone"),
    ("headers", "a public header that C++ refuses", {"include/reqivo/a.h": "int reqivo_a(int class);\n"}, "c++"),
    ("headers", "a public header that is not installed", {
        "include/reqivo/a.h": "", "include/local.mk": "reqivoinclude_HEADERS =\n"}, "not installed"),
    ("headers", "an example that needs feature macros", {
        "doc/examples/a.c": "#include <fcntl.h>\nint main(void)\n{\n    return O_CLOEXEC;\n}\n"}, "strict C11"),
    ("style", "not as clang-format writes it", {
        ".clang-format": "BasedOnStyle: LLVM\n", "common/a.c": "int  a ;\n"}, "clang-format"),
    ("style", "blanks at the end of a line", {"README.md": "text \n"}, "blanks"),
    ("style", "no newline at the end", {"README.md": "text"}, "newline"),
    ("man", "a function without a page", {"libclient/libreqivo-client.map": MAP}, "reqivo_a"),
    ("man", "a page that is not installed", {"doc/man/x.3": PAGE, "doc/local.mk": ""}, "not in doc/local.mk"),
    ("man", "a link to nowhere", {
        "doc/man/y.3": ".so man3/x.3\n", "doc/local.mk": "dist_man_MANS += doc/man/y.3\n"}, "links to"),
    ("man", "a page that mandoc refuses", {
        "doc/man/x.3": "text\n.Foo\n", "doc/local.mk": "dist_man_MANS += doc/man/x.3\n"}, "mandoc"),
    ("man", "a listed page that is missing", {"doc/local.mk": "dist_man_MANS += doc/man/z.3\n"}, "not there"),
    ("codes", "a code that the page has not", {
        "include/reqivo/a.h": RETURNS, "doc/man/a.3": VALUES % ""}, "a.3: reqivo_a returns REQIVO_E_URL"),
    ("codes", "a code that the header has not", {
        "include/reqivo/a.h": RETURNS, "doc/man/a.3": VALUES % ".Dv REQIVO_E_URL ,\n.Fl EBUSY\n"},
     "a.h: reqivo_a returns EBUSY"),
    ("codes", "a function that only the header has", {"include/reqivo/a.h": RETURNS}, "no RETURN VALUES"),
    ("codes", "a function that only the page has", {"doc/man/a.3": VALUES % ""}, "no header"),
    ("rules", "a rule without a row", {
        "tests/lint/rules.txt": RULES, "doc/rules.md": "| B1-1 | x | later: not yet built |\n"}, "B1-2 has no row"),
    ("rules", "a test that does not exist", {
        "tests/lint/rules.txt": "B1-1\tx\n", "doc/rules.md": "| B1-1 | x | `test_nothing` |\n"}, "no test"),
    ("rules", "a file that does not exist", {
        "tests/lint/rules.txt": "B1-1\tx\n", "doc/rules.md": "| B1-1 | x | `tests/unit/no.c` |\n"}, "not in the tree"),
    ("rules", "later without a reason", {
        "tests/lint/rules.txt": "B1-1\tx\n", "doc/rules.md": "| B1-1 | x | later |\n"}, "reason"),
    ("rules", "no proof at all", {
        "tests/lint/rules.txt": "B1-1\tx\n", "doc/rules.md": "| B1-1 | x | yes |\n"}, "neither"),
    ("rules", "an unknown rule", {
        "tests/lint/rules.txt": "B1-1\tx\n",
        "doc/rules.md": "| B1-1 | x | later: not yet built |\n| B9-9 | x | later: not yet built |\n"}, "is not a rule"),
    ("rules", "no page", {"tests/lint/rules.txt": RULES}, "missing"),
    ("words", "a mark of unfinished work", {"common/a.c": "/* TO" + "DO */\n"}, "TO" + "DO"),
    ("words", "strcpy", {"common/a.c": "void f(char *a) { strcpy(a, a); }\n"}, "strcpy"),
    ("words", "a struct behind a typedef", {"common/a.h": "typedef struct a b;\n"}, "typedef"),
    ("keys", "a private key", {"tests/a.pem": KEY}, "private key"),
    ("keys", "a key file", {"tests/a.key": "x"}, "key file"),
    ("keys", "an access key", {"README.md": "AKIA" + "ABCDEFGHIJKLMNOP\n"}, "AWS"),
    ("readme", "code that is in no file", {"README.md": "```c\nint a;\n```\n"}, "no <!-- PATH -->"),
    ("readme", "code that its file has not", {
        "README.md": "<!-- a.c -->\n```c\nint b;\n```\n", "a.c": "int a;\n"}, "no excerpt"),
    ("units", "a unit without protection", {
        "systemd/reqivod.service.in": "[Service]\nExecStart=@sbindir@/reqivod\n"}, "the exposure is 9."),
    ("units", "a unit a little too open", {
        "systemd/reqivod.service.in": UNIT.replace("SystemCallFilter", "#").replace("PrivateTmp", "#")}, "at most 1.5"),
    ("units", "a key that systemd does not know", {
        "systemd/reqivod.service.in": UNIT.replace("PrivateIPC=", "PrivateIpc=")}, "Unknown key"),
    ("units", "no unit", {}, "not there"),
    ("readme", "a link to nowhere", {"README.md": "[x](doc/x.md)\n"}, "leads nowhere"),
]
ALLOWED = [
    ("layers", {"daemon/work/a.c": '#include <stdio.h>\n#include "proto/b.h"\n', "proto/b.h": ""}),
    ("size", {"common/a.c": "int f(int a)\n{\n    return a;\n}\n"}),
    ("tidy", {".clang-tidy": TIDY, "common/a.c": "int f(int a) { return a; }\n"}),
    ("tidy", {".clang-tidy": TIDY, "common/a.c": "int SSL_CTX_set_msg_callback(void *, void *);\n"
              "void f(int a, int b, int c, int d, int e, int g) {}\n"
              "int h(void) { return SSL_CTX_set_msg_callback(0, f); }\n"}),
    ("headers", {"common/a.h": "#include <stddef.h>\nstruct x { size_t n; };\n"}),
    ("style", {".clang-format": "BasedOnStyle: LLVM\n", "common/a.c": "int a;\n"}),
    ("man", {"libclient/libreqivo-client.map": MAP, "doc/man/x.3": PAGE,
             "doc/local.mk": "dist_man_MANS += doc/man/x.3\n"}),
    ("rules", {"tests/lint/rules.txt": RULES, "tests/unit/test_a.c": "START_TEST(test_a)\n",
               "doc/rules.md": "| B1-1 | x | `test_a` |\n| B1-2 | x | later: not yet built |\n"}),
    ("words", {"common/a.c": "/* strcpy() is not used */\nint a;\n"}),
    ("codes", {"include/reqivo/a.h": RETURNS, "doc/man/a.3": VALUES % ".Dv REQIVO_E_URL\n"}),
    ("keys", {"README.md": "text\n"}),
    ("units", {"systemd/reqivod.service.in": UNIT}),
    ("readme", {"README.md": "<!-- a.c -->\n```c\nint b;\n```\n[a](a.c)\n", "a.c": "int a;\nint b;\n"}),
]
# (gate, what, C text, flags, files, word or None when it is to pass)
SHARED = ("-shared", "-fPIC", "-Wl,-soname,libreqivo-client.so.0", "-Wl,-z,relro,-z,now")
A, B = "int reqivo_a(int a) { return a; }\n", "int reqivo_b(int a) { return a; }\n"
API = {"libclient/libreqivo-client.map": MAP, "include/reqivo/a.h": HEADER}
LIBRARIES = [
    ("symbols", "map, header and library agree", A, SHARED, API, None),
    ("symbols", "an export that the map lacks", A + B, SHARED, API, "reqivo_b"),
    ("symbols", "a map entry that is not exported", PAD.replace("int", "static int"), SHARED, API, "reqivo_a"),
    ("symbols", "a foreign name", A + "int other(void) { return 1; }\n", SHARED, API, "other"),
    ("symbols", "a declaration that the map lacks", A, SHARED, dict(API, **{
        "include/reqivo/b.h": "int reqivo_b(int a);\n"}), "reqivo_b"),
    ("binaries", "a needed library", A, SHARED + ("-Wl,--no-as-needed", "-lm"), {}, "libm"),
    ("binaries", "another soname", A, ("-shared", "-fPIC", "-Wl,-z,relro,-z,now"), {}, "soname"),
    ("binaries", "no BIND_NOW", A, SHARED[:3] + ("-Wl,-z,relro,-z,lazy",), {}, "BIND_NOW"),
    ("binaries", "an executable stack", A, SHARED + ("-Wl,-z,execstack",), {}, "executable"),
]
OBJECTS = [
    ("common", "abort() in common", "void abort(void); void f(void); void f(void) { abort(); }\n", "abort"),
    ("proto", "a clock in proto", "long time(long *); long f(void); long f(void) { return time(0); }\n", "time"),
    ("libclient", "printing in libclient", "int puts(const char *); int f(void); int f(void) { return puts(\"\"); }\n",
     "puts"),
    ("common", "a global in common", "int f(void); int f(void) { static int n; return ++n; }\n", "global"),
    ("common", "nothing wrong", "int f(int a); int f(int a) { return a + 1; }\n", None),
]


class Tap:
    def __init__(self):
        self.number, self.bad = 0, 0

    def say(self, good, what, detail=""):
        self.number += 1
        self.bad += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.number, what))
        if not good:
            print("".join("#   %s\n" % line for line in detail.splitlines()), end="")


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def gate(name, folder):
    done = subprocess.run(["/usr/bin/python3", "-B", HERE / (name + ".py"), folder, folder / "build"],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def trees(tap):
    for name, what, files, word in REFUSED:
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, files)
            (folder / "build").mkdir()
            status, out = gate(name, folder)
            tap.say(status == 1 and word in out, "%s refuses %s" % (name, what), out)
    for name, files in ALLOWED:
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, files)
            (folder / "build").mkdir()
            status, out = gate(name, folder)
            tap.say(status == 0, "%s takes what is right" % name, out)


def compiled(tap):
    for name, what, text, flags, files, word in LIBRARIES:
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, dict(files, **{"build/a.c": text, "build/.libs/none": ""}))
            subprocess.run(["gcc", *flags[:2], "-o", folder / "build/.libs/libreqivo-client.so.0.0.0",
                            folder / "build/a.c", *flags[2:]], check=True)
            status, out = gate(name, folder)
            good = status == 1 and word in out if word else status == 0
            tap.say(good, "%s %s %s" % (name, "refuses" if word else "takes:", what), out)
    for where, what, text, word in OBJECTS:
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, {"build/%s/a.c" % where: text})
            subprocess.run(["gcc", "-c", "-w", "-fno-builtin", "-o", folder / "build" / where / "a.o",
                            folder / "build" / where / "a.c"], check=True)
            status, out = gate("purity", folder)
            good = status == 1 and word in out if word else status == 0
            tap.say(good, "purity %s %s" % ("refuses" if word else "takes:", what), out)


def totals(tap):
    """totals.py: a skip that is not listed, a run without a log and a failure are failures; sums are right."""
    head = "# TOTAL: %d\n# PASS:  %d\n# SKIP:  %d\n# XFAIL: 0\n# FAIL:  %d\n# XPASS: 0\n# ERROR: 0\n"
    skip = "SKIP: tests/unit/test_a 2 - needs_root # SKIP no root\n"
    allow = "tests/unit/test_a: needs_root\n"
    cases = [
        ("sums two runs", {"a.label": "a", "a.log": head % (3, 3, 0, 0), "b.label": "b", "b.log": head % (2, 2, 0, 0)},
         "", 0, "5 passed, 0 failed, 0 skipped"),
        ("counts a failure", {"a.label": "a", "a.log": head % (3, 2, 0, 1)}, "", 1, "2 passed, 1 failed, 0 skipped"),
        ("refuses a skip", {"a.label": "a", "a.log": head % (3, 2, 1, 0) + skip}, "", 1,
         "2 passed, 1 failed, 0 skipped"),
        ("takes a listed skip", {"a.label": "a", "a.log": head % (3, 2, 1, 0) + skip}, allow, 0,
         "2 passed, 0 failed, 1 skipped"),
        ("refuses a run without a log", {"a.label": "a"}, "", 1, "0 passed, 1 failed, 0 skipped"),
        ("refuses a run that make ended", {"a.label": "a", "a.bad": "", "a.log": head % (3, 3, 0, 0)}, "", 1,
         "3 passed, 1 failed, 0 skipped"),
    ]
    for what, files, skips, want, line in cases:
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, files)
            (folder / "skips.txt").write_text(skips)
            status, out = totals_of(folder, {})
            tap.say(status == want and out.splitlines()[-1:] == [line], "totals %s" % what, out)


def totals_of(folder, env, euid=None):
    """Its exit code and output; euid: whom it takes itself for."""
    text = "import os, runpy, sys\nsys.argv = sys.argv[1:]\n"
    text += "os.geteuid = lambda: %d\n" % euid if euid is not None else ""
    text += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    env = dict({name: value for name, value in os.environ.items() if name != "CI"}, **env)
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", text, HERE.parent / "lib/totals.py", folder, folder / "skips.txt"],
                          capture_output=True, text=True, check=False, env=env)
    return done.returncode, done.stdout + done.stderr


def totals_rootless(tap):
    """What needs root may be skipped by an ordinary user, loudly; not by root, not in CI, and no other skip is."""
    head = "# TOTAL: 2\n# PASS:  1\n# SKIP:  1\n# XFAIL: 0\n# FAIL:  0\n# XPASS: 0\n# ERROR: 0\n"
    for what, why, env, euid, want in (("an ordinary user", "needs root", {}, 1000, 0), ("root", "needs root", {}, 0, 1),
                                       ("CI", "needs root", {"CI": "true"}, 1000, 1), ("another skip", "no root", {}, 1000, 1)):
        with tempfile.TemporaryDirectory() as temp:
            folder = pathlib.Path(temp)
            write(folder, {"a.label": "a", "a.log": head + "SKIP: tests/a.py 2 - x # SKIP %s\n" % why, "skips.txt": ""})
            status, out = totals_of(folder, env, euid)
            tap.say(status == want and ("NOT TRIED" in out) == (want == 0), "totals, a test without root: %s" % what, out)


def gate_names(tap):
    """run.sh names the gates when it is given another name."""
    done = subprocess.run(["bash", HERE / "run.sh", "layers", "bogus"], capture_output=True, text=True, check=False,
                          env=dict(os.environ, REQIVO_BUILDDIR="/nonexistent"))
    good = done.returncode == 2 and done.stdout == "" and "no gate 'bogus'" in done.stderr and " wire_doc " in done.stderr
    tap.say(good, "an unknown gate is refused", done.stdout + done.stderr)


def main():
    tap = Tap()
    trees(tap)
    compiled(tap)
    totals(tap)
    totals_rootless(tap)
    gate_names(tap)
    print("1..%d" % tap.number)
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
