#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_service - the daemon as a service: started by socket activation, Type=notify, SIGTERM drains."""
import os
import signal
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

ONE = rt.Reqivod.CONF + 'pool {\n    connections = 1\n}\n'


class Notify:
    """What a service manager hears."""

    def __init__(self, place):
        self.path = place.fresh('notify')
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.setblocking(False)
        self.heard = []
        place.keep(self)

    def lines(self):
        while True:
            try:
                self.heard += self.sock.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    def wait(self, line):
        rt.poll(f'{line} by sd_notify, got {self.heard}', lambda: line in self.lines())

    def stop(self):
        self.sock.close()


class Service:
    """reqivod under a hand-made service manager."""

    def __init__(self, place, activated):
        self.notify = Notify(place)
        self.dir = place.fresh('service')
        os.makedirs(self.dir, mode=0o700)
        self.socket = os.path.join(self.dir, 'reqivo.sock')
        conf = os.path.join(self.dir, 'reqivod.conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(ONE)
        env = {k: v for k, v in os.environ.items() if k not in ('LISTEN_FDS', 'LISTEN_PID', 'JOURNAL_STREAM')}
        env['NOTIFY_SOCKET'] = self.notify.path
        argv = [rt.program('reqivod'), '--socket', self.socket, '--config', conf]
        if activated:
            argv = [rt.tool('systemd-socket-activate'), '-l', self.socket, '-E', 'NOTIFY_SOCKET', *argv]
        self.process = place.keep(rt.Process(argv, os.path.join(self.dir, 'log'), env=env))
        self.process.need('the socket is there', lambda: os.path.exists(self.socket))

    def term(self):
        self.process.send(signal.SIGTERM)

    def ended(self):
        rt.poll('the daemon has ended', lambda: not self.process.running())
        return self.process.popen.returncode

    def gauge(self):
        done = rt.run([rt.program('reqivoctl'), '--socket', self.socket, '--json', 'status'])
        import json
        return json.loads(done.stdout)


def notified(place, origin):
    service = Service(place, False)
    service.notify.wait('READY=1')
    driver = drivers.Driver(place, 'sync', service.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '', 'a request')
    service.term()
    service.notify.wait('STOPPING=1')
    rt.equal(service.ended(), 0, 'exit code')


def activated(place, origin):
    """The first connection starts the daemon, and waits until it answers."""
    service = Service(place, True)
    driver = drivers.Driver(place, 'sync', service.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '', 'the first request')
    service.notify.wait('READY=1')
    service.term()
    service.notify.wait('STOPPING=1')
    rt.equal(service.ended(), 0, 'exit code')
    assert os.path.exists(service.socket), 'the daemon removed a socket that is the service manager\'s'


def drained(place, origin):
    """What is in flight ends well; what waits comes back as not sent, and never reaches the origin."""
    origin.release.clear()
    service = Service(place, False)
    service.notify.wait('READY=1')
    flying = drivers.Driver(place, 'async', service.socket)
    flying.write(drivers.describe('flying', 'POST', origin.url('/wait'), ('field', 'X-Token', 'flying'), 'body fill 1000') + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('flying'))
    waiting = drivers.Driver(place, 'async', service.socket)
    waiting.write(''.join(drivers.describe(f'waiting{i}', 'POST', origin.url('/echo'), ('field', 'X-Token', f'waiting{i}'),
                                           'body fill 1000') for i in range(5)) + 'run\n')
    rt.poll('they wait', lambda: service.gauge()['all_requests'] == 6)
    service.term()
    service.notify.wait('STOPPING=1')
    rows = [waiting.line() for _ in range(5)]
    for row in rows:
        rt.equal(row['class'], 'daemon', f'the class of {row["error"]}: {row["detail"]}')
        assert row['error'] in ('E_SHUTDOWN', 'E_NO_DAEMON', 'E_DAEMON_LOST'), row
        rt.equal(row['sent'], 0, f'sent ({row["error"]})')
        rt.equal(origin.seen(row['tag']), [], f'{row["tag"]} at the origin')
    assert service.process.running(), 'the daemon did not wait for what was in flight'
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight ({row["detail"]})')
    rt.equal(service.ended(), 0, 'exit code')
    rt.equal(len(origin.seen('flying')), 1, 'how often it arrived')


def hung_up(place, origin):
    """SIGHUP drains, however often it comes; SIGUSR1 and SIGUSR2 do nothing."""
    origin.release.clear()
    daemon = rt.Reqivod(place, conf=ONE)
    flying = drivers.Driver(place, 'async', daemon.socket)
    flying.write(drivers.describe('hup', 'GET', origin.url('/wait'), ('field', 'X-Token', 'hup')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('hup'))
    daemon.process.send(signal.SIGUSR1)
    daemon.process.send(signal.SIGUSR2)
    rt.equal(drivers.gauge(daemon)['all_requests'], 1, 'requests after SIGUSR1 and SIGUSR2')
    daemon.process.send(signal.SIGHUP)
    rt.poll('the socket is gone', lambda: not os.path.exists(daemon.socket))
    daemon.process.send(signal.SIGHUP)
    rt.poll('it drains', lambda: 'draining' in daemon.process.output())
    assert daemon.process.running(), 'the daemon did not wait for what was in flight'
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight ({row["detail"]})')
    rt.poll('the daemon has ended', lambda: not daemon.process.running())
    rt.equal(daemon.process.popen.returncode, 0, 'exit code')


def nohup(place, _origin):
    """Who ignores SIGHUP before the start, as nohup(1) does, keeps the daemon."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        daemon = rt.Reqivod(place, conf=ONE)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    daemon.process.send(signal.SIGHUP)
    rt.equal(drivers.gauge(daemon)['all_requests'], 0, 'requests')
    daemon.process.send(signal.SIGTERM)
    rt.poll('the daemon has ended', lambda: not daemon.process.running())
    assert 'draining' in daemon.process.output()
    rt.equal(daemon.process.output().count('draining'), 1, 'how often it was asked to stop')


def handed_over(place, origin):
    """What was not started goes to the daemon's successor by itself."""
    origin.release.clear()
    daemon = rt.Reqivod(place, conf=ONE)
    flying = drivers.Driver(place, 'async', daemon.socket)
    flying.write(drivers.describe('flying2', 'GET', origin.url('/wait'), ('field', 'X-Token', 'flying2')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('flying2'))
    waiting = drivers.Driver(place, 'async', daemon.socket)
    waiting.write(drivers.describe('next', 'POST', origin.url('/echo'), ('field', 'X-Token', 'next'), 'body fill 1000') + 'run\n')
    rt.poll('it waits', lambda: drivers.gauge(daemon)['all_requests'] == 2)
    daemon.process.send(signal.SIGTERM)
    origin.release.set()
    rt.equal(flying.line()['error'], '', 'what was in flight')
    rt.poll('the daemon has ended', lambda: not daemon.process.running())
    daemon.start()
    row = waiting.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what waited ({row["detail"]})')
    rt.equal(len(origin.seen('next')), 1, 'how often it arrived')


def stuck(place, origin):
    """An answer that never ends does not keep the daemon: it gives up after its drain time."""
    conf = rt.Reqivod.CONF + 'timeouts {\n    drain = 500ms\n}\n'
    daemon = rt.Reqivod(place, conf=conf)
    driver = drivers.Driver(place, 'async', daemon.socket)
    driver.write(drivers.describe('stuck', 'GET', origin.url('/stall'), ('field', 'X-Token', 'stuck')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('stuck'))
    daemon.process.send(signal.SIGTERM)
    rt.poll('the daemon has ended', lambda: not daemon.process.running(), 5 * drivers.SLOW)
    row = driver.line()
    rt.equal(row['class'], 'daemon', f'{row["error"]}: {row["detail"]}')
    assert row['sent'] in (1, 2), row


def main():
    tap = rt.Tap()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        tap.case('Type=notify: READY=1, STOPPING=1, exit 0', notified, place, origin)
        tap.case('socket activation: the first request waits for the start', activated, place, origin)
        tap.case('rule_b11_3: SIGTERM drains: in flight ends well, waiting comes back as not sent', drained, place, origin)
        tap.case('SIGHUP drains as SIGTERM does; SIGUSR1 and SIGUSR2 do nothing', hung_up, place, origin)
        tap.case('SIGHUP that was ignored at the start stays ignored', nohup, place, origin)
        tap.case('rule_b11_3: what was not started goes to the successor', handed_over, place, origin)
        tap.case('rule_b11_3: draining ends after its time', stuck, place, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
