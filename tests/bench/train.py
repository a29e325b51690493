#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""train.py BUILD_DIR - what a host asks of the daemon, in a few seconds, so that the compiler sees which code that runs through
(`make profiled`). BUILD_DIR holds programs that count; they write what they counted when they end."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

import cases  # noqa: E402
import load  # noqa: E402
import reqivotest as rt  # noqa: E402
import servers  # noqa: E402
import ws_cases  # noqa: E402

REQUESTS = 3000      # of 200 bytes, in each case
BYTES = 128 << 20    # of bodies or messages, in each case


def count(size):
    return max(50, min(REQUESTS, BYTES // max(size, 1)))


def exchanges(place, origin, scheme, case):
    daemon = servers.Reqivod(place, origin.ca)
    contender = load.Contender('reqivo', daemon, cases.clients(place, case, 'reqivo', daemon, origin.url(scheme, case.file)))
    contender.block(count(case.size))
    contender.stop()
    daemon.stop()


def websockets(place, origin, case):
    daemon = servers.Reqivod(place, origin.ca)
    client = load.Client(place, load.client_argv('ws', daemon, servers.WsEcho(place).url(), flight=case.flight, expect=case.size))
    contender = load.Contender('reqivo', daemon, [client])
    contender.block(count(case.size))
    contender.stop()
    daemon.stop()


def command_line(place, origin):
    daemon = servers.Reqivod(place, origin.ca)
    for scheme in ('http', 'https'):
        for _ in range(20):
            argv = [servers.program('reqivo'), '--socket', daemon.socket, '--cacert', origin.ca, origin.url(scheme, 'small')]
            subprocess.run(argv, env=servers.environment(), stdout=subprocess.DEVNULL, check=True, timeout=30)
    daemon.stop()


def main():
    os.environ['REQIVO_BUILDDIR'] = os.path.abspath(sys.argv[1])
    with rt.Place('reqivo-train') as place:
        origin = servers.Origin(place, rt.Certs(place), 4096)
        for case in cases.CASES:
            if not case.idle:
                for scheme in ('http', 'https'):
                    exchanges(place, origin, scheme, case)
        for case in ws_cases.CASES:
            websockets(place, origin, case)
        command_line(place, origin)


if __name__ == '__main__':
    main()
