#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""soak.py BUILD_DIR MINUTES [--out DIR] [--seed N] [--activated] - random programs on one daemon for a long time (`./dev soak`).

Synchronous and asynchronous programs of the library, `reqivo`, programs that are killed, paused readers, WebSockets and a hostile
user, of several uids where this is root. In the first quarter the daemon is stopped and started under that load, again and again;
then it lives to the end, and is reloaded where it can be. Every few seconds its memory, descriptors and accounts are noted; some
times all programs go for a moment, and what it holds at rest is noted, too. At the end
all programs go, all accounts must be back at nothing, and the slopes over its last life are printed and written to DIR/table.md.
With --activated the listening socket stays while the daemon does not, as with a service manager: then a stop is no excuse.
Exit code 1: something was not as it must be; the reasons are in the table.
"""
import argparse
import csv
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'lib'), os.path.join(HERE, '..', 'integration')]

UIDS = range(12001, 12006)
HOSTILE = 12009
WORKERS, PAUSE = 6, (0.05, 0.4)  # programs at a time, and between two of one worker
EVERY = 2  # seconds between samples
CONF = '''timeouts {
    linger = 3s
    slow_reader = 5s
}
pool {
    idle = 5s
}
'''
COLUMNS = ('seconds', 'rss_kib', 'descriptors', 'programs', 'requests', 'connections', 'memory', 'pools')
# What the loss of a daemon may cost: at a stop its programs are told, and a request that may have been sent is not sent again.
LOST = {'E_SHUTDOWN', 'E_DAEMON_LOST', 'E_NO_DAEMON'}


def slope(rows, column):
    """Least squares, per hour."""
    xs, ys = [row['seconds'] for row in rows], [row[column] for row in rows]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mx) ** 2 for x in xs)
    return 3600 * sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / over if over else 0.0


def start_activated(place, conf):
    """What rt.Reqivod is, with the socket in a manager's hands."""
    import manager
    import reqivotest as rt

    class Daemon(manager.Manager):
        memory_kib, fds = rt.Reqivod.memory_kib, rt.Reqivod.fds

        def stop(self):
            return self.end() if self.process else 0

    daemon = Daemon(place, conf)
    daemon.start()
    return daemon


class Soak:
    def __init__(self, place, seed, activated):
        import drivers  # they look for the build when they are loaded
        import hostile
        import odd_origin
        import test_hostile
        self.drivers, self.hostile, self.rt = drivers, hostile, drivers.rt
        self.place, self.seed = place, seed
        self.nginx = self.rt.Nginx(place, self.rt.Certs(place))
        self.odd = odd_origin.OddOrigin(place)
        self.activated = activated
        self.daemon = (start_activated if activated else self.rt.Reqivod)(place, self.rt.Reqivod.CONF + CONF)
        self.urls = dict(test_hostile.targets(place, self.odd), pause=0.05)
        self.root = os.geteuid() == 0
        self.over = False
        self.restarting = threading.Lock()
        self.counts, self.wrong = {}, []
        self.may_go = threading.Event()
        self.may_go.set()
        self.busy = 0  # workers that are not at rest
        self.lock = threading.Lock()
        self.lives = 0
        self.samples, self.rests = [], []
        self.open_up()
        for kind in drivers.KINDS if self.root else ():
            drivers.for_everybody(place, drivers.path(kind))  # before there are threads that would do it at once

    def open_up(self):
        if self.root:
            os.chmod(self.place.dir, 0o755)
            os.chmod(self.daemon.dir, 0o755)
            os.chmod(self.daemon.socket, 0o666)

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def become(self, dice):
        uid = dice.choice(UIDS)

        def change():
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        return change if self.root else None

    # ---- programs ----

    def requests(self, dice):
        """Descriptions of some requests, and by tag what each may end with."""
        text, allowed = '', {}
        http, https = self.nginx.url(host='127.0.0.1'), self.nginx.url('good')
        for n in range(dice.randint(1, 25)):
            kind = dice.choice(('get', 'get', 'tls', 'post', 'chunks', 'decode', 'timeout', 'refused', 'slow'))
            tag, good = f'{kind}{n}', {''}
            if kind == 'get':
                line = (tag, 'GET', http)
            elif kind == 'tls':
                line = (tag, 'GET', https, 'verify 0')
            elif kind == 'post':
                line = (tag, 'POST', self.odd.url('/echo'), f'body fill {dice.randint(0, 200000)}')
            elif kind == 'chunks':
                line = (tag, 'GET', self.odd.url(f'/chunks/{dice.randint(1, 20)}/{dice.randint(1, 30000)}'))
            elif kind == 'decode':
                line, good = (tag, 'GET', self.urls['bomb'], 'decode 1'), {'', 'E_LIMIT_CODING', 'E_LIMIT_BODY'}
            elif kind == 'timeout':
                line, good = (tag, 'GET', self.odd.url('/stall'), 'timeout first 200'), {'E_TIMEOUT_FIRST', 'E_TIMEOUT_QUEUE'}
            elif kind == 'slow':
                line, good = (tag, 'GET', self.odd.url('/chunks/60/30000'), 'stream', f'pause-after 1 {dice.randint(10, 1500)}'), {''}
            else:
                line, good = (tag, 'GET', 'http://127.0.0.1:1/'), {'E_CONNECT'}
            text, allowed[tag] = text + self.drivers.describe(*line), good
        return text, allowed

    def program(self, dice):
        """A program of the library that ends by itself, or is killed in the middle."""
        killed = dice.random() < 0.15
        life = self.lives
        driver = self.drivers.Driver(self.place, dice.choice(self.drivers.KINDS), self.daemon.socket, preexec=self.become(dice))
        text, allowed = self.requests(dice)
        try:
            driver.write(text + 'run\n')
            if killed:
                time.sleep(dice.uniform(0, 0.2))
                self.count('programs that were killed')
                return
            for _ in allowed:
                row = driver.line(120)
                if row is None or 'error' not in row:
                    self.no_daemon(f'a program ended before its requests: {row}', life)
                    return
                self.judge(row, allowed, life)
        except BrokenPipeError:
            self.no_daemon('a program ended before it was told its requests', life)
        except self.rt.Failed as error:
            self.wrong.append(f'{error}')
        finally:
            driver.stop()
            self.place.things.remove(driver)
            os.unlink(driver.errors)

    def stopped_since(self, life):
        return not self.activated and (life != self.lives or self.restarting.locked())

    def no_daemon(self, what, life):
        """A program that began between two lives of a daemon whose socket is its own finds none."""
        if self.stopped_since(life):
            self.count('programs that began during a stop')
        else:
            self.wrong.append(what)

    def judge(self, row, allowed, life):
        self.count('requests')
        if row['error'] in allowed.get(row['tag'], ()):
            return
        if row['error'] in LOST and self.stopped_since(life):
            self.count('requests that a stop ended')
            return
        self.wrong.append(f'{row["tag"]}: {row["error"]} {row.get("detail")}')

    def command(self):
        life = self.lives
        done = self.daemon.reqivo('-sS', self.nginx.url(host='127.0.0.1'))
        self.count('commands')
        if done.returncode:
            self.no_daemon(f'reqivo ended with {done.returncode}: {done.stderr.decode()[:200]}', life)

    def enemy(self, dice):
        kinds = dice.sample(self.hostile.KINDS, dice.randint(1, 3))

        def change():
            os.setgroups([])
            os.setgid(HOSTILE)
            os.setuid(HOSTILE)
        process = self.hostile.start(self.daemon.socket, self.urls, kinds, change if self.root else None)
        time.sleep(dice.uniform(0.5, 2))
        for kind, n in self.hostile.stop(process).items():
            self.count(f'attacks: {kind}', n)

    def worker(self, number):
        try:
            self.work(number, random.Random(self.seed * 1000 + number))
        except Exception as error:  # a worker that is gone would make the rest look good
            self.wrong.append(f'worker {number} ended: {type(error).__name__}: {error}')

    def work(self, number, dice):
        while not self.over:
            self.may_go.wait()
            self.occupied(1)
            if number == 0 and self.root:
                self.enemy(dice)
            elif dice.random() < 0.2:
                self.command()
            else:
                self.program(dice)
            self.occupied(-1)
            time.sleep(dice.uniform(*PAUSE))

    # ---- the daemon ----

    def occupied(self, n):
        with self.lock:
            self.busy += n

    def rest(self, begin):
        """All programs go for a moment: what the daemon holds then is what it keeps."""
        self.may_go.clear()
        try:
            self.rt.poll('the programs have ended', lambda: self.busy == 0, 180)
            self.rt.poll('the books are clear', self.clear, 60)
            self.sample(begin, self.rests)
        except self.rt.Failed as error:
            self.wrong.append(f'at a rest: {error}')
        self.may_go.set()

    def clear(self):
        books = self.drivers.gauge(self.daemon)
        return books if [books[name] for name in ('all_requests', 'all_connections', 'pools')] == [0, 0, 0] else None

    def sample(self, begin, into):
        try:
            books = self.drivers.gauge(self.daemon)
            row = {'seconds': time.monotonic() - begin, 'rss_kib': self.daemon.memory_kib(),
                   'descriptors': self.daemon.fds() if self.root else 0, 'programs': books['all_programs'],
                   'requests': books['all_requests'], 'connections': books['all_connections'], 'memory': books['all_memory'],
                   'pools': books['pools']}
        except (self.rt.Failed, OSError, ValueError):
            if not self.daemon.process.running():
                raise
            return  # it is stopping, or its status was refused
        into.append(row)

    def restart(self):
        with self.restarting:
            code = self.daemon.stop()
            self.daemon.start()
            self.open_up()
            self.lives += 1
            if code != 0:
                self.wrong.append(f'the daemon ended with {code}: {self.daemon.process.output()[-500:]}')
        self.count('restarts')
        self.samples, self.rests = [], []

    def reloads(self):
        """Whether this daemon knows how to; one that does not ends on SIGHUP."""
        done = self.daemon.reqivoctl('reload')
        return done.returncode == 0

    def watch(self, minutes):
        begin = time.monotonic()
        end, calm = begin + 60 * minutes, begin + 15 * minutes
        next_restart, next_reload, next_rest = begin + 5, 0, calm
        can_reload = None
        while time.monotonic() < end:
            now = time.monotonic()
            if now < calm and now >= next_restart:
                self.restart()
                next_restart = now + max(5, 15 * minutes / 6)
            elif now >= calm and can_reload is not False and now >= next_reload:
                can_reload = self.reloads()
                self.count('reloads', int(can_reload))
                next_reload = now + max(10, 3 * minutes)
            if now >= next_rest:
                self.rest(begin)
                next_rest = time.monotonic() + 3 * minutes
            self.sample(begin, self.samples)
            time.sleep(EVERY)

    def settle(self):
        """Everything goes; what is left in the books must be nothing."""
        self.odd.release.set()
        try:
            books = self.rt.poll('the books are clear', self.clear, 60)
        except self.rt.Failed as error:
            self.wrong.append(f'{error}: {self.drivers.gauge(self.daemon)}')
            books = self.drivers.gauge(self.daemon)
        for name, most in (('isolation_violations', 0), ('all_memory', 65536)):
            if books[name] > most:
                self.wrong.append(f'{name} is {books[name]} at the end')
        return books


def figures(title, rows, steady):
    if len(steady) < 2:
        return
    yield f'| {title} | at first | most | at the end | slope an hour |'
    yield '| --- | ---: | ---: | ---: | ---: |'
    for column in COLUMNS[1:]:
        yield f'| {column} | {rows[0][column]} | {max(row[column] for row in rows)} | {rows[-1][column]} | {slope(steady, column):+.1f} |'
    yield ''


def table(soak, minutes, books):
    rows = soak.samples
    warm = rows[len(rows) // 2:]
    yield f'# Soak, {minutes:g} minutes, seed {soak.seed}' + (', socket activation' if soak.activated else '')
    yield ''
    yield 'What was done: ' + ', '.join(f'{n} {what}' for what, n in sorted(soak.counts.items())) + '.'
    yield ''
    yield from figures(f'under load, {len(rows)} samples; the slope is that of the last half', rows, warm)
    yield from figures(f'at rest, {len(soak.rests)} times; the slope is that of all but the first', soak.rests, soak.rests[1:])
    yield (f'When all had gone: {books["all_programs"]} programs, {books["all_requests"]} requests, {books["all_connections"]} connections, '
           f'{books["pools"]} pools, {books["all_memory"]} bytes; {soak.daemon.memory_kib()} KiB RSS'
           + (f', {soak.daemon.fds()} descriptors' if soak.root else '') + f'; overload: {books["overload"]}; '
           f'the longest turn {books["longest_turn_us"]} us.')
    yield ''
    yield f'Not as it must be: {len(soak.wrong)}' + ('' if soak.wrong else '.')
    yield from (f'- {line[:300]}' for line in soak.wrong[:50])


def main():
    parser = argparse.ArgumentParser(prog='./dev soak', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build')
    parser.add_argument('minutes', type=float)
    parser.add_argument('--out', default='soak-results')
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--activated', action='store_true', help='the listening socket is kept, as by a service manager')
    args = parser.parse_args()
    os.environ['REQIVO_BUILDDIR'] = os.path.abspath(args.build)
    import reqivotest as rt
    os.makedirs(args.out, exist_ok=True)
    print(f'soak: {args.minutes:g} minutes, seed {args.seed}', flush=True)
    with rt.Place('reqivo-soak') as place:
        soak = Soak(place, args.seed, args.activated)
        workers = [threading.Thread(target=soak.worker, args=(n,), daemon=True) for n in range(WORKERS)]
        for worker in workers:
            worker.start()
        soak.watch(args.minutes)
        soak.over = True
        soak.may_go.set()
        for worker in workers:
            worker.join(180)
        books = soak.settle()
        lines = list(table(soak, args.minutes, books))
        code = soak.daemon.stop()
        if code != 0:
            soak.wrong.append(f'the daemon ended with {code}')
            lines.append(f'- the daemon ended with {code}')
    with open(os.path.join(args.out, 'table.md'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')
    with open(os.path.join(args.out, 'samples.csv'), 'w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(soak.samples)
    print('\n'.join(lines) + f'\n\nwritten to {args.out}: table.md, samples.csv')
    return 1 if soak.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
