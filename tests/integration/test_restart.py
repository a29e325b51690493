#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_restart - what the end of the daemon and the next one do to sessions: cookies that were taken are lost, which is told once;
a session without cookies notices nothing. Through both drivers, for a daemon that is killed and for one that is stopped."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
from drivers import rt  # noqa: E402
from test_redirect import HopOrigin, summary  # noqa: E402


class Session:
    """Requests of one session of a driver."""

    def __init__(self, driver, origin, name):
        self.driver, self.origin, self.name = driver, origin, name

    def ask(self, path, *options):
        self.driver.write(f'session {self.name}\n')
        row = self.driver.ask(self.name, 'GET', self.origin.url(path), *options)
        rt.equal(row['completions'], 1, 'completions')
        return row

    def well(self, path, *options):
        row = self.ask(path, *options)
        rt.equal((row['error'], row['status']), ('', 200), row.get('detail'))

    def lost(self, path):
        """One error, which says so, and no request at the origin."""
        before = len(self.origin.log)
        row = self.ask(path)
        rt.equal((row['error'], row['class'], row['sent'], row['status']), ('E_SESSION_LOST', 'daemon', 0, 0), row.get('detail'))
        rt.equal(len(self.origin.log), before, 'requests at the origin')

    def cookie(self):
        self.well('/end')
        return self.origin.log[-1].get('cookie')


def restart(daemon, how):
    daemon.kill() if how == 'killed' else rt.equal(daemon.stop(), 0, 'exit code')
    daemon.start()


def cookies_are_lost(daemon, origin, driver, how):
    session = Session(driver, origin, f'taken-{driver.kind}-{how}')
    other = Session(driver, origin, f'other-{driver.kind}-{how}')
    for one in (session, other):
        one.well('/set/one=1')
        rt.equal(one.cookie(), 'one=1', 'the cookie')
    restart(daemon, how)
    session.lost('/end')
    rt.equal(session.cookie(), '', 'the jar is empty')
    session.well('/set/two=2')
    rt.equal(session.cookie(), 'two=2', 'the next cookie')
    other.lost('/end')
    rt.equal(other.cookie(), '', 'the jar of the other')


def a_redirect_took_it(daemon, origin, driver, how):
    """Set by the answer that leads on, not by the last one."""
    session = Session(driver, origin, f'hop-{driver.kind}-{how}')
    session.well('/setto/one=1/end', 'redirects 30')
    restart(daemon, how)
    session.lost('/end')
    rt.equal(session.cookie(), '', 'the jar is empty')


def nothing_to_lose(daemon, origin, driver, how):
    session = Session(driver, origin, f'empty-{driver.kind}-{how}')
    session.well('/end')
    restart(daemon, how)
    session.well('/end')
    session.well('/set/one=1')
    rt.equal(session.cookie(), 'one=1', 'the cookie')


def main():
    tap = rt.Tap()
    submitted = {}
    with rt.Place() as place:
        daemon, origin = rt.Reqivod(place), HopOrigin(place)
        for kind in drivers.KINDS:
            driver = drivers.Driver(place, kind, daemon.socket)
            for how in ('killed', 'stopped'):
                for case in (cookies_are_lost, a_redirect_took_it, nothing_to_lose):
                    tap.case(f'{kind}: {how}: {case.__name__.replace("_", " ")}', case, daemon, origin, driver, how)
            tap.case(f'{kind}: each submitted request completed exactly once',
                     lambda d=driver, k=kind: submitted.update({k: summary(d)}))
        tap.case('both drivers submitted the same number of requests', lambda: rt.equal(submitted.get('sync'), submitted.get('async')))
        tap.case('the daemon ends well', drivers.ends_well, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
