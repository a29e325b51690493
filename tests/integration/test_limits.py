#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_limits - every limit is exact, is hit with one clear error, and harms nobody else."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402


def conf(**sections):
    text = rt.Reqivod.CONF
    for name, lines in sections.items():
        text += f'{name} {{\n' + ''.join(f'    {line}\n' for line in lines) + '}\n'
    return text


def crowd(driver, origin, count, path='/wait', name='c', *options):
    driver.write(''.join(drivers.describe(f'{name}{i}', 'GET', origin.url(path), ('field', 'X-Token', f'{name}{i}'), *options)
                         for i in range(count)) + 'run\n')


def pools(daemon):
    return json.loads(daemon.reqivoctl('--json', 'pools').stdout)


def steady(read, value, what):
    """The value is reached, and is not left for half a second."""
    rt.poll(what, lambda: read() == value)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        rt.equal(read(), value, what)


def pool_exact(place):
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place)
    clients = [drivers.Driver(place, 'async', daemon.socket) for _ in range(3)]
    for n, client in enumerate(clients):
        crowd(client, origin, 10, name=f'p{n}-')
    rt.poll('all are in the daemon', lambda: drivers.gauge(daemon)['all_requests'] == 30)
    steady(lambda: (origin.connections(), origin.accepted, len(origin.log)), (8, 8, 8), 'exactly 8 connections')
    row = pools(daemon)[0]
    rt.equal((int(row['leased']), int(row['waiting']), int(row['dialing'])), (8, 22, 0), 'leased, waiting, dialing')
    origin.release.set()
    for client in clients:
        for _ in range(10):
            rt.equal(client.line()['error'], '', 'one of 30')
    rt.equal(origin.accepted, 8, 'connections in all')


def fair_waiters(place):
    """rule_b10_1: a program with 3 requests is not behind the 60 of another."""
    daemon, origin = rt.Reqivod(place, conf=conf(pool=['connections = 2'])), odd.OddOrigin(place)
    greedy, modest = (drivers.Driver(place, 'async', daemon.socket) for _ in range(2))
    crowd(greedy, origin, 60, '/sleep/10', 'greedy')
    rt.poll('the first have arrived', lambda: len(origin.log) >= 2)
    crowd(modest, origin, 3, '/sleep/10', 'modest')
    for _ in range(3):
        rt.equal(modest.line()['error'], '', 'a modest one')
    order = [r.token for r in origin.log]
    last = max(order.index(f'modest{i}') for i in range(3))
    assert last < 40, f'the modest ones were served at {last} of {len(order)}'
    for _ in range(60):
        rt.equal(greedy.line()['error'], '', 'a greedy one')


def queue_timeout(place):
    daemon, origin = rt.Reqivod(place, conf=conf(pool=['connections = 1'])), odd.OddOrigin(place)
    first, second = (drivers.Driver(place, 'async', daemon.socket) for _ in range(2))
    crowd(first, origin, 1)
    rt.poll('it has arrived', lambda: origin.log)
    row = second.ask('q', 'GET', origin.url('/echo'), ('field', 'X-Token', 'q'), 'timeout queue 200')
    rt.equal((row['error'], row['class'], row['phase'], row['sent']), ('E_TIMEOUT_QUEUE', 'connect timeout', 'queue', 0), row['detail'])
    rt.equal(origin.seen('q'), [], 'at the origin')
    origin.release.set()
    rt.equal(first.line()['error'], '', 'the first')


def waiters(place):
    daemon, origin = rt.Reqivod(place, conf=conf(pool=['connections = 1', 'waiters = 2'])), odd.OddOrigin(place)
    first, client = (drivers.Driver(place, 'async', daemon.socket) for _ in range(2))
    crowd(first, origin, 1)
    rt.poll('it has arrived', lambda: origin.log)
    crowd(client, origin, 6)
    for _ in range(4):
        row = client.line()
        rt.equal((row['error'], row['class'], row['sent']), ('E_LIMIT_REQUESTS', 'limit', 0), row['detail'])
    origin.release.set()
    for driver in (first, client, client):
        rt.equal(driver.line()['error'], '', 'one within the limit')


def uid_connections(place):
    """connections_uid: over all pools; the oldest idle one of another pool makes room."""
    daemon = rt.Reqivod(place, conf=conf(limits=['connections_uid = 3']))
    origins = [odd.OddOrigin(place) for _ in range(5)]
    client = drivers.Driver(place, 'async', daemon.socket)
    for n in range(10):
        row = client.ask(f'r{n}', 'GET', origins[n % 5].url('/echo'))
        rt.equal((row['error'], row['status']), ('', 200), row['detail'])
    rt.poll('3 connections stay', lambda: sum(o.connections() for o in origins) == 3)
    rt.equal(int(drivers.gauge(daemon)['all_connections']), 3, 'connections in the daemon\'s books')
    client.write(''.join(drivers.describe(f'u{n}', 'GET', origins[n % 5].url('/wait'), ('field', 'X-Token', f'u{n}'))
                         for n in range(10)) + 'run\n')
    rt.poll('3 of them have arrived', lambda: sum(r.token.startswith('u') for o in origins for r in o.log) == 3)
    steady(lambda: sum(o.connections() for o in origins), 3, 'exactly 3 connections')
    for origin in origins:
        origin.release.set()
    for _ in range(10):
        rt.equal(client.line()['error'], '', 'one that waited for room')


def uid_requests(place):
    daemon, origin = rt.Reqivod(place, conf=conf(limits=['requests_uid = 5'])), odd.OddOrigin(place)
    client = drivers.Driver(place, 'async', daemon.socket)
    crowd(client, origin, 8)
    rows = [client.line() for _ in range(3)]
    for row in rows:
        rt.equal((row['error'], row['class'], row['sent']), ('E_LIMIT_REQUESTS', 'limit', 0), row['detail'])
        assert row['detail'], 'no word about the limit'
    origin.release.set()
    for _ in range(5):
        rt.equal(client.line()['error'], '', 'one within the limit')
    rt.equal(client.ask('later', 'GET', origin.url('/echo'))['error'], '', 'one later')


def uid_peers(place):
    daemon, origin = rt.Reqivod(place, conf=conf(limits=['peers_uid = 2'])), odd.OddOrigin(place)
    clients = [drivers.Driver(place, 'sync', daemon.socket) for _ in range(2)]
    for client in clients:
        rt.equal(client.ask('a', 'GET', origin.url('/echo'))['error'], '', 'one of two programs')
    row = drivers.Driver(place, 'async', daemon.socket).ask('c', 'GET', origin.url('/echo'))
    rt.equal((row['error'], row['class'], row['sent']), ('E_LIMIT_PEERS', 'limit', 0), row['detail'])
    for client in clients:
        rt.equal(client.ask('b', 'GET', origin.url('/echo'))['error'], '', 'the first two go on')
    clients[0].stop()
    rt.poll('its place is free', lambda: drivers.Driver(place, 'sync', daemon.socket).ask('d', 'GET', origin.url('/echo'))['error'] == '')


def memory(place):
    """memory_uid: uploads that nobody takes fill it; some end with the limit's error, the daemon does not grow, others of the
    handle go on afterwards."""
    daemon, origin = rt.Reqivod(place, conf=conf(limits=['memory_uid = 2MiB'], pool=['connections = 2'])), odd.OddOrigin(place)
    client = drivers.Driver(place, 'async', daemon.socket)
    before = daemon.memory_kib()
    client.write(''.join(drivers.describe(f'm{i}', 'POST', origin.url('/wait'), ('field', 'X-Token', f'm{i}'), 'body fill 900000')
                         for i in range(30)) + 'run\n')
    row = client.line()
    rt.equal((row['error'], row['class'], row['sent']), ('E_LIMIT_MEMORY', 'limit', 0), row['detail'])
    other = drivers.Driver(place, 'sync', daemon.socket).ask('o', 'GET', odd.OddOrigin(place).url('/echo'))
    assert other['error'] in ('', 'E_LIMIT_MEMORY'), f'another program of the user: {other["error"]} {other["detail"]}'
    grown = daemon.memory_kib() - before
    print(f'# 27 MB of uploads, 2 MiB allowed: the daemon grew by {grown} KiB')
    assert grown < 6144 * drivers.FAT, f'the daemon grew by {grown} KiB'
    origin.release.set()
    rows = [row] + [client.line() for _ in range(29)]
    good = [r for r in rows if r['error'] == '']
    assert good, 'not one upload went through'
    for row in rows:
        assert row['error'] in ('', 'E_LIMIT_MEMORY'), f'{row["error"]} {row["detail"]}'
        if row['error'] and row['sent'] == 0:
            rt.equal(origin.seen(row['tag']), [], f'{row["tag"]} at the origin, though not sent')
    rt.equal(client.ask('later', 'POST', origin.url('/echo'), 'body fill 300000')['error'], '', 'one later')
    books = rt.poll('the books are clear', lambda: (s := drivers.gauge(daemon)) and s['all_requests'] == 0 and s)
    assert int(books['all_memory']) < 1 << 20, f'{books["all_memory"]} bytes are still charged'


def hold_down(place):
    """After a failed connect nothing is dialled for a while: requests fail at once, though the server is back."""
    daemon, port = rt.Reqivod(place, conf=conf(pool=['hold_down = 2s'])), odd.closed_port()
    client = drivers.Driver(place, 'sync', daemon.socket)
    url = f'http://127.0.0.1:{port}/echo'
    rt.equal(client.ask('a', 'GET', url)['error'], 'E_CONNECT', 'the first')
    start, origin = time.monotonic(), odd.OddOrigin(place, port=port)
    row = client.ask('b', 'GET', url)
    if time.monotonic() - start < 1.8:
        assert row['error'] == 'E_CONNECT' and row['sent'] == 0, f'{row["error"]} {row["detail"]}'
        rt.equal(origin.accepted, 0, 'connections while held down')
    rt.poll('the pool tries again', lambda: client.ask('c', 'GET', url)['error'] == '')
    assert time.monotonic() - start > 1.5, 'the pool did not rest'


def idle(place):
    """pool.idle and pool.uses end connections; neither a request nor an error is seen."""
    daemon = rt.Reqivod(place, conf=conf(pool=['idle = 300ms', 'uses = 3']))
    origin = odd.OddOrigin(place)
    client = drivers.Driver(place, 'sync', daemon.socket)
    for n in range(7):
        rt.equal(client.ask(f'u{n}', 'GET', origin.url('/echo'))['error'], '', 'a request')
    rt.equal(origin.accepted, 3, 'connections for 7 requests of 3 uses')
    rt.poll('the idle connection is closed', lambda: origin.connections() == 0, 3 * drivers.SLOW)


def loopback(place):
    """rule_b10_6: loopback is refused where the configuration says so, whatever it is called."""
    daemon, origin = rt.Reqivod(place, conf='address_policy {\n    loopback = refuse\n}\n'), odd.OddOrigin(place)
    client = drivers.Driver(place, 'async', daemon.socket)
    for host in ('127.0.0.1', 'localhost', '127.9.9.9', '[::1]', '[::ffff:127.0.0.1]'):
        row = client.ask('a', 'GET', f'http://{host}:{origin.port}/echo')
        rt.equal((row['error'], row['class'], row['sent']), ('E_ADDRESS_DENIED', 'policy', 0), f'{host}: {row["detail"]}')
    rt.equal(origin.accepted, 0, 'connections')


def insecure(place):
    """rule_b7_2: a daemon may refuse requests that turn verification off."""
    daemon = rt.Reqivod(place, conf=conf(tls=['insecure = refuse']))
    row = drivers.Driver(place, 'sync', daemon.socket).ask('a', 'GET', 'https://127.0.0.1:1/', 'verify 0')
    rt.equal((row['error'], row['class'], row['sent']), ('E_OPTION_DENIED', 'policy', 0), row['detail'])


def trusts(place):
    """One content is uploaded once; many contents over the life of a handle are no fault; 60 programs at once with the same
    certificates all come through."""
    certs = rt.Certs(place)
    daemon, origin = rt.Reqivod(place), odd.OddOrigin(place, odd.server_context(certs, 'good'))
    client = drivers.Driver(place, 'sync', daemon.socket)
    with open(certs.ca, encoding='ascii') as file:
        pem = file.read()
    for n in range(70):
        row = client.ask(f'same{n}', 'GET', origin.url('/echo'), f'ca {certs.ca}')
        rt.equal(row['error'], '', f'the same certificates, {n}: {row["detail"]}')
    rt.equal(origin.accepted, 1, 'connections for one content')
    for n in range(70):
        path = place.write('many.pem', f'# {n}\n{pem}')
        row = client.ask(f'many{n}', 'GET', origin.url('/echo'), f'ca {path}')
        assert row['error'] in ('', 'E_LIMIT_TRUST'), f'other certificates, {n}: {row["error"]} {row["detail"]}'
        rt.equal(client.ask(f'again{n}', 'GET', origin.url('/echo'), f'ca {certs.ca}')['error'], '', 'the first ones again')
    path = place.write('fresh.pem', f'# all at once\n{pem}')
    daemon2 = rt.Reqivod(place)
    programs = [drivers.Driver(place, 'async', daemon2.socket) for _ in range(60)]
    for program in programs:
        program.write(drivers.describe('c', 'GET', origin.url('/echo'), f'ca {path}') + 'run\n')
    for program in programs:
        row = program.line()
        rt.equal(row['error'], '', f'one of 60 at once: {row.get("detail")}')


def main():
    tap = rt.Tap()
    table = [
        ('a pool of 8 has exactly 8', pool_exact), ('rule_b10_1: waiters take turns', fair_waiters),
        ('the time in the queue', queue_timeout), ('the number of waiters', waiters),
        ('rule_b9_3: connections of a uid', uid_connections), ('rule_b9_5: requests of a uid', uid_requests),
        ('rule_b9_3: programs of a uid', uid_peers), ('rule_b9_6: memory of a uid', memory), ('hold-down after a failed connect', hold_down),
        ('rule_b1_idle, rule_b1_uses: idle time and uses', idle), ('rule_b10_6: loopback refused', loopback),
        ('rule_b7_2: verification may not be turned off', insecure), ('sets of certificates', trusts)]
    for name, function in table:
        if len(sys.argv) > 1 and not any(text in name for text in sys.argv[1:]):
            continue
        with rt.Place() as place:
            tap.case(name, function, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
