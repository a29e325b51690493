#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_access - the access log on standard error: one line for each request and WebSocket, its fields, and that no secret is in it."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drivers  # noqa: E402
import odd_origin as odd  # noqa: E402
import test_websocket as websocket  # noqa: E402
from drivers import rt  # noqa: E402

TIMES = ('queue_us', 'dns_us', 'connect_us', 'tls_us', 'send_us', 'first_us', 'total_us')
ALWAYS = {'uid', 'pid', 'client', 'request', 'method', 'origin', 'status', 'outcome', 'bytes_up', 'bytes_down', 'reused', 'retried'}


def conf(access, level='info', more=''):
    return f'log_level = {level}\nlog {{\n    access = {access}\n}}\n{rt.Reqivod.CONF}{more}'


def parse(text):
    """The access lines as dicts; each must be words of the form name=value and nothing else."""
    rows = []
    for line in text.splitlines():
        if not line.startswith('reqivod: access:'):
            continue
        words = line[len('reqivod: access:'):].split()
        assert all(re.fullmatch(r'[a-z_]+=[!-~]*', word) for word in words), line
        rows.append(dict(word.split('=', 1) for word in words))
    return rows


def lines(daemon, count):
    rt.poll(f'{count} access lines', lambda: len(parse(daemon.process.output())) >= count)
    return parse(daemon.process.output())


def off(place, origin):
    daemon = rt.Reqivod(place)
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '')
    driver.stop()
    rt.equal(daemon.stop(), 0)
    rt.equal(parse(daemon.process.output()), [])


def everything(place, origin):
    daemon = rt.Reqivod(place, conf=conf('all', level='error'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'POST', origin.url('/echo'), 'body fill 1000')['error'], '')
    second = driver.ask('b', 'GET', origin.url('/echo'))
    rt.equal(driver.ask('c', 'BREW', f'http://127.0.0.1:{rt.free_port()}/')['error'], 'E_CONNECT')
    rt.equal(driver.ask('d', 'GET', 'ftp://somewhere.test/')['error'], 'E_URL')
    rows = lines(daemon, 4)
    rt.equal(len(rows), 4, 'lines')
    base = {'uid': str(os.getuid()), 'pid': str(driver.popen.pid), 'origin': f'http://127.0.0.1:{origin.port}', 'status': '200',
            'outcome': 'ok', 'retried': '0'}
    rt.equal({name: rows[0][name] for name in base}, base, 'the first')
    rt.equal((rows[0]['method'], rows[0]['bytes_up'], rows[0]['reused']), ('POST', '1000', '0'))
    rt.equal((rows[1]['method'], rows[1]['bytes_up'], rows[1]['reused']), ('GET', '0', '1'))
    rt.equal(int(rows[1]['bytes_down']), second['length'], 'bytes down')
    assert int(rows[0]['total_us']) >= int(rows[0]['first_us']) > 0, rows[0]
    for row in rows[:2]:
        rt.equal(set(row), ALWAYS | set(TIMES), 'names')
    rt.equal((rows[2]['method'], rows[2]['status'], rows[2]['outcome'], rows[2]['error'], rows[2]['class'], rows[2]['phase']),
             ('BREW', '0', 'failed', 'E_CONNECT', 'network', 'connect'))
    rt.equal((rows[3]['origin'], rows[3]['outcome'], rows[3]['error'], rows[3]['class']), ('-', 'failed', 'E_URL', 'usage'))


def errors_only(place, origin):
    daemon = rt.Reqivod(place, conf=conf('errors'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'GET', origin.url('/echo'))['error'], '')
    rt.equal(driver.ask('b', 'GET', f'http://127.0.0.1:{rt.free_port()}/')['error'], 'E_CONNECT')
    rt.equal(driver.ask('c', 'GET', origin.url('/echo'))['error'], '')
    driver.stop()
    rt.equal(daemon.stop(), 0)
    rt.equal([row['error'] for row in parse(daemon.process.output())], ['E_CONNECT'])


def gone(place, origin):
    """A program that ends, or takes its request back, while the server is waited for."""
    daemon = rt.Reqivod(place, conf=conf('all'))
    driver = drivers.Driver(place, 'async', daemon.socket)
    origin.release.clear()
    driver.write(drivers.describe('gone', 'GET', origin.url('/wait'), ('field', 'X-Token', 'gone')) + 'run\n')
    rt.poll('it has arrived', lambda: origin.seen('gone'))
    driver.popen.kill()
    row = lines(daemon, 1)[0]
    rt.equal((row['outcome'], row['status'], row['pid']), ('gone', '0', str(driver.popen.pid)), row)
    origin.release.set()


def websockets(place, _origin):
    async def talk(ws):
        await ws.send('to the program')
        async for _message in ws:
            break

    daemon = rt.Reqivod(place, conf=conf('all'))
    server = websocket.Server(talk)
    args = [rt.program('reqivo'), 'ws', '--socket', daemon.socket, f'ws://127.0.0.1:{server.port}/?hidden']
    popen = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    rt.equal(popen.stdout.readline(), b'to the program\n')
    rt.equal(parse(daemon.process.output()), [], 'lines while it is open')
    popen.communicate(b'from the program\n', rt.DEADLINE)
    row = lines(daemon, 1)[0]
    server.stop()
    rt.equal((row['method'], row['status'], row['outcome'], row['origin'], row['bytes_up'], row['bytes_down']),
             ('WEBSOCKET', '101', 'ok', f'http://127.0.0.1:{server.port}', '16', '14'), row)
    refused = subprocess.run([*args[:-1], 'ws://169.254.169.254/?hidden'], stdin=subprocess.DEVNULL, capture_output=True, timeout=rt.DEADLINE)
    assert refused.returncode != 0
    row = lines(daemon, 2)[1]
    rt.equal((row['method'], row['status'], row['outcome'], row['error']), ('WEBSOCKET', '0', 'failed', 'E_ADDRESS_DENIED'), row)
    assert 'hidden' not in daemon.process.output()


def forged(place, origin):
    """A method and a host are all that a program writes into a line: neither ends a field nor begins one."""
    daemon = rt.Reqivod(place, conf=conf('all'))
    driver = drivers.Driver(place, 'sync', daemon.socket)
    driver.ask('a', "G'E`T|~", origin.url('/echo'))
    driver.ask('b', 'GET', 'http://a uid=0\nuid=1/')
    for row in lines(daemon, 2):
        rt.equal(row['uid'], str(os.getuid()), row)


def secrets(place, _origin):
    """Secrets in every place that a request or response has; the whole log, at the level debug, knows none."""
    def answer(request, connection):
        if request.target.startswith('/moved'):
            return rt.Origin.answer(connection, b'hidden-01', '302 hidden-02', ('Location: /next/hidden-03?hidden-04#hidden-05',
                                                                               'Set-Cookie: hidden-06=hidden-07; Path=/hidden-08'))
        return rt.Origin.answer(connection, b'hidden-09', '401 hidden-10', ('WWW-Authenticate: Basic realm="hidden-11"',
                                                                           'Set-Cookie: a=hidden-12', 'X-Hidden: hidden-13'))

    daemon = rt.Reqivod(place, conf=conf('all', level='debug'))
    origin = rt.Origin(place, answer)
    base = f'127.0.0.1:{origin.port}'
    fields = ('-H', 'Authorization: Bearer hidden-20', '-H', 'Cookie: b=hidden-21', '-H', 'X-Api-Key: hidden-22',
              '-H', 'hidden-23: x', '-A', 'hidden-24', '-e', 'http://hidden-25.test/hidden-26')
    daemon.reqivo('-sSL', *fields, '-d', 'hidden-27', f'http://{base}/moved/hidden-28?hidden-29#hidden-30')
    daemon.reqivo('-sS', '-u', 'hidden-31:hidden-32', f'http://{base}/hidden-33/%68idden-34?token=hidden-35')
    driver = drivers.Driver(place, 'sync', daemon.socket)
    rt.equal(driver.ask('a', 'GET', f'http://hidden-36:hidden-37@{base}/hidden-38')['error'], 'E_URL')
    rt.equal(driver.ask('b', 'GET', f'http://{base}/hidden-39', ('field', 'Content-Length', 'hidden-40'))['error'], 'E_FIELD')
    rt.equal(driver.ask('c', 'GET', f'http://127.0.0.1:{rt.free_port()}/hidden-41?hidden-42')['error'], 'E_CONNECT')
    rows = lines(daemon, 4)
    rt.equal([row['status'] for row in rows if row['outcome'] == 'ok'], ['401', '401'], 'statuses')
    rt.equal(daemon.stop(), 0)
    log = daemon.process.output()
    assert 'hidden' not in log.lower(), [line for line in log.splitlines() if 'hidden' in line.lower()]


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        origin = odd.OddOrigin(place)
        tap.case('off: nothing', off, place, origin)
        tap.case('all: every request, whatever log_level is', everything, place, origin)
        tap.case('errors: what failed', errors_only, place, origin)
        tap.case('a program that has gone', gone, place, origin)
        tap.case('WebSockets: one line at the end', websockets, place, origin)
        tap.case('rule_b9_15: what a program writes forges nothing', forged, place, origin)
        tap.case('rule_b9_15: no secret is in the log', secrets, place, origin)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
