#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_wire_abuse - local programs that break the wire's contract: their own connection ends, nobody else notices."""
import array
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

HELLO, REQUEST, RESPONSE, DATA, CREDIT, CANCEL, TRAILERS, DONE, BEGUN, GOAWAY, TRUST, QUERY, INFO = range(1, 14)
END = 1


def frame(kind, ident, payload=b'', flags=0, reserved=0, length=None):
    return struct.pack('<IBBHQ', len(payload) if length is None else length, kind, flags, reserved, ident) + payload


def hello(magic=0x31565152, version=1, version_min=1, fixed=32, name=b'abuse'):
    return frame(HELLO, 0, struct.pack('<HHIHHIQQ', fixed, version, magic, version_min, len(name), 1 << 20, 3, 0) + name)


def request(ident, url, method=b'GET', flags=0, end=END, body=0, fields=(), count=None, fixed=52, trust=0):
    packed = b''.join(struct.pack('<HH', len(n), len(v)) + n + v for n, v in fields)
    head = struct.pack('<HHHHI6IQQ', fixed, len(method), len(url), len(fields) if count is None else count, flags, *[0] * 6, body, trust)
    return frame(REQUEST, ident, head + method + url + packed, end)


class Peer:
    """A hand-made client."""

    def __init__(self, daemon):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(rt.DEADLINE)
        self.sock.connect(daemon.socket)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # closed already, which is what most of these want

    def closed(self):
        """Reads to the end; what came."""
        got = b''
        try:
            while data := self.sock.recv(65536):
                got += data
        except ConnectionResetError:
            pass
        except socket.timeout:
            raise AssertionError('the daemon kept the connection') from None
        finally:
            self.sock.close()
        return got

    def frames(self, wanted):
        """Frames until `wanted`(kind, id) is true."""
        got, rows = b'', []
        while True:
            while len(got) >= 16:
                length, kind, flags, _, ident = struct.unpack('<IBBHQ', got[:16])
                if len(got) < 16 + length:
                    break
                rows.append((kind, flags, ident, got[16:16 + length]))
                got = got[16 + length:]
                if wanted(kind, ident):
                    return rows
            data = self.sock.recv(65536)
            assert data, f'the daemon closed after {[(r[0], r[2]) for r in rows]}'
            got += data


def abuses(url):
    """(name, bytes): each must end its connection."""
    fine = request(1, url)
    return [
        ('garbage', os.urandom(4096)),
        ('an HTTP request', b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
        ('zeros', bytes(64)),
        ('another magic', hello(magic=0x12345678)),
        ('no version in common', hello(version=99, version_min=98)),
        ('a HELLO that is too short', frame(HELLO, 0, b'\x02\x00')),
        ('a HELLO with an id', frame(HELLO, 7, hello()[16:])),
        ('a HELLO of 2 KiB', frame(HELLO, 0, bytes(2048))),
        ('REQUEST before HELLO', fine),
        ('HELLO twice', hello() + hello()),
        ('rule_b9_4: a length over 64 KiB', hello() + frame(DATA, 1, length=65537)),
        ('rule_b9_4: a length of 4 GiB', hello() + frame(DATA, 1, length=0xffffffff)),
        ('rule_b9_4: a head over 60 KiB', hello() + frame(REQUEST, 1, length=61441)),
        ('rule_b9_4: an unknown type', hello() + frame(99, 1)),
        ('rule_b9_4: type 0', hello() + frame(0, 1)),
        ('rule_b9_4: reserved bits', hello() + frame(CANCEL, 1, reserved=1)),
        ('rule_b9_4: an unknown flag', hello() + frame(DATA, 1, b'x', flags=0x80)),
        ('rule_b9_4: id 0 for a request', hello() + request(0, url)),
        ('rule_b9_4: an id a second time', hello() + fine + fine),
        ('rule_b9_4: an id that goes back', hello() + request(9, url) + request(8, url)),
        ('a frame of the daemon: RESPONSE', hello() + frame(RESPONSE, 1, bytes(48))),
        ('a frame of the daemon: DONE', hello() + frame(DONE, 1, bytes(56))),
        ('a frame of the daemon: INFO', hello() + frame(INFO, 1, bytes(4))),
        ('DATA for an id that was never used', hello() + frame(DATA, 5, b'x')),
        ('CREDIT for an id that was never used', hello() + frame(CREDIT, 5, struct.pack('<I', 1))),
        ('CANCEL for an id that was never used', hello() + frame(CANCEL, 5)),
        ('CANCEL with a payload', hello() + frame(CANCEL, 1, b'x')),
        ('empty DATA without END', hello() + request(1, url, flags=0x20, end=0, body=5) + frame(DATA, 1)),
        ('DATA behind the end of the body', hello() + request(1, url, b'POST', 0x60, 0) + frame(DATA, 1, b'x', END) + frame(DATA, 1, b'y', END)),
        ('more DATA than was credited', hello() + request(1, url.replace(b'/echo', b'/stall_body'), b'POST', 0x60, 0) +
         frame(DATA, 1, bytes(65536)) * 600),
        ('CREDIT of 0', hello() + request(1, url.replace(b'/echo', b'/stall')) + frame(CREDIT, 1, struct.pack('<I', 0))),
        ('huge CREDIT, twice', hello() + request(1, url.replace(b'/echo', b'/stall')) + frame(CREDIT, 1, struct.pack('<I', 0x7fffffff)) * 2),
        ('CREDIT over 31 bits', hello() + request(1, url.replace(b'/echo', b'/stall')) + frame(CREDIT, 1, struct.pack('<I', 0xffffffff))),
        ('a request of 200 fields', hello() + request(1, url, fields=[(b'A', b'b')] * 200)),
        ('fewer fields than announced', hello() + request(1, url, count=3)),
        ('more bytes than fields', hello() + frame(REQUEST, 1, request(1, url)[16:] + b'xyz', END)),
        ('a fixed part behind the end', hello() + request(1, url, fixed=60000)),
        ('a fixed part shorter than the core', hello() + request(1, url, fixed=4)),
        ('unknown flags of a request', hello() + request(1, url, flags=0x10000)),
        ('a TRUST of 0 bytes', hello() + frame(TRUST, 1, struct.pack('<I', 0))),
        ('a TRUST that is longer than announced', hello() + frame(TRUST, 1, struct.pack('<I', 3)) + frame(DATA, 1, b'12345', END)),
        ('a TRUST that is shorter than announced', hello() + frame(TRUST, 1, struct.pack('<I', 30)) + frame(DATA, 1, b'12345', END)),
        ('a QUERY of 3 bytes', hello() + frame(QUERY, 1, b'abc')),
        ('40 sets of certificates that never come', hello() + b''.join(frame(TRUST, i, struct.pack('<I', 9)) for i in range(1, 41))),
    ]


class Witness:
    """A well-behaved client beside the abuse."""

    def __init__(self, place, daemon, origin):
        self.place = place
        self.driver = drivers.Driver(place, 'async', daemon.socket)
        self.url, self.count = origin.url('/echo'), 0

    def fine(self, seconds=2):
        start = time.monotonic()
        self.count += 1
        row = self.driver.ask(f'w{self.count}', 'POST', self.url, 'body fill 2000')
        rt.equal((row['error'], row['status']), ('', 200), f'the witness ({row.get("detail")})')
        took = time.monotonic() - start
        assert took < seconds * drivers.SLOW, f'the witness waited {took:.2f} s'


def descriptors(daemon, witness):
    """rule_b9_11: descriptors that are passed along are not kept, and a lingering one does not stop the loop."""
    before = daemon.fds()
    for _ in range(20):
        peer = Peer(daemon)
        fds = [os.open('/dev/null', os.O_RDONLY) for _ in range(50)]
        try:
            peer.sock.sendmsg([hello()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])
        except PermissionError:
            pass  # the kernel refuses it for the daemon (SO_PASSRIGHTS)
        for fd in fds:
            os.close(fd)
        peer.send(b'garbage' * 10)
        peer.sock.close()
    witness.fine()
    rt.poll('the descriptors are gone', lambda: daemon.fds() <= before)


def lingering(daemon, witness):
    """A TCP socket that blocks its closer for 4 s is passed and dropped."""
    server = socket.create_server(('127.0.0.1', 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    bomb = socket.create_connection(server.getsockname())
    bomb.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 4))
    bomb.setblocking(False)
    try:
        while True:
            bomb.send(bytes(65536))
    except BlockingIOError:
        pass
    peer = Peer(daemon)
    try:
        peer.sock.sendmsg([hello()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [bomb.fileno()]))])
    except PermissionError:
        pass
    keep = os.dup(server.fileno())
    os.close(bomb.detach())
    start = time.monotonic()
    while time.monotonic() - start < 1:
        witness.fine(1)
    os.close(keep)
    server.close()
    peer.sock.close()


def silent(daemon, witness):
    """rule_b9_2: connections that say nothing. 200: nobody notices. 300 is over the uid's limit of 256: a new program of that uid is
    told so, one that is connected goes on, another uid comes in; the silent ones are closed after 5 s."""
    before = daemon.fds()
    peers = [Peer(daemon) for _ in range(200)]
    witness.fine()
    fresh = daemon.reqivo('-s', witness.url)
    rt.equal(fresh.returncode, 0, f'a new program beside 200: {fresh.stderr!r}')
    peers += [Peer(daemon) for _ in range(100)]
    witness.fine()
    fresh = daemon.reqivo(witness.url)
    rt.contains(fresh.stderr, b'HELLO', 'the error of a new program beside 300')
    if os.geteuid() == 0:
        stranger = drivers.Driver(witness.place, 'sync', daemon.socket, preexec=lambda: os.setuid(12001))
        rt.equal(stranger.ask('s', 'GET', witness.url)['error'], '', 'a program of another uid')
        stranger.stop()
    start = time.monotonic()
    for peer in peers:
        peer.closed()
    took = time.monotonic() - start
    assert took < 8 * drivers.SLOW, f'they were closed only after {took:.1f} s'
    rt.poll('their descriptors are gone', lambda: daemon.fds() <= before + 1)  # the stranger's connection is idle
    fresh = daemon.reqivo('-s', witness.url)
    rt.equal(fresh.returncode, 0, f'a new program afterwards: {fresh.stderr!r}')


def deaf(daemon, witness, origin):
    """rule_b9_7: a client that asks 2000 times and never reads: the daemon holds no more than its windows, others go on. (It holds
    the connections of the pool that it uses; others use another.)"""
    before = daemon.memory_kib()
    peer = Peer(daemon)
    peer.sock.settimeout(3)
    url = origin.url('/chunks/10/2000').encode()
    try:
        peer.sock.sendall(hello() + b''.join(request(i, url) for i in range(1, 2001)))
    except OSError:
        pass
    for _ in range(20):
        witness.fine()
    grown = daemon.memory_kib() - before
    print(f'# a client that never reads: the daemon grew by {grown} KiB')
    assert grown < 24576 * drivers.FAT, f'the daemon grew by {grown} KiB'
    peer.sock.close()
    rt.poll('its requests are gone', lambda: drivers.gauge(daemon)['all_requests'] == 0)


def storm(daemon, witness, origin):
    """Cancels right behind requests, 3000 times: each id ends with one DONE."""
    peer = Peer(daemon)
    url = origin.url('/echo').encode()
    seen = {}
    peer.send(hello())
    for base in range(0, 3000, 500):
        peer.send(b''.join(request(i, url) + frame(CANCEL, i) for i in range(base + 1, base + 501)))
        witness.fine()
        done = 0

        def last(kind, ident):
            nonlocal done
            if kind == DONE:
                seen[ident] = seen.get(ident, 0) + 1
                done += 1
            return done == 500

        peer.frames(last)
    rt.equal(len(seen), 3000, 'ids that ended')
    rt.equal(max(seen.values()), 1, 'DONE frames of one id')
    peer.sock.close()


def bytewise(daemon, origin):
    """The contract does not care how the bytes arrive."""
    peer = Peer(daemon)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for byte in hello() + request(1, origin.url('/echo').encode()):
        peer.send(bytes([byte]))
    rows = peer.frames(lambda kind, ident: kind == DONE)
    rt.equal([row[0] for row in rows if row[0] != HELLO], [RESPONSE, DATA, DONE], 'frames')
    peer.sock.close()


def unread_hello(daemon):
    """A peer that goes away with answers on the way, again and again."""
    before = daemon.fds()
    for _ in range(300):
        peer = Peer(daemon)
        peer.send(hello() + frame(QUERY, 1, struct.pack('<H', 1)) * 1)
        peer.sock.close()
    rt.poll('all are gone', lambda: daemon.fds() <= before)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        os.chmod(place.dir, 0o755)
        daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
        os.chmod(daemon.dir, 0o755)
        os.chmod(daemon.socket, 0o666)
        deaf_origin = odd.OddOrigin(place)
        witness = Witness(place, daemon, origin)
        witness.fine()

        def abuse(data):
            peer = Peer(daemon)
            peer.send(data)
            peer.closed()
            assert daemon.process.running(), daemon.process.output()[-2000:]
            witness.fine()

        for name, data in abuses(origin.url('/echo').encode()):
            tap.case(f'{name}: that connection ends, the witness goes on', abuse, data)
        tap.case('byte by byte', bytewise, daemon, origin)
        tap.case('rule_b9_11: descriptors that are passed are not kept', descriptors, daemon, witness)
        tap.case('rule_b9_11: a lingering descriptor does not stop the loop', lingering, daemon, witness)
        tap.case('rule_b9_2: 300 silent connections', silent, daemon, witness)
        tap.case('rule_b9_7: a client that never reads', deaf, daemon, witness, deaf_origin)
        tap.case('a storm of cancels', storm, daemon, witness, origin)
        tap.case('rule_b9_9: programs that come and go', unread_hello, daemon)

        def quiet():
            state = rt.poll('the daemon is quiet', lambda: (s := drivers.gauge(daemon))['all_requests'] == 0 and s)
            rt.equal(state['isolation_violations'], 0, 'isolation violations')
            assert state['wire_violations'] >= 30, f'{state["wire_violations"]} violations of the wire were counted'
            assert state['longest_turn_us'] < 500000 * drivers.SLOW, f'a turn of the loop took {state["longest_turn_us"]} us'

        tap.case('the daemon is quiet, and counted the violations', quiet)
        tap.case('and ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
