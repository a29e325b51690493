# SPDX-License-Identifier: MIT
"""cases_life - the service's stops, restarts and ends under load, the watchdog, and a user's own instance."""
import os
import time

import cases_service as service
from image import USERS, rt

PRODUCERS = [(user, n) for user in ('alice', 'bob') for n in range(2)]
RESTARTS = 4


def under_load(host, disturb):
    """Runs disturb() while two users send; all requests must have ended well, each seen by the origin once. Their count."""
    name = f'load-{disturb.__name__}'
    stop = f'/run/{name}.stop'
    programs = [host.start('python3', '/opt/test/load.py', f'{name}-{user}{n}', f'{service.URL}/slow', stop, user=user)
                for user, n in PRODUCERS]
    try:
        rt.poll('all of them send', lambda: len({row[2].split('-')[2] for row in service.arrived(host, f'?{name}-')}) == len(PRODUCERS))
        disturb(host, name)
    finally:
        host.run('touch', stop)
        said = [program.communicate(timeout=120)[0].decode() for program in programs]
    rows = [line.split(' ', 3) for lines in said for line in lines.splitlines()]
    rt.equal([row for row in rows if row[1:3] != ['0', '200']], [], 'requests that were lost')
    tokens = [row[2].split('?')[1] for row in service.arrived(host, f'?{name}-')]
    rt.equal(sorted(tokens), sorted(row[0] for row in rows), 'what the origin saw, and what was sent')
    return len(rows)


def progress(host, name):
    """Some more requests have arrived."""
    before = len(service.arrived(host, f'?{name}-'))
    rt.poll('requests go on', lambda: len(service.arrived(host, f'?{name}-')) >= before + 2 * len(PRODUCERS))


def restarts(host, name):
    for _ in range(RESTARTS):
        pid = service.main_pid(host)
        host.run('systemctl', 'restart', 'reqivod.service')
        rt.poll('another process', lambda pid=pid: service.main_pid(host) not in (0, pid))
        progress(host, name)


def stops(host, name):
    """The sockets stay, so the next program starts the service again."""
    for _ in range(RESTARTS):
        host.run('systemctl', 'stop', 'reqivod.service')
        progress(host, name)


def restarted(host):
    print(f'# {under_load(host, restarts)} requests, {RESTARTS} restarts', flush=True)


def stopped(host):
    print(f'# {under_load(host, stops)} requests, {RESTARTS} stops', flush=True)


def watchdog(host):
    """A daemon that stands still is ended and started again by the service manager, within its ten seconds and a little."""
    service.body(host, 'alice', '/before-stop')
    pid, before = service.main_pid(host), int(host.show('reqivod.service', 'NRestarts'))
    began = time.monotonic()
    host.run('systemctl', 'kill', '--kill-whom=main', '--signal=STOP', 'reqivod.service')
    rt.poll('it was started again', lambda: int(host.show('reqivod.service', 'NRestarts')) > before, 60)
    service.body(host, 'alice', '/after-stop')
    print(f'# started again {time.monotonic() - began:.1f} s after SIGSTOP', flush=True)
    assert service.main_pid(host) not in (0, pid), 'the same process'
    rt.contains(host.text('journalctl', '--no-pager', '-u', 'reqivod'), 'Watchdog timeout')


def crashed(host):
    """kill -9: the next request is served by its successor."""
    pid = service.main_pid(host)
    began = time.monotonic()
    host.run('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'reqivod.service')
    service.body(host, 'alice', '/after-crash')
    print(f'# a response {(time.monotonic() - began) * 1000:.0f} ms after SIGKILL', flush=True)
    assert service.main_pid(host) not in (0, pid), 'the same process'


def bad_config(host):
    """A configuration that is wrong ends the start, and is not tried again and again."""
    path = f'/proc/{host.leader}/root/etc/reqivo/reqivod.conf'
    with open(path, encoding='ascii') as file:
        good = file.read()
    try:
        with open(path, 'a', encoding='ascii') as file:
            file.write('nonsense = 1\n')
        done = host.run('systemctl', 'restart', 'reqivod.service', check=False)
        assert done.returncode != 0, 'it started all the same'
        rt.poll('it has failed', lambda: host.show('reqivod.service', 'ActiveState') == 'failed')
        rt.equal(host.show('reqivod.service', 'ExecMainStatus'), '78', 'exit status')
        rt.contains(host.text('journalctl', '--no-pager', '-u', 'reqivod'), 'reqivod.conf:7: ')
    finally:
        with open(path, 'w', encoding='ascii') as file:
            file.write(good)
    host.run('systemctl', 'restart', *service.SOCKETS)
    service.body(host, 'alice', '/mended')


def as_root(host):
    """A drop-in that makes it root is refused by the daemon itself."""
    drop_in = f'/proc/{host.leader}/root/run/systemd/system/reqivod.service.d'
    os.makedirs(drop_in)
    try:
        with open(f'{drop_in}/root.conf', 'w', encoding='ascii') as file:
            file.write('[Service]\nUser=root\n')
        host.run('systemctl', 'daemon-reload')
        done = host.run('systemctl', 'restart', 'reqivod.service', check=False)
        assert done.returncode != 0, 'it started all the same'
        rt.poll('it has failed', lambda: host.show('reqivod.service', 'ActiveState') == 'failed')
        rt.equal(host.show('reqivod.service', 'ExecMainStatus'), '70', 'exit status')
        rt.contains(host.text('journalctl', '--no-pager', '-u', 'reqivod'), 'the system service does not run as root')
    finally:
        os.unlink(f'{drop_in}/root.conf')
        host.run('systemctl', 'daemon-reload')
    host.run('systemctl', 'restart', *service.SOCKETS)
    service.body(host, 'alice', '/no-root')


def user_instance(host):
    """Under alice's own service manager, which her programs find first."""
    host.run('loginctl', 'enable-linger', 'alice')
    uid = USERS['alice']
    rt.poll("alice's service manager", lambda: host.show(f'user@{uid}.service', 'ActiveState') == 'active')
    host.run('systemctl', '--user', 'enable', '--now', *service.SOCKETS, user='alice')
    done = host.run('systemd-analyze', '--user', 'verify', '--man=no', 'reqivod.service', user='alice')
    rt.equal(done.stderr.decode(), '', 'systemd-analyze verify')
    rt.equal(host.show('reqivod.service', 'ActiveState', '--user', user='alice'), 'inactive', 'her service, which nobody has used')
    service.body(host, 'alice', '/mine')
    rt.equal(host.show('reqivod.service', 'ActiveState', '--user', user='alice'), 'active', 'her service')
    rt.contains(host.show('reqivod.service', 'StatusText', '--user', user='alice'), f'Ready on /run/user/{uid}/reqivo/reqivo.sock')
    rt.equal(service.status(host, 'alice')['instance'], 'user')
    host.run('systemctl', '--user', 'restart', 'reqivod.service', user='alice')
    service.body(host, 'alice', '/mine-again')
    done = service.get(host, 'bob', f'{service.URL}/other', '--socket', f'/run/user/{uid}/reqivo/reqivo.sock')
    assert done.returncode != 0, "bob used alice's instance"


def quiet(host):
    """No unit has failed, and the daemon had nothing to complain about but what was done to it."""
    rt.equal(host.text('systemctl', '--failed', '--plain', '--no-legend'), '', 'units that have failed')
    rows = service.journal(host, '-u', 'reqivod', '_COMM=reqivod', '-p', 'err')
    rt.equal([row['MESSAGE'] for row in rows if 'self-check' not in row['MESSAGE'] and 'reqivod.conf' not in row['MESSAGE']], [])


def run(tap, host):
    for name, case in (('restarts under load: nothing is lost, nothing is sent twice', restarted),
                       ('stops under load: the socket starts it again', stopped),
                       ('the watchdog restarts a daemon that was stopped with SIGSTOP', watchdog),
                       ('after kill -9 its successor answers', crashed),
                       ('a wrong configuration ends the start, once', bad_config),
                       ('a drop-in that makes it root is refused', as_root),
                       ("an instance under a user's service manager", user_instance),
                       ('nothing else has failed', quiet)):
        tap.case(name, case, host)
