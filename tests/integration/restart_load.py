# SPDX-License-Identifier: MIT
"""restart_load - many programs on one service at a steady rate, and what each of their requests came to: told to the program, and seen
by the origin. Each request has an id of its own in its path."""
import collections
import itertools
import json
import os
import selectors
import subprocess
import threading
import time

import drivers
import odd_origin
from drivers import rt

TICK = 0.02  # seconds between two portions of the load
SLOW_EVERY, SLOW_MS = 16, 30  # while `slow`: of so many requests one is answered late, so that some are always in flight
BEHIND = 100  # a program that has so many before it is offered no more
LOST = {'E_DAEMON_LOST', 'E_NO_DAEMON', 'E_SHUTDOWN'}


class Witness:
    """Two origins: nginx, which answers at once, and one that takes its time. Their logs say what has arrived, and how often."""

    def __init__(self, place):
        self.nginx, self.odd = rt.Nginx(place), odd_origin.OddOrigin(place)

    def url(self, token, slow):
        return self.odd.url(f'/sleep/{SLOW_MS}/{token}') if slow else self.nginx.url(path=f'/r/{token}', host='127.0.0.1')

    def arrived(self):
        """How often, by id."""
        with self.odd.lock:
            paths = [request.target for request in self.odd.log]
        paths += [row[5] for row in self.nginx.requests('/r/')]
        return collections.Counter(path.rsplit('/', 1)[1] for path in paths)


class Program:
    """One process of the library's with one handle. It is fed by the load, and read by it."""

    def __init__(self, place, service, number):
        self.driver = drivers.Driver(place, drivers.KINDS[number % 2], service.socket)
        self.number, self.offered, self.rows, self.summary, self.rest = number, 0, [], None, b''

    def offer(self, count, witness, slow=False):
        text = ''
        for _ in range(count):
            n = self.offered
            self.offered += 1
            method, more = ('POST', [f'body fill {100000 if n % 50 == 49 else 1000}']) if n % 2 else ('GET', [])
            if n % 8 == 3:
                more.append('begun 1')
            token = f'{method}-{self.number}-{n}'
            text += drivers.describe(token, method, witness.url(token, slow and n % SLOW_EVERY == self.number % SLOW_EVERY), *more)
        if text:
            self.driver.write(text + 'run\n')

    def take(self):
        """What it has printed. False at its end."""
        data = os.read(self.driver.popen.stdout.fileno(), 1 << 16)
        *lines, self.rest = (self.rest + data).split(b'\n')
        for row in map(json.loads, lines):
            if 'summary' in row:
                self.summary = row
            else:
                self.rows.append(row)
        return bool(data)

    def pending(self):
        return self.offered - len(self.rows)


class Load:
    """`rate` requests a second from so many programs, from `with` on. No rate is promised: what a busy machine cannot take is not
    offered."""

    def __init__(self, place, service, witness, programs, rate):
        self.witness, self.rate = witness, rate
        self.programs = [Program(place, service, n) for n in range(programs)]
        self.ending, self.slow, self.last_answer = False, True, 0
        self.seconds = 0.0
        self.broken = []  # what ended a thread of ours
        self.threads = [threading.Thread(target=self._guard, args=(work,), daemon=True) for work in (self._feed, self._read)]

    def __enter__(self):
        for program in self.programs:  # a program that has no daemon at its start rightly ends
            program.offer(1, self.witness)
        self.begin = time.monotonic()
        for thread in self.threads:
            thread.start()
        rt.poll('each program is served', lambda: self.broken or all(program.rows for program in self.programs), 20 * drivers.SLOW)
        return self

    def __exit__(self, *_):
        self.ending = True

    def _guard(self, work):
        try:
            work()
        except Exception as error:  # the test must not wait for it
            self.broken.append(f'{work.__name__}: {type(error).__name__}: {error}')

    def _feed(self):
        turns = itertools.cycle(self.programs)
        done = 0
        while not self.ending:
            due = int((time.monotonic() - self.begin) * self.rate) - done
            done += due
            portions = collections.Counter(next(turns) for _ in range(min(due, 10 * len(self.programs))))
            for program, count in portions.items():
                if program.pending() < BEHIND:
                    program.offer(count, self.witness, self.slow)
            time.sleep(TICK)
        self.seconds = time.monotonic() - self.begin
        for program in self.programs:
            program.driver.close_input()

    def _read(self):
        with selectors.DefaultSelector() as selector:
            for program in self.programs:
                selector.register(program.driver.popen.stdout, selectors.EVENT_READ, program)
            while selector.get_map():
                for key, _ in selector.select():
                    program = key.data
                    before = len(program.rows)
                    if not program.take():
                        selector.unregister(key.fileobj)
                    if any(row['error'] == '' for row in program.rows[before:]):
                        self.last_answer = time.monotonic()

    def answers(self):
        return sum(len(program.rows) for program in self.programs)

    def pending(self):
        return sum(program.pending() for program in self.programs)

    def _wait_for(self, what, goal):
        def there():
            assert not self.broken, self.broken
            return all(len(program.rows) >= least for program, least in goal.items())

        rt.poll(what, there, 40 * drivers.SLOW)

    def wait_for_each(self, when, more=3):
        """Until each program has heard of that many more requests."""
        self._wait_for(f'each program is served {when}', {program: len(program.rows) + more for program in self.programs})

    def wait_for_offered(self):
        """Until all that has been offered by now is complete: a program begins no portion before the last one is."""
        self._wait_for('what was under way is complete', {program: program.offered for program in self.programs})

    def rows(self):
        """All of them, once each program has ended, which it does when each of its requests is complete: none hangs."""
        self.ending = True
        for thread in self.threads:
            thread.join(60 * drivers.SLOW)
        assert not self.broken, self.broken
        for program in self.programs:
            words = program.driver.last_words()
            assert program.summary, f'a program has not ended: {program.pending()} are not complete {words}'
            rt.equal((program.driver.popen.wait(), program.summary['twice'], program.summary['pending'], program.pending()), (0, 0, 0, 0),
                     f'exit code, second completions, pending, without a result {words}')
        return [row for program in self.programs for row in program.rows]


class Passers(threading.Thread):
    """Programs that come for one request: each finds the service's socket, whatever the daemon does."""

    def __init__(self, service, witness):
        super().__init__(daemon=True)
        self.service, self.witness = service, witness
        self.ending, self.results, self.error = False, [], None  # (id, exit code, what was said)

    def run(self):
        try:
            while not self.ending:
                token = f'POST-passer-{len(self.results)}'
                done = self.service.reqivo('-sS', '-m', '60', '-d', 'x', '-o', '/dev/null', self.witness.url(token, False))
                self.results.append((token, done.returncode, done.stderr.decode()))
                time.sleep(TICK)
        except (rt.Failed, OSError, subprocess.SubprocessError) as error:
            self.error = error

    def end(self):
        self.ending = True
        self.join(90)
        assert not self.is_alive() and not self.error, f'the passers: {self.error}'
        return self.results
