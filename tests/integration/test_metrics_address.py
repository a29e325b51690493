#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_metrics_address - metrics.listen: what a collector reads there, who is refused, who cannot hold it, and how a reload moves it."""
import http.client
import os
import signal
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import prometheus  # noqa: E402
from drivers import rt  # noqa: E402

FULL = 8  # connections at once


def conf(listen, more=''):
    return f'{rt.Reqivod.CONF}metrics {{\n    listen = "{listen}"\n{more}}}\n'


def get(port, path='/metrics', method='GET', host='127.0.0.1', **headers):
    """(status, headers, body); OSError when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=rt.DEADLINE)
    try:
        connection.request(method, path, headers={name.replace('_', '-'): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def silent(port):
    """Nobody listens there any more. Who was in the queue then is reset."""
    try:
        get(port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def scrape(port, **options):
    status, headers, text = get(port, **options)
    rt.equal((status, headers['Content-Type']), (200, 'text/plain; version=0.0.4; charset=utf-8'), 'the answer')
    return prometheus.Metrics(text)


def ended(daemon):
    """It was told to."""
    rt.poll('it has ended', lambda: not daemon.process.running())
    rt.equal(daemon.process.popen.returncode, 0, 'exit code')


def collector(place):
    """The figures are those of reqivoctl metrics; curl and both addresses will do."""
    origin = rt.Origin(place)
    for host, listen in (('127.0.0.1', '127.0.0.1'), ('127.3.2.1', '127.3.2.1'), ('::1', '[::1]')):
        port = rt.free_port()
        daemon = rt.Reqivod(place, conf=conf(f'{listen}:{port}'))
        rt.equal(scrape(port, host=host).sum('reqivo_requests_started_total'), 0, 'requests of a new daemon')
        for _ in range(3):
            rt.equal(daemon.reqivo('-sS', origin.url('/')).returncode, 0, 'a request')
        seen = scrape(port, host=host)
        rt.equal((seen.sum('reqivo_requests_started_total'), seen.sum('reqivo_pool_reused_total')), (3, 2), 'started, reused')
        told = prometheus.Metrics(daemon.reqivoctl('metrics').stdout.decode())
        rt.equal(seen.order, [name for name in told.order if not name.startswith('reqivo_user_')], 'the families')
        done = rt.run([rt.tool('curl'), '-sSi', f'http://{listen}:{port}/metrics'])
        rt.contains(done.stdout, b'\nreqivo_build_info{', 'what curl shows')
        rt.equal(daemon.stop(), 0, 'exit code')
        assert silent(port) if host == '127.0.0.1' else True, 'it goes with the daemon'


def refusals(place):
    port = rt.free_port()
    daemon = rt.Reqivod(place, conf=conf(f'127.0.0.1:{port}'))
    for status, path, method, headers in ((404, '/', 'GET', {}), (404, '/metrics/x', 'GET', {}), (405, '/metrics', 'POST', {}), (405, '/metrics', 'DELETE', {}),
                                          (421, '/metrics', 'GET', {'Host': 'rebound.example'}), (421, '/metrics', 'GET', {'Host': f'rebound.example:{port}'}),
                                          (200, '/metrics', 'GET', {'Host': 'localhost'}), (200, '/metrics', 'HEAD', {}), (431, '/metrics', 'GET', {'X': 'x' * 9000})):
        got, head, text = get(port, path, method, **headers)
        rt.equal(got, status, f'{method} {path} {str(headers)[:40]}')
        assert ('reqivo_' in text) == (status == 200 and method == 'GET'), text
        rt.equal('Allow' in head, status == 405, 'Allow')
        assert 'Access-Control-Allow-Origin' not in head, head
    rt.equal(daemon.reqivoctl('status').returncode, 0, 'it lives')


def rule_b9_14(place):
    """A port tells no uid, so users are shown only where the administrator allows it; names of origins never."""
    origin, port, uid = rt.Origin(place), rt.free_port(), os.geteuid()
    daemon = rt.Reqivod(place, conf=conf(f'127.0.0.1:{port}'))
    rt.equal(daemon.reqivo('-sS', origin.url('/')).returncode, 0, 'a request')
    _, _, text = get(port)
    assert 'reqivo_user_' not in text and 'uid=' not in text and '127.0.0.1' not in text, text
    with open(daemon.conf, 'w', encoding='ascii') as file:
        file.write(conf(f'127.0.0.1:{port}', '    users = allow\n'))
    rt.contains(daemon.reqivoctl('reload').stdout, b'metrics.users is changed')
    _, _, text = get(port)
    rt.equal(prometheus.Metrics(text).get('reqivo_user_requests_total', uid=str(uid)), 1, 'requests of the user')
    assert '127.0.0.1' not in text, text


def greedy(place):
    """Half heads and programs that do not read, more than there are places: a collector and all others go on."""
    origin, port = rt.Origin(place), rt.free_port()
    daemon = rt.Reqivod(place, conf=conf(f'127.0.0.1:{port}'))
    program = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(program.ask('before', 'GET', origin.url('/'))['error'], '', 'before')
    held = []
    for n in range(2 * FULL):
        held.append(socket.create_connection(('127.0.0.1', port)))
        held[-1].sendall(b'GET /metrics HTTP/1.1\r\nHo' if n % 2 else b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    for n in range(5):
        rt.equal(program.ask(f'beside-{n}', 'GET', origin.url('/'))['error'], '', 'a request beside them')
        rt.equal(daemon.reqivoctl('status').returncode, 0, 'reqivoctl beside them')
    scrape(port)
    rt.poll('the first half head has been given up', lambda: held[1].recv(4096))
    before = daemon.memory_kib()
    for n in range(300):
        with socket.create_connection(('127.0.0.1', port)) as one:
            one.sendall(b'GET /metr'[:n % 10])
    scrape(port)
    assert drivers.SANITIZED or daemon.memory_kib() < before + 2048, (before, daemon.memory_kib())
    for one in held:
        one.close()
    seen = scrape(port)
    rt.equal(seen.get('reqivo_account_used', kind='programs'), 1, 'programs')
    rt.equal(daemon.stop(), 0, 'exit code')


def moves(place):
    """A reload opens, moves and closes it; an address that is taken changes nothing; the end closes it."""
    one, two = rt.free_port(), rt.free_port()
    daemon = rt.Reqivod(place)

    def reload(text):
        with open(daemon.conf, 'w', encoding='ascii') as file:
            file.write(text)
        return daemon.reqivoctl('reload')

    rt.contains(reload(conf(f'127.0.0.1:{one}')).stdout, b'metrics.listen is changed')
    scrape(one)
    open_before = socket.create_connection(('127.0.0.1', one))
    open_before.sendall(b'GET /metrics HTTP/1.0\r\n')
    rt.contains(reload(conf(f'127.0.0.1:{two}')).stdout, b'metrics.listen is changed')
    scrape(two)
    rt.poll('the old address is closed', lambda: silent(one))
    open_before.close()
    with socket.create_server(('127.0.0.1', one)):
        done = reload(conf(f'127.0.0.1:{one}', '    users = allow\n'))
        assert done.returncode != 0, 'a taken address'
        rt.contains(done.stderr, f'metrics.listen: 127.0.0.1:{one}: Address already in use'.encode())
        assert 'reqivo_user_' not in get(two)[2], 'nothing is changed'
        scrape(two)
    assert b'metrics' not in reload(conf(f'127.0.0.1:{two}')).stdout, 'the same'
    scrape(two)
    rt.contains(reload(rt.Reqivod.CONF).stdout, b'metrics.listen is changed')
    rt.poll('it is closed', lambda: silent(two))
    reload(conf(f'127.0.0.1:{two}'))
    scrape(two)
    daemon.process.send(signal.SIGTERM)
    rt.poll('it is closed', lambda: silent(two))
    ended(daemon)


def drain(place):
    """The port is free as soon as the drain begins, for the next instance."""
    release, port = threading.Event(), rt.free_port()

    def slow(_request, connection):
        release.wait()
        return rt.Origin.answer(connection, b'ok\n')

    origin = rt.Origin(place, slow)
    daemon = rt.Reqivod(place, conf=conf(f'127.0.0.1:{port}'))
    program = drivers.Driver(place, 'async', daemon.socket)
    program.write(drivers.describe('long', 'GET', origin.url('/')) + 'run\n')
    rt.poll('it is on its way', lambda: scrape(port).sum('reqivo_requests_in_flight') == 1)
    daemon.process.send(signal.SIGTERM)
    rt.poll('it is closed', lambda: silent(port))
    assert daemon.process.running(), 'the request has not ended'
    with socket.create_server(('127.0.0.1', port)):
        release.set()
    rt.equal(program.line()['error'], '', 'the request')
    ended(daemon)


def start(place):
    """A taken address ends the start with one line; what is no loopback address is an error of the file, with its line."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        path = place.write('taken.conf', conf(f'127.0.0.1:{taken.getsockname()[1]}'))
        done = rt.run([rt.program('reqivod'), '--socket', place.path('taken'), '--config', path], check=False)
    rt.equal(done.returncode, 73, 'exit code')
    rt.contains(done.stderr, b'start: metrics.listen: 127.0.0.1:')
    for wrong, why in (('0.0.0.0:9464', 'no loopback address'), ('[::]:9464', 'no loopback address'), ('192.0.2.1:9464', 'no loopback address'),
                       ('[::ffff:127.0.0.1]:9464', 'no loopback address'), ('localhost:9464', 'not an address and a port'), (':9464', 'not an address and a port'),
                       ('127.0.0.1', 'not an address and a port'), ('127.0.0.1:0', 'not an address and a port'), ('127.0.0.1:65536', 'not an address and a port'),
                       ('::1:9464', 'not an address and a port'), ('[127.0.0.1]:9464', 'not an address and a port'), ('127.1:9464', 'not an address and a port')):
        path = place.write('wrong.conf', f'metrics {{\n    listen = "{wrong}"\n}}\n')
        done = rt.run([rt.program('reqivod'), '--check-config', '--config', path], check=False)
        rt.equal(done.returncode, 78, wrong)
        rt.contains(done.stderr.decode(), f"{path}:2: metrics.listen: '{wrong}' is {why}")


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        tap.case('a collector reads the figures', collector, place)
        tap.case('everything else is refused', refusals, place)
        tap.case('rule_b9_14: users are shown where it is allowed', rule_b9_14, place)
        tap.case('half heads, slow readers and many connections', greedy, place)
        tap.case('a reload opens, moves and closes it', moves, place)
        tap.case('a drain closes it first', drain, place)
        tap.case('addresses that are taken or wrong', start, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
