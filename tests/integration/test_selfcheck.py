#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_selfcheck - what the daemon demands of its surroundings before it serves anybody: each demand is met but one."""
import json
import os
import shutil
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402

EX_SOFTWARE, EX_OSERR = 70, 71
SOMEBODY = 65533  # no user of this host, and not the overflow uid


class World:
    """A copy of the daemon, and a folder for its socket, that somebody else than root may use."""

    def __init__(self, place):
        rt.need_root()
        self.place = place
        os.chmod(place.dir, 0o711)
        self.program = shutil.copy(rt.program('reqivod'), place.fresh('copy'))
        os.chmod(self.program, 0o755)
        self.config = place.write('system.conf', '')
        os.chmod(self.config, 0o644)
        self.dir = place.fresh('theirs')
        os.mkdir(self.dir)
        os.chown(self.dir, SOMEBODY, SOMEBODY)
        self.socket = os.path.join(self.dir, 'reqivo.sock')

    def argv(self, before, *options):
        return [*before, self.program, '--socket', self.socket, '--config', self.config, *options]

    def refused(self, before, options, status, *words):
        done = rt.run(self.argv(before, *options), check=False)
        said = done.stderr.decode()
        rt.equal(done.returncode, status, f'exit status of {" ".join(before)} reqivod: {said}')
        rt.equal(said.count(': error: '), 1, f'one error, not {said!r}')
        for word in words:
            rt.contains(said, word)
        assert not os.path.exists(self.socket), 'it made its socket all the same'

    def runs(self, before, options, instance=None):
        process = self.place.keep(rt.Process(self.argv(before, *options), self.place.fresh('log')))
        process.need('the socket answers', lambda: rt.answers(socket.AF_UNIX, self.socket))
        if instance:
            done = rt.run([rt.program('reqivoctl'), '--socket', self.socket, '--json', 'status'])
            rt.equal(json.loads(done.stdout)['instance'], instance)
        process.stop()


def setpriv(*options):
    return [rt.tool('setpriv'), f'--reuid={SOMEBODY}', f'--regid={SOMEBODY}', '--clear-groups', *options]


def rule_d1_fine(world):
    world.runs(setpriv('--no-new-privs'), ('--system',), 'system')
    world.runs(setpriv(), (), 'user')


def rule_d1_no_root(world):
    world.refused([], ('--system',), EX_SOFTWARE, 'self-check', 'as root', 'User=reqivo')
    world.refused(setpriv('--no-new-privs', '--inh-caps=+net_bind_service', '--ambient-caps=+net_bind_service'), ('--system',),
                  EX_SOFTWARE, 'self-check', 'needs no capability, but has 0x400', 'AmbientCapabilities=')
    world.runs([], (), 'user')


def rule_d1_no_new_privs(world):
    world.refused(setpriv(), ('--system',), EX_SOFTWARE, 'self-check', 'NoNewPrivileges=yes')


def rule_d1_uid_map(world):
    """As with PrivateUsers=yes: the service's own uid is mapped, and nobody else's."""
    namespace = [rt.tool('unshare'), '--user', f'--map-user={SOMEBODY}', '--', rt.tool('setpriv'), '--no-new-privs']
    world.refused(setpriv() + namespace, ('--system',), EX_SOFTWARE, 'self-check', 'can be told apart', 'PrivateUsers=no')
    world.runs(setpriv() + namespace, ())


def rule_d1_overflow_uid(world):
    """A user namespace without any map: whoever it runs as, it has the uid of everybody."""
    namespace = [rt.tool('unshare'), '--user', '--']
    world.refused(setpriv() + namespace, (), EX_SOFTWARE, 'self-check', 'stands for all users')


def rule_d1_nofile(world):
    world.refused(setpriv('--no-new-privs', rt.tool('prlimit'), '--nofile=200:200'), ('--system',), EX_OSERR, 'RLIMIT_NOFILE',
                  'at least 256')


def main():
    tap = rt.Tap()
    cases = [('rule_d1_fine: what the unit gives is enough', rule_d1_fine),
             ('rule_d1_no_root: not as root, and not with a capability', rule_d1_no_root),
             ('rule_d1_no_new_privs: not where privileges can be gained', rule_d1_no_new_privs),
             ('rule_d1_uid_map: not where users cannot be told apart', rule_d1_uid_map),
             ('rule_d1_overflow_uid: nobody runs as everybody', rule_d1_overflow_uid),
             ('rule_d1_nofile: not with too few descriptors', rule_d1_nofile)]
    with rt.Place() as place:
        for name, case in cases:
            tap.case(name, lambda case=case: case(World(place)))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
