#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_websocket - WebSocket sessions through the daemon: the two echo clients of doc/examples/ run one table of messages against
python3-websockets, plain, compressed and behind nginx as wss, and one table of wrongs against a server that misbehaves on purpose; a
drain, and programs that die. Many sessions at once, and programs that do not read: test_websocket_many."""
import asyncio
import base64
import hashlib
import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import reqivotest as rt  # noqa: E402
import websockets  # noqa: E402

APIS = ('ws_echo_async', 'ws_echo_sync')
GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def example(name):
    return os.path.join(rt.builddir(), 'doc', 'examples', name)


def start(daemon, api, *urls):
    env = dict(os.environ, REQIVO_SOCKET=daemon.socket)
    return subprocess.Popen([example(api), *urls], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process, seconds=None):
    """(exit code, stderr)"""
    try:
        err = process.communicate(timeout=seconds or rt.DEADLINE)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError('the program did not end in time') from None
    return process.returncode, err.decode(errors='replace')


# ---- a good server: it sends, and expects the same back ----

class Server(threading.Thread):
    """python3-websockets with a loop of its own; `talk` is a coroutine function of one connection."""

    def __init__(self, talk, compression=None, **options):
        super().__init__(daemon=True)
        self.talk, self.options = talk, dict(options, compression=compression, max_size=None)
        self.errors, self.served, self.seen = [], 0, []
        self.ready = threading.Event()
        self.start()
        self.ready.wait()

    def run(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.serve())

    async def serve(self):
        self.end = self.loop.create_future()
        async with websockets.serve(self.one, '127.0.0.1', 0, backlog=2000, **self.options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.end

    async def one(self, ws, _path=None):
        try:
            await self.talk(ws)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append('%s: %s' % (type(error).__name__, error))
        self.seen.append((ws.close_code, ws.close_reason))
        self.served += 1

    def stop(self):
        self.loop.call_soon_threadsafe(self.end.set_result, None)
        self.join(rt.DEADLINE)


MESSAGES = [
    'hello', '', b'', b'\0', 'x' * 125, 'x' * 126, b'y' * 65535, b'y' * 65536, 'é€𐍈' * 50000, random.Random(1).randbytes(5000000),
    ['frag', '', 'ments', 'x' * 70000], [b'\xff'] * 300, ['é' * i for i in range(200)],
]


async def echo_table(ws, more=()):
    for sent in [*MESSAGES, *more]:
        await ws.send(sent)
        whole = sent if not isinstance(sent, list) else sent[0][:0].join(sent)
        got = await asyncio.wait_for(ws.recv(), rt.DEADLINE)
        assert got == whole, 'sent %d of %s, got %d' % (len(whole), type(whole), len(got))
        pong = await ws.ping(b'p' * 125)
        await asyncio.wait_for(pong, rt.DEADLINE)
    await ws.close(1000, 'bye')


async def echo_table_and_large(ws):
    await echo_table(ws, [random.Random(2).randbytes(20000000)])


def table(daemon, api, compression, talk=echo_table, url='ws://127.0.0.1:%d/'.__mod__, **options):
    """`url` makes one of the server's port, and maybe the front at it."""
    server = Server(talk, compression, **options)
    code, err = finish(start(daemon, api, url(server.port)))
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    rt.equal((code, server.errors), (0, []), err)


# ---- a server that misbehaves ----

def frame(opcode, payload=b'', fin=1, rsv=0, mask=None, length=None):
    n = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack('>H', n)
    else:
        head += bytes([bit | 127]) + struct.pack('>Q', n)
    return head + (mask or b'') + payload


def handshake(key, accept=None, extra=b'', status=b'101 Switching Protocols', upgrade=b'websocket', connection=b'Upgrade'):
    proof = accept or base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (b'HTTP/1.1 ' + status + b'\r\nUpgrade: ' + upgrade + b'\r\nConnection: ' + connection +
            b'\r\nSec-WebSocket-Accept: ' + proof + b'\r\n' + extra + b'\r\n')


class Odd(threading.Thread):
    """One connection: reads the request, says what the case says, keeps what comes as frames."""

    def __init__(self, case, deflate=False):
        super().__init__(daemon=True)
        self.case, self.deflate = case, deflate
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.head, self.frames, self.masks = b'', [], []
        self.start()

    def run(self):
        self.listener.settimeout(rt.DEADLINE)
        connection, _ = self.listener.accept()
        connection.settimeout(rt.DEADLINE)
        with connection:
            while b'\r\n\r\n' not in self.head:
                self.head += connection.recv(65536)
            key = next(line.split(b': ')[1] for line in self.head.split(b'\r\n') if line.lower().startswith(b'sec-websocket-key'))
            self.key = key
            try:
                said = self.case(self, key)
                connection.sendall(said)
                self.read(connection)
            except OSError:
                pass

    def read(self, connection):
        data = b''
        while True:
            got = connection.recv(65536)
            if not got:
                return
            data += got
            while len(data) >= 2:
                n, at = data[1] & 127, 2
                if n == 126:
                    n, at = struct.unpack('>H', data[2:4])[0], 4
                elif n == 127:
                    n, at = struct.unpack('>Q', data[2:10])[0], 10
                if len(data) < at + 4 + n:
                    break
                mask, body = data[at:at + 4], data[at + 4:at + 4 + n]
                assert data[1] & 0x80, 'a client must mask'
                self.masks.append(mask)
                self.frames.append((data[0] & 15, bytes(c ^ mask[i & 3] for i, c in enumerate(body))))
                data = data[at + 4 + n:]
                if self.frames[-1][0] == CLOSE:
                    return

    def close_code(self):
        codes = [struct.unpack('>H', body[:2])[0] if body else 1005 for op, body in self.frames if op == CLOSE]
        return codes[0] if codes else None


def after(said):
    return lambda odd, key: handshake(key) + said


def deflated(said):
    return lambda odd, key: handshake(key, extra=b'Sec-WebSocket-Extensions: permessage-deflate\r\n') + said


def squeeze(data):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


PROTOCOL, LIMIT, SHAKE = 'violates its protocol', 'over a limit', 'opens no WebSocket'
# name, what the server says, the code that it hears in our close frame, a part of what the program is told ('' for a good end)
WRONGS = [
    ('rule_b5_masked: a masked frame', after(frame(TEXT, b'a', mask=b'\0\0\0\0')), 1002, PROTOCOL),
    ('rule_b5_rsv: RSV1 without compression', after(frame(TEXT, b'a', rsv=4)), 1002, PROTOCOL),
    ('rule_b5_rsv: RSV2', after(frame(TEXT, b'a', rsv=2)), 1002, PROTOCOL),
    ('rule_b5_control: a ping of 126 bytes', after(frame(PING, b'a' * 126)), 1002, PROTOCOL),
    ('rule_b5_control: a fragmented ping', after(frame(PING, b'a', fin=0)), 1002, PROTOCOL),
    ('rule_b5_utf8: bad UTF-8', after(frame(TEXT, b'\xc0\x80')), 1007, PROTOCOL),
    ('rule_b5_utf8: cut UTF-8', after(frame(TEXT, b'\xe2\x82')), 1007, PROTOCOL),
    ('rule_b5_close: code 1005 on the wire', after(frame(CLOSE, struct.pack('>H', 1005))), 1002, PROTOCOL),
    ('rule_b5_close: half a code', after(frame(CLOSE, b'\x03')), 1002, PROTOCOL),
    ('rule_b5_length: the highest bit', after(b'\x82\x7f' + b'\xff' * 8), 1002, PROTOCOL),
    ('rule_b5_opcode: a reserved opcode', after(frame(3, b'a')), 1002, PROTOCOL),
    ('rule_b5_fragments: a continuation of nothing', after(frame(0, b'a')), 1002, PROTOCOL),
    ('rule_b5_fragments: a flood of empty fragments', after(frame(BINARY, b'a', fin=0) + frame(0, b'', fin=0) * 60000), 1008, LIMIT),
    ('rule_b5_deflate: a bomb', deflated(frame(BINARY, squeeze(b'\0' * 40000000), rsv=4)), 1009, LIMIT),
    ('rule_b5_deflate: not deflate', deflated(frame(BINARY, b'\xff' * 30, rsv=4)), 1007, PROTOCOL),
    ('rule_b5_accept: a wrong accept key', lambda o, k: handshake(k, accept=b'x' * 28), None, SHAKE),
    ('rule_b5_accept: no Upgrade', lambda o, k: handshake(k, upgrade=b'h2c'), None, SHAKE),
    ('rule_b5_accept: no Connection', lambda o, k: handshake(k, connection=b'close'), None, SHAKE),
    ('rule_b5_extension: one that was not offered', lambda o, k: handshake(k, extra=b'Sec-WebSocket-Extensions: x-odd\r\n'), None, SHAKE),
    ('rule_b5_protocol: one that was not offered', lambda o, k: handshake(k, extra=b'Sec-WebSocket-Protocol: x\r\n'), None, SHAKE),
    ('rule_b5_bits: server_max_window_bits of 7', lambda o, k: handshake(
        k, extra=b'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n'), None, SHAKE),
    ('another status', lambda o, k: b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', None, '404 Not Found'),
    ('no HTTP at all', lambda o, k: b'SSH-2.0-odd\r\n\r\n', None, 'not valid HTTP'),
    ('rule_b5_pings: a flood of pings', after(frame(PING, b'flood') * 200000 + frame(CLOSE, struct.pack('>H', 1000))), 1000, ''),
    ('a close without a code', after(frame(CLOSE)), 1005, ''),
    ('a close with a code of its own', after(frame(CLOSE, struct.pack('>H', 4999) + b'why')), 4999, ''),
]


def wrong(daemon, api, case, code, text):
    odd = Odd(case)
    status, err = finish(start(daemon, api, 'ws://127.0.0.1:%d/' % odd.port))
    odd.join(rt.DEADLINE)
    rt.equal(status, 1 if text else 0, err)
    rt.contains(err, text)
    rt.equal(odd.close_code(), code, 'the code of our close frame')
    assert len([m for m in odd.masks if odd.masks.count(m) > 1]) <= 2, 'rule_b5_masks: masks repeat'
    running(daemon)


def running(daemon):
    assert daemon.process.running(), 'the daemon has ended: ' + daemon.process.output()[-500:]


def ends_without_close(daemon, api):
    def case(odd, key):
        threading.Timer(0.2, lambda: None).start()
        return handshake(key) + frame(TEXT, b'half', fin=0)

    odd = Odd(case)
    odd.read = lambda connection: connection.recv(1)
    status, err = finish(start(daemon, api, 'ws://127.0.0.1:%d/' % odd.port))
    rt.equal(status, 1)
    rt.contains(err, 'without a close frame')


# ---- programs that die, daemons that drain ----

def program_dies(daemon, api):
    ready = threading.Event()

    async def talk(ws):
        await ws.send('x')
        await ws.recv()
        ready.set()
        await ws.wait_closed()

    server = Server(talk)
    process = start(daemon, api, 'ws://127.0.0.1:%d/' % server.port)
    assert ready.wait(rt.DEADLINE), 'it never opened'
    process.kill()
    process.communicate()
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    rt.equal(server.seen, [(1001, '')])


def drain(place, api):
    """Everything that was sent is echoed, then the server hears 1001."""
    daemon = rt.Reqivod(place)
    opened = []

    async def talk(ws):
        for i in range(100):
            await ws.send('message %d' % i)
        opened.append(ws)
        for i in range(100):
            got = await asyncio.wait_for(ws.recv(), rt.DEADLINE)
            assert got == 'message %d' % i, got
        opened.append(ws)
        await ws.wait_closed()

    server = Server(talk)
    process = start(daemon, api, 'ws://127.0.0.1:%d/' % server.port)
    rt.poll('the echo is whole', lambda: len(opened) == 2 or server.errors)
    rt.equal(daemon.stop(), 0, 'the daemon')
    status, err = finish(process)
    rt.poll('the server has seen the end', lambda: server.served == 1)
    server.stop()
    rt.equal((status, server.errors, server.seen), (1, [], [(1001, '')]), err)
    rt.contains(err, 'shutting down')


def daemon_dies(place, api):
    """In the midst of messages: the program hears of it and ends, it does not spin."""
    daemon = rt.Reqivod(place)
    counted = []

    async def talk(ws):
        try:
            while True:
                await ws.send(b'x' * 60000)
                counted.append(await ws.recv())
        except websockets.ConnectionClosed:
            pass

    server = Server(talk)
    process = start(daemon, api, *['ws://127.0.0.1:%d/' % server.port] * (3 if api == APIS[0] else 1))
    rt.poll('messages go', lambda: len(counted) > 20)
    daemon.process.send(signal.SIGKILL)
    status, err = finish(process)
    server.stop()
    rt.equal(status, 1, err)
    rt.contains(err, 'the connection to the daemon was lost')


def command_line(daemon):
    async def talk(ws):
        assert ws.subprotocol == 'chat' and ws.request_headers['X-Odd'] == 'yes'
        rows.append(daemon.reqivoctl('websockets').stdout)
        got.append(await ws.recv())
        got.append(await ws.recv())
        await ws.wait_closed()

    got = []
    rows = []
    server = Server(talk, subprotocols=['chat'])
    done = subprocess.run([rt.program('reqivo'), 'ws', '--socket', daemon.socket, '--subprotocol', 'chat', '-H', 'X-Odd: yes',
                           'ws://127.0.0.1:%d/' % server.port], input=b'one\ntwo', capture_output=True, timeout=rt.DEADLINE, check=False)
    server.stop()
    rt.equal((done.returncode, done.stderr, server.errors), (0, b'', []))
    rt.equal(got, ['one', 'two'])
    rt.contains(rows[0].decode(), 'ws://127.0.0.1:%d' % server.port)


def reconnects(daemon):
    """The connection breaks twice; each message is echoed, and the events are told."""
    async def talk(ws):
        if len(server.seen) < 2:
            assert await ws.recv() == 'hello'
            ws.transport.abort()
            return
        await ws.send('back')
        await ws.close()

    server = Server(talk)
    process = subprocess.Popen([rt.program('reqivo'), 'ws', '--socket', daemon.socket, '--reconnect', '5', 'ws://127.0.0.1:%d/' % server.port],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for i in range(2):
        process.stdin.write(b'hello\n')
        process.stdin.flush()
        rt.poll('a loss', lambda i=i: len(server.seen) > i)
    out = process.stdout.read()
    err = process.stderr.read().decode()
    rt.equal(process.wait(rt.DEADLINE), 0, err)
    server.stop()
    rt.equal((out, server.errors), (b'back\n', []))
    for word, count in (('reqivo: lost', 2), ('attempt 1 in', 1), ('attempt 2 in', 1), ('restored', 2)):
        rt.equal(err.count(word), count, err)


# ---- over TLS ----

def nginx_front(place, certs, port):
    """An nginx before that port, and its URL for WebSockets."""
    proxy = 'location /ws { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; ' \
            'proxy_set_header Connection upgrade; }' % port
    nginx = rt.Nginx(place, certs, lines=proxy)
    return nginx, nginx.url('good', '/ws').replace('https', 'wss')


def table_over_tls(daemon, certs, api, compression):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs.files('good'))
    table(daemon, api, compression, echo_table_and_large, 'wss://localhost:%d/'.__mod__, ssl=context)


def table_behind_nginx(daemon, certs, api, compression):
    fronts = []

    def url(port):
        nginx, url = nginx_front(daemon.place, certs, port)
        fronts.append(nginx)
        return url

    table(daemon, api, compression, echo_table_and_large, url)
    fronts[0].stop()


def certificate(daemon, certs):
    """It is checked, and -k takes what is not trusted."""
    async def talk(ws):
        async for message in ws:
            await ws.send(message)

    server = Server(talk)
    nginx, url = nginx_front(daemon.place, certs, server.port)

    def ask(*args):
        done = subprocess.run([rt.program('reqivo'), 'ws', '--socket', daemon.socket, *args, url], input=b'', capture_output=True,
                              timeout=rt.DEADLINE, check=False)
        return done.returncode

    rt.equal((ask(), ask('-k'), ask('--cacert', certs.ca)), (60, 0, 0))
    nginx.stop()
    server.stop()


def second_peer(daemon, api):
    """A server over wslay says messages of every size, in fragments, pings between them; all come back."""
    server = subprocess.Popen([os.path.join(rt.builddir(), 'tests', 'integration', 'ws_echo_server'), '--talk'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        code, err = finish(start(daemon, api, 'ws://127.0.0.1:%d/' % port))
        rt.equal((code, server.stdout.readline().strip()), (0, 'good, closed'), err)
    finally:
        server.communicate(timeout=rt.DEADLINE)


def gone(daemon):
    rt.poll('all is given back', lambda: b'all_requests 0' in b' '.join(
        daemon.reqivoctl('status').stdout.replace(b':', b' ').split()))


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        for api in APIS:
            tap.case(f'{api}: every message comes back', table, daemon, api, None)
            tap.case(f'{api}: every message comes back, compressed', table, daemon, api, 'deflate')
            tap.case(f'{api}: every message of a server over wslay comes back', second_peer, daemon, api)
            for name, case, code, text in WRONGS:
                tap.case(f'{api}: {name}', wrong, daemon, api, case, code, text)
            tap.case(f'{api}: the connection ends without a close frame', ends_without_close, daemon, api)
            tap.case(f'{api}: the program dies, the server hears 1001', program_dies, daemon, api)
            tap.case(f'{api}: a drain loses nothing and says 1001', drain, place, api)
            tap.case(f'{api}: the daemon dies, the program ends', daemon_dies, place, api)
        tap.case('reqivo ws and reqivoctl websockets', command_line, daemon)
        tap.case('reqivo ws --reconnect', reconnects, daemon)
        certs = rt.Certs(place)
        tap.case('the certificate of wss', certificate, daemon, certs)
        trusting = rt.Reqivod(place, conf='ca_file = "%s"\n' % certs.ca + rt.Reqivod.CONF)
        for api in APIS:
            for compression in (None, 'deflate'):
                also = ', compressed' if compression else ''
                tap.case(f'{api}: every message comes back over wss{also}', table_over_tls, trusting, certs, api, compression)
                tap.case(f'{api}: every message comes back over wss behind nginx{also}', table_behind_nginx, trusting, certs, api, compression)
        tap.case('all is given back', gone, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
