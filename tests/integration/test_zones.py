#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_zones - rule_b3_5: a redirect from a public address never leads to one that is not, whatever the configuration opens.

The daemon and the origins have a network namespace each, joined by a pair of interfaces and without any way out, so that an
address that looks public can be had:

  driver --UNIX socket--> [ daemon   9.9.9.1  10.9.9.1  2600:9::1  fd00:9::1 ] ---- [ 9.9.9.2 and so on: origins ]

Making namespaces needs root, with CAP_SYS_ADMIN and CAP_NET_ADMIN."""
import ctypes
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
from drivers import rt  # noqa: E402
from test_pools import ACQUIRE, INFORM, Program  # noqa: E402
from test_redirect import HopOrigin, path_of  # noqa: E402

NAME = 'redirects from public addresses, in namespaces'
CONF = 'address_policy {\n    loopback = allow\n    private = allow\n}\npool {\n    hold_down = 0\n}\n'
CLONE_NEWNET = 0x40000000
PREFIXES = {'public': '9.9.9.%d/24', 'private': '10.9.9.%d/24', 'public6': '2600:9::%d/64', 'private6': 'fd00:9::%d/64'}
DENIED = 'E_REDIRECT_DENIED'


class Space:
    """A network namespace, which lives as long as its first process."""

    def __init__(self, place):
        own = os.readlink('/proc/self/ns/net')
        self.process = place.keep(rt.Process([rt.tool('unshare'), '--net', rt.tool('sleep'), 'infinity'], place.fresh('space')))
        self.pid = self.process.pid
        self.process.need('it has a namespace', lambda: os.readlink(f'/proc/{self.pid}/ns/net') != own)
        self.under = (rt.tool('nsenter'), '-t', str(self.pid), '-n')
        self.ip('link', 'set', 'lo', 'up')

    def ip(self, *args):
        rt.run([*self.under, rt.tool('ip'), *args])

    def join(self, other):
        self.ip('link', 'add', 'pair', 'type', 'veth', 'peer', 'name', 'pair', 'netns', str(other.pid))
        for number, space in enumerate((self, other), 1):
            space.ip('link', 'set', 'pair', 'up')
            for prefix in PREFIXES.values():
                more = ('nodad',) if ':' in prefix else ()
                space.ip('addr', 'add', prefix % number, 'dev', 'pair', *more)

    def make(self, function):
        """What the function makes in a thread that has entered it: sockets stay where they were made."""
        made = []

        def enter():
            with open(f'/proc/{self.pid}/ns/net', 'rb') as file:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(file.fileno(), CLONE_NEWNET) == 0:
                    made.append(function())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if not made:
            raise rt.Failed('the namespace could not be entered')
        return made[0]


class World:
    def __init__(self, place):
        home, away = Space(place), Space(place)
        home.join(away)
        self.origins = {name: away.make(lambda p=prefix: HopOrigin(place, address=(p % 2).split('/')[0]))
                        for name, prefix in PREFIXES.items()}
        self.origins['other'] = away.make(lambda: HopOrigin(place, address='9.9.9.2'))
        self.origins['own'] = home.make(lambda: HopOrigin(place, address='9.9.9.1'))
        self.origins['loopback'] = home.make(lambda: HopOrigin(place))
        self.daemon = rt.Reqivod(place, conf=CONF, under=home.under)

    def url(self, name, path, host=None):
        return self.origins[name].url(path, host)

    def asked(self, name):
        return [r.target.split('?')[0] for r in self.origins[name].log]


# (from, to, the host in the redirect if it is another way to write it, error)
REDIRECTS = (
    ('public', 'private', None, DENIED), ('public', 'loopback', None, DENIED), ('public', 'loopback', 'localhost', DENIED),
    ('public', 'own', None, DENIED), ('public', 'private', '[::ffff:10.9.9.2]', DENIED), ('public', 'private6', None, DENIED),
    ('public', 'private', '[64:ff9b::10.9.9.2]', DENIED),
    ('public6', 'private6', None, DENIED), ('public6', 'private', None, DENIED), ('public6', 'loopback', None, DENIED),
    ('public', 'public', None, ''), ('public', 'other', None, ''), ('public', 'public6', None, ''), ('public6', 'public', None, ''),
    ('private', 'private', None, ''), ('private', 'loopback', None, ''), ('private', 'public', None, ''),
    ('loopback', 'private', None, ''),
)


def forget(world):
    for origin in world.origins.values():
        origin.log.clear()


def redirect(world, driver, start, end, host, error):
    """What is denied is not even connected to, whether a connection that may serve others lies ready or not."""
    forget(world)
    rt.equal(driver.ask('ready', 'GET', world.url(end, '/end'))['error'], '', 'asked for by the program itself')
    before = world.origins[end].accepted
    row = driver.ask('r', 'GET', world.url(start, '/to/302?' + world.url(end, '/end', host)), 'redirects 30')
    rt.equal((row['error'], row['completions']), (error, 1), row.get('detail'))
    if error:
        rt.equal((row['status'], [hop[0] for hop in row['hops']], row['phase'], row['sent']), (0, [302], 'connect', 2), row['detail'])
        rt.equal((world.asked(end), world.origins[end].accepted - before), (['/end'], 0), 'requests, connections')
    else:
        rt.equal((row['status'], row['body'], path_of(row['url'])), (200, 'end', '/end'))


def there_and_back(world, driver):
    """Once an answer has come from a public address, the rule holds for the rest of the chain."""
    forget(world)
    inner = world.url('public', '/to/302?' + world.url('private', '/end'))
    row = driver.ask('r', 'GET', world.url('private', '/to/302?' + inner), 'redirects 30')
    rt.equal((row['error'], len(row['hops'])), (DENIED, 2), row.get('detail'))
    rt.equal(world.asked('private'), ['/to/302'], 'what the private origin was asked')


def acquired(world):
    """A connection that a program has acquired serves the redirects within its origin, and no others."""
    forget(world)
    origin, program = world.origins['public'], Program(world.daemon)
    pin = program.operate(ACQUIRE, origin.url('/'))
    uses, before = int(program.well(pin).row['uses']), origin.accepted
    done = program.well(program.request(origin.url('/to/302/end'), connection=pin, redirects=30))
    rt.equal((done.status, done.body, origin.accepted - before), (200, b'end', 0), 'within the origin')
    numbers = {r.connection for r in origin.log}
    rt.equal(len(numbers), 1, 'connections')
    program.fails(program.request(origin.url('/to/302?' + world.url('private', '/end')), connection=pin, redirects=30), 'REDIRECT', 2)
    rt.equal(world.asked('private'), [], 'what the private origin was asked')
    done = program.well(program.request(origin.url('/to/302?' + world.url('other', '/end')), connection=pin, redirects=30))
    rt.equal((done.body, world.asked('other')), (b'end', ['/end']), 'elsewhere')
    rt.equal(int(program.well(program.operate(INFORM, target=pin)).row['uses']) - uses, 4, 'requests that it has served')


def namespaces():
    """Root of a container may have no CAP_NET_ADMIN, or none of CAP_SYS_ADMIN: what it lacks is what it was refused."""
    rt.need_root()
    script = 'ip link set lo up && ip link add pair type veth peer name pair2'
    done = rt.run([rt.tool('unshare'), '--net', 'sh', '-c', script], check=False)
    if done.returncode:
        print(f'# no network namespace with a pair of interfaces can be had here: {done.stderr.decode(errors="replace").strip()}', flush=True)
        raise rt.NeedsRoot


def nobody():
    raise rt.NeedsRoot


def main():
    tap = rt.Tap()
    try:
        namespaces()
    except rt.NeedsRoot:
        tap.case(NAME, nobody)
        return tap.done()
    with rt.Place() as place:
        world = World(place)
        for kind in drivers.KINDS:
            driver = drivers.Driver(place, kind, world.daemon.socket)
            for start, end, host, error in REDIRECTS:
                tap.case(f'rule_b3_5: {kind}: from {start} to {end}{f" as {host}" if host else ""}: {error or "followed"}',
                         redirect, world, driver, start, end, host, error)
            tap.case(f'rule_b3_5: {kind}: from private to public to private', there_and_back, world, driver)
        tap.case('rule_b3_5: an acquired connection to a public address', acquired, world)
        tap.case('the daemon ends well', drivers.ends_well, world.daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
