#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_pools - operations on pools, acquired connections, routes and bounds of TLS versions, frame by frame."""
import os
import signal
import ssl
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from test_wire_abuse import CANCEL, DATA, DONE, END, INFO, REQUEST, RESPONSE, Peer, frame, hello  # noqa: E402

OPERATE = 21
STATS, LIMIT, PREWARM, CLOSE_IDLE, ACQUIRE, RELEASE, INFORM = 6, 7, 8, 9, 10, 11, 13
ERRORS = {'SESSION': -10109, 'CLOSED': -10205, 'CONNECT': -10202, 'HANDSHAKE': -10301, 'HOST': -10303, 'DENIED': -10901,
          'URL': -10101, 'CANCELED': -11101, 'TOTAL': -10503, 'QUEUE': -10401, 'LIMIT': -11002, 'REDIRECT': -10904}
QUEUE, TOTAL = 0, 5
TLS_1_2, TLS_1_3 = 2, 3


def head(url, method=b'GET', fields=(), connection=0, route=b'', tls=(0, 0), flags=0, timeouts=None, redirects=0):
    """The payload of a REQUEST."""
    times = [0] * 6
    for which, ms in (timeouts or {}).items():
        times[which] = ms
    url = url.encode() if isinstance(url, str) else url
    packed = b''.join(struct.pack('<HH', len(n), len(v)) + n + v for n, v in fields)
    fixed = struct.pack('<HHHHI6IQQQQHHBB', 74, len(method), len(url), len(fields), flags, *times, 0, 0, 0, connection, redirects,
                        len(route), *tls)
    return fixed + method + url + route + packed


def fields_of(payload):
    size, count = struct.unpack('<HH', payload[:4])
    at, got = size, {}
    for _ in range(count):
        name_len, value_len = struct.unpack('<HH', payload[at:at + 4])
        at += 4
        got[payload[at:at + name_len].decode()] = payload[at + name_len:at + name_len + value_len].decode()
        at += name_len + value_len
    return got


class Done:
    def __init__(self, payload, row, status, body):
        fixed, detail, address, self.phase, self.sent, self.flags, self.code = struct.unpack('<HHHBBIi', payload[:16])
        self.detail = payload[fixed:fixed + detail].decode()
        self.row, self.status, self.body = row, status, body


class Program(Peer):
    """Speaks the wire; ids count up."""

    def __init__(self, daemon):
        super().__init__(daemon)
        self.id, self.got, self.rows, self.statuses, self.bodies, self.dones = 0, b'', {}, {}, {}, {}
        self.send(hello())

    def request(self, url, token=b'', **options):
        self.id += 1
        fields = (*options.pop('fields', ()), (b'X-Token', token))
        self.send(frame(REQUEST, self.id, head(url, fields=fields, **options), END))
        return self.id

    def operate(self, verb, url='', value=0, target=0, **options):
        self.id += 1
        method = b'' if verb in (RELEASE, INFORM) else b'GET'
        self.send(frame(OPERATE, self.id, struct.pack('<HHIQ', 16, verb, value, target) + head(url, method=method, **options)))
        return self.id

    def cancel(self, ident):
        self.send(frame(CANCEL, ident))

    def done(self, ident):
        while ident not in self.dones:
            data = self.sock.recv(65536)
            assert data, 'the daemon closed'
            self.got += data
            while len(self.got) >= 16 and len(self.got) >= 16 + struct.unpack('<I', self.got[:4])[0]:
                length, kind, _, _, of = struct.unpack('<IBBHQ', self.got[:16])
                payload, self.got = self.got[16:16 + length], self.got[16 + length:]
                if kind == INFO:
                    self.rows[of] = fields_of(payload)
                elif kind == RESPONSE:
                    self.statuses[of] = struct.unpack('<H', payload[2:4])[0]
                elif kind == DATA:
                    self.bodies[of] = self.bodies.get(of, b'') + payload
                elif kind == DONE:
                    self.dones[of] = Done(payload, self.rows.get(of), self.statuses.get(of), self.bodies.get(of, b''))
        return self.dones[ident]

    def well(self, ident, what=''):
        done = self.done(ident)
        rt.equal((done.code, done.detail), (0, ''), what or f'id {ident}')
        return done

    def fails(self, ident, name, sent=0):
        done = self.done(ident)
        rt.equal((done.code, done.sent), (ERRORS[name], sent), done.detail)
        return done

    def stats(self, url, **options):
        return {k: v if k == 'origin' else int(v) for k, v in self.well(self.operate(STATS, url, **options)).row.items()}


def conf(**sections):
    text = rt.Reqivod.CONF
    for name, lines in sections.items():
        text += f'{name} {{\n' + ''.join(f'    {line}\n' for line in lines) + '}\n'
    return text


def numbers(origin, *tokens):
    return [r.connection for token in tokens for r in origin.seen(token)]


# ---- acquired connections ----

def in_order(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, url = Program(daemon), origin.url('/echo')
    pin = program.operate(ACQUIRE, url)
    row = program.well(pin).row
    rt.equal(origin.log, [], 'no request has been sent')
    rt.equal((row['uses'], row['reused']), ('0', '0'), 'a fresh one')
    assert row['address'] == f'127.0.0.1:{origin.port}' and row['local_address'].startswith('127.0.0.1:'), row
    ids = [program.request(origin.url('/sleep/100'), b'slow', connection=pin)]
    ids += [program.request(url, f'fast{n}'.encode(), connection=pin) for n in range(3)]
    for ident in ids:
        rt.equal(program.well(ident).status, 200)
    rt.equal([r.token for r in origin.log], ['slow', 'fast0', 'fast1', 'fast2'], 'the order at the origin')
    rt.equal((origin.accepted, {r.connection for r in origin.log}), (1, {1}), 'one connection')
    rt.equal(program.well(program.operate(INFORM, target=pin)).row['uses'], '4', 'uses')


def before_it_is_there(place):
    """Requests and the release leave in the flight of the acquisition."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, url = Program(daemon), origin.url('/echo')
    pin = program.operate(ACQUIRE, url)
    ids = [program.request(url, b't', connection=pin) for _ in range(3)]
    release = program.operate(RELEASE, target=pin)
    late = program.request(url, b'late', connection=pin)
    for ident in (pin, *ids, release):
        program.well(ident)
    program.fails(late, 'SESSION')
    rt.equal((numbers(origin, 't'), origin.seen('late')), ([1, 1, 1], []), 'on one connection')
    rt.equal(program.stats(url)['idle'], 1, 'it is back')


def nobody_else(place):
    """rule_b2_4: nobody else gets it while it is held; when it is given back, the next does."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, other, url = Program(daemon), Program(daemon), origin.url('/echo')
    pin = program.operate(ACQUIRE, url)
    program.well(program.request(url, b'own', connection=pin))
    for _ in range(3):
        other.well(other.request(url, b'other'))
    rt.equal((numbers(origin, 'own'), numbers(origin, 'other')), ([1], [2, 2, 2]), 'connections')
    state = other.stats(url)
    rt.equal((state['leased'], state['idle'], state['opened']), (1, 1, 2), 'in the books')
    other.fails(other.request(url, b'stolen', connection=pin), 'SESSION')
    other.fails(other.operate(RELEASE, target=pin), 'SESSION')
    other.fails(other.operate(INFORM, target=pin), 'SESSION')
    program.well(program.operate(RELEASE, target=pin))
    other.well(other.request(url, b'next'))
    rt.equal((numbers(origin, 'next'), origin.seen('stolen')), ([1], []), 'the one that was given back')
    program.fails(program.operate(RELEASE, target=pin), 'SESSION')


def closed_between(place):
    """The server closes it between two requests, or with the answer: an error, never another connection."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program = Program(daemon)
    ok = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\nok'
    origin.raw('hangup', ok % b'', 'hangup')
    origin.raw('junk', ok % b'', 'junk:HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nforged')
    origin.raw('close', ok % b'Connection: close\r\n', 'close')
    for n, how in enumerate(('hangup', 'junk', 'close'), 1):
        pin = program.operate(ACQUIRE, origin.url('/'))
        program.well(program.request(origin.url(f'/raw/{how}'), b'first', connection=pin))
        rt.poll('it is gone', lambda: origin.connections() == 0)
        program.fails(program.request(origin.url('/echo'), b'second', connection=pin), 'CLOSED')
        program.fails(program.operate(INFORM, target=pin), 'CLOSED')
        rt.equal((origin.accepted, origin.seen('second')), (n, []), 'no other connection')
        program.fails(program.operate(RELEASE, target=pin), 'CLOSED')
    row = program.well(program.request(origin.url('/echo'), b'free'))
    rt.equal(row.status, 200, 'without a name of a connection')


def never_repeated(place):
    """It breaks under a request that could be repeated: it is not."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program = Program(daemon)
    pin = program.operate(ACQUIRE, origin.url('/'))
    program.well(program.request(origin.url('/echo'), b'first', connection=pin))
    origin.raw('gone', b'', 'close')
    done = program.done(program.request(origin.url('/raw/gone'), b'second', connection=pin))
    assert done.code in (-10203, -10204) and done.sent == 1, (done.code, done.detail)
    rt.equal((origin.accepted, len(origin.seen('second'))), (1, 1), 'sent once')
    program.fails(program.request(origin.url('/echo'), b'third', connection=pin), 'CLOSED')


def closing(place):
    """CANCEL of its id closes it at once; the requests that name it fail."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program = Program(daemon)
    pin = program.operate(ACQUIRE, origin.url('/'))
    program.well(pin)
    running = program.request(origin.url('/wait'), b'running', connection=pin)
    waiting = [program.request(origin.url('/echo'), b'waiting', connection=pin) for _ in range(5)]
    rt.poll('one runs', lambda: origin.seen('running'))
    program.cancel(pin)
    program.fails(running, 'CLOSED', sent=1)
    for ident in waiting:
        program.fails(ident, 'CLOSED')
    rt.poll('closed', lambda: origin.connections() == 0)
    rt.equal(origin.seen('waiting'), [], 'at the origin')
    program.fails(program.request(origin.url('/echo'), connection=pin), 'SESSION')


def one_is_cancelled(place):
    """A waiting request goes; the others keep their order. A running one takes the connection with it."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program = Program(daemon)
    pin = program.operate(ACQUIRE, origin.url('/'))
    first = program.request(origin.url('/sleep/50'), b'a', connection=pin)
    gone = program.request(origin.url('/echo'), b'b', connection=pin)
    last = program.request(origin.url('/wait'), b'c', connection=pin)
    program.cancel(gone)
    program.fails(gone, 'CANCELED')
    program.well(first)
    rt.poll('the last runs', lambda: origin.seen('c'))
    program.cancel(last)
    program.fails(last, 'CANCELED', sent=1)
    program.fails(program.request(origin.url('/echo'), b'd', connection=pin), 'CLOSED')
    rt.equal([r.token for r in origin.log], ['a', 'c'], 'at the origin')


def death(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, witness = Program(daemon), Program(daemon)
    pins = [program.operate(ACQUIRE, origin.url('/')) for _ in range(3)]
    for pin in pins:
        program.well(pin)
    program.request(origin.url('/wait'), b'x', connection=pins[0])
    program.operate(RELEASE, target=pins[0])
    rt.poll('it runs', lambda: origin.seen('x'))
    rt.poll('connections', lambda: origin.connections() == 3)
    program.sock.close()
    rt.poll('they are closed', lambda: origin.connections() == 0)
    state = witness.stats(origin.url('/'))
    rt.equal((state['leased'], state['idle']), (0, 0), 'in the books')


def other_key(place):
    """rule_b1_k3, rule_b1_k6: a request for another origin, or with other options, never goes over it."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    stranger = odd.OddOrigin(place)
    program = Program(daemon)
    pin = program.operate(ACQUIRE, origin.url('/'))
    program.well(pin)
    for ident in (program.request(stranger.url('/echo'), b's', connection=pin),
                  program.request(origin.url('/echo', host='localhost'), b's', connection=pin),
                  program.request(origin.url('/echo'), b's', connection=pin, route=b'127.0.0.1:%d' % origin.port)):
        done = program.fails(ident, 'SESSION')
        rt.contains(done.detail, 'another origin')
    program.well(program.request(origin.url('/echo'), b'own', connection=pin))
    rt.equal((origin.seen('s'), stranger.accepted, numbers(origin, 'own')), ([], 0, [1]), 'at the origins')


def bound_auth(place):
    """rule_b2_4: what was authenticated as a connection stays its program's, and is closed when it is given back."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, other, url = Program(daemon), Program(daemon), origin.url('/echo')
    pin = program.operate(ACQUIRE, url)
    ntlm = ((b'Authorization', b'NTLM TlRMTVNTUAAB'),)
    for fields in (ntlm, ntlm, ()):
        program.well(program.request(url, b'own', fields=fields, connection=pin))
    rt.equal(numbers(origin, 'own'), [1, 1, 1], 'one connection for all its steps')
    program.well(program.operate(RELEASE, target=pin))
    other.well(other.request(url, b'other'))
    rt.equal(numbers(origin, 'other'), [2], 'a connection of its own')


def how_many(place):
    """64 a program; they count in the limits of the pool."""
    daemon, origin = rt.Reqivod(place, conf=conf(pool=['connections = 70'])), odd.OddOrigin(place)
    program, other = Program(daemon), Program(daemon)
    pins = [program.operate(ACQUIRE, origin.url('/')) for _ in range(64)]
    for pin in pins:
        program.well(pin)
    program.fails(program.operate(ACQUIRE, origin.url('/')), 'LIMIT')
    for _ in range(6):
        other.well(other.operate(ACQUIRE, origin.url('/')))
    other.fails(other.operate(ACQUIRE, origin.url('/'), timeouts={QUEUE: 200}), 'QUEUE')
    late = other.operate(ACQUIRE, origin.url('/'))
    program.cancel(pins[0])
    other.well(late)
    rt.poll('connections in all', lambda: origin.accepted == 71)


def acquire_fails(place):
    """The requests that name it fail with its error, or with that of a name that means nothing."""
    daemon, port = rt.Reqivod(place), odd.closed_port()
    program, url = Program(daemon), f'http://127.0.0.1:{port}/'
    pin = program.operate(ACQUIRE, url)
    ident = program.request(url, connection=pin)
    program.fails(pin, 'CONNECT')
    assert program.done(ident).code in (ERRORS['CONNECT'], ERRORS['SESSION']), program.done(ident).detail
    program.fails(program.request(url, connection=pin), 'SESSION')
    program.fails(program.operate(ACQUIRE, 'nonsense:'), 'URL')


def draining(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program = Program(daemon)
    pin, idle = (program.operate(ACQUIRE, origin.url('/')) for _ in range(2))
    program.well(pin), program.well(idle)
    ident = program.request(origin.url('/wait'), b'x', connection=pin)
    rt.poll('it runs', lambda: origin.seen('x'))
    daemon.process.send(signal.SIGTERM)
    rt.poll('what no request has is closed', lambda: origin.connections() == 1)
    origin.release.set()
    rt.equal(program.well(ident).status, 200, 'the request that ran')
    rt.equal(daemon.stop(), 0, 'its exit status')


# ---- pools ----

def prewarm(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, url = Program(daemon), origin.url('/echo')
    program.well(program.operate(PREWARM, url, 4))
    rt.poll('four connections', lambda: origin.accepted == 4)
    rt.equal(origin.log, [], 'no request')
    program.well(program.operate(PREWARM, url, 3))
    program.well(program.operate(PREWARM, url, 4))
    rt.equal(origin.accepted, 4, 'they are there already')
    state = program.stats(url)
    rt.equal((state['idle'], state['opened'], state['requests'], state['limit']), (4, 4, 0, 8), 'in the books')
    rt.equal(state['origin'], f'http://127.0.0.1:{origin.port}')
    program.well(program.operate(PREWARM, url, 100))
    rt.poll('as many as the limit', lambda: origin.accepted == 8)
    rt.equal(program.stats(url)['opened'], 8, 'and no more')
    done = program.well(program.request(url, b't'))
    rt.equal((done.flags, origin.accepted), (0, 8), 'on one that has not served')
    program.well(program.operate(CLOSE_IDLE, url))
    rt.poll('they are closed', lambda: origin.connections() == 0)
    rt.equal(program.stats(url)['idle'], 0)


def prewarm_ends(place):
    """With the first failure, by its total time, by CANCEL, and with its program."""
    daemon, port, deaf = rt.Reqivod(place), odd.closed_port(), odd.DeafPort(place)
    program, other = Program(daemon), Program(daemon)
    refused, hanging = f'http://127.0.0.1:{port}/', f'http://127.0.0.1:{deaf.port}/'
    program.fails(program.operate(PREWARM, refused, 4), 'CONNECT')
    program.fails(program.operate(PREWARM, refused, 4), 'CONNECT')
    rt.equal(program.stats(refused)['failures'], 1, 'held down')
    program.fails(program.operate(PREWARM, hanging, 3, timeouts={TOTAL: 150}), 'TOTAL')
    rt.equal(program.stats(hanging)['connecting'], 0, 'nobody wants them')
    ident = program.operate(PREWARM, hanging, 3)
    rt.poll('they are under way', lambda: other.stats(hanging)['connecting'] == 3)
    program.cancel(ident)
    program.fails(ident, 'CANCELED')
    rt.equal(other.stats(hanging)['connecting'], 0, 'after CANCEL')
    program.operate(PREWARM, hanging, 3)
    rt.poll('they are under way', lambda: other.stats(hanging)['connecting'] == 3)
    program.sock.close()
    rt.poll('dropped', lambda: other.stats(hanging)['connecting'] == 0)
    rt.poll('its books are even', lambda: drivers.gauge(daemon)['all_requests'] == 0)


def prewarm_limits(place):
    """The user's limit of connections is an error, and closes nothing of other pools."""
    daemon = rt.Reqivod(place, conf=conf(limits=['connections_uid = 3']))
    origins = [odd.OddOrigin(place) for _ in range(2)]
    program = Program(daemon)
    program.well(program.operate(PREWARM, origins[0].url('/'), 2))
    program.fails(program.operate(PREWARM, origins[1].url('/'), 2), 'LIMIT')
    rt.poll('connections', lambda: (origins[0].connections(), origins[1].accepted) == (2, 1))


def closes_at_once(place):
    """A server that closes what is opened: the dials end."""
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place, before=b'')
    origin.before = 'reset'
    program = Program(daemon)
    done = program.done(program.operate(PREWARM, origin.url('/'), 4))
    assert done.code in (0, -10202, -10203), (done.code, done.detail)
    assert origin.accepted <= 4, f'{origin.accepted} connections'


def limit(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    program, other, url = Program(daemon), Program(daemon), origin.url('/echo')
    program.well(program.operate(PREWARM, url, 4))
    rt.poll('four', lambda: origin.accepted == 4)
    program.well(program.operate(LIMIT, url, 2))
    rt.poll('two are left', lambda: origin.connections() == 2)
    state = other.stats(url)
    rt.equal((state['limit'], state['idle']), (2, 2), 'at once')
    ids = [other.request(origin.url('/wait'), b'w') for _ in range(10)]
    rt.poll('two have arrived', lambda: len(origin.seen('w')) == 2)
    state = other.stats(url)
    rt.equal((state['leased'], state['waiting'], state['connecting'], origin.connections()), (2, 8, 0, 2), 'the rest waits')
    program.well(program.operate(LIMIT, url, 1))
    origin.release.set()
    for ident in ids:
        other.well(ident)
    rt.equal((other.stats(url)['idle'], origin.accepted), (1, 4), 'the leased one went at its release')
    program.well(program.operate(LIMIT, url, 1000))
    rt.equal(program.stats(url)['limit'], 8, 'never more than the configuration\'s')
    program.well(program.operate(LIMIT, url, 0))
    program.well(program.operate(PREWARM, url, 3))
    rt.equal(program.stats(url)['idle'], 3, 'wide again')


def waiting(place):
    daemon, origin = rt.Reqivod(place, conf=conf(pool=['connections = 1'])), odd.OddOrigin(place)
    program, url = Program(daemon), origin.url('/wait')
    ids = [program.request(url, b'w') for _ in range(3)]
    rt.poll('one has arrived', lambda: origin.seen('w'))
    rt.poll('the others have waited', lambda: program.stats(url)['oldest_wait_ms'] >= 20)
    state = program.stats(url)
    rt.equal((state['leased'], state['waiting']), (1, 2))
    rt.equal(state['oldest_ms'], state['newest_ms'], 'of the only one')
    origin.release.set()
    for ident in ids:
        program.well(ident)
    rt.equal(program.stats(url)['oldest_wait_ms'], 0)


# ---- routes and versions of TLS ----

def secure(place):
    certs = rt.Certs(place)
    daemon = rt.Reqivod(place, conf=f'ca_file = "{certs.ca}"\n' + rt.Reqivod.CONF)
    return daemon, certs


def route(place):
    """rule_b1_k4: what is dialled is the route's; name, SNI and Host stay the URL's; nothing is shared without it."""
    daemon, certs = secure(place)
    certs.issue('shop', san='DNS:shop.test,DNS:localhost')
    origin = odd.OddOrigin(place, odd.server_context(certs, 'shop'))
    names = []
    origin.context.sni_callback = lambda sock, name, context: names.append(name)
    program, there = Program(daemon), b'127.0.0.1:%d' % origin.port
    done = program.well(program.request('https://shop.test/echo', b't', route=there))
    rt.equal((done.status, names, origin.seen('t')[0].get('host')), (200, ['shop.test'], 'shop.test'))
    program.well(program.request('https://shop.test/echo', b't', route=there))
    rt.equal(numbers(origin, 't'), [1, 1], 'the same route shares')
    program.fails(program.request('https://elsewhere.example/echo', b'u', route=there), 'HOST')
    own = f'https://localhost:{origin.port}/echo'
    program.well(program.request(own, b'own'))
    program.well(program.request(own, b'own', route=there))
    rt.equal((len(set(numbers(origin, 'own'))), origin.seen('u')), (2, []), 'not with it and without it')
    rt.equal(program.stats('https://shop.test/', route=there)['idle'], 1, 'a pool of that route')


def route_judged(place):
    """The address policy looks at what is dialled, whatever the URL says."""
    daemon, origin = rt.Reqivod(place, conf='address_policy {\n    loopback = refuse\n}\n'), odd.OddOrigin(place)
    program = Program(daemon)
    program.fails(program.request('http://192.0.2.1/', route=b'127.0.0.1:%d' % origin.port), 'DENIED')
    program.fails(program.operate(PREWARM, 'http://192.0.2.1/', 2, route=b'localhost:%d' % origin.port), 'DENIED')
    rt.equal(origin.accepted, 0)
    for bad in (b'127.0.0.1', b'127.0.0.1:', b'127.0.0.1:0', b':80', b'a b:80', b'host:80/x', b'u@host:80', b'h?q:80',
                b'127.1:80', b'[::1]', b'[fe80::1%252]:80', b'host:65536', b'host:8x'):
        program.fails(program.request('http://192.0.2.1/', route=bad), 'URL')


def versions(place):
    daemon, certs = secure(place)
    old = odd.OddOrigin(place, odd.server_context(certs, 'good', ssl.TLSVersion.TLSv1_2))
    new = odd.OddOrigin(place, odd.server_context(certs, 'good'))
    program = Program(daemon)
    done = program.fails(program.request(old.url('/echo', 'localhost'), tls=(TLS_1_3, 0)), 'HANDSHAKE')
    rt.contains(done.detail, 'no version of TLS that is asked for, 1.3 to 1.3')
    program.well(program.request(old.url('/echo', 'localhost'), b'old', tls=(TLS_1_2, TLS_1_3)))
    for bounds, version in (((0, TLS_1_2), 'TLSv1.2'), ((TLS_1_3, 0), 'TLSv1.3'), ((0, 0), 'TLSv1.3')):
        row = program.well(program.operate(ACQUIRE, new.url('/echo', 'localhost'), tls=bounds)).row
        rt.equal(row['tls_version'], version, f'between {bounds}')
    rt.equal(program.done(program.request(new.url('/'), tls=(TLS_1_3, TLS_1_2))).code, -22, 'no version at all')


def versions_apart(place):
    """rule_b1_k6: other bounds are another pool."""
    daemon, certs = secure(place)
    origin = odd.OddOrigin(place, odd.server_context(certs, 'good'))
    program, url = Program(daemon), origin.url('/echo', 'localhost')
    for tls in ((0, 0), (0, TLS_1_2), (TLS_1_3, 0), (TLS_1_2, TLS_1_3)):
        program.well(program.request(url, b't', tls=tls))
    rt.equal(numbers(origin, 't'), [1, 2, 3, 1], 'the last asks for what is the default')


def certificate(place):
    daemon, certs = secure(place)
    origin = odd.OddOrigin(place, odd.server_context(certs, 'good'))
    program = Program(daemon)
    row = program.well(program.operate(ACQUIRE, origin.url('/', 'localhost'))).row
    with open(certs.files('good')[0], encoding='ascii') as file:
        rt.equal(ssl.PEM_cert_to_DER_cert(row['certificate']), ssl.PEM_cert_to_DER_cert(file.read()), 'certificate')
    rt.equal((row['subject'], row['issuer']), ('CN=reqivo test', 'CN=reqivo test CA'))
    decoded = ssl._ssl._test_decode_cert(certs.files('good')[0])  # pylint: disable=protected-access
    rt.equal(int(row['not_after']), ssl.cert_time_to_seconds(decoded['notAfter']), 'not after')
    rt.equal((row['alpn'], row['cipher'][:4]), ('', 'TLS_'))


CASES = [in_order, before_it_is_there, nobody_else, closed_between, never_repeated, closing, one_is_cancelled, death, other_key,
         bound_auth, how_many, acquire_fails, draining, prewarm, prewarm_ends, prewarm_limits, closes_at_once, limit, waiting,
         route, route_judged, versions, versions_apart, certificate]


def main():
    tap = rt.Tap()
    for case in CASES:
        if len(sys.argv) > 1 and case.__name__ not in sys.argv[1:]:
            continue
        with rt.Place('pools') as place:
            tap.case(case.__doc__ or case.__name__.replace('_', ' '), case, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
