#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_idle - a daemon that nobody uses ends by itself: when, when not, and who connects in that moment. One daemon on a path."""
import os
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402


def conf(idle):
    return f'{rt.Reqivod.CONF}timeouts {{\n    idle_exit = {idle}\n}}\n'


def ended(daemon):
    rt.poll('the daemon has ended', lambda: not daemon.process.running())
    return daemon.process.popen.returncode


def nobody(place, _origin):
    """Without a program it ends, well, and leaves neither socket nor lock."""
    daemon = rt.Reqivod(place, conf=conf('300ms'))
    rt.equal(ended(daemon), 0, 'exit code')
    rt.equal(sorted(os.listdir(daemon.dir)), ['log', 'reqivod.conf'], 'files')
    rt.contains(daemon.process.output(), 'no program was connected')


def somebody(place, origin):
    """A program that is connected keeps it, also when it asks for nothing; then the time begins again."""
    daemon = rt.Reqivod(place, conf=conf('1s'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/sleep/1500'))['error'], '')
    with socket.socket(socket.AF_UNIX) as sock:  # of another kind: it never says a word, and is closed after five seconds
        sock.connect(daemon.socket)
        assert daemon.process.running()
        driver.stop()
        rt.equal(sock.recv(1), b'', 'the silent one is closed')
    rt.equal(ended(daemon), 0, 'exit code')


def stays(place, _origin):
    """By default it stays, and 0 is never."""
    for text in ('auto', '0'):
        daemon = rt.Reqivod(place, conf=conf(text))
        rt.equal(drivers.gauge(daemon)['all_requests'], 0)
        rt.equal(daemon.stop(), 0)
        assert 'no program was connected' not in daemon.process.output(), text


def second(place, _origin):
    """A second daemon on the same path says who is in the way, and the first one stays; after kill -9 nothing is."""
    daemon = rt.Reqivod(place)
    argv = [rt.program('reqivod'), '--socket', daemon.socket, '--config', daemon.conf]
    done = rt.run(argv, check=False)
    rt.equal(done.returncode, 73, done.stderr)
    rt.contains(done.stderr.decode(), f'another daemon holds {daemon.socket}.lock')
    rt.equal(drivers.gauge(daemon)['all_requests'], 0)
    daemon.kill()
    assert os.path.exists(daemon.socket) and os.path.exists(f'{daemon.socket}.lock'), 'what is left behind'
    daemon.start()
    rt.equal(drivers.gauge(daemon)['all_requests'], 0)
    rt.equal(daemon.stop(), 0)
    assert not os.path.exists(f'{daemon.socket}.lock'), 'the lock stays'


def many_at_once(place, _origin):
    """Twenty daemons on one path, where a dead one has left its socket: one stays, and it answers."""
    for _ in range(3):
        daemon = rt.Reqivod(place)
        daemon.kill()
        argv = [rt.program('reqivod'), '--socket', daemon.socket, '--config', daemon.conf]
        with open(daemon.log, 'ab') as log:
            crowd = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log) for _ in range(20)]
        rt.poll('one is left', lambda: sum(one.poll() is None for one in crowd) == 1)
        rt.poll('it answers', lambda: rt.answers(socket.AF_UNIX, daemon.socket))
        rt.equal(drivers.gauge(daemon)['all_requests'], 0)
        left = next(one for one in crowd if one.poll() is None)
        rt.equal([one.returncode for one in crowd if one is not left], [73] * 19)
        left.send_signal(signal.SIGTERM)
        rt.equal(left.wait(rt.DEADLINE), 0)


class Manager(threading.Thread):
    """A service manager's part in socket activation: it owns the socket, and starts the daemon when somebody waits there."""

    def __init__(self, place, idle):
        super().__init__(daemon=True)
        self.dir = place.fresh('manager')
        os.makedirs(self.dir, mode=0o700)
        self.socket = os.path.join(self.dir, 'reqivo.sock')
        self.conf = os.path.join(self.dir, 'reqivod.conf')
        with open(self.conf, 'w', encoding='ascii') as file:
            file.write(conf(idle))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen(4096)
        self.started, self.codes, self.stopping, self.popen = 0, [], False, None
        self.start()
        place.keep(self)

    def run(self):
        import select
        while not self.stopping:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            self.started += 1
            shell = f'export LISTEN_PID=$$; exec "$@" 3<&{self.listener.fileno()}'
            with open(os.path.join(self.dir, 'log'), 'ab') as log:
                self.popen = subprocess.Popen(['sh', '-c', shell, 'sh', rt.program('reqivod'), '--socket', self.socket, '--config', self.conf],
                                              env=dict(os.environ, LISTEN_FDS='1'), pass_fds=[self.listener.fileno()], stdin=subprocess.DEVNULL,
                                              stdout=log, stderr=log)
            self.codes.append(self.popen.wait())

    def stop(self):
        self.stopping = True
        if self.popen and self.popen.poll() is None:
            self.popen.terminate()
        self.join()
        self.listener.close()


def activated(place, origin):
    """Under socket activation it ends, too, and whoever comes next, or in that moment, waits in the manager's socket."""
    manager = Manager(place, '20ms')
    for number in range(60):
        driver = drivers.Driver(place, 'sync', manager.socket)
        row = driver.ask(f'n{number}', 'POST', origin.url('/echo'), 'body fill 10')
        rt.equal((row['error'], row['status']), ('', 200), f'request {number}: {row["detail"]}')
        driver.popen.stdin.close()
        driver.popen.wait(rt.DEADLINE)
        place.things.remove(driver)
        if number % 3 == 0:
            rt.poll('it has ended', lambda: len(manager.codes) == manager.started)
    assert manager.started >= 20, f'it was started {manager.started} times'
    rt.poll('the last one has ended', lambda: len(manager.codes) == manager.started)
    rt.equal(set(manager.codes), {0}, 'exit codes')
    assert os.path.exists(manager.socket), 'the daemon removed a socket that is the service manager\'s'


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        tap.case('idle: it ends, and leaves nothing', nobody, place, origin)
        tap.case('idle: not while a program is connected', somebody, place, origin)
        tap.case('idle: by default it stays', stays, place, origin)
        tap.case('one daemon on a path; what a killed one left is in nobody\'s way', second, place, origin)
        tap.case('one daemon on a path, of twenty that start at once', many_at_once, place, origin)
        tap.case('rule_b11_1: idle exit under socket activation loses nobody', activated, place, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
