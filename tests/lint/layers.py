#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Layers point down: who may include what. A file includes its own layer and lower ones, by paths from the top."""
import re

import gate

LAYERS = {"common": 0, "proto": 1, "daemon/base": 2, "daemon/net": 3, "daemon/upstream": 4, "daemon/work": 5,
          "daemon/ipc": 6, "daemon": 7}
# Where the header of a library may be included: a prefix of the including file's path.
ONLY = {
    "ev.h": ("daemon/base/loop.c", "include/reqivo/", "tests/", "doc/examples/"),
    "http_parser.h": ("proto/http1_parser.c", "tests/fuzz/"),
    "uthash.h": ("common/map.",),
    "zlib.h": ("proto/ws_deflate.c", "proto/coding_zlib.c", "tests/"),
    "brotli/": ("proto/coding_br.c", "tests/"),
    "zstd.h": ("proto/coding_zstd.c", "tests/"),
    "confuse.h": ("daemon/base/", "daemon/options.c"),
    "ares.h": ("daemon/net/", "daemon/options.c"),
    "idn2.h": ("daemon/", "cli/"),
    "libpsl.h": ("daemon/work/jar_domain.c", "daemon/options.c", "tests/"),
    "jansson.h": ("cli/",),
    "openssl/": ("daemon/", "tests/"),
    "systemd/": ("daemon/",),
}
# All that common/ and proto/ may take from libc: no descriptor, clock, randomness or output among them.
# (stdio.h is for snprintf; the gate "purity" looks at what is called.)
PURE = {"assert.h", "errno.h", "endian.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h",
        "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h", "arpa/inet.h", "netinet/in.h",
        "sys/socket.h", "sys/types.h", "sys/un.h", "uthash.h", "http_parser.h", "zlib.h",
        "brotli/decode.h", "zstd.h", "zstd_errors.h"}
SOCKET_HEADERS = {"sys/socket.h", "sys/un.h", "poll.h", "unistd.h", "fcntl.h"}


def layer_of(path):
    """The deepest folder of LAYERS that holds the path."""
    best = [folder for folder in LAYERS if path.startswith(folder + "/")]
    return max(best, key=len) if best else None


def project_include(path, target):
    """Why this file may not include that file of ours, or None."""
    mine, theirs = layer_of(path), layer_of(target)
    public = target.startswith("reqivo/")
    if path.startswith("include/"):
        return None if public else "a public header includes public headers only"
    if path.startswith(("doc/examples/", "tests/integration/")):
        own = target.startswith(("doc/examples/", "tests/"))
        return None if public or own else "programs that show the API include public headers only"
    if path.startswith("libclient/"):
        ok = public or target.startswith("libclient/") or theirs in ("common", "proto")
        return None if ok else "libclient includes common/, proto/ and the public API"
    if path.startswith("cli/"):
        ok = public or target.startswith("cli/") or theirs in ("common", "proto")
        return None if ok else "cli includes common/, proto/ and the public API"
    if mine:
        if public:
            return None if target == "reqivo/error.h" else "of the public API only reqivo/error.h is shared"
        if theirs is None:
            return "neither a lower layer nor the own one"
        return None if LAYERS[theirs] <= LAYERS[mine] else "%s is above %s" % (theirs, mine)
    return None


def system_include(path, target):
    """Why this file may not include that header of a library or of libc, or None."""
    for header, places in ONLY.items():
        if (target == header or (header.endswith("/") and target.startswith(header))) and \
                not path.startswith(places):
            return "only %s may" % ", ".join(places)
    if path.startswith(("common/", "proto/")) and target not in PURE:
        return "common/ and proto/ are pure: not among the headers they may use"
    if path == "libclient/sync.c" and target in SOCKET_HEADERS:
        return "sync.c contains no socket code"
    return None


def problems(src, _build):
    for path in gate.c_files(src):
        name = path.as_posix()
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), gate.read(src / path), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            quote, target = match.groups()
            if quote == '"':
                if target == "config.h":
                    continue
                if not (src / target).exists():
                    yield '%s:%d: "%s" is not a path from the top' % (name, number, target)
                    continue
                why = project_include(name, target)
            elif target.startswith("reqivo/"):
                why = project_include(name, target)
            else:
                why = system_include(name, target)
            if why:
                yield "%s:%d: may not include %s: %s" % (name, number, target, why)


if __name__ == "__main__":
    gate.main(problems)
