#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_shares - four users at the end of their memory: a fifth is served, root is answered, nobody's connection breaks, and all is
given back when they go. Changing the uid needs root."""
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
import test_wire_abuse as wire  # noqa: E402
from drivers import rt  # noqa: E402
from test_uids import become  # noqa: E402

HOGS, FIFTH = range(12001, 12005), 12005
MIB = 1 << 20
# As the defaults, a sixteenth of them; what a user leaves behind goes at once.
CONF = rt.Reqivod.CONF + 'limits {\n memory_uid = 4MiB\n memory_total = 16MiB\n}\ntimeouts {\n linger = 100ms\n}\npool {\n idle = 300ms\n}\n'


def connect(daemon, uid):
    """A hand-made client of that user: what counts is the effective uid in connect()."""
    os.seteuid(uid)
    try:
        return wire.Peer(daemon)
    finally:
        os.seteuid(0)


class Hog:
    """Asks for large responses and for many that never come, and reads nothing."""

    def __init__(self, daemon, origin, uid):
        self.uid, self.peers = uid, []
        large, never = origin.url('/chunks/1000/20000').encode(), origin.url('/wait').encode()
        self.send(daemon, [wire.request(n, large) for n in range(1, 5)])
        self.send(daemon, [wire.request(n, never, fields=[(b'Cookie', b'c' * 3000)]) for n in range(1, 4001)])

    def send(self, daemon, requests):
        peer = connect(daemon, self.uid)
        peer.sock.settimeout(2)
        self.peers.append(peer)
        try:
            peer.sock.sendall(wire.hello() + b''.join(requests))
        except socket.timeout:
            pass  # it is not read from any more

    def alive(self):
        for peer in self.peers:
            peer.sock.setblocking(False)
            try:
                assert peer.sock.recv(1), f'a connection of {self.uid} was closed'
            except BlockingIOError:
                pass

    def stop(self):
        for peer in self.peers:
            peer.sock.close()


def status(place, daemon, uid):
    ctl, env = drivers.for_everybody(place, rt.program('reqivoctl'))
    return rt.run([ctl, '--socket', daemon.socket, 'status'], preexec_fn=become(uid), env=env, check=False)


def main():
    tap = rt.Tap()
    if os.geteuid() != 0:
        tap.case('four users at their limit of memory (needs root)', rt.need_root)
        return tap.done()
    with rt.Place() as place:
        os.chmod(place.dir, 0o755)
        daemon, origin, other = rt.Reqivod(place, conf=CONF), odd.OddOrigin(place), odd.OddOrigin(place)
        os.chmod(os.path.dirname(daemon.socket), 0o755)
        os.chmod(daemon.socket, 0o666)
        os.chmod(daemon.control, 0o666)
        hogs, running = [], []

        def fill():
            """rule_b9_6: nobody gets more than he leaves to the next."""
            for uid, least in zip(HOGS, (3.5, 7, 9.2, 10.4)):
                hogs.append(Hog(daemon, origin, uid))
                rt.poll('it has its share', lambda: drivers.gauge(daemon)['all_memory'] > least * MIB)
            books = drivers.gauge(daemon)
            print(f'# four users hold {books["all_memory"] >> 10} KiB of 16 MiB, with {books["all_requests"]} requests')
            assert books['all_memory'] < 14 * MIB, f'{books["all_memory"]} bytes'
            for hog in hogs:
                hog.alive()

        def fifth():
            """rule_b9_6: a newcomer is served, each time."""
            program = drivers.Driver(place, 'sync', daemon.socket, preexec=become(FIFTH))
            running.append(program)
            for n in range(20):
                row = program.ask(f'f{n}', 'POST', other.url('/echo'), 'body fill 50000')
                rt.equal((row['error'], row['status']), ('', 200), row.get('detail'))

        def root():
            """rule_b9_3: root is answered at any time; and whoever is at his limit may ask, too."""
            for uid in (0, FIFTH, *HOGS):
                done = status(place, daemon, uid)
                rt.equal(done.returncode, 0, f'reqivoctl status of {uid}: {done.stderr}')
            program = drivers.Driver(place, 'sync', daemon.socket)
            running.append(program)
            row = program.ask('r', 'GET', other.url('/echo'))
            rt.equal((row['error'], row['status']), ('', 200), row.get('detail'))

        def another():
            """rule_b9_6: another program of a user at his limit gets the limit's error, not a broken connection."""
            program = drivers.Driver(place, 'async', daemon.socket, preexec=become(HOGS[0]))
            running.append(program)
            for n in range(3):
                row = program.ask(f'a{n}', 'GET', other.url('/echo'))
                rt.equal((row['error'], row['class'], row['sent']), ('E_LIMIT_MEMORY', 'limit', 0), row.get('detail'))

        def gone():
            """rule_b9_9: all accounts are back at nothing."""
            for one in (*hogs, *running):
                one.stop()
            origin.release.set()

            def clear():
                books = drivers.gauge(daemon)
                idle = [books[name] for name in ('all_requests', 'all_connections', 'pools')]
                return idle == [0, 0, 0] and books['all_programs'] == 0 and books['all_memory'] <= 32768

            rt.poll('the books are clear', clear, 20 * drivers.SLOW)

        tap.case('rule_b9_6: four users fill their shares', fill)
        tap.case('rule_b9_6: a fifth user is served', fifth)
        tap.case('rule_b9_3: root and everybody may ask for the status', root)
        tap.case('rule_b9_6: a second program of a full user', another)
        tap.case('rule_b9_9: all is given back', gone)
        tap.case('the daemon ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
