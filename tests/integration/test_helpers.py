#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_helpers - the tables of helper_cases.py and error_cases.py through both drivers; and what is no daemon, or gone, as a class."""
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import error_cases  # noqa: E402
import helper_cases  # noqa: E402
import steps  # noqa: E402
import test_session  # noqa: E402
from drivers import rt  # noqa: E402


class Origin(test_session.HopOrigin):
    def do_half_body(self, connection, request):
        connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234')
        return False

    def do_bytes(self, connection, request):
        return self.answer(connection, b'a\0b')


class FakeDaemon:
    """Answers HELLO with what is no frame, or goes."""

    def __init__(self, place, answer):
        self.path, self.answer = place.fresh('fake'), answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()
        place.keep(self)

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.recv(65536)
            sock.sendall(self.answer)
            sock.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def world(place):
    made = test_session.world(place)
    made.origins['a'] = origin = Origin(place)
    made.words['aw'] = f'ws://127.0.0.1:{origin.port}'
    origin.raw('head', b'HTTP/1.1 2000 OK\r\n\r\n')
    origin.raw('length', b'HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n')
    return made


def fails(place, kind, socket_path, error, cls):
    driver = drivers.Driver(place, kind, socket_path)
    row = driver.ask('t', 'GET', 'http://127.0.0.1/', 'timeout total 3000')
    rt.equal((row['class'], row['error']), (cls, error), row.get('detail', ''))
    driver.stop()


def no_daemon(place, kind):
    driver = drivers.Driver(place, kind, place.path('nothing-there'))
    rt.equal(driver.line()['class'], 'daemon')


def other_classes(tap):
    with rt.Place() as place:
        garbage = FakeDaemon(place, b'\xff' * 64)
        for kind in drivers.KINDS:
            tap.case(f'{kind}: protocol: what answers is no daemon', fails, place, kind, garbage.path, 'E_WIRE', 'protocol')
            tap.case(f'{kind}: daemon: nothing is there', no_daemon, place, kind)
    tap.case('each class of the hierarchy is reached', lambda: rt.equal(
        error_cases.REACHED | {'protocol', 'daemon'}, set(error_cases.CLASSES)))


if __name__ == '__main__':
    sys.exit(steps.run_tables(world, [*helper_cases.CASES, *error_cases.CASES], other_classes))
