#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_kill_client - kill -9 of a client in each stage of a request: what it held is gone within a second, others notice nothing."""
import os
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CONF = rt.Reqivod.CONF + 'pool {\n    connections = 4\n}\n'


class Others(threading.Thread):
    """A client that goes on all the time; every error is kept."""

    def __init__(self, place, daemon, origin):
        super().__init__(daemon=True)
        self.driver = drivers.Driver(place, 'async', daemon.socket)
        self.url = origin.url('/echo')
        self.count, self.errors, self.slowest, self.go_on = 0, [], 0, True
        self.one()
        self.start()

    def one(self):
        start = time.monotonic()
        row = self.driver.ask(f'o{self.count}', 'GET', self.url)
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.count += 1
        if row['error'] or row['status'] != 200:
            self.errors.append(row)

    def run(self):
        while self.go_on:
            self.one()
            time.sleep(0.002)

    def end(self):
        self.go_on = False
        self.join()
        rt.equal(self.errors, [], 'errors of the others')


def state(daemon, origin):
    """What must be as before: descriptors, requests, memory of requests, connections at the victim's origin."""
    gauge = drivers.gauge(daemon)
    fds = daemon.fds() if os.geteuid() == 0 else 0
    return {'fds': fds, 'programs': gauge['all_programs'], 'upstream': origin.connections(),
            'connections': gauge['all_connections'], 'memory': gauge['all_memory'] // 65536}


def settle(daemon, origin, before, seconds):
    """The time until all is as before."""
    start = time.monotonic()
    now = None

    def same():
        nonlocal now
        now = state(daemon, origin)
        return all(now[key] <= before[key] for key in before)

    try:
        rt.poll('all is as before', same, max(seconds * 5, 5))
    except rt.Failed:
        raise AssertionError(f'still held: {now}, before: {before}') from None
    took = time.monotonic() - start
    assert took < seconds, f'gone only after {took:.1f} s'


def kill_in(place, daemon, lines, reached):
    """Starts a client with these requests, kills it when `reached` is true."""
    driver = drivers.Driver(place, 'async', daemon.socket)
    driver.write(lines + 'run\n')
    rt.poll('the stage is reached', reached)
    os.kill(driver.pid, signal.SIGKILL)
    driver.popen.wait()


def main():
    tap = rt.Tap()
    tap.case('the descriptors of the daemon can be counted', rt.need_root)
    with rt.Place() as place:
        daemon = rt.Reqivod(place, conf=CONF)
        steady, origin = odd.OddOrigin(place), odd.OddOrigin(place)
        secure = odd.OddOrigin(place, odd.server_context(rt.Certs(place), 'good'))
        others = Others(place, daemon, steady)
        before = state(daemon, origin)

        def stage(where, lines, reached):
            kill_in(place, daemon, lines(where), lambda: reached(where))
            settle(daemon, where, before, 1 * drivers.SLOW)
            origin.release.clear()

        def leased():
            return drivers.gauge(daemon)['all_requests']

        stages = {
            'waiting for the head': (lambda o: drivers.describe('v', 'GET', o.url('/stall'), 'verify 0'),
                                     lambda o: o.connections() and leased()),
            'in the response body': (lambda o: drivers.describe('v', 'GET', o.url('/big/500000000'), 'stream', 'pause-after 1 0', 'verify 0'),
                                     lambda o: o.connections() and leased()),
            'in the request body': (lambda o: drivers.describe('v', 'POST', o.url('/stall_body'), 'body chunked 50000000', 'verify 0'),
                                    lambda o: o.connections() and leased()),
            'with 40 requests, most of them waiting for a connection':
                (lambda o: ''.join(drivers.describe(f'v{i}', 'POST', o.url('/wait'), 'body fill 20000', 'verify 0') for i in range(40)),
                 lambda o: o.connections() >= 4 and leased() >= 40),
        }
        for name, (lines, reached) in stages.items():
            for where in (origin, secure):
                scheme = 'https' if where.context else 'http'
                tap.case(f'kill -9 of a client {name}, {scheme}: all is gone within a second', stage, where, lines, reached)
        tap.case('the others noticed nothing', others.end)
        tap.case(f'the slowest request of the others took less than 2 s',
                 lambda: rt.equal(others.slowest < 2 * drivers.SLOW, True, f'{others.slowest:.2f} s'))
        tap.case('the daemon ends well', drivers.ends_well, daemon)
        tap.case('they went on all the time', lambda: rt.equal(others.count > 50, True, f'{others.count} requests'))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
