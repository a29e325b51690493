# SPDX-License-Identifier: MIT
"""ws_peer - a WebSocket server, standard library only, whose every frame is the test's: it says bytes in chops of any size, reads what
comes meanwhile, and judges each frame of the client more strictly than a friendly server would."""
import base64
import hashlib
import select
import socket
import struct
import threading
import time
import zlib

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEADLINE = 30


class Wrong(Exception):
    """The client did what it should not."""


def frame(opcode, payload=b'', fin=1, rsv=0):
    n = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if n < 126:
        return head + bytes([n]) + payload
    return head + (bytes([126]) + struct.pack('>H', n) if n < 65536 else bytes([127]) + struct.pack('>Q', n)) + payload


def fragments(opcode, payload, size, rsv=0):
    """The frames of a message in pieces of `size`."""
    pieces = [payload[i:i + size] for i in range(0, len(payload), size)] or [b'']
    return [frame(CONTINUATION if i else opcode, piece, int(i == len(pieces) - 1), 0 if i else rsv) for i, piece in enumerate(pieces)]


def closing(code, reason=b''):
    return frame(CLOSE, struct.pack('>H', code) + reason)


def masked(body, mask):
    n = len(body)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(body, 'big') ^ int.from_bytes(key, 'big')).to_bytes(n, 'big')


class Deflate:
    """permessage-deflate as agreed on: bits and "no context takeover" of both ends."""

    def __init__(self, server_bits=15, client_bits=15, server_fresh=False, client_fresh=False):
        self.server_bits, self.client_bits = server_bits, client_bits
        self.server_fresh, self.client_fresh = server_fresh, client_fresh

    def answer(self, offer):
        if b'permessage-deflate' not in offer:
            raise Wrong('permessage-deflate was not offered')
        text = 'permessage-deflate'
        if self.server_bits < 15:
            text += '; server_max_window_bits=%d' % self.server_bits
        if self.client_bits < 15:
            if b'client_max_window_bits' not in offer:
                raise Wrong('client_max_window_bits was not offered')
            text += '; client_max_window_bits=%d' % self.client_bits
        text += '; server_no_context_takeover' if self.server_fresh else ''
        text += '; client_no_context_takeover' if self.client_fresh else ''
        return b'Sec-WebSocket-Extensions: ' + text.encode() + b'\r\n'

    def start(self):
        self.reset_out()
        self.reset_in()

    def reset_out(self):
        self.squeezer = zlib.compressobj(6, zlib.DEFLATED, -max(9, self.server_bits))

    def reset_in(self):
        self.expander = zlib.decompressobj(-max(9, self.client_bits))

    def squeeze(self, payload):
        if self.server_fresh:
            self.reset_out()
        return (self.squeezer.compress(payload) + self.squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def expand(self, payload):
        if self.client_fresh:
            self.reset_in()
        return self.expander.decompress(payload + b'\0\0\xff\xff')


class Peer:
    """One connection. `events` is what the client said: (TEXT, bytes), (BINARY, bytes), (PONG, bytes), (CLOSE, code)."""

    def __init__(self, connection, deflate=None):
        self.connection, self.deflate = connection, deflate
        self.data, self.out, self.at = bytearray(), [], 0
        self.events, self.open, self.ended = [], None, False
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)

    # ---- out ----

    def say(self, data, chop=0):
        """In one write, or in chops of so many bytes, each a write of its own."""
        self.out += [data[i:i + chop] for i in range(0, len(data), chop)] if chop else [data]

    def message(self, opcode, payload, size=0):
        rsv = 0
        if self.deflate:
            payload, rsv = self.deflate.squeeze(payload), 4
        for piece in fragments(opcode, payload, size, rsv) if size else [frame(opcode, payload, 1, rsv)]:
            self.out.append(piece)

    def _write(self):
        try:
            while self.at < len(self.out):
                chop = self.out[self.at]
                n = self.connection.send(chop)
                if n < len(chop):
                    self.out[self.at] = memoryview(chop)[n:]
                    return
                self.at += 1
        except BlockingIOError:
            return
        self.out, self.at = [], 0

    # ---- in ----

    def _read(self):
        try:
            data = self.connection.recv(1 << 20)
        except BlockingIOError:
            return
        if not data:
            self.ended = True
            return
        self.data += data
        at = 0
        while True:
            n = self._frame(at)
            if not n:
                break
            at += n
        del self.data[:at]

    def _frame(self, at):
        data, have = self.data, len(self.data) - at
        if have < 2:
            return 0
        first, n, head = data[at], data[at + 1] & 127, 6
        if not data[at + 1] & 128:
            raise Wrong('a frame is not masked')
        if n == 126:
            if have < 4:
                return 0
            n, head = struct.unpack_from('>H', data, at + 2)[0], 8
        elif n == 127:
            if have < 10:
                return 0
            n, head = struct.unpack_from('>Q', data, at + 2)[0], 14
        if n < (0, 126, 65536)[(head - 6) // 2 if head < 14 else 2]:
            raise Wrong('a length is not in its shortest form')
        if have < head + n:
            return 0
        body = bytes(data[at + head:at + head + n])
        self._take(first >> 7, first >> 4 & 7, first & 15, masked(body, bytes(data[at + head - 4:at + head])))
        return head + n

    def _take(self, fin, rsv, opcode, body):
        if self.events and self.events[-1][0] == CLOSE:
            raise Wrong('a frame after the close frame')
        if rsv & 3 or (rsv and (not self.deflate or opcode not in (TEXT, BINARY))):
            raise Wrong('reserved bits %d of opcode %d' % (rsv, opcode))
        if opcode >= CLOSE:
            if not fin or len(body) > 125:
                raise Wrong('a control frame that is none')
            self._control(opcode, body)
            return
        if (opcode == CONTINUATION) != (self.open is not None) or opcode > BINARY:
            raise Wrong('opcode %d out of place' % opcode)
        if opcode:
            self.open = (opcode, rsv, [])
        self.open[2].append(body)
        if fin:
            kind, rsv, bodies = self.open
            self.open = None
            whole = b''.join(bodies)
            whole = self.deflate.expand(whole) if rsv else whole
            if kind == TEXT:
                whole.decode()
            self.events.append((kind, whole))

    def _control(self, opcode, body):
        if opcode == CLOSE:
            if len(body) == 1:
                raise Wrong('a close frame with half a code')
            body[2:].decode()
            body = struct.unpack('>H', body[:2])[0] if body else 1005
        self.events.append((opcode, body))

    # ---- both ----

    def until(self, enough, seconds=DEADLINE):
        end = time.monotonic() + seconds
        while not self.ended and not (not self.out and enough()):
            left = end - time.monotonic()
            if left <= 0:
                raise Wrong('nothing more came; so far: %s' % brief(self.events))
            readable, writable, _ = select.select([self.connection], [self.connection] if self.out else [], [], left)
            if readable:
                self._read()
            if writable and not self.ended:
                self._write()

    def heard(self, count, seconds=DEADLINE):
        self.until(lambda: len(self.events) >= count, seconds)

    def close_heard(self):
        self.until(lambda: self.events and self.events[-1][0] == CLOSE)

    def expect(self, *events):
        if self.events != list(events):
            raise Wrong('expected %s, heard %s' % (brief(events), brief(self.events)))

    def stays(self):
        """The client has closed, too: it is the server who ends the connection. RFC 6455 7.1.1"""
        if select.select([self.connection], [], [], 0.01)[0]:
            self._read()
        if self.ended:
            raise Wrong('the client ended the connection first')


def brief(events):
    return [(kind, what if isinstance(what, int) else what if len(what) < 40 else '%d bytes' % len(what)) for kind, what in events]


class Server:
    """Accepts for ever; the path of a request names its script: script(peer), found by find(path) with what was agreed on."""

    def __init__(self, find):
        self.find, self.results = find, {}
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path):
        return 'ws://127.0.0.1:%d/%s' % (self.port, path)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        path, result = '?', None
        with connection:
            try:
                connection.settimeout(DEADLINE)
                head = b''
                while b'\r\n\r\n' not in head:
                    head += connection.recv(65536)
                path = head.split()[1][1:].decode()
                script, deflate = self.find(path)
                peer = Peer(connection, deflate)
                peer.say(self._answer(head, deflate))
                script(peer)
            except (Wrong, OSError, ValueError, zlib.error) as error:
                result = '%s: %s' % (type(error).__name__, error)
        self.results[path] = result or 'good'

    @staticmethod
    def _answer(head, deflate):
        fields = {}
        for line in head.split(b'\r\n')[1:]:
            name, _, value = line.partition(b':')
            fields[name.strip().lower()] = value.strip()
        proof = base64.b64encode(hashlib.sha1(fields[b'sec-websocket-key'] + GUID).digest())
        extra = b''
        if deflate:
            deflate.start()
            extra = deflate.answer(fields.get(b'sec-websocket-extensions', b''))
        return b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + proof + \
            b'\r\n' + extra + b'\r\n'

    def stop(self):
        self.listener.close()
