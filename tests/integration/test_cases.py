#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_cases - the table of cases.py through the synchronous and the asynchronous driver, against nginx and the odd origin."""
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases  # noqa: E402
import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

CONF = rt.Reqivod.CONF + 'pool {\n    hold_down = 0\n}\n'
PLAIN = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'


class World:
    """Everything that the cases talk to."""

    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        self.daemon = rt.Reqivod(place, conf=CONF)
        self.nginx = rt.Nginx(place, self.certs)
        for name, data in cases.FILES.items():
            self.nginx.file(name, data)
        self.file = place.write('upload', cases.BIG)
        with open(self.certs.ca, encoding='ascii') as file:
            bundle = file.read()
        with open(self.certs.files('other')[0], encoding='ascii') as file:
            self.cas = {'bundle': place.write('bundle.pem', bundle + file.read()), 'garbage': place.write('garbage.pem', 'no PEM\n')}
        context = odd.server_context(self.certs, 'good')
        self.odd = odd.OddOrigin(place)
        self.odds = odd.OddOrigin(place, context)
        self.ports = {'closed': odd.closed_port(), 'deaf': odd.DeafPort(place).port, 'odd': self.odd.port,
                      'mutetls': odd.OddOrigin(place, before='stall').port, 'plaintls': odd.OddOrigin(place, before=PLAIN).port,
                      'resettls': odd.OddOrigin(place, before='reset').port, 'nginxs': self.nginx.port('good')}
        self.urls = {'nginx': self.nginx.url('http', ''), 'nginxs': self.nginx.url('good', ''), 'file': self.file,
                     'odd': self.odd.url(''), 'odds': self.odds.url('', 'localhost')}
        for name in ('expired', 'self_signed', 'unknown_ca', 'wrong_host'):
            self.urls[name] = self.nginx.url(name, '')
        self.origins = [self.odd, self.odds]

    def private(self):
        """Origins that no driver has met before: for the tickets."""
        for name in ('odds2', 'odds3'):
            origin = odd.OddOrigin(self.place, odd.server_context(self.certs, 'good'))
            self.origins.append(origin)
            self.ports[name] = origin.port

    def origin_of(self, url):
        return next((o for o in self.origins if f':{o.port}' in url), None)

    def seen(self, token):
        return [r for o in self.origins for r in o.seen(token)]

    def resolve(self, url, request):
        """{name} in the text, and nothing else: URLs have braces of their own nowhere in the table."""
        names = dict(self.urls, port=self.ports.get(request.get('port'), ''))
        return re.sub(r'\{(\w+)\}', lambda m: str(names[m.group(1)]), url)


def options_for(world, request, url, token, options):
    lines = [('field', 'X-Token', token)] if world.origin_of(url) else []
    ca = request.get('ca', 'ours')
    if url.startswith('https') and ca and 'verify 0' not in options:
        lines.append(f'ca {world.cas.get(ca, world.certs.ca)}')
    lines += [world.resolve(o, request) if isinstance(o, str) else o for o in options]
    return lines


def ask(world, driver, request, token):
    """Primer, request, probe: the result, with what the origin knows added."""
    if 'raw' in request:
        origin = world.odds if request.get('over') == 'odds' else world.odd
        origin.raw(token, *request['raw'])
        url = origin.url(f'/raw/{token}', 'localhost' if origin.context else '127.0.0.1')
    else:
        url = world.resolve(request['url'], request)
        origin = world.origin_of(url)
    prime = world.resolve(request['prime_url'], request) if 'prime_url' in request else None
    if 'prime' in request:
        prime = re.sub(r'^(\w+://[^/]*).*', r'\1', url) + request['prime']
    if prime:
        more = options_for(world, {}, prime, token + '-prime', request.get('prime_options', ()))
        result = driver.ask(token, 'GET', prime, *more)
        assert result['error'] == '', f'the primer failed: {result}'
    start = time.monotonic()
    result = driver.ask(token, request['method'], url, *options_for(world, request, url, token, request['options']))
    result['ms'] = (time.monotonic() - start) * 1000
    if 'raw' in request and request['raw'][1] not in ('stall',):
        assert origin.done[token].wait(rt.DEADLINE), 'the origin did not come to the end of its answer'
    if request.get('probe'):
        probe(world, driver, origin, token, result)
    return result


def probe(world, driver, origin, token, result):
    url = origin.url('/echo', 'localhost' if origin.context else '127.0.0.1')
    after = driver.ask(token, 'GET', url, *options_for(world, {}, url, token + '-probe', ()))
    assert after['error'] == '' and after['status'] == 200, f'the probe failed: {after}'
    echo = json.loads(after['body'])
    assert echo['token'] == token + '-probe', f'the probe got an answer of another: {after}'
    assert after['retried'] == 0 or origin.accepted, after
    served = origin.seen(token)
    result['conn'] = 'kept' if served and served[-1].connection == echo['connection'] else 'closed'


def check_echo(result, expect):
    echo = json.loads(result['body'])
    names = [name.lower() for name, _ in echo['fields']]
    for key, value in expect.get('echo', {}).items():
        rt.equal(echo[key], value, f'echo: {key}')
    for key, value in expect.get('echo_has', {}).items():
        assert [key, value] in [[n.lower(), v] for n, v in echo['fields']], f'no {key}: {value} in {echo["fields"]}'
    for key in expect.get('echo_once', ()):
        rt.equal(names.count(key), 1, f'how often {key} is sent')
    if 'echo_fields' in expect:
        ours = [list(f) for f in echo['fields'] if f[0].lower() in {n.lower() for n, _ in expect['echo_fields']}]
        rt.equal(ours, [list(f) for f in expect['echo_fields']], 'the fields that arrived')


def check(world, token, result, expect):
    rt.equal(result['completions'], 1, 'completions')
    for key, value in expect.items():
        if key in ('echo', 'echo_has', 'echo_once', 'echo_fields'):
            continue
        if key == 'error':
            allowed = value if isinstance(value, tuple) else (value,)
            assert result['error'] in allowed, f'error {result["error"]!r}, expected {value!r}: {result}'
        elif key == 'count':
            rt.equal(len(world.seen(token)), value, 'requests that reached the origin')
        elif key == 'ends':
            assert result['ms'] < value * drivers.SLOW, f'took {result["ms"]:.0f} ms'
        elif key == 'has_field':
            assert value in [name.lower() for name, _ in result['fields']], f'no {value} in {result["fields"]}'
        elif key == 'other_conn':
            pair = world.seen(token) + world.seen(token + '-prime')
            ids = {(id(world.odds if r in world.odds.log else world.odd), r.connection) for r in pair}
            assert len(pair) == 2 and len(ids) == 2, f'the same connection served both: {ids}'
        else:
            rt.equal(result.get(key), value, f'{key} (error {result["error"]!r}, {result.get("detail")!r})')
    assert 'SECRET' not in result.get('body', ''), f'bytes of another answer: {result["body"]!r}'
    if any(key.startswith('echo') for key in expect):
        check_echo(result, expect)


def run_case(world, driver, number, name, request, expect):
    token = f'{driver.kind}-{number}'
    result = ask(world, driver, request, token)
    check(world, token, result, expect)


def quiet(world):
    """What the whole table must leave behind."""
    state = rt.poll('no request is left in the daemon',
                    lambda: (s := drivers.gauge(world.daemon)) and s['all_requests'] == 0 and s)
    rt.equal(state['isolation_violations'], 0, 'isolation violations')
    rt.equal(state['wire_violations'], 0, 'wire violations')
    assert world.daemon.process.running(), 'the daemon has ended'


def summary(driver):
    rows, code = driver.finish()
    rt.equal(code, 0, f'exit code of {driver.kind}: {driver.last_words()}')
    rt.equal(rows[-1]['twice'], 0, 'second completions')
    rt.equal(rows[-1]['submitted'], rows[-1]['completed'], 'completed')
    return rows[-1]['submitted']


def main():
    tap = rt.Tap()
    chosen = sys.argv[1:]
    counts, submitted = {}, {}
    with rt.Place() as place:
        world = World(place)
        for kind in drivers.KINDS:
            world.private()
            driver = drivers.Driver(place, kind, world.daemon.socket)
            counts[kind] = 0
            for number, (name, request, expect) in enumerate(cases.CASES):
                if chosen and not any(text in name for text in chosen):
                    continue
                counts[kind] += 1
                tap.case(f'{kind}: {name}', run_case, world, driver, number, name, request, expect)
                if driver.popen.poll() is not None:
                    tap.ok(False, f'{kind}: the driver lives', driver.last_words())
                    driver = drivers.Driver(place, kind, world.daemon.socket)
                if not world.daemon.process.running():
                    tap.ok(False, 'the daemon lives', world.daemon.process.output()[-3000:])
                    world.daemon.start()
            tap.case(f'{kind}: each submitted request completed exactly once', lambda d=driver, k=kind: submitted.update({k: summary(d)}))
        tap.case('both drivers ran the same number of cases', lambda: rt.equal(counts['sync'], counts['async']))
        tap.case('both drivers submitted the same number of requests',
                 lambda: rt.equal(submitted.get('sync'), submitted.get('async')))
        tap.case('the daemon is as quiet as before', quiet, world)
        tap.case('and ends well', drivers.ends_well, world.daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
