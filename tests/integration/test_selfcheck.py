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


def instead(world, source):
    """What runs the daemon with a function of a library replaced."""
    shim = world.place.fresh('shim') + '.so'
    rt.run([rt.tool('gcc'), '-shared', '-fPIC', '-x', 'c', '-o', shim, world.place.write('shim.c', source)])
    os.chmod(shim, 0o755)
    # a build with sanitizers wants to be the first library
    return [rt.tool('env'), f'LD_PRELOAD={shim}', 'ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0']


def rule_d1_canaries(world):
    """A parser that finds no field in any head."""
    blind = instead(world, '''#include <http_parser.h>
size_t http_parser_execute(http_parser *parser, const http_parser_settings *settings, const char *bytes, size_t len)
{
    (void)settings, (void)bytes;
    parser->http_errno = HPE_OK;
    return len;
}
''')
    world.refused(setpriv() + blind, (), EX_SOFTWARE, 'the HTTP parser of this system judges \'length\' wrongly')


def rule_d1_clock(world):
    """A host whose clock has lost its battery."""
    reset = instead(world, '''#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
time_t time(time_t *at)
{
    return at ? (*at = 77) : 77;
}
int clock_gettime(clockid_t which, struct timespec *at)
{
    long r = syscall(SYS_clock_gettime, which, at);
    if (which == CLOCK_REALTIME)
        at->tv_sec = 77;
    return (int)r;
}
''')
    world.refused(setpriv() + reset, (), EX_OSERR, 'the clock says second 77 since 1970', 'set it')


def rule_d3_dumpable(world):
    """A kernel that does not do what it was asked."""
    deaf = instead(world, '''#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int prctl(int operation, ...)
{
    unsigned long args[4];
    va_list list;
    va_start(list, operation);
    for (int i = 0; i < 4; i++)
        args[i] = va_arg(list, unsigned long);
    va_end(list);
    return operation == PR_GET_DUMPABLE ? 1 : (int)syscall(SYS_prctl, operation, args[0], args[1], args[2], args[3]);
}
''')
    world.refused(setpriv() + deaf, (), EX_SOFTWARE, 'PR_SET_DUMPABLE')


def main():
    tap = rt.Tap()
    cases = [('rule_d1_fine: what the unit gives is enough', rule_d1_fine),
             ('rule_d1_no_root: not as root, and not with a capability', rule_d1_no_root),
             ('rule_d1_no_new_privs: not where privileges can be gained', rule_d1_no_new_privs),
             ('rule_d1_uid_map: not where users cannot be told apart', rule_d1_uid_map),
             ('rule_d1_overflow_uid: nobody runs as everybody', rule_d1_overflow_uid),
             ('rule_d1_nofile: not with too few descriptors', rule_d1_nofile),
             ('rule_d1_canaries: not with a parser that sees something else', rule_d1_canaries),
             ('rule_d1_clock: not where the clock is not set', rule_d1_clock),
             ('rule_d3_dumpable: not where a core could be had', rule_d3_dumpable)]
    with rt.Place() as place:
        for name, case in cases:
            tap.case(name, lambda case=case: case(World(place)))
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
