#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_overload - a real daemon near its limits: its steps are reached, seen and left; its descriptors run out and come back."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from test_limits import crowd  # noqa: E402
from test_uids import become  # noqa: E402

HOGS, NEWCOMER = range(12001, 12007), 12020


def conf(**limits):
    return f'{rt.Reqivod.CONF}limits {{\n' + ''.join(f' {name} = {value}\n' for name, value in limits.items()) + '}\n'


def state(daemon):
    books = drivers.gauge(daemon)
    return books['overload'], books['overload_by']


def for_all(place, daemon):
    os.chmod(place.dir, 0o755)
    os.chmod(daemon.dir, 0o755)
    os.chmod(daemon.socket, 0o666)


def seen(place):
    """rule_b10_3: the step is shown by reqivoctl, and the log has one line for its begin and one for its end."""
    daemon, origin = rt.Reqivod(place, conf=conf(requests_total=100, requests_uid=100)), odd.OddOrigin(place)
    client = drivers.Driver(place, 'async', daemon.socket)
    rt.equal(state(daemon), ('none', '-'), 'at first')
    crowd(client, origin, 96)
    rt.poll('the step is reached', lambda: state(daemon) == ('requests', 'requests 100%'))
    rt.equal(drivers.gauge(daemon)['all_requests'], 96, 'the daemon\'s own user is refused nothing')
    origin.release.set()
    for _ in range(96):
        rt.equal(client.line()['error'], '', 'a request')
    rt.equal(state(daemon), ('none', '-'), 'afterwards')
    lines = [line for line in daemon.process.output().splitlines() if 'overload: ' in line]
    rt.equal(len(lines), 2, f'lines of the log: {lines}')


def refused(place):
    """rule_b10_3: several users fill the daemon with requests: who holds much gets E_OVERLOADED, at once, and nothing is sent; who
    holds little is served; and when some have gone, all are."""
    rt.need_root()
    daemon = rt.Reqivod(place, conf=conf(requests_total=400, requests_uid=400))
    for_all(place, daemon)
    origin, other = odd.OddOrigin(place), odd.OddOrigin(place)
    hogs = [drivers.Driver(place, 'async', daemon.socket, preexec=become(uid)) for uid in HOGS]
    for number, hog in enumerate(hogs):
        crowd(hog, origin, 187 >> number, name=f'h{number}-')
        rt.poll('they are there', lambda n=number: drivers.gauge(daemon)['all_requests'] >= sum(187 >> i for i in range(n + 1)) - n)
    rt.equal(state(daemon)[0], 'requests', 'the step')
    newcomer = drivers.Driver(place, 'sync', daemon.socket, preexec=become(NEWCOMER))
    for n in range(5):
        rt.equal(newcomer.ask(f'n{n}', 'GET', other.url('/echo'))['error'], '', 'the newcomer')
    again = drivers.Driver(place, 'async', daemon.socket, preexec=become(HOGS[0]))
    row = again.ask('a', 'GET', other.url('/echo'), ('field', 'X-Token', 'over'))
    rt.equal((row['error'], row['class'], row['sent']), ('E_OVERLOADED', 'limit', 0), row.get('detail'))
    rt.contains(row['detail'], 'again', 'what to do')
    rt.equal(other.seen('over'), [], 'at the origin')
    for hog in hogs[1:]:
        hog.stop()
    rt.poll('the step is over', lambda: state(daemon)[0] == 'none')
    rt.equal(again.ask('b', 'GET', other.url('/echo'))['error'], '', 'one later')
    origin.release.set()


def main():
    tap = rt.Tap()
    table = [('rule_b10_3: a step is seen, and its end', seen),
             ('rule_b10_3: requests of those who hold most are refused (needs root)', refused)]
    for name, function in table:
        if len(sys.argv) > 1 and not any(text in name for text in sys.argv[1:]):
            continue
        with rt.Place() as place:
            tap.case(name, function, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
