#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_uids - rule_b1_k1: two uids never share a connection, two programs of one uid do; nobody sees another user's figures.
Changing the uid needs root."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

ONE, TWO = 12001, 12002
NAME = 'two uids never share a connection (needs root)'


def become(uid):
    def change():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

    return change


class Programs:
    """Drivers of several uids."""

    def __init__(self, place, daemon, origin):
        self.place, self.daemon, self.origin = place, daemon, origin
        self.running = []

    def start(self, kind, uid):
        driver = drivers.Driver(self.place, kind, self.daemon.socket, preexec=become(uid))
        self.running.append(driver)
        return driver

    def connection(self, driver, token, *options):
        """The number of the origin's connection that served one request of the driver."""
        row = driver.ask(token, 'GET', self.origin.url('/echo', 'localhost' if self.origin.context else '127.0.0.1'),
                         ('field', 'X-Token', token), *options)
        rt.equal((row['error'], row['status']), ('', 200), row.get('detail'))
        echo = json.loads(row['body'])
        rt.equal(echo['token'], token, 'the token in the answer')
        return echo['connection'], echo


def main():
    tap = rt.Tap()
    if os.geteuid() != 0:
        tap.case(NAME, rt.need_root)
        return tap.done()
    with rt.Place() as place:
        os.chmod(place.dir, 0o755)
        certs = rt.Certs(place)
        daemon = rt.Reqivod(place)
        os.chmod(os.path.dirname(daemon.socket), 0o755)
        os.chmod(daemon.socket, 0o666)
        os.chmod(daemon.control, 0o666)
        origins = {'http': odd.OddOrigin(place), 'https': odd.OddOrigin(place, odd.server_context(certs, 'good'))}
        for scheme, origin in origins.items():
            programs = Programs(place, daemon, origin)
            more = [f'ca {certs.ca}'] if origin.context else []

            def same():
                first = programs.connection(programs.start('sync', ONE), 'a1', *more)[0]
                second, echo = programs.connection(programs.start('async', ONE), 'a2', *more)
                rt.equal(second, first, 'the connection of the second program of the uid')
                rt.equal(echo['number'], 2, 'its number on the connection')

            def other():
                mine = {r.connection for r in origin.log}
                theirs = programs.connection(programs.start('sync', TWO), 'b1', *more)[0]
                assert theirs not in mine, 'a connection of another uid was used'
                root = programs.connection(programs.start('sync', 0), 'r1', *more)[0]
                assert root not in mine | {theirs}, 'root got a connection of another uid'

            def mixed():
                """Both users at once, many requests: connections are never mixed, tokens never change hands."""
                crowd = [programs.start('async', ONE if n % 2 else TWO) for n in range(6)]
                for n, driver in enumerate(crowd):
                    driver.write('window 6\n' + ''.join(
                        drivers.describe(f'm{n % 2}-{n}-{i}', 'GET', origin.url('/echo', 'localhost' if origin.context else '127.0.0.1'),
                                         ('field', 'X-Token', f'm{n % 2}-{n}-{i}'), *more) for i in range(60)))
                for driver in crowd:
                    rows, code = driver.finish()
                    rt.equal(code, 0, driver.last_words())
                    for row in rows[:-1]:
                        rt.equal(row['error'], '', row.get('detail'))
                        rt.equal(json.loads(row['body'])['token'], row['tag'], 'the token in the answer')
                users = {}
                for request in origin.log:
                    if request.token.startswith('m'):
                        users.setdefault(request.connection, set()).add(request.token[:2])
                rt.equal([c for c, who in users.items() if len(who) > 1], [], 'connections that served both')
                rt.equal({tuple(who)[0] for who in users.values()}, {'m0', 'm1'}, 'users that were served')

            def tickets():
                """A TLS ticket of one uid is not offered by another."""
                programs.connection(programs.start('sync', ONE + 10), 't1', 'fresh 1', *more)
                echo = programs.connection(programs.start('sync', TWO + 10), 't2', 'fresh 1', *more)[1]
                rt.equal(echo['resumed'], False, 'the session of another uid was resumed')

            tap.case(f'{scheme}: two programs of one uid share a connection', same)
            tap.case(f'{scheme}: rule_b1_k1: {NAME}', other)
            tap.case(f'{scheme}: rule_b1_no_cross_uid: both at once, 360 requests', mixed)
            if origin.context:
                tap.case('rule_b7_3: a ticket of one uid is not used for another', tickets)
            for driver in programs.running:
                driver.stop()

        def figures():
            """rule_b9_14: a user sees what is his."""
            ctl, _ = drivers.for_everybody(place, rt.program('reqivoctl'))
            done = rt.run([ctl, '--socket', daemon.socket, '--json', 'pools'], preexec_fn=become(ONE))
            seen = {int(pool['uid']) for pool in json.loads(done.stdout)}
            rt.equal(seen, {ONE}, 'the uids of the pools that a user is shown')
            status = json.loads(rt.run([ctl, '--socket', daemon.socket, '--json', 'status'], preexec_fn=become(ONE)).stdout)
            rt.equal((status['uid'], [name for name in status if name.startswith('all_')]), (ONE, []), 'the status of a user')
            seen = {int(pool['uid']) for pool in json.loads(daemon.reqivoctl('--json', 'pools').stdout)}
            assert {ONE, TWO} <= seen, f'root is shown the pools of {seen}'

        tap.case('rule_b9_14: a user sees no pool of another', figures)
        tap.case('no isolation violation was counted', lambda: rt.equal(drivers.gauge(daemon)['isolation_violations'], 0))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
