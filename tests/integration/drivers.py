# SPDX-License-Identifier: MIT
"""drivers - the two C drivers (driver_common.h) from Python: descriptions of requests in, results as dicts out."""
import json
import os
import select
import shutil
import subprocess
import sys
import time
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('REQIVO_SRCDIR') or os.path.join(os.path.dirname(__file__), '..', '..'),
                                'tests', 'lib'))

import reqivotest as rt  # noqa: E402


def sanitized():
    """$SANITIZED says it, else the daemon does."""
    if 'SANITIZED' in os.environ:
        return os.environ['SANITIZED'] == '1'
    try:
        with open(rt.program('reqivod'), 'rb') as file:
            return b'__asan_init' in file.read()
    except rt.Failed:
        return False


KINDS = ('sync', 'async')
SANITIZED = sanitized()
SLOW = 4 if SANITIZED else 1  # factor for times
FAT = 12 if SANITIZED else 1  # factor for memory (red zones, quarantine)


def pattern(size):
    """The bytes that the drivers make for `body fill` and its like."""
    block = bytes(range(251))
    return (block * (size // 251 + 1))[:size]


def crc(data):
    return zlib.crc32(data)


def escape(text):
    data = text.encode('utf-8') if isinstance(text, str) else text
    return ''.join(chr(b) if 0x20 < b < 0x7f and b != 0x5c else f'\\x{b:02x}' for b in data)


def describe(tag, method, url, *options):
    """The lines of one request. options: 'verify 0', ('field', name, value), ('body', 'memory', bytes), ..."""
    lines = [f'request {tag} {escape(method)} {escape(url)}']
    for option in options:
        if isinstance(option, tuple) and option[0] == 'field':
            lines.append(f'field {escape(option[1])} {escape(option[2])}')
        elif isinstance(option, tuple) and option[1] in ('memory', 'view'):
            lines.append(f'body {option[1]} {escape(option[2])}')
        else:
            lines.append(option if isinstance(option, str) else ' '.join(str(part) for part in option))
    return '\n'.join([*lines, 'end', ''])


def path(kind):
    """The program: libtool's wrapper, or what it wraps."""
    name = os.path.join(rt.builddir(), 'tests', 'integration', f'driver_{kind}')
    if not os.access(name, os.X_OK):
        raise rt.Failed(f'{name} is not built')
    return name


def for_everybody(place, name):
    """A copy of a program of the build where every user can reach it: the build may lie below root's home.
    Returns (its path, the environment that it needs)."""
    real = os.path.join(os.path.dirname(name), '.libs', os.path.basename(name))
    home = os.path.join(place.dir, 'for-everybody')
    os.makedirs(home, exist_ok=True)
    libs = os.path.join(rt.builddir(), '.libs')
    wanted = [os.path.join(libs, file) for file in os.listdir(libs) if file.startswith('libreqivo-client.so.')]
    for file in [real if os.access(real, os.X_OK) else name, *wanted]:
        copy = os.path.join(home, os.path.basename(file))
        if not os.path.exists(copy):
            shutil.copy(file, copy)
            os.chmod(copy, 0o755)
    os.chmod(home, 0o755)
    return os.path.join(home, os.path.basename(name)), dict(os.environ, LD_LIBRARY_PATH=home)


class Driver:
    """A running driver. Stopped with the place. One that becomes another user (preexec) runs from where he can reach it."""

    def __init__(self, place, kind, socket, preexec=None, env=None):
        self.kind = kind
        self.errors = place.fresh(f'driver-{kind}')
        program = path(kind)
        if preexec:
            program, needed = for_everybody(place, program)
            env = dict(env or {}, **needed)
        with open(self.errors, 'wb') as err:
            self.popen = subprocess.Popen([program, socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                          preexec_fn=preexec, env=env)
        self.pid = self.popen.pid
        self.buffer = b''
        place.keep(self)

    def write(self, text):
        self.popen.stdin.write(text.encode('latin-1'))
        self.popen.stdin.flush()

    def line(self, seconds=None):
        """The next result; None at the end of its output."""
        end = time.monotonic() + (seconds or rt.DEADLINE * SLOW)
        while b'\n' not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
                raise rt.Failed(f'driver_{self.kind} gave no result in time')
            data = os.read(self.popen.stdout.fileno(), 65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def ask(self, *request, seconds=None):
        """One request, to its result."""
        self.write(describe(*request) + 'run\n')
        result = self.line(seconds)
        if result is None:
            raise rt.Failed(f'driver_{self.kind} ended with {self.popen.wait()}: {self.last_words()}')
        return result

    def close_input(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass

    def rest(self, seconds=None):
        """Everything until the end of its output."""
        rows = []
        while (row := self.line(seconds)) is not None:
            rows.append(row)
        return rows

    def finish(self, seconds=None):
        """Ends its input; the results left and the summary (the last), the exit code."""
        self.close_input()
        rows = self.rest(seconds)
        return rows, self.popen.wait()

    def last_words(self):
        with open(self.errors, errors='replace') as file:
            return file.read()[-2000:]

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        self.close_input()


def gauge(daemon, *args):
    """reqivoctl status --json as one dict."""
    done = daemon.reqivoctl('status', '--json', *args)
    if done.returncode:
        raise rt.Failed(f'reqivoctl ended with {done.returncode}: {done.stderr.decode()}')
    data = json.loads(done.stdout)
    if isinstance(data, list):
        data = data[0]
    return {k: int(v) if str(v).isdigit() else v for k, v in data.items()}


def ends_well(daemon):
    """SIGTERM, exit code 0: under a sanitizer this says that nothing leaked."""
    rt.equal(daemon.stop(), 0, f'exit code of the daemon: {daemon.process.output()[-3000:]}')
