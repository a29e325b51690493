# SPDX-License-Identifier: MIT
"""cases - the one table of requests and what must become of them; test_cases.py runs it through both drivers.

A case is (name, request, expectation). Names that begin with rule_ say which rule of the security review the case shows.
request: dict with method (GET), url, options (lines of driver_common.h), and perhaps
  raw      (bytes, after): the answer of the odd origin, which is then the target (odd_origin.py); over: 'odds' takes https
  prime    a path that is requested first on the same origin, so that a connection waits in the pool; or prime_url, prime_options
  probe    True: afterwards /echo is asked of the same origin, and `conn` is expected: 'kept' (same connection) or 'closed'
In urls {nginx} {nginxs} {odd} {odds} are origins, {expired} ... certificates, {closed} {deaf} {mutetls} {plaintls} odd ports.
expectation: dict of fields of the result; besides: conn, body (exact), has (text within the body), echo (dict, of the JSON that
the origin echoes), field (name, value), count (requests that the origin has seen with this case's token), error: a name or a
tuple of names, other_conn (not the connection of the primer), ends (the case is over within so many ms).
"""
from drivers import crc, pattern

OK = {'error': '', 'sent': 2, 'status': 200}
CASES = []


def case(name, request, expect):
    CASES.append((name, request, expect))


def get(url, *options, **more):
    return dict(more, method='GET', url=url, options=options)


def send(method, url, *options, **more):
    return dict(more, method=method, url=url, options=options)


def raw(data, after='keep', method='GET', options=(), **more):
    """An answer of these bytes."""
    return dict(more, raw=(data, after), method=method, options=options)


def head(*lines, status='200 OK', version='1.1'):
    return '\r\n'.join([f'HTTP/{version} {status}', *lines, '', '']).encode('latin-1')


# ---- the ordinary, over http and https, nginx ----

BIG = pattern(3_000_000)
FILES = {'page': b'a page\n', 'big': BIG, 'void': b''}

for where in ('nginx', 'nginxs'):
    url = '{' + where + '}'
    case(f'{where}: GET a file', get(f'{url}/page'), dict(OK, body='a page\n', content_length=7, minor=1, reason='OK'))
    case(f'{where}: HEAD has the length and no body', send('HEAD', f'{url}/big'),
         dict(OK, length=0, content_length=len(BIG)))
    case(f'{where}: a large file, whole', get(f'{url}/big'), dict(OK, length=len(BIG), crc=crc(BIG)))
    case(f'{where}: a large file, streamed', get(f'{url}/big', 'stream'), dict(OK, length=len(BIG), crc=crc(BIG), heads=1))
    case(f'{where}: an empty file', get(f'{url}/void'), dict(OK, length=0, content_length=0))
    case(f'{where}: 204', get(f'{url}/empty'), {'error': '', 'status': 204, 'length': 0})
    case(f'{where}: 404 is an answer, no error', get(f'{url}/missing'), {'error': '', 'status': 404, 'body': 'no such thing\n'})
    case(f'{where}: a redirect is not followed', get(f'{url}/away'), {'error': '', 'status': 302, 'has_field': 'location'})
    case(f'{where}: a range', get(f'{url}/big', ('field', 'Range', 'bytes=10-19')),
         {'error': '', 'status': 206, 'crc': crc(BIG[10:20]), 'length': 10})
    case(f'{where}: not modified has a length and no body',
         get(f'{url}/page', ('field', 'If-None-Match', '*')),
         {'error': '', 'status': 304, 'length': 0})
    case(f'{where}: POST, the body is taken', send('POST', f'{url}/x', 'body fill 200000'), dict(OK, body='hello from /x\n'))
    case(f'{where}: Connection: close is honoured', get(f'{url}/close'), dict(OK, body='bye\n'))
    case(f'{where}: the second request reuses the connection', get(f'{url}/page', prime='/page'), dict(OK, reused=1))
    case(f'{where}: fresh does not reuse', get(f'{url}/page', 'fresh 1', prime='/page'), dict(OK, reused=0))
case('nginxs: by address, the certificate names it', get('https://127.0.0.1:{port}/page', port='nginxs'), dict(OK, body='a page\n'))

# ---- what arrives is what was asked: the odd origin echoes ----

for where in ('odd', 'odds'):
    url = '{' + where + '}/echo'
    case(f'{where}: method, target and query', send('PATCH', f'{url}/a/b?c=d&e', 'body memory x'),
         dict(OK, echo={'method': 'PATCH', 'target': '/echo/a/b?c=d&e', 'version': 'HTTP/1.1', 'body': 'x'}))
    case(f'{where}: fields in order, twice the same name',
         get(url, ('field', 'X-One', 'a b'), ('field', 'X-Two', ''), ('field', 'x-one', '\xe9\t!')),
         dict(OK, echo_fields=[('X-One', 'a b'), ('X-Two', ''), ('x-one', '\xc3\xa9\t!')]))
    case(f'{where}: body from memory', send('POST', url, 'body fill 300000'),
         dict(OK, echo={'length': 300000, 'crc': crc(pattern(300000))}))
    case(f'{where}: body by view', send('POST', url, ('body', 'view', b'\x01\xff view')),
         dict(OK, echo={'body': '\x01\xff view'}))
    case(f'{where}: body from a file', send('PUT', url, 'body file {file}'),
         dict(OK, echo={'length': len(BIG), 'crc': crc(BIG)}))
    case(f'{where}: body from a callback, length known', send('POST', url, 'body callback 2500000'),
         dict(OK, echo={'length': 2500000, 'crc': crc(pattern(2500000))}, echo_has={'content-length': '2500000'}))
    case(f'{where}: body from a callback, chunked', send('POST', url, 'body chunked 2500000'),
         dict(OK, echo={'length': 2500000, 'crc': crc(pattern(2500000))}, echo_has={'transfer-encoding': 'chunked'}))
    case(f'{where}: an empty body is present', send('POST', url, 'body fill 0'),
         dict(OK, echo={'length': 0}, echo_has={'content-length': '0'}))
    case(f'{where}: an empty chunked body', send('POST', url, 'body chunked 0'), dict(OK, echo={'length': 0}))
    case(f'{where}: rule_b4_one_length: exactly one length', send('POST', url, 'body memory abc'),
         dict(OK, echo_once=['content-length', 'host']))
    case(f'{where}: an answer that drips byte by byte', get('{' + where + '}/drip_head'),
         dict(OK, body='abc', fields=[['Content-Length', '3'], ['X-A', 'b']]))
    case(f'{where}: an answer in two pieces, the connection is kept', get('{' + where + '}/halves', probe=True),
         dict(OK, body='abc', fields=[['Content-Length', '3'], ['X-A', 'b']], conn='kept'))
    case(f'{where}: chunks and a trailer', get('{' + where + '}/chunks/30/1000'),
         dict(OK, length=30000, trailers=[['X-Sum', '30000']], content_length=-1))
    case(f'{where}: the connection is kept', get(url, probe=True), dict(OK, conn='kept'))
case('a body with DELETE', send('DELETE', '{odd}/echo', 'body memory gone'), dict(OK, echo={'method': 'DELETE', 'body': 'gone'}))
case('a method of its own', send('PURGE', '{odd}/echo'), dict(OK, echo={'method': 'PURGE', 'length': 0}))
case('an own Host takes the place of the URL\'s', get('{odd}/echo', ('field', 'Host', 'vhost.example')),
     dict(OK, echo_has={'host': 'vhost.example'}, echo_once=['host']))
case('dot segments go, the fragment stays here', get('{odd}/a/../echo/./x#part'), dict(OK, echo={'target': '/echo/x'}))
case('bytes over 0x7f are percent-encoded', get('{odd}/echo/\xe9'), dict(OK, echo={'target': '/echo/%C3%A9'}))
case('the shortest URL has the target /', get('http://127.0.0.1:{port}', port='odd'), dict(OK, echo={'target': '/'}))

# ---- what is refused before anything is sent ----

REFUSED = {'sent': 0, 'status': 0, 'count': 0}
for name, field in (('CR LF', ('X', 'a\r\nB: c')), ('LF', ('X', 'a\nb')), ('a control byte', ('X', 'a\x01b')),
                    ('a name with a space', ('X Y', 'a')), ('a name with a colon', ('X:', 'a')), ('no name', ('', 'a'))):
    case(f'rule_b4_request_ctl: {name} in a field', get('{odd}/echo', ('field', *field)), dict(REFUSED, error='E_FIELD'))
for name in ('Content-Length', 'Transfer-Encoding', 'Connection', 'Keep-Alive', 'TE', 'Trailer', 'Upgrade', 'Expect',
             'Proxy-Authorization', 'proxy-connection'):
    case(f'rule_b4_request_fields: {name} is the daemon\'s own', get('{odd}/echo', ('field', name, '1')),
         dict(REFUSED, error='E_FIELD'))
for name, method in (('with a space', 'GE T'), ('with CR LF', 'GET\r\nX:'), ('CONNECT', 'CONNECT')):
    case(f'rule_b4_request_ctl: a method {name}', send(method, '{odd}/echo'), dict(REFUSED, error='E_METHOD'))
for name, url in (('of another scheme', 'ftp://127.0.0.1/'), ('without a host', 'http:///x'), ('with port 0', 'http://127.0.0.1:0/'),
                  ('with port 99999', 'http://127.0.0.1:99999/'), ('with a space', 'http://127.0.0.1/a b'),
                  ('with CR LF', 'http://127.0.0.1/a\r\nb'), ('with a short number', 'http://127.1/'),
                  ('with a hexadecimal number', 'http://0x7f000001/'), ('with an octal number', 'http://0177.0.0.1/'),
                  ('with a backslash', 'http://127.0.0.1\\@x/'), ('with userinfo', 'http://user:secret@127.0.0.1/'),
                  ('that is none', 'hello')):
    case(f'rule_b10_6: a URL {name}', get(url), dict(REFUSED, error='E_URL', **{'class': 'usage'}))
case('a head over 60 KiB', get('{odd}/echo', ('field', 'X', 'a' * 62000)), dict(REFUSED, error='E_LIMIT_HEAD'))
case('a body that is shorter than declared', send('POST', '{odd}/echo', 'body callback 1000 2000'), {'error': 'E_BODY_LENGTH'})
case('a body callback is asked for no more than was declared', send('POST', '{odd}/echo', 'body callback 2000 1000'),
     dict(OK, echo={'length': 1000}))
case('a large body that is shorter than declared', send('POST', '{odd}/echo', 'body callback 1000000 2000000'),
     {'error': 'E_BODY_LENGTH'})
case('a body whose source fails', send('POST', '{odd}/echo', 'body chunked 100000', 'source-fail'), {'error': 'E_BODY_SOURCE'})

# ---- policy ----

for address in ('169.254.169.254', '[::ffff:169.254.169.254]', '0.0.0.0', '224.0.0.1', '255.255.255.255', '[fe80::1]', '[ff02::1]',
                '[::]', '[64:ff9b::a9fe:a9fe]', '[2002:a9fe:a9fe::1]'):
    case(f'rule_b10_6: {address} is refused', get(f'http://{address}/'), dict(REFUSED, error='E_ADDRESS_DENIED', **{'class': 'policy'}))

# ---- answers of the odd origin: framing ----

BODY = b'0123456789'
CL = 'Content-Length: 10'
KEPT, CLOSED = {'conn': 'kept'}, {'conn': 'closed'}
NEXT = head('Content-Length: 6') + b'SECRET'
BAD_HEAD = dict(error='E_RESPONSE_HEAD', conn='closed', **{'class': 'invalid response'})
BAD_FRAMING = dict(error='E_RESPONSE_FRAMING', conn='closed', **{'class': 'invalid response'})
OVER_LIMIT = dict(error='E_RESPONSE_LIMIT', conn='closed')


def answer(name, data, expect, after='keep', **more):
    case(name, raw(data, after, probe='conn' in expect, **more), expect)


answer('raw: a length', head(CL) + BODY, dict(OK, body='0123456789', **KEPT))
answer('raw: no reason phrase', head(CL, status='200 ') + BODY, dict(OK, reason='', **KEPT))
answer('raw: status 599', head(CL, status='599 Odd') + BODY, {'error': '', 'status': 599, 'reason': 'Odd'})
answer('raw: the end of the connection ends the body', head() + BODY, dict(OK, body='0123456789', conn='closed'), after='close')
answer('raw: HTTP/1.0 without keep-alive is not kept', head(CL, version='1.0') + BODY, dict(OK, minor=0, **CLOSED))
answer('raw: HTTP/1.0 with keep-alive is kept', head(CL, 'Connection: keep-alive', version='1.0') + BODY, dict(OK, **KEPT))
answer('rule_b1_persistent: Connection: close is not kept', head(CL, 'Connection: close') + BODY, dict(OK, **CLOSED))
answer('raw: Connection: close among others', head(CL, 'Connection: x, Close') + BODY, dict(OK, **CLOSED))
answer('rule_b1_idle: Keep-Alive: timeout=1 is not kept', head(CL, 'Keep-Alive: timeout=1') + BODY, dict(OK, **CLOSED))
for status in ('304 Not Modified',):
    answer('rule_b4_1: 304 with a length has no body', head(CL, status=status) + NEXT,
           {'error': '', 'status': 304, 'length': 0, 'conn': 'closed'})
    answer('rule_b4_1: 304 with a length and nothing behind it is kept', head(CL, status=status),
           {'error': '', 'status': 304, 'length': 0, 'content_length': 10, 'conn': 'kept'})
answer('rule_b4_1: 204 with a length', head(CL, status='204 No Content') + NEXT, dict(BAD_FRAMING, length=0))
answer('rule_b4_1: 204 with chunks', head('Transfer-Encoding: chunked', status='204 No Content') + b'0\r\n\r\n', BAD_FRAMING)
answer('rule_b4_1: 1xx with a length', head(CL, status='103 Early Hints') + BODY + NEXT, BAD_FRAMING)
answer('rule_b4_1: HEAD has no body, what follows is nobody\'s', head(CL) + BODY, dict(OK, length=0, **CLOSED), method='HEAD')
answer('rule_b4_1: HEAD, kept', head(CL), dict(OK, length=0, content_length=10, **KEPT), method='HEAD')
answer('rule_b4_2: a second answer in the same read', head(CL) + BODY + NEXT, dict(OK, body='0123456789', **CLOSED))
answer('rule_b4_2: CR LF after the body', head(CL) + BODY + b'\r\n', dict(OK, body='0123456789', **CLOSED))
answer('rule_b4_2: garbage after the last chunk', head('Transfer-Encoding: chunked') + b'1\r\nx\r\n0\r\n\r\nzz',
       dict(OK, body='x', **CLOSED))
answer('rule_b4_3: an answer on the idle connection', head(CL) + BODY, dict(OK, body='0123456789', **CLOSED),
       after='junk:HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nSECRET')
answer('rule_b4_3: CR LF on the idle connection', head(CL) + BODY, dict(OK, **CLOSED), after='junk:\\r\\n')
answer('rule_b4_3: the end of the idle connection', head(CL) + BODY, dict(OK, **CLOSED), after='hangup')
answer('rule_b4_3: over https: an answer on the idle connection', head(CL) + BODY, dict(OK, body='0123456789', **CLOSED),
       after='junk:HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nSECRET', over='odds')
answer('rule_b4_4: two Transfer-Encoding', head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + b'0\r\n\r\n', BAD_FRAMING)
for coding in ('gzip, chunked', 'identity', 'xchunked', 'chunked;q=1', '\x0bchunked', '', 'chunked, chunked', '"chunked"'):
    answer(f'rule_b4_5: Transfer-Encoding: {coding!r}', head(f'Transfer-Encoding: {coding}') + b'1\r\nx\r\n0\r\n\r\n',
           dict(error=('E_RESPONSE_FRAMING', 'E_RESPONSE_HEAD'), conn='closed', length=0))
answer('rule_b4_6: chunks in HTTP/1.0', head('Transfer-Encoding: chunked', version='1.0') + b'0\r\n\r\n', BAD_FRAMING)
answer('rule_b4: a length and chunks', head(CL, 'Transfer-Encoding: chunked') + b'0\r\n\r\n', BAD_FRAMING)
answer('rule_b4: chunks and a length', head('Transfer-Encoding: chunked', CL) + b'0\r\n\r\n', BAD_FRAMING)
answer('rule_b4: two lengths, equal', head(CL, CL) + BODY, BAD_FRAMING)
answer('rule_b4: two lengths, different', head(CL, 'Content-Length: 4') + BODY, BAD_FRAMING)
for value in ('10, 10', '+10', '-1', '0x10', '', '18446744073709551616', '9223372036854775808', '1 0', '10a'):
    answer(f'rule_b4: Content-Length: {value!r}', head(f'Content-Length: {value}') + BODY, BAD_FRAMING)
answer('rule_b4_7: a folded line', head('X-A: b', ' c', CL) + BODY, BAD_HEAD)
answer('rule_b4_7: a folded length', head('Content-Length: 1', '\t0') + BODY, BAD_HEAD)
answer('rule_b4_8: bare LF', b'HTTP/1.1 200 OK\nContent-Length: 10\n\n' + BODY, BAD_HEAD)
answer('rule_b4_8: one bare LF', b'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 10\r\n\r\n' + BODY, BAD_HEAD)
answer('rule_b4_9: a control byte in a value', head('X: a\x01b', CL) + BODY, BAD_HEAD)
answer('rule_b4_9: DEL in a value', head('X: a\x7fb', CL) + BODY, BAD_HEAD)
answer('rule_b4_9: NUL in the reason', head(CL, status='200 O\0K') + BODY, BAD_HEAD)
answer('rule_b4_9: a bare CR in a value', head('X: a\rb', CL) + BODY, BAD_HEAD)
answer('rule_b4_9: LF in a chunk extension', head('Transfer-Encoding: chunked') + b'1;a\nb\r\nx\r\n0\r\n\r\n', BAD_FRAMING)
answer('rule_b4_10: a space before the colon', head('Transfer-Encoding : chunked') + b'0\r\n\r\n', BAD_HEAD)
answer('rule_b4_10: a name with a space', head('X Y: a', CL) + BODY, BAD_HEAD)
answer('rule_b4_10: a leading space', head(' X: a', CL) + BODY, BAD_HEAD)
answer('rule_b4_10: a line without a colon', head('nothing', CL) + BODY, BAD_HEAD)
answer('rule_b4_10: a line without a name', head(': x', CL) + BODY, BAD_HEAD)
for version in ('1.2', '2.0', '0.9', '1.10'):
    answer(f'rule_b4_11: HTTP/{version}', head(CL, version=version) + BODY, BAD_HEAD)
for status in ('000', '99', '999', '2000', '20x', '-200'):
    answer(f'rule_b4_11: status {status}', head(CL, status=f'{status} X') + BODY, BAD_HEAD)
answer('raw: no HTTP at all', b'SSH-2.0-OpenSSH_9.2\r\n', BAD_HEAD)
answer('raw: CR LF before the status line', b'\r\n' + head(CL) + BODY, BAD_HEAD)
answer('rule_b4_12: 101 unasked', head('Upgrade: x', 'Connection: upgrade', status='101 Switching Protocols') + NEXT,
       dict(error='E_UPGRADE', conn='closed'))
answer('rule_b4_12: 101 without Upgrade', head(status='101 Switching Protocols'), dict(error='E_UPGRADE', conn='closed'))
answer('rule_b4_13: 8 interim answers are read', head(status='100 Continue') * 8 + head(CL) + BODY, dict(OK, body='0123456789', **KEPT))
answer('rule_b4_13: 9 interim answers are too many', head(status='103 Early Hints') * 9 + head(CL) + BODY, OVER_LIMIT)
case('rule_b4_13: endless 100 Continue', get('{odd}/endless/1xx'), {'error': 'E_RESPONSE_LIMIT'})
case('rule_b4_13: endless 103, over https', get('{odds}/endless/103'), {'error': 'E_RESPONSE_LIMIT'})
case('rule_b4_14: an endless head', get('{odd}/endless/head'), {'error': 'E_RESPONSE_LIMIT'})
case('rule_b4_15: an endless line', get('{odd}/endless/line'), {'error': 'E_RESPONSE_LIMIT'})
answer('rule_b4_14: 128 fields', head(CL, *(f'X-{i}: a' for i in range(127))) + BODY, dict(OK, **KEPT))
answer('rule_b4_14: 129 fields', head(CL, *(f'X-{i}: a' for i in range(128))) + BODY, OVER_LIMIT)
answer('rule_b4_14: a line of 17 KiB', head(CL, 'X: ' + 'a' * 17408) + BODY, OVER_LIMIT)
answer('rule_b4_14: a name of 300 bytes', head(CL, 'X' * 300 + ': a') + BODY, OVER_LIMIT)
answer('rule_b4_14: a head of 60 KiB is read', head(CL, *(f'X-{i}: ' + 'a' * 14900 for i in range(4))) + BODY,
       dict(OK, body='0123456789', **KEPT))
answer('rule_b4_14: a head of 70 KiB', head(CL, *(f'X-{i}: ' + 'a' * 14000 for i in range(5))) + BODY, OVER_LIMIT)
case('rule_b4_14: endless trailers', get('{odd}/endless/trailers'), {'error': 'E_RESPONSE_LIMIT'})
case('rule_b4_16: chunk extensions outweigh the body', get('{odd}/endless/chunk-ext'), {'error': 'E_RESPONSE_LIMIT'})
answer('rule_b4_16: a chunk extension of 100 bytes', head('Transfer-Encoding: chunked') + b'1;' + b'e' * 100 + b'\r\nx\r\n0\r\n\r\n',
       OVER_LIMIT)
answer('raw: a small chunk extension is read over', head('Transfer-Encoding: chunked') + b'1;a=b\r\nx\r\n0\r\n\r\n',
       dict(OK, body='x', **KEPT))
answer('raw: trailers, the forbidden ones gone',
       head('Transfer-Encoding: chunked') + b'1\r\nx\r\n0\r\nX-T: 1\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nHost: x\r\n\r\n',
       dict(OK, body='x', trailers=[['X-T', '1']], **KEPT))
for name, chunk in (('0x3', b'0x3\r\nabc'), ('+3', b'+3\r\nabc'), ('3 ', b'3 \r\nabc'), ('none', b'\r\nabc'), ('zz', b'zz\r\n'),
                    ('bare LF', b'3\nabc'), ('3\\rX', b'3\rXabc'), ('2^64', b'10000000000000000\r\n'), ('-1', b'-1\r\nabc')):
    answer(f'rule_b4: chunk size {name}', head('Transfer-Encoding: chunked') + chunk + b'\r\n0\r\n\r\n', BAD_FRAMING)
answer('rule_b4: chunk data longer than its size', head('Transfer-Encoding: chunked') + b'3\r\nabcd\r\n0\r\n\r\n', BAD_FRAMING)

# ---- stages: ends, resets, stalls ----

TRUNCATED = {'error': 'E_TRUNCATED', 'class': 'invalid response', 'conn': 'closed'}
BROKEN = {'error': 'E_RESET', 'class': 'network'}
case('stage: nothing listens', get('http://127.0.0.1:{port}/', port='closed'), dict(REFUSED, error='E_CONNECT', phase='connect', errno=111))
case('stage: the connect hangs', get('http://127.0.0.1:{port}/', 'timeout connect 200', port='deaf'),
     dict(REFUSED, error='E_TIMEOUT_CONNECT', ends=2000, **{'class': 'connect timeout'}))
case('stage: TLS stalls', get('https://127.0.0.1:{port}/', 'timeout tls 200', port='mutetls'),
     dict(REFUSED, error='E_TIMEOUT_TLS', phase='tls', ends=2000, **{'class': 'connect timeout'}))
case('stage: the answer to TLS is plain HTTP', get('https://127.0.0.1:{port}/', port='plaintls'), dict(REFUSED, error='E_TLS_HANDSHAKE'))
case('stage: reset instead of TLS', get('https://127.0.0.1:{port}/', port='resettls'),
     dict(REFUSED, error=('E_TLS_HANDSHAKE', 'E_RESET', 'E_TLS_PROTOCOL', 'E_CONNECT')))
case('stage: https to an http port', get('https://127.0.0.1:{port}/', 'timeout tls 1000', port='odd'),
     dict(REFUSED, error=('E_TLS_HANDSHAKE', 'E_TIMEOUT_TLS', 'E_RESET')))
case('stage: the name does not exist', get('http://no-such-host.invalid/', 'timeout connect 1500'),
     dict(REFUSED, error=('E_RESOLVE', 'E_TIMEOUT_RESOLVE')))
case('stage: closed without an answer', get('{odd}/mute', 'fresh 1'), {'error': 'E_EMPTY_RESPONSE', 'sent': 1, 'retried': 0, 'count': 1})
case('stage: reset without an answer', get('{odd}/mute/reset', 'fresh 1'), dict(BROKEN, sent=1, retried=0, count=1))
case('stage: closed without an answer, https', get('{odds}/mute', 'fresh 1'), {'error': 'E_EMPTY_RESPONSE', 'sent': 1, 'retried': 0, 'count': 1})
answer('stage: the head is cut', b'HTTP/1.1 200 OK\r\nContent-Le', TRUNCATED, after='close')
answer('stage: reset in the head', b'HTTP/1.1 200 OK\r\nContent-Le', BROKEN, after='reset')
answer('stage: cut after the head', head(CL), dict(TRUNCATED, status=200), after='close')
answer('stage: reset after the head', head(CL), dict(BROKEN, status=200), after='reset')
answer('stage: the body is cut', head(CL) + b'01234', dict(TRUNCATED, status=200), after='close')
answer('stage: reset in the body', head(CL) + b'01234', dict(BROKEN, status=200), after='reset')
answer('rule_b4_17: a chunk is cut', head('Transfer-Encoding: chunked') + b'5\r\nab', dict(TRUNCATED, status=200), after='close')
answer('rule_b4_17: the last chunk is missing', head('Transfer-Encoding: chunked') + b'2\r\nab\r\n', dict(TRUNCATED, status=200), after='close')
answer('rule_b4_17: the last CR LF is missing', head('Transfer-Encoding: chunked') + b'2\r\nab\r\n0\r\n', dict(TRUNCATED, status=200), after='close')
answer('stage: reset in a chunk', head('Transfer-Encoding: chunked') + b'5\r\nab', dict(BROKEN, status=200), after='reset')
answer('stage: no head in time', b'', {'error': 'E_TIMEOUT_FIRST', 'class': 'read timeout', 'sent': 1, 'ends': 2000, 'conn': 'closed'},
       after='stall', options=('timeout first 200',))
answer('stage: stall in the head', b'HTTP/1.1 200 OK\r\nX', {'error': ('E_TIMEOUT_FIRST', 'E_TIMEOUT_STALL'), 'ends': 2000}, after='stall',
       options=('timeout first 200', 'timeout stall 200'))
answer('stage: stall after the head', head(CL), {'error': 'E_TIMEOUT_STALL', 'class': 'read timeout', 'status': 200, 'ends': 2000},
       after='stall', options=('timeout stall 200',))
answer('stage: stall in the body', head(CL) + b'01234', {'error': 'E_TIMEOUT_STALL', 'status': 200, 'ends': 2000, 'conn': 'closed'},
       after='stall', options=('timeout stall 200',))
answer('stage: stall in a chunk', head('Transfer-Encoding: chunked') + b'5\r\nab', {'error': 'E_TIMEOUT_STALL', 'ends': 2000}, after='stall',
       options=('timeout stall 200',))
case('rule_b4_18: a slow drip meets the total time', get('{odd}/drip/1000/20', 'timeout total 300', 'timeout stall 1000'),
     {'error': 'E_TIMEOUT_TOTAL', 'status': 200, 'ends': 3000})
case('a slow drip that ends in time', get('{odd}/drip/10/5'), dict(OK, body='..........'))
case('stage: the total time covers the wait for the head', get('{odd}/stall', 'timeout total 200'), {'error': 'E_TIMEOUT_TOTAL', 'ends': 2000})
case('stage: the request body has nowhere to go', send('POST', '{odd}/stall_body', 'body chunked 20000000', 'timeout stall 300'),
     {'error': 'E_TIMEOUT_STALL', 'sent': 1, 'phase': 'send', 'ends': 5000})
case('stage: reset in the request body', send('POST', '{odd}/reset_body', 'body chunked 20000000'),
     {'error': ('E_RESET', 'E_EMPTY_RESPONSE'), 'class': 'network', 'sent': 1, 'count': 1})

# ---- early answers and Expect ----

case('rule_b4_early: an answer before the body is read', send('POST', '{odd}/early', 'body callback 5000000', probe=True),
     {'error': '', 'status': 413, 'body': 'too large\n', 'conn': 'closed'})
case('rule_b4_early: over https', send('POST', '{odds}/early', 'body chunked 5000000', probe=True), {'error': '', 'status': 413, 'conn': 'closed'})
case('Expect: 100 Continue, then the body', send('POST', '{odd}/echo', 'body fill 50000', 'expect 1'),
     dict(OK, echo={'length': 50000}, echo_has={'expect': '100-continue'}))
case('Expect: 100 and 102, then the body', send('POST', '{odd}/expect_twice', 'body fill 50000', 'expect 1'), dict(OK, echo={'length': 50000}))
case('rule_b4_expect: refused, the body is never sent', send('POST', '{odd}/expect_refuse', 'body fill 50000', 'expect 1', probe=True),
     {'error': '', 'status': 417, 'conn': 'closed'})
case('Expect: no 100 comes, the body goes after a second', send('POST', '{odd}/expect_mute', 'body fill 5000', 'expect 1'),
     dict(OK, echo={'length': 5000}))

# ---- the retry rule ----

for where in ('odd', 'odds'):
    url = '{' + where + '}'
    case(f'rule_b8_1: {where}: GET on a connection that closes just then is repeated once', get(f'{url}/race', prime='/echo'),
         dict(OK, retried=1, count=2))
    case(f'rule_b8_1: {where}: POST is not repeated', send('POST', f'{url}/race', 'body memory once', prime='/echo'),
         {'error': ('E_EMPTY_RESPONSE', 'E_RESET'), 'sent': 1, 'reused': 1, 'retried': 0, 'count': 1})
case('rule_b8_1: HEAD is repeated', send('HEAD', '{odd}/race', prime='/echo'), dict(OK, retried=1, count=2))
case('rule_b8_1: a reset counts as a close', get('{odd}/race/reset', prime='/echo'), dict(OK, retried=1, count=2))
case('rule_b8_1: DELETE is not repeated', send('DELETE', '{odd}/race', prime='/echo'),
     {'error': ('E_EMPTY_RESPONSE', 'E_RESET'), 'retried': 0, 'count': 1})
case('rule_b8_1: POST that is declared idempotent is repeated, its body whole',
     send('POST', '{odd}/race', 'body fill 30000', 'idempotent 1', prime='/echo'),
     dict(OK, retried=1, count=2, echo={'length': 30000, 'crc': crc(pattern(30000))}))
case('rule_b8_1: an idempotent POST whose body is no longer here is not repeated',
     send('POST', '{odd}/race', 'body chunked 3000000', 'idempotent 1', prime='/echo'),
     {'error': ('E_EMPTY_RESPONSE', 'E_RESET'), 'sent': 1, 'retried': 0, 'count': 1})
case('rule_b8_2: a repeat is not repeated', get('{odd}/mute', prime='/echo'),
     {'error': ('E_EMPTY_RESPONSE', 'E_RESET'), 'sent': 1, 'retried': 1, 'count': 2})
case('rule_b8_1: one byte of an answer is too much to repeat', get('{odd}/half', prime='/echo'), {'error': 'E_TRUNCATED', 'retried': 0, 'count': 1})
case('rule_b8_1: on a fresh connection nothing is repeated', get('{odd}/mute', 'fresh 1', prime='/echo'),
     {'error': 'E_EMPTY_RESPONSE', 'retried': 0, 'count': 1})

# ---- TLS ----

BAD_CERT = dict(REFUSED, error='E_TLS_CERTIFICATE', phase='tls', **{'class': 'tls'})
case('rule_b7_1: an expired certificate', get('{expired}/page'), BAD_CERT)
case('rule_b7_1: a self-signed certificate', get('{self_signed}/page'), BAD_CERT)
case('rule_b7_1: an unknown CA', get('{unknown_ca}/page'), BAD_CERT)
case('rule_b7_1: a certificate of another host', get('{wrong_host}/page'), dict(REFUSED, error='E_TLS_HOST', phase='tls', **{'class': 'tls'}))
case('rule_b7_1: the system\'s CAs do not know ours', get('{nginxs}/page', ca=None), BAD_CERT)
for name in ('expired', 'self_signed', 'unknown_ca', 'wrong_host'):
    case(f'rule_b7_2: verification off takes {name}', get('{' + name + '}/page', 'verify 0'), dict(OK, body='a page\n'))
    case(f'rule_b7_3: {name} is refused again after that', get('{' + name + '}/page'),
         {'error': ('E_TLS_CERTIFICATE', 'E_TLS_HOST'), 'sent': 0, 'status': 0})
case('rule_b7_3: a ticket resumes its own host', get('{odds}/echo', 'fresh 1', prime='/bye'), dict(OK, echo={'resumed': True}))
case('rule_b7_3: a ticket of one host is not offered to another', get('https://127.0.0.1:{port}/echo', 'fresh 1', port='odds2', prime_url='https://localhost:{port}/bye'),
     dict(OK, echo={'resumed': False}))
case('rule_b7_3: a ticket got without verification is not offered with it',
     get('https://localhost:{port}/echo', 'fresh 1', port='odds3', prime_url='https://localhost:{port}/bye', prime_options=('verify 0',)),
     dict(OK, echo={'resumed': False}))
case('rule_b1_k6: verified and unverified requests share no connection',
     get('{odds}/echo', 'verify 0', prime='/echo'), dict(OK, other_conn=True))
case('rule_b1_k3: localhost and 127.0.0.1 share no connection',
     get('http://localhost:{port}/echo', port='odd', prime_url='http://127.0.0.1:{port}/echo'), dict(OK, other_conn=True))
case('rule_b1_k2: http and https share no connection',
     get('{odds}/echo', prime_url='{odd}/echo'), dict(OK, other_conn=True))
case('rule_b1_k6: requests with other CAs share no connection',
     get('{odds}/echo', prime='/echo', ca='bundle'), dict(OK, other_conn=True))
case('CAs that are none', get('{nginxs}/page', ca='garbage'), dict(REFUSED, error='E_TRUST', **{'class': 'usage'}))
answer('rule_b4_17: TLS cut in a body that the end ends', head() + BODY,
       {'error': ('E_TRUNCATED', 'E_TLS_PROTOCOL'), 'status': 200, 'conn': 'closed'}, after='cut', over='odds')
answer('TLS: close_notify ends such a body', head() + BODY, dict(OK, body='0123456789', conn='closed'), after='close', over='odds')
answer('TLS cut in a body with a length', head(CL) + b'01234', {'error': ('E_TRUNCATED', 'E_TLS_PROTOCOL'), 'conn': 'closed'}, after='cut', over='odds')
answer('TLS cut after a whole answer harms nobody', head(CL) + BODY, dict(OK, body='0123456789', conn='closed'), after='cut', over='odds')
answer('over https: a second answer in the same read', head(CL) + BODY + NEXT, dict(OK, body='0123456789', conn='closed'), over='odds')
answer('over https: stall in the body', head(CL) + b'01234', {'error': 'E_TIMEOUT_STALL', 'conn': 'closed', 'ends': 2000}, after='stall', over='odds',
       options=('timeout stall 200',))

# ---- limits and cancels of the program ----

case('rule_b4_18: a body over the program\'s limit, length known', get('{nginx}/big', 'max 1000'), {'error': 'E_LIMIT_BODY', 'class': 'limit', 'status': 200})
case('rule_b4_18: a body over the program\'s limit, chunked', get('{odd}/chunks/50/1000', 'max 1000'), {'error': 'E_LIMIT_BODY'})
case('rule_b4_18: an endless body meets the program\'s limit', get('{odd}/endless/body', 'max 3000000'), {'error': 'E_LIMIT_BODY'})
case('a body of exactly the limit', get('{nginx}/big', f'max {len(BIG)}'), dict(OK, length=len(BIG)))
case('cancel at the head', get('{nginx}/big', 'stream', 'cancel-at-head'), {'error': 'E_CANCELED', 'class': 'canceled', 'heads': 1})
case('the body callback cancels', get('{odd}/big/50000000', 'stream', 'stop-after 2000000'), {'error': 'E_CANCELED', 'heads': 1})
case('a stream of 20 MB arrives whole', get('{odds}/big/20000000', 'stream'), dict(OK, length=20000000, crc=crc(bytes(20000000))))
case('rule_b2_4: a connection with NTLM is not kept', get('{odd}/echo', ('field', 'Authorization', 'NTLM TlRMTVNTUAAB'), probe=True),
     dict(OK, **CLOSED))
answer('rule_b2_4: an offer of Negotiate: not kept', head(CL, 'WWW-Authenticate: Negotiate', status='401 No') + BODY,
       {'error': '', 'status': 401, 'conn': 'closed'})
answer('an offer of Basic: kept', head(CL, 'WWW-Authenticate: Basic realm="x"', status='401 No') + BODY, {'error': '', 'status': 401, 'conn': 'kept'})
case('BEGUN is said and the answer comes', send('POST', '{odd}/echo', 'body memory x', 'begun 1'), dict(OK, echo={'body': 'x'}))
