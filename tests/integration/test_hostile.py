#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_hostile - one user does all the harm he can, all of it at once (tests/lib/hostile.py); two others see no error, and nothing is
left of him when he goes. Changing the uid needs root."""
import gzip
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import hostile  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from test_uids import become  # noqa: E402

HOSTILE, VICTIMS = 12001, (12002, 12003)
ROUNDS = 8  # of each attack, while the victims go on
CONF = rt.Reqivod.CONF + 'limits {\n memory_uid = 16MiB\n memory_total = 64MiB\n}\ntimeouts {\n linger = 100ms\n}\npool {\n idle = 300ms\n}\n'


def bomb(origin):
    body = gzip.compress(bytes(8 << 20))
    origin.raw('bomb', b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n' % len(body) + body, 'keep')
    return origin.url('/raw/bomb')


class EchoServer:
    """The WebSocket server of the tests, which has nothing in common with our code."""

    def __init__(self, place):
        name = os.path.join(rt.builddir(), 'tests', 'integration', 'ws_echo_server')
        self.popen = subprocess.Popen([name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f'ws://127.0.0.1:{int(self.popen.stdout.readline())}/'
        place.keep(self)

    def stop(self):
        self.popen.kill()
        self.popen.communicate()


def targets(place, origin):
    return {'big': origin.url('/chunks/100/20000'), 'never': origin.url('/wait'), 'bomb': bomb(origin), 'ws': EchoServer(place).url}


class Victim(threading.Thread):
    """A program that asks again and again, until it is told to end; keeps what went wrong."""

    def __init__(self, place, daemon, uid, kind, url):
        super().__init__(daemon=True)
        self.driver = drivers.Driver(place, kind, daemon.socket, preexec=become(uid))
        self.url, self.wrong, self.count, self.over = url, [], 0, False

    def run(self):
        while not self.over:
            self.count += 1
            try:
                row = self.driver.ask(f'v{self.count}', 'GET', self.url, seconds=60 * drivers.SLOW)
            except rt.Failed as error:
                self.wrong.append(str(error))
                return
            if (row['error'], row['status']) != ('', 200):
                self.wrong.append(f'{row["error"]} {row["status"]} {row.get("detail")}')


def attack(place, daemon, url):
    """rule_b10_1, rule_b9_6: the victims see no error, and are served all the time."""
    origin = odd.OddOrigin(place)
    victims = [Victim(place, daemon, uid, kind, url) for uid in VICTIMS for kind in drivers.KINDS]
    urls = targets(place, origin)
    for victim in victims:
        victim.start()
    totals = dict.fromkeys(hostile.KINDS, 0)
    while min(totals.values()) < ROUNDS:
        before = [victim.count for victim in victims]
        process = hostile.start(daemon.socket, urls, preexec=become(HOSTILE))
        rt.poll('each victim is served 20 times meanwhile', lambda: all(
            victim.wrong or victim.count > count + 20 for victim, count in zip(victims, before)), 120 * drivers.SLOW)
        for kind, count in hostile.stop(process).items():
            totals[kind] += count
    for victim in victims:
        victim.over = True
    for victim in victims:
        victim.join()
    origin.release.set()
    print(f'# attacks: {totals}; requests of the victims: {[victim.count for victim in victims]}')
    rt.equal([victim.wrong for victim in victims], [[]] * len(victims), 'what the victims saw')


def gone(daemon, before):
    """rule_b9_9: nothing is left of him."""
    def clear():
        books = drivers.gauge(daemon)
        return [books[name] for name in ('all_requests', 'all_connections', 'pools')] == [0, 0, 0] and books['all_memory'] <= 32768

    rt.poll('the books are clear', clear, 20 * drivers.SLOW)
    rt.poll('the descriptors are closed', lambda: daemon.fds() <= before, 20 * drivers.SLOW)
    books = drivers.gauge(daemon)
    rt.equal(books['isolation_violations'], 0, 'isolation violations')
    rt.equal(books['overload'], 'none', 'overload')
    print(f'# the longest turn of the loop: {books["longest_turn_us"]} us')
    assert books['longest_turn_us'] < 500000 * drivers.SLOW, f'a turn of the loop took {books["longest_turn_us"]} us'


def main():
    tap = rt.Tap()
    if os.geteuid() != 0:
        tap.case('one hostile user among three (needs root)', rt.need_root)
        return tap.done()
    with rt.Place() as place:
        os.chmod(place.dir, 0o755)
        daemon, nginx = rt.Reqivod(place, conf=CONF), rt.Nginx(place)
        os.chmod(daemon.dir, 0o755)
        os.chmod(daemon.socket, 0o666)
        drivers.gauge(daemon)
        before = daemon.fds()
        tap.case('one hostile user: the others see no error', attack, place, daemon, nginx.url(host='127.0.0.1'))
        for thing in [thing for thing in place.things if isinstance(thing, drivers.Driver)]:
            thing.stop()
        tap.case('rule_b9_9: all accounts and descriptors are back', gone, daemon, before)
        tap.case('the daemon ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
