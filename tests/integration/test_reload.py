#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_reload - SIGHUP: what takes effect and when, what a bad file does, and that nothing goes over a trust that was taken back.

The load of the changing CA is short in `make check`; REQIVO_LONG=1 runs it in full (20 reloads)."""
import fcntl
import os
import signal
import ssl
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402
from manager import Manager  # noqa: E402

LONG = os.environ.get('REQIVO_LONG') == '1'
RELOADS = 20 if LONG else 5
CONF = rt.Reqivod.CONF
REFUSED = 'E_TLS_CERTIFICATE'


class World:
    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        self.good = [self.bundle(self.certs.ca), self.bundle(self.twin())]
        self.other = self.bundle(os.path.join(self.certs.dir, 'other.pem'))

    def bundle(self, path):
        with open(path, encoding='ascii') as file:
            return file.read()

    def twin(self):
        """Another certificate of the CA's key and name: what the CA has signed is good by either."""
        out = os.path.join(self.certs.dir, 'twin.pem')
        rt.run([rt.tool('openssl'), 'req', '-x509', '-new', '-key', os.path.join(self.certs.dir, 'ca.key'), '-subj',
                '/CN=reqivo test CA', '-days', '20', '-config', os.path.join(self.certs.dir, 'req.conf'), '-addext',
                'basicConstraints=critical,CA:TRUE', '-out', out])
        return out

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certs.files('good'))
        return context


class Trusting(Manager):
    """A service whose CA bundle is ours to change."""

    def __init__(self, place, bundle, conf=CONF):
        self.bundle = place.fresh('bundle')
        self.put(bundle)
        super().__init__(place, f'ca_file = "{self.bundle}"\n{conf}')
        self.start()

    def put(self, bundle):
        with open(self.bundle + '.new', 'w', encoding='ascii') as file:
            file.write(bundle)
        os.rename(self.bundle + '.new', self.bundle)


def well(service):
    status = service.reload()
    assert status.startswith(f'Ready on {service.socket}: ') and 'reload' not in status, status


class Witness(rt.Origin):
    """Knows of each connection how many reloads had begun when it was accepted, and notes that with each request."""

    def __init__(self, place, context):
        self.begun = 0
        self.born = threading.local()
        self.log = []  # (token, reloads begun when its connection was accepted)
        super().__init__(place, self.on_request, context)

    def _serve(self, connection):
        self.born.at = self.begun
        super()._serve(connection)

    def on_request(self, request, connection):
        self.log.append((request.fields['x-token'], self.born.at))
        if request.target == '/slow':
            time.sleep(0.2)
        return rt.Origin.answer(connection, b'ok\n')


class Client(threading.Thread):
    """Asks without a pause. A token says how many reloads were acknowledged when the request was made."""

    def __init__(self, place, service, witness, number, acked):
        super().__init__(daemon=True)
        self.driver = drivers.Driver(place, drivers.KINDS[number % 2], service.socket)
        self.url = witness.url('/slow' if number == 3 else '/', 'localhost')
        self.number, self.acked = number, acked
        self.rows = []  # (token, acknowledged before, acknowledged after, error, status)
        self.ending = False

    def run(self):
        count = 0
        while not self.ending:
            before = self.acked[0]
            token = f'{self.number}-{count}'
            method, more = ('POST', ['body fill 100']) if count % 2 else ('GET', [])
            row = self.driver.ask(token, method, self.url, ('field', 'X-Token', token), *more)
            self.rows.append((token, before, self.acked[0], row['error'], row['status']))
            count += 1
            time.sleep(0.002)

    def since(self, acks):
        """Requests made after that many reloads were acknowledged."""
        return sum(1 for row in self.rows if row[1] >= acks)


def judge(row, kinds, born, tally):
    """kinds[n]: what is trusted once n reloads are acknowledged; the next may be in force a little before that."""
    token, before, after, error, status = row
    may = kinds[before:min(after + 2, len(kinds))]
    tally['answered' if error == '' else 'refused'] += 1
    if error == '':
        rt.equal(status, 200, token)
        assert 'good' in may, f'{token} was answered while the server was not trusted'
    else:
        rt.equal(error, REFUSED, token)
        assert 'other' in may, f'{token} was refused while the server was trusted'
        assert token not in born, f'{token} was refused and has arrived'
    for at in born.get(token, ()):
        assert at >= before, f'{token}, made after reload {before}, went over a connection of reload {at}'


def changing(world, place):
    """Every reload changes the bundle; every third one trusts somebody else."""
    service = Trusting(place, world.good[0])
    witness = Witness(place, world.context())
    acked, kinds = [0], ['good']
    clients = [Client(place, service, witness, number, acked) for number in range(4)]
    for client in clients:
        client.start()
    for n in range(1, RELOADS + 1):
        kind = 'other' if n % 3 == 2 else 'good'
        rt.poll('all clients have asked', lambda n=n: all(client.since(n - 1) >= 3 for client in clients))
        kinds.append(kind)
        service.put(world.other if kind == 'other' else world.good[n % 3 % 2])
        witness.begun = n
        service.reload()
        acked[0] = n
    rt.poll('all clients have asked', lambda: all(client.since(RELOADS) >= 3 for client in clients))
    for client in clients:
        client.ending = True
    for client in clients:
        client.join(rt.DEADLINE * drivers.SLOW)
    born = {}
    for token, at in witness.log:
        born.setdefault(token, []).append(at)
    tally = {'answered': 0, 'refused': 0}
    for client in clients:
        for row in client.rows:
            judge(row, kinds, born, tally)
    assert all(len(at) == 1 for token, at in born.items()), 'a request has arrived twice'
    assert tally['answered'] and tally['refused'], tally
    logged(service, 'the CA certificates are changed', RELOADS)
    print(f'# {RELOADS} reloads, {tally["answered"]} requests answered, {tally["refused"]} refused, '
          f'{len(set(born))} arrived, {witness.accepted} connections')
    rt.equal(service.end(), 0, 'exit code')


def unchanged(world, place):
    """A reload of the same closes nothing."""
    service = Trusting(place, world.good[0])
    witness = Witness(place, world.context())
    driver = drivers.Driver(place, 'sync', service.socket)
    for n in range(3):
        row = driver.ask(f'same-{n}', 'GET', witness.url('/', 'localhost'), ('field', 'X-Token', f'same-{n}'))
        rt.equal((row['error'], row['status'], row['reused']), ('', 200, n > 0), f'request {n}')
        well(service)
    rt.equal(witness.accepted, 1, 'connections')
    heard = service.notify.lines()
    at = heard.index('RELOADING=1')
    assert heard[at + 1].startswith('MONOTONIC_USEC=') and int(heard[at + 1][15:]) <= time.monotonic() * 1e6, heard
    rt.contains(heard[at:], 'READY=1', 'afterwards')


BAD = (
    ('a value', 'pool {\n    connections = lots\n}\n', ':3: pool.connections: '),
    ('the syntax', 'pool {\n', 'reqivod.conf:'),
    ('two values', 'limits {\n    requests_uid = 9\n    requests_total = 8\n}\n', ':3: limits.requests_uid: '),
    ('the CA file', 'ca_file = "/nonexistent/ca.pem"\n', 'ca_file: /nonexistent/ca.pem: '),
    ('no file', None, 'cannot be read'),
)


def bad(world, place):
    """What is in force stays in force, and it is said what is wrong and where: to the log and to the service manager."""
    service = Trusting(place, world.good[0])
    witness = Witness(place, world.context())
    driver = drivers.Driver(place, 'async', service.socket)
    good = f'ca_file = "{service.bundle}"\n{CONF}'

    def works(token, reused):
        row = driver.ask(token, 'GET', witness.url('/', 'localhost'), ('field', 'X-Token', token))
        rt.equal((row['error'], row['status'], row['reused']), ('', 200, reused), f'{token}: {row["detail"]}')

    works('before', False)
    for what, text, where in BAD:
        if text is None:
            os.unlink(service.conf)
        else:
            service.write(f'# {what}\n' + text)
        count = service.output().count('reload: nothing is changed: ')
        status = service.reload()
        rt.contains(status, 'the last reload changed nothing: ', what)
        rt.contains(status, where, what)
        rt.poll('the log says so', lambda: service.output().count('reload: nothing is changed: ') > count)
        works(what.replace(' ', '-'), True)
    service.write(good)
    well(service)
    service.put('no certificate')
    rt.contains(service.reload(), f'ca_file: {service.bundle}: ', 'a bundle without a certificate')
    works('after', True)
    rt.equal(witness.accepted, 1, 'connections')


def logged(service, line, times=1):
    """The log is written by a thread of its own."""
    rt.poll(f'{times} of {line!r} in the log', lambda: service.output().count(f'reload: {line}\n') >= times)
    rt.equal(service.output().count(f'reload: {line}\n'), times, line)


def settings(_world, place):
    """What is changed is in force for the next use, and what was in flight before is not touched."""
    release, waits = threading.Event(), threading.Event()

    def handler(request, connection):
        if request.target == '/wait':
            waits.set()
            release.wait()
        return rt.Origin.answer(connection, b'ok\n')

    origin = rt.Origin(place, handler)
    service = Manager(place, CONF)
    service.start()
    driver = drivers.Driver(place, 'sync', service.socket)
    flying = drivers.Driver(place, 'async', service.socket)

    def ask(token, *options):
        return driver.ask(token, 'GET', origin.url('/'), *options)

    def change(text, *names):
        service.write(text)
        well(service)
        for name in names:
            rt.poll(f'{name} in the log', lambda: f'reload: {name} is changed\n' in service.output())

    rt.equal(ask('before')['error'], '', 'before')
    flying.write(drivers.describe('flying', 'GET', origin.url('/wait')) + 'run\n')
    rt.poll('it is in flight', waits.is_set)
    change('address_policy {\n    loopback = refuse\n}\n', 'address_policy.loopback')
    rt.equal(ask('refused')['error'], 'E_ADDRESS_DENIED', 'loopback is refused')
    change(CONF + 'tls {\n    insecure = refuse\n}\n', 'address_policy.loopback', 'tls.insecure')
    rt.equal(ask('again')['error'], '', 'loopback is allowed again')
    rt.equal(ask('insecure', 'verify 0')['error'], 'E_OPTION_DENIED', 'verification off')
    change(CONF + 'limits {\n    requests_uid = 1\n}\nlog_level = debug\n', 'tls.insecure', 'limits.requests_uid', 'log_level')
    rt.equal(ask('second')['error'], 'E_LIMIT_REQUESTS', 'beside one in flight')
    rt.poll('the log tells more', lambda: 'reqivod: debug: ' in service.output())
    change(CONF + 'pool {\n    idle = 1ms\n}\n', 'limits.requests_uid', 'pool.idle', 'log_level')
    rt.equal(ask('idle-1')['error'], '', 'a request')
    time.sleep(0.01)
    rt.equal((row := ask('idle-2'))['reused'], False, f'after an idle time of 1 ms: {row}')
    release.set()
    row = flying.line()
    rt.equal((row['error'], row['status']), ('', 200), f'what was in flight all the time ({row["detail"]})')


def fixed(_world, place):
    """What cannot change while it runs is named, and stays."""
    origin = rt.Origin(place)
    service = Manager(place, CONF)
    service.start()
    service.write('dns {\n    backend = system\n}\npool {\n    connections = 3\n}\n' + CONF)
    service.reload()
    logged(service, 'dns.backend needs a restart')
    rt.equal(service.reqivo('-sS', origin.url('/')).returncode, 0, 'a request')
    service.reload()
    logged(service, 'dns.backend needs a restart', 2)  # each time
    logged(service, 'pool.connections is changed')  # once


def many(world, place):
    """Who asks while one runs is served by the next: what is in force in the end is the last."""
    service = Trusting(place, world.good[0])
    for i in range(1, 31):
        service.put(world.good[i % 2] if i < 30 else world.other)
        service.process.send(signal.SIGHUP)
    witness = Witness(place, world.context())

    def refused():
        done = service.reqivo('-sS', '-H', 'X-Token: many', witness.url('/', 'localhost'))
        return done.returncode == 60

    rt.poll('the last bundle is in force', refused)
    rt.equal(service.notify.count('RELOADING=1') + 1, service.notify.count('READY=1'), 'each is acknowledged')
    rt.equal(service.end(), 0, 'exit code')


def drained(world, place):
    """SIGTERM while one runs, and SIGHUP while it drains."""
    for first, then in ((signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP)):
        service = Trusting(place, world.good[0])
        service.put(world.good[1])
        service.process.send(first)
        service.process.send(then)
        rt.poll('it has ended', lambda service=service: not service.process.running())
        rt.equal(service.process.popen.returncode, 0, f'exit code after {first.name} and {then.name}')


def start_in_terminal(place, socket):
    """A daemon as a shell's foreground job; the master of its terminal."""
    master, slave = os.openpty()

    def become_leader():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    conf = place.write('terminal.conf', CONF)
    with open(place.path('terminal.log'), 'wb') as log:
        popen = subprocess.Popen([rt.program('reqivod'), '--socket', socket, '--config', conf], stdin=slave, stdout=log,
                                 stderr=log, preexec_fn=become_leader, pass_fds=(slave,))
    os.close(slave)
    return popen, master


def terminal(_world, place):
    """With its terminal it ends, drained; while there is one it reloads."""
    folder = place.fresh('terminal')
    os.makedirs(folder, mode=0o700)
    path = os.path.join(folder, 'reqivo.sock')
    popen, master = start_in_terminal(place, path)

    def log():
        with open(place.path('terminal.log'), errors='replace') as file:
            return file.read()

    try:
        rt.poll('it is ready', lambda: 'ready on' in log())
        popen.send_signal(signal.SIGHUP)
        rt.poll('it has reloaded', lambda: 'was read again' in log())
        rt.equal(popen.poll(), None, 'it runs')
        os.close(master)
        rt.equal(popen.wait(rt.DEADLINE), 0, 'exit code after its terminal has gone')
        rt.contains(log(), 'the terminal is gone')
        rt.contains(log(), 'draining')
    finally:
        popen.kill()
        popen.wait()


def main():
    tap = rt.Tap()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with rt.Place() as place:
        world = World(place)
        tap.case('rule_b7_7: a changed CA: nothing over the old trust once the reload is acknowledged', changing, world, place)
        tap.case('a reload of the same closes nothing; RELOADING=1, MONOTONIC_USEC, READY=1', unchanged, world, place)
        tap.case('a bad file leaves the old one in force and says where', bad, world, place)
        tap.case('changed settings are in force for the next use', settings, world, place)
        tap.case('what needs a restart is named', fixed, world, place)
        tap.case('thirty at once: the last one is in force', many, world, place)
        tap.case('a reload and the end cross', drained, world, place)
        tap.case('a daemon in a terminal ends with it, and reloads while it is there', terminal, world, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
