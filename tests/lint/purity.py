#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the objects of common/, proto/ and libclient/ call and hold: none aborts, prints or exits, none has writable
globals, and the two pure folders touch no descriptor, clock or randomness."""
import re

import gate

LOUD = {"abort", "exit", "__assert_fail", "printf", "__printf_chk", "fprintf", "__fprintf_chk", "vprintf",
        "__vprintf_chk", "vfprintf", "__vfprintf_chk", "puts", "putchar", "fputs", "fputc", "fwrite", "perror",
        "syslog", "__syslog_chk", "err", "warn", "signal", "sigaction", "raise", "kill"}
IMPURE = {"read", "__read_chk", "write", "open", "open64", "openat", "close", "socket", "connect", "send", "sendto",
          "sendmsg", "recv", "__recv_chk", "recvfrom", "recvmsg", "poll", "__poll_chk", "select", "ioctl", "fcntl",
          "fcntl64", "time", "clock_gettime", "gettimeofday", "clock", "localtime", "gmtime", "mktime", "rand",
          "random", "getrandom", "getentropy", "arc4random", "getenv", "secure_getenv", "fopen", "fopen64", "setlocale",
          "getaddrinfo", "pthread_create", "pthread_mutex_lock", "getpid", "getuid", "usleep", "nanosleep"}


def problems(_src, build):
    seen = 0
    for folder, forbidden in (("common", LOUD | IMPURE), ("proto", LOUD | IMPURE), ("libclient", LOUD)):
        for path in sorted((build / folder).glob("**/*.o")):
            seen += 1
            name = path.relative_to(build)
            _, out, _ = gate.run("nm", "-u", path)
            for symbol in sorted(set(re.findall(r"U (\w+)", out)) & forbidden):
                yield "%s calls %s" % (name, symbol)
            _, out, _ = gate.run("objdump", "-t", path)
            for section, symbol in re.findall(r"^\S+ .{7} (\.(?:data|bss|tdata|tbss)\S*|\*COM\*)\s+\S+\s+(\S+)$", out,
                                              re.M):
                if not section.startswith(".data.rel.ro") and symbol != section:
                    yield "%s holds a writable global: %s in %s" % (name, symbol, section)
    if not seen:
        yield "%s: nothing of common/, proto/ and libclient/ is built" % build


if __name__ == "__main__":
    gate.main(problems)
