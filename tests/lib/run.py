#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run BUILD_DIR [URL...] - the main job, to be watched (`./dev run`).

Without URLs: a private reqivod and a real https origin; 20 processes one after another, then 20 at once, each fetching the same
page, through the daemon and with curl; the times, and how many connections the origin has seen. Fails when the 20 in a row took more
than one connection, the 20 at once more than the pool's 8, or any body was wrong.
With URLs: fetches them through a private daemon and prints the bodies.
"""
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import reqivotest as rt  # noqa: E402

COUNT = 20
POOL = 8


class Round:
    """20 processes of one program: when each ended, what it cost, what it printed."""

    def __init__(self, place, argv, body, at_once):
        self.wall, self.cpu, self.bad = [], [], []
        self.body = body
        self.names = [place.fresh('body') for _ in range(COUNT)]
        self.started, self.spawned = {}, {}
        begin = time.perf_counter()
        for name in self.names:
            self._spawn(argv, name)
            if not at_once:
                self._reap()
        while self.started:
            self._reap()
        self.total = time.perf_counter() - begin
        self._check()

    def _spawn(self, argv, name):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        start = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, name, flags, 0o600)])
        self.started[pid] = start
        self.spawned[pid] = name

    def _reap(self):
        """Waits for one of ours, whichever ends first (the daemon and nginx are children too, but do not end)."""
        while True:
            pid, status, usage = os.wait4(-1, 0)
            if pid in self.started:
                break
        self.wall.append((time.perf_counter() - self.started.pop(pid)) * 1000)
        self.cpu.append((usage.ru_utime + usage.ru_stime) * 1000)
        if status:
            self.bad.append(f'a process ended with {os.waitstatus_to_exitcode(status)}')

    def _check(self):
        for name in self.names:
            with open(name, 'rb') as file:
                if file.read() != self.body:
                    self.bad.append('a body is not the one of the origin')


def show(title, rnd, connections):
    print(f'{title}')
    for first in range(0, COUNT, 10):
        print('  ms each ' + ' '.join(f'{ms:7.1f}' for ms in rnd.wall[first:first + 10]))
    print(f'  median {statistics.median(rnd.wall):.1f} ms, CPU {statistics.median(rnd.cpu):.1f} ms a process, '
          f'{rnd.total * 1000:.0f} ms for all; connections at the origin: {connections}\n')


def main_job(place):
    daemon = rt.Reqivod(place)
    certs = rt.Certs(place)
    nginx = rt.Nginx(place, certs)
    failures, results = [], {}
    print(f'origin: nginx, {nginx.url("good")} with a certificate of our own CA; daemon: {rt.program("reqivod")}\n')
    for name, argv in (('reqivo', [rt.program('reqivo'), '--socket', daemon.socket]), ('curl', [rt.tool('curl')])):
        for how, at_once in (('one after another', False), ('at once', True)):
            path = f'/{name}-{"parallel" if at_once else "sequential"}'
            command = argv + ['-sS', '-f', '--cacert', certs.ca, nginx.url('good', path)]
            rnd = Round(place, command, f'hello from {path}\n'.encode(), at_once)
            failures += [f'{name}, {how}: {why}' for why in rnd.bad]
            if not rnd.bad:
                nginx.wait_requests(path, COUNT)
            results[name, at_once] = rnd, nginx.connections(path)
            show(f'{name}: {COUNT} processes {how}', rnd, nginx.connections(path))
    if results['reqivo', False][1] > 1:
        failures.append(f'the {COUNT} in a row took {results["reqivo", False][1]} connections instead of 1')
    used = nginx.connections('/reqivo-')
    if used > POOL:
        failures.append(f'reqivod opened {used} connections: more than the pool\'s {POOL}')
    summary(results)
    for line in failures:
        print(f'FAILED: {line}')
    return 1 if failures else 0


def summary(results):
    print(f'{"":24}{"reqivo":>12}{"curl":>12}')
    for text, at_once in (('one after another', False), ('at once', True)):
        pair = [results[name, at_once] for name in ('reqivo', 'curl')]
        print(f'{text + ", all ms":24}' + ''.join(f'{rnd.total * 1000:12.0f}' for rnd, _ in pair))
        print(f'{"  connections":24}' + ''.join(f'{connections:12}' for _, connections in pair))
        print(f'{"  CPU ms a process":24}' + ''.join(f'{statistics.median(rnd.cpu):12.1f}' for rnd, _ in pair))


def fetch(place, urls):
    daemon = rt.Reqivod(place)
    sys.stdout.flush()
    argv = [rt.program('reqivo'), '--socket', daemon.socket, '-sS', '--', *urls]
    return os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(argv[0], argv, os.environ), 0)[1])


def main():
    if len(sys.argv) < 2:
        print('usage: run.py BUILD_DIR [URL...]', file=sys.stderr)
        return 2
    os.environ['REQIVO_BUILDDIR'] = os.path.abspath(sys.argv[1])
    try:
        with rt.Place('reqivo-run') as place:
            return fetch(place, sys.argv[2:]) if sys.argv[2:] else main_job(place)
    except rt.Failed as error:
        print(f'./dev run: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
