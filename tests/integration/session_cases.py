# SPDX-License-Identifier: MIT
"""session_cases - the table of what a session gives its requests; test_session.py runs it through both drivers. Steps: steps.py."""
import base64

from steps import anew, ask, bare, get, seen, setting, then

CASES = []


def case(name, *steps):
    CASES.append((name, steps))


def at(origin, target, method='GET', **fields):
    return dict(at=origin, last=(method, target), status=200, fields={k.replace('_', '-'): v for k, v in fields.items()})


# ---- base URL: the references of RFC 3986 5.4, and what is odd ----

NORMAL = {'g': '/b/c/g', './g': '/b/c/g', 'g/': '/b/c/g/', '/g': '/g', '?y': '/b/c/d;p?y', 'g?y': '/b/c/g?y', '#s': '/b/c/d;p?q',
          'g#s': '/b/c/g', 'g?y#s': '/b/c/g?y', ';x': '/b/c/;x', 'g;x': '/b/c/g;x', 'g;x?y#s': '/b/c/g;x?y', '': '/b/c/d;p?q',
          '.': '/b/c/', './': '/b/c/', '..': '/b/', '../': '/b/', '../g': '/b/g', '../..': '/', '../../': '/', '../../g': '/g'}
ABNORMAL = {'../../../g': '/g', '../../../../g': '/g', '/./g': '/g', '/../g': '/g', 'g.': '/b/c/g.', '.g': '/b/c/.g', 'g..': '/b/c/g..',
            '..g': '/b/c/..g', './../g': '/b/g', './g/.': '/b/c/g/', 'g/./h': '/b/c/g/h', 'g/../h': '/b/c/h', 'g;x=1/./y': '/b/c/g;x=1/y',
            'g;x=1/../y': '/b/c/y', 'g?y/./x': '/b/c/g?y/./x', 'g?y/../x': '/b/c/g?y/../x', 'g#s/./x': '/b/c/g', 'g#s/../x': '/b/c/g'}
for kind, table in (('normal', NORMAL), ('abnormal', ABNORMAL)):
    for reference, target in table.items():
        case(f'base URL, {kind}: {reference!r}', setting('base', '{a}/b/c/d;p?q'), get(reference, **at('a', target)))
case('base URL: another scheme', setting('base', '{a}/b/c'), get('g:h', error='E_URL', **{'class': 'usage'}), seen('a'))
case('base URL: http:g is not relative', setting('base', '{a}/b/c'), get('http:g', error='E_URL'), seen('a'))
case('base URL: a whole URL goes before it', setting('base', '{a}/b/c'), get('{b}/x/../y', at='b', status=200), seen('a'))
case('base URL: another authority', setting('base', '{a}/b/c'), then(lambda run: get(f'//127.0.0.1:{run.origin("b").port}/n', **at('b', '/n'))(run)),
     seen('a'))
case('base URL: without a path', setting('base', '{a}'), get('g', **at('a', '/g')), get('?y', **at('a', '/?y')), get('', **at('a', '/')))
case('base URL: a query and a fragment of its own are not inherited', setting('base', '{a}/b?q#f'), get('g', **at('a', '/g')))
case('base URL: a slash at the end', setting('base', '{a}/v1/'), get('items?page=2', **at('a', '/v1/items?page=2')),
     get('/items', **at('a', '/items')))
case('base URL: percent-encoded dots are no segments to remove', setting('base', '{a}/b/c/'), get('%2e%2e/g', **at('a', '/b/c/%2e%2e/g')))
case('base URL: two slashes in a path', setting('base', '{a}/b//c'), get('g', **at('a', '/b//g')), get('..//g', **at('a', '/b//g')))
case('base URL: what is no URL is refused, and the one before stays', setting('base', '{a}/b/'),
     *[setting('base', url, error='E_URL') for url in ('', 'b', '/b', 'ftp://127.0.0.1/', 'http://', 'http:///b', 'http://127.0.0.1:99999/',
                                                       'http://a b/', 'http://127.0.0.1/a b')],
     get('g', **at('a', '/b/g')))
case('base URL: user information is for nobody', setting('base', 'http://u:p@127.0.0.1/b/'), get('g', error='E_URL'))
case('base URL: a reference with a space', setting('base', '{a}/b/'), get('a b', error='E_URL'), seen('a'))
case('base URL: without one a relative URL is none', get('g', error='E_URL'), get('', error=('E_URL', 'EINVAL')), get('//127.0.0.1/', error='E_URL'))
case('base URL: a change, and none any more', setting('base', '{a}/one/'), get('g', **at('a', '/one/g')), setting('base', '{b}/two/'),
     get('g', **at('b', '/two/g')), setting('no-base'), get('g', error='E_URL'), get('{a}/three', **at('a', '/three')))

# ---- fields ----

case('fields: each request has them', setting('field', 'X-One', '1'), setting('field', 'X-Two', 'a b'),
     get('{a}/one', **at('a', '/one', X_One='1', X_Two='a b')), ask('DELETE', '{b}/two', **at('b', '/two', 'DELETE', X_One='1', X_Two='a b')))
case('fields: a later value takes the place of the first, whatever its case', setting('field', 'X-One', '1'), setting('field', 'x-ONE', '2'),
     get('{a}/x', **at('a', '/x', X_One='2')))
case('fields: taken away', setting('field', 'X-One', '1'), setting('no-field', 'x-one'), get('{a}/x', **at('a', '/x', X_One=None)),
     setting('no-field', 'X-Never'))
case('fields: the request\'s own takes its place', setting('field', 'X-One', '1'),
     get('{a}/x', ('set-field', 'x-one', 'mine'), **at('a', '/x', X_One='mine')), get('{a}/y', **at('a', '/y', X_One='1')))
case('fields: one that the request adds stands beside it', setting('field', 'X-One', '1'),
     get('{a}/x', ('field', 'X-One', 'mine'), **at('a', '/x', X_One=['1', 'mine'])))
case('fields: the request takes it away', setting('field', 'X-One', '1'), get('{a}/x', 'no-field X-One', **at('a', '/x', X_One=None)),
     get('{a}/y', **at('a', '/y', X_One='1')))
case('fields: those of the daemon are refused', *[setting('field', name, 'x', error='E_FIELD') for name in
     ('Content-Length', 'Transfer-Encoding', 'Connection', 'Expect', 'Upgrade', 'TE', 'Proxy-Authorization', 'a b', 'X:')],
     get('{a}/x', **at('a', '/x')))
case('rule_b2: a line end in a field is refused', setting('field', 'X-One', 'a\r\nX-Two: b', error='E_FIELD'), setting('field', 'X-One', 'a\nb', error='E_FIELD'),
     get('{a}/x', **at('a', '/x', X_One=None, X_Two=None)))
case('fields: an own Host', setting('field', 'Host', 'own.example'), get('{a}/x', **at('a', '/x', Host='own.example')), setting('no-field', 'Host'),
     get('{a}/echo', status=200, has='["Host", "127.0.0.1:'))
case('fields: an empty one, and one of other bytes', setting('field', 'X-Empty', ''), setting('field', 'X-Bytes', 'caf\xc3\xa9'.encode('latin-1').decode('utf-8')),
     get('{a}/x', **at('a', '/x', X_Empty='', X_Bytes='caf\xc3\xa9')))
case('fields: 128 are the most', *[setting('field', f'X-{i}', 'v') for i in range(128)], setting('field', 'X-128', 'v', error='E_LIMIT_HEAD'))
case('fields: another session has its own', setting('field', 'X-One', '1'), anew(), get('{a}/x', **at('a', '/x', X_One=None)), bare(),
     get('{a}/y', **at('a', '/y', X_One=None)))
case('fields: a request that was made before a change is as it was', setting('field', 'X-One', '1'),
     then(lambda run: run.driver.write(f'request {run.tag} GET {run.fill("{a}/made")}\n')), setting('field', 'X-One', '2'), setting('timeout', 'total', '1'),
     then(lambda run: run.ask('end\n', at('a', '/made', X_One='1'))))

# ---- limits of time ----

TIME = {'connect': ('{deaf}', 'E_TIMEOUT_CONNECT', 'connect timeout'), 'tls': ('{mutetls}', 'E_TIMEOUT_TLS', 'connect timeout'),
        'first': ('{a}/stall', 'E_TIMEOUT_FIRST', 'read timeout'), 'stall': ('{a}/drip/2/5000', 'E_TIMEOUT_STALL', 'read timeout'),
        'total': ('{a}/stall', 'E_TIMEOUT_TOTAL', 'read timeout')}
for which, (url, error, cls) in TIME.items():
    case(f'timeouts: {which}', setting('timeout', which, '150'), get(url, error=error, **{'class': cls}))
    case(f'timeouts: {which}, the request\'s own goes before it', setting('timeout', which, '60000'),
         get(url, f'timeout {which} 150', error=error))
case('timeouts: a longer one of the request', setting('timeout', 'first', '150'), get('{a}/sleep/400', 'timeout first 30000', status=200),
     get('{a}/sleep/30000', error='E_TIMEOUT_FIRST'))
case('timeouts: a change, and the daemon\'s own again', setting('timeout', 'total', '150'), get('{a}/stall', error='E_TIMEOUT_TOTAL'),
     setting('timeout', 'total', '0'), get('{a}/sleep/400', status=200))
case('timeouts: there is no such one', setting('timeout', 'nap', '1', error='EINVAL'))
case('timeouts: each is that of its session', setting('timeout', 'first', '150'), anew(), get('{a}/sleep/400', status=200))

# ---- credentials ----


def basic(text):
    return 'Basic ' + base64.b64encode(text.encode()).decode()


for user, password in (('user', 'pass'), ('user', ''), ('', 'pass'), ('user', 'p:a s/s?'), ('j\u00f6rg', 'gr\u00fc\u00dfe'), ('u' * 300, 'p' * 300)):
    text = f'{user[:9]}:{password[:9]}'.encode('ascii', 'replace').decode()
    case(f'Basic: {text}', setting('basic', user, password), get('{a}/x', **at('a', '/x', Authorization=basic(f'{user}:{password}'))))
case('Basic: what cannot be said is refused', setting('basic', 'us:er', 'x', error='E_FIELD'), setting('basic', 'us\ner', 'x', error='E_FIELD'),
     setting('basic', 'user', 'x\r', error='E_FIELD'), get('{a}/x', **at('a', '/x', Authorization=None)))
case('Bearer', setting('bearer', 'to.ken-~+/='), get('{a}/x', **at('a', '/x', Authorization='Bearer to.ken-~+/=')),
     setting('bearer', 'to\nken', error='E_FIELD'), get('{a}/y', **at('a', '/y', Authorization='Bearer to.ken-~+/=')))
case('credentials: the later call counts', setting('basic', 'u', 'p'), setting('bearer', 't'), get('{a}/x', **at('a', '/x', Authorization='Bearer t')),
     setting('basic', 'u', 'p'), get('{a}/y', **at('a', '/y', Authorization=basic('u:p'))))
for which in ('no-basic', 'no-bearer'):
    case(f'credentials: taken away by {which}', setting('bearer', 't'), setting(which), get('{a}/x', **at('a', '/x', Authorization=None)))
case('credentials: a field of the session goes before them', setting('bearer', 't'), setting('field', 'authorization', 'Own x'),
     get('{a}/x', **at('a', '/x', Authorization='Own x')), setting('no-field', 'Authorization'), get('{a}/y', **at('a', '/y', Authorization='Bearer t')))
case('credentials: a field of the request goes before them', setting('bearer', 't'),
     get('{a}/x', ('set-field', 'Authorization', 'Own x'), **at('a', '/x', Authorization='Own x')),
     get('{a}/y', 'no-field Authorization', **at('a', '/y', Authorization=None)))
case('rule_b2_1: credentials belong to the origin of the base URL', setting('base', '{a}/'), setting('bearer', 't'),
     get('x', **at('a', '/x', Authorization='Bearer t')), get('{b}/x', **at('b', '/x', Authorization=None)),
     get('{s}/x', 'ca {CA}', **at('s', '/x', Authorization=None)), setting('base', '{b}/'), get('y', **at('b', '/y', Authorization='Bearer t')),
     get('{a}/y', **at('a', '/y', Authorization=None)))
case('rule_b2_1: without a base URL they go where each request goes, and no further', setting('bearer', 't'),
     get('{a}/x', **at('a', '/x', Authorization='Bearer t')), get('{b}/to/302/end', **at('b', '/end', Authorization='Bearer t')),
     get('{a}/to/302?{b}/end', **at('b', '/end', Authorization=None)))
case('credentials: a session\'s are its own', setting('bearer', 't'), anew(), get('{a}/x', **at('a', '/x', Authorization=None)))

# ---- TLS ----

DENIED = {'error': 'E_TLS_CERTIFICATE', 'class': 'tls', 'status': 0, 'sent': 0}
case('TLS: verified against the system\'s CAs unless something else is said', get('{s}/x', **DENIED), seen('s'))
case('TLS: an own CA', setting('ca', '{CA}'), get('{s}/x', **at('s', '/x')))
case('TLS: another CA', setting('ca', '{other}'), get('{s}/x', **DENIED), setting('ca', '{CA}'), get('{s}/x', **at('s', '/x')), setting('ca', '{other}'),
     get('{s}/x', **DENIED))
case('TLS: the request\'s CA goes before it', setting('ca', '{other}'), get('{s}/x', 'ca {CA}', **at('s', '/x')), get('{s}/y', **DENIED))
case('TLS: a CA that is none', setting('ca', '{garbage}'), get('{s}/x', error='E_TRUST', **{'class': 'usage'}))
case('TLS: a file that is not there', setting('ca', '{dir}/nowhere', error='ENOENT'))
case('TLS: not verified', setting('verify', '0'), get('{s}/x', **at('s', '/x')), setting('verify', '1'), get('{s}/y', **DENIED))
case('TLS: the request verifies, the session does not', setting('verify', '0'), get('{s}/x', 'verify 1', **DENIED))
case('TLS: the name is checked with an own CA', setting('ca', '{CA}'), get('{wrong}/x', error='E_TLS_HOST', **{'class': 'tls'}))
HANDSHAKE = {'error': ('E_TLS_HANDSHAKE', 'E_TLS_PROTOCOL'), 'class': 'tls', 'status': 0, 'sent': 0}
for low, high, served in ((0, 0, {'s': 'TLSv1.3', 't12': 'TLSv1.2', 't13': 'TLSv1.3'}), (12, 12, {'s': 'TLSv1.2', 't12': 'TLSv1.2'}),
                          (12, 13, {'s': 'TLSv1.3', 't12': 'TLSv1.2', 't13': 'TLSv1.3'}), (13, 13, {'s': 'TLSv1.3', 't13': 'TLSv1.3'}),
                          (13, 0, {'s': 'TLSv1.3', 't13': 'TLSv1.3'}), (0, 12, {'s': 'TLSv1.2', 't12': 'TLSv1.2'}),
                          (0, 13, {'s': 'TLSv1.3', 't12': 'TLSv1.2', 't13': 'TLSv1.3'})):
    case(f'TLS: versions from {low} to {high}', setting('ca', '{CA}'), setting('tls', str(low), str(high)),
         *[get(f'{{{name}}}/x', **(dict(at(name, '/x'), tls=served[name]) if name in served else HANDSHAKE)) for name in ('s', 't12', 't13')])
case('TLS: bounds that are none', *[setting('tls', str(low), str(high), error='EINVAL') for low, high in ((11, 0), (0, 11), (13, 12), (14, 0), (0, 14))])
case('rule_b1_k6: TLS: a change of the bounds holds for the next request', setting('ca', '{CA}'), get('{news}/x', **dict(at('news', '/x'), tls='TLSv1.3')),
     setting('tls', '0', '12'), get('{news}/x', **dict(at('news', '/x'), tls='TLSv1.2')), setting('tls', '0', '0'),
     get('{news}/x', **dict(at('news', '/x'), tls='TLSv1.3')), get('{news}/x', 'tls 12 12', **dict(at('news', '/x'), tls='TLSv1.2')),
     then(lambda run: _equal([r.connection for r in run.log('news')], [1, 2, 1, 2])))

# ---- redirects, cookies, codings: a change takes effect on the next request (their own table is hop_cases.py) ----

case('redirects: on, off, on', get('{a}/to/302/end', status=200, hops=[302]), setting('redirects', '0'), get('{a}/to/302/end', status=302, hops=[]),
     setting('redirects', '30'), get('{a}/to/302/end', status=200, hops=[302]), setting('redirects', '31', error='EINVAL'))
case('redirects: the policy', setting('ca', '{CA}'), get('{s}/to/302?{a}/end', error='E_REDIRECT_DENIED'), setting('redirect-policy', '1'),
     get('{s}/to/302?{a}/end', status=200, hops=[302]), setting('redirect-policy', '0'), get('{s}/to/302?{a}/end', error='E_REDIRECT_DENIED'))
case('cookies: on, off, on', get('{a}/set/one=1', status=200), setting('cookies', '0'), get('{a}/x', **at('a', '/x', Cookie=None)),
     get('{a}/set/two=2', status=200), setting('cookies', '1'), get('{a}/x', **at('a', '/x', Cookie='one=1')))
case('codings: on, off, on', get('{a}/coded/0', status=200, length=84000, fields={'Accept-Encoding': 'deflate, gzip, br, zstd'}, at='a'),
     setting('decode', '0'), get('{a}/coded/0', status=200, length=lambda n: n < 84000, at='a', fields={'Accept-Encoding': None}),
     setting('decode', '1'), get('{a}/coded/0', status=200, length=84000))
case('a request without a session has none of it', bare(), get('{a}/to/302/end', status=302), get('{a}/set/one=1', status=200),
     get('{a}/x', **at('a', '/x', Cookie=None, Accept_Encoding=None)))


def _equal(got, expected):
    assert got == expected, f'got {got!r}, expected {expected!r}'
