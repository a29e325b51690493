# SPDX-License-Identifier: MIT
"""cases_service - the system service: started by its socket, of two users, confined, seen."""
import json
import re

import image
from image import HOST, rt

URL = f'https://{HOST}:8443'
RELOADED = '1470cf80c8d942619137974dfd13ac5f'
READY, STARTED = '015c47f353fa4077a25a2ba22178290f', 'ca0b4a0058e24db78ed519dfb2258355'
SOCKETS = ('reqivod.socket', 'reqivod-control.socket')


def get(host, user, url, *args, **options):
    return host.run('reqivo', '-sS', *args, url, user=user, check=False, **options)


def body(host, user, path):
    done = get(host, user, URL + path)
    rt.equal((done.returncode, done.stdout.decode()), (0, f'hello from {path}\n'), done.stderr.decode())


def arrived(host, words):
    """(connection, method, target) of what the origin has seen whose target holds the words."""
    rows = [line.split(' ', 2) for line in host.file('run/origin.log').splitlines()]
    return [row for row in rows if words in row[2]]


def main_pid(host):
    return int(host.show('reqivod.service', 'MainPID'))


def status(host, user='bob', *args):
    return json.loads(host.text('reqivoctl', *args, '--json', 'status', user=user))


def journal(host, *words):
    return [json.loads(line) for line in host.text('journalctl', '-o', 'json', '--no-pager', *words).splitlines()]


def enabled(host):
    """As README.md says."""
    host.run('systemctl', 'enable', '--now', *SOCKETS)
    for unit in SOCKETS:
        rt.equal(host.text('systemctl', 'is-active', unit), 'active', unit)
        rt.equal(host.text('systemctl', 'is-enabled', unit), 'enabled', unit)
    rt.equal(host.show('reqivod.service', 'ActiveState'), 'inactive', 'the service, which nobody has used')


def origin(host):
    host.run('systemd-run', '--unit=origin', 'python3', '/opt/test/origin.py')
    rt.poll('the origin answers', lambda: host.run('python3', '-c', 'import socket; socket.create_connection(("127.0.0.1", 8443))',
                                                   check=False).returncode == 0)


def first_use(host):
    body(host, 'alice', '/first')
    rt.equal(host.show('reqivod.service', 'ActiveState'), 'active', 'the service')
    rt.equal(len(arrived(host, '/first')), 1, 'requests that the origin saw')
    rt.contains(host.show('reqivod.service', 'StatusText'), 'Ready on /run/reqivo/reqivo.sock: ')


def two_users(host):
    """alice's second request finds her connection; bob's first makes his own."""
    for user, path in (('alice', '/share-1'), ('alice', '/share-2'), ('bob', '/share-3')):
        body(host, user, path)
    seen = [row[0] for row in arrived(host, '/share-')]
    assert seen[0] == seen[1] != seen[2], f'connections of alice, alice and bob: {seen}'


def refused(host):
    """carol is a user as well, but not one who may go to loopback addresses."""
    done = get(host, 'carol', f'{URL}/carol')
    assert done.returncode != 0 and b'address_policy.loopback' in done.stderr, f'{done.returncode} {done.stderr}'
    done = get(host, 'alice', 'https://169.254.169.254/', '-m', '20')
    assert done.returncode != 0 and b'address_policy' in done.stderr, f'{done.returncode} {done.stderr}'
    done = get(host, 'alice', f'https://{HOST}:8443/', '-k')
    assert done.returncode != 0, 'the system service let a user turn verification off'
    rt.equal(arrived(host, 'carol'), [], 'what the origin saw')


def confined(host):
    """As the kernel has it, not as the unit says."""
    pid = main_pid(host)
    found = dict(re.findall(r'^(\w+):\s*(.*)$', host.text('cat', f'/proc/{pid}/status'), re.M))
    uid = host.text('id', '-u', 'reqivo')
    rt.equal(found['Uid'].split(), [uid] * 4, 'uids')
    rt.equal({name: int(found[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')},
             dict.fromkeys(('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'), 0))
    rt.equal((found['NoNewPrivs'], found['Seccomp']), ('1', '2'), 'no new privileges, a filter of system calls')
    limits = host.text('cat', f'/proc/{pid}/limits')
    assert re.search(r'^Max core file size +0 +0 ', limits, re.M), limits


def confined_files(host):
    """What its mounts are: nothing can be written or started, and no home is there."""
    enter = ('nsenter', '--target', str(main_pid(host)), '--mount', '--')
    done = host.run(*enter, '/bin/ls', check=False)
    rt.contains(done.stderr.decode(), 'Permission denied', 'root starting a program where the daemon is')
    mounts = {}
    for line in host.text('cat', f'/proc/{main_pid(host)}/mountinfo').splitlines():
        fields = line.split()
        mounts[fields[4]] = fields[5].split(',')
    for path, flags in (('/', ('ro', 'noexec')), ('/home', ('ro',)), ('/tmp', ('noexec',)), ('/var/tmp', ('noexec',)),
                        ('/var/lib/reqivo', ('noexec',)), ('/dev/shm', ('noexec',))):
        assert path in mounts, f'{path} is no mount of its own: {sorted(mounts)}'
        for flag in flags:
            assert flag in mounts[path], f'{path}: {mounts[path]}'
    programs = {path for path in mounts if path.startswith('/usr') and 'noexec' not in mounts[path]}
    rt.equal(programs - {'/usr/lib64'}, {'/usr/lib', '/usr/sbin/reqivod'}, 'where programs may be')


def seen(host):
    """Everybody is shown what is his; bob, an administrator, all."""
    rt.equal(status(host)['instance'], 'system')
    rows = {user: json.loads(host.text('reqivoctl', '--json', 'pools', user=user)) for user in ('alice', 'bob', 'carol')}
    uids = {user: {row['uid'] for row in rows[user]} for user in rows}
    rt.equal(uids['alice'], {2001}, 'whose pools alice sees')
    rt.equal(uids['carol'], {2003}, 'whose pools carol sees, though nothing was dialled')
    rt.equal(uids['bob'], {2001, 2002, 2003}, 'whose pools bob sees')


def reload(host, text):
    image.put(host.root, 'etc/reqivo/reqivod.conf', text)
    done = host.run('systemctl', 'reload', 'reqivod.service', check=False)
    rt.equal(done.returncode, 0, done.stderr.decode())


def reloaded(host):
    """systemctl reload: what is changed is in force in the same process, a request under way is not lost, a bad file changes nothing."""
    pid, before = main_pid(host), host.file('etc/reqivo/reqivod.conf')
    count = len(journal(host, '-u', 'reqivod', f'MESSAGE_ID={RELOADED}'))
    scrape = ('python3', '-c', 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:9464/metrics", timeout=10).read().decode())')
    slow = host.start('reqivo', '-sS', f'{URL}/slow?reload', user='alice')
    rt.poll('it has arrived', lambda: arrived(host, '/slow?reload'))
    reload(host, before + '\nmetrics {\n    listen = "127.0.0.1:9464"\n}\n')
    rt.poll('the journal says so', lambda: len(journal(host, '-u', 'reqivod', f'MESSAGE_ID={RELOADED}')) > count)
    rt.poll('the confined service listens there', lambda: host.run(*scrape, check=False).returncode == 0)
    text = host.text(*scrape)
    rt.contains(text, '\nreqivo_build_info{', 'what a collector reads')
    assert 'reqivo_user_' not in text, text
    slow.communicate(timeout=120)
    rt.equal(slow.returncode, 0, 'the request that was under way')
    reload(host, before + '\npool {\n    connections = many\n}\n')
    rt.poll('the bad file is named', lambda: "pool.connections: 'many' is not " in host.show('reqivod.service', 'StatusText'))
    body(host, 'alice', '/after-a-bad-file')
    rt.contains(host.text(*scrape), '\nreqivo_build_info{', 'what was in force stays')
    reload(host, before)
    rt.poll('nobody listens there', lambda: host.run(*scrape, check=False).returncode != 0)
    rt.equal(main_pid(host), pid, 'the process')


def recorded(host):
    """The journal has the daemon's fields, and the service manager's."""
    rows = journal(host, '-u', 'reqivod', f'MESSAGE_ID={READY}')
    assert rows, 'no line that says it is ready'
    row = rows[-1]
    rt.equal((row['REQIVO_SOCKET'], row['REQIVO_INSTANCE'], row['PRIORITY']), ('/run/reqivo/reqivo.sock', 'system', '5'))
    rt.equal((row['_SYSTEMD_UNIT'], row['_PID']), ('reqivod.service', str(main_pid(host))))
    assert journal(host, '-u', 'reqivod', f'MESSAGE_ID={STARTED}'), 'no line that says it has begun'
    text = '\n'.join(str(row) for row in journal(host, '-u', 'reqivod'))
    assert '/share-1' not in text, 'a path is in the journal'


def analysed(host):
    """systemd-analyze on the machine itself: nothing to complain about, and the exposure is that of the gate."""
    for unit in (*SOCKETS, 'reqivod.service'):
        done = host.run('systemd-analyze', 'verify', '--man=no', unit)
        rt.equal(done.stderr.decode(), '', unit)
    out = host.text('systemd-analyze', 'security', '--no-pager', '--threshold=15', 'reqivod.service')
    print(f'# {out.splitlines()[-1].encode("ascii", "ignore").decode().strip()}', flush=True)


def run(tap, host):
    for name, case in (('the sockets are enabled, and nothing runs', enabled), ('an origin, https and http', origin),
                       ('first use starts the daemon through the socket', first_use),
                       ('two users, who do not share', two_users), ('what the policy refuses is refused', refused),
                       ('the process has no privilege and a filter of system calls', confined),
                       ('its files: nothing to write, nothing to start', confined_files),
                       ('each is shown what is his, an administrator all', seen),
                       ('systemctl reload: a changed file, the metrics over HTTP, a bad file', reloaded),
                       ('the journal has the fields', recorded), ('systemd-analyze has no complaint', analysed)):
        tap.case(name, case, host)
