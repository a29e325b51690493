#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_policy - policies: the table of policy_cases.py through both drivers, hops of redirects, WebSockets, pools, names whose addresses
change, limits; and the users of a partition, who share connections with one another and with nobody else."""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
import policy_cases as table  # noqa: E402
from drivers import rt  # noqa: E402
from test_uids import become  # noqa: E402

ONE, TWO, THREE = 12001, 12002, 12003


class World:
    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        self.a, self.b = odd.OddOrigin(place), odd.OddOrigin(place)
        self.s = odd.OddOrigin(place, odd.server_context(self.certs, 'good'))
        self.tokens = 0

    def fill(self, text):
        """The names of the origins in braces: their ports."""
        return re.sub(r'\{([abs])\}', lambda m: str(getattr(self, m[1]).port), text)

    def token(self):
        self.tokens += 1
        return f'p{self.tokens}'

    def seen(self, token):
        return [r for origin in (self.a, self.b, self.s) for r in origin.seen(token)]

    def daemon(self, conf):
        return rt.Reqivod(self.place, conf=self.fill(conf))

    def ask(self, driver, method, url, *options):
        """(result, token)."""
        token = self.token()
        more = [f'ca {self.certs.ca}'] if url.startswith('https') else []
        filled = [self.fill(o) if isinstance(o, str) else o for o in options]
        return driver.ask(token, method, self.fill(url), ('field', 'X-Token', token), *more, *filled), token


def check(world, driver, request, wanted):
    request = ('GET', request) if isinstance(request, str) else request
    row, token = world.ask(driver, *request)
    rt.equal(row['completions'], 1, 'completions')
    if wanted is None:
        rt.equal(row['error'], '', row.get('detail'))
        rt.equal(len(world.seen(token)), 1, 'requests that the origin has seen')
        return
    rt.equal(row['error'], wanted[0], row.get('detail'))
    assert world.fill(wanted[1]) in row['detail'], row['detail']
    assert 'hidden' not in row['detail'], row['detail']
    rt.equal((row['sent'], row['status'], world.seen(token)), (0, 0, []), 'what was sent')


def run_table(tap, world):
    for conf, cases in table.GROUPS:
        daemon = world.daemon(conf)
        for kind in drivers.KINDS:
            driver = drivers.Driver(world.place, kind, daemon.socket)
            for name, request, wanted in cases:
                rule = 'rule_b10_6: ' if wanted and wanted[0] == 'E_ADDRESS_DENIED' else 'rule_b9_policy: '
                tap.case(f'{kind}: {rule}{name}', check, world, driver, request, wanted)
            driver.stop()
        drivers.ends_well(daemon)
        with open(daemon.log, encoding='utf-8') as file:
            log = file.read()
        tap.ok('hidden' not in log, 'no path and no query stand in the log')


# ---- hops ----

def redirect_to(world, url):
    key = world.token()
    world.a.raw(key, f'HTTP/1.1 302 Found\r\nLocation: {world.fill(url)}\r\nContent-Length: 0\r\n\r\n'.encode(), 'keep')
    return 'http://localhost:{a}/raw/' + key


def hops(tap, world):
    daemon = world.daemon('policy "default" {\n loopback = allow\n deny = {"*.internal.localhost", "POST http://*:{b}", "*/private"}\n'
                          ' deny_addresses = {"127.0.0.3"}\n}\n')
    for kind in drivers.KINDS:
        driver = drivers.Driver(world.place, kind, daemon.socket)
        for name, url, wanted in (
                ('to another origin', 'http://localhost:{b}/echo', None),
                ('to a host that is denied', 'http://db.internal.localhost:{b}/echo', 'deny[1] "*.internal.localhost"'),
                ('to a path that is denied', 'http://localhost:{b}/x/../private', 'deny[3] "*/private"'),
                ('to an address that is denied', 'http://127.0.0.3:{b}/echo', 'deny_addresses[1]')):

            def hop(url=url, wanted=wanted):
                before = len(world.b.log)
                row, _ = world.ask(driver, 'GET', redirect_to(world, url), 'redirects 5')
                rt.equal(row['error'] if wanted else row['error'] or 'none', ('E_ADDRESS_DENIED' if 'addresses' in wanted else
                                                                              'E_RULE_DENIED') if wanted else 'none', row.get('detail'))
                assert (wanted or '') in row['detail'], row['detail']
                rt.equal(len(world.b.log) - before, 0 if wanted else 1, 'requests behind the hop')

            tap.case(f'{kind}: rule_b3_5: a hop {name}', hop)

        def body():
            """307 keeps the method, which is what the rule is about."""
            key = world.token()
            world.a.raw(key, f'HTTP/1.1 307 X\r\nLocation: http://localhost:{world.b.port}/echo\r\nContent-Length: 0\r\n\r\n'.encode(), 'keep')
            row, _ = world.ask(driver, 'POST', 'http://localhost:{a}/raw/' + key, 'redirects 5', 'body memory x')
            rt.equal(row['error'], 'E_RULE_DENIED', row.get('detail'))

        tap.case(f'{kind}: rule_b3_5: a hop with a method that is denied there', body)
        driver.stop()


# ---- WebSockets and pools ----

def other_ways(tap, world):
    daemon = world.daemon('policy "default" {\n loopback = allow\n deny = {"ws://*", "http://localhost:{b}", "wss://*"}\n allow = {"*:{a}", "*:{b}"}\n}\n')
    driver = os.path.join(rt.builddir(), 'tests', 'integration', 'driver_ws')

    def websocket(kind, scheme, rule):
        """Judged before anything is dialled: no origin sees a connection."""
        before = world.a.accepted
        done = rt.run([driver, kind, f'{scheme}://localhost:{world.a.port}/chat', 'opened', 'end'], check=False,
                      env=dict(os.environ, REQIVO_SOCKET=daemon.socket))
        assert 'E_RULE_DENIED' in done.stdout.decode() and f'{rule} "{scheme}://*" (GET {scheme}://localhost' in done.stdout.decode(), done.stdout
        rt.equal(world.a.accepted, before, 'connections')

    def cli(url, *options, wanted):
        done = daemon.reqivo('-sS', *map(world.fill, options), world.fill(url))
        rt.equal(done.returncode == 0, wanted is None, done.stderr)
        assert (wanted or '') in done.stderr.decode(), done.stderr

    for kind in drivers.KINDS:
        tap.case(f'{kind}: rule_b9_policy: a WebSocket', websocket, kind, 'ws', 'deny[1]')
        tap.case(f'{kind}: rule_b9_policy: a WebSocket over TLS', websocket, kind, 'wss', 'deny[3]')
    tap.case('rule_b9_policy: reqivo is told the rule', lambda: cli('http://localhost:{b}/echo', wanted='deny[2] "http://localhost:'))
    tap.case('rule_b9_policy: reqivo --connect-to is judged by both',
             lambda: cli('http://x.test:{a}/echo', '--connect-to', '::localhost:{b}', wanted='(route GET http://localhost'))

    def pools(name, url, wanted):
        """The examples of the pool's verbs: a connection is judged when it is asked for, and no request is there yet."""
        program = os.path.join(rt.builddir(), 'doc', 'examples', name)
        done = rt.run([program, world.fill(url), '1'], check=False, env=dict(os.environ, REQIVO_SOCKET=daemon.socket))
        told = (done.stdout + done.stderr).decode()
        rt.equal('E_RULE_DENIED' in told or 'refused by' in told, wanted, told)

    for name in ('pool_sync', 'pool_async', 'connection_sync', 'connection_async'):
        if os.access(os.path.join(rt.builddir(), 'doc', 'examples', name), os.X_OK):
            tap.case(f'rule_b9_policy: {name} where it is allowed', pools, name, 'http://localhost:{a}/echo', False)
            tap.case(f'rule_b9_policy: {name} where it is denied', pools, name, 'http://localhost:{b}/echo', True)


# ---- the log ----

def told(tap, world):
    daemon = world.daemon('policy "default" { loopback = allow deny = {"localhost"} }\n')
    driver = drivers.Driver(world.place, 'sync', daemon.socket)

    def line():
        for _ in range(20):
            world.ask(driver, 'GET', 'http://user.localhost:{a}/', 'fresh 1')
            row, _ = world.ask(driver, 'GET', 'http://localhost:{a}/way?key=SECRET')
            rt.equal(row['error'], 'E_RULE_DENIED')
        with open(daemon.log, encoding='utf-8') as file:
            lines = [at for at in file if 'refused' in at]
        assert lines and f'uid {os.geteuid()}, pid {driver.pid}' in lines[0], lines
        assert f'refused by policy "default": deny[1] "localhost" (GET http://localhost:{world.a.port})' in lines[0], lines
        assert 'SECRET' not in ''.join(lines) and 'way' not in ''.join(lines), lines
        assert len(lines) < 20, f'{len(lines)} lines for 20 refusals'

    tap.case('rule_b9_15: a refusal is in the log, with its rule, without path and query, not each of many', line)
    driver.stop()


# ---- limits ----

def limits(tap, world):
    daemon = world.daemon('policy "default" { loopback = allow requests_per_second = 5 requests = 3 }\n')
    for kind in drivers.KINDS:
        driver = drivers.Driver(world.place, kind, daemon.socket)

        def rate():
            """More than a second's worth at once: the rest is refused, and it is told in how long there is room."""
            codes = []
            while 'E_LIMIT_RATE' not in codes:
                row, token = world.ask(driver, 'GET', 'http://localhost:{a}/echo')
                codes.append(row['error'])
                assert len(codes) < 500, codes
            rt.equal((row['sent'], row['class'], len(world.seen(token))), (0, 'limit', 0))
            wait = re.search(r'refused by policy "default": requests_per_second = 5; the next one may come in (\d+) ms', row['detail'])
            assert wait and int(wait[1]) <= 200, row['detail']
            rt.poll('a request is let through again', lambda: world.ask(driver, 'GET', 'http://localhost:{a}/echo')[0]['error'] == '')

        tap.case(f'{kind}: rule_b9_5: requests per second', rate)
        driver.stop()
    daemon = world.daemon('policy "default" { loopback = allow requests = 3 }\n')

    def in_flight():
        driver = drivers.Driver(world.place, 'async', daemon.socket)
        driver.write('window 4\n' + ''.join(drivers.describe(f'w{i}', 'GET', world.a.url('/wait', 'localhost')) for i in range(4)) + 'run\n')
        row = driver.line()
        rt.equal(row['error'], 'E_LIMIT_REQUESTS', row)
        assert '(policy "default": requests = 3)' in row['detail'], row['detail']
        world.a.release.set()
        driver.stop()

    tap.case('rule_b9_5: requests in flight', in_flight)
    tight = world.daemon('policy "default" { loopback = allow memory = 256KiB }\n')

    def upload():
        """More than the account may hold of it, for a server that takes none: the program and the log are told whose limit that is."""
        body = world.place.write('16m', 'x' * 16000000)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.bind(('127.0.0.1', 0))
            deaf.listen()
            done = tight.reqivo('-sS', '--data-binary', f'@{body}', f'http://localhost:{deaf.getsockname()[1]}/')
        with open(tight.log, encoding='utf-8') as file:
            log = file.read()
        rt.equal(done.returncode, 102, done.stderr)
        for told in (done.stderr.decode(), log):
            rt.contains(told, '(policy "default": memory = 262144)')

    tap.case('rule_b9_5: memory', upload)

    daemon_of_one = world.daemon('policy "default" { loopback = allow connections = 1 }\n')

    def one_connection():
        """While it is in use another origin's request waits; then it makes room."""
        world.a.release.clear()
        driver, token = drivers.Driver(world.place, 'async', daemon_of_one.socket), world.token()
        driver.write('window 2\n' + drivers.describe('held', 'GET', world.a.url('/wait', 'localhost')))
        driver.write(drivers.describe(token, 'GET', world.b.url('/echo', 'localhost'), ('field', 'X-Token', token)) + 'run\n')
        rt.poll('one waits', lambda: drivers.gauge(daemon_of_one)['all_waiting'] == 1)
        rt.equal(len(world.b.seen(token)), 0, 'what the other origin has seen')
        world.a.release.set()
        rt.equal([driver.line()['error'] for _ in range(2)], ['', ''], 'both end well')
        driver.stop()

    tap.case('rule_b9_5: connections', one_connection)
    daemon_of_hops = world.daemon('policy "default" { loopback = allow requests_per_second = 2 }\n')

    def hops_are_paid(kind):
        """Two may come at once, so a second request would be let through, but the hops of the first were four more."""
        driver, url = drivers.Driver(world.place, kind, daemon_of_hops.socket), 'http://localhost:{a}/echo'
        rt.poll('what was owed is paid', lambda: world.ask(driver, 'GET', url)[0]['error'] == '')
        time.sleep(1.2)
        for _ in range(4):
            url = redirect_to(world, url)
        row, _ = world.ask(driver, 'GET', url, 'redirects 5')
        rt.equal((row['error'], row['status']), ('', 200), row['detail'])
        row, _ = world.ask(driver, 'GET', 'http://localhost:{a}/echo')
        rt.equal(row['error'], 'E_LIMIT_RATE', 'the next one')
        driver.stop()

    for kind in drivers.KINDS:
        tap.case(f'{kind}: rule_b9_5: hops are counted as requests', hops_are_paid, kind)


# ---- names whose addresses change ----

class Names:
    """A name server on 127.0.77.53: the answer to each question is the next one of a list, good for no second."""

    def __init__(self, answers):
        self.answers, self.asked = answers, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.77.53', 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, who = self.sock.recvfrom(4096)
            except OSError:
                return
            end = question.index(b'\0', 12) + 5
            kind = struct.unpack('>H', question[end - 4:end - 2])[0]
            records = b''
            if kind == 1:
                records = b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, 0, 4) + socket.inet_aton(self.answers[min(self.asked, len(self.answers) - 1)])
                self.asked += 1
            self.sock.sendto(question[:2] + b'\x85\x80' + struct.pack('>HHHH', 1, bool(records), 0, 0) + question[12:end] + records, who)

    def stop(self):
        self.sock.close()


class ElsewhereReqivod(rt.Reqivod):
    """In a mount namespace of its own, with that name server."""

    def start(self):
        resolv = self.place.write('resolv.conf', 'nameserver 127.0.77.53\noptions attempts:2\n')
        script = f'mount --make-rprivate / && mount --bind {resolv} /etc/resolv.conf && exec "$0" "$@"'
        self.process = rt.Process(['unshare', '-m', 'sh', '-c', script, rt.program('reqivod'), '--socket', self.socket, '--config', self.conf],
                                  self.log)
        self.process.need('the socket answers', lambda: rt.answers(socket.AF_UNIX, self.socket))


def rebinding(tap, world):
    """What is judged is the address that is dialled, so a name that changes its mind between two questions gains nothing."""
    def run():
        rt.need_root()
        names = Names(['127.0.0.1', '127.0.0.1', '127.0.0.3', '169.254.169.254', '10.1.2.3'])
        world.place.keep(names)
        daemon = ElsewhereReqivod(world.place, conf=world.fill(
            'dns { backend = c-ares ttl_max = 0 }\npool { hold_down = 0 }\n'
            'policy "default" { loopback = allow deny_addresses = {"127.0.0.3"} private = refuse }\n'))
        driver = drivers.Driver(world.place, 'sync', daemon.socket)
        rows = [world.ask(driver, 'GET', 'http://rebind.test:{a}/echo', 'fresh 1')[0] for _ in range(5)]
        rt.equal([row['error'] for row in rows], ['', '', 'E_ADDRESS_DENIED', 'E_ADDRESS_DENIED', 'E_ADDRESS_DENIED'],
                 [row.get('detail') for row in rows])
        for row, rule in zip(rows[2:], ('deny_addresses[1]', 'cloud metadata addresses are refused', 'private refuses private')):
            assert rule in row['detail'], row['detail']
        rt.equal(names.asked, 5, 'questions')
        row, _ = world.ask(driver, 'GET', 'http://rebind.test:{a}/echo')
        rt.equal(row['error'], '', 'a connection that was allowed goes on: nothing is dialled')
        rt.equal(row['reused'], 1)
        driver.stop()

    tap.case('rule_b10_5: a name that changes its address between two questions (needs root)', run)


# ---- partitions ----

def partitions(tap, world):
    daemon = world.daemon(f'partition "web" {{ users = {{"{ONE}", "{TWO}"}} }}\n'
                          f'policy "web" {{ users = {{"{ONE}", "{TWO}"}} loopback = allow peers = 16 }}\n'
                          f'policy "other" {{ users = {{"{THREE}"}} loopback = allow deny = {{"secret.localhost"}} }}\n')
    for path in (world.place.dir, os.path.dirname(daemon.socket)):
        os.chmod(path, 0o755)
    for path in (daemon.socket, daemon.control):
        os.chmod(path, 0o666)
    started = []

    def one(uid, kind, url='http://localhost:{a}/echo'):
        driver = drivers.Driver(world.place, kind, daemon.socket, preexec=become(uid))
        started.append(driver)
        row, _ = world.ask(driver, 'GET', url)
        return row, json.loads(row['body'])['connection'] if row['error'] == '' else None

    def before():
        """Nobody has sent anything yet."""
        ctl, env = drivers.for_everybody(world.place, rt.program('reqivoctl'))
        for uid, told in ((TWO, ('web', 'web')), (THREE, (None, 'other')), (ONE + 10, (None, None))):
            status = json.loads(rt.run([ctl, '--socket', daemon.socket, '--json', 'status'], preexec_fn=become(uid), env=env).stdout)
            rt.equal((status.get('partition'), status.get('policy')), told, f'what uid {uid} is told')

    def share():
        first = one(ONE, 'sync')[1]
        rt.equal(one(TWO, 'async')[1], first, 'the connection of the other user of the partition')
        assert one(THREE, 'sync')[1] != first, 'a user outside of the partition got its connection'
        assert one(ONE + 10, 'sync')[0]['error'] == '' and one(ONE + 10, 'async')[1] != first, 'so did another one'

    def see():
        ctl, env = drivers.for_everybody(world.place, rt.program('reqivoctl'))
        shown = {uid: json.loads(rt.run([ctl, '--socket', daemon.socket, '--json', 'pools'], preexec_fn=become(uid), env=env).stdout)
                 for uid in (ONE, TWO, THREE)}
        rt.equal([pool.get('partition') for pool in shown[ONE]], ['web'])
        rt.equal(shown[ONE][0]['origin'], shown[TWO][0]['origin'])
        rt.equal([(pool.get('partition'), pool['uid']) for pool in shown[THREE]], [(None, THREE)])
        clients = {uid: json.loads(rt.run([ctl, '--socket', daemon.socket, '--json', 'clients'], preexec_fn=become(uid), env=env).stdout)
                   for uid in (ONE, TWO)}
        for uid, rows in clients.items():
            rt.equal({row['uid'] for row in rows}, {uid}, 'whose programs a user of the partition is shown')

    def names():
        """Lookups of a partition count together, and each ends its share of them."""
        for n in range(6):
            row = one(ONE if n % 2 else TWO, 'sync', f'http://no-such-name-{n}.invalid/')[0]
            assert row['error'] in ('E_RESOLVE', 'E_TIMEOUT_RESOLVE'), row

    def policies():
        rt.equal(one(THREE, 'sync', 'http://secret.localhost:{a}/echo')[0]['error'], 'E_RULE_DENIED')
        rt.equal(one(TWO, 'sync', 'http://secret.localhost:{a}/echo')[0]['error'], '')

    def peers():
        """Sixteen programs of the partition, whoever of its users they are."""
        rows = [one(ONE if n % 2 else TWO, 'sync')[0] for n in range(18)]
        refused = [row['detail'] for row in rows if row['error'] == 'E_LIMIT_PEERS']
        assert refused and all('(policy "web": peers = 16)' in detail for detail in refused), rows
        rt.equal(one(THREE, 'sync')[0]['error'], '', 'a user outside')

    for name, case in (('a user is told his partition and policy before his first request', before),
                       ('rule_b1_k1: users of a partition share a connection, a third does not', share),
                       ('rule_b9_14: a user sees the pools of his partition', see),
                       ('rule_b9_policy: each user has his own policy', policies),
                       ('rule_b10_5: names are looked up for a partition', names),
                       ('rule_b9_3: limits count for a partition together', peers)):
        tap.case(f'{name} (needs root)', lambda case=case: (rt.need_root(), case()))
    for driver in started:
        driver.stop()
    rt.equal(drivers.gauge(daemon)['isolation_violations'], 0, 'isolation violations')


# ---- what the administrator sees ----

def shown(tap, world):
    def reqivod(*args):
        return subprocess.run([rt.program('reqivod'), *args], capture_output=True, text=True, check=False, timeout=rt.DEADLINE)

    conf = world.place.write('explain.conf', f'partition "p" {{ users = {{"{ONE}"}} }}\npolicy "x" {{ users = {{"{ONE}"}}\n deny = {{"*.internal"}}\n'
                             ' allow = {"GET https://*.org/v1"}\n}\n')

    def explain():
        for question, status, answer in ((f'{ONE} GET https://a.org/v1/x', 0, 'policy "x" allows it: allow[1] "GET https://*.org/v1"'),
                                         (f'{ONE} GET https://a.org/v2', 1, 'policy "x" refuses it: no rule of allow names it'),
                                         (f'{ONE} GET wss://db.internal/', 1, 'policy "x" refuses it: deny[1] "*.internal"'),
                                         (f'{ONE} POST https://a.org/v1/x', 1, 'policy "x" refuses it: no rule of allow names it'),
                                         (f'{TWO} GET http://a.org/', 0, 'no policy names the user, and there is no default')):
            done = reqivod('--config', conf, '--check-config', '--explain', question)
            rt.equal((done.returncode, answer in done.stdout), (status, True), f'{question}: {done.stdout}{done.stderr}')
        for question in ('', 'root', f'{ONE} GET', f'{ONE} GET ftp://x/', 'no-such-user GET http://x/'):
            done = reqivod('--config', conf, f'--explain={question}')
            rt.equal((done.returncode, done.stdout, done.stderr.count('\n')), (64, '', 1), f'{question}: {done.stderr}')

    tap.case('--explain says which rule decides', explain)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        world = World(place)
        run_table(tap, world)
        for part in (hops, other_ways, told, limits, rebinding, partitions, shown):
            part(tap, world)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
