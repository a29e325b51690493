# SPDX-License-Identifier: MIT
"""The table, and the targets met and missed. Targets are ratios of one run; see doc/performance.md."""

SHOWN = ('haproxy', 'nginx', 'floor', 'libcurl')


def number(value, digits=1):
    return '-' if value is None else f'{value:.{digits}f}'


def spread(ratio):
    return f'{ratio["median"]:.2f} [{ratio["low"]:.2f}..{ratio["high"]:.2f}]'


def relay_lines(cell):
    """One line a contender: CPU of relay and client, latencies, rate; then our ratios to it."""
    big = cell['bytes'] >= 65536
    yield f'{cell["case"]} {cell["scheme"]}: {cell["text"]} ({cell["rounds"]} rounds)'
    yield (f'  {"":13}{"CPU s/GB" if big else "CPU µs":>9}{"client":>8}{"p50 µs":>9}{"p99":>9}{"p99.9":>9}{"req/s":>8}'
           f'{"calls":>7}{"RSS MiB":>9}   reqivo / it: CPU, p50, with client')
    scale = 1000 / cell['bytes'] if big else 1
    for name, row in cell['contenders'].items():
        relay = row['relay'] * scale if 'rss' in row else None
        calls = row.get('calls', {}).get('all')
        rss = row['rss'] / (1 << 20) if 'rss' in row else None
        ratios = [cell['ratios'].get(f'{what}/{name}') for what in ('cpu', 'p50', 'total')]
        text = '  '.join(spread(r) if r else '-' for r in ratios) if any(ratios) else ''
        yield (f'  {name:13}{number(relay, 2 if big else 1):>9}{number(row["client"] * scale, 2 if big else 1):>8}{row["p50"]:9.1f}'
               f'{row["p99"]:9.1f}{row["p999"]:9.1f}{row["rate"]:8.0f}{number(calls):>7}{number(rss):>9}   {text}')


def process_lines(cell):
    yield f'{cell["case"]} {cell["scheme"]}: {cell["text"]}'
    for name, row in cell['contenders'].items():
        yield f'  {name:22} CPU {row["cpu"] / 1000:7.2f} ms, wall {row["wall"] / 1000:7.2f} ms   reqivo / it: {spread(cell["ratios"][name])}'


def growth_lines(cell):
    yield f'{cell["case"]} {cell["scheme"]}: {cell["text"]}'
    for name, row in cell['contenders'].items():
        ratio = cell['ratios'].get(name)
        yield f'  {name:13}{row["relay"]:8.1f} µs   {"it / alone: " + spread(ratio) if ratio else ""}'


def plain_lines(results):
    for title, rows in (('user memory, bytes per idle client', results.get('idle_clients', {})),
                        ('user memory of the daemon, bytes per idle connection and its pool', results.get('idle_connections', {}))):
        for scheme, value in rows.items():
            text = ', '.join(f'{name} {size:.0f}' for name, size in value.items()) if isinstance(value, dict) else f'{value:.0f}'
            yield f'{title}, {scheme}: {text}'
    for name, row in results.get('allocations', {}).items():
        yield f'allocations a warm request in the daemon, {name}: ' + ', '.join(f'{kind} {value:.2f}' for kind, value in row.items())
    for name, value in results.get('instructions', {}).items():
        was = results.get('instructions_before', {}).get(name)
        change = f' (reference {was:.0f}, {100 * (value / was - 1):+.1f} %)' if was else ' (no reference)'
        yield f'instructions a request, {name}: {value:.0f}{change}'
        if was and value > was * 1.1:
            yield f'  WARNING: {name} costs more than 10 % more than the reference'


def websocket_lines(cell):
    yield f'{cell["case"]}: {cell["text"]} ({cell["rounds"]} rounds)'
    for name, row in cell['contenders'].items():
        ratio = cell['ratios'].get(name)
        yield (f'  {name:13} CPU a message: daemon {row["relay"]:7.2f} µs, program {row["client"]:7.2f} µs; p50 {row["p50"]:7.1f} µs, '
               f'{row["rate"]:8.0f} messages/s' + (f'   daemon / it: {spread(ratio)}' if ratio else ''))


LINES = {'process': process_lines, 'growth': growth_lines, 'ws64': websocket_lines, 'ws64k': websocket_lines, 'ws64one': websocket_lines,
         'ws64kone': websocket_lines}


def hostile_lines(found):
    """The victims' latency in microseconds, alone and beside a hostile user; the aim is 2 times, and no test's pass mark."""
    yield f'hostile: {found["text"]}'
    for name in ('alone', 'beside'):
        row = found[name]
        yield f'  {name:7} p50 {row["p50"]["median"]:8.0f}  p99 {row["p99"]["median"]:8.0f}  requests/s {row["rate"]["median"]:8.0f}'
    yield f'  p99 beside / alone: {spread(found["ratio"])} (aim: 2 at most)'
    yield ''


def lines(results):
    if results.get('hostile'):
        yield from hostile_lines(results['hostile'])
    for cell in results['cells']:
        yield from LINES.get(cell['case'], relay_lines)(cell)
        yield ''
    yield from plain_lines(results)


class Targets:
    """Each target: what, the figure (a ratio with its interval, or a plain number), the bound."""

    def __init__(self, results):
        self.rows = []
        cells = {(cell['case'], cell['scheme']): cell for cell in results['cells']}
        for (case, scheme), cell in cells.items():
            getattr(self, f'_{case}', lambda *_: None)(f'{case} {scheme}', cell)
        for scheme, found in results.get('idle_clients', {}).items():
            self._add(f'idle1000 {scheme}: bytes of user memory per idle client', found['reqivo'], 471)

    def _add(self, text, figure, bound):
        if figure is None:
            return
        value = figure if isinstance(figure, float) else figure['median']
        met = value <= bound
        sure = isinstance(figure, float) or (figure['high'] <= bound if met else figure['low'] > bound)
        self.rows.append({'text': text, 'figure': figure, 'bound': bound, 'met': met, 'sure': sure})

    def _sync1(self, name, cell):
        self._add(f'{name}: CPU of daemon / HAProxy', cell['ratios'].get('cpu/haproxy'), 0.80)
        self._add(f'{name}: p50 of daemon / HAProxy', cell['ratios'].get('p50/haproxy'), 0.90)

    def _procs8(self, name, cell):
        self._add(f'{name}: CPU of daemon / HAProxy', cell['ratios'].get('cpu/haproxy'), 0.80)

    def _flight64(self, name, cell):
        self._add(f'{name}: CPU of daemon / HAProxy', cell['ratios'].get('cpu/haproxy'), 0.55)
        self._add(f'{name}: CPU of client + daemon / libcurl multi', cell['ratios'].get('total/libcurl'), 1.0)

    def _idle1000(self, name, cell):
        self._add(f'{name}: CPU with 1000 idle / without', cell['ratios'].get('cpu/reqivo-alone'), 1.1)

    def _body(self, name, cell):
        peers = [cell['ratios'][key] for key in ('cpu/haproxy', 'cpu/nginx') if key in cell['ratios']]
        if peers:
            self._add(f'{name}: CPU of daemon / best peer', max(peers, key=lambda r: r['median']), 0.80)

    _body64k = _body1m = _body

    def _process(self, name, cell):
        self._add(f'{name}: CPU of reqivo / curl with the system bundle', cell['ratios']['curl, system bundle'], 1 / 25)
        self._add(f'{name}: CPU of reqivo / empty program', cell['ratios']['empty program'], 1.5)

    def _growth(self, name, cell):
        for what in ('pools', 'connections', 'clients'):
            self._add(f'{name}: CPU with many {what} / alone', cell['ratios'][what], 1.3)

    def _websocket(self, name, cell):
        self._add(f'{name}: CPU of daemon / program over libwebsockets', cell['ratios']['libwebsockets'], 1.3)

    _ws64 = _ws64k = _ws64one = _ws64kone = _websocket

    def lines(self):
        met = sum(row['met'] for row in self.rows)
        yield f'targets: {met} met, {len(self.rows) - met} missed'
        for row in sorted(self.rows, key=lambda row: not row['met']):
            figure = row['figure']
            text = f'{figure:.0f}' if isinstance(figure, float) else spread(figure)
            unsure = '' if row['sure'] else '   (the interval holds the bound)'
            yield f'  {"met   " if row["met"] else "MISSED"}  {row["text"]}: {text}, target <= {row["bound"]:.2f}{unsure}'
