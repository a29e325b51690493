#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_control - the control socket as reqivoctl finds and uses it: where it is, who may open it, what it refuses, and that it answers
when programs have used up what is theirs."""
import json
import os
import socket
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402

FEW = rt.Reqivod.CONF + 'limits {\n    peers_uid = 4\n    peers_total = 4\n    requests_uid = 1\n}\n'


class Other(rt.Reqivod):
    """Its socket has another name than reqivo.sock."""

    def start(self):
        self.socket = os.path.join(self.dir, 'other')
        super().start()


def status_of(*args, **options):
    return json.loads(rt.run([rt.program('reqivoctl'), '--json', *args, 'status'], **options).stdout)


def places(place):
    """Beside reqivo.sock; behind another name; by --control; by the configuration; by the environment."""
    plain = rt.Reqivod(place)
    mode = os.stat(plain.control).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
    moved = place.path('moved')
    named = rt.Reqivod(place, conf=f'{rt.Reqivod.CONF}control {{\n    socket = "{place.path("named")}"\n}}\n')
    second = Other(place)
    third = rt.Reqivod(place, args=('--control', moved))
    runtime = {'XDG_RUNTIME_DIR': place.path('runtime')}
    os.makedirs(place.path('runtime', 'reqivo'))
    os.symlink(plain.control, place.path('runtime', 'reqivo', 'control.sock'))
    bare = {name: value for name, value in os.environ.items() if name not in ('REQIVO_SOCKET', 'XDG_RUNTIME_DIR')}
    for daemon, args, env in ((plain, ('--socket', plain.socket), {}), (plain, ('--control', plain.control), {}), (plain, (), runtime),
                              (plain, (), {'REQIVO_SOCKET': plain.socket}), (named, ('--control', place.path('named')), {}),
                              (second, ('--socket', second.socket), {}), (second, ('--control', f'{second.socket}.control'), {}),
                              (third, ('--control', moved), runtime)):
        rt.equal(status_of(*args, env=dict(bare, **env))['pid'], daemon.pid, f'the daemon that {args} and {env} lead to')
    for daemon in (plain, named, second, third):
        rt.equal(daemon.stop(), 0, 'exit code')
    for path in (plain.control, moved, place.path('named'), f'{second.socket}.control'):
        assert not os.path.exists(path), f'{path} is left behind'


def too_long(place):
    """No path for it: one clear line."""
    path = '/tmp/' + 'x' * 98
    done = rt.run([rt.program('reqivod'), '--socket', path], check=False)
    rt.equal((done.returncode, done.stderr.count(b'\n')), (78, 1), done.stderr.decode())
    rt.contains(done.stderr.decode(), '--control')
    done = rt.run([rt.program('reqivoctl'), '--socket', path, 'status'], check=False)
    rt.equal(done.returncode, 2, done.stderr.decode())
    rt.contains(done.stderr.decode(), 'too long')
    daemon = rt.Reqivod(place)
    done = rt.run([rt.program('reqivod'), '--socket', place.path('a'), '--control', daemon.control], check=False)
    rt.equal(done.returncode, 73, done.stderr.decode())
    rt.contains(done.stderr.decode(), f'another daemon answers on {daemon.control}')
    assert not os.path.exists(place.path('a')), 'the socket of a daemon that did not start is left behind'


def no_requests(place, origin):
    """A program that takes it for the other socket is told where to go, for each kind of request."""
    daemon = rt.Reqivod(place)
    for args in ((origin.url('/echo'),), ('-d', 'x' * 100000, origin.url('/echo')), ('-L', '--compressed', origin.url('/echo')),
                 ('ws', origin.url('/echo').replace('http', 'ws'))):
        done = rt.run([rt.program('reqivo'), '--socket', daemon.control, *args], check=False)
        assert done.returncode != 0, args
        rt.contains(done.stderr.decode(), 'control socket', f'{args}')
    rt.equal(drivers.gauge(daemon)['wire_violations'], 0, 'violations of the wire')
    rt.equal(origin.connections(), 0, 'connections to the origin')


def full(place, origin):
    """The sockets of programs are used up, and so are their requests; the control socket answers."""
    daemon = rt.Reqivod(place, conf=FEW)
    origin.release.clear()
    waiting = drivers.Driver(place, 'async', daemon.socket)
    waiting.write(drivers.describe('w', 'GET', origin.url('/wait'), ('field', 'X-Token', 'w')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('w'))
    crowd = []
    for _ in range(8):
        one = socket.socket(socket.AF_UNIX)
        one.connect(daemon.socket)
        crowd.append(one)
    rt.poll('all are taken', lambda: drivers.gauge(daemon)['all_programs'] == 4)
    done = daemon.reqivo(origin.url('/echo'))
    rt.equal(done.returncode, 102, f'a program more: {done.stderr.decode()}')
    for _ in range(20):
        rt.equal(drivers.gauge(daemon)['all_requests'], 1, 'requests')
    origin.release.set()
    for one in crowd:
        one.close()
    rt.equal(waiting.line()['error'], '', 'the request that waited')
    rt.equal(daemon.stop(), 0, 'exit code')


def activated(place, origin):
    """Both sockets from the service manager, told apart by name, in either order; two of a kind are refused."""
    for names in ('control:reqivo', 'reqivo:control', 'control'):
        folder = place.fresh('activated')
        os.makedirs(folder, mode=0o700)
        paths = [os.path.join(folder, 'control.sock' if name == 'control' else 'reqivo.sock') for name in names.split(':')]
        data, control = os.path.join(folder, 'reqivo.sock'), os.path.join(folder, 'control.sock')
        conf = place.write('activated.conf', rt.Reqivod.CONF)
        listen = [word for path in paths for word in ('-l', path)]
        process = place.keep(rt.Process([rt.tool('systemd-socket-activate'), *listen, f'--fdname={names}', rt.program('reqivod'), '--socket',
                                         data, '--config', conf], os.path.join(folder, 'log')))
        process.need('it answers', lambda control=control: rt.run([rt.program('reqivoctl'), '--control', control, 'status'], check=False).returncode == 0)
        rt.equal(status_of('--control', control)['state'], 'running', 'the state')
        rt.equal(rt.run([rt.program('reqivo'), '--socket', data, origin.url('/echo')]).returncode, 0, 'a request')
        rt.equal(process.stop(), 0, 'exit code')
        for path in paths:
            assert os.path.exists(path), f'{path} was removed, which is the service manager\'s'
        rt.equal(os.path.exists(data), data in paths, 'a socket of its own that is left')


def pools(place, origin):
    """warm makes connections, close ends them; both say so, and refuse what makes no sense."""
    daemon = rt.Reqivod(place)
    url = origin.url('/')
    rt.equal(daemon.reqivoctl('warm', url, '3').returncode, 0, 'warm')
    rt.equal([row['idle'] for row in json.loads(daemon.reqivoctl('--json', 'pools').stdout)], [3], 'idle connections')
    done = daemon.reqivoctl('--json', 'close', url)
    rt.equal(json.loads(done.stdout), {'pools': 1, 'closed': 3}, 'close')
    rt.poll('they are closed', lambda: drivers.gauge(daemon)['all_connections'] == 0)
    rt.equal(daemon.reqivoctl('close', url, '--user', 'all').stdout.split(), [b'pools', b'1', b'closed', b'0'], 'close of all')
    done = daemon.reqivoctl('warm', f'http://127.0.0.1:{rt.free_port()}')
    rt.equal(done.returncode, 7, done.stderr.decode())
    for args in (('close',), ('warm', url, 'x'), ('warm', url, '2', '3'), ('drain', 'x'), ('status', '--user', '0'), ('close', '--user', 'no-such-user', url)):
        done = daemon.reqivoctl(*args)
        rt.equal((done.returncode, done.stdout), (2, b''), f'{args}: {done.stderr.decode()}')
    rt.equal(daemon.reqivoctl('close', 'gopher://x').returncode, 3, 'close of what is no origin')


def drain(place, origin):
    """As SIGTERM: what is in flight ends well, nobody new is taken, and who asked is told before."""
    daemon = rt.Reqivod(place)
    origin.release.clear()
    flying = drivers.Driver(place, 'async', daemon.socket)
    flying.write(drivers.describe('d', 'GET', origin.url('/wait'), ('field', 'X-Token', 'd')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('d'))
    done = daemon.reqivoctl('drain')
    rt.equal((done.returncode, done.stderr), (0, b''), 'drain')
    rt.poll('the sockets are gone', lambda: not os.path.exists(daemon.socket) and not os.path.exists(daemon.control))
    assert daemon.process.running(), 'the daemon did not wait for what was in flight'
    origin.release.set()
    rt.equal(flying.line()['error'], '', 'what was in flight')
    rt.poll('it has ended', lambda: not daemon.process.running())
    rt.equal(daemon.process.popen.returncode, 0, 'exit code')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        tap.case('where it is', places, place)
        tap.case('where it cannot be', too_long, place)
        tap.case('it takes no requests', no_requests, place, odd.OddOrigin(place))
        tap.case('it answers when all else is used up', full, place, odd.OddOrigin(place))
        tap.case('it comes from the service manager by its name', activated, place, odd.OddOrigin(place))
        tap.case('close and warm', pools, place, odd.OddOrigin(place))
        tap.case('drain', drain, place, odd.OddOrigin(place))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
