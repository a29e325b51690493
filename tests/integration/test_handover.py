#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_handover - from one daemon to the next: who waits in the listening socket's queue while the old one ends, and for how long."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from manager import Manager  # noqa: E402

OLD_WAIT = 5  # seconds after which the library once gave up, before a drain may be over


def post(place, service, token, url):
    """A program of one request, in the background; its output is the status."""
    argv = [rt.program('reqivo'), '--socket', service.socket, '-sS', '-d', 'x', '-o', '/dev/null', '-w', '%{http_code}', '-H',
            f'X-Token: {token}', url]
    return rt.Process(argv, place.fresh(f'post-{token}'))


def status_of(process):
    rt.poll('the program has ended', lambda: not process.running())
    return process.popen.returncode, process.output()


def queued(service):
    """How many wait in the queue of the listening socket."""
    done = rt.run([rt.tool('ss'), '-xlH', 'src', service.socket])
    rows = [line.split() for line in done.stdout.decode().splitlines() if service.socket in line.split()]
    rt.equal(len(rows), 1, f'listening sockets at the path: {rows}')
    return int(rows[0][2])


def in_queue(place, origin, activated):
    """Programs write their first flight to a daemon that stands still, and is told to stop before it has accepted one. Each is
    answered by the next one, once, whoever owns the queue."""
    service = Manager(place, rt.Reqivod.CONF, activated)
    service.start()
    service.process.send(signal.SIGSTOP)
    tokens = [f'queue-{activated}-{n}' for n in range(5)]
    programs = [post(place, service, token, origin.url('/echo')) for token in tokens]
    rt.poll('they are in the queue', lambda: queued(service) == len(programs))
    service.process.send(signal.SIGTERM)
    service.process.send(signal.SIGCONT)
    rt.poll('the daemon has ended', lambda: not service.process.running())
    rt.equal(service.process.popen.returncode, 0, 'exit code')
    rt.equal([token for token in tokens if origin.seen(token)], [], 'arrived before the next daemon')
    service.start()
    for token, program in zip(tokens, programs):
        rt.equal(status_of(program), (0, '200'), token)
        rt.equal(len(origin.seen(token)), 1, f'{token} arrived')
    rt.equal(service.end(), 0, 'exit code')


def long_drain(place, origin, activated):
    """Something in flight makes the drain longer than the library once waited. Who comes meanwhile waits in the manager's queue; who
    was connected and was handed back waits for the next daemon, however that comes."""
    origin.release.clear()
    service = Manager(place, rt.Reqivod.CONF + 'pool {\n    connections = 1\n}\n', activated)
    service.start()
    flying, waiting = (drivers.Driver(place, 'async', service.socket) for _ in range(2))
    tokens = [f'{name}-{activated}' for name in ('flying', 'handed-back', 'comes')]
    flying.write(drivers.describe(tokens[0], 'POST', origin.url('/wait'), ('field', 'X-Token', tokens[0]), 'body fill 10') + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen(tokens[0]))
    waiting.write(drivers.describe(tokens[1], 'POST', origin.url('/echo'), ('field', 'X-Token', tokens[1]), 'body fill 10') + 'run\n')
    rt.poll('it waits', lambda: drivers.gauge(service)['all_requests'] == 2)
    service.process.send(signal.SIGTERM)
    service.notify.wait('STOPPING=1')
    comes = post(place, service, tokens[2], origin.url('/echo')) if activated else None
    time.sleep(OLD_WAIT + 1)  # the point is that this is not too long
    assert service.process.running(), 'the daemon did not wait for what is in flight'
    assert comes is None or comes.running(), f'the program gave up: {comes.output()}'
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight: {row["detail"]}')
    rt.poll('the daemon has ended', lambda: not service.process.running())
    service.start()
    row = waiting.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was handed back: {row["detail"]}')
    if comes:
        rt.equal(status_of(comes), (0, '200'), 'the program that came during the drain')
    for token in tokens[:3 if comes else 2]:
        rt.equal(len(origin.seen(token)), 1, f'{token} arrived')
    rt.equal(service.end(), 0, 'exit code')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        tap.case("rule_b11_1: the queue of the manager's socket is the next daemon's", in_queue, place, origin, True)
        tap.case('rule_b11_3: the queue of its own socket is sent on', in_queue, place, origin, False)
        tap.case('rule_b11_1: who comes during a drain waits until it is over', long_drain, place, origin, True)
        tap.case('rule_b11_3: what is handed back waits until a drain is over', long_drain, place, origin, False)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
