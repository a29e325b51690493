# SPDX-License-Identifier: MIT
"""reqivotest - what the integration tests and `./dev run` share: a private reqivod, real origins, certificates, TAP.

Everything lives in one temporary directory (class Place), listens on loopback only, and is stopped when the Place is left,
also after a signal. Nothing sleeps for luck: what must become true is polled for until a deadline.
Python 3's standard library only.
"""
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

# A shell that starts us in the background has SIGINT ignored, and what we start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS_ROOT = 'needs root'  # tests/lib/totals.py knows it too
DEADLINE = float(os.environ.get('REQIVO_TEST_DEADLINE', '20'))  # seconds until "never" (sanitizers are slow)


class Failed(Exception):
    """The environment could not be made; the message says what is wrong."""


class NeedsRoot(Exception):
    """A case cannot go on without root: Tap.case() skips it."""


def need_root():
    if os.geteuid() != 0:
        raise NeedsRoot


def srcdir():
    return os.environ.get('REQIVO_SRCDIR') or os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))


def builddir():
    return os.environ.get('REQIVO_BUILDDIR') or os.path.join(srcdir(), 'build', 'gcc')


def program(name):
    """The path of a program of ours: $REQIVOD, $REQIVO or $REQIVOCTL, else in the build tree."""
    path = os.environ.get(name.upper()) or os.path.join(builddir(), name)
    if not os.access(path, os.X_OK):
        raise Failed(f'{name} is not built: {path} (./dev build makes it)')
    return path


def tool(name):
    """The path of a tool of the system; nginx lives in /usr/sbin, which users' PATH may lack."""
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/bin:/bin')
    if not path:
        raise Failed(f'{name} is missing (./dev deps installs it)')
    return path


def poll(what, condition, seconds=None):
    """Waits until condition() is true and returns its value; Failed after the deadline."""
    end = time.monotonic() + (DEADLINE if seconds is None else seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f'timed out waiting for {what}')
        time.sleep(0.005)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(family, address):
    """True when something accepts connections there."""
    with socket.socket(family) as s:
        s.settimeout(1)
        return s.connect_ex(address) == 0


def run(argv, check=True, **options):
    options.setdefault('timeout', 60)
    done = subprocess.run(argv, stdin=options.pop('stdin', subprocess.DEVNULL), capture_output=True, **options)
    if check and done.returncode:
        raise Failed(f'{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors="replace").strip()[-500:]}')
    return done


class Tap:
    """Test Anything Protocol on stdout. `case` runs a function and reports its AssertionError as a failure."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, passed, name, detail=''):
        self.count += 1
        if not passed:
            self.failed += 1
        print(f'{"ok" if passed else "not ok"} {self.count} - {name.replace("#", "no.")}', flush=True)
        if not passed and detail:
            for line in str(detail).splitlines()[:40]:
                print(f'# {line}', flush=True)
        return passed

    def skip(self, name, why):
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {why}', flush=True)

    def _needs_root(self, name):
        """An ordinary user is told what was not tried; in CI that is a failure."""
        if os.environ.get('CI'):
            return self.ok(False, name, 'this needs root, and CI skips nothing')
        print(f'# NOT TRIED, because this is not root: {name}', flush=True)
        return self.skip(name, NEEDS_ROOT)

    def case(self, name, function, *args):
        try:
            function(*args)
        except NeedsRoot:
            return self._needs_root(name)
        except AssertionError as error:
            return self.ok(False, name, str(error) or 'assertion failed')
        except Exception as error:  # a test that cannot be run has failed
            return self.ok(False, name, f'{type(error).__name__}: {error}')
        return self.ok(True, name)

    def done(self):
        """The plan, last; the exit code."""
        print(f'1..{self.count}', flush=True)
        return 1 if self.failed else 0


def equal(got, expected, what=''):
    if got != expected:
        raise AssertionError(f'{what}{": " if what else ""}got {got!r}\nexpected {expected!r}')


def contains(text, part, what=''):
    if part not in text:
        raise AssertionError(f'{what}{": " if what else ""}no {part!r} in {text!r}')


class Process:
    """A child in the background, whose output goes to a file."""

    def __init__(self, argv, log, env=None, stderr=None, pass_fds=()):
        self.argv, self.log = argv, log
        with open(log, 'ab') as out:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=stderr or out, env=env,
                                          pass_fds=pass_fds)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.log, errors='replace') as file:
            return file.read()

    def need(self, what, condition, seconds=None):
        """poll(), but a child that has ended is reported at once with its last words."""

        def ready():
            if not self.running():
                raise Failed(f'{self.argv[0]} ended with {self.popen.returncode} before {what}:\n{self.output()[-2000:]}')
            return condition()

        return poll(what, ready, seconds)

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Ends it, by force after the deadline; the exit code (negative: the signal)."""
        self.send(number)
        try:
            return self.popen.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


class Place:
    """The temporary directory and all that runs in it. Use it with `with`."""

    def __init__(self, name='reqivo'):
        self.dir = tempfile.mkdtemp(prefix=f'{name}-')
        self.things = []
        self.count = 0
        self.own_pid = os.getpid()
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def fresh(self, name):
        """A new path in the directory: name-1, name-2, ..."""
        self.count += 1
        return self.path(f'{name}-{self.count}')

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def keep(self, thing):
        """Has thing.stop() called when the place is left, the youngest first."""
        self.things.append(thing)
        return thing

    def close(self):
        if os.getpid() != self.own_pid:
            return
        while self.things:
            try:
                self.things.pop().stop()
            except Exception as error:
                print(f'# while stopping: {error}', file=sys.stderr)
        if not os.environ.get('REQIVO_TEST_KEEP'):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Certs:
    """A CA and server certificates, made with the openssl program. files(NAME) gives (chain, key) of:

    good (localhost, *.test, 127.0.0.1, ::1), expired, wrong_host, self_signed, unknown_ca. `ca` is the PEM file to trust.
    """

    NAMES = ('good', 'expired', 'wrong_host', 'self_signed', 'unknown_ca')
    SAN = 'DNS:localhost,DNS:*.test,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1'
    CONFIG = '''
[ca]
default_ca = this
[this]
new_certs_dir = {dir}
database = {dir}/{ca}.index
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
'''

    def __init__(self, place):
        self.dir = place.path('certs')
        os.makedirs(self.dir, exist_ok=True)
        self.openssl = tool('openssl')
        self.ca = self._authority('ca', '/CN=reqivo test CA')
        self._authority('other', '/CN=another CA')
        self.issue('good')
        self.issue('expired', dates=('20200101000000Z', '20200102000000Z'))
        self.issue('wrong_host', san='DNS:elsewhere.example')
        self.issue('unknown_ca', ca='other')
        self._self_signed('self_signed')

    def _path(self, name):
        return os.path.join(self.dir, name)

    def files(self, name):
        return self._path(f'{name}.pem'), self._path(f'{name}.key')

    def _openssl(self, *args):
        run([self.openssl, *args])

    def _new(self, kind, name, subject, *args):
        key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', self._path(f'{name}.key'))
        self._openssl('req', *kind, *key, '-subj', subject, *args)

    def _authority(self, name, subject):
        pem = self._path(f'{name}.pem')
        usage = ('-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
        self._new(('-x509',), name, subject, '-days', '30', '-config', self._req_config(), *usage, '-out', pem)
        with open(self._path(f'{name}.index'), 'w', encoding='ascii'):
            pass
        with open(self._path(f'{name}.conf'), 'w', encoding='ascii') as file:
            file.write(self.CONFIG.format(dir=self.dir, ca=name))
        return pem

    def _req_config(self):
        """The distribution's openssl.cnf adds extensions of its own; this adds none."""
        path = self._path('req.conf')
        if not os.path.exists(path):
            with open(path, 'w', encoding='ascii') as file:
                file.write('[req]\ndistinguished_name = dn\n[dn]\n')
        return path

    def _self_signed(self, name):
        pem = self._path(f'{name}.pem')
        self._new(('-x509',), name, '/CN=localhost', '-days', '30', '-config', self._req_config(), '-addext',
                  f'subjectAltName={self.SAN}', '-out', pem)

    def issue(self, name, san=SAN, ca='ca', dates=None):
        """A server certificate signed by one of the CAs."""
        request, pem = self._path(f'{name}.csr'), self._path(f'{name}.pem')
        self._new(('-new',), name, '/CN=reqivo test', '-config', self._req_config(), '-addext', f'subjectAltName={san}',
                  '-out', request)
        when = ('-startdate', dates[0], '-enddate', dates[1]) if dates else ('-days', '30')
        self._openssl('ca', '-batch', '-notext', '-config', self._path(f'{ca}.conf'), '-cert', self._path(f'{ca}.pem'),
                      '-keyfile', self._path(f'{ca}.key'), *when, '-in', request, '-out', pem)
        return self.files(name)


class Reqivod:
    """A private daemon. conf: text of reqivod.conf (None: loopback open). under: a program and its options that run it.
    The socket answers when the constructor returns."""

    CONF = 'address_policy {\n    loopback = allow\n}\n'

    def __init__(self, place, conf=None, args=(), env=None, under=()):
        self.place, self.args, self.env, self.under = place, tuple(args), env, tuple(under)
        self.dir = place.fresh('reqivod')
        os.makedirs(self.dir, mode=0o700)
        self.socket = os.path.join(self.dir, 'reqivo.sock')
        self.control = os.path.join(self.dir, 'control.sock')
        self.conf = os.path.join(self.dir, 'reqivod.conf')
        self.log = os.path.join(self.dir, 'log')
        with open(self.conf, 'w', encoding='utf-8') as file:
            file.write(self.CONF if conf is None else conf)
        self.process = None
        place.keep(self)
        self.start()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        argv = [*self.under, program('reqivod'), '--socket', self.socket, '--config', self.conf, *self.args]
        env = dict(os.environ, **(self.env or {}))
        for name in ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'JOURNAL_STREAM'):
            env.pop(name, None)
        self.process = Process(argv, self.log, env=env)
        self.process.need('the socket answers', lambda: answers(socket.AF_UNIX, self.socket))

    def stop(self):
        return self.process.stop() if self.process else 0

    def kill(self):
        """As if it had crashed."""
        return self.process.stop(signal.SIGKILL)

    def fds(self):
        """How many descriptors it has open. Nobody but root may look into it: it is not dumpable."""
        need_root()
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def memory_kib(self):
        """Resident memory that is the process's own."""
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            return int(re.search(r'RssAnon:\s+(\d+) kB', file.read()).group(1))

    def reqivo(self, *args, **options):
        """Runs `reqivo ARGS` through this daemon: CompletedProcess with bytes."""
        return run([program('reqivo'), '--socket', self.socket, *args], check=False, **options)

    def reqivoctl(self, *args, **options):
        """Asks it through its control socket, which lies beside the other one."""
        return run([program('reqivoctl'), '--socket', self.socket, *args], check=False, **options)


class Nginx:
    """A real origin on 127.0.0.1: plain http, and https with each of the certificates.

    port('http') or port(NAME of a certificate); url(NAME, path); the access log is the witness: requests() and connections().
    """

    CONF = '''
{user}
daemon off;
worker_processes 1;
pid {dir}/pid;
error_log {dir}/error.log info;
events {{ worker_connections 4096; }}
http {{
    log_format witness '$server_port $connection $connection_requests $request_method $status $request_uri';
    access_log {dir}/access.log witness;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000;
    keepalive_timeout {keepalive};
    default_type application/octet-stream;
    ssl_session_tickets on;
{servers}
}}
'''
    SERVER = '''
    server {{
        listen 127.0.0.1:{port}{ssl};
        server_name localhost;
        root {dir}/files;
        {lines}
        location / {{ try_files $uri @hello; }}
        location @hello {{ default_type text/plain; return 200 "hello from $request_uri\\n"; }}
        location = /missing {{ return 404 "no such thing\\n"; }}
        location = /empty {{ return 204; }}
        location = /away {{ return 302 /elsewhere; }}
        location = /close {{ keepalive_timeout 0; return 200 "bye\\n"; }}
    }}
'''

    def __init__(self, place, certs=None, keepalive='75s', lines=''):
        self.place = place
        self.dir = place.fresh('nginx')
        os.makedirs(os.path.join(self.dir, 'files'))
        self.ports = {'http': free_port()}
        servers = [self.SERVER.format(port=self.ports['http'], ssl='', dir=self.dir, lines=lines)]
        for name in certs.NAMES if certs else ():
            self.ports[name] = free_port()
            chain, key = certs.files(name)
            ssl = f'ssl_certificate {chain}; ssl_certificate_key {key}; {lines}'
            servers.append(self.SERVER.format(port=self.ports[name], ssl=' ssl', dir=self.dir, lines=ssl))
        user = 'user root;' if os.geteuid() == 0 else ''
        self.conf = os.path.join(self.dir, 'nginx.conf')
        with open(self.conf, 'w', encoding='ascii') as file:
            file.write(self.CONF.format(user=user, dir=self.dir, keepalive=keepalive, servers='\n'.join(servers)))
        argv = [tool('nginx'), '-e', os.path.join(self.dir, 'error.log'), '-p', self.dir, '-c', self.conf]
        self.process = place.keep(Process(argv, os.path.join(self.dir, 'out')))
        for port in self.ports.values():
            self.process.need('nginx accepts', lambda port=port: answers(socket.AF_INET, ('127.0.0.1', port)))

    def port(self, name='http'):
        return self.ports[name]

    def url(self, name='http', path='/', host='localhost'):
        return f'{"http" if name == "http" else "https"}://{host}:{self.ports[name]}{path}'

    def file(self, name, data):
        """Serves data as /name."""
        with open(os.path.join(self.dir, 'files', name), 'wb') as out:
            out.write(data)

    def requests(self, path=''):
        """(port, connection, number on it, method, status, uri) of the whole requests logged whose uri starts with path."""
        try:
            with open(os.path.join(self.dir, 'access.log'), encoding='utf-8', errors='replace') as file:
                lines = [line.split(' ', 5) for line in file.read().splitlines()]
        except FileNotFoundError:
            return []
        rows = [(int(f[0]), int(f[1]), int(f[2]), f[3], int(f[4]), f[5]) for f in lines if len(f) == 6]
        return [row for row in rows if row[5].startswith(path)]

    def wait_requests(self, path, count):
        """A response is seen by its client before nginx writes the log: waits until count requests are in it."""
        return poll(f'{count} requests of {path} in the log of nginx',
                    lambda: len(self.requests(path)) >= count and self.requests(path))

    def connections(self, path=''):
        """How many connections carried those requests."""
        return len({row[1] for row in self.requests(path)})

    def stop(self):
        return self.process.stop()


class Origin:
    """A scripted origin on 127.0.0.1, a thread per connection. handler(request, connection) -> True to keep the connection.

    request: object with method, target, head (raw bytes), fields (lower-case names; the last one counts), body, number.
    Without a handler: `/echo` answers with the raw request; other paths with "ok".
    """

    class Request:
        def __init__(self, head, body, number):
            self.head, self.body, self.number = head, body, number
            lines = head.decode('latin-1').split('\r\n')
            self.method, self.target = lines[0].split(' ')[:2]
            self.fields = {}
            for line in lines[1:]:
                name, _, value = line.partition(':')
                self.fields[name.lower()] = value.strip()

    def __init__(self, place, handler=None, context=None):
        self.handler = handler or Origin.echo
        self.context = context  # an ssl.SSLContext makes it https
        self.accepted = 0
        self.requests = []
        self.stopping = False
        self.sockets = set()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        place.keep(self)

    def url(self, path='/', host='127.0.0.1'):
        return f'{"https" if self.context else "http"}://{host}:{self.port}{path}'

    def stop(self):
        self.stopping = True
        for s in [self.listener, *self.sockets]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def _accept(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        raw = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.sockets.add(connection)
            reader = connection.makefile('rb')
            number = 0
            while True:
                number += 1
                request = self.read_request(reader, connection, number)
                if not request:
                    break
                self.requests.append(request)
                if not self.handler(request, connection):
                    break
            reader.close()
        except OSError:
            pass
        finally:
            self.sockets.discard(raw)
            self.sockets.discard(connection)
            connection.close()

    @staticmethod
    def read_request(reader, connection, number):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            line = reader.readline(65536)
            if not line:
                return None
            head += line
        request = Origin.Request(head[:-4], b'', number)
        if request.fields.get('expect', '').lower() == '100-continue':
            connection.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        if request.fields.get('transfer-encoding', '').lower() == 'chunked':
            while True:
                size = int(reader.readline().split(b';')[0], 16)
                request.body += reader.read(size)
                reader.readline()
                if size == 0:
                    break
        else:
            request.body = reader.read(int(request.fields.get('content-length', '0')))
        return request

    @staticmethod
    def answer(connection, body=b'', status='200 OK', fields=(), method='GET'):
        """One whole response with a Content-Length."""
        lines = [f'HTTP/1.1 {status}', f'Content-Length: {len(body)}', *fields]
        connection.sendall('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + (b'' if method == 'HEAD' else body))
        return True

    @staticmethod
    def echo(request, connection):
        body = request.head + b'\r\n\r\n' + request.body if request.target.startswith('/echo') else b'ok\n'
        return Origin.answer(connection, body, fields=('Content-Type: text/plain',), method=request.method)
