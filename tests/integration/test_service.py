#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_service - the daemon as a service: started by socket activation, Type=notify, SIGTERM drains."""
import os
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from manager import Notify  # noqa: E402

EX_CANTCREAT = 73
ONE = rt.Reqivod.CONF + 'pool {\n    connections = 1\n}\n'


class Service:
    """reqivod under a hand-made service manager."""

    def __init__(self, place, activated=None, env_more=None, settings=''):
        self.notify = Notify(place)
        self.dir = place.fresh('service')
        os.makedirs(self.dir, mode=0o700)
        self.socket = os.path.join(self.dir, 'reqivo.sock')
        conf = os.path.join(self.dir, 'reqivod.conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(ONE + settings)
        env = {k: v for k, v in os.environ.items() if k not in ('LISTEN_FDS', 'LISTEN_PID', 'JOURNAL_STREAM')}
        env.update(env_more or {}, NOTIFY_SOCKET=self.notify.path)
        argv = [rt.program('reqivod'), '--socket', self.socket, '--config', conf]
        if activated is not None:
            argv = [rt.tool('systemd-socket-activate'), '-l', self.socket, '-E', 'NOTIFY_SOCKET', *activated, *argv]
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
    service = Service(place)
    service.notify.wait('READY=1')
    driver = drivers.Driver(place, 'sync', service.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '', 'a request')
    service.term()
    service.notify.wait('STOPPING=1')
    rt.equal(service.ended(), 0, 'exit code')


def activated(place, origin):
    """The first connection starts the daemon, and waits until it answers."""
    for given in ([], ['--fdname=reqivo']):
        service = Service(place, given)
        driver = drivers.Driver(place, 'sync', service.socket)
        rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '', 'the first request')
        service.notify.wait('READY=1')
        rt.poll('its log', lambda service=service: f'ready on {service.socket} ' in service.process.output())
        service.term()
        service.notify.wait('STOPPING=1')
        rt.equal(service.ended(), 0, 'exit code')
        assert os.path.exists(service.socket), 'the daemon removed a socket that is the service manager\'s'


def listener(place, kind=socket.SOCK_STREAM, listens=True):
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(place.fresh('passed'))
    if listens and kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def pass_on(place, names, socks):
    """reqivod as a service manager starts it, with these descriptors under these names: argv and options of Popen."""
    service = place.fresh('by-hand')
    os.mkdir(service, mode=0o700)
    env = dict(os.environ, LISTEN_FDS=str(len(socks)), LISTEN_FDNAMES=names)
    numbers = [os.dup2(sock.fileno(), 60 + i) for i, sock in enumerate(socks)]  # out of the way of 3, 4 ...

    def put():
        for i, number in enumerate(numbers):
            os.dup2(number, 3 + i)

    argv = ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', rt.program('reqivod'), '--socket', os.path.join(service, 'reqivo.sock')]
    return argv, {'env': env, 'preexec_fn': put, 'close_fds': False}


def names(place, _origin):
    """A name that is unknown, one that comes twice, and what is no listening UNIX stream socket: one line each, and no start."""
    with socket.create_server(('127.0.0.1', 0)) as inet:
        wrong = (
            ('reqivo:bogus', [listener(place), listener(place)], "'bogus' from the service manager is not a name that reqivod knows"),
            ('unknown:unknown', [listener(place), listener(place)], 'must be reqivo or control'),
            ('reqivo:reqivo', [listener(place), listener(place)], "'reqivo' from the service manager was passed before"),
            ('reqivo', [inet], 'is not a listening UNIX stream socket'),
            ('reqivo', [listener(place, listens=False)], 'is not a listening UNIX stream socket'),
            ('reqivo:control', [listener(place), listener(place, socket.SOCK_DGRAM)], "'control' from the service manager is not a list"),
        )
        for given, socks, words in wrong:
            argv, options = pass_on(place, given, socks)
            done = rt.run(argv, check=False, **options)
            said = done.stderr.decode()
            rt.equal((done.returncode, said.count(': error: ')), (EX_CANTCREAT, 1), f'{given}: {said}')
            rt.contains(said, words, given)


def status(place, origin):
    """STATUS follows the figures, without a watchdog as well as with one."""
    origin.release.clear()
    service = Service(place, env_more={'WATCHDOG_USEC': '400000'})
    service.notify.wait(f'STATUS=Ready on {service.socket}: 0 programs, 0 requests, 0 connections')
    flying = drivers.Driver(place, 'async', service.socket)
    flying.write(drivers.describe('status', 'GET', origin.url('/wait'), ('field', 'X-Token', 'status')) + 'run\n')
    service.notify.wait(f'STATUS=Ready on {service.socket}: 1 programs, 1 requests, 1 connections')
    service.term()
    service.notify.wait('EXTEND_TIMEOUT_USEC=15000000')
    service.notify.wait(f'STATUS=Draining {service.socket}: 1 programs, 1 requests, 1 connections')
    origin.release.set()
    rt.equal(flying.line()['error'], '', 'what was in flight')
    rt.equal(service.ended(), 0, 'exit code')
    plain = Service(place)
    plain.notify.wait('READY=1')
    flying = drivers.Driver(place, 'async', plain.socket)
    plain.notify.wait(f'STATUS=Ready on {plain.socket}: 1 programs, 0 requests, 0 connections')
    rt.equal(plain.notify.count('WATCHDOG=1'), 0, 'signs of life that nobody asked for')


def watchdog(place, _origin):
    """Signs of life come from the loop: none while it stands still."""
    service = Service(place, env_more={'WATCHDOG_USEC': '400000'})
    rt.poll('five signs of life', lambda: service.notify.count('WATCHDOG=1') >= 5)
    service.process.send(signal.SIGSTOP)
    os.waitid(os.P_PID, service.process.pid, os.WSTOPPED | os.WNOWAIT)
    before = service.notify.count('WATCHDOG=1')
    time.sleep(1)  # five would have come
    rt.equal(service.notify.count('WATCHDOG=1'), before, 'signs of life of a process that is stopped')
    service.process.send(signal.SIGCONT)
    rt.poll('signs of life again', lambda: service.notify.count('WATCHDOG=1') > before)
    service.term()
    rt.equal(service.ended(), 0, 'exit code')


def drained(place, origin):
    """What is in flight ends well; what waits comes back as not sent, and never reaches the origin."""
    origin.release.clear()
    service = Service(place, settings='timeouts {\n    drain = 60s\n}\n')
    service.notify.wait('READY=1')
    flying = drivers.Driver(place, 'async', service.socket)
    flying.write(drivers.describe('flying', 'POST', origin.url('/wait'), ('field', 'X-Token', 'flying'), 'body fill 1000') + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('flying'))
    waiting = drivers.Driver(place, 'async', service.socket)
    waiting.write(''.join(drivers.describe(f'waiting{i}', 'POST', origin.url('/echo'), ('field', 'X-Token', f'waiting{i}'),
                                           'body fill 1000', 'timeout total 8000') for i in range(5)) + 'run\n')
    rt.poll('they wait', lambda: service.gauge()['all_requests'] == 6)
    service.term()
    service.notify.wait('STOPPING=1')
    rows = [waiting.line() for _ in range(5)]
    for row in rows:
        rt.equal(row['error'], 'E_TIMEOUT_TOTAL', row['detail'])  # it waited for the next daemon
        rt.equal(row['sent'], 0, f'sent ({row["error"]})')
        rt.equal(origin.seen(row['tag']), [], f'{row["tag"]} at the origin')
    assert service.process.running(), 'the daemon did not wait for what was in flight'
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight ({row["detail"]})')
    rt.equal(service.ended(), 0, 'exit code')
    rt.equal(len(origin.seen('flying')), 1, 'how often it arrived')


def signals(place, origin):
    """SIGUSR1 and SIGUSR2 do nothing, SIGHUP reloads, however often it comes; what is in flight ends well."""
    origin.release.clear()
    daemon = rt.Reqivod(place, conf=ONE)
    flying = drivers.Driver(place, 'async', daemon.socket)
    flying.write(drivers.describe('hup', 'GET', origin.url('/wait'), ('field', 'X-Token', 'hup')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('hup'))
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGHUP):
        daemon.process.send(number)
        rt.equal(drivers.gauge(daemon)['all_requests'], 1, f'requests after {number.name}')
    rt.poll('it has reloaded', lambda: 'was read again' in daemon.process.output())
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight ({row["detail"]})')
    rt.equal(daemon.stop(), 0, 'exit code')


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
    assert 'reload' not in daemon.process.output()


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
        tap.case('rule_b11_1: socket activation: the first request waits for the start', activated, place, origin)
        tap.case('rule_b11_1: what is passed is known by its name, and is what it should be', names, place, origin)
        tap.case('rule_b11_2: STATUS follows the figures', status, place, origin)
        tap.case('rule_b11_2: signs of life come from the loop', watchdog, place, origin)
        tap.case('rule_b11_3: SIGTERM drains: in flight ends well, waiting comes back as not sent', drained, place, origin)
        tap.case('SIGHUP reloads; SIGUSR1 and SIGUSR2 do nothing', signals, place, origin)
        tap.case('SIGHUP that was ignored at the start stays ignored', nohup, place, origin)
        tap.case('rule_b11_3: what was not started goes to the successor', handed_over, place, origin)
        tap.case('rule_b11_3: draining ends after its time', stuck, place, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
