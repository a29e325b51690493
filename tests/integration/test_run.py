#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_run - the program behind `./dev run` (tests/lib/run.py): what it prints, and that it can fail. Wrong daemons and origins are
wrappers that come before the real programs."""
import os
import re
import shlex
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('REQIVO_SRCDIR') or os.path.join(os.path.dirname(__file__), '..', '..'), 'tests', 'lib'))

import reqivotest as rt  # noqa: E402

RUN = os.path.join(rt.srcdir(), 'tests', 'lib', 'run.py')


def run(*args, env=None):
    argv = [sys.executable, '-B', RUN, rt.builddir(), *args]
    return rt.run(argv, check=False, env=dict(os.environ, **(env or {})), timeout=90)


def failures(done):
    """Its last lines; the exit code says the same."""
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith('FAILED: ')]
    rt.equal(done.returncode, 1 if lines else 0, f'exit code beside {lines}, {done.stderr!r}')
    return lines


def main_job():
    done = run()
    text = done.stdout.decode()
    rt.equal((failures(done), done.stderr), ([], b''), text)
    seen = {}
    for name in ('reqivo', 'curl'):
        for how in ('one after another', 'at once'):
            found = re.search(rf'^{name}: 20 processes {how}\n(?:  ms each .*\n){{2}}  median [\d.]+ ms, CPU [\d.]+ ms a process, '
                              r'\d+ ms for all; connections at the origin: (\d+)$', text, re.M)
            assert found, f'nothing of {name}, {how}: {text}'
            seen[name, how] = int(found.group(1))
    rt.equal(seen['reqivo', 'one after another'], 1, 'connections of 20 in a row')
    assert 1 <= seen['reqivo', 'at once'] <= 8, seen
    rt.equal((seen['curl', 'one after another'], seen['curl', 'at once']), (20, 20), 'connections of curl')
    for line in (r'^ +reqivo +curl$', r'^one after another, all ms( +\d+){2}$', r'^at once, all ms( +\d+){2}$', r'^  connections +1 +20$'):
        assert re.search(line, text, re.M), f'no {line} in {text}'


def nginx_instead(place, name, sed):
    """A PATH whose nginx changes its configuration first."""
    folder = place.path(name)
    wrapper = place.write(f'{name}/nginx', f'''#!/bin/sh
for last; do :; done
sed -i {shlex.quote(sed)} "$last"
exec {shlex.quote(rt.tool("nginx"))} "$@"
''')
    os.chmod(wrapper, 0o755)
    return {'PATH': f'{folder}:{os.environ["PATH"]}'}


def closing_origin(place):
    lines = failures(run(env=nginx_instead(place, 'closing', 's/keepalive_timeout 75s/keepalive_timeout 0/')))
    rt.equal(lines, ['FAILED: the 20 in a row took 20 connections instead of 1',
                     "FAILED: reqivod opened 40 connections: more than the pool's 8"])


def wide_pool(place):
    """A daemon that may open 20, and an origin so slow that the 20 at once need them all."""
    wrapper = place.write('reqivod', f'''#!/bin/sh
while [ "$1" != --config ]; do set -- "$@" "$1"; shift; done
echo 'pool {{
    connections = 20
}}' >> "$2"
exec {shlex.quote(rt.program("reqivod"))} "$@"
''')
    os.chmod(wrapper, 0o755)
    slow = nginx_instead(place, 'slow', r's|location / {|location /reqivo-parallel { limit_rate 100; return 200 "hello from $request_uri\\n"; } &|')
    lines = failures(run(env=dict(slow, REQIVOD=wrapper)))
    rt.equal(len(lines), 1, f'failures: {lines}')
    found = re.fullmatch(r"FAILED: reqivod opened (\d+) connections: more than the pool's 8", lines[0])
    assert found and int(found.group(1)) > 8, lines


def wrong_body(place):
    lines = failures(run(env=nginx_instead(place, 'wrong', 's/hello from/good-bye from/')))
    for name in ('reqivo', 'curl'):
        for how in ('one after another', 'at once'):
            rt.equal(lines.count(f'FAILED: {name}, {how}: a body is not the one of the origin'), 20, f'{name}, {how}')


def failing_process(place):
    lines = failures(run(env=nginx_instead(place, 'refusing', 's/return 200 "hello/return 503 "hello/')))
    rt.contains(lines, 'FAILED: reqivo, at once: a process ended with 22')


def urls(place):
    origin = rt.Origin(place)
    done = run(origin.url('/one'), origin.url('/echo/two'))
    rt.equal((done.returncode, done.stderr), (0, b''))
    body = done.stdout.decode()
    assert re.match(r'ok\nGET /echo/two HTTP/1.1\r\n', body), body
    rt.equal(origin.accepted, 1, 'connections')


def bad_urls(place):
    for url, code in (('http://local host/', 3), ('ftp://localhost/', 1), (f'http://127.0.0.1:{rt.free_port()}/', 7)):
        done = run(url)
        rt.equal(done.returncode, code, f'{url}: {done.stderr!r}, exit code')
        rt.contains(done.stderr.decode(), f'reqivo: ({code}) ')
        rt.equal(done.stdout, b'')


def not_built(place):
    done = rt.run([sys.executable, '-B', RUN, place.path('nothing')], check=False)
    rt.equal((done.returncode, done.stdout), (1, b''))
    rt.contains(done.stderr.decode(), './dev run: reqivod is not built')
    done = rt.run([sys.executable, '-B', RUN], check=False)
    rt.equal(done.returncode, 2, 'without a folder')


def main():
    tap = rt.Tap()
    for name in ('REQIVOD', 'REQIVO', 'REQIVOCTL'):
        os.environ.pop(name, None)
    with rt.Place('reqivo-test-run') as place:
        tap.case('the main job: exit 0, and what it prints', main_job)
        tap.case('an origin that closes is noticed: too many connections', closing_origin, place)
        tap.case('a daemon that opens more than 8 is noticed', wide_pool, place)
        tap.case('wrong bodies are noticed', wrong_body, place)
        tap.case('processes that fail are noticed', failing_process, place)
        tap.case('URLs: the bodies, over one connection', urls, place)
        tap.case('URLs: the exit code and the message of reqivo', bad_urls, place)
        tap.case('without a build it says so', not_built, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
