#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_process - what the daemon's process is, seen from outside: its descriptors, its socket, its start, what its log and its
connections give away."""
import os
import resource
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402

CONF = rt.Reqivod.CONF + 'log_level = debug\n'
EX_OSERR = 71
REFUSED = 101
NOBODY = 65533  # no user of this host, and not the overflow uid
# Were it loaded, no TLS context could be made.
BAD_OPENSSL = '''openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = all
[all]
CipherString = NONE-SUCH
MinProtocol = TLSv9
'''


def descriptors(pid):
    """{number: (what it is, flags)} of those that the daemon has opened itself."""
    rt.need_root()
    found = {}
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            target = os.readlink(f'/proc/{pid}/fd/{name}')
            with open(f'/proc/{pid}/fdinfo/{name}', encoding='ascii') as file:
                flags = next(int(line.split()[1], 8) for line in file if line.startswith('flags:'))
        except FileNotFoundError:
            continue
        if int(name) > 2:
            found[int(name)] = (target, flags)
    return found


def comm(pid):
    with open(f'/proc/{pid}/comm', 'rb') as file:
        return file.read()


class World:
    def __init__(self, place):
        self.place = place
        self.certs = rt.Certs(place)
        bad = place.write('openssl.cnf', BAD_OPENSSL)
        self.bad = dict(os.environ, OPENSSL_CONF=bad)
        self.daemon = rt.Reqivod(place, conf=CONF, env={'OPENSSL_CONF': bad})
        self.nginx = rt.Nginx(place, self.certs)
        self.origin = rt.Origin(place)

    def page(self):
        return self.daemon.reqivo('-sS', '--cacert', self.certs.ca, self.nginx.url('good', '/page'))


def rule_d3_openssl_conf(world):
    done = world.page()
    rt.equal((done.returncode, done.stdout), (0, b'hello from /page\n'), done.stderr.decode())
    client = [rt.tool('openssl'), 's_client', '-connect', f'127.0.0.1:{world.nginx.port("good")}']
    rt.run(client)
    assert rt.run(client, check=False, env=world.bad).returncode, 'openssl itself takes that file, so this shows nothing'


def rule_d3_environment(world):
    rt.need_root()
    with open(f'/proc/{world.daemon.process.pid}/environ', 'rb') as file:
        assert b'OPENSSL_CONF' in file.read(), 'the daemon was not given it, so this shows nothing'
    # A resolver that read RES_OPTIONS or LOCALDOMAIN would ask for another name than the program named.
    daemon = rt.Reqivod(world.place, conf=CONF, env={'HOSTALIASES': world.place.write('aliases', 'alias localhost\n')})
    done = daemon.reqivo('-sS', f'http://alias:{world.nginx.port("http")}/page')
    assert done.returncode in (6, 28), f'exit {done.returncode}: the alias was followed'


def owner_of_proc(argv, up):
    """Runs a program as an ordinary user: whose its files in /proc are. They are root's when it may not be looked into."""
    who = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if os.geteuid() == 0 else {}
    popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
    try:
        rt.poll(f'{argv[0]} is up', lambda: up(popen))
        return os.stat(f'/proc/{popen.pid}/environ').st_uid
    finally:
        popen.kill()
        popen.wait()


def rule_d3_dumpable(world):
    os.chmod(world.place.dir, 0o711)
    binary, folder = shutil.copy(rt.program('reqivod'), world.place.fresh('copy')), world.place.fresh('theirs')
    os.chmod(binary, 0o755)
    os.mkdir(folder)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    path = os.path.join(folder, 'reqivo.sock')
    mine = NOBODY if os.geteuid() == 0 else os.geteuid()
    config = world.place.write('theirs.conf', '')
    os.chmod(config, 0o644)
    plain = owner_of_proc([rt.tool('sleep'), '60'], lambda popen: b'sleep' in comm(popen.pid))
    rt.equal(plain, mine, 'owner of a plain process')
    ours = owner_of_proc([binary, '--socket', path, '--config', config], lambda _: os.path.exists(path))
    rt.equal(ours, 0, 'owner of reqivod')


def rule_d1_private_users(world):
    """The unit keeps real uids, and a uid that stands for all that cannot be told apart is no user."""
    with open(os.path.join(rt.srcdir(), 'systemd', 'reqivod.service.in'), encoding='ascii') as file:
        rt.contains(file.read(), '\nPrivateUsers=no\n')
    rt.need_root()
    with open('/proc/sys/kernel/overflowuid', encoding='ascii') as file:
        overflow = int(file.read())
    os.chmod(world.place.dir, 0o711)
    binary, folder = shutil.copy(rt.program('reqivo'), world.place.fresh('copy')), world.daemon.dir
    os.chmod(binary, 0o755)
    os.chmod(folder, 0o711)
    os.chmod(world.daemon.socket, 0o666)
    argv = [binary, '--socket', world.daemon.socket, world.origin.url('/echo')]
    for uid, status in ((NOBODY, 0), (overflow, REFUSED)):
        done = rt.run(argv, check=False, user=uid, group=uid, extra_groups=[])
        rt.equal(done.returncode, status, f'exit code of uid {uid}: {done.stderr!r}')


def rule_b9_10(world):
    """With a program connected, a connection idle and one leased."""
    driver = drivers.Driver(world.place, 'async', world.daemon.socket)
    driver.ask('one', 'GET', world.nginx.url('good', '/page'), f'ca {world.certs.ca}')
    found = descriptors(world.daemon.pid)
    sockets = {number: flags for number, (target, flags) in found.items() if target.startswith('socket:')}
    assert len(sockets) >= 3, f'a listener, a program and a server, not {found}'
    for number, (target, flags) in found.items():
        assert flags & os.O_CLOEXEC, f'{number} ({target}) is not close-on-exec'
    for number, flags in sockets.items():
        assert flags & os.O_NONBLOCK, f'socket {number} blocks'
    driver.stop()


def closed_std(world):
    """Started with 0, 1 and 2 closed: they are /dev/null, and no socket ever gets their numbers."""
    path = os.path.join(world.place.fresh('bare'), 'reqivo.sock')

    def close():
        os.closerange(0, 3)

    with subprocess.Popen([rt.program('reqivod'), '--socket', path, '--config', world.daemon.conf], preexec_fn=close) as popen:
        try:
            rt.poll('the daemon is up', lambda: os.path.exists(path) or popen.poll() is not None)
            rt.need_root()
            rt.equal([os.readlink(f'/proc/{popen.pid}/fd/{fd}') for fd in range(3)], ['/dev/null'] * 3)
        finally:
            popen.terminate()
    rt.equal(popen.returncode, 0, 'exit status')


def rule_b9_13(world):
    """A user instance: its socket, and the folder that it makes for it, are the user's alone."""
    path = os.path.join(world.place.fresh('runtime'), 'reqivo.sock')
    process = world.place.keep(rt.Process([rt.program('reqivod'), '--socket', path, '--config', world.daemon.conf],
                                          world.place.fresh('log')))
    process.need('the socket is there', lambda: os.path.exists(path))
    rt.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, 'mode of the socket')
    rt.equal(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700, 'mode of its folder')
    process.stop()
    assert not os.path.exists(path), 'the socket is left behind'


def rule_d1_nofile(world):
    path = world.place.fresh('few')

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

    done = subprocess.run([rt.program('reqivod'), '--socket', path, '--config', world.daemon.conf], capture_output=True,
                          preexec_fn=few, timeout=30, check=False)
    rt.equal(done.returncode, EX_OSERR, 'exit status')
    rt.contains(done.stderr.decode(), 'RLIMIT_NOFILE')


def rule_b1_no_secrets(world):
    """What one request carried is not on the connection for the next."""
    url = f'http://127.0.0.1:{world.origin.port}/echo'
    fields = ('-H', 'Authorization: Bearer hidden-1', '-H', 'Cookie: c=hidden-2', '-H', 'X-Mine: hidden-3', '-H',
              'Referer: http://hidden-4/')
    first = world.daemon.reqivo('-sS', *fields, '-d', 'hidden-5', url)
    for number in range(1, 6):
        rt.contains(first.stdout, b'hidden-%d' % number)
    second = world.daemon.reqivo('-sS', '-w', '%{stderr}%{reused}', url)
    rt.equal(second.stderr, b'1', 'reused')
    assert b'hidden' not in second.stdout, second.stdout


def rule_b2_8(world):
    """Log and errors, at the level debug, hold neither user names nor queries nor fields."""
    base = f'127.0.0.1:{world.origin.port}'
    world.daemon.reqivo('-sS', '-H', 'Authorization: Bearer hidden-6', f'http://{base}/x?hidden-7#hidden-8')
    refused = drivers.Driver(world.place, 'sync', world.daemon.socket)
    row = refused.ask('user', 'GET', f'http://hidden-9:hidden-10@{base}/x?hidden-11')
    rt.equal(row['error'], 'E_URL')
    assert 'hidden' not in row['detail'], row['detail']
    closed = refused.ask('closed', 'GET', f'http://127.0.0.1:{rt.free_port()}/x?hidden-12')
    assert 'hidden' not in closed['detail'], closed['detail']
    refused.stop()
    log = ''

    def told():  # it does log, by a thread of its own
        nonlocal log
        with open(world.daemon.log, encoding='ascii') as file:
            log = file.read()
        return 'E_CONNECT' in log

    rt.poll('the failure in the log', told)
    assert 'hidden' not in log, next(line for line in log.splitlines() if 'hidden' in line)


def rule_b2_7(world):
    """What the daemon's own user has at home, or in the environment, goes into nobody's request."""
    home = world.place.fresh('home')
    os.mkdir(home)
    for name in ('.netrc', '.curlrc'):
        with open(os.path.join(home, name), 'w', encoding='ascii') as file:
            file.write('machine 127.0.0.1 login hidden password hidden\n')
        os.chmod(file.name, 0o600)
    deaf = f'http://127.0.0.1:{rt.free_port()}/'
    daemon = rt.Reqivod(world.place, conf=CONF, env={'HOME': home, 'KRB5CCNAME': home, **{
        name: deaf for name in ('http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')}})
    done = daemon.reqivo('-sS', world.origin.url('/echo'))
    rt.equal(done.returncode, 0, done.stderr.decode())
    rt.contains(done.stdout, b'/echo')
    for word in (b'hidden', b'authorization'):
        assert word not in done.stdout.lower(), done.stdout


def rule_b2_9(world):
    """A ticket that allows early data is used for a resumption, and nothing is sent early."""
    nginx = rt.Nginx(world.place, world.certs, lines='ssl_early_data on; add_header X-Early "$ssl_early_data-$ssl_session_reused";')
    early = []
    for _ in range(3):  # `close` ends the connection, not the ticket
        done = world.daemon.reqivo('-sSi', '--cacert', world.certs.ca, nginx.url('good', '/close'))
        early += [line for line in done.stdout.decode().splitlines() if line.startswith('X-Early')]
    rt.equal(early, ['X-Early: -.', 'X-Early: -r', 'X-Early: -r'])


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        world = World(place)
        tap.case('rule_d3_openssl_conf: a configuration file of OpenSSL is not loaded', rule_d3_openssl_conf, world)
        tap.case('rule_d3_environment: what is inherited decides nothing', rule_d3_environment, world)
        tap.case('rule_d3_dumpable: other processes of its user cannot look into it', rule_d3_dumpable, world)
        tap.case('rule_d1_private_users: the overflow uid is refused', rule_d1_private_users, world)
        tap.case('rule_b9_10: descriptors close on exec, sockets do not block', rule_b9_10, world)
        tap.case('closed_std: no socket is stdin, stdout or stderr', closed_std, world)
        tap.case('rule_b9_13: the socket of a user instance is the user\'s alone', rule_b9_13, world)
        tap.case('rule_d1_nofile: too few descriptors, a clear refusal', rule_d1_nofile, world)
        tap.case('rule_b1_no_secrets: nothing of a request stays on the connection', rule_b1_no_secrets, world)
        tap.case('rule_b2_7: nothing of the daemon\'s own user goes along', rule_b2_7, world)
        tap.case('rule_b2_9: no early data', rule_b2_9, world)
        tap.case('rule_b2_8: no secret in log or errors', rule_b2_8, world)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
