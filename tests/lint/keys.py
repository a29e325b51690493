#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""No keys, tokens or passwords in the tree: tests make what they need when they run."""
import re

import gate

PATTERNS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE " + rb"KEY-----"),
    "an AWS key": re.compile(rb"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})"),
    "a Slack token": re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a JSON web token": re.compile(rb"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\."),
}
KEY_FILES = (".key", ".p12", ".pfx", ".jks", ".kdbx")


def problems(src, _build):
    for path in gate.files(src):
        if path.suffix in KEY_FILES or path.name.startswith(("id_rsa", "id_ed25519", ".netrc", ".env")):
            yield "%s: a key file" % path
        data = (src / path).read_bytes()
        for what, pattern in PATTERNS.items():
            match = pattern.search(data)
            if match and match.group(0):
                yield "%s:%d: %s" % (path, data.count(b"\n", 0, match.start()) + 1, what)


if __name__ == "__main__":
    gate.main(problems)
