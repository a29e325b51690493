#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_ws_conformance [--full] [GROUP...] - is the WebSocket client behind the echo examples right in everything that a server can see?

One table of some 500 scripts of a server, run through both APIs: framing, pings, reserved bits and opcodes, fragmentation, UTF-8,
closing, limits, compression. The strict reading counts everywhere: what came before a fault is echoed, what comes after is not, each
fault has its close code, text is refused at its first wrong byte, and the connection is the server's to end. --full, by hand, also runs
the large messages, and a thousand messages or 16 MiB for each setting of compression (some ten minutes)."""
import concurrent.futures
import itertools
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import reqivotest as rt  # noqa: E402
import ws_peer  # noqa: E402
from ws_peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflate, closing, fragments, frame  # noqa: E402

APIS = ('ws_echo_async', 'ws_echo_sync')
FULL = '--full' in sys.argv
AT_ONCE = 8
WHOLE, EACH, OCTETS = 'whole', 'each', 'octets'
CASES = {}


class Case:
    def __init__(self, name, script, fails=False, deflate=None):
        self.name, self.script, self.fails, self.deflate = name, script, fails, deflate
        assert name not in CASES, name
        CASES[name] = self


def say(peer, frames, how):
    for each in [b''.join(frames)] if how == WHOLE else frames:
        peer.say(each, 1 if how == OCTETS else 0)


def good(name, frames, expected, how=WHOLE):
    """The frames, and when the answer is there a close: it comes back, and nothing else did."""
    def script(peer):
        say(peer, frames, how)
        peer.heard(len(expected))
        peer.say(closing(1000))
        peer.close_heard()
        peer.expect(*expected, (CLOSE, 1000))
        peer.stays()
    Case(name, script)


def echo(name, opcode, payload, frames=None, how=WHOLE):
    good(name, frames or [frame(opcode, payload)], [(opcode, payload)], how)


def fault(name, frames, expected=(), code=1002, how=WHOLE):
    """The frames, of which one is wrong: the client closes with the code, after what it had to say before."""
    def script(peer):
        say(peer, frames, how)
        peer.close_heard()
        peer.expect(*expected, (CLOSE, code))
        peer.say(closing(code))
        peer.until(lambda: True)
        peer.stays()
    Case(name, script, fails=True)


# ---- framing, pings, reserved bits and opcodes ----

def framing():
    for group, opcode, fill in (('1.1', TEXT, b'*'), ('1.2', BINARY, b'\xfe')):
        for size in (0, 125, 126, 127, 128, 65535, 65536):
            echo(f'{group}.{size}', opcode, fill * size)
        chops = [frame(opcode, fill * 65536)[i:i + 997] for i in range(0, 65546, 997)]
        echo(f'{group}.chopped', opcode, fill * 65536, chops, EACH)


def pings():
    for name, payload in (('empty', b''), ('text', b'Hello, world!'), ('binary', b'\0\xff\xfe\xfd\xfc\xfb\0\xff'), ('125', b'\xfe' * 125)):
        good(f'2.ping.{name}', [frame(PING, payload)], [(PONG, payload)])
    good('2.ping.125.octets', [frame(PING, b'\xfe' * 125)], [(PONG, b'\xfe' * 125)], OCTETS)
    fault('2.ping.126', [frame(PING, b'\xfe' * 126)])
    good('2.pong', [frame(PONG)], [])
    good('2.pong.payload', [frame(PONG, b'unsolicited')], [])
    good('2.pong.ping', [frame(PONG, b'unsolicited'), frame(PING, b'ping')], [(PONG, b'ping')])
    many = [b'payload-%d' % i for i in range(10)]
    for how in (WHOLE, EACH, OCTETS):
        good(f'2.ten.{how}', [frame(PING, payload) for payload in many], [(PONG, payload) for payload in many], how)


def reserved():
    hello = frame(TEXT, b'Hello, world!')
    before = [(TEXT, b'Hello, world!')]
    fault('3.1', [frame(TEXT, b'Hello', rsv=1)])
    for rsv, how in ((2, WHOLE), (3, EACH), (4, OCTETS)):
        fault(f'3.{rsv}', [hello, frame(TEXT, b'Hello', rsv=rsv), frame(PING)], before, how=how)
    for rsv, opcode in ((5, BINARY), (6, PING), (7, CLOSE)):
        fault(f'3.{rsv}', [frame(opcode, b'Hello', rsv=rsv)])
    for group, opcodes in (('4.1', range(3, 8)), ('4.2', range(11, 16))):
        first = opcodes[0]
        fault(f'{group}.{first}', [frame(first)])
        fault(f'{group}.{first + 1}', [frame(first + 1, b'reserved opcode payload')])
        fault(f'{group}.{first + 2}', [hello, frame(first + 2), frame(PING)], before)
        fault(f'{group}.{first + 3}', [hello, frame(first + 3, b'reserved opcode payload'), frame(PING)], before, how=EACH)
        fault(f'{group}.{first + 4}', [hello, frame(first + 4, b'reserved opcode payload'), frame(PING)], before, how=OCTETS)


# ---- fragments ----

def fragmentation():
    one, two = frame(TEXT, b'fragment1', 0), frame(CONTINUATION, b'fragment2')
    whole = (TEXT, b'fragment1fragment2')
    fault('5.ping', [frame(PING, b'fragment1', 0), two])
    fault('5.pong', [frame(PONG, b'fragment1', 0), two])
    for how in (WHOLE, EACH, OCTETS):
        good(f'5.two.{how}', [one, two], [whole], how)
        good(f'5.two.ping.{how}', [one, frame(PING, b'between'), two], [(PONG, b'between'), whole], how)
        for fin in (0, 1):
            stray = frame(CONTINUATION, b'non-continuation payload', fin)
            fault(f'5.stray.{fin}.{how}', [stray, frame(TEXT, b'Hello, world!')], how=how)
            fault(f'5.after.{fin}.{how}', [one, two, stray, frame(TEXT, b'Hello, world!')], [whole], how=how)
        fault(f'5.twice.0.{how}', [frame(CONTINUATION, b'fragment1', 0), frame(TEXT, b'fragment2', 0), two] * 2, how=how)
        fault(f'5.twice.1.{how}', [frame(CONTINUATION, b'fragment1'), frame(TEXT, b'fragment2', 0), two] * 2, how=how)
        fault(f'5.inside.{how}', [one, frame(TEXT, b'fragment2')], how=how)
    parts = [b'fragment%d' % i for i in range(1, 6)]
    five = [frame(CONTINUATION if i else TEXT, part, int(i == 4)) for i, part in enumerate(parts)]

    def script(peer):
        for i, frames in enumerate(([*five[:2], frame(PING, b'1')], [*five[2:4], frame(PING, b'2')])):
            say(peer, frames, WHOLE)
            peer.heard(i + 1)
        peer.say(five[4])
        peer.heard(3)
        peer.say(closing(1000))
        peer.close_heard()
        peer.expect((PONG, b'1'), (PONG, b'2'), (TEXT, b''.join(parts)), (CLOSE, 1000))
        peer.stays()
    Case('5.five.pause', script)
    pinged = [*five[:2], frame(PING, b'1'), *five[2:4], frame(PING, b'2'), five[4]]
    for how in (WHOLE, EACH, OCTETS):
        good(f'5.five.{how}', pinged, [(PONG, b'1'), (PONG, b'2'), (TEXT, b''.join(parts))], how)


# ---- UTF-8 ----

def sequences():
    """Markus Kuhn's stress test in kind: what is valid, what is not, what only looks so; Python's decoder is the judge."""
    points = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x10ffff, 0x1fffe, 0x1ffff, 0x10fffe]
    points += [plane << 16 | low for plane in range(2, 16) for low in (0xfffe, 0xffff)]
    found = [chr(point).encode() for point in points] + ['κόσμε'.encode(), 'Hello-µ@ßöäüàá-UTF-8!!'.encode()]
    found += [b'\xf4\x90\x80\x80', b'\xf7\xbf\xbf\xbf', b'\xf8\x88\x80\x80\x80', b'\xfb\xbf\xbf\xbf\xbf', b'\xfc\x84\x80\x80\x80\x80',
              b'\xfd\xbf\xbf\xbf\xbf\xbf']
    found += [(b'\x80\xbf' * 4)[:n] for n in range(1, 8)] + [b'\xbf', bytes(range(0x80, 0xc0))]
    found += [b' '.join(bytes([c]) for c in row) + b' ' for row in (range(0xc0, 0xe0), range(0xe0, 0xf0), range(0xf0, 0xf8),
                                                                  range(0xf8, 0xfc), range(0xfc, 0xfe))]
    cut = [b'\xc0', b'\xe0\x80', b'\xf0\x80\x80', b'\xf8\x80\x80\x80', b'\xfc\x80\x80\x80\x80', b'\xdf', b'\xef\xbf', b'\xf7\xbf\xbf',
           b'\xfb\xbf\xbf\xbf', b'\xfd\xbf\xbf\xbf\xbf']
    found += cut + [b''.join(cut), b'\xfe', b'\xff', b'\xfe\xfe\xff\xff', b'\xed\x9f\xbf', b'\xee\x80\x80', b'\xef\xbf\xbe', b'\xef\xbf\xbf']
    found += [b'\xc0\xaf', b'\xe0\x80\xaf', b'\xf0\x80\x80\xaf', b'\xf8\x80\x80\x80\xaf', b'\xfc\x80\x80\x80\x80\xaf', b'\xc1\xbf',
              b'\xe0\x9f\xbf', b'\xf0\x8f\xbf\xbf', b'\xf8\x87\xbf\xbf\xbf', b'\xfc\x83\xbf\xbf\xbf\xbf', b'\xc0\x80', b'\xe0\x80\x80',
              b'\xf0\x80\x80\x80', b'\xf8\x80\x80\x80\x80', b'\xfc\x80\x80\x80\x80\x80']
    high, low = (b'\xed\xa0\x80', b'\xed\xad\xbf', b'\xed\xae\x80', b'\xed\xaf\xbf'), (b'\xed\xb0\x80', b'\xed\xbe\x80', b'\xed\xbf\xbf')
    found += [*high, *low, *(a + b for a in high for b in low)]
    kosme = 'κόσμε'.encode()
    found += [kosme[:n] for n in range(1, len(kosme))] + [kosme + b'\xed\xa0\x80edited', kosme + b'\xf4\x90\x80\x80edited']
    return list(dict.fromkeys(found))


def is_text(payload):
    try:
        payload.decode()
        return True
    except UnicodeDecodeError:
        return False


def fail_fast(name, before, wrong, chop):
    """The wrong byte is refused when it comes, although the frame or the message goes on."""
    def script(peer):
        for part in before:
            peer.say(part, chop)
        peer.until(lambda: True)
        peer.say(frame(PING))
        if not chop:
            peer.heard(1)
        peer.say(wrong)
        peer.close_heard()
        peer.expect(*([] if chop else [(PONG, b'')]), (CLOSE, 1007))
        peer.say(closing(1007))
        peer.until(lambda: True)
        peer.stays()
    Case(name, script, fails=True)


def utf8():
    echo('6.1.empty', TEXT, b'')
    good('6.1.empty.three', [frame(TEXT, b'', 0), frame(CONTINUATION, b'', 0), frame(CONTINUATION, b'')], [(TEXT, b'')])
    good('6.1.middle', [frame(TEXT, b'', 0), frame(CONTINUATION, b'middle', 0), frame(CONTINUATION, b'')], [(TEXT, b'middle')])
    valid, invalid = 'Hello-µ@ßöäüàá-UTF-8!!'.encode(), 'κόσμε'.encode() + b'\xed\xa0\x80edited'
    echo('6.2.halves', TEXT, valid, fragments(TEXT, valid, 12))
    for text in (valid, 'κόσμε'.encode()):
        echo(f'6.2.bytes.{len(text)}', TEXT, text, fragments(TEXT, text, 1))
        echo(f'6.2.octets.{len(text)}', TEXT, text, how=OCTETS)
    fault('6.3.whole', [frame(TEXT, invalid)], code=1007)
    fault('6.3.bytes', fragments(TEXT, invalid, 1), code=1007)
    long = 'κόσμε'.encode()
    beyond = b'\xf4\x90\x80\x80edited'
    fail_fast('6.4.frames', [frame(TEXT, long, 0)], frame(CONTINUATION, beyond[:4], 0), 0)
    fail_fast('6.4.byte', [frame(TEXT, long + beyond[:1], 0)], frame(CONTINUATION, beyond[1:2], 0), 0)
    one = frame(TEXT, long + beyond)
    in_frame = one[:len(one) - len(beyond)]

    def octets(name, wrong):
        def script(peer):
            peer.say(in_frame, 1)
            peer.say(wrong, 1)
            peer.close_heard()
            peer.expect((CLOSE, 1007))
        Case(name, script, fails=True)
    octets('6.4.inside', beyond[:4])
    octets('6.4.inside.byte', beyond[:2])
    for payload in sequences():
        name = f'6.x.{payload.hex()[:40]}.{len(payload)}'
        if is_text(payload):
            echo(name, TEXT, payload)
        else:
            fault(name, [frame(TEXT, payload)], code=1007)


# ---- closing ----

def close(name, frames, expected, code, fails=False):
    """The server closes, with or without more behind it."""
    def script(peer):
        peer.say(b''.join(frames))
        peer.close_heard()
        peer.expect(*expected, (CLOSE, code))
        peer.stays()
    Case(name, script, fails)


def closes():
    hello = (TEXT, b'Hello World!')
    bye = closing(1000)
    close('7.1.message', [frame(*hello), bye], [hello], 1000)
    close('7.1.two', [bye, bye], [], 1000)
    close('7.1.ping', [bye, frame(PING)], [], 1000)
    close('7.1.text', [bye, frame(*hello)], [], 1000)
    close('7.1.fragment', [frame(TEXT, b'fragment1', 0), bye, frame(CONTINUATION, b'fragment2')], [], 1000)
    big = (TEXT, b'BAsd7&jh23' * 26215)
    close('7.1.large', [frame(*big), frame(*hello), bye, frame(PING)], [big, hello], 1000)
    many = [(BINARY, bytes([i]) * 3000) for i in range(200)]
    close('7.1.many', [*(frame(*each) for each in many), bye], many, 1000)
    close('7.3.empty', [frame(CLOSE)], [], 1005)
    close('7.3.half', [frame(CLOSE, b'a')], [], 1002, True)
    close('7.3.reason', [closing(1000, b'Hello World!')], [], 1000)
    close('7.3.123', [closing(1000, b'*' * 123)], [], 1000)
    close('7.3.124', [closing(1000, b'*' * 124)], [], 1002, True)
    close('7.5', [closing(1000, 'κόσμε'.encode() + b'\xed\xa0\x80edited')], [], 1007, True)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        close(f'7.7.{code}', [closing(code)], [], code)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        close(f'7.9.{code}', [closing(code)], [], 1002, True)
        close(f'7.9.{code}.reason', [closing(code, b'why')], [], 1002, True)


# ---- limits ----

def rounds(name, opcode, payloads, deflate=None, size=0):
    """One message after another, each when the last has come back."""
    def script(peer):
        for payload in payloads:
            peer.message(opcode, payload, size)
            peer.heard(1, 100)
            peer.expect((opcode, payload))
            peer.events = []
        peer.say(closing(1000))
        peer.close_heard()
        peer.expect((CLOSE, 1000))
        peer.stays()
    Case(name, script, deflate=deflate)


def limits():
    m = 1 << 20
    sizes = (65536, 262144, m, 4 * m, 8 * m, 16 * m) if FULL else (65536, 262144, m, 4 * m)
    for group, opcode, fill in (('text', TEXT, b'*'), ('binary', BINARY, b'\xfe')):
        for size in sizes:
            echo(f'9.{group}.{size}', opcode, fill * size)
        total = 4 * m if FULL else m
        for size in (64, 256, 1024, 4096, 16384, 65536, 262144, m, 4 * m) if FULL else (64, 1024, 16384):
            rounds(f'9.{group}.fragments.{size}', opcode, [fill * total], size=size)
        for size in (64, 128, 256, 512, 1024, 2048) if FULL else (64, 2048):
            total = m if FULL else 131072
            chops = frame(opcode, fill * total)
            echo(f'9.{group}.chops.{size}', opcode, fill * total, [chops[i:i + size] for i in range(0, len(chops), size)], EACH)
        for size in (0, 16, 64, 256, 1024, 4096):
            rounds(f'9.{group}.rounds.{size}', opcode, [fill * size] * (1000 if FULL else 100))
    echo('10.auto', TEXT, b'*' * 65536, fragments(TEXT, b'*' * 65536, 1300))


# ---- compression ----

def corpus(seed, total):
    """Text that compresses as the world's does, and beyond ASCII."""
    random_ = random.Random(seed)
    words = ['{"id":', '"name":', 'Zeile', 'größer', 'value', ', ', 'κόσμε', '"', '}\n', '0.25', 'true', 'null', '[', ']']
    text, size = [], 0
    while size < total:
        word = random_.choice(words) if random_.random() < 0.8 else str(random_.randrange(10**9))
        text.append(word)
        size += len(word.encode())
    return ''.join(text).encode()


DATA = {'text': (TEXT, corpus(1, 300000)), 'random': (BINARY, random.Random(2).randbytes(300000)), 'zeros': (BINARY, bytes(300000))}


def cut(data, at, size):
    """`size` bytes from a place on; of text whole characters, filled up."""
    piece = data[at:at + size]
    text = piece.decode(errors='ignore').encode()
    return text + b'*' * (size - len(text)) if data is DATA['text'][1] else piece


def messages(data, size, count):
    return [cut(data, (i * 7919) % (len(data) - size), size) for i in range(count)]


def squeezed(name, kind, size, pieces, **params):
    opcode, data = DATA[kind]
    count = min(1000, (16 << 20) // size) if FULL else max(3, min(20, 65536 // size))
    rounds(f'{name}.{kind}.{size}.{pieces}', opcode, messages(data, size, count), Deflate(**params), pieces)


SIZES = ((16, 0), (64, 0), (256, 0), (1024, 0), (4096, 0), (8192, 0), (16384, 0), (32768, 0), (65536, 0), (131072, 0), (8192, 256),
         (16384, 256), (32768, 256), (65536, 256), (131072, 256), (131072, 1024), (131072, 4096), (131072, 32768))


def compression():
    for kind, (size, pieces) in itertools.product(DATA, SIZES):
        squeezed('12', kind, size, pieces)
    settings = [dict(client_fresh=True), dict(client_bits=8), dict(client_bits=9), dict(client_bits=15), dict(client_bits=8, client_fresh=True),
                dict(client_bits=15, client_fresh=True), dict(server_fresh=True), dict(server_bits=8), dict(server_bits=9, server_fresh=True),
                dict(server_bits=8, client_bits=8, server_fresh=True, client_fresh=True), dict(server_bits=12, client_bits=11)]
    for number, params in enumerate(settings, 1):
        for size, pieces in SIZES if FULL else SIZES[number % 3::3]:
            squeezed(f'13.{number}', 'text', size, pieces, **params)

    def plain(peer):
        for rsv in (0, 4):
            payload = b'a message, now and then compressed'
            peer.say(frame(TEXT, peer.deflate.squeeze(payload) if rsv else payload, rsv=rsv))
        peer.say(frame(TEXT, b'\0', rsv=4))
        peer.heard(3)
        peer.say(closing(1000))
        peer.close_heard()
        peer.expect(*[(TEXT, payload)] * 2, (TEXT, b''), (CLOSE, 1000))
    Case('13.mixed', plain, deflate=Deflate())

    def bad(name, frames, code, expected=()):
        def script(peer):
            say(peer, frames(peer), WHOLE)
            peer.close_heard()
            peer.expect(*expected, (CLOSE, code))
        Case(name, script, True, Deflate())
    hello = (TEXT, b'Hello, world!')
    bad('13.bad.data', lambda peer: [frame(*hello), frame(BINARY, b'\xff' * 30, rsv=4)], 1007, [hello])
    bad('13.bad.text', lambda peer: [frame(*hello), frame(TEXT, peer.deflate.squeeze(b'\xc0\x80'), rsv=4)], 1007, [hello])
    bad('13.bad.continuation', lambda peer: [frame(TEXT, b'a', 0), frame(CONTINUATION, b'b', rsv=4)], 1002)
    bad('13.bad.ping', lambda peer: [frame(PING, b'a', rsv=4)], 1002)
    bad('13.bad.rsv2', lambda peer: [frame(TEXT, b'a', rsv=6)], 1002)


GROUPS = {'1 framing': framing, '2 pings': pings, '3 and 4 reserved': reserved, '5 fragments': fragmentation, '6 UTF-8': utf8,
          '7 closing': closes, '9 and 10 limits': limits, '12 and 13 compression': compression}


# ---- the clients ----

def start(daemon, api, urls):
    return subprocess.Popen([os.path.join(rt.builddir(), 'doc', 'examples', api), *urls], env=dict(os.environ, REQIVO_SOCKET=daemon.socket),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ask(server, daemon, api, cases):
    """One program: of the asynchronous one all cases at once, of the other one case."""
    process = start(daemon, api, [server.url(f'{api}/{case.name}') for case in cases])
    try:
        err = process.communicate(timeout=600 if FULL else 120)[1].decode(errors='replace')
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [f'{case.name}: the program did not end' for case in cases if f'{api}/{case.name}' not in server.results]
    if process.returncode != int(any(case.fails for case in cases)):
        return [f'{cases[0].name}: the program ended with {process.returncode}: {err.strip()[-200:]}']
    return []


def run(server, daemon, api, cases):
    wrongs = []
    sheaf = 24 if api == APIS[0] else 1
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE if sheaf == 1 else 2) as pool:
        for found in pool.map(lambda i: ask(server, daemon, api, cases[i:i + sheaf]), range(0, len(cases), sheaf)):
            wrongs += found
    paths = [f'{api}/{case.name}' for case in cases]
    rt.poll('all scripts are over', lambda: all(path in server.results for path in paths) or wrongs)
    wrongs = [f'{path}: {server.results.get(path)}' for path in paths if server.results.get(path) != 'good'] + wrongs
    if wrongs:
        raise AssertionError('%d of %d deviate:\n%s' % (len(wrongs), len(cases), '\n'.join(wrongs[:20])))
    assert daemon.process.running(), 'the daemon has ended'


def main():
    tap = rt.Tap()
    wanted = [arg for arg in sys.argv[1:] if not arg.startswith('-')]
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        server = ws_peer.Server(lambda path: (CASES[path.split('/')[1]].script, CASES[path.split('/')[1]].deflate))
        for group, make in GROUPS.items():
            if wanted and group.split()[0] not in wanted:
                continue
            before = set(CASES)
            make()
            cases = [case for name, case in CASES.items() if name not in before]
            for api in APIS:
                tap.case(f'{api}: {group}: {len(cases)} scripts', run, server, daemon, api, cases)
        server.stop()
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
