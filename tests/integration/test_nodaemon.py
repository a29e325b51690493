#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_nodaemon - without a daemon there is one clear error, which names the paths; a foreign socket is not believed."""
import os
import socket
import subprocess
import sys
import threading
import time
import json

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402


def opened(kind, socket_path, env=None):
    """The one line that a driver prints when it cannot open its handle."""
    base = {k: v for k, v in os.environ.items() if k not in ('REQIVO_SOCKET', 'XDG_RUNTIME_DIR')}
    done = subprocess.run([drivers.path(kind), socket_path], stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
                          env=dict(base, **(env or {})))
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def refused(kind, path, env, names):
    start = time.monotonic()
    code, row = opened(kind, path, env)
    rt.equal((code, row.get('open'), row.get('class')), (3, 'E_NO_DAEMON', 'daemon'), row)
    for name in names:
        rt.contains(row['detail'], name, 'the paths that were tried')
    assert '\n' not in row['detail'], 'more than one line'
    assert time.monotonic() - start < 2 * drivers.SLOW, 'it took long'


def too_long(kind):
    code, row = opened(kind, '/tmp/' + 'x' * 200)
    rt.equal((code, row.get('open'), row.get('class')), (3, 'E_SOCKET_PATH', 'usage'), row)


def foreign(place, kind, behave):
    """Something listens that is no reqivod."""
    path = place.fresh('foreign')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            try:
                behave(listener.accept()[0])
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    driver = drivers.Driver(place, kind, path)
    row = driver.ask('a', 'POST', 'http://127.0.0.1:1/', 'body memory x', seconds=20 * drivers.SLOW)
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    assert row['class'] in ('daemon', 'protocol'), row
    rt.equal(row['completions'], 1, 'completions')
    driver.stop()


def gibberish(connection):
    connection.recv(4096)
    connection.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
    connection.close()


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        nowhere = place.path('nowhere', 'reqivo.sock')
        stale = place.path('stale.sock')
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(stale)
        runtime = place.path('runtime')
        for kind in drivers.KINDS:
            tap.case(f'{kind}: a path that does not exist is named', refused, kind, nowhere, None, [nowhere, 'No such file'])
            tap.case(f'{kind}: a socket that nobody listens on is named', refused, kind, stale, None, [stale, 'refused'])
            tap.case(f'{kind}: the path of REQIVO_SOCKET is named', refused, kind, '-', {'REQIVO_SOCKET': nowhere}, [nowhere])
            tap.case(f'{kind}: without any word, the paths of user and system are named', refused, kind, '-',
                     {'XDG_RUNTIME_DIR': runtime}, [runtime, 'reqivo.sock'])
            tap.case(f'{kind}: a path that is too long', too_long, kind)
            tap.case(f'{kind}: a socket that speaks something else', foreign, place, kind, gibberish)
            tap.case(f'{kind}: a socket that closes at once', foreign, place, kind, lambda c: c.close())
        if os.geteuid() == 0:
            tap.case('rule_b9_13: a socket of another user is not believed', squatted, place)
    return tap.done()


def squatted(place):
    """A stranger listens where root expects a daemon: root's handle must not send him anything."""
    folder = place.path('squat')
    os.mkdir(folder)
    os.chmod(place.dir, 0o755)
    path = os.path.join(folder, 'reqivo.sock')
    heard = place.path('heard')
    code = (f'import socket\ns=socket.socket(socket.AF_UNIX)\ns.bind({path!r})\ns.listen()\nprint("up",flush=True)\n'
            f'c,_=s.accept()\nprint(len(c.recv(100)),flush=True)\n')
    os.chmod(folder, 0o777)

    def stranger():
        os.setgid(12001)
        os.setuid(12001)

    with open(heard, 'wb') as out:
        popen = subprocess.Popen(['/usr/bin/python3', '-c', code], stdout=out, preexec_fn=stranger)
    try:
        rt.poll('the stranger listens', lambda: open(heard, encoding='ascii').read().startswith('up'))
        os.chown(folder, 0, 0)
        code, row = opened('sync', path)
        rt.equal(code, 3, f'the handle opened: {row}')
        rt.equal(row['class'], 'daemon', row)
        popen.wait(5)
        rt.equal(open(heard, encoding='ascii').read().split()[1:], ['0'], 'bytes that he heard')
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()


if __name__ == '__main__':
    sys.exit(main())
