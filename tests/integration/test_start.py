#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_start - a per-user daemon that the library starts on demand: only when asked, one for fifty programs, detached, and again when
it has gone."""
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402

CROWD, ROUNDS = 50, 4


def daemons(socket):
    """The pids of the daemons for that socket."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                words = file.read().split(b'\0')
            with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
                state = file.read().rpartition(')')[2].split()[0]
        except OSError:
            continue
        if words[0] == b'reqivod' and socket.encode() in words and state != 'Z':
            found.append(int(pid))
    return found


class Home:
    """A user's folders, without a daemon."""

    def __init__(self, place, conf=''):
        self.place, self.dir = place, place.fresh('home')
        os.makedirs(os.path.join(self.dir, 'config', 'reqivo'), mode=0o700)
        os.makedirs(os.path.join(self.dir, 'run'), mode=0o700)
        self.socket = os.path.join(self.dir, 'run', 'reqivo', 'reqivo.sock')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('REQIVO_', 'LISTEN_'))}
        self.env.update(HOME=self.dir, XDG_CONFIG_HOME=os.path.join(self.dir, 'config'), XDG_RUNTIME_DIR=os.path.join(self.dir, 'run'),
                        REQIVOD=rt.program('reqivod'))
        self.configure(conf)
        place.keep(self)

    def configure(self, text):
        with open(os.path.join(self.dir, 'config', 'reqivo', 'reqivod.conf'), 'w', encoding='ascii') as file:
            file.write(text)

    def reqivo(self, *args, **env):
        return rt.run([rt.program('reqivo'), '-sS', *args], check=False, env=dict(self.env, **env))

    def popen(self, *args):
        return subprocess.Popen([rt.program('reqivo'), '-sS', *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def pids(self):
        return daemons(self.socket)

    def the_daemon(self):
        pids = self.pids()
        rt.equal(len(pids), 1, f'daemons, {pids}')
        return pids[0]

    def gone(self):
        rt.poll('no daemon is left', lambda: not self.pids())

    def end(self, number=signal.SIGTERM):
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        self.gone()

    def stop(self):
        self.end(signal.SIGKILL)


def answered(done, body=b'ok\n'):
    rt.equal((done.returncode, done.stdout, done.stderr), (0, body, b''))


def only_when_asked(place, origin):
    home = Home(place)
    done = home.reqivo(origin.url())
    assert done.returncode != 0, 'somebody answered'
    rt.contains(done.stderr.decode(), 'no daemon answers')
    rt.equal(home.pids(), [])
    answered(home.reqivo(origin.url(), REQIVO_START='1'))
    first = home.the_daemon()
    answered(home.reqivo('--start', origin.url()))
    answered(home.reqivo(origin.url()))
    rt.equal(home.the_daemon(), first, 'the daemon')
    home.end()
    assert not os.path.exists(home.socket) and not os.path.exists(f'{home.socket}.lock'), 'what is left behind'


def detached(place, origin):
    """It is nobody's child, leads no terminal's session, and has nothing of the program but what it was given."""
    home = Home(place)
    driver = drivers.Driver(place, 'sync', '-', env=dict(home.env, REQIVO_START='1', SECRET='hidden', LISTEN_FDS='1', NOTIFY_SOCKET='/x'))
    rt.equal(driver.ask('a', 'GET', origin.url())['error'], '')
    pid = home.the_daemon()
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    assert int(fields[1]) not in (driver.popen.pid, os.getpid()), f'its parent is {fields[1]}'
    assert int(fields[3]) not in (pid, os.getsid(0)), f'its session is {fields[3]}'
    rt.equal(fields[4], '0', 'its terminal')
    with open(f'/proc/{driver.popen.pid}/task/{driver.popen.pid}/children', encoding='ascii') as file:
        rt.equal(file.read().split(), [], 'children of the program')
    if os.geteuid() == 0:  # it is not dumpable
        with open(f'/proc/{pid}/environ', 'rb') as file:
            names = sorted(word.split(b'=')[0] for word in file.read().split(b'\0') if b'=' in word)
        assert set(names) <= {b'HOME', b'XDG_CONFIG_HOME', b'XDG_RUNTIME_DIR'}, names
        links = {fd: os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')}
        rt.equal({links[fd] for fd in '012'}, {'/dev/null'}, 'its 0, 1 and 2')
        rt.equal(links['3'], f'{home.socket}.lock')
        rt.equal(os.readlink(f'/proc/{pid}/cwd'), '/')
        ours = {os.readlink(f'/proc/{driver.popen.pid}/fd/{fd}') for fd in '012'}
        assert not ours & set(links.values()), 'it holds a descriptor of the program'
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        blocked = re.search(r'^SigBlk:\s+(\w+)$', file.read(), re.M).group(1)
    rt.equal(int(blocked, 16), 0, 'blocked signals')
    driver.stop()


def ignored_children(place, origin):
    """A program that ignores SIGCHLD, where nobody can be waited for."""
    home = Home(place)

    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    done = subprocess.run([rt.program('reqivo'), '-sS', '--start', origin.url()], env=home.env, preexec_fn=ignore, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=rt.DEADLINE * 2)
    answered(done)
    with open(f'/proc/{home.the_daemon()}/status', encoding='ascii') as file:
        ignored = int(re.search(r'^SigIgn:\s+(\w+)$', file.read(), re.M).group(1), 16)
    assert not ignored >> (signal.SIGCHLD - 1) & 1, 'the daemon ignores SIGCHLD as well'


def crowd(home, origin):
    programs = [home.popen('--start', origin.url()) for _ in range(CROWD)]
    for program in programs:
        out, err = program.communicate(timeout=rt.DEADLINE * 3)
        rt.equal((program.returncode, out, err), (0, b'ok\n', b''), 'one of the fifty')


def fifty(place, origin):
    """Fifty programs at once, where nothing is; where a killed daemon has left its files; where one ends in that moment."""
    home = Home(place)
    for turn in range(ROUNDS):
        crowd(home, origin)
        home.the_daemon()
        home.end(signal.SIGKILL if turn % 2 == 0 else signal.SIGTERM)
        rt.equal(os.path.exists(home.socket), turn % 2 == 0, 'a socket is left')


def idle_race(place, origin):
    """The daemon ends after 30 ms without a program, and programs come about every 30 ms: each is served."""
    home = Home(place, 'timeouts {\n    idle_exit = 30ms\n}\n')
    seen = set()
    for number in range(80):
        answered(home.reqivo('--start', origin.url()))
        seen.update(home.pids())
        time.sleep(0.02 + (number % 7) * 0.004)  # around the limit, on purpose
    home.gone()
    assert len(seen) >= 3, f'{len(seen)} daemons were seen'
    rt.equal([name for name in os.listdir(os.path.dirname(home.socket)) if name.startswith('reqivo.sock')], [])


def idle_crowd(place, origin):
    home = Home(place, 'timeouts {\n    idle_exit = 10ms\n}\n')
    for _ in range(3):
        crowd(home, origin)
    home.gone()


def comes_back(place, origin):
    """A handle that was opened so starts the next daemon, too: after kill -9, and after an idle exit."""
    for kind in drivers.KINDS:
        home = Home(place)
        driver = drivers.Driver(place, kind, '-', env=dict(home.env, REQIVO_START='1'))
        for number in range(3):
            row = driver.ask(f'n{number}', 'GET', origin.url(), seconds=rt.DEADLINE * 2)
            rt.equal((row['error'], row['status']), ('', 200), f'{kind}: {row["detail"]}')
            home.end(signal.SIGKILL)
        driver.stop()


def says_why(place, origin):
    """A daemon that cannot start is one clear error, at once, in its own words."""
    home = Home(place, 'pool {\n    connections = none\n}\n')
    started = time.monotonic()
    done = home.reqivo('--start', origin.url())
    assert time.monotonic() - started < 10 * drivers.SLOW, 'it took long'
    text = done.stderr.decode()
    assert done.returncode != 0 and text.count('\n') == 1, text
    rt.contains(text, 'reqivod.conf:2: pool.connections')
    rt.equal(home.pids(), [])
    home.configure('')
    answered(home.reqivo('--start', origin.url()))


def refused(place, origin):
    """No daemon where it could not be trusted, or is not there."""
    def told(text, home, *args, **env):
        done = home.reqivo('--start', *args, origin.url(), **env)
        assert done.returncode != 0, f'{text}: it worked'
        rt.contains(done.stderr.decode(), text)
        rt.equal(home.pids(), [], text)

    home = Home(place)
    told('REQIVOD is no absolute path', home, REQIVOD='reqivod')
    told('/nowhere/reqivod cannot be started: No such file', home, REQIVOD='/nowhere/reqivod')
    told('XDG_RUNTIME_DIR does not name', home, XDG_RUNTIME_DIR='')
    told('on an absolute path only', home, '--socket', 'reqivo.sock')
    os.makedirs(os.path.dirname(home.socket), exist_ok=True)
    os.chmod(os.path.dirname(home.socket), 0o777)
    told('only he may write to', home)
    if os.geteuid() == 0:
        os.chmod(os.path.dirname(home.socket), 0o700)
        os.chown(os.path.dirname(home.socket), 12001, 12001)
        told('only he may write to', home)


def set_uid(place, origin):
    """A set-uid program starts none: whoever runs it decides the environment."""
    rt.need_root()
    home = Home(place)
    program, env = drivers.for_everybody(place, rt.program('reqivo'))
    os.chmod(place.dir, 0o755)
    os.chown(program, 12001, 12001)
    os.chmod(program, 0o4755)
    done = subprocess.run([program, '-sS', '--start', '--socket', home.socket, origin.url()], env=dict(home.env, **env), capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=rt.DEADLINE)
    rt.contains(done.stderr.decode(), 'set-uid')
    rt.equal(home.pids(), [])


def main():
    tap = rt.Tap()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with rt.Place() as place:
        origin = rt.Origin(place)
        tap.case('only when it is asked for', only_when_asked, place, origin)
        tap.case('the daemon is detached', detached, place, origin)
        tap.case('a program that ignores SIGCHLD', ignored_children, place, origin)
        tap.case(f'{CROWD} programs at once have one daemon, {ROUNDS} times', fifty, place, origin)
        tap.case('programs that come while it ends are served', idle_race, place, origin)
        tap.case(f'{CROWD} programs at once and a daemon that ends at once', idle_crowd, place, origin)
        tap.case('a handle starts the next one, too', comes_back, place, origin)
        tap.case('why it cannot start is said', says_why, place, origin)
        tap.case('rule_b9_13: no daemon where it cannot be trusted', refused, place, origin)
        tap.case('a set-uid program starts none', set_uid, place, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
