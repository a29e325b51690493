#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""hostile.py SOCKET JSON [KIND...] - a local user who means harm: each kind of attack on the daemon in a thread, over and over, until
stdin ends; then one line of JSON says how often each was made. JSON: {"big": URL, "never": URL, "bomb": URL, "ws": URL, "pause": s}.

It stands alone, so that it can be run as `python3 -c` by a user who cannot read this file: see start().
"""
import array
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

HELLO, REQUEST, DATA, CANCEL, WS_OPEN, WS_DATA, OPERATE = 1, 2, 4, 6, 14, 16, 21
END, FIRST, DECODE, CHUNKED_BODY = 1, 4, 0x80, 0x60


def frame(kind, ident, payload=b'', flags=0, length=None):
    return struct.pack('<IBBHQ', len(payload) if length is None else length, kind, flags, 0, ident) + payload


def hello():
    return frame(HELLO, 0, struct.pack('<HHIHHIQQ', 32, 1, 0x31565152, 1, 7, 1 << 20, 3, 0) + b'hostile')


def request(ident, url, flags=0, method=b'GET', end=END):
    head = struct.pack('<HHHHI6IQQ', 52, len(method), len(url), 0, flags, *[0] * 6, 0, 0)
    return frame(REQUEST, ident, head + method + url, end)


class Attacks:
    def __init__(self, path, urls):
        self.path = path
        self.urls = {name: value.encode() for name, value in urls.items() if isinstance(value, str)}
        self.held = {}

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(2)
        sock.connect(self.path)
        return sock

    def hold(self, kind, sock, most):
        """Keeps it open, and the last `most` of its kind."""
        held = self.held.setdefault(kind, [])
        held.append(sock)
        while len(held) > most:
            held.pop(0).close()

    def storm(self):
        """Connects and goes."""
        for sock in [self.connect() for _ in range(20)]:
            sock.close()

    def half(self):
        """Half a frame, and half a HELLO, and no more."""
        sock = self.connect()
        sock.sendall(hello() + request(1, self.urls['never'])[:40])
        self.hold('half', sock, 30)
        sock = self.connect()
        sock.sendall(hello()[:9])
        self.hold('half', sock, 30)

    def deaf(self):
        """Asks for much and never reads."""
        sock = self.connect()
        sock.sendall(hello() + b''.join(request(n, self.urls['big']) for n in range(1, 41)))
        self.hold('deaf', sock, 5)

    def cancels(self):
        sock = self.connect()
        sock.sendall(hello())
        for first in range(1, 2001, 200):
            sock.sendall(b''.join(request(n, self.urls['never']) + frame(CANCEL, n) for n in range(first, first + 200)))
            sock.recv(1 << 20)
        sock.close()

    def huge(self):
        """Lengths that nobody may declare, and a body of which nothing comes."""
        for bad in (frame(DATA, 1, length=0xffffffff), frame(REQUEST, 1, length=61441), frame(OPERATE, 1, length=65537)):
            sock = self.connect()
            sock.sendall(hello() + bad)
            sock.close()
        sock = self.connect()
        sock.sendall(hello() + request(1, self.urls['never'], CHUNKED_BODY, b'POST', 0) + frame(DATA, 1, bytes(100), length=65536))
        self.hold('huge', sock, 10)

    def descriptors(self):
        sock = self.connect()
        fds = [os.open('/dev/null', os.O_RDONLY) for _ in range(50)]
        try:
            sock.sendmsg([hello()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])
        finally:
            for fd in fds:
                os.close(fd)
            sock.close()

    def messages(self):
        """Floods a WebSocket that echoes, and reads nothing."""
        sock = self.connect()
        url = self.urls['ws']
        sock.sendall(hello() + frame(WS_OPEN, 1, struct.pack('<HHHHI', 12, len(url), 0, 0, 0) + url))
        sock.sendall(frame(WS_DATA, 1, b'm' * 1000, FIRST | END) * 900)
        self.hold('messages', sock, 5)

    def bombs(self):
        """Small bodies that grow, all at once."""
        sock = self.connect()
        sock.sendall(hello() + b''.join(request(n, self.urls['bomb'], DECODE) for n in range(1, 21)))
        sock.recv(1 << 20)
        self.hold('bombs', sock, 2)

    def refused(self):
        sock = self.connect()
        sock.sendall(hello() + b''.join(request(n, b'gopher://127.0.0.1/') for n in range(1, 1001)))
        sock.close()


KINDS = ('storm', 'half', 'deaf', 'cancels', 'huge', 'descriptors', 'messages', 'bombs', 'refused')


def run(attacks, kind, counts, pause):
    while True:
        try:
            getattr(attacks, kind)()
        except OSError:
            pass  # what the daemon makes of him is the daemon's affair
        counts[kind] += 1
        time.sleep(pause)


def start(socket_path, urls, kinds=KINDS, preexec=None):
    """A process of it; `stop` below ends it."""
    with open(os.path.abspath(__file__).replace('.pyc', '.py'), encoding='utf-8') as file:
        source = file.read()
    return subprocess.Popen(['/usr/bin/python3', '-B', '-c', source, socket_path, json.dumps(urls), *kinds], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, preexec_fn=preexec, cwd='/')


def stop(process):
    """How often it has done what."""
    out, _ = process.communicate(timeout=60)
    return json.loads(out)


def main():
    path, urls = sys.argv[1], json.loads(sys.argv[2])
    kinds = sys.argv[3:] or KINDS
    counts = dict.fromkeys(kinds, 0)
    for kind in kinds:
        threading.Thread(target=run, args=(Attacks(path, urls), kind, counts, urls.get('pause', 0.01)), daemon=True).start()
    sys.stdin.read()
    print(json.dumps(counts), flush=True)
    os._exit(0)


if __name__ == '__main__':
    main()
