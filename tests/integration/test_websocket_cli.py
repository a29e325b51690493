#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_websocket_cli - `reqivo ws` as it is used: in pipes, with large lines, with a reader that is slow or goes away; and `reqivoctl
websockets`."""
import asyncio
import json
import os
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

import reqivotest as rt  # noqa: E402
import test_websocket as base  # noqa: E402
import test_websocket_session as session  # noqa: E402


class Command:
    """`reqivo ws ARGS` with pipes."""

    def __init__(self, daemon, *args, **options):
        options = dict({'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}, **options)
        self.popen = subprocess.Popen([rt.program('reqivo'), 'ws', '--socket', daemon.socket, *args], **options)

    def end(self, data=None):
        """(exit code, stdout, stderr)"""
        try:
            out, err = self.popen.communicate(data, rt.DEADLINE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise AssertionError('it did not end') from None
        return self.popen.returncode, out, (err or b'').decode(errors='replace')


LOG = []  # what the server of a case was sent


async def collect(ws):
    async for message in ws:
        LOG.append(message)


def serve(talk=collect, **options):
    LOG.clear()
    return base.Server(talk, **options)


def stop(server):
    rt.poll('the server has seen the end', lambda: server.served >= 1)
    server.stop()
    rt.equal(server.errors, [])


def lines_in(daemon):
    """Every line is a message: empty ones, the last without its end, larger than any buffer, of exactly a block."""
    lines = ['one', '', 'é€𐍈', 'x' * 65535, 'y' * 65536, 'z' * 65537, 'é' * 1000000, 'the last']
    server = serve()
    rt.equal(Command(daemon, session.url_of(server)).end('\n'.join(lines).encode())[0::2], (0, ''))
    stop(server)
    rt.equal([len(m) for m in LOG], [len(line) for line in lines])
    rt.equal(LOG, lines)
    rt.equal(server.seen, [(1000, '')])


def block_at_the_end(daemon):
    """The input ends with a block that was sent already: the line ends, too."""
    server = serve()
    rt.equal(Command(daemon, session.url_of(server)).end(b'b' * 65536)[0], 0)
    rt.equal(Command(daemon, session.url_of(server)).end(b'')[0], 0)
    rt.poll('both are served', lambda: server.served == 2)
    stop(server)
    rt.equal(LOG, ['b' * 65536])


def converse(daemon, data, *args):
    """Has data echoed; stdin stays open until all is back, for its end closes the session."""
    server = serve(session.echo)
    command = Command(daemon, *args, session.url_of(server))
    got = []
    reader = threading.Thread(target=lambda: got.append(command.popen.stdout.read(len(data))), daemon=True)
    reader.start()
    command.popen.stdin.write(data)
    command.popen.stdin.flush()
    reader.join(rt.DEADLINE)
    rt.equal(command.end()[0::2], (0, ''))
    stop(server)
    assert got and got[0] == data, 'another %d bytes came back' % len(got[0] if got else b'')


def binary(daemon):
    converse(daemon, os.urandom(1 << 20), '--binary')


def not_text(daemon):
    """One clear error; what stood before it was sent."""
    for data in (b'good\n\xff\xfe\nnever\n', b'good\ncut \xe2\x82'):
        server = serve()
        code, _, err = Command(daemon, session.url_of(server)).end(data)
        stop(server)
        rt.equal((code, err), (26, 'reqivo: (26) a line of the input is not UTF-8; --binary sends bytes as they are\n'))
        rt.equal((LOG, server.seen), (['good'], [(1001, '')]))


def verbose(daemon):
    async def talk(ws):
        await ws.close(4242, 'because')

    server = serve(talk, subprotocols=['chat'])
    code, out, err = Command(daemon, '-v', '--subprotocol', 'other', '--subprotocol', 'chat', session.url_of(server)).end()
    stop(server)
    rt.equal((code, out, err), (0, b'', '* open, subprotocol chat\n* closed: 4242 because\n'))


def pause():
    threading.Event().wait(0.2)


def slow_reader(daemon):
    """stdout is read late: the server is slowed, and nothing is missing."""
    total, sent = 400, []

    async def talk(ws):
        for i in range(total):
            await ws.send('%06d' % i + 'x' * 100000)
            sent.append(i)
        await ws.close()

    server = serve(talk, write_limit=1 << 16)
    command = Command(daemon, session.url_of(server))
    rt.poll('the first have come', lambda: len(sent) > 5)
    rt.poll('the server is stopped', lambda before=[-1]: len(sent) == before[0] or before.__setitem__(0, len(sent)) or pause())
    assert len(sent) < total, 'the server was not slowed'
    out = command.popen.stdout.read()
    rt.equal(command.end()[0::2], (0, ''))
    stop(server)
    rt.equal([line[:6] for line in out.decode().splitlines()], ['%06d' % i for i in range(total)])


def reader_goes(daemon):
    async def talk(ws):
        try:
            while True:
                await ws.send('x' * 1000)
                await asyncio.sleep(0)  # or it would never read
        except base.websockets.ConnectionClosed:
            pass

    server = serve(talk)
    command = Command(daemon, session.url_of(server))
    command.popen.stdout.read(10)
    command.popen.stdout.close()
    rt.equal(command.popen.wait(rt.DEADLINE), 23)
    rt.contains(command.popen.stderr.read().decode(), 'reqivo: (23) the output could not be written')
    command.popen.stdin.close()
    stop(server)
    rt.equal(server.seen, [(1001, '')])


def server_goes_while_stdin_is_open(daemon):
    async def talk(ws):
        await ws.send('bye')
        await ws.close()

    server = serve(talk)
    command = Command(daemon, session.url_of(server))
    rt.equal(command.popen.wait(rt.DEADLINE), 0)
    rt.equal(command.popen.stdout.read(), b'bye\n')
    stop(server)


def pings(daemon):
    def case(server, connection, _number):
        frames = session.Frames(connection)
        while True:
            server.log.append(frames.next()[0])

    server = session.Raw(case)
    command = Command(daemon, '--ping-interval', '0.02', session.url_of(server))
    rt.poll('pings', lambda: server.log.count(0x89) >= 1)
    command.popen.send_signal(signal.SIGINT)
    code = command.end()[0]
    rt.equal(code, -signal.SIGINT)
    rt.poll('the server hears the end', lambda: 0x88 in server.log)
    server.stop()


def loss(daemon):
    """A server that breaks off: exit code and words."""
    async def talk(ws):
        await ws.recv()
        ws.transport.abort()

    server = serve(talk)
    command = Command(daemon, session.url_of(server))
    command.popen.stdin.write(b'one\n')
    command.popen.stdin.flush()
    rt.poll('its end', lambda: command.popen.poll() is not None)
    code, _, err = command.end()
    server.stop()
    rt.equal(code, 56)
    rt.contains(err, 'reqivo: (56) ')
    rt.contains(err, 'of 1 messages it is not known')


def cut_line(daemon):
    """A server that breaks off within a message: the half line ends, and the message of the next connection is a line of its own."""
    def case(_server, connection, number):
        if number == 1:
            connection.sendall(base.frame(base.TEXT, b'half', fin=0))
            return
        connection.sendall(base.frame(base.TEXT, b'whole') + base.frame(base.CLOSE, b'\x03\xe8'))
        connection.recv(1000)

    server = session.Raw(case)
    command = Command(daemon, '--reconnect', '3', session.url_of(server))
    rt.poll('its end', lambda: command.popen.poll() is not None)
    code, out, err = command.end()
    server.stop()
    rt.equal((code, out), (0, b'half\nwhole\n'), err)


def usage(daemon):
    def code(*args):
        return Command(daemon, *args, stdin=subprocess.DEVNULL).end()[0]

    port = rt.free_port()
    rt.equal((code(), code('--nonsense', 'ws://x/'), code('a', 'b'), code('-H', 'no colon', 'ws://x/'), code('--ping-interval', 'x', 'ws://x/')),
             (2, 2, 2, 2, 2))
    rt.equal((code('ws://127.0.0.1:%d/' % port), code('ftp://127.0.0.1/'), code('-h')), (7, 3, 0))


def clear_errors(daemon):
    """What is wrong with the command line, by name; a flag that lacks its argument does not take the URL for it."""
    url = 'ws://127.0.0.1:%d/' % rt.free_port()
    for args, code, words in (
            ([url, '-H'], 2, 'this flag needs an argument: --header'), ([url, '--socket'], 2, 'this flag needs an argument: --socket'),
            (['-m', '2', url], 2, 'unknown flag: -m'), (['-km', url], 2, 'unknown flag: -m'), (['--bogus', url], 2, 'unknown flag: --bogus'),
            (['--binary=x', url], 2, 'this flag takes no argument: --binary=x'), (['--ping-interval', 'abc', url], 2, 'not usable: --ping-interval abc'),
            (['-H', 'bad', url], 2, 'not usable: --header bad'), (['--cacert', '/nonexistent/ca', url], 77, '/nonexistent/ca')):
        found, out, err = Command(daemon, *args, stdin=subprocess.DEVNULL).end()
        rt.equal((found, out, err.count('\n')), (code, b'', 1), f'{args}: {err}')
        rt.contains(err, words)


def no_close(daemon):
    """The answer to the last line comes when stdin has long ended."""
    ended = threading.Event()

    async def talk(ws):
        LOG.append(await ws.recv())
        while not ended.is_set():
            await asyncio.sleep(0.01)
        await ws.send('late')
        await ws.close()

    for flag in ('-n', '--no-close'):
        ended.clear()
        server = serve(talk)
        command = Command(daemon, flag, session.url_of(server))
        command.popen.stdin.write(b'hello')
        command.popen.stdin.close()
        command.popen.stdin = None
        rt.poll('the line has come', lambda: LOG == ['hello'])
        ended.set()
        rt.equal(command.end(), (0, b'late\n', ''))
        stop(server)


def table(daemon):
    """reqivoctl websockets: a table, and JSON with whole numbers."""
    rt.poll('no session', lambda: b'no websockets' in daemon.reqivoctl('websockets').stdout)
    server = serve(session.echo)
    command = Command(daemon, session.url_of(server))
    line = b'h' * 9999 + b'\n'
    command.popen.stdin.write(line)
    command.popen.stdin.flush()
    rt.equal(command.popen.stdout.readline(), line)
    rows = json.loads(daemon.reqivoctl('--json', 'websockets').stdout)
    text = daemon.reqivoctl('websockets').stdout.decode().splitlines()
    rt.equal(command.end()[0], 0)
    stop(server)
    row = rows[0]
    rt.equal((len(rows), row['origin'], row['uid'], row['state']), (1, 'ws://127.0.0.1:%d' % server.port, os.getuid(), 'open'))
    rt.equal([row[name] for name in ('sent_messages', 'sent_bytes', 'received_messages', 'received_bytes', 'queued_up', 'queued_down', 'attempt')],
             [1, 9999, 1, 9999, 0, 0, 0])
    seconds = max(row['age_ms'], 1000) / 1000, max(row['age_ms'] + 1, 1000) / 1000  # the age is whole milliseconds, the rate whole bytes
    for name in ('sent_rate', 'received_rate'):
        assert 0 < 9999 / seconds[1] - 1 <= row[name] <= 9999 / seconds[0], row
    rt.equal(len(text), 2, text)
    rt.contains(text[0], 'queued_up')


def both_ways_at_once(daemon):
    """Large input while as much comes back: neither waits for the other for ever."""
    lines = b''.join(b'%07d' % i + b'e' * 3000 + b'\n' for i in range(5000))
    converse(daemon, lines)


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        daemon = rt.Reqivod(place)
        for name, case in (('lines of any length', lines_in), ('a block at the end of the input', block_at_the_end),
                           ('--binary', binary), ('a line that is not UTF-8', not_text), ('-v', verbose), ('a reader that is slow', slow_reader),
                           ('a reader that goes away', reader_goes), ('the server closes while stdin is open', server_goes_while_stdin_is_open),
                           ('--ping-interval, and SIGINT', pings), ('a server that breaks off', loss),
                           ('a server that breaks off within a line', cut_line), ('usage and failures', usage), ('clear errors', clear_errors), ('-n', no_close),
                           ('both ways at once', both_ways_at_once), ('reqivoctl websockets', table)):
            tap.case(name, case, daemon)
        tap.case('all is given back', base.gone, daemon)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
