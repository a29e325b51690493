# SPDX-License-Identifier: MIT
"""steps - runs tables of cases whose requests depend on each other through the two drivers: sessions, pools, connections, hooks,
helpers, errors. A case is (name, [steps]); each case has a session and fresh names of its own. A step is one of

  setting(what, *args)                    a setting of the session; error='E_X': it is refused
  ask(method, url, *options, **expect)    a request, to its result
  call(method, url, *content, **expect)   a helper's call
  make(what, name, method, url, *options, **expect)   acquire, pool or websocket
  operate(verb, name, value=0, **expect)  on a pool or a connection
  bare(), anew()                          what follows belongs to no session; to another one
  hold(origin, count), let_go()           another program of this user has so many requests under way; they end
  seen(origin, *wanted)                   what the log of an origin says since the case began
  then(function)                          anything else: function(run)

{a} {b} {s} ... in URLs are the origins of the World; {new} and {news} (https) are made for each run of a case, so their figures are
exact. expect: `at` and `last` (one request of the log), `fields` (of the last request there: name to value, None: not there), `has`
(text in the body), `fields_seen` (all of the response); all else is compared with the result. A value that is a function judges what it is given."""
import json
import os
import re
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CONF = rt.Reqivod.CONF + 'pool {\n    hold_down = 0\n}\n'


# ---- steps ----

def setting(what, *args, error=''):
    return lambda run: run.setting(what, args, error)


def ask(method, url, *options, **expect):
    return lambda run: run.ask(drivers.describe(run.tag, method, run.fill(url), *run.options(options)), expect)


def get(url, *options, **expect):
    return ask('GET', url, *options, **expect)


def call(method, url, *content, **expect):
    def step(run):
        given = [c if isinstance(c, str) else ' '.join([c[0], *map(drivers.escape, c[1:])]) for c in content]
        lines = drivers.describe(run.tag, method, run.fill(url), *run.options(given))
        run.ask(lines.replace('request ', 'call ', 1), expect)
    return step


def make(what, name, method, url, *options, **expect):
    def step(run):
        lines = drivers.describe(run.tag, method, run.fill(url), *run.options(options))
        lines = lines.removesuffix('end\n') + f'{what} {run.named(name)}\n'
        run.ask(lines, expect)
        if what == 'pool':  # the other program names it, too
            run.looker.write(lines)
            rt.equal(run.looker.line()['error'], '', 'pool of the other program')
    return step


def operate(verb, name, value=0, **expect):
    return lambda run: run.ask(f'operate {run.tag} {verb} {run.named(name)} {value}\n', expect)


def bare():
    return lambda run: run.driver.write('session -\n')


def anew():
    return lambda run: run.new_session()


def settled(name='p', **figures):
    """The figures of a pool, once they are so: what another program does is not in step with this one, and that one looks."""
    def step(run):
        row = {}

        def fits():
            run.looker.write(f'operate looks stats {run.named(name)} 0\nrun\n')
            row.update(run.looker.line())
            return all(row[key] == value for key, value in figures.items())
        try:
            rt.poll('the figures', fits)
        except rt.Failed:
            raise AssertionError(f'never {figures}: {row}') from None
    return step


def hold(origin, count, path='/wait'):
    return lambda run: run.hold(origin, count, path)


def let_go():
    return lambda run: run.let_go()


def seen(origin, *wanted):
    return lambda run: rt.equal([(r.method, r.target) for r in run.log(origin)], list(wanted), f'what {origin} was asked')


def connections(origin, *numbers):
    """On which of its connections each request came."""
    return lambda run: rt.equal([r.connection for r in run.log(origin)], list(numbers), f'connections of {origin}')


def then(function):
    return function


# ---- running them ----

class World:
    """The daemon and the origins that all cases share."""

    def __init__(self, place, origin=odd.OddOrigin, conf=CONF):
        self.place, self.kind_of_origin = place, origin
        self.certs = rt.Certs(place)
        self.daemon = rt.Reqivod(place, conf=conf)
        self.contexts = {'news': odd.server_context(self.certs, 'good')}
        self.origins = {'a': origin(place), 'b': origin(place), 's': origin(place, self.contexts['news'])}
        self.used = []  # ports of origins that are gone
        self.words = {'CA': self.certs.ca, 'closed': f'127.0.0.1:{odd.closed_port()}', 'dir': place.dir}

    def retire(self, origin):
        """Nobody else may get its port: the daemon still has the pool, and with it the figures."""
        origin.stop()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(('127.0.0.1', origin.port))
        self.used.append(sock)

    def url_of(self, origin):
        return origin.url('', 'localhost' if origin.context else '127.0.0.1')


class Run:
    """One case through one driver."""

    def __init__(self, world, driver, others, number):
        self.world, self.driver, self.number = world, driver, number
        self.holder, self.looker = others
        self.tag = f'{driver.kind}-{number}'
        self.own, self.sessions, self.held = {}, 0, 0
        self.begin = {name: len(origin.log) for name, origin in world.origins.items()}

    def origin(self, name):
        if name in self.world.origins:
            return self.world.origins[name]
        if name not in self.own:
            self.own[name] = self.world.kind_of_origin(self.world.place, self.world.contexts.get(name))
            self.begin[name] = 0
        return self.own[name]

    def fill(self, text):
        def word(match):
            name = match.group(1)
            if name in self.world.words:
                return self.world.words[name]
            if name in ('new', 'news') or name in self.world.origins:
                return self.world.url_of(self.origin(name))
            return match.group(0)
        return re.sub(r'\{(\w+)\}', word, text)

    def named(self, name):
        return f'{name}-{self.tag}' if name else ''

    def options(self, options):
        """`on NAME` and texts with {…}; others as they are."""
        return [f'on {self.named(o[3:])}' if isinstance(o, str) and o.startswith('on ')
                else self.fill(o) if isinstance(o, str)
                else tuple(self.fill(part) if isinstance(part, str) else part for part in o) for o in options]

    def log(self, name):
        origin = self.origin(name)
        with origin.lock:
            return list(origin.log[self.begin[name]:])

    def new_session(self):
        self.sessions += 1
        self.driver.write(f'session {self.tag}-{self.sessions}\n')

    def row(self):
        row = self.driver.line()
        assert row is not None, f'the driver has ended: {self.driver.last_words()}'
        return row

    def setting(self, what, args, error):
        words = [self.fill(a) if what == 'hook' else drivers.escape(self.fill(a)) for a in args]
        self.driver.write(' '.join(['set', what, *words]) + '\n')
        row = self.row()
        rt.equal((row['set'], row['error']), (what, error), f'set {what} {args}')

    def ask(self, lines, expect):
        self.driver.write(lines + 'run\n')
        self.check(self.row(), expect)

    def hold(self, name, count, path):
        """The holder serves them until they are done, and nothing else."""
        origin = self.origin(name)
        origin.release.clear()
        url = self.world.url_of(origin) + path
        self.held += count
        more = [f'ca {self.world.certs.ca}'] if origin.context else []
        self.holder.write(''.join(drivers.describe('held', 'GET', url, *more) for _ in range(count)) + 'run\n')

    def let_go(self):
        for origin in (*self.own.values(), *self.world.origins.values()):
            origin.release.set()
        while self.held:
            rt.equal(self.holder.line()['error'], '', 'a request that was held')
            self.held -= 1

    def check(self, row, expect):
        rt.equal(row['completions'], 1, 'completions')
        expect = {'error': '', **expect}
        about = f'error {row["error"]!r}, {row.get("detail")!r}, status {row.get("status")}'
        for key, value in expect.items():
            if key in ('at', 'last', 'fields', 'tls', 'echo'):
                continue
            if key == 'has':
                rt.contains(row['body'], value, 'the body')
            elif key == 'fields_seen':
                rt.equal(row['fields'], value, 'the fields of the response')
            elif key == 'hops':
                rt.equal([h[0] for h in row['hops']], value, 'hops')
            elif callable(value):
                assert value(row.get(key)), f'{key}: {row.get(key)!r} ({about})'
            elif isinstance(value, tuple):
                assert row.get(key) in value, f'{key}: {row.get(key)!r}, none of {value!r} ({about})'
            else:
                rt.equal(row.get(key), value, f'{key} ({about})')
        self.check_log(expect)
        for key, value in expect.get('echo', {}).items():
            rt.equal(json.loads(row['body'])[key], value, f'what arrived: {key}')

    def check_log(self, expect):
        if 'at' not in expect:
            assert not {'last', 'fields', 'tls'} & set(expect), expect
            return
        log = self.log(expect['at'])
        assert log, f'{expect["at"]} was asked nothing'
        if 'last' in expect:
            rt.equal((log[-1].method, log[-1].target), expect['last'], f'what {expect["at"]} was asked')
        for name, value in expect.get('fields', {}).items():
            values = [v for n, v in log[-1].fields if n.lower() == name.lower()]
            rt.equal(values, [] if value is None else value if isinstance(value, list) else [value], f'field {name}')
        if 'tls' in expect:
            rt.equal(log[-1].tls, expect['tls'], 'version of TLS')


def run_case(world, driver, others, number, steps):
    run = Run(world, driver, others, number)
    run.new_session()
    try:
        for at, step in enumerate(steps, 1):
            try:
                step(run)
            except AssertionError as error:
                raise AssertionError(f'step {at}: {error}') from error
    finally:
        run.let_go()
        driver.write('session -\n')
        for origin in run.own.values():
            world.retire(origin)


def quiet(world):
    state = rt.poll('no request is left in the daemon',
                    lambda: (s := drivers.gauge(world.daemon)) and s['all_requests'] == 0 and s)
    rt.equal((state['isolation_violations'], state['wire_violations']), (0, 0), 'violations')


def summary(driver):
    rows, code = driver.finish()
    rt.equal(code, 0, f'exit code of {driver.kind}: {driver.last_words()}')
    rt.equal(rows[-1]['submitted'], rows[-1]['completed'], 'completed')
    return {key: rows[-1][key] for key in ('submitted', 'operated')}


def run_tables(make_world, cases, more=lambda tap: None):
    """All cases through both drivers, and more(tap); the exit code of the script."""
    tap, chosen, counts = rt.Tap(), sys.argv[1:], {}
    assert len({name for name, _ in cases}) == len(cases), 'names of cases are there once'
    with rt.Place() as place:
        world = make_world(place)
        others = [drivers.Driver(place, 'async', world.daemon.socket) for _ in range(2)]
        for kind in drivers.KINDS:
            driver = drivers.Driver(place, kind, world.daemon.socket)
            ran = 0
            for number, (name, steps) in enumerate(cases):
                if chosen and not any(text in name for text in chosen):
                    continue
                ran += 1
                tap.case(f'{kind}: {name}', run_case, world, driver, others, number, steps)
                if driver.popen.poll() is not None:
                    tap.ok(False, f'{kind}: the driver lives', driver.last_words())
                    driver = drivers.Driver(place, kind, world.daemon.socket)
                if not world.daemon.process.running():
                    tap.ok(False, 'the daemon lives', world.daemon.process.output()[-3000:])
                    world.daemon.start()
            tap.case(f'{kind}: what was begun completed exactly once',
                     lambda d=driver, k=kind, n=ran: counts.update({k: dict(summary(d), cases=n)}))
        tap.case('both drivers did the same number of cases, requests and operations',
                 lambda: rt.equal(counts.get('sync'), counts.get('async')))
        tap.case('the other programs end well', lambda: rt.equal([other.finish()[1] for other in others], [0, 0]))
        tap.case('the daemon is as quiet as before', quiet, world)
        tap.case('and ends well', drivers.ends_well, world.daemon)
    more(tap)
    return tap.done()
