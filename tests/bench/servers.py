# SPDX-License-Identifier: MIT
"""What the benchmark measures and what it measures against: the nginx origin, reqivod, HAProxy, nginx and the floor as relays.

Each relay has .name, .socket, .pid and .cpu(); each is pinned as this process is when it starts.
"""
import glob
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import reqivotest as rt  # noqa: E402

BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
SIZES = {'small': 200, '64k': 65536, '1m': 1 << 20, 'upload': 0, 'slow': 200}


def real(path):
    """The program itself where libtool put a script in its place."""
    inner = os.path.join(os.path.dirname(path), '.libs', os.path.basename(path))
    return inner if os.access(inner, os.X_OK) else path


def program(name):
    return real(os.path.join(rt.builddir(), name))


def bench_program(name):
    return real(os.path.join(rt.builddir(), 'tests', 'bench', name))


def environment(**more):
    return dict(os.environ, LD_LIBRARY_PATH=os.path.join(rt.builddir(), '.libs'), **more)


def cpu_ns(pid):
    """CPU time of all threads, exact to the last switch."""
    total = 0
    for name in glob.glob(f'/proc/{pid}/task/*/schedstat'):
        with open(name, encoding='ascii') as file:
            total += int(file.read().split()[0])
    return total


def memory(pid):
    """(bytes of anonymous memory, resident bytes)."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        text = file.read()
    return tuple(int(re.search(name + r':\s+(\d+)', text).group(1)) * 1024 for name in ('RssAnon', 'VmRSS'))


class Server:
    """A process in the place, and how its socket or port is awaited."""

    def __init__(self, place, name, argv, env=None):
        self.name = name
        self.log = place.fresh(f'{name}-log')
        self.process = place.keep(rt.Process(argv, self.log, env=env or environment()))

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        return cpu_ns(self.pid)

    def memory(self):
        return memory(self.pid)

    def await_socket(self, path, seconds=20):
        self.process.need(f'{self.name} listens', lambda: answers(path), seconds)

    def stop(self):
        self.process.stop()


def answers(path):
    return os.path.exists(path) and rt.answers(socket.AF_UNIX, path)


class Origin(Server):
    """nginx, one process, http and TLS 1.3; many addresses are wanted with 0.0.0.0, all of 127.0.0.0/8."""

    CONF = '''
{user}
daemon off; master_process off; worker_processes 1;
pid {dir}/pid; error_log {dir}/error.log error;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; multi_accept on; }}
http {{
    access_log off;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    client_max_body_size 0; client_body_buffer_size 2m;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;
    default_type application/octet-stream;
    server {{ listen unix:{dir}/inner.sock; location / {{ return 200; }} }}
    server {{
        listen {address}:{http} backlog=8192;
        listen {address}:{https} ssl backlog=8192;
        allow 127.0.0.0/8; deny all;
        ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
        root {dir}/files;
        location = /slow {{ limit_rate 100; }}
        location = /upload {{
            proxy_pass http://unix:{dir}/inner.sock:/; proxy_pass_request_body off; proxy_set_header Content-Length "";
        }}
    }}
}}
'''

    def __init__(self, place, certs, files, address='127.0.0.1'):
        self.dir = place.fresh('origin')
        os.makedirs(os.path.join(self.dir, 'files'))
        self.ca = certs.ca
        self.ports = {'http': rt.free_port(), 'https': rt.free_port()}
        for name, size in SIZES.items():
            with open(os.path.join(self.dir, 'files', name), 'wb') as file:
                file.write(b'x' * size)
        chain, key = certs.files('good')
        conf = os.path.join(self.dir, 'nginx.conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(self.CONF.format(dir=self.dir, user=user_line(), files=files, chain=chain, key=key, address=address, **self.ports))
        super().__init__(place, 'origin', [rt.tool('nginx'), '-e', f'{self.dir}/error.log', '-p', self.dir, '-c', conf])
        for port in self.ports.values():
            self.process.need('the origin accepts', lambda port=port: rt.answers(socket.AF_INET, ('127.0.0.1', port)))

    def url(self, scheme, name, host='localhost'):
        return f'{scheme}://{host}:{self.ports[scheme]}/{name}'


def user_line():
    return 'user root;' if os.geteuid() == 0 else ''


class Reqivod(Server):
    """The daemon with its defaults, but connections that live as long as those of the others, and room for the case."""

    CONF = '''
log_level = warning
ca_file = "{ca}"
pool {{ uses = 1000000000 idle = 1h age = 1d }}
limits {{ memory_uid = 2GiB memory_total = 4GiB peers_uid = 100000 requests_uid = 100000 requests_total = 200000 {connections} }}
address_policy {{ loopback = allow }}
'''

    def __init__(self, place, ca, connections='connections_uid = 100000', prefix=(), env=None, name='reqivo'):
        folder = place.fresh('reqivod')
        os.makedirs(folder, mode=0o700)
        self.socket = os.path.join(folder, 's')
        self.client = 'reqivo'
        conf = os.path.join(folder, 'conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(self.CONF.format(ca=ca, connections=connections))
        argv = [*prefix, program('reqivod'), '--socket', self.socket, '--config', conf]
        env = environment(**(env or {}))
        for word in ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'JOURNAL_STREAM'):
            env.pop(word, None)
        super().__init__(place, name, argv, env)
        self.await_socket(self.socket, 60)


class Haproxy(Server):
    CONF = '''
global
    nbthread 1
    maxconn 8000
{tune}
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
frontend f
    bind unix@{socket} mode 600
    default_backend b
backend b
    server o 127.0.0.1:{port} pool-purge-delay 1h {tls}
'''

    def __init__(self, place, origin, scheme, tune='', name='haproxy'):
        self.socket = place.fresh('h')
        self.client = 'raw'
        tls = f'ssl ca-file {origin.ca} verify required sni str(localhost) verifyhost localhost' if scheme == 'https' else ''
        conf = place.fresh('haproxy.cfg')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(self.CONF.format(socket=self.socket, port=origin.ports[scheme], tls=tls, tune=tune))
        super().__init__(place, name, [rt.tool('haproxy'), '-db', '-f', conf])
        self.await_socket(self.socket)


class NginxRelay(Server):
    CONF = '''
{user}
daemon off; master_process off; worker_processes 1;
pid {dir}/pid; error_log {dir}/error.log error;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
    access_log off;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    client_max_body_size 0;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    upstream o {{ server 127.0.0.1:{port}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 1h; }}
    server {{
        listen unix:{dir}/s backlog=8192;
        location / {{
            proxy_pass {scheme}://o; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Host localhost;
            proxy_max_temp_file_size 0; {tune}
            proxy_request_buffering off; client_body_buffer_size 64k;
            proxy_ssl_server_name on; proxy_ssl_name localhost; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
            proxy_ssl_protocols TLSv1.3;
        }}
    }}
}}
'''

    def __init__(self, place, origin, scheme, tune='', name='nginx'):
        self.dir = place.fresh('nginx')
        os.makedirs(self.dir)
        self.socket = os.path.join(self.dir, 's')
        self.client = 'raw'
        conf = os.path.join(self.dir, 'conf')
        with open(conf, 'w', encoding='ascii') as file:
            file.write(self.CONF.format(dir=self.dir, user=user_line(), port=origin.ports[scheme], scheme=scheme, ca=origin.ca,
                                        tune=tune))
        super().__init__(place, name, [rt.tool('nginx'), '-e', f'{self.dir}/error.log', '-p', self.dir, '-c', conf])
        self.await_socket(self.socket)


class Floor(Server):
    def __init__(self, place, origin, scheme, response):
        self.socket = place.fresh('f')
        self.client = 'raw'
        argv = [bench_program('floor'), self.socket, str(origin.ports[scheme]), str(response)]
        super().__init__(place, 'floor', argv + ([origin.ca] if scheme == 'https' else []))
        self.await_socket(self.socket)


class WsEcho(Server):
    """The echo server of the integration tests, over wslay."""

    def __init__(self, place):
        super().__init__(place, 'ws_echo_server', [real(os.path.join(rt.builddir(), 'tests', 'integration', 'ws_echo_server'))])
        self.process.need('the echo server listens', lambda: self.port() > 0)

    def port(self):
        with open(self.log, encoding='ascii', errors='replace') as file:
            text = file.readline().strip()
        return int(text) if text.isdigit() else 0

    def url(self):
        return f'ws://127.0.0.1:{self.port()}/'


def response_size(origin, name, method='GET'):
    """All bytes of a response, head included: what the floor counts."""
    head = f'{method} /{name} HTTP/1.1\r\nHost: localhost\r\n' + ('Content-Length: 0\r\n' if method == 'POST' else '') + '\r\n'
    with socket.create_connection(('127.0.0.1', origin.ports['http']), 10) as s:
        s.sendall(head.encode())
        got = b''
        while b'\r\n\r\n' not in got:
            got += s.recv(65536)
    return got.index(b'\r\n\r\n') + 4 + SIZES[name]
