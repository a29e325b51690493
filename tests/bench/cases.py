# SPDX-License-Identifier: MIT
"""The table of cases that compare relays, and how one cell of it (a case with http or https) is measured."""
import dataclasses
import re
import signal
import subprocess
import time

import load
import reqivotest as rt
import servers

PEERS = ('haproxy', 'nginx', 'floor')


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    text: str
    file: str = 'small'
    processes: int = 1
    flight: int = 1
    handles: int = 1   # of the reqivo client; a raw client has a connection a request
    idle: int = 0      # further clients that do nothing
    upload: int = 0
    curl: bool = True
    at_least: int = 200
    strace: bool = False

    @property
    def size(self):
        return self.upload or servers.SIZES[self.file]


CASES = (
    Case('sync1', '1 client, one request after another', strace=True),
    Case('procs8', '8 processes, each one request after another'),
    Case('flight64', '64 requests in flight: one handle, or 64 connections', flight=64, at_least=1000, strace=True),
    Case('conns64', '64 connections or handles of one process, one request each', flight=64, handles=64, curl=False, at_least=1000),
    Case('idle1000', '8 processes beside 1000 idle clients', processes=8, idle=1000, curl=False),
    Case('body64k', 'bodies of 64 KiB, one after another', file='64k', at_least=50, strace=True),
    Case('body1m', 'bodies of 1 MiB, one after another', file='1m', at_least=8, strace=True),
    Case('upload1m', 'uploads of 1 MiB, one after another', file='upload', upload=1 << 20, at_least=8),
)


def clients(place, case, kind, relay, url, ca=None):
    options = {'flight': case.flight, 'expect': servers.SIZES[case.file], 'upload': case.upload}
    if kind == 'reqivo':
        options['handles'] = case.handles
    if ca:
        options['ca'] = ca
    processes = 8 if case.name == 'procs8' else case.processes
    return [load.Client(place, load.client_argv(kind, relay, url, **options)) for _ in range(processes)]


def idlers(place, case, relay, url):
    """The idle clients, in one process that is never told to do anything."""
    client = load.Client(place, load.client_argv(relay.client, relay, url, idle=case.idle))
    client.line()


def relays(place, case, origin, scheme, peers):
    """The relays of a cell, fresh ones."""
    response = servers.response_size(origin, case.file, 'POST' if case.upload else 'GET')
    made = [servers.Reqivod(place, origin.ca)]
    if 'haproxy' in peers:
        made.append(servers.Haproxy(place, origin, scheme))
        if case.size >= 65536:  # for the record: its buffers as large as they do good; and so the next one's
            made.append(servers.Haproxy(place, origin, scheme, '    tune.bufsize 131072', 'haproxy 128k'))
    if 'nginx' in peers:
        made.append(servers.NginxRelay(place, origin, scheme))
        if case.size >= 65536:
            made.append(servers.NginxRelay(place, origin, scheme, 'proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;',
                                           'nginx 8x16k'))
    if 'floor' in peers:
        made.append(servers.Floor(place, origin, scheme, response))
    return made


def calls_of(contender, count):
    """System calls a request, from strace in a pass of its own."""
    argv = [rt.tool('strace'), '-f', '-c', '-q', '-p', str(contender.relay.pid)]
    tracer = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    rt.poll('strace', lambda: traced(contender.relay.pid))
    time.sleep(0.1)
    contender.block(count)
    tracer.send_signal(signal.SIGINT)
    text = tracer.communicate(timeout=20)[1]
    rows = re.findall(r'^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$', text, re.M)
    calls = {name: int(number) / count for number, name in rows if name != 'total'}
    return {'all': sum(calls.values()), **{name: value for name, value in sorted(calls.items(), key=lambda row: -row[1]) if value > 0.01}}


def traced(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return not re.search(r'TracerPid:\s+0\b', file.read())


def contenders(place, case, origin, scheme, peers):
    url = origin.url(scheme, case.file)
    made = []
    for relay in relays(place, case, origin, scheme, peers):
        if case.idle:
            idlers(place, case, relay, url)
        made.append(load.Contender(relay.name, relay, clients(place, case, relay.client, relay, url)))
    if case.idle:
        relay = servers.Reqivod(place, origin.ca, name='reqivo-alone')
        made.append(load.Contender(relay.name, relay, clients(place, case, relay.client, relay, url)))
    if case.curl:
        made.append(load.Contender('libcurl', None, clients(place, case, 'curl', None, url, origin.ca)))
    return made


def measure(origin, case, scheme, plan, peers=PEERS):
    """One cell: {'contenders': {name: medians}, 'ratios': {...}}."""
    with rt.Place('reqivo-bench') as place:
        rivals = contenders(place, case, origin, scheme, peers)
        for rival in rivals:
            rival.calibrate(plan.block_seconds, case.at_least)
        load.interleave(rivals, plan.rounds)
        cell = {'case': case.name, 'text': case.text, 'scheme': scheme, 'bytes': case.size, 'rounds': plan.rounds, 'contenders': {}}
        for rival in rivals:
            row = {metric: rival.median(metric) for metric in load.METRICS}
            if rival.relay:
                row['rss'] = rival.relay.memory()[1]
                if case.strace and plan.strace:
                    row['calls'] = calls_of(rival, max(50, min(1000, rival.count // 2)))
            cell['contenders'][rival.name] = row
        cell['ratios'] = ratios(rivals)
        return cell


def ratios(rivals):
    """What the targets ask for: our CPU and p50 over each peer's; client + daemon over libcurl's own."""
    ours, rows = rivals[0], {}
    for rival in rivals[1:]:
        if rival.relay:
            rows[f'cpu/{rival.name}'] = load.ratio(ours, rival)
            rows[f'p50/{rival.name}'] = load.ratio(ours, rival, 'p50')
        rows[f'total/{rival.name}'] = load.ratio(ours, rival, 'total')
    return rows
