#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_websocket_session - what a session does besides echoing: options, limits, pings, loss and reconnect, large messages, ends. One table
of steps for driver_ws, which is run blocking and with callbacks; servers are python3-websockets, or raw ones that keep a log."""
import asyncio
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import drivers  # noqa: E402
import reqivotest as rt  # noqa: E402
import test_websocket as base  # noqa: E402
import websockets  # noqa: E402

APIS = ('sync', 'async')


class Driver:
    """driver_ws, running."""

    def __init__(self, daemon, api, url, *words):
        program = os.path.join(rt.builddir(), 'tests', 'integration', 'driver_ws')
        self.popen = subprocess.Popen([program, api, url, *words], env=dict(os.environ, REQIVO_SOCKET=daemon.socket),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.append(line.rstrip('\n'))

    def count(self, start):
        return len([line for line in self.lines if line.startswith(start)])

    def wait(self, start, count=1):
        rt.poll('%d times %r' % (count, start), lambda: self.count(start) >= count or self.popen.poll() is not None)
        assert self.count(start) >= count, self.lines

    def go_on(self):
        self.popen.stdin.write('\n')
        self.popen.stdin.flush()

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def end(self):
        """All lines."""
        try:
            self.popen.wait(rt.DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError('the driver did not end: %r' % self.lines) from None
        self.reader.join(rt.DEADLINE)
        rt.equal(self.popen.returncode, 0, self.lines)
        return self.lines


def url_of(server, scheme='ws', path='/'):
    return '%s://127.0.0.1:%d%s' % (scheme, server.port, path)


def ending(lines):
    """The line that tells the end of the session."""
    return next((line for line in lines if line.startswith('closed')), 'no end in %r' % lines)


def last(lines):
    return lines[-1] if lines else ''


# ---- one table of steps ----

async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def say_nothing(ws):
    await ws.wait_closed()


async def say_three(ws):
    for message in ('one', b'two', ''):
        await ws.send(message)
    await ws.close(4001, 'done')


async def say_large(ws):
    await ws.send('x' * 1001)
    await ws.wait_closed()


async def close_at_once(ws):
    await ws.close(1000, 'no time')

# name, server, words, the last line (a pattern), what the server heard, lines that are there besides
TABLE = [
    ('text and close', echo, ('text=hello', 'take=1', 'close=1000:bye', 'end'), r'closed well 1000 bye undelivered 0 unconfirmed 0: ', (1000, 'bye'),
     ['message text 5 05e918d2 hello']),
    ('sent before it is open', echo, ('text=early', 'close=1005:', 'end'), r'closed well 1005  undelivered 0 unconfirmed 0: ', (1005, ''), []),
    ('no message at all', echo, ('close=3000:x', 'end'), r'closed well 3000 x undelivered 0 unconfirmed 0: ', (3000, 'x'), []),
    ('messages of no bytes', echo, ('text=', 'fill=0', 'take=2', 'close=1000:', 'end'), r'closed well 1000  undelivered 0 unconfirmed 0: ', (1000, ''),
     ['message text 0 00000000 ', 'message binary 0 00000000 ']),
    ('the server closes', say_three, ('take=3', 'end'), r'closed well 4001 done undelivered 0 unconfirmed 0: ', (4001, ''),
     ['message text 3 0001ae66 one', 'message binary 3 0001c24c two', 'message text 0 00000000 ']),
    ('send and close after the end', close_at_once, ('end', 'text=late', 'close=1000:'), r'close E_WEBSOCKET_CLOSED', (1000, ''),
     ['send E_WEBSOCKET_CLOSED']),
    ('a close code that nobody may send', echo, ('close=1006:', 'close=1000:', 'end'), r'closed well 1000 ', (1000, ''), []),
    ('larger than the credit window', echo, ('max=9000000', 'fill=8000000', 'take=1', 'close=1000:', 'end'), r'closed well 1000 ', (1000, ''), []),
    ('a message over the maximum', say_large, ('max=1000', 'end'), r'closed E_WEBSOCKET_LIMIT .*', (1009, ''), []),
    ('a message at the maximum', say_large, ('max=1001', 'take=1', 'close=1000:', 'end'), r'closed well 1000 ', (1000, ''), []),
    ('idle', say_nothing, ('idle=150', 'end'), r'closed well 1001 idle undelivered 0 unconfirmed 0: ', (1001, 'idle'), []),
    ('pings are answered', say_nothing, ('ping=20', 'pong=5000', 'idle=400', 'end'), r'closed well 1001 idle', (1001, 'idle'), []),
    ('rule_b5_close: a text that is not UTF-8', echo, ('text=\udcff', 'end'), r'closed E_WEBSOCKET_PROTOCOL 1007 .*undelivered 1 .*UTF-8', (1007, ''),
     []),
]


def run_steps(daemon, api, row):
    _, talk, words, pattern, heard, besides = row
    server = base.Server(talk, compression=None)
    lines = Driver(daemon, api, url_of(server), *words).end()
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    assert re.match(pattern, last(lines)), lines
    for line in besides:
        rt.contains(lines, line)
    rt.equal(server.seen, [heard], lines)


# ---- options, policy, limits ----

def options(daemon, api):
    async def talk(ws):
        assert ws.request_headers['X-Odd'] == 'yes', 'no field'
        assert ws.request_headers.get_all('Sec-WebSocket-Protocol') == ['one, two'], ws.request_headers.get_all('Sec-WebSocket-Protocol')
        await ws.close()

    server = base.Server(talk, subprotocols=['two'])
    lines = Driver(daemon, api, url_of(server, path='/chat?room=1'), 'field=X-Odd:yes', 'protocol=one', 'protocol=two', 'end').end()
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    rt.equal((lines[0], server.errors), ('open two', []), lines)


def refused_options(daemon, api):
    for words, code in ((('field=Sec-WebSocket-Key:x',), 'FIELD'), (('protocol=a b',), 'FIELD'),
                        (('protocol=x',) * 17, 'FIELD')):
        lines = Driver(daemon, api, 'ws://127.0.0.1:1/', *words, 'end').end()
        rt.contains(last(lines), 'closed E_%s 0 ' % code)
    rt.contains(last(Driver(daemon, api, 'ftp://127.0.0.1/', 'end').end()), 'closed E_URL 0 ')
    rt.contains(last(Driver(daemon, api, 'ws://127.0.0.1:%d/' % rt.free_port(), 'end').end()), 'closed E_CONNECT 0 ')


def tls_options(daemon, api, certs):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs.files('good'))
    server = base.Server(close_at_once, ssl=context)
    for words, code in (((), 'E_TLS_CERTIFICATE 0'), (('insecure',), 'well 1000'), (('ca=' + certs.ca,), 'well 1000'),
                        (('ca=' + certs.files('self_signed')[0],), 'E_TLS_CERTIFICATE 0')):
        rt.contains(last(Driver(daemon, api, url_of(server, 'wss'), *words, 'end').end()), 'closed %s ' % code)
    server.stop()


def policy(place, api):
    daemon = rt.Reqivod(place, conf='address_policy {\n    loopback = refuse\n}\ntls {\n    insecure = refuse\n}\n')
    rt.contains(last(Driver(daemon, api, 'ws://127.0.0.1:1/', 'end').end()), 'closed E_ADDRESS_DENIED 0 ')
    rt.contains(last(Driver(daemon, api, 'ws://169.254.169.254/', 'end').end()), 'closed E_ADDRESS_DENIED 0 ')
    rt.contains(last(Driver(daemon, api, 'wss://127.0.0.1:1/', 'insecure', 'end').end()), 'closed E_OPTION_DENIED 0 ')
    daemon.stop()


def limits(place, api, setting, value, code, compression=None):
    """Ten sessions, more than the user may have: some open, the others are told why not. Compression takes memory."""
    daemon = rt.Reqivod(place, conf=rt.Reqivod.CONF + 'limits {\n    %s = %s\n}\n' % (setting, value))
    server = base.Server(echo, compression)
    words = (['compress'] if compression else []) + ['opened', 'line', 'close=1000:', 'end']
    running = [Driver(daemon, api, url_of(server), *words) for _ in range(10)]
    rt.poll('all have an answer', lambda: all(d.count('line') or d.count('closed') for d in running))
    opened = [d for d in running if d.count('open ')]
    for driver in running:
        if driver.popen.poll() is None:
            driver.go_on()
    ends = [ending(d.end()) for d in running]
    server.stop()
    daemon.stop()
    assert 0 < len(opened) < 10, ends
    refused = len([end for end in ends if re.match('closed E_(%s) ' % code, end)])
    assert refused > 0 and refused + len([end for end in ends if end.startswith('closed well ')]) == 10, ends


# ---- time ----

class Raw(threading.Thread):
    """A server that shakes hands and then is the case's; each connection has a thread. `log` is the witness."""

    def __init__(self, case, receive_buffer=None):
        super().__init__(daemon=True)
        self.case, self.log, self.errors, self.handshakes = case, [], [], 0
        self.listener = socket.socket()
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        head = b''
        with connection:
            while b'\r\n\r\n' not in head:
                got = connection.recv(65536)
                if not got:
                    return
                head += got
            key = re.search(rb'(?i)sec-websocket-key: (\S+)', head).group(1)
            self.handshakes += 1
            connection.sendall(base.handshake(key))
            try:
                self.case(self, connection, self.handshakes)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Frames:
    """Frames of a client, unmasked: (first byte, payload)."""

    def __init__(self, connection):
        self.file = connection.makefile('rb', buffering=1 << 20)

    def next(self):
        head = self.need(2)
        n = head[1] & 127
        if n == 126:
            n = struct.unpack('>H', self.need(2))[0]
        elif n == 127:
            n = struct.unpack('>Q', self.need(8))[0]
        mask = self.need(4)
        body = self.need(n)
        key = int.from_bytes((mask * (n // 4 + 1))[:n], 'little')
        return head[0], (int.from_bytes(body, 'little') ^ key).to_bytes(n, 'little')

    def need(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise ConnectionError('the client has gone')
        return data


def hold(server, connection, _number):
    """Reads nothing, answers nothing, until the other side ends."""
    rt.poll('the end', lambda: connection.fileno() >= 0 and server.released)


def no_pong(daemon, api):
    def case(server, connection, _number):
        while True:
            server.log.append(Frames(connection).next()[0])

    server = Raw(case)
    lines = Driver(daemon, api, url_of(server), 'ping=20', 'pong=50', 'end').end()
    server.stop()
    assert re.match(r'closed E_TIMEOUT_STALL 1006  undelivered 0 unconfirmed 0: the server did not answer a ping', last(lines)), lines
    rt.contains(server.log, 0x89)


def stalled(daemon, api):
    """A server that takes nothing while 16 MB are sent: the program is told so, and what did not go out."""
    server = Raw(hold, receive_buffer=4096)
    server.released = False
    lines = Driver(daemon, api, url_of(server), 'stall=400', *['fill=1000000'] * 16, 'end').end()
    server.released = True
    server.stop()
    found = re.match(r'closed E_TIMEOUT_STALL 1006  undelivered (\d+) ', ending(lines))
    assert found and 0 < int(found.group(1)) <= 16, lines
    base.running(daemon)


# ---- loss ----

def counted(lines, what='undelivered'):
    """Messages that the program was told of as undelivered or unconfirmed: the session's own sum, which has the events' in it."""
    return int(re.search(what + r' (\d+)', ending(lines)).group(1))


def reconnects(daemon, api):
    """Two connections break in the midst of messages. Each message is with the server once, or was told as undelivered or unconfirmed; with
    pings, of which the server has answered one, those before that are confirmed."""
    total = 2000

    def case(server, connection, number):
        frames = Frames(connection)
        for _ in range(60 if number < 3 else total + 1):
            first, body = frames.next()
            if first & 15 == base.CLOSE:
                connection.sendall(base.frame(base.CLOSE, body))
                return
            server.log.append(body[:8])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    server = Raw(case, receive_buffer=65536)
    driver = Driver(daemon, api, url_of(server), 'reconnect=65535', 'backoff=10', 'opened',
                    'many=%d:3000' % total, 'line', 'close=1000:', 'end')
    driver.wait('line')
    rt.poll('the last message', lambda: b'%08d' % (total - 1) in server.log)
    driver.go_on()
    lines = driver.end()
    server.stop()
    rt.equal(server.handshakes, 3, lines[-3:])
    seen = [int(body) for body in server.log if body.isdigit()]
    rt.equal(seen, sorted(set(seen)), 'in order, and none twice')
    told = counted(lines) + counted(lines, 'unconfirmed')
    assert total <= len(seen) + told <= total + 120, (len(seen), lines)  # the unconfirmed ones that the server has read are with both
    rt.equal(seen[-1], total - 1, 'the last message')
    if api == 'async':
        for name, count in (('lost', 2), ('retrying', 2), ('restored', 2)):
            rt.equal(driver.count('event ' + name), count, lines)
        waits = [int(re.search(r'wait (\d+)', line).group(1)) for line in lines if 'retrying' in line]
        assert waits[0] == 10 <= waits[1] <= 20, lines


def cut_message(daemon, api):
    """The connection breaks while the server holds a part of one message: that one is undelivered, and comes to nobody."""
    def case(server, connection, number):
        frames = Frames(connection)
        while True:
            first, body = frames.next()
            server.log.append((number, first, len(body)))
            if number == 1:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                return
            if first & 15 == base.CLOSE:
                connection.sendall(base.frame(base.CLOSE, body))
                return

    server = Raw(case, receive_buffer=4096)
    lines = Driver(daemon, api, url_of(server), 'reconnect=3', 'backoff=10', 'fill=16000000', 'text=whole', 'close=1000:', 'end').end()
    server.stop()
    rt.equal([entry for entry in server.log if entry[0] == 2], [(2, 0x81, 5), (2, 0x88, 2)], lines)
    rt.equal(counted(lines), 1, lines)


def cut_by_server(daemon, api):
    """The server breaks within a message of its own: that one is dropped, the next connection's comes whole."""
    def case(_server, connection, number):
        if number == 1:
            connection.sendall(base.frame(base.TEXT, b'half', fin=0))
            return
        connection.sendall(base.frame(base.TEXT, b'whole') + base.frame(base.CLOSE, b'\x03\xe8'))
        connection.recv(1000)

    server = Raw(case)
    lines = Driver(daemon, api, url_of(server), 'reconnect=3', 'backoff=10', 'take=1', 'end').end()
    server.stop()
    rt.equal([line.split()[-1] for line in lines if line.startswith('message')], ['whole'], lines)
    assert re.match(r'closed well 1000 ', ending(lines)), lines


def gives_up(daemon, api):
    async def talk(ws):
        server.loop.call_soon(server.end.set_result, None)
        ws.transport.abort()

    server = base.Server(talk)
    driver = Driver(daemon, api, url_of(server), 'reconnect=3', 'backoff=10', 'end')
    lines = driver.end()
    server.join(rt.DEADLINE)
    assert re.match(r'closed E_CONNECT 1006 ', last(lines)), lines
    if api == 'async':
        rt.equal(driver.count('event retrying'), 3, lines)


# ---- ends ----

def drain(place, api):
    """Messages are queued in the daemon when it is told to stop: the server gets them all, then 1001, and the program knows of the others."""
    daemon, total = rt.Reqivod(place), 200

    def case(server, connection, _number):
        rt.poll('the release', lambda: server.released)
        frames = Frames(connection)
        while True:
            first, body = frames.next()
            server.log.append((first, body))
            if first & 15 == base.CLOSE:
                connection.sendall(base.frame(base.CLOSE, body[:2]))
                return

    server = Raw(case, receive_buffer=65536)
    server.released = False
    driver = Driver(daemon, api, url_of(server), 'many=%d:60000' % total, 'end')
    rt.poll('some wait in the daemon', lambda: re.search(r'"queued_up": ?[1-9]', daemon.reqivoctl('--json', 'websockets').stdout.decode()))
    daemon.process.send(15)
    rt.poll('it drains', lambda: not rt.answers(socket.AF_UNIX, daemon.socket))
    server.released = True
    rt.equal(daemon.process.popen.wait(rt.DEADLINE), 0, 'the daemon')
    lines = driver.end()
    server.stop()
    whole = len([first for first, body in server.log if first & 0x88 == 0x80])
    rt.equal(server.log[-1], (0x88, b'\x03\xe9'))
    rt.equal(whole + counted(lines), int(next(line for line in lines if line.startswith('sent')).split()[1]), lines)
    assert ending(lines).startswith('closed E_SHUTDOWN 1001 '), lines


def killed(daemon, api):
    server = base.Server(say_nothing)
    driver = Driver(daemon, api, url_of(server), 'text=x', 'opened', 'line', 'end')
    driver.wait('line')
    driver.kill()
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    rt.equal(server.seen, [(1001, '')])


# ---- large ----

def high_water(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as file:
        return int(re.search(r'VmHWM:\s+(\d+) kB', file.read()).group(1))


def large(daemon, api):
    """One message of 1 GiB each way: neither daemon nor program grows by more than its windows."""
    size = (1 << 30) if not drivers.SANITIZED else 1 << 26
    block = bytes(range(256)) * 256
    count = size // len(block)

    def send(connection):
        for i in range(count):
            connection.sendall(base.frame(base.BINARY if i == 0 else 0, block, fin=i == count - 1))

    def case(server, connection, _number):
        sender = threading.Thread(target=send, args=(connection,), daemon=True)
        sender.start()
        frames, total, crc, first = Frames(connection), 0, 0, 0
        while not first & 0x80:
            first, body = frames.next()
            total, crc = total + len(body), zlib.crc32(body, crc)
        server.log += [total, crc, high_water(process.pid)]
        connection.sendall(base.frame(base.CLOSE, struct.pack('>H', 1000)))
        frames.next()

    expected = 0
    for _ in range(count):
        expected = zlib.crc32(block, expected)
    server = Raw(case)
    before = daemon.memory_kib()
    process = base.start(daemon, 'ws_echo_' + api, url_of(server))
    code, err = base.finish(process, 20 * rt.DEADLINE)
    grown = daemon.memory_kib() - before
    server.stop()
    rt.equal((code, server.log[:2]), (0, [size, expected]), err)
    assert grown < 16384 * drivers.FAT, 'the daemon grew by %d KiB' % grown
    assert server.log[2] < 32768 * drivers.FAT, 'the program had %d KiB' % server.log[2]


def slow_reader(daemon, api):
    """A server that reads its echo late: the echo client puts off, and drops nothing."""
    size, late = 16 << 20, threading.Event()
    block = os.urandom(1 << 16)

    def send(connection):
        for i in range(size >> 16):
            connection.sendall(base.frame(base.BINARY if i == 0 else 0, block, fin=i == (size >> 16) - 1))
        late.set()

    def case(server, connection, _number):
        threading.Thread(target=send, args=(connection,), daemon=True).start()
        late.wait(1)  # the sender is stopped before that, by the buffers between us
        server.log.append(late.is_set())
        frames, first, total, crc = Frames(connection), 0, 0, 0
        while not first & 0x80:
            first, body = frames.next()
            total, crc = total + len(body), zlib.crc32(body, crc)
        server.log += [total, crc]
        connection.sendall(base.frame(base.CLOSE, struct.pack('>H', 1000)))
        frames.next()

    expected = 0
    for _ in range(size >> 16):
        expected = zlib.crc32(block, expected)
    server = Raw(case, receive_buffer=65536)
    code, err = base.finish(base.start(daemon, 'ws_echo_' + api, url_of(server)))
    server.stop()
    rt.equal((code, server.log[1:]), (0, [size, expected]), err)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        certs = rt.Certs(place)
        for api in APIS:
            for row in TABLE:
                tap.case(f'{api}: {row[0]}', run_steps, daemon, api, row)
            tap.case(f'{api}: fields and subprotocols', options, daemon, api)
            tap.case(f'{api}: options that are refused', refused_options, daemon, api)
            tap.case(f'{api}: own CA and no verification', tls_options, daemon, api, certs)
            tap.case(f'{api}: the address policy', policy, place, api)
            tap.case(f'{api}: the limit of requests', limits, place, api, 'requests_uid', 6, 'LIMIT_REQUESTS')
            tap.case(f'{api}: the limit of connections', limits, place, api, 'connections_uid', 6, 'LIMIT_REQUESTS')
            tap.case(f'{api}: the limit of memory', limits, place, api, 'memory_uid', '1MiB', 'LIMIT_MEMORY|DAEMON_LOST', 'deflate')
            tap.case(f'{api}: a ping without an answer', no_pong, daemon, api)
            tap.case(f'{api}: a server that takes nothing', stalled, daemon, api)
            tap.case(f'{api}: lost, retried, restored', reconnects, daemon, api)
            tap.case(f'{api}: a message that was cut', cut_message, daemon, api)
            tap.case(f'{api}: a message of the server that was cut', cut_by_server, daemon, api)
            tap.case(f'{api}: the last attempt', gives_up, daemon, api)
            tap.case(f'{api}: a drain sends what is queued', drain, place, api)
            tap.case(f'{api}: the program is killed', killed, daemon, api)
            tap.case(f'{api}: a slow reader gets its echo whole', slow_reader, daemon, api)
            tap.case(f'{api}: a large message needs no memory', large, daemon, api)
        tap.case('all is given back', base.gone, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
