# SPDX-License-Identifier: MIT
"""Clients under the benchmark's control, blocks of requests, interleaved rounds, and the statistics of ratios."""
import json
import random
import statistics
import subprocess
import time

import reqivotest as rt
import servers

METRICS = ('relay', 'client', 'total', 'p50', 'p99', 'p999', 'rate')


class Client:
    """A client program: ready when made; start() and result() are one block."""

    def __init__(self, place, argv, prefix=(), env=None):
        self.argv = argv
        self.log = place.fresh('client-log')
        with open(self.log, 'wb') as log:
            self.popen = subprocess.Popen([*prefix, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                          env=env or servers.environment(), text=True)
        place.keep(self)

    @property
    def pid(self):
        return self.popen.pid

    def line(self):
        text = self.popen.stdout.readline()
        if not text:
            with open(self.log, encoding='utf-8', errors='replace') as log:
                raise rt.Failed(f'{" ".join(self.argv)}: {log.read().strip()[-500:]}')
        return json.loads(text)

    def start(self, count):
        try:
            self.popen.stdin.write(f'run {count}\n')
            self.popen.stdin.flush()
        except BrokenPipeError:
            self.line()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.stdin.close()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.popen.stdout.close()


def client_argv(kind, relay, url, **options):
    argv = [servers.bench_program(f'bench_{kind}'), '--url', url]
    if relay:
        argv += ['--socket', relay.socket]
    for name, value in options.items():
        if value is True:
            argv.append(f'--{name}')
        elif value:
            argv += [f'--{name}', str(value)]
        elif name == 'expect':
            argv += ['--expect', '0']
    return argv


class Contender:
    """A relay (None: the client goes to the origin itself) with its clients, and what each round of it gave."""

    def __init__(self, name, relay, clients):
        self.name, self.relay, self.clients = name, relay, clients
        self.rounds = []
        self.count = 0
        for client in clients:
            client.line()

    def block(self, count):
        """`count` requests over all clients; µs a request."""
        each = max(1, count // len(self.clients))
        cpu = self.relay.cpu() if self.relay else 0
        start = time.perf_counter()
        for client in self.clients:
            client.start(each)
        parts = [client.line() for client in self.clients]
        wall = time.perf_counter() - start
        relay = (self.relay.cpu() - cpu) / 1000 if self.relay else 0
        done = sum(part['n'] for part in parts)
        row = {'relay': relay / done, 'client': sum(part['cpu'] for part in parts) * 1e6 / done, 'rate': done / wall}
        row['total'] = row['relay'] + row['client']
        for name in ('p50', 'p99', 'p999'):
            row[name] = statistics.median(part[name] for part in parts)
        return row

    def calibrate(self, seconds, at_least):
        """Warms up, and finds how many requests fill a block."""
        self.block(at_least)
        rate = self.block(at_least * 2)['rate']
        self.count = max(at_least, int(rate * seconds))
        self.block(self.count)

    def stop(self):
        for client in self.clients:
            client.stop()

    def median(self, metric):
        return statistics.median(row[metric] for row in self.rounds)


def interleave(contenders, rounds):
    """One block of each a round, in changing order."""
    for number in range(rounds):
        shift = number % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            contender.rounds.append(contender.block(contender.count))


def ratio(over, under, over_metric='relay', under_metric=None):
    """The median of the rounds' ratios and the 95 % bootstrap interval of that median."""
    pairs = [a[over_metric] / b[under_metric or over_metric] for a, b in zip(over.rounds, under.rounds)]
    return interval(pairs)


def interval(values, samples=2000):
    dice = random.Random(1)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(samples))
    return {'median': statistics.median(values), 'low': medians[int(samples * 0.025)], 'high': medians[int(samples * 0.975)],
            'rounds': len(values)}
