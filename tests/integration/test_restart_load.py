#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_restart_load - restarts under load: what the programs are told of each request beside what the origins have seen.

Stopped (SIGTERM) under socket activation: no connect is refused, each request is answered, none arrives twice. Stopped without it:
the same for programs that are connected. Killed: what is not answered is told truthfully, and no POST arrives twice. Short in
`make check`; REQIVO_LONG=1 runs it in full: 50 restarts under 1000 requests/s of 20 programs. The rate is told, not judged."""
import collections
import os
import signal
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import restart_load as load  # noqa: E402
from drivers import rt  # noqa: E402
from manager import Manager  # noqa: E402

LONG = os.environ.get('REQIVO_LONG') == '1'
PROGRAMS = 20
RATE = 1000 if LONG else 300 / drivers.SLOW
EXIT_NO_DAEMON = 100
STOPS, OWN_STOPS, KILLS, FLOODS = (50, 20, 30, 20) if LONG else (6, 3, 3, 4)
BETWEEN = 25 if LONG else 3  # requests of each program between two restarts
FLOOD = 150  # requests that a program has at once


class Times:
    """Of the restarts: how long the old one took to end, the next one to be ready, and until a program had its next answer."""

    def __init__(self):
        self.ends, self.starts, self.answers = [], [], []

    def tell(self):
        for what, values in (('to end', self.ends), ('to be ready again', self.starts), ('from the signal to the next answer', self.answers)):
            print(f'# ms {what}: median {1000 * statistics.median(values):.0f}, at most {1000 * max(values):.0f}')


def restart(service, running, number, times):
    begin = time.monotonic()
    code = service.end(number)
    ended = time.monotonic()
    rt.equal(code, 0 if number == signal.SIGTERM else -number, f'exit code: {service.output()[-2000:]}')
    service.start()
    ready = time.monotonic()
    rt.poll('an answer', lambda: running.last_answer > ready)
    times.ends.append(ended - begin)
    times.starts.append(ready - ended)
    times.answers.append(running.last_answer - begin)
    running.wait_for_offered()  # the library repeats a GET that may have been sent once: it must not meet two kills


def under_load(place, service, restarts, number, passers=None):
    """All results, what arrived, and the times."""
    witness = load.Witness(place)
    times = Times()
    service.start()
    passing = load.Passers(service, witness) if passers else None
    with load.Load(place, service, witness, PROGRAMS, RATE) as running:
        if passing:
            passing.start()
        for i in range(restarts):
            running.slow = i % 2 == 0  # else there is nothing to wait for, and the end comes at once
            running.wait_for_each(f'before restart {i + 1}', BETWEEN)
            restart(service, running, number, times)
    passed = passing.end() if passing else []
    rows = running.rows()
    answered = {row['tag'] for row in rows if row['error'] == ''} | {token for token, code, _ in passed if code == 0}
    rt.poll('the log has all that was answered', lambda: answered <= witness.arrived().keys())
    rt.equal(service.end(), 0, 'exit code')
    print(f'# {restarts} restarts, {len(rows)} requests of {PROGRAMS} programs in {running.seconds:.1f} s: {len(rows) / running.seconds:.0f}/s, '
          f'and {len(passed)} programs of one request')
    times.tell()
    return rows, passed, witness.arrived()


def all_answered(rows, arrived):
    lost = [row for row in rows if row['error'] or row['status'] != 200]
    assert not lost, f'{len(lost)} of {len(rows)}: {[(r["tag"], r["error"], r["sent"], r.get("detail"), arrived[r["tag"]]) for r in lost[:10]]}'
    rt.equal([row['tag'] for row in rows if row['completions'] != 1], [], 'not complete once')
    rt.equal([token for token, times in arrived.items() if times > 1][:10], [], 'arrived twice')


def stopped(place):
    rows, passed, arrived = under_load(place, Manager(place, rt.Reqivod.CONF), STOPS, signal.SIGTERM, True)
    rt.equal([one for one in passed if one[1]][:10], [], 'programs of one request that failed')
    all_answered(rows, arrived)
    assert passed and len(rows) >= STOPS * PROGRAMS


def stopped_own_socket(place):
    rows, passed, arrived = under_load(place, Manager(place, rt.Reqivod.CONF, activated=False), OWN_STOPS, signal.SIGTERM, True)
    all_answered(rows, arrived)
    for token, code, said in passed:
        assert code in (0, EXIT_NO_DAEMON), f'{token}: exit code {code}: {said}'
        rt.equal(arrived[token], 1 if code == 0 else 0, f'{token} arrived; {said}')


def flooded(place):
    """Sockets and queues are full of requests when the end comes: what is handed back is a lot, and none of it is lost."""
    service, witness, times = Manager(place, rt.Reqivod.CONF), load.Witness(place), Times()
    service.start()
    with load.Load(place, service, witness, PROGRAMS, 0) as running:
        for i in range(FLOODS):
            before = running.answers()
            for program in running.programs:
                program.offer(FLOOD, witness)
            rt.poll('some are answered', lambda before=before, i=i: running.answers() > before + 20 * (1 + i % 4))
            pending = running.pending()
            restart(service, running, signal.SIGTERM, times)
            print(f'# stopped with {pending} before it')
    rows = running.rows()
    rt.equal(service.end(), 0, 'exit code')
    times.tell()
    all_answered(rows, witness.arrived())


def judge_killed(row, times):
    """A word for the tally."""
    rt.equal(row['completions'], 1, f'completions of {row["tag"]}')
    if row['tag'].startswith('POST'):
        assert times <= 1, f'{row["tag"]} arrived {times} times'
    if row['error'] == '':
        assert times >= 1 and row['status'] == 200, row
        return 'answered'
    assert row['error'] in load.LOST and row['sent'] in (0, 1), row
    assert row['sent'] or times == 0, f'{row["tag"]} is told as not sent, and arrived'
    assert row['tag'].startswith('POST'), f'a GET is sent again by the library: {row}'
    return 'unknown' if row['sent'] else 'not sent'


def killed(place):
    rows, passed, arrived = under_load(place, Manager(place, rt.Reqivod.CONF), KILLS, signal.SIGKILL, True)
    tally = collections.Counter(judge_killed(row, arrived[row['tag']]) for row in rows)
    for token, code, _ in passed:
        assert arrived[token] == 1 if code == 0 else arrived[token] <= 1, f'{token} arrived {arrived[token]} times'
    unknown = [row['tag'] for row in rows if row['error'] and row['sent']]
    print(f'# {dict(tally)}; of the unknown {sum(arrived[tag] for tag in unknown)} had arrived; '
          f'GETs that arrived twice: {sum(times > 1 for times in arrived.values())}')
    assert tally['answered'] >= KILLS * PROGRAMS, tally


def main():
    tap = rt.Tap()
    for title, case in (
            ('rule_b11_1: stops under load, socket activation: none refused, none lost, none twice', stopped),
            ('rule_b11_3: stops under load, a socket of its own: none lost, none twice', stopped_own_socket),
            ('rule_b11_3: stops with thousands under way: none lost, none twice', flooded),
            ('rule_b11_5: kill -9 under load: told truthfully, no POST twice, none hangs', killed)):
        with rt.Place() as place:
            tap.case(title, case, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
