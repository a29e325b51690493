# SPDX-License-Identifier: MIT
"""hop_cases - the table of redirects, cookies and content codings; test_redirect.py runs it through both drivers.

A case is (name, request, expectation). request: method, path (on origin {a}) or url, options, session (a name: that of the case
number is added to it, so that each case has a jar of its own; earlier: paths that are requested in that session before).
host, earlier_host: a name that is routed to {a}.
{a} {b} are http origins of two ports, {s} an https one; {A} {B} {S} the same, quoted for a query.
The origins log everything: `log` maps an origin to the list of (method, path) that it has seen in this case, in order; what is in
`never` must not stand in any head of that origin, what is in `always` must stand in every one.
hops: [(status, path)]; url: path of the last URL. late: {number of a hop, the answer included: ms that the origin takes}.
"""
import gzip
import zlib

OK = {'error': '', 'status': 200, 'sent': 2}
CASES = []


def case(name, request, expect):
    CASES.append((name, request, expect))


def get(path, *options, **more):
    return dict(more, method='GET', path=path, options=('redirects 30', *options))


def send(method, path, *options, **more):
    return dict(more, method=method, path=path, options=('redirects 30', *options))


SECRETS = (('field', 'Authorization', 'Bearer SECRET'), ('field', 'Cookie', 'mine=SECRET'), ('field', 'X-Api-Key', 'SECRET'),
           ('field', 'X-Auth-Token', 'SECRET'))

# ---- methods and bodies ----

for status in (301, 302, 303, 307, 308):
    kept = status in (307, 308)
    case(f'{status}: GET', get(f'/to/{status}/end'), dict(OK, hops=[(status, f'/to/{status}/end')], url='/end', length=3,
                                                          log={'a': [('GET', f'/to/{status}/end'), ('GET', '/end')]}))
    case(f'rule_b3_4: {status}: POST', send('POST', f'/to/{status}/echo', 'body memory hello', ('field', 'Content-Type', 'text/x')),
         dict(OK, log={'a': [('POST', f'/to/{status}/echo'), ('POST' if kept else 'GET', '/echo')]},
              has='"body": "hello"' if kept else '"length": 0', hasnt=None if kept else 'text/x'))
    case(f'{status}: PUT', send('PUT', f'/to/{status}/echo', 'body memory hello'),
         dict(OK, log={'a': [('PUT', f'/to/{status}/echo'), ('GET' if status == 303 else 'PUT', '/echo')]}))
    case(f'{status}: HEAD', send('HEAD', f'/to/{status}/end'), dict(OK, length=0,
                                                                   log={'a': [('HEAD', f'/to/{status}/end'), ('HEAD', '/end')]}))
    case(f'{status} without Location is the answer', get(f'/bare/{status}'), {'error': '', 'status': status, 'hops': []})
for status in (300, 304, 305):
    case(f'{status} is the answer', get(f'/to/{status}/end'), {'error': '', 'status': status, 'hops': []})
for status in (301, 302, 303):
    case(f'{status}: POST is kept when the program says so', send('POST', f'/to/{status}/echo', 'body memory hello', 'redirect-policy 4'),
         dict(OK, log={'a': [('POST', f'/to/{status}/echo'), ('POST', '/echo')]}, has='"body": "hello"'))
case('redirects off', dict(method='GET', path='/to/302/end', options=()), {'error': '', 'status': 302, 'hops': []})
case('a large body comes again', send('PUT', '/to/307/echo', 'body fill 300000'), dict(OK, has='"length": 300000'))
case('a large body goes to another origin, too', send('PUT', '/to/307?{B}/echo', 'body fill 300000'),
     dict(OK, has='"length": 300000', log={'b': [('PUT', '/echo')]}))
case('a small body that only a callback has', send('PUT', '/to/307/echo', 'body callback 1000'), dict(OK, has='"length": 1000'))
case('a large body that only a callback has', send('PUT', '/to/307/echo', 'body callback 300000'),
     {'error': 'E_REDIRECT_BODY', 'status': 0})
case('a redirect before the body is read', send('PUT', '/early/echo', 'body fill 900000'), dict(OK, has='"length": 900000'))
case('a redirect with a body of 60000', get('/long/60000/end'), dict(OK, length=3))
case('a redirect with a body of 1000000', get('/long/1000000/end'), dict(OK, length=3))
case('streamed: one head, and the body of the last alone', get('/to/302/end', 'stream'), dict(OK, length=3, heads=1))

# ---- times ----

case('the first hop is late', get('/late/200?/to/302/end'), dict(OK, length=3, late={0: 200}))
case('a hop in the middle is late', get('/to/302?/late/200?/to/302?{B}/end'), dict(OK, length=3, late={1: 200}))
case('the answer is late', get('/to/302?{B}/to/302?/sleep/200'), dict(OK, late={2: 200}))
case('two are late', get('/late/150?{B}/late/100?/end'), dict(OK, length=3, late={0: 150, 1: 100}))

# ---- where to ----

case('relative, with dot segments', get('/to/302?../x/./end'), dict(OK, url='/x/end'))
case('a fragment is inherited', get('/to/302/end#part'), dict(OK, url='/end#part'))
for name, to in (('another scheme', 'ftp://127.0.0.1/'), ('user information', 'http://u:p@127.0.0.1/'), ('file', 'file:///etc/passwd'),
                 ('no host', 'http:///x'), ('a bad port', 'http://127.0.0.1:99999/')):
    case(f'rule_b3_2: {name}', get('/to/302?' + to), {'error': 'E_REDIRECT_URL', 'status': 302, 'sent': 2})
case('rule_b3_2: https to http', get('/to/302?{A}/end', origin='s'), {'error': 'E_REDIRECT_DENIED', 'status': 302, 'log': {'a': []}})
case('https to http when asked for', get('/to/302?{A}/end', 'redirect-policy 1', origin='s'), dict(OK, length=3))
case('http to https', get('/to/302?{S}/end'), dict(OK, length=3, log={'s': [('GET', '/end')]}))
case('rule_b3_1: a circle', get('/to/302?/to/302?/loop'), {'error': 'E_REDIRECT_LOOP', 'class': 'redirect loop'})
case('rule_b3_1: 30 hops', get('/count/30'), dict(OK, length=3))
case('rule_b3_1: 31 hops', get('/count/31'), {'error': 'E_REDIRECT_LIMIT', 'class': 'too many redirects'})
case('rule_b3_1: 3 of 2', get('/count/3', 'redirects 2'), {'error': 'E_REDIRECT_LIMIT', 'status': 302})
case('the next origin does not answer', get('/to/302?{closed}/'), {'error': 'E_CONNECT', 'sent': 2})

# ---- credentials ----

case('rule_b3_3: they stay on the origin', get('/to/302/end', *SECRETS), dict(OK, always={'a': 'SECRET'}))
case('rule_b3_3: another port', get('/to/302?{B}/end', *SECRETS), dict(OK, never={'b': 'SECRET'}, always={'b': 'GET /end'}))
case('rule_b3_3: another scheme', get('/to/302?{S}/end', *SECRETS), dict(OK, never={'s': 'SECRET'}, always={'s': 'GET /end'}))
case('rule_b3_3: another host', get('/to/302?{L}/end', *SECRETS), dict(OK, never={'b': 'SECRET'}, always={'b': 'GET /end'}))
case('rule_b2_1: there and back', get('/to/302?{B}/to/302?{A}/last', *SECRETS),
     dict(OK, never={'b': 'SECRET'}, log={'a': [('GET', '/to/302'), ('GET', '/last')]}, last_never={'a': 'SECRET'}))
case('all origins are trusted', get('/to/302?{B}/end', 'redirect-policy 2', *SECRETS), dict(OK, always={'b': 'SECRET'}))
case('an own Host goes nowhere else', get('/to/302?{B}/end', ('field', 'Host', 'own.example')),
     dict(OK, always={'a': 'own.example'}, never={'b': 'own.example'}))

# ---- cookies ----

case('a cookie is kept and sent', get('/end', session='jar', earlier=['/set/one=1']), dict(OK, always_last={'a': 'Cookie: one=1'}))
case('a redirect sets one', get('/setto/one=1/end', session='jar'), dict(OK, always_last={'a': 'Cookie: one=1'}))
case('a session without its cookies', get('/end', session='other'), dict(OK, never={'a': 'Cookie'}))
case('host-only: another host gets none', get('/to/302?{L}/end', session='jar', earlier=['/set/one=SECRET']),
     dict(OK, never={'b': 'SECRET'}, always={'b': 'GET /end'}))
case('a path', get('/end', session='jar', earlier=['/set/one=SECRET;Path=/other']), dict(OK, never_last={'a': 'SECRET'}))
case('Secure does not go to http', get('/to/302?{A}/end', 'redirect-policy 1', session='jar', origin='s',
                                       earlier=['/set/one=SECRET;Secure']), dict(OK, never={'a': 'SECRET'}))
case('rule_b3_7: a domain of others', get('/end', session='jar', earlier=['/set/one=SECRET;Domain=com', '/set/two=SECRET;Domain=example.com']),
     dict(OK, never_last={'a': 'SECRET'}))
for name, setter, cookie, asked, sent in (
        ('below a public suffix', 'a.example.co.uk', 'one=1;Domain=example.co.uk', 'b.example.co.uk', True),
        ('a public suffix', 'a.example.co.uk', 'one=1;Domain=co.uk', 'b.example.co.uk', False),
        ('a private suffix', 'one.github.io', 'one=1;Domain=github.io', 'two.github.io', False),
        ('the suffix itself is a host of its own', 'github.io', 'one=1;Domain=github.io', 'two.github.io', False),
        ('mixed case', 'WWW.Example.ORG', 'one=1;Domain=eXample.oRg', 'shop.example.org', True),
        ('a leading dot', 'www.example.org', 'one=1;Domain=.example.org', 'shop.example.org', True),
        ('a trailing dot', 'www.example.org', 'one=1;Domain=example.org.', 'shop.example.org', False),
        ('another host', 'www.example.org', 'one=1;Domain=shop.example.org', 'shop.example.org', False),
        ('host-only', 'example.org', 'one=1', 'www.example.org', False),
        ('a name that only ends alike', 'example.org', 'one=1;Domain=example.org', 'badexample.org', False)):
    case(f'rule_b3_7: {name}', get('/end', session='jar', host=asked, earlier_host=setter, earlier=[f'/set/{cookie}']),
         dict(OK, **{'always_last' if sent else 'never_last': {'a': 'one=1'}}))
case('rule_b3_7: an address has no domains', get('/end', session='jar', earlier=['/set/one=SECRET;Domain=0.0.1', '/set/two=SECRET;Domain=.0.0.1']),
     dict(OK, never_last={'a': 'SECRET'}))
case('rule_b3_7: a bomb of cookies', get('/bomb', session='jar'), {'error': 'E_LIMIT_COOKIES', 'status': 200})
case('one Cookie field', get('/end', ('field', 'Cookie', 'mine=0'), session='jar', earlier=['/set/one=1']),
     dict(OK, always_last={'a': 'Cookie: one=1; mine=0'}))

# ---- content codings ----

TEXT = b'some text that is worth it. ' * 3000
CODED = {'gzip': gzip.compress(TEXT), 'x-gzip': gzip.compress(TEXT), 'deflate': zlib.compress(TEXT),
         'gzip, deflate': zlib.compress(gzip.compress(TEXT)), 'identity': TEXT}
DECODED = dict(OK, length=len(TEXT), crc=zlib.crc32(TEXT))
for number, coding in enumerate(CODED):
    case(f'decode: {coding}', get(f'/coded/{number}', 'decode 1'),
         dict(DECODED, content_length=len(TEXT) if coding == 'identity' else -1,
              always={'a': 'Accept-Encoding: deflate, gzip, br, zstd'}))
    case(f'decode: {coding}, streamed and paused', get(f'/coded/{number}', 'decode 1', 'stream', 'pause-after 1000 5'), DECODED)
    case(f'decode: {coding}, raw when not asked for', get(f'/coded/{number}'),
         dict(OK, crc=zlib.crc32(CODED[coding]), never={'a': 'Accept-Encoding'}))
case('decode: behind a redirect', get('/to/302/coded/0', 'decode 1'), DECODED)
case('decode: HEAD', send('HEAD', '/coded/0', 'decode 1'), dict(OK, length=0, content_length=len(CODED['gzip'])))
case('decode: cut', get('/coded/cut', 'decode 1'), {'error': 'E_TRUNCATED', 'status': 200})
case('decode: damaged', get('/coded/damaged', 'decode 1'), {'error': 'E_CODING', 'status': 200})
case('decode: a bomb', get('/coded/bomb', 'decode 1'), {'error': 'E_LIMIT_CODING', 'status': 200})
case('decode: an unknown one', get('/coded/unknown', 'decode 1'), {'error': 'E_CODING', 'status': 200})
case('decode: six of them', get('/coded/six', 'decode 1'), {'error': 'E_CODING', 'status': 200})
