#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_kill_daemon - kill -9 of the daemon under load of 8 clients: each request completes exactly once, as answered, not sent or
unknown; no POST reaches the origin twice; after a restart the same handles work again."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CLIENTS, EACH, ROUNDS, WINDOW = 8, 120, 3, 16
LOST = {'E_DAEMON_LOST', 'E_NO_DAEMON', 'E_SHUTDOWN'}


class Client:
    def __init__(self, place, daemon, origin, number):
        self.kind = 'sync' if number % 4 == 3 else 'async'
        self.driver = drivers.Driver(place, self.kind, daemon.socket)
        self.origin, self.number = origin, number
        self.driver.write(f'window {WINDOW}\n')
        self.rows = {}

    def load(self, name, count, path='/sleep/3'):
        """Requests of both kinds under tokens of their own, then a note."""
        lines = []
        for i in range(count):
            token = f'{name}-{self.number}-{i}-{"post" if i % 2 else "get"}'
            method, more = ('POST', ['body fill 3000']) if i % 2 else ('GET', ['begun 1'] if i % 4 == 0 else [])
            lines.append(drivers.describe(token, method, self.origin.url(path), ('field', 'X-Token', token), *more))
        self.driver.write(''.join(lines) + f'note {name}\n')

    def read(self, name):
        """The results up to the note."""
        rows = []
        while True:
            row = self.driver.line(40 * drivers.SLOW)
            assert row is not None, f'a driver_{self.kind} ended ({self.driver.popen.poll()}): {self.driver.last_words()}'
            if row.get('note') == name:
                return rows
            rows.append(row)


def check_round(origin, name, rows, tally):
    """rows: of one client."""
    rt.equal(len(rows), EACH, 'completions')
    rt.equal(len({row['tag'] for row in rows}), EACH, 'requests that completed')
    for row in rows:
        rt.equal(row['completions'], 1, f'completions of {row["tag"]}')
        seen = len(origin.seen(row['tag']))
        if row['error'] == '':
            tally['answered'] += 1
            assert seen >= 1, f'{row["tag"]} was answered but never arrived'
        else:
            assert row['error'] in LOST, f'{row["tag"]}: {row["error"]} {row.get("detail")}'
            tally['not sent' if row['sent'] == 0 else 'unknown'] += 1
            assert row['sent'] in (0, 1), f'{row["tag"]} failed as sent {row["sent"]}'
            assert row['sent'] == 1 or seen == 0, f'{row["tag"]} is told as not sent, but it arrived'
        if row['tag'].endswith('post'):
            assert seen <= 1, f'the POST {row["tag"]} reached the origin {seen} times'
    assert name


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
        clients = [Client(place, daemon, origin, n) for n in range(CLIENTS)]

        def one_round(number):
            name = f'r{number}'
            before = len(origin.log)
            for client in clients:
                client.load(name, EACH)
            rt.poll('the load is on', lambda: len(origin.log) > before + 40 * (number + 1))
            daemon.kill()
            daemon.start()
            tally = {'answered': 0, 'not sent': 0, 'unknown': 0}
            for client in clients:
                check_round(origin, name, client.read(name), tally)
            print(f'# round {number}: {tally}')
            rt.equal(sum(tally.values()), CLIENTS * EACH, 'completions')

        def again(number):
            name = f'a{number}'
            for client in clients:
                client.load(name, 10, '/echo')
            for client in clients:
                for row in client.read(name):
                    rt.equal((row['error'], row['status']), ('', 200), f'{row["tag"]} {row.get("detail")}')

        # A driver that has not connected when the daemon is killed would rightly end: first all are heard.
        for client in clients:
            client.load('first', 1, '/echo')
        for client in clients:
            client.read('first')

        for number in range(ROUNDS):
            tap.case(f'kill {number + 1}: every request completed once and truthfully, no POST arrived twice', one_round, number)
            tap.case(f'kill {number + 1}: the same handles work again', again, number)

        def without():
            """No daemon comes back for a while: no request hangs."""
            daemon.kill()
            for client in clients:
                client.load('none', 1 if client.kind == 'sync' else 4, '/echo')
            for client in clients:
                for row in client.read('none'):
                    assert row['error'] in LOST and row['sent'] == 0, f'{row["tag"]}: {row}'
            daemon.start()

        tap.case('while there is no daemon each request ends with a clear error', without)
        tap.case('and afterwards they work', again, ROUNDS)

        def summaries():
            for client in clients:
                rows, code = client.driver.finish()
                rt.equal((code, rows[-1]['twice'], rows[-1]['pending']), (0, 0, 0), 'exit code, second completions, pending')

        tap.case('no completion came twice, none is missing', summaries)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
