#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_async - what only the asynchronous API has: cancel at any time, pause and resume both ways, many requests in one flight."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

ONE = rt.Reqivod.CONF + 'pool {\n    connections = 1\n}\n'


def cancel(driver, origin, path, *options):
    """Canceled after 100 ms: one completion, the connection at the origin ends at once."""
    row = driver.ask('c', 'GET', origin.url(path), 'cancel-after 100', 'verify 0', *options)
    rt.equal((row['error'], row['class'], row['completions']), ('E_CANCELED', 'canceled', 1), row['detail'])
    rt.poll('the origin sees the end', lambda: origin.connections() == 0, 2 * drivers.SLOW)
    return row


def cancel_waiting(place, origin):
    """Of two requests for one connection the one that waits is canceled: it never arrives, the other goes on."""
    daemon = rt.Reqivod(place, conf=ONE)
    driver = drivers.Driver(place, 'async', daemon.socket)
    driver.write(drivers.describe('first', 'GET', origin.url('/sleep/400'), ('field', 'X-Token', 'first')) +
                 drivers.describe('second', 'POST', origin.url('/echo'), ('field', 'X-Token', 'second'), 'body fill 100', 'cancel-after 100') +
                 'run\n')
    rows = {row['tag']: row for row in (driver.line(), driver.line())}
    rt.equal((rows['second']['error'], rows['first']['error']), ('E_CANCELED', ''), 'second and first')
    rt.equal(len(origin.seen('second')), 0, 'how often the canceled one arrived')


def pause(driver, origin):
    row = driver.ask('p', 'GET', origin.url('/big/5000000'), 'stream', 'pause-after 1000 200', 'verify 0')
    rt.equal((row['error'], row['length'], row['crc']), ('', 5000000, drivers.crc(bytes(5000000))), row['detail'])


def resume(driver, origin):
    for kind in ('chunked 1000000', 'callback 1000000'):
        row = driver.ask('r', 'POST', origin.url('/echo'), f'body {kind}', 'source-again 3', 'verify 0')
        rt.equal((row['error'], row['status']), ('', 200), row['detail'])
        rt.equal(json.loads(row['body'])['crc'], drivers.crc(drivers.pattern(1000000)), 'the body that arrived')


def flight(driver, origin):
    """300 submitted before the loop runs once: each gets its own answer."""
    tokens = [f'f{n}' for n in range(300)]
    driver.write(''.join(drivers.describe(t, 'GET', origin.url('/echo'), ('field', 'X-Token', t), 'verify 0') for t in tokens) + 'run\n')
    seen = set()
    for _ in tokens:
        row = driver.line()
        rt.equal((row['error'], row['completions']), ('', 1), row['detail'])
        rt.equal(json.loads(row['body'])['token'], row['tag'], 'the token in the answer')
        seen.add(row['tag'])
    rt.equal(len(seen), 300, 'requests that completed')


def too_many(driver, origin):
    """4096 in flight are a handle's limit; the next is refused by the call itself."""
    origin.release.clear()
    driver.write(''.join(drivers.describe(f't{n}', 'GET', origin.url('/wait'), 'verify 0', 'cancel-after 1') for n in range(4097)) + 'run\n')
    rows = [driver.line() for _ in range(4097)]
    refused = [row for row in rows if row['error'] != 'E_CANCELED']
    rt.equal([(row['error'], row['tag']) for row in refused], [('E_LIMIT_REQUESTS', 't4096')], 'refused')
    origin.release.set()


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        for origin in (odd.OddOrigin(place), odd.OddOrigin(place, odd.server_context(rt.Certs(place), 'good'))):
            scheme = 'https' if origin.context else 'http'
            driver = drivers.Driver(place, 'async', daemon.socket)
            tap.case(f'{scheme}: cancel while the head is awaited', cancel, driver, origin, '/stall')
            tap.case(f'{scheme}: cancel in the response body', cancel, driver, origin, '/drip/1000/20', 'stream')
            tap.case(f'{scheme}: cancel a response that is not read', cancel, driver, origin, '/big/100000000', 'stream', 'pause-after 1 0')
            tap.case(f'{scheme}: cancel in the request body', cancel, driver, origin, '/stall_body', 'body chunked 50000000')
            tap.case(f'{scheme}: a pause and its end', pause, driver, origin)
            tap.case(f'{scheme}: a body source that has nothing for a while', resume, driver, origin)
            tap.case(f'{scheme}: 300 requests in one flight', flight, driver, origin)
        tap.case('cancel of a request that waits', cancel_waiting, place, odd.OddOrigin(place))
        tap.case('4096 in flight are the limit of a handle', too_many, driver, odd.OddOrigin(place))
        tap.case('no request is left', lambda: rt.poll('quiet', lambda: drivers.gauge(daemon)['all_requests'] == 0))
        tap.case('the daemon ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
