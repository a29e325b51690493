# SPDX-License-Identifier: MIT
"""odd_origin - an origin on loopback that misbehaves on purpose, a thread per connection, http or (with a context) https.

The path selects what happens: /NAME/rest calls do_NAME; /raw/KEY sends the bytes of answers[KEY] = (bytes, after). `after` is what
follows: keep, close (with close_notify), cut (without it), reset, stall, junk:TEXT (bytes on the idle connection), hangup (closes
the idle connection). Every request is logged with the number of its connection and its token (field X-Token): log is the witness.
"""
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
import zlib

LINGER_RESET = struct.pack('ii', 1, 0)


class Gone(Exception):
    """The other side is no longer there."""


class Request:
    def __init__(self, head, connection, number):
        lines = head.decode('latin-1').split('\r\n')
        self.head, self.connection, self.number = head, connection, number
        self.method, self.target, self.version = (lines[0].split(' ') + ['', ''])[:3]
        self.fields = [(name, value.strip()) for name, _, value in (line.partition(':') for line in lines[1:])]
        self.body = b''
        self.whole = False  # the body has come to its end
        self.tls = None  # the version

    def get(self, name, default=''):
        return next((v for n, v in self.fields if n.lower() == name), default)

    @property
    def token(self):
        return self.get('x-token')


class Connection:
    """One accepted connection. `number` counts from 1 over the life of the origin."""

    def __init__(self, origin, sock, number):
        self.origin, self.sock, self.number = origin, sock, number
        self.buffer = b''
        self.requests = 0
        self.resumed = False

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def exactly(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_head(self):
        head = self.until(b'\r\n\r\n')
        self.requests += 1
        return Request(head, self.number, self.requests)

    def read_body(self, request):
        if request.get('transfer-encoding').lower() == 'chunked':
            while True:
                size = int(self.until(b'\r\n').split(b';')[0], 16)
                if size == 0:
                    break
                request.body += self.exactly(size)
                self.until(b'\r\n')
            self.until(b'\r\n')
        else:
            request.body = self.exactly(int(request.get('content-length', '0')))
        request.whole = True

    def wait_gone(self, seconds=60):
        """Reads and drops until the other side closes; True when it did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.origin.stopping:
            if select.select([self.sock], [], [], 0.2)[0]:
                try:
                    if not self.sock.recv(65536):
                        return True
                except OSError:
                    return True
        return False

    def reset(self):
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        except OSError:
            pass

    def close_notify(self):
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.settimeout(0.5)
                self.sock.unwrap()
            except (OSError, ValueError):
                pass


class OddOrigin:
    def __init__(self, place, context=None, before=None, port=0, address='127.0.0.1'):
        self.context, self.before = context, before  # before: reset, close, stall: instead of a TLS handshake or any answer
        self.answers, self.done = {}, {}
        self.lock = threading.Lock()
        self.log, self.accepted, self.open = [], 0, set()
        self.release = threading.Event()  # lets /wait answer
        self.stopping = False
        self.address = address
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        place.keep(self)

    def url(self, path='/', host=None):
        host = host or (f'[{self.address}]' if ':' in self.address else self.address)
        return f'{"https" if self.context else "http"}://{host}:{self.port}{path}'

    def stop(self):
        self.stopping = True
        self.release.set()
        for sock in [self.listener, *self.open]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def seen(self, token):
        """The requests with that token, in order."""
        with self.lock:
            return [r for r in self.log if r.token == token]

    def raw(self, key, data, after='close'):
        self.answers[key] = (data, after)
        self.done[key] = threading.Event()

    def connections(self):
        return len(self.open)

    # ---- the threads ----

    def _accept(self):
        while not self.stopping:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock, self.accepted), daemon=True).start()

    def _serve(self, raw, number):
        connection = Connection(self, raw, number)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.before:
                self._before(connection)
                return
            if self.context:
                connection.sock = self.context.wrap_socket(raw, server_side=True)
                connection.resumed = bool(connection.sock.session_reused)
                self.open.add(connection.sock)
            while self._one(connection):
                pass
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.open.discard(raw)
            self.open.discard(connection.sock)
            connection.sock.close()
            raw.close()

    def _before(self, connection):
        if self.before == 'reset':
            connection.reset()
        elif self.before == 'stall':
            connection.wait_gone()
        else:
            connection.send(self.before)
            connection.wait_gone(5)

    def _one(self, connection):
        request = connection.read_head()
        request.tls = connection.sock.version() if self.context else None
        with self.lock:
            self.log.append(request)
        name = request.target.split('?')[0].strip('/').split('/')[0]
        handler = getattr(self, f'do_{name}', None)
        lazy = getattr(handler, 'lazy', False)
        if not lazy:
            if request.get('expect').lower() == '100-continue':
                connection.send(b'HTTP/1.1 100 Continue\r\n\r\n')
            connection.read_body(request)
        request.resumed = connection.resumed
        return (handler or self.do_echo)(connection, request)

    def answer(self, connection, body=b'', fields=(), status='200 OK', method='GET'):
        lines = [f'HTTP/1.1 {status}', f'Content-Length: {len(body)}', *fields]
        connection.send('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + (b'' if method == 'HEAD' else body))
        return True

    # ---- what a path does ----

    def do_echo(self, connection, request):
        """What was received, as JSON."""
        text = json.dumps({'method': request.method, 'target': request.target, 'version': request.version,
                           'fields': request.fields, 'length': len(request.body), 'crc': zlib.crc32(request.body),
                           'connection': connection.number, 'number': request.number, 'resumed': request.resumed,
                           'body': request.body[:400].decode('latin-1'), 'token': request.token})
        return self.answer(connection, text.encode(), method=request.method)

    def do_raw(self, connection, request):
        key = request.target.split('?')[0].split('/')[2]
        data, after = self.answers[key]
        try:
            connection.send(data)
            return self._after(connection, after)
        finally:
            self.done[key].set()

    def _after(self, connection, after):
        if after == 'keep':
            return True
        if after == 'close':
            connection.close_notify()
        elif after == 'reset':
            time.sleep(0.05)  # lets the bytes be read: a reset throws away what waits in the other kernel
            connection.reset()
        elif after == 'stall':
            connection.wait_gone()
        elif after.startswith('junk:'):
            time.sleep(0.05)  # the response is complete and the connection idle
            connection.send(after[5:].encode('latin-1').decode('unicode_escape').encode('latin-1'))
            return True
        elif after == 'hangup':
            time.sleep(0.05)
            connection.close_notify()
        return False

    def do_race(self, connection, request):
        """A later request on a connection meets a server that closes it just then; reset: with a reset."""
        if connection.requests == 1:
            return self.do_echo(connection, request)
        if request.target.startswith('/race/reset'):
            connection.reset()
        else:
            connection.close_notify()
        return False

    def do_mute(self, connection, request):
        """Never an answer, always the end."""
        if request.target.startswith('/mute/reset'):
            connection.reset()
        else:
            connection.close_notify()
        return False

    def do_half(self, connection, request):
        """One byte of an answer on a later request, then the end: too much to repeat."""
        if connection.requests == 1:
            return self.do_echo(connection, request)
        connection.send(b'H')
        time.sleep(0.05)
        connection.close_notify()
        return False

    def do_drip(self, connection, request):
        """/drip/BYTES/MS: a body of so many bytes, one each MS."""
        size, ms = (int(x) for x in request.target.split('/')[2:4])
        connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % size)
        for _ in range(size):
            time.sleep(ms / 1000)
            connection.send(b'.')
        return True

    def do_drip_head(self, connection, request):
        """A whole small answer, byte by byte."""
        for byte in b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc':
            connection.send(bytes([byte]))
            time.sleep(0.001)
        return True

    def do_halves(self, connection, request):
        """A small answer in two pieces: the second has the rest of the head and the body."""
        connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-')
        time.sleep(0.02)
        connection.send(b'A: b\r\n\r\nabc')
        return True

    def do_big(self, connection, request):
        """/big/BYTES: zeros, with Content-Length; never more than the socket takes."""
        left = int(request.target.split('/')[2])
        connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % left)
        block = bytes(262144)
        while left:
            connection.send(block[:left])
            left -= min(left, len(block))
        return True

    def do_chunks(self, connection, request):
        """/chunks/COUNT/SIZE: chunked, with a trailer."""
        count, size = (int(x) for x in request.target.split('/')[2:4])
        connection.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        for i in range(count):
            connection.send(b'%x\r\n' % size + bytes([65 + i % 26]) * size + b'\r\n')
        connection.send(b'0\r\nX-Sum: %d\r\n\r\n' % (count * size))
        return True

    def do_endless(self, connection, request):
        """/endless/1xx, /endless/head, /endless/chunk-ext, /endless/trailers, /endless/line: until the other side has enough."""
        kind = request.target.split('/')[2]
        first, more = {
            '1xx': (b'', b'HTTP/1.1 100 Continue\r\n\r\n'),
            '103': (b'', b'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'),
            'head': (b'HTTP/1.1 200 OK\r\n', b'X-Filler: 0123456789\r\n'),
            'line': (b'HTTP/1.1 200 OK\r\nX-Filler: ', b'0123456789' * 100),
            'chunk-ext': (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', b'1;' + b'e' * 60 + b'\r\nx\r\n'),
            'trailers': (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n', b'X-Filler: 0123456789\r\n'),
            'body': (b'HTTP/1.1 200 OK\r\n\r\n', b'0123456789' * 1000),
        }[kind]
        connection.send(first)
        for _ in range(20000):
            connection.send(more * 50)
        return False

    def do_wait(self, connection, request):
        """Answers when release is set."""
        while not self.release.wait(0.05):
            if select.select([connection.sock], [], [], 0)[0]:
                return False  # the other side has closed
        return self.do_echo(connection, request)

    def do_sleep(self, connection, request):
        """/sleep/MS: answers then."""
        time.sleep(int(request.target.split('/')[2]) / 1000)
        return self.do_echo(connection, request)

    def do_stall(self, connection, request):
        connection.wait_gone()
        return False

    def do_bye(self, connection, request):
        """Connection: close, and does so."""
        self.answer(connection, b'bye\n', ['Connection: close'], method=request.method)
        connection.close_notify()
        return False

    # These read the body themselves, or not at all.

    def do_early(self, connection, request):
        """An answer before the request's body has been read; /early/close closes afterwards."""
        self.answer(connection, b'too large\n', status='413 Content Too Large')
        connection.wait_gone(10)
        return False

    def do_expect_refuse(self, connection, request):
        self.answer(connection, b'no\n', status='417 Expectation Failed')
        connection.wait_gone(10)
        return False

    def do_expect_mute(self, connection, request):
        """Never says 100 Continue, but takes the body."""
        connection.read_body(request)
        return self.do_echo(connection, request)

    def do_expect_twice(self, connection, request):
        connection.send(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n')
        connection.read_body(request)
        return self.do_echo(connection, request)

    def do_stall_body(self, connection, request):
        """Reads nothing more: the request's body has nowhere to go."""
        gone = select.poll()
        gone.register(connection.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        while not self.stopping and not gone.poll(100):
            pass
        return False

    def do_reset_body(self, connection, request):
        """Takes 100 000 bytes of the body, then resets."""
        connection.exactly(100000)
        connection.reset()
        return False

    for lazy in (do_early, do_expect_refuse, do_expect_mute, do_expect_twice, do_stall_body, do_reset_body):
        lazy.lazy = True
    del lazy


def server_context(certs, name, max_version=None, min_version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs.files(name))
    if min_version:
        context.minimum_version = min_version
    if max_version:
        context.maximum_version = max_version
    return context


class DeafPort:
    """A port whose backlog is full: a connect to it hangs."""

    def __init__(self, place):
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(('127.0.0.1', self.port))
            self.fillers.append(filler)
        place.keep(self)

    def stop(self):
        for sock in (*self.fillers, self.listener):
            sock.close()


def closed_port():
    """A port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


assert os.name == 'posix'
