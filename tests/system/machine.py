# SPDX-License-Identifier: MIT
"""machine - a root booted by systemd-nspawn, with a network of its own, and programs run inside of it."""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True

import image  # noqa: E402
from image import rt  # noqa: E402

PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
CGROUP_2 = 0x63677270


def cgroup_version():
    """Which one systemd of the machine will have."""
    done = rt.run(['stat', '--file-system', '--format=%t', '/sys/fs/cgroup'])
    return 2 if int(done.stdout, 16) == CGROUP_2 else 1


class Machine:
    def __init__(self, place, root):
        self.root = root
        words = [] if cgroup_version() == 2 else ['systemd.unified_cgroup_hierarchy=0', 'systemd.legacy_systemd_cgroup_controller=1']
        self.argv = ['systemd-nspawn', '--quiet', '-D', root, '--register=no', '--keep-unit', '--private-network']
        self.probe()
        self.log = place.path('console')
        self.process = rt.Process([*self.argv, '-b', *words], self.log)
        place.keep(self)
        self.leader = self.process.need('the machine has a process 1', self.find_leader)
        # What cannot be started in a container is no matter here: the cases name what they need.
        self.process.need('the machine has started', lambda: self.state() in ('running', 'degraded'), 120)

    def probe(self):
        done = subprocess.run([*self.argv, '/bin/true'], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise image.Cannot(f'systemd-nspawn starts nothing here: {done.stderr.strip()[-300:]}')

    def find_leader(self):
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children', encoding='ascii') as file:
            children = file.read().split()
        for pid in children:
            with open(f'/proc/{pid}/comm', encoding='ascii') as file:
                if file.read().strip() == 'systemd':
                    return int(pid)
        return 0

    def state(self):
        return self.run('systemctl', 'is-system-running', check=False).stdout.decode().strip()

    def inside(self, argv, user=None):
        enter = ['nsenter', '--target', str(self.leader), '--mount', '--uts', '--ipc', '--pid', '--net', '--']
        env = [f'PATH={PATH}', 'LANG=C.UTF-8']
        if user:
            uid = image.USERS[user]
            enter += ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']
            env += [f'HOME=/home/{user}', f'USER={user}']
            if os.path.isdir(f'/proc/{self.leader}/root/run/user/{uid}'):
                env += [f'XDG_RUNTIME_DIR=/run/user/{uid}']
        return [*enter, 'env', '-i', *env, *argv]

    def run(self, *argv, user=None, check=True, **options):
        return rt.run(self.inside(argv, user), check=check, **options)

    def text(self, *argv, **options):
        return self.run(*argv, **options).stdout.decode().strip()

    def start(self, *argv, user=None):
        """In the background, with its output to be read."""
        return subprocess.Popen(self.inside(argv, user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def show(self, unit, name, *more, **options):
        return self.text('systemctl', *more, 'show', '-P', name, unit, **options)

    def file(self, name):
        with open(f'/proc/{self.leader}/root/{name}', encoding='utf-8') as file:
            return file.read()

    def stop(self):
        """An orderly end; nspawn passes the signal on. With force when that takes too long."""
        return self.process.stop(signal.SIGTERM)
