# SPDX-License-Identifier: MIT
"""manager - what systemd does for reqivod, made by hand: it keeps the listening socket, starts the daemon with it, ends it with
SIGTERM, and hears what it notifies."""
import fcntl
import os
import signal
import socket
import threading

from drivers import rt


class Notify:
    """What a service manager hears. It is always read: sd_notify() waits for whoever does not."""

    def __init__(self, place):
        self.path = place.fresh('notify')
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.heard = []
        threading.Thread(target=self._read, daemon=True).start()
        place.keep(self)

    def _read(self):
        while True:
            try:
                data = self.sock.recv(4096)
            except OSError:
                return
            if not data:
                return
            self.heard += data.decode().splitlines()

    def lines(self):
        return list(self.heard)

    def count(self, line):
        return self.lines().count(line)

    def wait(self, line, times=1, seconds=None):
        rt.poll(f'{line} by sd_notify, got {self.heard[-20:]}', lambda: self.count(line) >= times, seconds)

    def status(self):
        """The last one."""
        return next((line[7:] for line in reversed(self.lines()) if line.startswith('STATUS=')), '')

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Manager:
    """One service. activated: the socket is kept here, and given to each instance; else each makes its own."""

    LAUNCH = 'export LISTEN_PID=$$; exec "$@" 3<&{0} {0}<&-'

    def __init__(self, place, conf, activated=True):
        self.place = place
        self.dir = place.fresh('service')
        os.makedirs(self.dir, mode=0o700)
        self.socket = os.path.join(self.dir, 'reqivo.sock')
        self.conf = os.path.join(self.dir, 'reqivod.conf')
        self.log = os.path.join(self.dir, 'log')
        self.write(conf)
        self.notify = Notify(place)
        self.listener = self.held = None
        if activated:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.socket)
            listener.listen(4096)
            self.listener = listener
            self.held = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 4)
        self.process = None
        self.starts = 0
        place.keep(self)

    def write(self, conf):
        """In one step, as an administrator should."""
        with open(self.conf + '.new', 'w', encoding='utf-8') as file:
            file.write(conf)
        os.rename(self.conf + '.new', self.conf)

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns when it is ready."""
        argv = [rt.program('reqivod'), '--socket', self.socket, '--config', self.conf]
        env = {k: v for k, v in os.environ.items() if k not in ('LISTEN_FDS', 'LISTEN_PID', 'JOURNAL_STREAM')}
        env['NOTIFY_SOCKET'] = self.notify.path
        ready = self.notify.count('READY=1')
        if self.held is None:
            self.process = rt.Process(argv, self.log, env=env)
        else:
            env['LISTEN_FDS'] = '1'
            os.set_inheritable(self.held, True)
            self.process = rt.Process([rt.tool('bash'), '-c', self.LAUNCH.format(self.held), 'sh', *argv], self.log, env=env,
                                      pass_fds=(self.held,))
        self.starts += 1
        self.process.need('READY=1', lambda: self.notify.count('READY=1') > ready)

    def end(self, number=signal.SIGTERM):
        """The exit code; negative: the signal."""
        return self.process.stop(number)

    def reload(self, seconds=None):
        """SIGHUP, until it is acknowledged. The status."""
        ready = self.notify.count('READY=1')
        self.process.send(signal.SIGHUP)
        self.process.need('READY=1 after the reload', lambda: self.notify.count('READY=1') > ready, seconds)
        return self.notify.status()

    def output(self):
        with open(self.log, errors='replace') as file:
            return file.read()

    def reqivo(self, *args, **options):
        return rt.run([rt.program('reqivo'), '--socket', self.socket, *args], check=False, **options)

    def reqivoctl(self, *args):
        return rt.run([rt.program('reqivoctl'), '--socket', self.socket, *args], check=False)

    def stop(self):
        if self.process:
            self.process.stop()
        if self.listener:
            self.listener.close()
            os.close(self.held)
