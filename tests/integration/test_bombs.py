#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_bombs - answers that want more than their due, through both drivers: bodies that expand, cookies without end, redirects
without end. One clear error each, or none and a bound that holds; and meanwhile the daemon's memory does not grow by more than
each may have."""
import gzip
import os
import random
import struct
import sys
import threading
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402
from test_redirect import HopOrigin, summary  # noqa: E402

CONF = rt.Reqivod.CONF + 'limits {\n    decoded = 3MiB\n}\n'
HOSTS, ANSWERS, COOKIES = 20, 15, 50  # 300 answers of 50 cookies with 1100 bytes each: 16 MiB if all were kept
MIB = 1024
PAD = 'p' * 4000


def zstd_bomb(size):
    """A frame of RLE blocks (RFC 8878, 3.1.1.2), 128 KiB each, with a window of 1 MiB."""
    block = struct.pack('<I', (131072 << 3) | 2)[:3] + b'\0'
    count = size // 131072
    return b'\x28\xb5\x2f\xfd\x00\x50' + block * (count - 1) + struct.pack('<I', (131072 << 3) | 3)[:3] + b'\0'


# Each expands to 20 MB or more. br: what libbrotlienc makes of 20 000 000 zeros.
BOMBS = {'gzip': gzip.compress(bytes(40_000_000)), 'deflate': zlib.compress(bytes(40_000_000)),
         'br': bytes.fromhex('cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd5ffeb3c4e09f0088c302005d9218'),
         'zstd': zstd_bomb(1 << 30)}
BOMBS['gzip, deflate'] = zlib.compress(BOMBS['gzip'])
# Within the ratio, beyond limits.decoded.
LARGE = gzip.compress(random.Random(1).randbytes(100_000) * 40)


class BombOrigin(HopOrigin):
    def do_coding(self, connection, request):
        """/coding/NUMBER of BOMBS, /coding/large"""
        which = request.target.split('/')[2]
        coding, body = ('gzip', LARGE) if which == 'large' else list(BOMBS.items())[int(which)]
        return self.answer(connection, body, [f'Content-Encoding: {coding}'])

    def do_cookies(self, connection, request):
        """/cookies/NUMBER: 50 that no other number has."""
        number = request.target.split('/')[2]
        return self.answer(connection, b'set', [f'Set-Cookie: c{number}x{i}={"v" * 1100};Path=/' for i in range(COOKIES)])

    def do_far(self, connection, request):
        """/far/NUMBER: so many redirects, with long URLs and bodies."""
        left = int(request.target.split('/')[2].split('?')[0])
        return self.redirect(connection, request, 302, f'/far/{left - 1}?{PAD}', b'z' * 50000) if left else self.do_end(connection, request)

    def do_round(self, connection, request):
        """/round/NUMBER: a circle of ten."""
        number = int(request.target.split('/')[2].split('?')[0])
        return self.redirect(connection, request, 307, f'/round/{(number + 1) % 10}?{PAD}', b'z' * 50000)


class Watch:
    """The most memory of its own that the daemon has had since the beginning of the `with`, above what it had then."""

    def __init__(self, daemon):
        self.daemon, self.over = daemon, threading.Event()

    def _look(self):
        while not self.over.wait(0.002):
            self.most = max(self.most, self.daemon.memory_kib())

    def __enter__(self):
        self.least = self.most = self.daemon.memory_kib()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.most = max(self.most, self.daemon.memory_kib())

    def check(self, kib, what):
        print(f'# {what}: the daemon grew by {self.most - self.least} KiB')
        assert self.most - self.least < kib * drivers.FAT, f'the daemon grew by {self.most - self.least} KiB'


def fails(row, error, word):
    rt.equal((row['error'], row['completions']), (error, 1), row.get('detail'))
    rt.contains(row['detail'], word)


def expands(daemon, origin, driver, number, stream):
    """A program that keeps the body, and one that takes it piece by piece."""
    with Watch(daemon) as watch:
        for _ in range(3):
            row = driver.ask('b', 'GET', origin.url(f'/coding/{number}'), 'decode 1', *(['stream'] if stream else []))
            fails(row, 'E_LIMIT_CODING', 'expands')
            assert row['length'] <= 3 << 20, f'{row["length"]} bytes were given'
    watch.check(16 * MIB, f'{driver.kind} {list(BOMBS)[number]}')


def too_large(origin, driver):
    row = driver.ask('l', 'GET', origin.url('/coding/large'), 'decode 1')
    fails(row, 'E_LIMIT_CODING', 'limits.decoded')
    assert row['length'] <= 3 << 20, f'{row["length"]} bytes were given'


def many_cookies(place, daemon, driver):
    """A jar has its limits, and what is sent of it, too."""
    origins = [BombOrigin(place, address=f'127.0.0.{2 + n}') for n in range(HOSTS)]
    driver.write(f'session cookies-{driver.kind}\n')
    with Watch(daemon) as watch:
        for origin in origins:
            for number in range(ANSWERS):
                rt.equal(driver.ask('c', 'GET', origin.url(f'/cookies/{number}'))['error'], '', 'an answer with cookies')
    for origin in origins[-3:]:
        rt.equal(driver.ask('c', 'GET', origin.url('/end'))['error'], '', 'a request with cookies')
        sent = origin.log[-1].get('cookie')
        assert 1000 < len(sent) <= 8190 and sent.count(';') < 150, f'{len(sent)} bytes of cookies'
    row = driver.ask('c', 'GET', origins[0].url('/bomb'))
    fails(row, 'E_LIMIT_COOKIES', 'cookies')
    driver.write('session -\n')
    watch.check(8 * MIB, f'{driver.kind} cookies')
    for origin in origins:
        origin.stop()


def many_hops(daemon, origin, driver, path, error, word):
    with Watch(daemon) as watch:
        for _ in range(8):
            fails(driver.ask('h', 'GET', origin.url(path), 'redirects 30'), error, word)
    watch.check(3 * MIB, f'{driver.kind} {path}')


def one_driver(tap, place, daemon, origin, driver):
    for number, name in enumerate(BOMBS):
        for stream in (False, True):
            tap.case(f'{driver.kind}: a bomb of {name}{", streamed" if stream else ""}', expands, daemon, origin, driver, number, stream)
    tap.case(f'{driver.kind}: a body beyond limits.decoded', too_large, origin, driver)
    tap.case(f'rule_b3_7: {driver.kind}: a bomb of cookies', many_cookies, place, daemon, driver)
    tap.case(f'rule_b3_1: {driver.kind}: a chain of 31 hops', many_hops, daemon, origin, driver, '/far/31', 'E_REDIRECT_LIMIT', 'more redirects')
    tap.case(f'rule_b3_1: {driver.kind}: a circle', many_hops, daemon, origin, driver, '/round/0', 'E_REDIRECT_LOOP', 'circle')
    rt.equal(driver.ask('f', 'GET', origin.url('/far/30'), 'redirects 30')['error'], '', '30 hops')


def main():
    tap = rt.Tap()
    submitted = {}
    with rt.Place() as place:
        daemon, origin = rt.Reqivod(place, conf=CONF), BombOrigin(place)
        for kind in drivers.KINDS:
            driver = drivers.Driver(place, kind, daemon.socket)
            one_driver(tap, place, daemon, origin, driver)
            tap.case(f'{kind}: each submitted request completed exactly once',
                     lambda d=driver, k=kind: submitted.update({k: summary(d)}))
        tap.case('both drivers submitted the same number of requests', lambda: rt.equal(submitted.get('sync'), submitted.get('async')))
        tap.case('the daemon ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
