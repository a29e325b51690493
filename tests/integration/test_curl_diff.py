#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_curl_diff - each command line of curl_diff.list through reqivo and through curl: the same requests on the origins (but for
User-Agent), the same stdout, exit code and files. The order of fields counts, but for Content-Length and Expect, which the daemon
writes last."""
import base64
import gzip
import os
import re
import shlex
import shutil
import sys
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

LEAST, MOST_DIFFERING = 80, 5
CONF = rt.Reqivod.CONF + 'pool {\n    hold_down = 0\n}\n'
TEXT = b'some text that is worth it. ' * 20
CODED = {'gzip': gzip.compress(TEXT, mtime=0), 'deflate': zlib.compress(TEXT), 'unknown': b'?',
         'br': base64.b64decode('GzgC+I2UqyR0WiZ0eC1HWeSAJ0LU6XUXZBlUYQ=='), 'zstd': b''}
LATE = ('content-length', 'expect')


class DiffOrigin(odd.OddOrigin):
    def redirect(self, connection, request, status, to, fields=()):
        return self.answer(connection, b'moved\n', [f'Location: {to}', *fields], f'{status} Redirected', request.method)

    def do_echo(self, connection, request):
        text = f'{request.method} {request.target} {len(request.body)}\n'
        return self.answer(connection, text.encode(), ['Content-Type: text/plain', 'X-Reason: because'], method=request.method)

    def do_to(self, connection, request):
        """/to/STATUS/path; /to/STATUS?/loop leads to itself."""
        path, query, _ = request.target.partition('?')
        parts = path.split('/', 3)
        return self.redirect(connection, request, parts[2], request.target if query and len(parts) < 4 else '/' + parts[3])

    def do_goto(self, connection, request):
        path, _, to = request.target.partition('?')
        return self.redirect(connection, request, path.split('/')[2], to)

    def do_status(self, connection, request):
        status = request.target.split('/')[2]
        body = b'' if status == '204' else b'the body\n'
        return self.answer(connection, body, ['Content-Type: text/x', 'X-Reason: because', 'X-Reason: and more'], f'{status} Text',
                           request.method)

    def do_range(self, connection, request):
        content = b'0123456789abcdefghij'
        match = re.fullmatch(r'bytes=(\d*)-(\d*)', request.get('range'))
        first, last = match.groups()
        begin = int(first) if first else len(content) - int(last)
        end = int(last) + 1 if first and last else len(content)
        field = f'Content-Range: bytes {begin}-{end - 1}/{len(content)}'
        return self.answer(connection, content[begin:end], [field], '206 Partial Content')

    def do_set(self, connection, request):
        return self.answer(connection, b'set\n', [f'Set-Cookie: {request.target.split("/")[2]}; Path=/'])

    def do_setto(self, connection, request):
        return self.redirect(connection, request, 302, '/echo', [f'Set-Cookie: {request.target.split("/")[2]}; Path=/'])

    def do_early_hints(self, connection, request):
        connection.send(b'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
        return self.answer(connection, b'hinted\n', method=request.method)

    def do_cut(self, connection, request):
        connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234')
        return False

    def do_nolength(self, connection, request):
        connection.send(b'HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end')
        return False

    def do_badchunk(self, connection, request):
        connection.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc')
        return False

    def do_coded(self, connection, request):
        coding = request.target.split('/')[2]
        return self.answer(connection, CODED[coding], [f'Content-Encoding: {coding}'], method=request.method)


class World:
    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        self.daemon = rt.Reqivod(place, conf=CONF)
        self.curl = rt.tool('curl')
        self.origins = {'a': DiffOrigin(place), 'b': DiffOrigin(place), 's': DiffOrigin(place, odd.server_context(self.certs, 'good'))}
        ports = {name: origin.port for name, origin in self.origins.items()}
        self.words = {'A': f'http://127.0.0.1:{ports["a"]}', 'B': f'http://127.0.0.1:{ports["b"]}',
                      'L': f'http://localhost:{ports["b"]}', 'S': f'https://localhost:{ports["s"]}',
                      'a': f'127.0.0.1:{ports["a"]}', 'b': f'127.0.0.1:{ports["b"]}', 's': f'127.0.0.1:{ports["s"]}',
                      'ap': str(ports['a']), 'bp': str(ports['b']),
                      'sp': str(ports['s']), 'CA': self.certs.ca, 'closed': f'127.0.0.1:{odd.closed_port()}'}

    def fill(self, text):
        return re.sub(r'(?<!%)\{(\w+)\}', lambda m: self.words.get(m.group(1), m.group(0)), text)

    def folder(self, name):
        path = self.place.path(name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        files = {'form.txt': b'one=1\r\ntwo=2&three\n', 'up.bin': bytes(range(250)) + b'\n' * 50, 'json.txt': b'{"x":\n 1}\n',
                 'hdrs.txt': b'X-One: 1\r\nX-Two: 2\n# comment\n\nX-Three;\nX-Four:\n', 'fmt.txt': b'%{http_code}\n%{method}\n',
                 'jar.txt': b'# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tfrom\tfile\n'}
        for file, content in files.items():
            with open(os.path.join(path, file), 'wb') as out:
                out.write(content)
        return path, set(files)

    def outcome(self, run, folder):
        """Runs the tool; all that is compared."""
        path, given = self.folder(folder)
        for origin in self.origins.values():
            with origin.lock:
                origin.log.clear()
        done = run(path)
        found = {'exit': done.returncode, 'stdout': done.stdout}
        for name, origin in self.origins.items():
            with origin.lock:
                found[f'requests on {name}'] = [request_facts(r) for r in origin.log]
        for file in sorted(os.listdir(path)):
            if file not in given:
                found[f'file {file}'] = file_facts(os.path.join(path, file))
        return found, done.stderr


def request_facts(request):
    fields = [(n.lower(), v) for n, v in request.fields if n.lower() != 'user-agent' or not re.match(r'(curl|reqivo)/', v)]
    return {'line': (request.method, request.target, request.version), 'fields': [f for f in fields if f[0] not in LATE],
            'late': sorted(f for f in fields if f[0] in LATE), 'body': request.body}


def file_facts(path):
    with open(path, 'rb') as file:
        content = file.read()
    if b'HTTP Cookie File' in content.split(b'\n')[0]:
        return sorted(line for line in content.split(b'\n') if line and line[:2] != b'# ')
    return content


def difference(ours, theirs):
    return '\n'.join(f'{key}:\n  reqivo {ours.get(key)!r}\n  curl   {theirs.get(key)!r}'
                     for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key))


def compare(world, line, differs):
    args = shlex.split(world.fill(line))
    ours, said = world.outcome(lambda path: world.daemon.reqivo(*args, cwd=path), 'ours')
    theirs, _ = world.outcome(lambda path: rt.run([world.curl, '-q', *args], check=False, cwd=path), 'theirs')
    found = difference(ours, theirs)
    if differs:
        assert found, 'this is said to differ, and does not'
    else:
        assert not found, f'{found}\nreqivo said {said!r}'


def command_lines():
    """(line, why it differs or None) in order."""
    why, found = None, []
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'curl_diff.list'), encoding='ascii') as file:
        for line in file.read().split('\n'):
            if line.startswith('!'):
                why = line[1:].strip()
            elif line and not line.startswith('#'):
                found.append((line, why))
                why = None
    return found


def enough(lines):
    differing = [line for line, why in lines if why]
    assert len(lines) - len(differing) >= LEAST, f'{len(lines)} command lines'
    assert len(differing) <= MOST_DIFFERING, f'{len(differing)} differ on purpose'
    rt.equal(len({line for line, _ in lines}), len(lines), 'lines that are there once')


def main():
    tap = rt.Tap()
    lines = command_lines()
    with rt.Place('reqivo-diff') as place:
        world = World(place)
        only = sys.argv[1:]
        for line, why in lines:
            if not only or any(part in line for part in only):
                tap.case(f'{"differs from" if why else "like"} curl: {line}', compare, world, line, why)
        tap.case('as many command lines as promised', enough, lines)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
