#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_slow_reader - a client that does not read a response of 1 GiB: the daemon holds no more than that request's windows, and the
others go on."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

GIB = 1 << 30
ROOM_KIB = 8192 * drivers.FAT


def steady(read, seconds=20):
    """Waits until the value has not changed for half a second."""
    last, since = read(), time.monotonic()

    def still():
        nonlocal last, since
        now = read()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5

    rt.poll('the stream stands still', still, seconds)


def limit(place, origin):
    """A response that its program leaves alone ends with one clear error; a program that is stopped is disconnected, and hears of it
    when it goes on; both give their connections back."""
    daemon = rt.Reqivod(place, conf=f'{rt.Reqivod.CONF}timeouts {{\n slow_reader = {300 * drivers.SLOW}ms\n}}\n')
    idle = drivers.Driver(place, 'async', daemon.socket)
    row = idle.ask('paused', 'GET', origin.url(f'/big/{GIB}'), 'stream', f'pause-after 1 {2500 * drivers.SLOW}')
    rt.equal((row['error'], row['class'], row['phase']), ('E_TIMEOUT_READER', 'read timeout', 'body'), row.get('detail'))
    stopped = drivers.Driver(place, 'async', daemon.socket)
    stopped.write(drivers.describe('stopped', 'GET', origin.url(f'/big/{GIB}'), 'stream') + 'run\n')
    rt.poll('it has begun', lambda: drivers.gauge(daemon)['all_requests'] == 1)
    os.kill(stopped.pid, signal.SIGSTOP)
    rt.poll('it is disconnected', lambda: drivers.gauge(daemon)['slow_readers'] == 1)
    rt.poll('the connections are back', lambda: drivers.gauge(daemon)['all_connections'] == 0)
    os.kill(stopped.pid, signal.SIGCONT)
    rt.equal(stopped.line()['error'], 'E_DAEMON_LOST', 'what it hears')
    rt.equal(idle.ask('later', 'GET', origin.url('/echo'))['error'], '', 'one later')
    rt.contains(daemon.process.output(), 'timeouts.slow_reader', 'the log')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        origins = {'http': odd.OddOrigin(place), 'https': odd.OddOrigin(place, odd.server_context(rt.Certs(place), 'good'))}
        other = drivers.Driver(place, 'sync', daemon.socket)
        for origin in origins.values():
            other.ask('warm', 'GET', origin.url('/big/3000000'), 'verify 0')

        def others(count):
            start = time.monotonic()
            for i in range(count):
                for origin in origins.values():
                    row = other.ask(f'o{i}', 'GET', origin.url('/echo'), 'verify 0')
                    rt.equal((row['error'], row['status']), ('', 200), row.get('detail'))
            took = time.monotonic() - start
            assert took < 10 * drivers.SLOW, f'{count} pairs of requests took {took:.1f} s'

        def slow(origin, how):
            others(10)
            before = daemon.memory_kib()
            reader = drivers.Driver(place, 'async', daemon.socket)
            pause = ['pause-after 1 0'] if how == 'pauses' else ['pause-after 1 400']
            reader.write(drivers.describe('slow', 'GET', origin.url(f'/big/{GIB}'), 'stream', 'verify 0', *pause) + 'run\n')
            rt.poll('it has begun', lambda: drivers.gauge(daemon)['all_requests'] == 1)
            if how == 'is stopped':
                os.kill(reader.pid, signal.SIGSTOP)
            steady(daemon.memory_kib)
            others(50)
            grown = daemon.memory_kib() - before
            print(f'# {how}: the daemon grew by {grown} KiB')
            assert grown < ROOM_KIB, f'the daemon grew by {grown} KiB'
            os.kill(reader.pid, signal.SIGKILL)
            reader.popen.wait()
            rt.poll('it is gone', lambda: drivers.gauge(daemon)['all_requests'] == 0)

        for scheme, origin in origins.items():
            for how in ('pauses', 'is stopped'):
                tap.case(f'{scheme}: a reader that {how}: the daemon stays small, the others go on', slow, origin, how)

        def crowd():
            """30 of them, 8 connections: what is held is bounded by the windows of those that are served."""
            before = daemon.memory_kib()
            readers = [drivers.Driver(place, 'async', daemon.socket) for _ in range(30)]
            for reader in readers:
                reader.write(drivers.describe('slow', 'GET', origins['http'].url(f'/big/{GIB}'), 'stream', 'pause-after 1 0') + 'run\n')
            rt.poll('all have begun', lambda: drivers.gauge(daemon)['all_requests'] == 30)
            steady(daemon.memory_kib)
            row = other.ask('o', 'GET', origins['https'].url('/echo'), 'verify 0')
            rt.equal(row['error'], '', row.get('detail'))
            grown = daemon.memory_kib() - before
            print(f'# 30 readers that pause: the daemon grew by {grown} KiB')
            assert grown < 3 * ROOM_KIB, f'the daemon grew by {grown} KiB'
            for reader in readers:
                reader.stop()
            rt.poll('they are gone', lambda: drivers.gauge(daemon)['all_requests'] == 0)
            others(5)

        tap.case('30 readers that pause', crowd)
        tap.case('rule_b9_8: timeouts.slow_reader ends what they hold', limit, place, origins['http'])
        tap.case('the daemon lives', lambda: rt.equal(daemon.process.running(), True))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
