#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_cli - reqivo and reqivoctl as a person uses them, beside curl where both must do the same."""
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('REQIVO_SRCDIR') or os.path.join(os.path.dirname(__file__), '..', '..'),
                                'tests', 'lib'))

import reqivotest as rt  # noqa: E402

BIG = bytes(range(256)) * 12000


class Behaviour:
    """The handler of the scripted origin: what it does is chosen by the path."""

    def __init__(self):
        self.go_on = threading.Event()

    def __call__(self, request, connection):
        path = request.target.split('?')[0].strip('/').replace('-', '_')
        return getattr(self, f'do_{path.split("/")[0]}', self.plain)(request, connection)

    def plain(self, request, connection):
        return rt.Origin.echo(request, connection)

    def do_status(self, request, connection):
        status = request.target.split('/')[2]
        fields = ['X-Reason: because', 'Content-Type: text/x']
        return rt.Origin.answer(connection, b'the body\n', f'{status} Text', fields, request.method)

    def do_digest(self, request, connection):
        digest = hashlib.sha256(request.body).hexdigest()
        expect = request.fields.get('expect', '-')
        text = f'{len(request.body)} {digest} {expect}\n'
        return rt.Origin.answer(connection, text.encode())

    def do_cookie(self, request, connection):
        return rt.Origin.answer(connection, b'', fields=['Set-Cookie: k=v; Path=/'])

    def do_nothing(self, request, connection):
        return rt.Origin.answer(connection, b'')

    def do_binary(self, request, connection):
        return rt.Origin.answer(connection, b'a\0b')

    def do_big(self, request, connection):
        return rt.Origin.answer(connection, BIG)

    def do_close(self, request, connection):
        return False

    def do_reset(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        return False

    def do_truncate(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
        return False

    def do_weird(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc')
        return False

    def do_chunk(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n')
        return False

    def do_stall(self, request, connection):
        connection.recv(1)
        return False

    def do_trailer(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\nX-U: w\r\n\r\n')
        return True

    def do_pieces(self, request, connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n')
        self.go_on.wait(rt.DEADLINE)
        connection.sendall(b'5\r\nlast\n\r\n0\r\n\r\n')
        return True


class World:
    """What all cases share."""

    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        self.daemon = rt.Reqivod(place)
        self.nginx = rt.Nginx(place, self.certs)
        self.behaviour = Behaviour()
        self.origin = rt.Origin(place, self.behaviour)
        self.curl = rt.tool('curl')
        self.fifo = place.path('fifo')
        os.mkfifo(self.fifo)

    def both(self, *args, **options):
        """The same command line through reqivo and through curl."""
        ours = self.daemon.reqivo(*args, **options)
        theirs = rt.run([self.curl, '-q', *args], check=False, **options)
        return ours, theirs

    def ours(self, *args, code=0, **options):
        done = self.daemon.reqivo(*args, **options)
        rt.equal(done.returncode, code, f'reqivo {args} said {done.stderr!r}, exit code')
        return done


def text_of(done):
    return done.stdout.decode('latin-1')


# ---- the request -------------------------------------------------------------------------------------------------

REQUESTS = [
    ('get', []),
    ('path, query, fragment', ['/echo/a/../b/./c?x=/../y#z']),
    ('method', ['-X', 'PROPFIND']),
    ('form', ['-d', 'a=b', '-d', 'c=d e', '--data-binary', 'f']),
    ('form, own method', ['-d', 'a', '-X', 'PUT']),
    ('form of nothing', ['-d', '']),
    ('form, own type', ['-d', '{}', '-H', 'Content-Type: application/json']),
    ('form, no type', ['-d', '{}', '-H', 'Content-Type:']),
    ('file as text', ['-d', '@DIR/lines']),
    ('file as it is', ['--data-binary', '@DIR/lines']),
    ('file and text', ['--data-binary', '@DIR/lines', '-d', 'x']),
    ('fields', ['-H', 'X-One: 1', '-H', 'X-Two:  2', '-H', 'X-Empty;', '-H', 'X-One: again', '-H', 'Accept:']),
    ('host', ['-H', 'Host: other.example']),
    ('empty field', ['-H', 'X;']),
    ('empty field with a blank, which is none', ['-s', '-H', 'X; ']),
    ('no agent', ['-H', 'User-Agent:']),
    ('not a field', ['-H', 'nothing at all']),
    ('user', ['http://us%65r:p%3Ass@ORIGIN/echo']),
    ('user without password', ['http://user@ORIGIN/echo']),
    ('user, own authorization', ['http://user@ORIGIN/echo', '-H', 'Authorization: Bearer x']),
    ('no scheme', ['ORIGIN/echo']),
]


def request_case(world, args):
    """The origin must get the same request from both, but for the order of the fields."""
    origin = f'127.0.0.1:{world.origin.port}'
    words = [a.replace('DIR', world.place.dir).replace('ORIGIN', origin) for a in args]
    words = [world.origin.url(a) if a.startswith('/') else a for a in words]
    if not any('/echo' in a for a in words):
        words.append(world.origin.url('/echo'))
    agent = [] if 'User-Agent:' in args else ['-A', 'agent']
    seen = []
    for done in world.both('-sS', *agent, *words):
        rt.equal(done.returncode, 0, done.stderr.decode())
        head, _, body = text_of(done).partition('\r\n\r\n')
        line, *fields = head.split('\r\n')
        seen.append((line, sorted(re.sub(r':\s*', ': ', field, count=1) for field in fields), body))
    rt.equal(seen[0], seen[1], 'reqivo beside curl')


def default_fields(world):
    head = text_of(world.ours('-s', world.origin.url('/echo'))).rstrip().split('\r\n')
    rt.equal(head[1], f'Host: 127.0.0.1:{world.origin.port}')
    version = text_of(world.ours('--version')).split()[1]
    rt.equal(head[2:], [f'User-Agent: reqivo/{version}', 'Accept: */*'])


def big_upload(world):
    path = world.place.write('big', BIG)
    expected = f'{len(BIG)} {hashlib.sha256(BIG).hexdigest()} 100-continue\n'
    url = world.origin.url('/digest')
    rt.equal(text_of(world.ours('-sS', '--data-binary', '@' + path, url, url)), expected * 2, 'a file, for two URLs')
    with open(path, 'rb') as file:
        rt.equal(text_of(world.ours('-sS', '--data-binary', '@-', url, stdin=file)), expected, 'stdin')
    quiet = text_of(world.ours('-sS', '-H', 'Expect:', '--data-binary', '@' + path, url))
    rt.equal(quiet, expected.replace('100-continue', '-'), "-H 'Expect:'")


def refused_field(world):
    """A usage error: said under -s too."""
    before = len(world.origin.requests)
    for field in ('Connection: upgrade', 'Connection: keep-alive, X', 'Connection;', 'Expect: 1', 'Expect: 100', 'Expect;'):
        done = world.ours('-s', '-H', field, world.origin.url('/echo'), code=2)
        name = re.match(r'\w+', field).group(0)
        rt.contains(done.stderr.decode(), f"reqivo: (2) the field '{name}'")
    rt.equal(len(world.origin.requests), before, 'requests that were sent nevertheless')


def expect_field(world):
    """Only that one value is what the daemon knows how to ask."""
    for field in ('Expect: 100-continue', 'expect:100-CONTINUE'):
        text = text_of(world.ours('-s', '-H', field, '-d', 'x', world.origin.url('/echo')))
        rt.contains(text, '\r\nExpect: 100-continue\r\n', field)
        text = text_of(world.ours('-s', '-H', field, world.origin.url('/echo')))
        assert 'xpect' not in text, f'nothing to wait with: {text}'


def connection_field(world):
    """What "copy as cURL" adds says nothing new; "close" asks for a new connection."""
    daemon = rt.Reqivod(world.place)
    path = ['-s', '-w', '%{stderr}%{num_connects}', world.origin.url('/echo')]
    for fields, connects in (([], b'1'), (['-H', 'Connection: keep-alive'], b'0'), (['-H', 'connection:Keep-Alive'], b'0'),
                             (['-H', 'Connection: close'], b'1'), ([], b'0')):
        done = daemon.reqivo(*fields, *path)
        rt.equal((done.returncode, done.stderr), (0, connects), f'{fields}: exit code and new connections')
        assert 'onnection' not in text_of(done), f'{fields}: {text_of(done)}'
    daemon.stop()


# ---- the output --------------------------------------------------------------------------------------------------

OUTPUTS = [
    ('body', ['/status/200']),
    ('head and body', ['-i', '/status/200']),
    ('trailers', ['-i', '/trailer']),
    ('head', ['-I', '/status/200']),
    ('error page', ['/status/404']),
    ('fail', ['-f', '/status/404']),
    ('fail, with the head', ['-f', '-i', '/status/500']),
    ('fail on a good status', ['-f', '/status/399']),
    ('two URLs', ['/status/200', '/echo']),
    ('last URL decides', ['-f', '/status/404', '/status/200']),
    ('write-out', ['-w', '[%{http_code} %{response_code} %{size_download} %{method} %{content_type} %{exitcode}]\\n',
                   '/status/201']),
    ('write-out after a failure', ['-f', '-w', '%{http_code} %{exitcode} %{scheme}\\t%%{x}\\n', '/status/404']),
    ('write-out of the address', ['-w', '%{remote_ip}:%{remote_port} %{num_headers} %{http_version}', '/status/200']),
    ('write-out from a file', ['-w', '@DIR/format', '/status/200']),
    ('write-out without an answer', ['-w', '%{http_code} %{num_connects} %{size_download}|', 'http://127.0.0.1:1/']),
]


def output_case(world, args):
    words = [world.origin.url(a) if a.startswith('/') else a.replace('DIR', world.place.dir) for a in args]
    ours, theirs = world.both('-sS', '-A', 'agent', *words)
    rt.equal(ours.returncode, theirs.returncode, 'exit code')
    rt.equal(text_of(ours), text_of(theirs), 'stdout')


def output_files(world):
    one, two = world.place.path('one'), world.place.path('two')
    urls = [world.origin.url(p) for p in ('/status/200', '/nothing', '/binary')]
    done = world.ours('-o', one, '-o', two, *urls)
    rt.equal(done.stdout, b'a\0b', 'the third goes to stdout')
    with open(one, 'rb') as first, open(two, 'rb') as second:
        rt.equal((first.read(), second.read()), (b'the body\n', b''))
    world.ours('-f', '-s', '-o', one, world.origin.url('/status/500'), code=22)
    with open(one, 'rb') as first:
        rt.equal(first.read(), b'the body\n', 'a failure leaves the old file alone')


def big_download(world):
    rt.equal(world.ours('-s', world.origin.url('/big')).stdout, BIG)


def pieces(world):
    """What has come is seen at once."""
    world.behaviour.go_on.clear()
    argv = [rt.program('reqivo'), '--socket', world.daemon.socket, '-s', world.origin.url('/pieces')]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        rt.equal(os.read(child.stdout.fileno(), 100), b'first\n')
        world.behaviour.go_on.set()
        rt.equal(child.stdout.read(), b'last\n')
        rt.equal(child.wait(), 0)


def reader_gone(world):
    argv = [rt.program('reqivo'), '--socket', world.daemon.socket, '-sS', world.origin.url('/big')]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        rt.equal(child.wait(rt.DEADLINE), 23)
        rt.contains(child.stderr.read().decode(), 'reqivo: (23) cannot write to stdout')


def disk_full(world):
    with open('/dev/full', 'wb') as full:
        argv = [rt.program('reqivo'), '--socket', world.daemon.socket, '-s', world.origin.url('/status/200')]
        rt.equal(subprocess.run(argv, stdout=full, check=False).returncode, 23)


def closed_std(world):
    """A program that is started without stdin, stdout or stderr: no socket gets their numbers, so what it prints goes nowhere."""
    def violations():
        return json.loads(world.daemon.reqivoctl('--json', 'status').stdout)['wire_violations']

    before = violations()
    base = f'--socket {world.daemon.socket} -sS'
    url = world.origin.url('/status/200')
    for redirections, code in (('>&-', 23), ('<&- >&-', 23), ('2>&-', 0), ('<&- >&- 2>&-', 23), ('>&- 2>&-', 23), ('<&-', 0)):
        done = subprocess.run(f'{rt.program("reqivo")} {base} {url} {redirections}', shell=True, capture_output=True, check=False)
        rt.equal(done.returncode, code, f'reqivo {redirections}: {done.stderr!r}, exit code')
        done = subprocess.run(f'{rt.program("reqivoctl")} --socket {world.daemon.socket} status {redirections}', shell=True,
                              capture_output=True, check=False)
        rt.equal(done.returncode, code, f'reqivoctl {redirections}: {done.stderr!r}, exit code')
    rt.equal(violations(), before, 'violations of the wire that the daemon saw')


def terminal(world):
    """NUL bytes do not go to a terminal."""
    for path, code in (('/binary', 23), ('/status/200', 0)):
        master, slave = pty.openpty()
        argv = [rt.program('reqivo'), '--socket', world.daemon.socket, '-s', world.origin.url(path)]
        rt.equal(subprocess.run(argv, stdout=slave, check=False).returncode, code)
        os.close(slave)
        os.close(master)


def meter(world):
    """On a terminal, and only for a body that goes to a file."""
    path = world.place.path('metered')
    for flags, shown in ((['-o', path], True), ([], False), (['-o', path, '-s'], False), (['-o', path, '--no-progress-meter'], False)):
        world.behaviour.go_on.clear()
        master, slave = pty.openpty()
        later = threading.Timer(0.3, world.behaviour.go_on.set)  # longer than the meter rests between two lines
        later.start()
        argv = [rt.program('reqivo'), '--socket', world.daemon.socket, *flags, world.origin.url('/pieces')]
        rt.equal(subprocess.run(argv, stderr=slave, stdout=subprocess.DEVNULL, check=False).returncode, 0)
        os.write(slave, b'.')  # so that there is something to read
        seen = os.read(master, 4000)
        while not seen.endswith(b'.'):
            seen += os.read(master, 4000)
        rt.equal(b'11 B' in seen and seen.endswith(b'\r\n.'), shown, f'{flags} showed {seen!r}: a meter')
        os.close(slave)
        os.close(master)
        later.join()


def cookie_jar(world):
    """A file of -c takes the place of the older one and is its user's alone; what is no file is written to."""
    jar = world.place.write('jar', b'old')
    os.chmod(jar, 0o644)
    world.ours('-c', jar, world.origin.url('/cookie'))
    rt.equal(oct(os.stat(jar).st_mode & 0o777), '0o600')
    with open(jar, encoding='ascii') as file:
        rt.contains(file.read(), '\tk\tv\n')
    rt.contains(text_of(world.ours('-b', jar, world.origin.url('/echo'))), 'Cookie: k=v\r\n')
    rt.contains(text_of(world.ours('-c', '-', world.origin.url('/cookie'))), '\tk\tv\n')
    world.ours('-c', '/dev/null', world.origin.url('/cookie'))
    link, real = world.place.fresh('link'), world.place.write('real', b'old')
    os.symlink(real, link)
    world.ours('-c', link, world.origin.url('/cookie'))
    assert os.path.islink(link), 'a link was replaced'
    with open(real, encoding='ascii') as file:
        rt.contains(file.read(), '\tk\tv\n')
    os.unlink(real)
    world.ours('-c', link, world.origin.url('/cookie'))  # the link leads nowhere yet
    rt.equal(oct(os.stat(real).st_mode & 0o777), '0o600')
    done = world.ours('-c', '/no/such/jar', world.origin.url('/cookie'))
    rt.contains(done.stderr.decode(), 'reqivo: warning: the cookies could not be saved in /no/such/jar: ')
    odd = world.place.write('odd-jar', b'nonsense\n127.0.0.1\tFALSE\t/\tFALSE\t0\tk\tv\n')
    done = world.ours('-b', odd, world.origin.url('/echo'))
    rt.contains(text_of(done), 'Cookie: k=v\r\n')
    rt.contains(done.stderr.decode(), f'reqivo: warning: 1 lines of {odd} are no cookies')


def messages(world):
    url = world.origin.url('/status/404')
    loud = world.ours('-f', url, code=22).stderr
    rt.equal(loud, b'reqivo: (22) the requested URL returned error: 404\n')
    rt.equal(world.ours('-f', '-s', url, code=22).stderr, b'')
    rt.equal(world.ours('-f', '-sS', url, code=22).stderr, loud)
    done = world.ours('-s', '-f', '-w', '%{stderr}%{errormsg}%{stdout}x%{nope}', url, code=22)
    rt.equal((done.stdout, done.stderr), (b'x', b"the requested URL returned error: 404"
                                                b"reqivo: unknown --write-out variable: 'nope'\n"))


def verbose(world):
    url = world.nginx.url('good', '/verbose')
    done = world.ours('-v', '--cacert', world.certs.ca, '-d', 'x', url, url)
    lines = done.stderr.decode().splitlines()
    for line in ('> POST /verbose HTTP/1.1', f'> Host: localhost:{world.nginx.port("good")}', '> Accept: */*',
                 '> Content-Length: 1', '> ', '< HTTP/1.1 200 OK', '< '):
        rt.equal(lines.count(line), 2, f'{line!r} in {lines}')
    marks = [line for line in lines if line.startswith('* Connection to')]
    rt.contains(marks[1], '(reused)')
    rt.contains(done.stderr.decode(), '* Time in ms: queue ')


def times(world):
    names = ['queue', 'namelookup', 'connect', 'appconnect', 'pretransfer', 'starttransfer', 'total']
    form = ' '.join(f'%{{time_{name}}}' for name in names) + ' %{num_connects} %{reused}\\n'
    url = world.nginx.url('good', '/times')
    daemon = rt.Reqivod(world.place)
    done = daemon.reqivo('-s', '--cacert', world.certs.ca, '-o', '/dev/null', '-o', '/dev/null', '-w', form, url, url)
    first, second = [line.split() for line in text_of(done).splitlines()]
    values = [float(v) for v in first[:7]]
    rt.equal(values, sorted(values), 'each event follows the one before')
    assert values[3] > values[2], f'TLS took time: {values}'
    rt.equal((first[7:], second[7:]), (['1', '0'], ['0', '1']), 'num_connects and reused')
    rt.equal(second[3], '0.000000', 'no TLS handshake on a warm connection')
    daemon.stop()


# ---- exit codes --------------------------------------------------------------------------------------------------

# ORIGIN, CLOSED and the certificates' names are replaced; the last: whether curl must say the same.
CODES = [
    (1, ['ftp://localhost/'], False),
    (2, ['--no-such-flag', 'http://localhost/'], True),
    (2, [], True),
    (3, ['http://local host/'], True),
    (3, ['http://localhost:99999/'], True),
    (3, ['http://127.1/'], False),
    (3, ['http://0x7f.1/'], False),
    (3, ['http://2130706433/'], False),
    (3, ['http://localhost./'], False),
    (6, ['http://nosuch.invalid/'], True),
    (7, ['http://127.0.0.1:1/'], True),
    (8, ['ORIGIN/weird'], True),
    (18, ['ORIGIN/truncate'], True),
    (22, ['-f', 'ORIGIN/status/503'], True),
    (23, ['-o', '/nonexistent/file', 'ORIGIN/status/200'], True),
    (26, ['-d', '@/nonexistent', 'ORIGIN/echo'], False),
    (28, ['-m', '0.3', 'ORIGIN/stall'], True),
    (35, ['https://127.0.0.1:PLAIN/'], True),
    (52, ['ORIGIN/close'], True),
    (56, ['ORIGIN/chunk'], True),
    (56, ['ORIGIN/reset'], True),
    (0, ['--cacert', 'CA', 'good'], True),
    (60, ['good'], True),
    (60, ['--cacert', 'CA', 'expired'], True),
    (60, ['--cacert', 'CA', 'wrong_host'], True),
    (60, ['--cacert', 'CA', 'self_signed'], True),
    (60, ['--cacert', 'CA', 'unknown_ca'], True),
    (0, ['-k', 'self_signed'], True),
    (0, ['-k', 'expired'], True),
    (77, ['--cacert', '/nonexistent', 'good'], True),
    (77, ['--cacert', 'FIFO', 'good'], False),
    (77, ['--cacert', '/dev/zero', 'good'], False),
]


def code_case(world, code, args, like_curl):
    def word(text):
        if text in world.certs.NAMES:
            return world.nginx.url(text)
        text = text.replace('ORIGIN', world.origin.url('')).replace('PLAIN', str(world.nginx.port()))
        return {'CA': world.certs.ca, 'FIFO': world.fifo}.get(text, text)

    words = [word(a) for a in args]
    ours = world.daemon.reqivo('-sS', *words)
    rt.equal(ours.returncode, code, ours.stderr.decode())
    if code:
        rt.equal(len(ours.stderr.splitlines()), 1, f'one line: {ours.stderr!r}')
        if code != 2:
            rt.contains(ours.stderr.decode(), f'reqivo: ({code}) ')
    if like_curl:
        rt.equal(rt.run([world.curl, '-q', '-sS', *words], check=False).returncode, code, "curl's exit code")


def usage(world):
    for args in (['--nosuch', 'u'], ['-Zs', 'u'], ['-o'], ['-m', 'x', 'u'], ['-I', '-d', 'x', 'u'], []):
        done = world.daemon.reqivo(*args)
        rt.equal(done.returncode, 2)
        assert re.fullmatch(rb"reqivo: [^\n]+; try 'reqivo --help'\n", done.stderr), done.stderr


def no_daemon(world):
    path = world.place.path('nobody.sock')
    done = rt.run([rt.program('reqivo'), '--socket', path, '-w', '%{exitcode}', 'http://localhost/'], check=False)
    rt.equal((done.returncode, done.stdout), (100, b'100'))
    rt.contains(done.stderr.decode(), path)
    done = rt.run([rt.program('reqivoctl'), 'status'], check=False, env=dict(os.environ, REQIVO_SOCKET=path))
    rt.equal(done.returncode, 100)
    rt.contains(done.stderr.decode(), f'reqivoctl: (100) {path}.control: ')


def mute_daemon(world):
    """It accepts, and says nothing: the daemon is to blame, not a request."""
    path = world.place.path('mute.sock')
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen(8)
        done = rt.run([rt.program('reqivoctl'), '--control', path, 'status'], check=False)
        rt.equal((done.returncode, done.stderr), (28, b'reqivoctl: (28) the daemon did not answer within 4 s\n'))
        start = time.monotonic()
        done = rt.run([rt.program('reqivo'), '--socket', path, '-m', '0.2', 'http://localhost/'], check=False)
        took = time.monotonic() - start
        rt.equal(done.returncode, 28, done.stderr.decode())
        rt.contains(done.stderr.decode(), 'the daemon did not')
        assert 2 <= took < rt.DEADLINE, f'-m and the two seconds of grace, not {took:.1f} s'


def closed_socket(world):
    """A socket that its user may not open is as good as none (100); the message says why."""
    rt.need_root()
    path = os.path.join(world.place.fresh('closed'), 'reqivo.sock')
    os.mkdir(os.path.dirname(path))
    os.chmod(world.place.dir, 0o711)
    for name in ('reqivo', 'reqivoctl'):
        binary = shutil.copy(rt.program(name), world.place.fresh(name))
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen(8)
            os.chmod(path, 0o600)
            what = ('--control', path, 'status') if name == 'reqivoctl' else ('--socket', path, 'http://localhost/')
            done = rt.run([binary, *what], check=False, user=12001, group=12001, extra_groups=[])
        os.unlink(path)
        rt.equal(done.returncode, 100, done.stderr.decode())
        rt.contains(done.stderr.decode(), f'{name}: (100) ')
        rt.contains(done.stderr.decode(), 'Permission denied')


def policy(world):
    daemon = rt.Reqivod(world.place, conf='address_policy {\n    loopback = refuse\n}\n')
    done = daemon.reqivo('-sS', world.origin.url('/echo'))
    rt.equal(done.returncode, 101, done.stderr.decode())
    rt.contains(done.stderr.decode(), 'reqivo: (101) ')
    daemon.stop()


def daemon_lost(world):
    daemon = rt.Reqivod(world.place)
    before = len(world.origin.requests)
    argv = [rt.program('reqivo'), '--socket', daemon.socket, '-sS', '-d', 'x', world.origin.url('/stall')]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as child:
        rt.poll('the request at the origin', lambda: len(world.origin.requests) > before)
        daemon.kill()
        rt.equal(child.wait(rt.DEADLINE), 103)
        rt.contains(child.stderr.read().decode(), 'reqivo: (103) ')


def interrupt(world):
    before = len(world.origin.requests)
    argv = [rt.program('reqivo'), '--socket', world.daemon.socket, world.origin.url('/stall')]
    with subprocess.Popen(argv) as child:
        rt.poll('the request at the origin', lambda: len(world.origin.requests) > before)
        child.send_signal(signal.SIGINT)
        rt.equal(child.wait(rt.DEADLINE), -signal.SIGINT)


# ---- one warm connection, reqivoctl, the manual --------------------------------------------------------------------

def shared_connection(world):
    for _ in range(5):
        world.ours('-s', '--cacert', world.certs.ca, world.nginx.url('good', '/shared'))
    world.nginx.wait_requests('/shared', 5)
    rt.equal(world.nginx.connections('/shared'), 1, 'connections that nginx saw')


def ctl(world):
    world.ours('-s', world.origin.url('/echo'))
    status = world.daemon.reqivoctl('status')
    rt.equal(status.returncode, 0, status.stderr.decode())
    as_json = json.loads(world.daemon.reqivoctl('--json', 'status').stdout)
    names = [line.split()[0] for line in text_of(status).splitlines()]
    rt.equal(names, list(as_json), 'the same names in both forms')
    pools = json.loads(world.daemon.reqivoctl('pools', '--json').stdout)
    assert any(str(world.origin.port) in str(pool) for pool in pools), pools
    table = text_of(world.daemon.reqivoctl('pools')).splitlines()
    rt.equal(len(table), len(pools) + 1)
    rt.equal(table[0].split(), list(pools[0]))


def ctl_usage(world):
    for args in ([], ['nosuch'], ['status', 'pools'], ['--nosuch', 'status'], ['--socket']):
        done = world.daemon.reqivoctl(*args)
        rt.equal(done.returncode, 2, done.stderr.decode())
        assert re.fullmatch(rb"reqivoctl: [^\n]+; try 'reqivoctl --help'\n", done.stderr), done.stderr
    rt.equal(world.daemon.reqivoctl('--help').returncode, 0)
    rt.contains(text_of(world.daemon.reqivoctl('--version')), 'reqivoctl ')


def source(*parts):
    with open(os.path.join(rt.srcdir(), *parts), encoding='utf-8') as file:
        return file.read()


def manual(world):
    """Every flag, fact and exit code of the program stands in its manual, and none beyond."""
    page = source('doc', 'man', 'reqivo.1')
    flag = '([a-z0-9][a-z0-9.-]*[a-z0-9])'
    helps = text_of(world.ours('--help')) + text_of(rt.run([rt.program('reqivo'), 'ws', '--help']))
    flags = set(re.findall('--' + flag, helps))
    in_page = set(re.findall('Fl Fl ' + flag, page))
    rt.equal(sorted(in_page), sorted(flags), 'flags')
    facts = set(re.findall(r'\{"([a-z_]+)", FACT_', source('cli', 'writeout.c')))
    in_page = set(re.findall(r'[a-z_]+', ' '.join(re.findall(r'^\.It Cm (.*)$', page, re.M))))
    rt.equal(sorted(in_page), sorted(facts), 'facts of -w')
    codes = re.findall(r'CLI_EXIT_[A-Z_]+ = (\d+)', source('cli', 'exit.h'))
    rt.equal(re.findall(r'^\.It (\d+)$', page, re.M), codes, 'exit codes')


SINGLE = [default_fields, big_upload, refused_field, expect_field, connection_field, output_files, big_download, pieces, reader_gone,
          disk_full, closed_std, terminal, meter, cookie_jar, messages, verbose, times, usage, no_daemon, mute_daemon, closed_socket, policy,
          daemon_lost, interrupt, shared_connection, ctl, ctl_usage, manual]


def main():
    tap = rt.Tap()
    with rt.Place('reqivo-cli') as place:
        place.write('lines', b'one\r\ntwo\nthree')
        place.write('format', b'%{http_code}\n%{size_download}\\n')
        world = World(place)
        for name, args in REQUESTS:
            tap.case(f'request like curl: {name}', request_case, world, args)
        for name, args in OUTPUTS:
            tap.case(f'output like curl: {name}', output_case, world, args)
        for code, args, like_curl in CODES:
            tap.case(f'exit {code}: {" ".join(args)}', code_case, world, code, args, like_curl)
        for function in SINGLE:
            tap.case(function.__name__.replace('_', ' '), function, world)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
