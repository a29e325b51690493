#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_isolation - many requesters among odd answers: nobody sees another's bytes, the daemon lives and does not grow."""
import json
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases  # noqa: E402
import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CLIENTS, EACH, WINDOW, ROUNDS = 8, 150, 12, 2
CONF = rt.Reqivod.CONF + 'pool {\n    hold_down = 0\n}\n'
GROWTH_KIB = 524288 if drivers.SANITIZED else 16384  # AddressSanitizer keeps 256 MiB of freed memory
SEED = 20260101


def odd_paths(origin):
    """Every raw answer of the table, and the behaviours that end by themselves."""
    paths = ['/mute', '/mute/reset', '/race', '/race/reset', '/half', '/bye', '/drip_head', '/chunks/20/500', '/endless/head',
             '/endless/1xx', '/endless/chunk-ext', '/endless/trailers']
    for number, (_, request, _) in enumerate(cases.CASES):
        # Bytes that come 50 ms after an answer meet the next request on a busy connection: no client can tell them from its answer.
        if 'raw' in request and not request['raw'][1].startswith('junk'):
            origin.raw(f'i{number}', *request['raw'])
            paths.append(f'/raw/i{number}')
    return paths


def load(driver, number, rnd, origins, paths):
    """Half of the requests are honest echoes under a token of their own."""
    lines = [f'window {WINDOW}\n']
    for i in range(EACH):
        origin = rnd.choice(origins)
        token = f'{number}-{i}-{rnd.getrandbits(64):016x}'
        host = 'localhost' if origin.context else '127.0.0.1'
        honest = rnd.random() < 0.5
        path = f'/echo/{token}' if honest else rnd.choice(paths)
        method = rnd.choice(['GET', 'GET', 'POST'])
        more = ['body fill 5000'] if method == 'POST' else []
        lines.append(drivers.describe(('h' if honest else 'o') + token, method, origin.url(path, host), ('field', 'X-Token', token),
                                      'timeout first 400', 'timeout stall 400', 'max 1000000', 'verify 0', *more))
    driver.write(''.join(lines) + 'note end\n')


def check(driver, number):
    """Own token or none, in honest answers and in odd ones; the count of honest ones that came whole."""
    whole = 0
    while True:
        row = driver.line(40 * drivers.SLOW)
        assert row is not None, f'a driver ended: {driver.last_words()}'
        if row.get('note'):
            return whole
        rt.equal(row['completions'], 1, 'completions')
        body = row.get('body', '')
        assert 'SECRET' not in body, f'{row["tag"]} got bytes that belong to nobody: {row}'
        if row['error'] == '' and body.startswith('{"method"'):
            rt.equal(json.loads(body)['token'], row['tag'][1:], 'the token in an answer')
        if row['tag'][0] != 'h':
            continue
        # An honest POST may meet a connection that an odd answer is just closing: then it is told so, never answered wrongly.
        if row['error'] == '':
            rt.equal(row['status'], 200, row['tag'])
            assert row['tag'][1:] in body, f'{row["tag"]} got {body[:200]!r}'
            whole += 1
        else:
            assert row['error'] in ('E_RESET', 'E_EMPTY_RESPONSE', 'E_TRUNCATED', 'E_TIMEOUT_FIRST', 'E_TLS_PROTOCOL'), row
    assert number >= 0


def main():
    tap = rt.Tap()
    rnd = random.Random(SEED)
    print(f'# seed {SEED}')
    with rt.Place() as place:
        daemon = rt.Reqivod(place, conf=CONF)
        origins = [odd.OddOrigin(place), odd.OddOrigin(place, odd.server_context(rt.Certs(place), 'good'))]
        paths = odd_paths(origins[0])
        odd_paths(origins[1])
        clients = [drivers.Driver(place, 'sync' if n == 0 else 'async', daemon.socket) for n in range(CLIENTS)]
        sizes = []

        def one_round():
            for number, client in enumerate(clients):
                load(client, number, rnd, origins, paths)
            whole = sum(check(client, number) for number, client in enumerate(clients))
            print(f'# honest answers that came whole: {whole} of about {CLIENTS * EACH // 2}')
            assert whole > CLIENTS * EACH * 0.4, f'only {whole} honest answers'
            sizes.append(daemon.memory_kib())

        for number in range(ROUNDS):
            tap.case(f'round {number + 1}: {CLIENTS * EACH} requests among odd answers, each its own bytes', one_round)

        def quiet():
            assert daemon.process.running(), daemon.process.output()[-2000:]
            state = rt.poll('the daemon is quiet', lambda: (s := drivers.gauge(daemon))['all_requests'] == 0 and s)
            rt.equal((state['isolation_violations'], state['wire_violations']), (0, 0), 'violations of isolation and wire')
            print(f'# resident KiB after each round: {sizes}')
            assert sizes and sizes[-1] < GROWTH_KIB, f'{sizes} KiB'
            assert state['longest_turn_us'] < 500000 * drivers.SLOW, f'a turn of the loop took {state["longest_turn_us"]} us'

        tap.case('the daemon lives, counts no violation and stays small', quiet)
        tap.case('and ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
