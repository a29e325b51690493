#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_websocket_many - WebSockets beside one another: a thousand that echo and are drained under way, and programs that stop reading."""
import asyncio
import json
import os
import random
import signal
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import drivers  # noqa: E402
import reqivotest as rt  # noqa: E402
import test_websocket as base  # noqa: E402
import websockets  # noqa: E402

LONG = 12 * rt.DEADLINE  # for what a thousand sessions do
NO_ANSWER = 28  # reqivoctl, when the time is over


# ---- a thousand sessions, then a drain ----

class Crowd:
    """The server of a drain: each session echoes ECHOED messages intact, one after another. Then every second one is held: HELD messages go
    out, and nothing is read until the drain has begun. The others go on without end, FLIGHT messages under way."""
    ECHOED, HELD, FLIGHT = 100, 20, 4

    def __init__(self):
        self.opened, self.whole, self.flowed = 0, 0, 0
        self.release = asyncio.Event()  # the drain has begun
        self.server = base.Server(self.talk, max_queue=4, ping_interval=None)

    async def talk(self, ws):
        number = self.opened
        self.opened += 1
        for i in range(self.ECHOED):
            message = os.urandom(1 + i * 7)
            await ws.send(message)
            assert await asyncio.wait_for(ws.recv(), LONG) == message, 'another message came back'
        await (self.hold if number % 2 else self.flow)(ws, random.Random(number))

    async def hold(self, ws, dice):
        """All that was sent is with the daemon before the drain (see taken()), so all has to come back."""
        sent = [dice.randbytes(1 + i * 700) for i in range(self.HELD)]
        for message in sent:
            await ws.send(message)
        await asyncio.wait_for(self.release.wait(), LONG)
        back = [message async for message in ws]
        assert back == sent, '%d of %d came back' % (len(back), len(sent))
        self.whole += 1

    async def flow(self, ws, dice):
        """What comes back is what was sent, in order and without a gap, to the end."""
        sent, back = [], 0
        for _ in range(self.FLIGHT):
            sent.append(dice.randbytes(dice.randrange(2000)))
            await ws.send(sent[-1])
        async for message in ws:
            assert message == sent[back], 'another message came back'
            back += 1
            try:
                sent.append(dice.randbytes(dice.randrange(2000)))
                await ws.send(sent[-1])
            except websockets.ConnectionClosed:
                pass  # what has come before that is still to be read
        assert back >= self.HELD, 'only %d came back' % back
        self.flowed += 1


def taken(daemon, sessions, messages):
    """Whether the daemon has so many messages of each session."""
    answer = daemon.reqivoctl('--json', 'websockets')
    if answer.returncode == NO_ANSWER:  # in its four seconds: beside so many programs the daemon may not get the CPU
        return False
    rows = json.loads(answer.stdout)
    return len(rows) == sessions and all(row['sent_messages'] >= messages for row in rows)


def drain_of_many(place, programs, each, sync):
    """`programs` with `each` sessions, and `sync` blocking ones with one: every message is echoed intact; then the daemon drains with messages
    under way, and loses none: each server hears all that its program had handed over, then 1001."""
    daemon = rt.Reqivod(place, conf=rt.Reqivod.CONF + 'timeouts {\n    drain = 5min\n}\n')
    crowd = Crowd()
    server, sessions = crowd.server, programs * each + sync
    url = 'ws://127.0.0.1:%d/' % server.port
    running = [base.start(daemon, base.APIS[0], *[url] * each) for _ in range(programs)]
    running += [base.start(daemon, base.APIS[1], url) for _ in range(sync)]
    rt.poll('the daemon has them all', lambda: server.errors or taken(daemon, sessions, crowd.ECHOED + crowd.HELD), LONG)
    rt.equal(server.errors[:3], [])
    daemon.process.send(signal.SIGTERM)
    rt.poll('it drains', lambda: not rt.answers(socket.AF_UNIX, daemon.socket))
    server.loop.call_soon_threadsafe(crowd.release.set)
    rt.equal(daemon.process.popen.wait(LONG), 0, 'the daemon')
    ends = [base.finish(process, LONG) for process in running]
    rt.poll('all are served', lambda: server.served == sessions, LONG)
    server.stop()
    rt.equal((server.errors[:3], crowd.whole, crowd.flowed), ([], sessions // 2, sessions - sessions // 2))
    rt.equal([end for end in server.seen if end != (1001, '')][:3], [], 'close codes at the server')
    rt.equal([code for code, _ in ends if code != 1], [])
    rt.equal(sum(err.count('the daemon is shutting down\n') for _, err in ends), sessions, ends[:2])


# ---- programs that do not read ----

WINDOWS_KIB = 2048   # of a session: messages for the server, messages for the program, 1 MiB each
CONSTANT_KIB = 2048  # four programs' queues of 512 KiB


def does_not_read(daemon, api):
    """Programs that are stopped: the daemon holds their windows and no more, their servers stand still, and others go on."""
    stuck, total = 4, 200
    opened, sent, stopped = [], [], threading.Event()

    async def talk(ws):
        await ws.send('x')
        await ws.recv()
        opened.append(ws)
        while not stopped.is_set():
            await asyncio.sleep(0.005)
        for i in range(total):
            await ws.send(b'z' * 1000000)
            sent.append(i)
        await ws.close()

    def others_go_on():
        """All messages of the table are echoed to other sessions; whether the stopped ones' servers sent nothing meanwhile."""
        count = len(sent)
        base.table(daemon, api, None)
        return 0 < count == len(sent)

    base.table(daemon, api, None)  # what that takes is no growth later
    server = base.Server(talk, max_queue=4, ping_interval=None)
    running = [base.start(daemon, api, 'ws://127.0.0.1:%d/' % server.port) for _ in range(stuck)]
    rt.poll('all are open', lambda: len(opened) == stuck)
    before = daemon.memory_kib()
    for process in running:
        process.send_signal(signal.SIGSTOP)
    stopped.set()
    rt.poll('the servers are stopped', others_go_on, LONG)
    grown = daemon.memory_kib() - before
    for process in running:
        process.kill()
        process.communicate()
    server.stop()
    assert len(sent) < stuck * total / 2, 'the servers were not slowed: %d MB went out' % len(sent)
    bound = (stuck * WINDOWS_KIB + CONSTANT_KIB) * drivers.FAT
    assert grown < bound, 'the daemon grew by %d KiB, more than %d' % (grown, bound)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        for api in base.APIS:
            tap.case(f'{api}: rule_b5_buffered: programs that do not read', does_not_read, daemon, api)
        tap.case('all is given back', base.gone, daemon)
        tap.case('1020 sessions of 120 programs, 100 messages each, then a drain', drain_of_many, place, 100, 10, 20)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
