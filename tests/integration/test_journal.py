#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_journal - what the journal gets: MESSAGE_ID and fields of each kind of event, by a journal of the test's own.

The socket of the journal has one place. So the test moves into a mount namespace with a /run of its own, which needs root, and
listens there; nothing of it is seen outside.
"""
import os
import re
import signal
import socket
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

JOURNAL = '/run/systemd/journal/socket'
CONF = rt.Reqivod.CONF
UNSHARE = ['unshare', '--mount', '--propagation', 'private']


def table():
    """NAME -> MESSAGE_ID, of the daemon's source."""
    with open(os.path.join(rt.srcdir(), 'daemon', 'base', 'log_ids.h'), encoding='ascii') as file:
        return dict(re.findall(r'X\((\w+),\s+"([0-9a-f]{32})"', file.read()))


def parse(datagram):
    """One entry in the journal's own format: NAME=value lines, or NAME, a length and bytes."""
    entry = {}
    while datagram:
        line, _, rest = datagram.partition(b'\n')
        name, equals, value = line.partition(b'=')
        if not equals:
            size, = struct.unpack('<Q', rest[:8])
            value, rest = rest[8:8 + size], rest[9 + size:]
        entry[name.decode('ascii')] = value.decode('utf-8')
        datagram = rest
    return entry


class Journal:
    """What journald would hear."""

    def __init__(self, place):
        os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(JOURNAL)
        self.sock.setblocking(False)
        self.heard = []
        place.keep(self)

    def entries(self, **fields):
        """All entries heard so far that have these fields."""
        while True:
            try:
                self.heard.append(parse(self.sock.recv(65536)))
            except BlockingIOError:
                return [e for e in self.heard if all(e.get(name) == value for name, value in fields.items())]

    def wait(self, what, **fields):
        return rt.poll(f'{what} in the journal: {fields}', lambda: self.entries(**fields))[0]

    def forget(self):
        self.entries()
        self.heard.clear()

    def stop(self):
        self.sock.close()


class Logged(rt.Reqivod):
    """A daemon whose standard error is the journal's stream, as a service has it."""

    def start(self):
        with open(self.log, 'ab') as file:
            st = os.fstat(file.fileno())
        argv = [rt.program('reqivod'), '--socket', self.socket, '--config', self.conf, *self.args]
        env = dict(os.environ, JOURNAL_STREAM=f'{st.st_dev}:{st.st_ino}')
        self.process = rt.Process(argv, self.log, env=env)
        self.process.need('the socket answers', lambda: rt.answers(socket.AF_UNIX, self.socket))


def lifetime(place, journal, ids):
    daemon = Logged(place, conf=CONF)
    for name in ('STARTED', 'READY'):
        entry = journal.wait(name, MESSAGE_ID=ids[name])
        rt.equal((entry['REQIVO_SOCKET'], entry['REQIVO_INSTANCE'], entry['SYSLOG_IDENTIFIER'], entry['PRIORITY']),
                 (daemon.socket, 'user', 'reqivod', '5'), name)
        assert re.fullmatch(r'\d+\.\d+\.\d+', entry['REQIVO_VERSION']), entry
    daemon.process.send(signal.SIGTERM)
    journal.wait('STOPPING', MESSAGE_ID=ids['STOPPING'])
    rt.equal(daemon.process.popen.wait(rt.DEADLINE), 0, 'exit code')
    rt.equal(daemon.process.output(), '', 'standard error')


def violation(_place, journal, ids, daemon):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(daemon.socket)
        sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        entry = journal.wait('VIOLATION', MESSAGE_ID=ids['VIOLATION'])
    rt.equal((entry['REQIVO_UID'], entry['REQIVO_PID'], entry['PRIORITY']), (str(os.getuid()), str(os.getpid()), '4'), entry)
    assert entry['REQIVO_REASON'], entry


def refused(place, journal, ids, daemon):
    driver = drivers.Driver(place, 'sync', daemon.socket)
    row = driver.ask('a', 'GET', 'http://169.254.169.254/')
    rt.equal(row['error'], 'E_ADDRESS_DENIED', row)
    entry = journal.wait('REFUSED', MESSAGE_ID=ids['REFUSED'])
    rt.equal((entry['REQIVO_UID'], entry['REQIVO_PID'], entry['REQIVO_ERROR']),
             (str(os.getuid()), str(driver.popen.pid), 'E_ADDRESS_DENIED'), entry)


def limited(place, journal, ids, origin):
    """One user at his limit, again and again: his lines have a rate, and what was not said is counted."""
    daemon = Logged(place, conf=CONF + 'limits {\n    requests_uid = 1\n    requests_total = 1\n}\n')
    journal.forget()
    origin.release.clear()
    busy = drivers.Driver(place, 'async', daemon.socket)
    busy.write(drivers.describe('busy', 'GET', origin.url('/wait'), ('field', 'X-Token', 'busy')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('busy'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    for number in range(40):
        rt.equal(driver.ask(f'n{number}', 'GET', origin.url('/echo'))['error'], 'E_LIMIT_REQUESTS')
    origin.release.set()
    rt.equal(busy.line()['error'], '', 'what was in flight')
    rt.equal(driver.ask('last', 'GET', origin.url('/echo'))['error'], '', 'afterwards')
    entry = journal.wait('LIMIT', MESSAGE_ID=ids['LIMIT'])
    rt.equal((entry['REQIVO_UID'], entry['REQIVO_ERROR']), (str(os.getuid()), 'E_LIMIT_REQUESTS'), entry)
    count = len(journal.entries(MESSAGE_ID=ids['LIMIT']))
    assert 10 <= count < 40, f'{count} lines of 40'
    rt.equal(daemon.stop(), 0, 'exit code')


def turned_away(place, journal, ids, origin):
    """Connections that are not taken, again and again."""
    daemon = Logged(place, conf=CONF + 'limits {\n    peers_uid = 1\n    peers_total = 1\n}\n')
    driver = drivers.Driver(place, 'sync', daemon.socket)
    # who asked whether the socket answers may still be counted
    rt.poll('a program is in', lambda: driver.ask('a', 'GET', origin.url('/echo'))['error'] == '')
    journal.forget()
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(daemon.socket)
            rt.contains(sock.recv(4096), b'too many programs', 'what is said to it')
    entry = journal.wait('LIMIT', MESSAGE_ID=ids['LIMIT'])
    rt.equal((entry['REQIVO_UID'], entry['REQIVO_PID'], entry['REQIVO_ERROR']), (str(os.getuid()), str(os.getpid()), 'E_LIMIT_PEERS'))
    count = len(journal.entries(MESSAGE_ID=ids['LIMIT']))
    assert 0 < count < 30, f'{count} lines of 30'
    driver.stop()


def accessed(place, journal, ids, origin):
    """The access log's line is an entry with its fields; the message is for people."""
    daemon = Logged(place, conf=CONF + 'log {\n    access = all\n}\n')
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'POST', origin.url('/echo?hidden'), 'body fill 10')['error'], '')
    entry = journal.wait('ACCESS', MESSAGE_ID=ids['ACCESS'], REQIVO_PID=str(driver.popen.pid))
    expected = {'REQIVO_UID': str(os.getuid()), 'REQIVO_METHOD': 'POST', 'REQIVO_STATUS': '200', 'REQIVO_OUTCOME': 'ok',
                'REQIVO_ORIGIN': f'http://127.0.0.1:{origin.port}', 'REQIVO_BYTES_UP': '10', 'REQIVO_REUSED': '0', 'PRIORITY': '6',
                'MESSAGE': f'POST http://127.0.0.1:{origin.port} 200 ok'}
    rt.equal({name: entry.get(name) for name in expected}, expected)
    assert int(entry['REQIVO_TOTAL_US']) > 0, entry
    assert not any('hidden' in value for value in entry.values()), entry


def documented(ids):
    """reqivod(8) has the same table."""
    with open(os.path.join(rt.srcdir(), 'doc', 'man', 'reqivod.8'), encoding='ascii') as file:
        page = dict((name, number) for name, number in re.findall(r'^\.It (\w+) Ta ([0-9a-f]{32})', file.read(), re.M))
    rt.equal(page, ids, 'MESSAGE_IDs')
    rt.equal(len(set(ids.values())), len(ids), 'different ids')


def isolated():
    """In a mount namespace of this process's own, with an empty /run; comes back in it as the same program."""
    if os.environ.get('REQIVO_TEST_ISOLATED'):
        return
    script = 'mount -t tmpfs -o mode=0755 tmpfs /run && exec "$@"'
    os.environ['REQIVO_TEST_ISOLATED'] = '1'
    argv = [*UNSHARE, 'sh', '-c', script, 'sh', sys.executable, '-B', *sys.argv]
    os.execv(rt.tool('unshare'), argv)


def nobody():
    raise rt.NeedsRoot


def main():
    tap = rt.Tap()
    ids = table()
    if os.geteuid() != 0 or rt.run([*UNSHARE, 'true'], check=False).returncode != 0:
        tap.case('reqivod(8) lists every MESSAGE_ID', documented, ids)
        tap.case('the journal, in a mount namespace', nobody)
        return tap.done()
    isolated()
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        journal = Journal(place)
        tap.case('reqivod(8) lists every MESSAGE_ID', documented, ids)
        tap.case('start, ready, stop', lifetime, place, journal, ids)
        daemon = Logged(place, conf=CONF)
        journal.forget()
        tap.case('a program that violates the protocol', violation, place, journal, ids, daemon)
        tap.case('what the policy refuses', refused, place, journal, ids, daemon)
        tap.case('rule_b9_15: a limit that is reached, at a rate', limited, place, journal, ids, origin)
        tap.case('rule_b9_15: connections that are not taken, at a rate', turned_away, place, journal, ids, origin)
        tap.case('the access log', accessed, place, journal, ids, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
