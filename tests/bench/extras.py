# SPDX-License-Identifier: MIT
"""The cells that are no race of relays: one process a request, memory, growth, allocations, instructions."""
import mmap
import os
import re
import socket
import struct
import subprocess
import time

import callgrind
import cases
import hostile
import load
import reqivotest as rt
import servers

ALLOC_KINDS = ('malloc', 'calloc', 'realloc', 'free', 'aligned')


def spawn(argv, env):
    """CPU in µs, and wall time, of one process from fork to exit."""
    actions = [(os.POSIX_SPAWN_OPEN, fd, '/dev/null', os.O_RDWR, 0) for fd in (0, 1)]
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise rt.Failed(f'{" ".join(argv)} ended with {os.waitstatus_to_exitcode(status)}')
    return {'cpu': (usage.ru_utime + usage.ru_stime) * 1e6, 'wall': wall * 1e6}


def processes(origin, plan):
    """One process a request over https: an empty program, reqivo, curl with one CA and with the system's bundle (and ours in it)."""
    with rt.Place('reqivo-bench') as place:
        bundle = place.path('bundle.pem')
        with open(bundle, 'wb') as out:
            for name in (servers.BUNDLE, origin.ca):
                with open(name, 'rb') as file:
                    out.write(file.read())
        daemon = servers.Reqivod(place, bundle)
        url = origin.url('https', 'small')
        plain, env = dict(os.environ), servers.environment()
        argvs = {
            'empty program': ([servers.bench_program('bench_empty')], plain),
            'reqivo': ([servers.program('reqivo'), '--socket', daemon.socket, '-sSf', url], env),
            'curl, one CA': ([rt.tool('curl'), '-sSf', '--cacert', origin.ca, url], plain),
            'curl, system bundle': ([rt.tool('curl'), '-sSf', '--cacert', bundle, url], plain),
        }
        rows = {name: [] for name in argvs}
        for number in range(plan.process_rounds + 1):
            for name, (argv, its_env) in argvs.items():
                row = spawn(argv, its_env)
                if number > 0:
                    rows[name].append(row)
    ours = [row['cpu'] for row in rows['reqivo']]
    result = {'case': 'process', 'scheme': 'https', 'text': 'one process a request', 'contenders': {}, 'ratios': {}}
    for name, values in rows.items():
        result['contenders'][name] = {key: load.interval([row[key] for row in values])['median'] for key in ('cpu', 'wall')}
        result['ratios'][name] = load.interval([a / row['cpu'] for a, row in zip(ours, values)])
    return result


def idle_clients(origin, scheme, count):
    """User memory of a fresh relay for each idle client that has done one request."""
    found = {}
    case = cases.Case('memory', '', idle=count)
    with rt.Place('reqivo-bench') as place:
        for relay in cases.relays(place, case, origin, scheme, cases.PEERS):
            url = origin.url(scheme, 'small')
            warm = load.Contender(relay.name, relay, cases.clients(place, cases.Case('memory', '', flight=8), relay.client, relay, url))
            warm.block(200)
            before = relay.memory()[0]
            cases.idlers(place, case, relay, url)
            found[relay.name] = (relay.memory()[0] - before) / count
    return found


def idle_connections(origin, scheme, count):
    """User memory of a fresh daemon for each idle connection with a pool of its own, made a few at a time over as many addresses."""
    with rt.Place('reqivo-bench') as place:
        daemon = servers.Reqivod(place, origin.ca)
        url = f'{scheme}://127.1.%zu:{origin.ports[scheme]}/small'
        client = load.Client(place, load.client_argv('reqivo', daemon, url, flight=4, spread=count + 20, insecure=True))
        client.line()
        client.start(20)
        client.line()
        before = daemon.memory()[0]
        client.start(count)
        client.line()
        return (daemon.memory()[0] - before) / count


def growth(origin, plan):
    """CPU a request of one busy handle while the daemon holds many pools, idle connections, or clients; against one that holds none.
    What is held comes from an origin of its own: each server has descriptors for one of the kinds."""
    many, room = plan.growth, plan.growth * 5 // 4  # nothing is kept where nearly all is used
    case = cases.Case('growth', '', flight=64)
    url = origin.url('http', 'small')
    with rt.Place('reqivo-bench') as place:
        rivals = []
        for name in ('alone', 'pools', 'connections', 'clients'):
            daemon = servers.Reqivod(place, origin.ca, f'connections_uid = {room} connections_total = {room}', name=name)
            if name == 'clients':
                cases.idlers(place, cases.Case('', '', idle=many // 2), daemon, url)
            elif name != 'alone':
                far = servers.Origin(place, rt.Certs(place), room, '0.0.0.0')
                spread = f'http://127.1.%zu:{far.ports["http"]}/'
                if name == 'pools':
                    fill(place, daemon, spread + 'small', many, flight=64, spread=many)
                else:
                    fill(place, daemon, spread + 'slow', many, flight=many, spread=many // 8, handles=max(1, many // 2500))
            held = len(os.listdir(f'/proc/{daemon.pid}/fd'))
            if held < {'alone': 0, 'clients': many // 2}.get(name, many):
                raise rt.Failed(f'growth: the daemon with many {name} holds only {held} descriptors')
            rivals.append(load.Contender(name, daemon, cases.clients(place, case, 'reqivo', daemon, url)))
        for rival in rivals:
            rival.calibrate(plan.block_seconds, 1000)
        load.interleave(rivals, plan.rounds)
    alone = rivals[0]
    return {'case': 'growth', 'scheme': 'http', 'text': f'64 in flight beside {many} pools, {many} idle connections, {many // 2} idle clients',
            'contenders': {r.name: {metric: r.median(metric) for metric in load.METRICS} for r in rivals},
            'ratios': {r.name: load.ratio(r, alone) for r in rivals[1:]}}


def hostile_user(origin, plan):
    """The latency of one user's requests, alone and beside another who does all the harm he can (tests/lib/hostile.py; as another
    uid where this is root, else as another program of the same one). Blocks alternate. He runs on the other processors, if there are
    any, so that what he takes of this one is what the daemon does for him, and not what the scheduler gives him."""
    with rt.Place('reqivo-bench') as place:
        os.chmod(place.dir, 0o755)
        daemon = servers.Reqivod(place, origin.ca)
        os.chmod(os.path.dirname(daemon.socket), 0o755)
        os.chmod(daemon.socket, 0o666)
        url = origin.url('http', 'small')
        silent = socket.create_server(('127.0.0.1', 0), backlog=4096)  # it never accepts, so it never answers
        where = f'//127.0.0.1:{silent.getsockname()[1]}/'
        urls = {'big': origin.url('http', '1m'), 'never': f'http:{where}', 'bomb': url, 'ws': f'ws:{where}', 'pause': 0.02}
        case = cases.Case('hostile', '', flight=8)
        rival = load.Contender('alone', daemon, cases.clients(place, case, 'reqivo', daemon, url))
        rival.calibrate(plan.block_seconds, 200)
        rows, attacks = {'alone': [], 'beside': []}, 0
        for _ in range(plan.rounds):
            rows['alone'].append(rival.block(rival.count))
            enemy = hostile.start(daemon.socket, urls, preexec=become_hostile)
            time.sleep(0.5)
            rows['beside'].append(rival.block(rival.count))
            attacks += sum(hostile.stop(enemy).values())
    return {'case': 'hostile', 'text': f'8 in flight of one user; {attacks} attacks of another beside them',
            'alone': {name: load.interval([row[name] for row in rows['alone']]) for name in ('p50', 'p99', 'rate')},
            'beside': {name: load.interval([row[name] for row in rows['beside']]) for name in ('p50', 'p99', 'rate')},
            'ratio': load.interval([b['p99'] / a['p99'] for a, b in zip(rows['alone'], rows['beside'])])}


def become_hostile():
    os.sched_setaffinity(0, set(range(os.cpu_count())) - os.sched_getaffinity(0) or os.sched_getaffinity(0))
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setgid(12009)
    os.setuid(12009)


def fill(place, daemon, url, count, **options):
    client = load.Client(place, load.client_argv('reqivo', daemon, url, **options))
    client.line()
    client.start(count)
    client.line()


def allocations(origin, count):
    """Calls of malloc and its kin a warm request, in the daemon."""
    found = {}
    with rt.Place('reqivo-bench') as place:
        name = place.path('allocations')
        shim = servers.bench_program('alloc_count.so')
        daemon = servers.Reqivod(place, origin.ca, env={'LD_PRELOAD': shim, 'BENCH_ALLOC_FILE': name})
        with open(name, 'r+b') as file, mmap.mmap(file.fileno(), 4096) as page:
            for case, scheme in ((case, scheme) for case in cases.CASES[:3] + cases.CASES[5:6] for scheme in ('http', 'https')):
                clients = cases.clients(place, case, 'reqivo', daemon, origin.url(scheme, case.file))
                contender = load.Contender('reqivo', daemon, clients)
                contender.block(1000)
                before = struct.unpack_from('5Q', page)
                contender.block(count)
                after = struct.unpack_from('5Q', page)
                contender.stop()
                found[f'{case.name} {scheme}'] = {kind: (b - a) / count for kind, a, b in zip(ALLOC_KINDS, before, after)}
    return found


def under_callgrind(place, name):
    out = place.fresh(f'callgrind-{name}')
    return out, [rt.tool('valgrind'), '-q', '--tool=callgrind', f'--callgrind-out-file={out}', f'--vgdb-prefix={place.path("vgdb")}']


class Counted:
    """A process under callgrind whose counters are set to 0 and read between blocks."""

    def __init__(self, place, out, pid):
        self.place, self.out, self.pid, self.dumps = place, out, pid, 0

    def command(self, word):
        rt.run([rt.tool('vgdb'), f'--vgdb-prefix={self.place.path("vgdb")}', f'--pid={self.pid}', word])

    def zero(self):
        self.command('zero')

    def read(self):
        """Instructions since zero(); the profile stays in a file of its own."""
        self.dumps += 1
        self.command('dump')
        with open(f'{self.out}.{self.dumps}', encoding='utf-8', errors='replace') as file:
            return int(re.search(r'^(?:summary|totals): (\d+)', file.read(), re.M).group(1))


def instructions(origin, keep):
    """Instructions a request of daemon and client, with fixed input. The daemon's profiles are kept in the folder given."""
    found = {}
    with rt.Place('reqivo-bench') as place:
        out, prefix = under_callgrind(place, 'daemon')
        daemon = servers.Reqivod(place, origin.ca, prefix=prefix)
        counted = Counted(place, out, daemon.pid)
        for case, count in ((cases.CASES[0], 300), (cases.CASES[2], 3000), (cases.CASES[5], 100)):
            for scheme in ('http', 'https'):
                url = origin.url(scheme, case.file)
                contender = load.Contender('reqivo', daemon, cases.clients(place, case, 'reqivo', daemon, url))
                contender.block(count)
                counted.zero()
                contender.block(count)
                found[f'daemon {case.name} {scheme}'] = counted.read() / count
                contender.stop()
                keep_profile(f'{out}.{counted.dumps}', count, os.path.join(keep, f'callgrind-{case.name}-{scheme}.txt'))
        for case, count in ((cases.CASES[0], 300), (cases.CASES[2], 3000)):
            found[f'client {case.name}'] = client_instructions(place, origin, case, count)
    return found


def client_instructions(place, origin, case, count):
    daemon = servers.Reqivod(place, origin.ca)
    out, prefix = under_callgrind(place, 'client')
    argv = load.client_argv('reqivo', daemon, origin.url('http', case.file), flight=case.flight)
    client = load.Client(place, argv, prefix)
    contender = load.Contender('client', daemon, [client])
    contender.block(count)
    counted = Counted(place, out, client.pid)
    counted.zero()
    contender.block(count)
    return counted.read() / count


def keep_profile(source, requests, target):
    with open(target, 'w', encoding='utf-8') as file:
        file.write('\n'.join(callgrind.Profile(source).lines(requests)) + '\n')


def machine():
    """What the figures depend on, for the record."""
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        model = re.search(r'model name\s*:\s*(.*)', file.read())
    def version(argv):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).splitlines()[0]
    return {'cpu': model.group(1) if model else 'unknown', 'cpus': os.cpu_count(), 'kernel': os.uname().release,
            'load': os.getloadavg()[0], 'haproxy': version([rt.tool('haproxy'), '-v']), 'nginx': version([rt.tool('nginx'), '-v']),
            'curl': version([rt.tool('curl'), '--version']), 'openssl': version([rt.tool('openssl'), 'version'])}
