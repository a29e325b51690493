# SPDX-License-Identifier: MIT
"""pool_cases - the table of pools and acquired connections; test_pool.py runs it through both drivers. Steps: steps.py. Figures are
exact: {new} and {news} are origins that only this run of the case has met."""
import drivers
from drivers import rt
from steps import ask, bare, connections, get, hold, let_go, make, operate, seen, setting, settled, then

CASES = []
NONE = {'idle': 0, 'leased': 0, 'connecting': 0, 'waiting': 0, 'opened': 0, 'reused': 0, 'failures': 0, 'oldest_ms': 0, 'newest_ms': 0}


def case(name, *steps):
    CASES.append((name, (bare(), *steps)))


def pool(url='{new}/', *options, name='p', **expect):
    return make('pool', name, 'GET', url, *options, **expect)


def stats(name='p', **figures):
    """Those that are not named are 0; times are not judged unless they are."""
    expect = {key: 0 for key in ('idle', 'leased', 'connecting', 'waiting', 'opened', 'reused', 'failures')}
    return operate('stats', name, **{**expect, **figures})


def accepted(origin, count):
    """Connections that it has taken over its life."""
    return lambda run: rt.poll(f'{count} connections', lambda: run.origin(origin).accepted == count)


def gone(origin, count=0):
    return lambda run: rt.poll(f'{count} open connections', lambda: run.origin(origin).connections() == count)



# ---- statistics ----

case('statistics: of a pool that is not there yet', pool(), operate('stats', 'p', **NONE), accepted('new', 0))
case('statistics: one request', pool(), get('{new}/x', status=200),
     stats(idle=1, opened=1, limit=8, oldest_ms=lambda ms: ms < 60000, newest_ms=lambda ms: ms < 60000))
case('statistics: five requests on one connection', pool(), *[get('{new}/x', status=200) for _ in range(5)], stats(idle=1, opened=1, reused=4, limit=8),
     connections('new', 1, 1, 1, 1, 1))
case('statistics: a connection that the server closes', pool(), get('{new}/bye', status=200), gone('new'), settled(opened=1, limit=8),
     get('{new}/x', status=200), stats(idle=1, opened=2, limit=8))
case('statistics: what is leased, and what waits', pool(), hold('new', 3), settled(leased=3, opened=3, limit=8), let_go(),
     settled(idle=3, opened=3, limit=8))
case('statistics: what waits for a connection', pool(), get('{new}/x', status=200), operate('limit', 'p', 1), hold('new', 3),
     settled(leased=1, waiting=2, opened=1, reused=1, limit=1), let_go(), settled(idle=1, opened=1, reused=3, limit=1),
     connections('new', 1, 1, 1, 1))
case('statistics: dials that fail', pool('http://{closed}/'), *[operate('prewarm', 'p', 1, error='E_CONNECT') for _ in range(3)],
     then(lambda run: run.ask(f'operate {run.tag} stats {run.named("p")} 0\n', {'failures': lambda n: n >= 3, 'opened': 0, 'idle': 0})))
case('statistics: ages', pool(), get('{new}/x'), get('{new}/sleep/60'), operate('prewarm', 'p', 2),
     operate('stats', 'p', idle=2, oldest_ms=lambda ms: ms >= 60, newest_ms=lambda ms: ms < 60000))
case('statistics: each origin has its own', pool(), pool('{news}/', 'ca {CA}', name='q'), get('{new}/x', status=200), stats(idle=1, opened=1, limit=8),
     operate('stats', 'q', **NONE))
case('statistics: each set of TLS options has its own', pool('{news}/', 'ca {CA}'), pool('{news}/', 'verify 0', name='q'),
     get('{news}/x', 'ca {CA}', status=200), stats(idle=1, opened=1, limit=8), operate('stats', 'q', **NONE))
case('statistics: a URL that is none', pool('nonsense:'), operate('stats', 'p', error='E_URL', **{'class': 'usage'}))

# ---- limits ----

case('limit: narrower', pool(), get('{new}/x'), operate('limit', 'p', 2), stats(idle=1, opened=1, limit=2), hold('new', 4),
     settled(leased=2, waiting=2, opened=2, reused=1, limit=2), let_go(), settled(idle=2, opened=2, reused=3, limit=2), accepted('new', 2))
case('limit: never wider than the configuration', pool(), get('{new}/x'), operate('limit', 'p', 100), stats(idle=1, opened=1, limit=8))
case('limit: 0 is that of the configuration', pool(), get('{new}/x'), operate('limit', 'p', 1), stats(idle=1, opened=1, limit=1), operate('limit', 'p', 0),
     stats(idle=1, opened=1, limit=8))
case('limit: what is over it is closed when it becomes idle', pool(), hold('new', 4), settled(leased=4, opened=4, limit=8), operate('limit', 'p', 1),
     settled(leased=4, opened=4, limit=1), let_go(), settled(idle=1, opened=4, limit=1), gone('new', 1))
case('limit: what is idle and over it is closed', pool(), operate('prewarm', 'p', 4), operate('limit', 'p', 2), settled(idle=2, opened=4, limit=2), gone('new', 2))
case('limit: it wakes those that wait', pool(), get('{new}/x'), operate('limit', 'p', 1), hold('new', 2), settled(leased=1, waiting=1, opened=1, reused=1, limit=1),
     operate('limit', 'p', 2), settled(leased=2, opened=2, reused=1, limit=2), let_go())
case('limit: before anything has been asked', pool(), operate('limit', 'p', 1), hold('new', 2), settled(leased=1, waiting=1, opened=1, limit=1), let_go())
case('limit: time runs while a request waits', pool(), get('{new}/x'), operate('limit', 'p', 1), hold('new', 1), settled(leased=1, opened=1, reused=1, limit=1),
     get('{new}/y', 'timeout queue 150', error='E_TIMEOUT_QUEUE', sent=0, **{'class': 'connect timeout'}), let_go())

# ---- prewarm, close idle ----

case('prewarm: so many', pool(), operate('prewarm', 'p', 3), stats(idle=3, opened=3, limit=8), accepted('new', 3), seen('new'))
case('prewarm: what is there counts', pool(), get('{new}/x', status=200), operate('prewarm', 'p', 3), stats(idle=3, opened=3, limit=8), operate('prewarm', 'p', 2),
     stats(idle=3, opened=3, limit=8))
case('prewarm: what is in use counts', pool(), hold('new', 2), settled(leased=2, opened=2, limit=8), operate('prewarm', 'p', 3),
     stats(idle=1, leased=2, opened=3, limit=8), let_go())
case('prewarm: with TLS', pool('{news}/', 'ca {CA}'), operate('prewarm', 'p', 2), stats(idle=2, opened=2, limit=8), get('{news}/x', 'ca {CA}', status=200),
     stats(idle=2, opened=2, limit=8), accepted('news', 2))
case('prewarm: the limit holds', pool(), operate('limit', 'p', 2), operate('prewarm', 'p', 5), stats(idle=2, opened=2, limit=2), accepted('new', 2))
case('prewarm: none', pool(), operate('prewarm', 'p', 0), accepted('new', 0))
case('prewarm: nothing listens', pool('http://{closed}/'), operate('prewarm', 'p', 2, error='E_CONNECT', detail=lambda text: 'onnect' in text or 'refused' in text,
                                                                   **{'class': 'network'}))
case('prewarm: an untrusted certificate', pool('{news}/'), operate('prewarm', 'p', 2, error='E_TLS_CERTIFICATE', **{'class': 'tls'}))
case('prewarm: of a session', lambda run: run.new_session(), setting('ca', '{CA}'), setting('base', '{news}/'), pool('x'), operate('prewarm', 'p', 2),
     get('y', status=200), stats(idle=2, opened=2, limit=8), accepted('news', 2))
case('close idle: all of it', pool(), operate('prewarm', 'p', 3), operate('close-idle', 'p'), settled(opened=3, limit=8), gone('new'), get('{new}/x', reused=0),
     stats(idle=1, opened=4, limit=8))
case('close idle: what is in use stays', pool(), hold('new', 2), settled(leased=2, opened=2, limit=8), operate('prewarm', 'p', 4), operate('close-idle', 'p'),
     settled(leased=2, opened=4, limit=8), gone('new', 2), let_go(), settled(idle=2, opened=4, limit=8))
case('close idle: of a pool that is not there', pool(), operate('close-idle', 'p'), accepted('new', 0))

# ---- connections ----


def acquire(url='{new}/', *options, name='c', **expect):
    return make('acquire', name, 'GET', url, *options, **expect)


def local(text):
    return text.startswith('127.0.0.1:')


def on(target, *options, origin='new', **expect):
    return get(f'{{{origin}}}{target}', 'on c', *options, **expect)


PLAIN = dict(address=local, local_address=local, tls_version='', cipher='', alpn='', certificate='', subject='', issuer='', not_after=0)
case('connection: a series of requests on one', acquire(**PLAIN, uses=0, reused=0, age_ms=lambda ms: ms < 60000), seen('new'),
     *[on(f'/{i}', status=200) for i in range(5)], connections('new', 1, 1, 1, 1, 1), accepted('new', 1),
     operate('refresh', 'c', uses=5, reused=0), operate('release', 'c'))
case('connection: its address is the origin\'s', acquire(), then(lambda run: run.ask(
    f'operate {run.tag} refresh {run.named("c")} 0\n', {'address': f'127.0.0.1:{run.origin("new").port}'})))
case('connection: other requests go elsewhere', acquire(), get('{new}/x', status=200), on('/y', status=200), get('{new}/z', status=200), on('/y', status=200),
     connections('new', 2, 1, 2, 1), operate('release', 'c'), get('{new}/x', reused=1))
case('connection: with a body, in order', acquire(), ask('POST', '{new}/one', 'on c', 'body fill 100000', status=200),
     ask('PUT', '{new}/two', 'on c', 'body chunked 70000', status=200), on('/three', status=200),
     seen('new', ('POST', '/one'), ('PUT', '/two'), ('GET', '/three')), connections('new', 1, 1, 1))
case('connection: what TLS says of it', acquire('{news}/', 'ca {CA}', tls_version='TLSv1.3', cipher=lambda c: c.startswith('TLS_'), alpn=lambda a: a in ('', 'http/1.1'),
     certificate=lambda pem: pem.startswith('-----BEGIN CERTIFICATE-----'), subject=lambda s: 'reqivo test' in s, issuer=lambda s: 'reqivo test CA' in s,
     not_after=lambda t: t > 1700000000), operate('release', 'c'))
case('connection: TLS 1.2', acquire('{news}/', 'ca {CA}', 'tls 12 12', tls_version='TLSv1.2', cipher=lambda c: 'GCM' in c or 'POLY1305' in c),
     get('{news}/x', 'ca {CA}', 'tls 12 12', 'on c', status=200))
case('connection: the certificate is the server\'s own', acquire('{news}/', 'ca {CA}'), then(lambda run: run.ask(
    f'operate {run.tag} refresh {run.named("c")} 0\n', {'certificate': lambda pem: pem.strip() == own_certificate(run)})))
case('connection: a warm one of the pool', get('{new}/x', status=200), acquire(reused=1, uses=1, age_ms=lambda ms: ms < 60000), on('/y', reused=1),
     connections('new', 1, 1))
case('connection: facts are those of acquire until they are asked for again', acquire(uses=0), on('/x'), on('/y'), operate('info', 'c', uses=0),
     operate('refresh', 'c', uses=2), operate('info', 'c', uses=2))
case('connection: it grows older', acquire(), on('/sleep/60'), operate('refresh', 'c', age_ms=lambda ms: 60 <= ms < 60000))
case('connection: release gives it back', pool(), acquire(), stats(leased=1, opened=1, limit=8), operate('release', 'c'), stats(idle=1, opened=1, limit=8),
     get('{new}/x', status=200), connections('new', 1), accepted('new', 1))
case('connection: close closes it', pool(), acquire(), on('/x'), operate('close', 'c'), gone('new'), settled(opened=1, limit=8), get('{new}/y', reused=0),
     connections('new', 1, 2))
case('connection: it counts in the limit', pool(), acquire(), operate('limit', 'p', 1), get('{new}/x', 'timeout queue 100', error='E_TIMEOUT_QUEUE'),
     operate('release', 'c'), get('{new}/x', status=200), accepted('new', 1))
case('connection: two of them', acquire(), acquire(name='d'), get('{new}/x', 'on c'), get('{new}/x', 'on d'), get('{new}/x', 'on c'), connections('new', 1, 2, 1))
case('connection: the server closes it', acquire(), on('/bye', status=200), gone('new'), on('/x', error='E_CONNECTION_CLOSED', sent=0, **{'class': 'network'}),
     operate('refresh', 'c', error='E_CONNECTION_CLOSED'), operate('release', 'c', error='E_CONNECTION_CLOSED'), accepted('new', 1))
case('connection: it breaks under a request that could be repeated', acquire(), on('/x', status=200), on('/mute', error=('E_EMPTY_RESPONSE', 'E_RESET'), retried=0),
     on('/y', error='E_CONNECTION_CLOSED', sent=0), accepted('new', 1))
case('rule_b1_k3: connection: another origin', acquire(), get('{a}/x', 'on c', error='E_SESSION', **{'class': 'usage'}), seen('a'), on('/y', status=200))
case('rule_b1_k6: connection: other TLS options', acquire('{news}/', 'ca {CA}'), get('{news}/x', 'verify 0', 'on c', error='E_SESSION'), seen('news'))
case('rule_b2_4: connection: authenticated as a connection, it goes to nobody else', acquire(),
     *[on('/x', ('field', 'Authorization', 'NTLM TlRMTVNTUAAB'), status=200) for _ in range(3)], connections('new', 1, 1, 1), operate('release', 'c'),
     get('{new}/y', reused=0), connections('new', 1, 1, 1, 2))
case('connection: nothing listens', acquire('http://{closed}/', error='E_CONNECT', **{'class': 'network'}), operate('info', 'c', error='ENOENT'))
case('connection: an untrusted certificate', acquire('{news}/', error='E_TLS_CERTIFICATE', detail=lambda text: text != '', **{'class': 'tls'}))
case('connection: a URL that is none', acquire('nonsense:', error='E_URL', **{'class': 'usage'}))
case('connection: no time', acquire(), pool(), operate('limit', 'p', 1), acquire('{new}/', 'timeout queue 100', name='d', error='E_TIMEOUT_QUEUE'))
case('connection: a redirect goes over it as long as its origin does', acquire(), on('/to/302/end', 'redirects 5', status=200, hops=[302]), connections('new', 1, 1))
case('connection: what is never released is closed with the program', acquire(), on('/x'), acquire(name='d'), then(lambda run: end_of_program(run)), gone('new'))


def own_certificate(run):
    with open(run.world.certs.files('good')[0], encoding='ascii') as file:
        return file.read().strip()


def end_of_program(run):
    """Another program of its kind acquires two and ends."""

    other = drivers.Driver(run.world.place, run.driver.kind, run.world.daemon.socket)
    url = run.fill('{new}/x')
    for name in ('one', 'two'):
        other.write(drivers.describe(name, 'GET', url).removesuffix('end\n') + f'acquire {name}\nrun\n')
        rt.equal(other.line()['error'], '', 'acquired')
    rt.poll('its connections', lambda: run.origin('new').connections() == 4)
    other.popen.kill()
    other.popen.wait()
    gone('new', 2)(run)
    for name in ('c', 'd'):
        operate('close', name)(run)
