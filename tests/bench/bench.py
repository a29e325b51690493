#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench.py BUILD_DIR [--out DIR] [--short] [--unpinned] [CASE...] - the benchmark (`./dev bench`); doc/performance.md tells the method.

Cases: sync1 procs8 flight64 conns64 idle1000 body64k body1m upload1m process memory growth allocations hostile instructions
ws64 ws64k ws64one ws64kone.
Without names all are measured. --short takes about two minutes and is for development: fewer rounds, shorter blocks, smaller growth.
Writes results.json, table.txt, plots and profiles to DIR. It never decides a test: it ends with 0 when it has measured.
"""
import argparse
import dataclasses
import json
import os
import resource
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

import cases  # noqa: E402
import extras  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import reqivotest as rt  # noqa: E402
import servers  # noqa: E402
import ws_cases  # noqa: E402

REFERENCE = os.path.join(HERE, 'instructions.json')


@dataclasses.dataclass(frozen=True)
class Plan:
    rounds: int = 21
    block_seconds: float = 0.3
    process_rounds: int = 41
    growth: int = 10000
    idle: int = 1000
    connections: int = 500
    strace: bool = True


SHORT = Plan(rounds=7, block_seconds=0.06, process_rounds=11, growth=1000, connections=200)


def more_files():
    """Growth needs descriptors: as many as may be had, at most 65536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for want in (65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, hard)))
            return want
        except (ValueError, OSError):
            continue
    return soft


def attempt(what, function, failures):
    """One measurement; what fails is said and left out, the rest goes on."""
    start = time.monotonic()
    print(f'bench: {what} ...', end='', file=sys.stderr, flush=True)
    try:
        value = function()
    except (rt.Failed, OSError) as error:
        failures.append(f'{what}: {error}')
        print(f' FAILED: {error}', file=sys.stderr, flush=True)
        return None
    print(f' {time.monotonic() - start:.1f} s', file=sys.stderr, flush=True)
    return value


def add_cells(results, origin, plan, wanted, failures):
    for case in cases.CASES:
        if not wanted(case.name):
            continue
        for scheme in ('http', 'https'):
            cell = attempt(f'{case.name} {scheme}', lambda c=case, s=scheme: cases.measure(origin, c, s, plan), failures)
            if cell:
                results['cells'].append(cell)
    for case in ws_cases.CASES:
        if wanted(case.name):
            cell = attempt(case.name, lambda c=case: ws_cases.measure(origin, c, plan), failures)
            if cell:
                results['cells'].append(cell)
    for name, function in (('process', extras.processes), ('growth', extras.growth)):
        if wanted(name):
            cell = attempt(name, lambda f=function: f(origin, plan), failures)
            if cell:
                results['cells'].append(cell)


def add_memory(results, origin, plan, failures):
    for key, function, count in (('idle_clients', extras.idle_clients, plan.idle), ('idle_connections', extras.idle_connections, plan.connections)):
        results[key] = {}
        for scheme in ('http', 'https'):
            value = attempt(f'{key} {scheme}', lambda f=function, s=scheme, c=count: f(origin, s, c), failures)
            if value is not None:
                results[key][scheme] = value


def add_counts(results, origin, plan, wanted, out, failures):
    if wanted('allocations'):
        results['allocations'] = attempt('allocations', lambda: extras.allocations(origin, 2000), failures) or {}
    if wanted('hostile'):
        results['hostile'] = attempt('hostile', lambda: extras.hostile_user(origin, plan), failures)
    if wanted('instructions'):
        results['instructions'] = attempt('instructions', lambda: extras.instructions(origin, out), failures) or {}
        if os.path.exists(REFERENCE):
            with open(REFERENCE, encoding='utf-8') as file:
                results['instructions_before'] = json.load(file)


def measure(plan, wanted, out, pinned):
    results, failures = {'machine': extras.machine(), 'plan': dataclasses.asdict(plan), 'pinned': pinned, 'cells': []}, []
    files = more_files()
    if files < plan.growth * 2:
        plan = dataclasses.replace(plan, growth=files // 2)
    with rt.Place('reqivo-bench') as place:
        origin = servers.Origin(place, rt.Certs(place), files, '0.0.0.0')
        add_cells(results, origin, plan, wanted, failures)
        if wanted('memory'):
            add_memory(results, origin, plan, failures)
        add_counts(results, origin, plan, wanted, out, failures)
    results['failures'] = failures
    return results


def unpinned(plan, cpus):
    """Once with the kernel's own placement, for the record."""
    os.sched_setaffinity(0, cpus)
    plan = dataclasses.replace(plan, rounds=min(plan.rounds, 9), strace=False)
    found = []
    with rt.Place('reqivo-bench') as place:
        origin = servers.Origin(place, rt.Certs(place), more_files())
        for case in cases.CASES[:3]:
            for scheme in ('http', 'https'):
                cell = attempt(f'{case.name} {scheme}, unpinned', lambda c=case, s=scheme: cases.measure(origin, c, s, plan), [])
                if cell:
                    found.append(cell)
    return found


def publish(results, out):
    targets = report.Targets(results)
    results['targets'] = targets.rows
    text = list(report.lines(results))
    for cell in results.get('unpinned', []):
        text += [''] + ['not pinned: ' + line for line in report.relay_lines(cell)]
    text += [''] + list(targets.lines()) + [f'not measured: {line}' for line in results['failures']]
    print('\n'.join(text))
    with open(os.path.join(out, 'table.txt'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(text) + '\n')
    with open(os.path.join(out, 'results.json'), 'w', encoding='utf-8') as file:
        json.dump(results, file, indent=1)
        file.write('\n')
    for case in cases.CASES:
        cells = [cell for cell in results['cells'] if cell['case'] == case.name]
        if cells:
            with open(os.path.join(out, f'{case.name}.svg'), 'w', encoding='utf-8') as file:
                file.write(plot.draw(case.name, cells))
    print(f'\nwritten to {out}: results.json, table.txt, plots, callgrind profiles')


def main():
    parser = argparse.ArgumentParser(prog='./dev bench', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build')
    parser.add_argument('--out', default='bench-results')
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--unpinned', action='store_true', help='measure some cases without pinning, too')
    parser.add_argument('--accept', action='store_true', help='make the instruction counts the new reference')
    parser.add_argument('cases', nargs='*')
    args = parser.parse_intermixed_args()
    os.environ['REQIVO_BUILDDIR'] = os.path.abspath(args.build)
    out = os.path.abspath(args.out)
    os.makedirs(out, exist_ok=True)
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    plan = SHORT if args.short else Plan()
    try:
        results = measure(plan, lambda name: not args.cases or name in args.cases, out, sorted(os.sched_getaffinity(0)))
        if args.unpinned or not (args.short or args.cases):
            results['unpinned'] = unpinned(plan, cpus)
    except rt.Failed as error:
        print(f'./dev bench: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    publish(results, out)
    if args.accept and results.get('instructions'):
        with open(REFERENCE, 'w', encoding='utf-8') as file:
            json.dump({name: round(value) for name, value in results['instructions'].items()}, file, indent=1)
            file.write('\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
