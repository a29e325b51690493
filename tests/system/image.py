# SPDX-License-Identifier: MIT
"""image - the Debian 12 system that the tests boot: made once by debootstrap and kept, copied for each run, and the project
installed into the copy. The mirror is the one of this machine's apt."""
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import reqivotest as rt  # noqa: E402

SUITE = 'bookworm'
PACKAGES = ('systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'ca-certificates', 'procps', 'python3')
USERS = {'alice': 2001, 'bob': 2002, 'carol': 2003}  # carol may not go to loopback addresses
CONF = 'address_policy {\n    loopback_users = {"alice", "bob"}\n}\ncontrol {\n    admins = {"bob"}\n}\n'
HOST = 'origin.test'


class Cannot(Exception):
    """This machine cannot do it; the message says why."""


def demands(tools):
    if os.geteuid() != 0:
        raise Cannot('it needs root, to make and to boot a system')
    with open('/etc/os-release', encoding='utf-8') as file:
        about = file.read()
    if not re.search(r'^VERSION_ID="?12"?$', about, re.M) or not re.search(r'^ID="?debian"?$', about, re.M):
        raise Cannot('what is built here is for this system, and the one that is booted is Debian 12')
    for name in tools:
        if not shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'):
            raise Cannot(f'{name} is missing')


def apt(*args):
    return subprocess.run(args, capture_output=True, text=True, check=False).stdout


def mirror():
    """(address, proxy or None) that this machine's apt uses for Debian."""
    sites = re.findall(rf'^Debian (\S+) {SUITE} main$',
                       apt('apt-get', 'indextargets', '--format', '$(ORIGIN) $(SITE) $(CODENAME) $(COMPONENT)', 'Created-By: Packages'),
                       re.M)
    if not sites:
        raise Cannot(f'apt of this machine knows no mirror of Debian {SUITE}')
    proxy = re.search(r'"(\S+)"', apt('apt-config', 'dump', 'Acquire::http::Proxy'))
    return sites[0], proxy.group(1) if proxy else None


def libraries(programs):
    """The packages of the shared libraries that these programs load."""
    names = set()
    for program in programs:
        for path in re.findall(r' => (/\S+)', rt.run(['ldd', program]).stdout.decode()):
            done = subprocess.run(['dpkg-query', '-S', path, os.path.realpath(path)], capture_output=True, text=True, check=False)
            owners = re.findall(r'^([\w.+-]+)(?::\w+)?: /', done.stdout, re.M)
            if not owners:
                raise Cannot(f'{path} belongs to no package')
            names.add(owners[0])
    return names


def base(folder, packages):
    """The system as debootstrap makes it, with these packages; from the last run when they were the same."""
    root, stamp = os.path.join(folder, 'base'), os.path.join(folder, 'base.packages')
    wanted = f'{SUITE} {" ".join(sorted(packages))}\n'
    if os.path.exists(stamp):
        with open(stamp, encoding='ascii') as file:
            if file.read() == wanted:
                return root
        os.unlink(stamp)
    site, proxy = mirror()
    shutil.rmtree(root, ignore_errors=True)
    print(f'# debootstrap makes Debian {SUITE}; this takes some minutes, once', flush=True)
    env = dict(os.environ, **({'http_proxy': proxy} if proxy else {}))
    with open(os.path.join(folder, 'debootstrap.log'), 'wb') as log:
        done = subprocess.run(['debootstrap', '--variant=minbase', f'--include={",".join(sorted(packages))}', SUITE, root, site],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, check=False)
    if done.returncode:
        raise Cannot(f'debootstrap ended with {done.returncode}: see {log.name}')
    with open(stamp, 'w', encoding='ascii') as file:
        file.write(wanted)
    return root


def put(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def add(root, name, text):
    with open(os.path.join(root, name), 'a', encoding='utf-8') as file:
        file.write(text)


def prepare(root, certs):
    """What the machine needs besides: users, a name, a CA that is trusted, the origin's certificate, the programs of the test."""
    put(root, 'etc/hostname', 'reqivo-test\n')
    put(root, 'etc/machine-id', '')
    put(root, 'etc/hosts', f'127.0.0.1 localhost reqivo-test {HOST}\n::1 localhost\n')
    put(root, 'etc/resolv.conf', '# no name server: what is not in /etc/hosts is not there\n')
    put(root, 'usr/lib/sysusers.d/reqivo-test.conf',
        ''.join(f'u {name} {uid} - /home/{name} /bin/sh\n' for name, uid in USERS.items()))
    put(root, 'etc/reqivo/reqivod.conf', CONF)
    for name, uid in USERS.items():
        home = os.path.join(root, 'home', name)
        os.makedirs(home, mode=0o700)
        os.chown(home, uid, uid)
    with open(certs.ca, encoding='ascii') as file:
        add(root, 'etc/ssl/certs/ca-certificates.crt', file.read())
    tools = os.path.join(root, 'opt/test')
    os.makedirs(tools)
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (*certs.issue('machine', san=f'DNS:{HOST}'), *(os.path.join(here, name) for name in ('origin.py', 'load.py'))):
        shutil.copy(path, tools)
    done = rt.run(['systemd-sysusers', f'--root={root}'], check=False)
    if done.returncode:
        raise rt.Failed(f'systemd-sysusers: {done.stderr.decode()}')


def make(folder, build, certs):
    """A fresh root with the project installed; its path."""
    os.makedirs(folder, exist_ok=True)
    programs = [os.path.join(build, name) for name in ('reqivod', 'reqivo', 'reqivoctl')]
    source, root = base(folder, libraries(programs) | set(PACKAGES)), os.path.join(folder, 'root')
    shutil.rmtree(root, ignore_errors=True)
    rt.run(['cp', '-a', '--reflink=auto', source, root], timeout=600)
    env = {name: value for name, value in os.environ.items() if name not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS')}
    rt.run(['make', '-s', '-C', build, 'install', f'DESTDIR={root}'], env=env, timeout=600)
    prepare(root, certs)
    return root
