#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_metrics - the daemon's figures: each line is read strictly, and the sums are those of what was done."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
import prometheus  # noqa: E402
from drivers import rt  # noqa: E402

ONE = rt.Reqivod.CONF + 'pool {\n    connections = 1\n}\n'


def metrics_of(daemon):
    done = daemon.reqivoctl('metrics')
    rt.equal((done.returncode, done.stderr), (0, b''), 'reqivoctl metrics')
    return prometheus.Metrics(done.stdout.decode())


def strict():
    """The reader of the tests itself: what it must refuse."""
    good = '# HELP a_total x\n# TYPE a_total counter\na_total{b="c d",e="f"} 1\n# HELP h y\n# TYPE h histogram\n' \
           'h_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3.5\nh_count 2\n'
    rt.equal(prometheus.Metrics(good).get('a_total', b='c d', e='f'), 1.0)
    for wrong, to in (('a_total{', 'b_total{'), ('counter', 'gauge'), ('a_total{b="c d",e="f"} 1', 'a_total{b="c d"e="f"} 1'), ('} 1\n#', '} 1 \n#'),
                      ('} 1\n#', '} x\n#'), ('h_count 2', 'h_count 1'), ('h_sum 3.5\n', ''), ('"+Inf"} 2', '"+Inf"} 0'), ('h_count 2\n', 'h_count 2'),
                      ('# HELP h y\n', ''), ('# TYPE h histogram', '# TYPE h summary'), ('e="f"} 1', 'e="f"} -1'), ('h_sum 3.5\n', 'h_sum 3.5\nh_sum 3.5\n')):
        assert wrong in good, wrong
        try:
            prometheus.Metrics(good.replace(wrong, to, 1))
        except prometheus.Bad:
            continue
        raise AssertionError(f'{to!r} in place of {wrong!r} was read')


def sums(place, origin):
    """Seven requests that end in each way, three of them on a warm connection."""
    daemon = rt.Reqivod(place)
    before = metrics_of(daemon)
    rt.equal(before.order[:2], ['reqivo_requests_waiting', 'reqivo_oldest_wait_seconds'], 'what comes first')
    rt.equal(before.sum('reqivo_requests_started_total'), 0, 'requests of a new daemon')
    driver = drivers.Driver(place, 'sync', daemon.socket)
    for n in range(4):
        rt.equal(driver.ask(f'g{n}', 'POST', origin.url('/echo'), 'body fill 1000')['error'], '', f'request {n}')
    driver.ask('u', 'GET', 'gopher://x/')
    driver.ask('c', 'GET', f'http://127.0.0.1:{rt.free_port()}/')
    driver.ask('t', 'GET', origin.url('/wait'), 'timeout total 200')
    after = metrics_of(daemon)
    results = {name: after.get('reqivo_requests_total', result=name) for name in ('succeeded', 'failed', 'canceled', 'abandoned')}
    rt.equal(results, {'succeeded': 4, 'failed': 3, 'canceled': 0, 'abandoned': 0}, 'results')
    rt.equal(after.sum('reqivo_requests_started_total'), 7, 'started')
    classes = {dict(labels)['class']: n for (name, labels), n in after.samples.items() if name == 'reqivo_request_errors_total' and n}
    rt.equal(classes, {'usage': 1, 'network': 1, 'read timeout': 1}, 'errors')
    count = {dict(labels)['phase']: int(n) for (name, labels), n in after.samples.items() if name == 'reqivo_request_phase_seconds_count'}
    rt.equal(count, {'queue': 5, 'dns': 1, 'connect': 1, 'tls': 0, 'send': 5, 'first_byte': 4, 'total': 6}, 'phases')
    assert after.get('reqivo_request_phase_seconds_sum', phase='total') >= 0.2, 'the one that took 200 ms'
    rt.equal((after.sum('reqivo_pool_requests_total'), after.sum('reqivo_pool_reused_total')), (5, 4), 'requests of pools, and reused')
    rt.equal((after.sum('reqivo_connections_opened_total'), after.sum('reqivo_connect_failures_total')), (1, 1), 'connections')
    rt.equal(after.sum('reqivo_request_body_bytes_total'), 4000, 'bytes of bodies')
    assert after.sum('reqivo_response_body_bytes_total') > 4000, 'bytes of responses'
    uid = str(os.geteuid())
    rt.equal((after.get('reqivo_user_requests_total', uid=uid), after.get('reqivo_user_errors_total', uid=uid),
              after.get('reqivo_user_programs', uid=uid)), (7, 3, 1), 'of the user')
    rt.equal(after.get('reqivo_account_used', kind='programs'), 1, 'programs')
    turns = [seen.sum(name) for seen in (before, after) for name in ('reqivo_loop_turns_total', 'reqivo_loop_turn_seconds_count')]
    assert turns == sorted(turns) and turns[1] < turns[2], f'turns: {turns}'
    assert after.sum('reqivo_loop_timer_late_seconds_count') >= 1, 'the timer of the request that took too long'
    return daemon


def waiting(place, origin):
    """Who waits, and for how long, in the metrics, the status and the list of requests; nothing of a URL but its origin."""
    daemon = rt.Reqivod(place, conf=ONE)
    origin.release.clear()
    driver = drivers.Driver(place, 'async', daemon.socket)
    secret = origin.url('/wait').replace('/wait', '/wait?token=hush')
    driver.write(''.join(drivers.describe(f'w{n}', 'GET', secret, ('field', 'Authorization', 'Basic aHVzaA==')) for n in range(4)) + 'run\n')
    rt.poll('three wait', lambda: drivers.gauge(daemon)['all_waiting'] == 3)
    rt.poll('for 50 ms', lambda: drivers.gauge(daemon)['all_oldest_wait_ms'] >= 50)
    seen = metrics_of(daemon)
    rt.equal((seen.sum('reqivo_requests_waiting'), seen.sum('reqivo_requests_in_flight')), (3, 4), 'waiting, in flight')
    assert seen.sum('reqivo_oldest_wait_seconds') >= 0.05, 'the oldest wait'
    rt.equal(seen.get('reqivo_connections', state='leased'), 1, 'connections in use')
    rows = json.loads(daemon.reqivoctl('--json', 'requests').stdout)
    rt.equal([row['state'] for row in sorted(rows, key=lambda row: row['state'])], ['first', 'queue', 'queue', 'queue'], 'states')
    for row in rows:
        rt.equal((row['uid'], row['method'], row['origin']), (os.geteuid(), 'GET', re.match(r'http://[^/]+', secret)[0]), 'a request')
        assert re.fullmatch(r'\d+\.\d+', row['id']) and row['pid'] == driver.popen.pid and row['age_ms'] >= 50, row
    for args in (('requests',), ('--json', 'requests'), ('clients',), ('metrics',), ('pools',)):
        out = daemon.reqivoctl(*args).stdout
        assert b'hush' not in out and b'aHVza' not in out, f'{args}: {out.decode()}'
    table = daemon.reqivoctl('requests').stdout.decode().splitlines()
    rt.equal(table[0].split(), ['id', 'uid', 'pid', 'method', 'origin', 'state', 'age_ms', 'sent_bytes', 'received_bytes'], 'the head of the table')
    ages = [int(line.split()[6]) for line in table[1:]]
    rt.equal((len(ages), ages), (4, sorted(ages, reverse=True)), 'the oldest comes first')
    programs = json.loads(daemon.reqivoctl('--json', 'clients').stdout)
    rt.equal([(row['uid'], row['pid'], row['state'], row['requests']) for row in programs], [(os.geteuid(), driver.popen.pid, 'open', 4)], 'programs')
    driver.popen.kill()
    rt.poll('it is gone', lambda: drivers.gauge(daemon)['all_requests'] == 0)
    seen = metrics_of(daemon)
    rt.equal(seen.get('reqivo_requests_total', result='abandoned'), 4, 'abandoned')
    rt.equal((seen.sum('reqivo_requests_waiting'), seen.sum('reqivo_oldest_wait_seconds')), (0, 0), 'waiting')
    rt.equal(daemon.reqivoctl('requests').stdout, b'no requests\n')
    rt.equal(daemon.reqivoctl('clients').stdout, b'no clients\n')
    origin.release.set()


def usage(daemon):
    done = daemon.reqivoctl('--json', 'metrics')
    rt.equal((done.returncode, done.stdout), (2, b''), done.stderr.decode())


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        origin.release.clear()
        tap.case('the reader of the tests is strict', strict)
        tap.case('sums', sums, place, origin)
        tap.case('who waits', waiting, place, odd.OddOrigin(place))
        tap.case('usage', usage, rt.Reqivod(place))
        origin.release.set()
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
