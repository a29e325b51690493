#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_many - 200 processes at once, 50 requests each, over https: 10 000 right answers on at most 8 connections. The log of the
origin is the witness."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402

PROCESSES, EACH, POOL = 200, 50, 8


class Program:
    def __init__(self, place, daemon, nginx, certs, number):
        self.kind = drivers.KINDS[number % 2]
        self.output = place.fresh('out')
        self.paths = [f'/many/{number}/{i}' for i in range(EACH)]
        self.script = 'window 5\n' + ''.join(
            drivers.describe(path, 'GET', nginx.url('good', path), f'ca {certs.ca}') for path in self.paths)
        with open(self.output, 'wb') as out:
            self.popen = subprocess.Popen([drivers.path(self.kind), daemon.socket], stdin=subprocess.PIPE, stdout=out,
                                          stderr=subprocess.STDOUT)
        place.keep(self)

    def go(self):
        self.popen.stdin.write(self.script.encode())
        self.popen.stdin.close()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdin.close()

    def check(self):
        rt.equal(self.popen.wait(50 * drivers.SLOW), 0, f'exit code of a driver_{self.kind}')
        with open(self.output, encoding='ascii') as file:
            rows = {row['tag']: row for row in map(json.loads, file) if 'tag' in row}
        for path in self.paths:
            row = rows[path]
            rt.equal((row['error'], row['status'], row['body']), ('', 200, f'hello from {path}\n'),
                     f'{path} ({row.get("detail")})')
        return len(rows)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        certs = rt.Certs(place)
        daemon, nginx = rt.Reqivod(place), rt.Nginx(place, certs)
        programs = [Program(place, daemon, nginx, certs, n) for n in range(PROCESSES)]

        def all_at_once():
            for program in programs:
                program.go()
            rt.equal(sum(program.check() for program in programs), PROCESSES * EACH, 'answers')

        tap.case(f'{PROCESSES} processes, {EACH} requests each: every body is right, no error', all_at_once)

        def witness():
            rows = nginx.wait_requests('/many/', PROCESSES * EACH)
            rt.equal(len(rows), PROCESSES * EACH, 'requests in the log of the origin')
            rt.equal(len({row[5] for row in rows}), PROCESSES * EACH, 'different ones')
            count = nginx.connections('/many/')
            print(f'# connections at the origin: {count}')
            assert 1 <= count <= POOL, f'{count} connections'

        tap.case('the origin saw each request once, on at most 8 connections', witness)

        def quiet():
            state = rt.poll('the daemon is quiet', lambda: (s := drivers.gauge(daemon))['all_requests'] == 0 and s)
            rt.equal(state['isolation_violations'], 0, 'isolation violations')
            rt.equal(state['succeeded'], PROCESSES * EACH, 'succeeded')
            rt.equal(state['failed'] + state['canceled'], 0, 'failed')

        tap.case('the daemon counts the same', quiet)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
