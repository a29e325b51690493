#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_examples - every program of doc/examples/ runs, and the synchronous and the asynchronous one of a pair do the same."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('REQIVO_SRCDIR') or os.path.join(os.path.dirname(__file__), '..', '..'), 'tests', 'lib'))

import reqivotest as rt  # noqa: E402

GET = ('sync_get', 'async_poll', 'async_libev')
SIX = ('six_lines', 'six_lines_async')
POST = ('sync_post_file', 'async_post_file')
ERRORS = ('sync_errors', 'async_errors')
STREAM = ('sync_stream_to_file', 'async_stream_to_file')
REQUEST = ('request_sync', 'request_async')
SESSION = ('session_sync', 'session_async')
TEN = ('ten_lines', 'ten_lines_async')
CONNECTION = ('connection_sync', 'connection_async')
POOL = ('pool_sync', 'pool_async')
BIG = bytes(range(256)) * 20000


class Examples:
    def __init__(self, place):
        self.place = place
        self.folder = os.path.join(rt.builddir(), 'doc', 'examples')
        self.daemon, self.nginx, self.origin = rt.Reqivod(place), rt.Nginx(place), rt.Origin(place)
        self.nginx.file('big', BIG)
        self.nginx.file('page', b'a page\n')
        self.ran = set()

    def run(self, name, *args, socket=None):
        self.ran.add(name)
        return rt.run([os.path.join(self.folder, name), *args], check=False,
                      env=dict(os.environ, REQIVO_SOCKET=socket or self.daemon.socket))

    def get(self, name):
        done = self.run(name, self.nginx.url('http', '/page'))
        rt.equal((done.returncode, done.stdout), (0, b'a page\n'), done.stderr.decode())

    def get_refused(self, name):
        done = self.run(name, f'http://127.0.0.1:{rt.free_port()}/')
        rt.equal((done.returncode, done.stdout), (1, b''))
        rt.contains(done.stderr, b'could not connect')

    def six(self, name):
        done = self.run(name, self.nginx.url('http', '/big'))
        rt.equal((done.returncode, done.stdout), (0, b'200 %d\n' % len(BIG)), done.stderr.decode())

    def six_alone(self, name):
        """Without a daemon nothing crashes."""
        done = self.run(name, 'http://localhost/', socket=self.place.path('nobody.sock'))
        rt.equal(done.returncode, 0, done.stderr.decode())
        assert done.stdout in (b'', b'0 0\n'), done.stdout

    def post(self, name):
        path = self.place.write('upload', b'some bytes')
        done = self.run(name, self.origin.url('/echo'), path)
        rt.equal(done.returncode, 0, done.stderr.decode())
        rt.contains(done.stdout, b'some bytes')
        rt.contains(done.stdout, b'POST /echo HTTP/1.1')

    def stream(self, name):
        path = self.place.fresh('download')
        done = self.run(name, self.nginx.url('http', '/big'), path)
        rt.equal(done.returncode, 0, done.stderr.decode())
        with open(path, 'rb') as file:
            assert file.read() == BIG, 'another file'
        rt.equal(self.run(name, self.nginx.url('http', '/missing'), path).returncode, 1, 'exit code for 404')

    def errors(self, name):
        done = self.run(name, self.origin.url('/x'))
        rt.equal((done.returncode, done.stdout), (0, b'200\n'), done.stderr.decode())
        done = self.run(name, f'http://127.0.0.1:{rt.free_port()}/')
        rt.equal(done.returncode, 1)
        rt.contains(done.stdout, b'E_CONNECT in phase connect')
        rt.contains(done.stdout, b'repeating it is safe')

    def request(self, name):
        done = self.run(name, self.origin.url('/echo'))
        rt.equal(done.returncode, 0, done.stderr.decode() + done.stdout.decode())
        for text in (b'POST /echo HTTP/1.1', b'content-type: application/json', b'{"name": "value"}'):
            rt.contains(done.stdout.lower(), text.lower())
        rt.equal(self.run(name, f'http://127.0.0.1:{rt.free_port()}/').returncode, 1)

    def session(self, name):
        done = self.run(name, self.origin.url('/'), 'token', 'echo', 'echo?2')
        rt.equal(done.returncode, 0, done.stderr.decode() + done.stdout.decode())
        for text in (b'echo: 200 after 0 redirects', b'echo?2: 200', b'GET /echo HTTP/1.1', b'authorization: bearer token'):
            rt.contains(done.stdout.lower(), text.lower())

    def ten(self, name):
        done = self.run(name, self.origin.url('/'), 'echo')
        rt.equal(done.returncode, 0, done.stderr.decode())
        rt.contains(done.stdout.lower(), b'authorization: basic dxnlcjpwyxnzd29yza==')
        done = self.run(name, 'http://localhost/', 'x', socket=self.place.path('nobody.sock'))
        rt.equal(done.returncode, 0, 'without a daemon nothing crashes')

    def connection(self, name):
        done = self.run(name, self.nginx.url('http', '/page'), '5')
        rt.equal(done.returncode, 0, done.stderr.decode() + done.stdout.decode())
        lines = done.stdout.decode().splitlines()
        rt.equal(lines[:5], ['200'] * 5)
        assert lines[5].startswith('127.0.0.1:') and ' served ' in lines[5], lines

    def pool(self, name):
        done = self.run(name, self.nginx.url('http', '/page'), '3')
        rt.equal((done.returncode, done.stdout), (0, b'3 idle of 4\n0 idle of 4\n'), done.stderr.decode())

    def complete(self):
        """No example is forgotten here; test_websocket.py runs the echo clients."""
        names = {name[:-2] for name in os.listdir(os.path.join(rt.srcdir(), 'doc', 'examples')) if name.endswith('.c') and not name.startswith('ws_')}
        rt.equal(names - self.ran, set(), 'examples that did not run')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        examples = Examples(place)
        for name in GET:
            tap.case(f'{name}: the body', examples.get, name)
            tap.case(f'{name}: a refused connect is an error', examples.get_refused, name)
        for name in SIX:
            tap.case(f'{name}: status and size', examples.six, name)
            tap.case(f'{name}: without a daemon', examples.six_alone, name)
        for name in POST:
            tap.case(f'{name}: the file arrives', examples.post, name)
        for name in STREAM:
            tap.case(f'{name}: the body is in the file, and a 404 is a failure', examples.stream, name)
        for name in REQUEST:
            tap.case(f'{name}: JSON arrives', examples.request, name)
        for name in SESSION:
            tap.case(f'{name}: one base and one token', examples.session, name)
        for name in TEN:
            tap.case(f'{name}: credentials, and no crash without a daemon', examples.ten, name)
        for name in CONNECTION:
            tap.case(f'{name}: one connection for all', examples.connection, name)
        for name in POOL:
            tap.case(f'{name}: prewarmed, and closed', examples.pool, name)
        for name in ERRORS:
            tap.case(f'{name}: what it says', examples.errors, name)
        tap.case('all examples ran', examples.complete)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
