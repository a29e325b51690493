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
import subprocess
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
    held = held_back(journal, ids, lambda: limit_again(origin, driver, place, daemon))
    count = len(journal.entries(MESSAGE_ID=ids['LIMIT']))
    rt.equal(held + count, 40 + len(AGAIN), 'lines that were written, and those that were held back')
    rt.equal(daemon.stop(), 0, 'exit code')


AGAIN = []


def limit_again(origin, driver, place, daemon):
    """One refusal more."""
    origin.release.clear()
    AGAIN.append(drivers.Driver(place, 'async', daemon.socket))
    token = f'again{len(AGAIN)}'
    AGAIN[-1].write(drivers.describe(token, 'GET', origin.url('/wait'), ('field', 'X-Token', token)) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen(token))
    rt.equal(driver.ask(f'n{token}', 'GET', origin.url('/echo'))['error'], 'E_LIMIT_REQUESTS')
    origin.release.set()
    rt.equal(AGAIN[-1].line()['error'], '', 'what was in flight')


def held_back(journal, ids, provoke):
    """How many lines were not said for their rate, by LOST: once a second has passed, the next line brings it."""
    def told():
        provoke()
        return journal.entries(MESSAGE_ID=ids['LOST'])

    entry = rt.poll('LOST in the journal', told)[0]
    rt.equal((entry['REQIVO_UID'], entry['PRIORITY']), (str(os.getuid()), '4'), entry)
    rt.contains(entry['MESSAGE'], f'log: {entry["REQIVO_COUNT"]} more lines about uid {os.getuid()} were not written')
    return sum(int(entry['REQIVO_COUNT']) for entry in journal.entries(MESSAGE_ID=ids['LOST']))


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
            rt.contains(sock.recv(4096), b'are as many as may be', 'what is said to it')
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


def overflowing(place, journal, ids, origin):
    """A journal that does not read holds nobody up. What has no room is counted, and each line is one or the other."""
    daemon = Logged(place, conf=CONF + 'log {\n    access = all\n}\n')
    driver = drivers.Driver(place, 'async', daemon.socket)
    journal.forget()
    count = 3000
    for start in range(0, count, 50):
        driver.write(''.join(drivers.describe(f'o{n}', 'GET', origin.url('/echo')) for n in range(start, start + 50)) + 'run\n')
        for _ in range(50):
            rt.equal(driver.line()['error'], '', 'a request while the log is full')

    def lost():
        return sum(int(re.match(r'log: (\d+) access lines did not fit', entry['MESSAGE'])[1]) for entry in journal.entries(MESSAGE_ID=ids['LOST']))

    journal.wait('LOST', MESSAGE_ID=ids['LOST'], PRIORITY='4')
    rt.poll('each request is written or lost', lambda: len(journal.entries(MESSAGE_ID=ids['ACCESS'])) + lost() == count)
    assert lost() > 0, lost()
    rt.equal(daemon.stop(), 0, 'exit code')


def reloaded(place, journal, ids):
    """The first line is the event, with its number; what is named behind it are lines of their own."""
    daemon = Logged(place, conf=CONF)
    journal.forget()
    with open(daemon.conf, 'w', encoding='ascii') as file:
        file.write(CONF + 'pool {\n    connections = 3\n}\n')
    daemon.process.send(signal.SIGHUP)
    entry = journal.wait('RELOADED', MESSAGE_ID=ids['RELOADED'])
    rt.equal((entry['MESSAGE'], entry['PRIORITY']), ('reload: the configuration was read again', '5'), entry)
    entry = journal.wait('what has changed', MESSAGE='reload: pool.connections is changed')
    assert 'MESSAGE_ID' not in entry, entry
    with open(daemon.conf, 'w', encoding='ascii') as file:
        file.write('pool {\n    connections = none\n    idle = 1fortnight\n}\n')
    daemon.process.send(signal.SIGHUP)
    entry = journal.wait('RELOAD_FAILED', MESSAGE_ID=ids['RELOAD_FAILED'])
    rt.contains(entry['MESSAGE'], f"reload: nothing is changed: {daemon.conf}:2: pool.connections: 'none' is not ")
    rt.equal(entry['PRIORITY'], '3', entry)
    rt.poll('the second fault', lambda: [e for e in journal.entries() if f"{daemon.conf}:3: pool.idle: '1fortnight' is not " in e['MESSAGE']])
    rt.equal([len(journal.entries(MESSAGE_ID=ids[name])) for name in ('RELOADED', 'RELOAD_FAILED')], [1, 1], 'events')
    rt.equal(daemon.stop(), 0, 'exit code')


def mixed_up(place, journal, ids):
    """No request can provoke it: the daemon's own functions do, in the unit test of pools, which writes to this journal."""
    log = place.fresh('test-pool')
    journal.forget()
    with open(log, 'ab') as file:
        st = os.fstat(file.fileno())
        env = dict(os.environ, JOURNAL_STREAM=f'{st.st_dev}:{st.st_ino}', CK_RUN_CASE='isolation')
        done = subprocess.run([os.path.join(rt.builddir(), 'tests', 'unit', 'test_pool')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=file, env=env, timeout=60, check=False)
    rt.equal(done.returncode, 0, done.stdout.decode())
    rt.poll('three breaches', lambda: len(journal.entries(MESSAGE_ID=ids['ISOLATION'])) == 3)
    for entry in journal.entries(MESSAGE_ID=ids['ISOLATION']):
        assert re.fullmatch(r'127\.0\.0\.1:\d+', entry['REQIVO_ORIGIN']) and entry['REQIVO_UID'].isdigit() and entry['PRIORITY'] == '3', entry
    rt.equal(sorted(re.sub(r'isolation: connection \d+ ', '', entry['MESSAGE']) for entry in journal.entries(MESSAGE_ID=ids['ISOLATION'])),
             ['ended a request of another key', 'was about to be sent a request of another key', 'was about to serve a request of another key'])


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
        tap.case('a journal that does not read', overflowing, place, journal, ids, origin)
        tap.case('a reload, and one that fails', reloaded, place, journal, ids)
        tap.case('an isolation check that fails', mixed_up, place, journal, ids)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
