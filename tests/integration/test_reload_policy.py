#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_reload_policy - a reload of policies and partitions: what is asked is judged by the new ones, what is under way ends by the old
ones, and the result names what differs; `reqivoctl reload` with a good file and with bad ones."""
import json
import os
import signal
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import test_websocket_session as sessions  # noqa: E402
from drivers import rt  # noqa: E402
from manager import Manager  # noqa: E402


class Slow(rt.Origin):
    """/wait is answered once it is released."""

    def __init__(self, place):
        self.release, self.waits = threading.Event(), threading.Event()
        super().__init__(place, self.on_request)

    def on_request(self, request, connection):
        if request.target == '/wait':
            self.waits.set()
            self.release.wait()
        return rt.Origin.answer(connection, b'ok\n')


def policy(body, name='default'):
    users = '' if name == 'default' else 'users = {"daemon"}'
    return f'policy "{name}" {{\n    loopback = allow\n    {body}\n    {users}\n}}\n'


def named(service, *lines):
    """The log has each of them, once more than before."""
    for line in lines:
        rt.poll(f'{line} in the log', lambda line=line: f'reload: {line}\n' in service.output())


def judged(place):
    """SIGHUP: the next request meets the new policy; the one under way, and its answer, do not."""
    origin = Slow(place)
    url = origin.url('/', 'localhost')
    service = Manager(place, policy('requests = 4'))
    service.start()
    flying, driver = drivers.Driver(place, 'async', service.socket), drivers.Driver(place, 'sync', service.socket)
    rt.equal(driver.ask('before', 'GET', url)['error'], '', 'before')
    flying.write(drivers.describe('flying', 'GET', origin.url('/wait', 'localhost')) + 'run\n')
    rt.poll('it is under way', origin.waits.is_set)
    service.write(policy(f'deny = {{"{url}"}}'))
    service.reload()
    named(service, 'policy "default" is changed')
    row = driver.ask('denied', 'GET', url)
    rt.equal((row['error'], row['sent']), ('E_RULE_DENIED', 0), 'the next one')
    rt.contains(row['detail'], f'policy "default": deny[1] "{url}"')
    service.write(policy('requests = 1'))
    service.reload()
    rt.equal(driver.ask('full', 'GET', url)['error'], 'E_LIMIT_REQUESTS', 'beside the one under way')
    service.write(policy("", "other") + 'partition "both" {\n    users = {"bin", "sys"}\n}\n' + rt.Reqivod.CONF)
    service.reload()
    named(service, 'policy "default" is gone', 'policy "other" is new', 'partition "both" is new')
    row = driver.ask('free', 'GET', url)
    rt.equal((row['error'], row['status']), ('', 200), f'no policy holds for us any more: {row["detail"]}')
    origin.release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was under way: {row["detail"]}')
    rt.equal(service.end(), 0, 'exit code')


def addresses(place):
    """What may be dialled has changed: no connection of before is used, idle or not."""
    origin = Slow(place)
    service = Manager(place, policy(''))
    service.start()
    driver = drivers.Driver(place, 'sync', service.socket)
    for n in range(2):
        row = driver.ask(f'warm-{n}', 'GET', origin.url('/'))
        rt.equal((row['error'], row['reused']), ('', n == 1), f'request {n}')
    service.write('policy "default" {\n    loopback = refuse\n}\n')
    service.reload()
    rt.equal(driver.ask('refused', 'GET', origin.url('/'))['error'], 'E_ADDRESS_DENIED', 'loopback is refused')
    service.write(policy(''))
    service.reload()
    rt.equal(driver.ask('again', 'GET', origin.url('/'))['reused'], False, 'a new connection')
    rt.equal(origin.accepted, 2, 'connections')


def reconnects(place, api):
    """An open WebSocket goes on under a policy that denies it now; when it is lost, it is judged as a new one would be."""
    lost = threading.Event()

    def case(_server, connection, _number):
        lost.wait()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    server = sessions.Raw(case)
    daemon = rt.Reqivod(place, conf=policy(''))
    driver = sessions.Driver(daemon, api, sessions.url_of(server), 'reconnect=65535', 'backoff=10', 'opened', 'line', 'end')
    driver.wait('line')
    write(daemon, policy('deny = {"ws://*"}'))
    rt.contains(reloaded(daemon)[1], 'policy "default" is changed')
    rt.equal(driver.count('closed'), 0, 'it is open')
    lost.set()
    driver.go_on()
    lines = driver.end()
    server.stop()
    rt.equal(server.handshakes, 1, 'connections that were opened')
    rt.contains('\n'.join(lines), 'closed E_RULE_DENIED')


def write(daemon, text):
    with open(daemon.conf, 'w', encoding='ascii') as file:
        file.write(text)


def reloaded(daemon):
    done = daemon.reqivoctl('reload')
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def by_reqivoctl(place):
    """A good file: what differs is told. A bad one: file, line and why, and nothing has changed."""
    origin = Slow(place)
    url = origin.url('/', 'localhost')
    daemon = rt.Reqivod(place, conf=policy(f'allow = {{"{url}"}}'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    again = 'the configuration was read again'
    rt.equal(reloaded(daemon), (0, [again], ''), 'the same')
    write(daemon, policy(f'allow = {{"{url}", "http://other.example"}}') + policy('', 'web') + 'pool {\n    connections = 3\n}\ndns {\n    backend = system\n}\n')
    rt.equal(reloaded(daemon), (0, [again, 'pool.connections is changed', 'dns.backend needs a restart', 'policy "default" is changed', 'policy "web" is new'], ''),
             'what differs')
    rt.equal(driver.ask('allowed', 'GET', url)['error'], '', 'a request')
    for text, where in ((policy(f'deny = {{"{url}"}}\n    requests = many'), f"{daemon.conf}:4: policy \"default\".requests: 'many' is not a number"),
                        (policy('deny = {"ftp://x"}'), f'{daemon.conf}:3: policy "default".deny: '),
                        (f'pool {{\n    conections = 1\n}}\n{policy("")}', f"{daemon.conf}:2: no such option 'conections'"),
                        (policy(f'deny = {{"{url}"}}')[:-3], f'{daemon.conf}:1: ')):
        write(daemon, text)
        code, lines, errors = reloaded(daemon)
        assert code != 0, f'{where}: exit code 0'
        rt.contains('\n'.join([*lines, errors]), where)
        rt.equal(driver.ask('still', 'GET', url)['error'], '', f'after {where}')
        rt.equal(driver.ask('denied', 'GET', origin.url('/', '127.0.0.1'))['error'], 'E_RULE_DENIED', 'the old policy is in force')
    write(daemon, 'pool {\n    idle = soon\n    uses = few\n}\n')
    done = daemon.reqivoctl('--json', 'reload')
    rt.equal((done.returncode != 0, done.stdout), (True, b''), 'two faults')
    for line in (f"{daemon.conf}:2: pool.idle: 'soon' is not ", f"{daemon.conf}:3: pool.uses: 'few' is not "):
        rt.contains(done.stderr.decode(), line, 'each is told')
    write(daemon, policy(f'deny = {{"{url}"}}'))
    lines = [row['line'] for row in json.loads(daemon.reqivoctl('--json', 'reload').stdout)]
    rt.equal(lines, [again, 'pool.connections is changed', 'policy "default" is changed', 'policy "web" is gone'], 'as JSON')
    rt.equal(driver.ask('now', 'GET', url)['error'], 'E_RULE_DENIED', 'the new policy')
    daemon.process.send(signal.SIGTERM)
    rt.poll('it has ended', lambda: not daemon.process.running())
    rt.equal(daemon.process.popen.returncode, 0, 'exit code')


def many(place):
    """All sections that there may be are named, and have room in the answer."""
    daemon = rt.Reqivod(place)
    names = [f'{n:02}' + 'n' * 61 for n in range(64)]
    write(daemon, rt.Reqivod.CONF + ''.join(policy('', name) for name in names))
    code, lines, errors = reloaded(daemon)
    rt.equal((code, errors), (0, ''), 'a reload')
    rt.equal(lines[1:], [f'policy "{name}" is new' for name in names], 'what is named')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        tap.case('SIGHUP: requests are judged by the new policy, those under way end well', judged, place)
        tap.case('SIGHUP: rule_b1_k11: addresses of a policy: no connection of before is used', addresses, place)
        tap.case('reqivoctl reload: what differs is told; a bad file changes nothing, and it is said where', by_reqivoctl, place)
        for api in drivers.KINDS:
            tap.case(f'{api}: rule_b9_policy: a WebSocket that connects again is judged by the new policy', reconnects, place, api)
        tap.case('reqivoctl reload: 64 new policies', many, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
