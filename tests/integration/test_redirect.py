#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_redirect - the table of hop_cases.py through both drivers: redirects, cookies and content codings, against origins whose
own logs say what they were told."""
import gzip
import os
import re
import sys
import time
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import hop_cases  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CONF = rt.Reqivod.CONF + 'pool {\n    hold_down = 0\n}\n'
FIRST, TOTAL, CALL = 5, 6, 7  # of time_us


class HopOrigin(odd.OddOrigin):
    """/to/STATUS/path or /to/STATUS?URL redirects; the others below."""

    def redirect(self, connection, request, status, to, body=b'', fields=()):
        reason = 'Redirected'
        return self.answer(connection, body, [f'Location: {to}', *fields], f'{status} {reason}', request.method)

    def do_to(self, connection, request):
        path, query, to = request.target.partition('?')
        parts = path.split('/', 3)
        return self.redirect(connection, request, parts[2], to if query else '/' + parts[3], b'moved')

    def do_bare(self, connection, request):
        return self.answer(connection, b'bare', (), request.target.split('/')[2] + ' Bare')

    def do_end(self, connection, request):
        return self.answer(connection, b'end', (), method=request.method)

    do_x = do_last = do_end

    def do_loop(self, connection, request):
        return self.redirect(connection, request, 302, '/to/302?/loop')

    def do_count(self, connection, request):
        left = int(request.target.split('/')[2])
        return self.redirect(connection, request, 302, f'/count/{left - 1}') if left else self.do_end(connection, request)

    def do_late(self, connection, request):
        """/late/MS?URL redirects then."""
        path, _, to = request.target.partition('?')
        time.sleep(int(path.split('/')[2]) / 1000)
        return self.redirect(connection, request, 302, to)

    def do_early(self, connection, request):
        self.redirect(connection, request, 307, '/echo')
        connection.read_body(request)  # what is not on its way any more will not come: the connection goes
        return True

    do_early.lazy = True

    def do_long(self, connection, request):
        size = int(request.target.split('/')[2])
        return self.redirect(connection, request, 302, '/end', b'z' * size)

    def do_set(self, connection, request):
        """/set/COOKIE, for all paths unless it names one."""
        cookie = request.target.split('/', 2)[2]
        return self.answer(connection, b'set', [f'Set-Cookie: {cookie}' + ('' if 'Path' in cookie else ';Path=/')])

    def do_setto(self, connection, request):
        return self.redirect(connection, request, 302, '/end', b'', [f'Set-Cookie: {request.target.split("/")[2]};Path=/'])

    def do_bomb(self, connection, request):
        return self.answer(connection, b'', [f'Set-Cookie: c{i}={i}' for i in range(60)])

    def do_coded(self, connection, request):
        which = request.target.split('/')[2]
        names = list(hop_cases.CODED)
        if which.isdigit():
            coding, body = names[int(which)], hop_cases.CODED[names[int(which)]]
        else:
            body = gzip.compress(hop_cases.TEXT)
            coding, body = {'cut': ('gzip', body[:-20]), 'damaged': ('gzip', body[:20] + b'\xff' * 50 + body[70:]),
                            'bomb': ('deflate', zlib.compress(bytes(100_000_000))), 'unknown': ('sdch', body),
                            'six': (', '.join(['gzip'] * 6), body)}[which]
        return self.answer(connection, body, [f'Content-Encoding: {coding}'], method=request.method)


class World:
    def __init__(self, place):
        self.certs = rt.Certs(place)
        self.daemon = rt.Reqivod(place, conf=CONF)
        self.origins = {'a': HopOrigin(place), 'b': HopOrigin(place),
                        's': HopOrigin(place, odd.server_context(self.certs, 'good'))}
        self.urls = {'a': self.origins['a'].url(''), 'b': self.origins['b'].url(''), 's': self.origins['s'].url('', 'localhost'),
                     'l': self.origins['b'].url('', 'localhost'), 'closed': f'http://127.0.0.1:{odd.closed_port()}'}

    def fill(self, text):
        return re.sub(r'\{(\w+)\}', lambda m: self.urls[m.group(1).lower()], text)

    def forget(self):
        for origin in self.origins.values():
            with origin.lock:
                origin.log.clear()

    def log(self, name):
        with self.origins[name].lock:
            return list(self.origins[name].log)


def head_of(request):
    return request.head.decode('latin-1')


def check_logs(world, expect):
    for name, wanted in expect.get('log', {}).items():
        rt.equal([(r.method, r.target.split('?')[0]) for r in world.log(name)], [tuple(w) for w in wanted], f'what {name} was asked')
    for key, last in (('never', False), ('always', False), ('never_last', True), ('last_never', True), ('always_last', True)):
        for name, text in expect.get(key, {}).items():
            heads = [head_of(r) for r in world.log(name)][-1 if last else 0:]
            assert heads or 'never' in key, f'{name} was asked nothing'
            for head in heads:
                assert (text in head) == ('always' in key), f'{key} {text!r}: {head!r}'


def path_of(url):
    return '/' + url.split('/', 3)[3] if url.count('/') >= 3 else ''


def check_late(result, late):
    """The hops that the origin answered late, in ms: each took as long as that at least, in its own figures and in the chain's."""
    ends = [0, *(hop[3] for hop in result['hops']), result['time_us'][TOTAL]]
    for number, ms in late.items():
        took = ends[number + 1] - ends[number]
        assert took >= ms * 1000, f'hop {number} took {took} us, but the origin {ms} ms: {ends}'
    if len(result['hops']) in late:
        rt.equal(result['time_us'][FIRST] >= late[len(result['hops'])] * 1000, True, f'the first byte of the last: {result["time_us"]}')
    assert result['time_us'][CALL] >= ends[-1], f'the call, and the daemon: {result["time_us"]}'


def check(world, result, expect):
    rt.equal(result['completions'], 1, 'completions')
    for key, value in expect.items():
        if key == 'late':
            check_late(result, value)
        elif key in ('log', 'never', 'always', 'never_last', 'last_never', 'always_last'):
            continue
        elif key == 'hops':
            rt.equal([(h[0], path_of(h[2])) for h in result['hops']], value, 'hops')
        elif key == 'url':
            rt.equal(path_of(result['url']), value, 'the last URL')
        elif key in ('has', 'hasnt'):
            assert value is None or (value in result['body']) == (key == 'has'), f'{key} {value!r}: {result["body"]!r}'
        else:
            rt.equal(result.get(key), value, f'{key} (error {result["error"]!r}, {result.get("detail")!r})')
    times = [h[3] for h in result.get('hops', ())]
    assert times == sorted(times), f'the times of the hops: {times}'
    check_logs(world, expect)


def place_of(world, request, key):
    """(the URL's beginning, options): an origin, or a name that is routed to one."""
    url = world.urls[request.get('origin', 'a')]
    options = [f'ca {world.certs.ca}']
    if key not in request:
        return url, options
    port = url.rsplit(':', 1)[1]
    return f'http://{request[key]}:{port}', [*options, f'route 127.0.0.1:{port}']


def run_case(world, driver, number, request, expect):
    world.forget()
    name = f'{driver.kind}-{number}'
    base, options = place_of(world, request, 'host')
    earlier, earlier_options = place_of(world, request, 'earlier_host')
    session = f'{request["session"]}-{name}' if 'session' in request else '-'
    driver.write(f'session {session}\n')
    for path in request.get('earlier', ()):
        rt.equal(driver.ask(name, 'GET', earlier + path, *earlier_options)['error'], '', 'the earlier request')
    result = driver.ask(name, request['method'], base + world.fill(request['path']), *request['options'], *options)
    driver.write('session -\n')
    check(world, result, expect)


def setting(driver, what, error=''):
    driver.write(f'set {what}\n')
    row = driver.line()
    rt.equal((row['set'], row['error']), (what.split()[0], error), f'set {what}')


def jar_files(world, driver):
    """A jar is saved, taken up by another session, and cleared; a file that is not there is one error."""
    path = world.daemon.place.fresh(f'jar-{driver.kind}')

    def sent(tag):
        world.forget()
        rt.equal(driver.ask(tag, 'GET', world.urls['a'] + '/end')['error'], '', tag)
        return [line for line in head_of(world.log('a')[-1]).split('\r\n') if line.startswith('Cookie')]

    driver.write(f'session files-{driver.kind}\n')
    driver.ask('set', 'GET', world.urls['a'] + '/set/one=1')
    setting(driver, f'save-cookies {path}')
    setting(driver, 'save-cookies /nonexistent/jar', 'ENOENT')
    setting(driver, 'clear-cookies')
    cleared = sent('cleared')
    driver.write(f'session other-{driver.kind}\n')
    setting(driver, 'load-cookies /nonexistent/jar', 'ENOENT')
    setting(driver, f'load-cookies {path}')
    rt.equal((cleared, sent('loaded')), ([], ['Cookie: one=1']))
    driver.write('session -\n')


def quiet(world):
    state = rt.poll('no request is left in the daemon',
                    lambda: (s := drivers.gauge(world.daemon)) and s['all_requests'] == 0 and s)
    rt.equal(state['isolation_violations'], 0, 'isolation violations')
    rt.equal(state['wire_violations'], 0, 'wire violations')


def summary(driver):
    rows, code = driver.finish()
    rt.equal(code, 0, f'exit code of {driver.kind}: {driver.last_words()}')
    rt.equal(rows[-1]['submitted'], rows[-1]['completed'], 'completed')
    return rows[-1]['submitted']


def main():
    tap = rt.Tap()
    chosen = sys.argv[1:]
    submitted = {}
    with rt.Place() as place:
        world = World(place)
        for kind in drivers.KINDS:
            driver = drivers.Driver(place, kind, world.daemon.socket)
            for number, (name, request, expect) in enumerate(hop_cases.CASES):
                if chosen and not any(text in name for text in chosen):
                    continue
                tap.case(f'{kind}: {name}', run_case, world, driver, number, request, expect)
                if driver.popen.poll() is not None:
                    tap.ok(False, f'{kind}: the driver lives', driver.last_words())
                    driver = drivers.Driver(place, kind, world.daemon.socket)
                if not world.daemon.process.running():
                    tap.ok(False, 'the daemon lives', world.daemon.process.output()[-3000:])
                    world.daemon.start()
            if not chosen:
                tap.case(f'{kind}: the files of a jar', jar_files, world, driver)
            tap.case(f'{kind}: each submitted request completed exactly once',
                     lambda d=driver, k=kind: submitted.update({k: summary(d)}))
        tap.case('both drivers submitted the same number of requests',
                 lambda: rt.equal(submitted.get('sync'), submitted.get('async')))
        tap.case('the daemon is as quiet as before', quiet, world)
        tap.case('and ends well', drivers.ends_well, world.daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
