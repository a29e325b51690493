#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_overload - a real daemon near its limits: its steps are reached, seen and left; its descriptors run out and come back."""
import os
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
import test_wire_abuse as wire  # noqa: E402
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


def few_descriptors(place):
    """rule_b10_2: 256 descriptors and 400 connections that stay: who is over the total hears so at once; what was under way goes on
    to its end; the daemon never runs out, and new programs come in again when the crowd has gone."""
    wrapper = place.write('few', f'#!/bin/sh\nulimit -n 256\nexec {rt.program("reqivod")} "$@"\n')
    os.chmod(wrapper, 0o755)
    os.environ['REQIVOD'] = wrapper
    try:
        daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    finally:
        del os.environ['REQIVOD']
    under_way = drivers.Driver(place, 'async', daemon.socket)
    under_way.write(drivers.describe('u', 'GET', origin.url('/wait'), ('field', 'X-Token', 'u')) + 'run\n')
    rt.poll('it is at the origin', lambda: origin.log)
    crowd_of = [wire.Peer(daemon) for _ in range(400)]
    for peer in crowd_of:
        peer.send(wire.hello())
    fates = [peer.sock.recv(16)[4] for peer in crowd_of]
    rt.equal(set(fates), {wire.HELLO, wire.GOAWAY}, 'what the 400 hear')
    print(f'# {fates.count(wire.HELLO)} of 400 were let in')
    assert fates.count(wire.HELLO) >= 60, 'too few were let in'
    origin.release.set()
    rt.equal(under_way.line()['error'], '', 'what was under way')
    rt.equal(under_way.ask('more', 'GET', origin.url('/echo'))['error'], '', 'and more of it')
    for peer in crowd_of:
        peer.sock.close()
    rt.poll('a new program comes in', lambda: daemon.reqivo('-s', origin.url('/echo')).returncode == 0)
    assert 'resting' not in daemon.process.output(), 'it ran out of descriptors'


def no_descriptors(place):
    """rule_b10_2: the limit is lowered under a running daemon, so that none is left: what has a connection goes on; who comes waits,
    and is served when there are some again."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    client = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(client.ask('a', 'GET', origin.url('/echo'))['error'], '', 'before')
    old = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (4, old[1]))
    waiting = [drivers.Driver(place, 'async', daemon.socket) for _ in range(20)]
    for driver in waiting:
        driver.write(drivers.describe('w', 'GET', origin.url('/echo')) + 'run\n')
    rt.poll('the door rests', lambda: 'resting' in daemon.process.output())
    for n in range(20):
        rt.equal(client.ask(f'b{n}', 'GET', origin.url('/echo'))['error'], '', 'meanwhile')
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, old)
    for driver in waiting:
        rt.equal(driver.line()['error'], '', 'one that waited')


def main():
    tap = rt.Tap()
    table = [('rule_b10_3: a step is seen, and its end', seen),
             ('rule_b10_3: requests of those who hold most are refused (needs root)', refused)]
    table += [('rule_b10_2: few descriptors and a crowd', few_descriptors),
              ('rule_b10_2: no descriptor left', no_descriptors)]
    for name, function in table:
        if len(sys.argv) > 1 and not any(text in name for text in sys.argv[1:]):
            continue
        with rt.Place() as place:
            tap.case(name, function, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
