# SPDX-License-Identifier: MIT
"""hook_cases - the table of hooks before each hop and after a response, on requests and on sessions; test_session.py runs it through
both drivers. Steps: steps.py. `hooks` is what they have seen: ["before", hop, method, URL], ["after", status]."""
from steps import anew, ask, bare, get, seen, setting, then

CASES = []


def case(name, *steps):
    CASES.append((name, steps))


def saw(*wanted):
    """URLs by their path."""
    def fits(got):
        short = [[*entry[:3], '/' + entry[3].split('/', 3)[-1]] if entry[0] == 'before' else entry for entry in got or ()]
        assert short == [list(entry) for entry in wanted], f'hooks: {short!r}'
        return True
    return fits


def before(hop, method, path):
    return ['before', hop, method, path]


def after(status=200):
    return ['after', status]


OK = {'status': 200}
REFUSED = {'error': 'E_REFUSED', 'class': 'canceled'}

for where, first in (('a request', (bare(),)), ('a request of a session', ())):
    case(f'{where}: they see it', *first, get('{a}/x', 'hook before - field X-Hook 1', **OK, hooks=saw(before(0, 'GET', '/x'), after()), at='a',
                                              fields={'X-Hook': '1'}))
    case(f'{where}: each hop', *first, get('{a}/to/302/to/307/end', 'redirects 9', 'hook before - field X-Hook 1', **OK, hops=[302, 307],
                                           hooks=saw(before(0, 'GET', '/to/302/to/307/end'), before(1, 'GET', '/to/307/end'), before(2, 'GET', '/end'), after())),
         then(lambda run: _all_have(run, 'X-Hook')))
    case(f'{where}: one hop alone', *first, get('{a}/to/302/end', 'redirects 9', 'hook before 1 field X-Hook 1', **OK),
         then(lambda run: _each_has(run, 'X-Hook', [False, True])))
    case(f'{where}: method and URL of the first', *first, get('{a}/x', 'hook before 0 method PUT', 'hook before 0 url {b}/other', **OK, at='b', last=('PUT', '/other')),
         seen('a'))
    case(f'{where}: method and URL of a hop', *first, get('{a}/to/302/end', 'redirects 9', 'hook before 1 method OPTIONS', 'hook before 1 url {a}/other', **OK,
                                                          at='a', last=('OPTIONS', '/other')), seen('a', ('GET', '/to/302/end'), ('OPTIONS', '/other')))
    case(f'{where}: a field is taken away', *first, get('{a}/x', ('field', 'X-One', '1'), 'hook before - no-field X-One', **OK, at='a', fields={'X-One': None}))
    case(f'{where}: a hop gets the fields of the first again', *first,
         get('{a}/to/302/end', 'redirects 9', ('field', 'X-One', '1'), 'hook before 0 field X-One 2', **OK, at='a', fields={'X-One': '2'}))
    case(f'{where}: refused before the first', *first, get('{a}/x', 'hook before 0 refuse', **REFUSED, sent=0, status=0), seen('a'))
    case(f'{where}: refused before a hop', *first, get('{a}/to/302/end', 'redirects 9', 'hook before 1 refuse', **REFUSED, sent=2), seen('a', ('GET', '/to/302/end')))
    case(f'{where}: refused after the response', *first, get('{a}/x', 'hook after refuse', **REFUSED, sent=2), seen('a', ('GET', '/x')))
    case(f'{where}: the connection is kept after a refusal', *first, get('{new}/x', 'hook after refuse', **REFUSED), get('{new}/y', **OK),
         then(lambda run: _equal([r.connection for r in run.log('new')], [1, 1])))
    case(f'{where}: the response is changed', *first,
         get('{a}/x', 'hook after status 299', 'hook after field X-Hook yes', 'hook after no-field content-length', 'hook after body another', status=299,
             body='another', length=7, fields_seen=[['X-Hook', 'yes']], hooks=saw(before(0, 'GET', '/x'), after())))
    case(f'{where}: after sees the last response alone', *first, get('{a}/to/302/bare/404', 'redirects 9', 'hook after status 499', status=499,
                                                                     hooks=saw(before(0, 'GET', '/to/302/bare/404'), before(1, 'GET', '/bare/404'), after(404))))
    case(f'{where}: a redirect that is not followed is the response', *first, get('{a}/to/302/end', 'redirects 0', 'hook after status 299', status=299,
                                                                                 hooks=saw(before(0, 'GET', '/to/302/end'), after(302))))
    case(f'{where}: after sees a failure, too', *first, get('http://{closed}/', 'hook after field X-Hook 1', error='E_CONNECT', status=0,
                                                            hooks=saw(before(0, 'GET', '/'), after(0))))
    case(f'{where}: streamed', *first, get('{a}/x', 'stream', 'hook after status 299', status=299, heads=1, body='end'))
    case(f'{where}: with a body', *first, ask('POST', '{a}/echo', 'body memory hello', 'hook before - field X-Hook 1', **OK, has='"body": "hello"'))
    case(f'{where}: a body goes along with a hop', *first, ask('PUT', '{a}/to/307/echo', 'redirects 9', 'body fill 100000', 'hook before 1 field X-Hook 1', **OK,
                                                               has='"length": 100000', at='a', fields={'X-Hook': '1'}))
    case(f'{where}: a field that is the daemon\'s refuses itself', *first, get('{a}/x', 'hook before 0 field Content-Length 1', **REFUSED), seen('a'))
    case(f'{where}: a URL that is none', *first, get('{a}/x', 'hook before 0 url nonsense:', error='E_URL', **{'class': 'usage'}), seen('a'))

# What was given for one origin does not go to where a hook sends the request, unless the hook gives it anew behind the new URL.
SECRETS = (('field', 'Cookie', 'own=1'), ('field', 'X-Api-Key', 'k'), ('field', 'X-Auth-Token', 't'), ('field', 'X-Plain', 'p'))
NONE = {'Authorization': None, 'Cookie': None, 'X-Api-Key': None, 'X-Auth-Token': None, 'X-Plain': 'p'}
ALL = {'Authorization': 'Bearer s', 'Cookie': 'own=1', 'X-Api-Key': 'k', 'X-Auth-Token': 't', 'X-Plain': 'p'}
for hop, path in ((0, '{a}/x'), (1, '{a}/to/302/x')):
    for name, url, at in (('another port', '{b}/other', 'b'), ('another scheme', '{s}/other', 's')):
        case(f'rule_b2_1: hop {hop} is sent to {name}', setting('bearer', 's'),
             get(path, 'redirects 9', 'verify 0', *SECRETS, f'hook before {hop} url {url}', **OK, at=at, last=('GET', '/other'), fields=NONE))
    case(f'rule_b2_1: hop {hop} is sent elsewhere, with what the hook gives it for there', setting('bearer', 's'),
         get(path, 'redirects 9', *SECRETS, f'hook before {hop} field Authorization Lost', f'hook before {hop} url {{b}}/other',
             f'hook before {hop} field X-Api-Key theirs', **OK, at='b', fields=dict(NONE, **{'X-Api-Key': 'theirs'})))
    case(f'rule_b2_1: hop {hop} stays on its origin', setting('bearer', 's'),
         get(path, 'redirects 9', *SECRETS, f'hook before {hop} url {{a}}/other', **OK, at='a', last=('GET', '/other'), fields=ALL))
    case(f'rule_b2_1: hop {hop} is sent elsewhere, and all origins are trusted', setting('bearer', 's'),
         get(path, 'redirects 9', 'redirect-policy 2', *SECRETS, f'hook before {hop} url {{b}}/other', **OK, at='b', fields=ALL))
    case(f'rule_b2_1: hop {hop} is sent elsewhere and redirected back', setting('bearer', 's'),
         get(path, 'redirects 9', *SECRETS, f'hook before {hop} url {{b}}/to/302?{{a}}/back', **OK, at='a', last=('GET', '/back'), fields=NONE))
case('rule_b2_1: cookies of the session go by the jar', setting('bearer', 's'), get('{a}/set/one=1', **OK),
     get('{a}/x', 'verify 0', 'hook before 0 url {s}/other', **OK, at='s', fields={'Cookie': None, 'Authorization': None}))

case('a session: for each request', setting('hook', 'before - field X-Hook 1'), get('{a}/x', **OK, at='a', fields={'X-Hook': '1'}),
     get('{a}/to/302/end', **OK, at='a', fields={'X-Hook': '1'}), ask('DELETE', '{a}/x', **OK, at='a', fields={'X-Hook': '1'}))
case('a session: a change, and none any more', setting('hook', 'before - field X-Hook 1'), get('{a}/x', **OK, at='a', fields={'X-Hook': '1'}),
     setting('no-hooks'), get('{a}/x', **OK, at='a', fields={'X-Hook': None}), setting('hook', 'after refuse'), get('{a}/x', **REFUSED))
case('a session: those of the request take their place', setting('hook', 'before - field X-Hook session'),
     get('{a}/x', 'hook before - field X-Own request', **OK, at='a', fields={'X-Hook': None, 'X-Own': 'request'}))
case('a session: another has none', setting('hook', 'before - refuse'), anew(), get('{a}/x', **OK), bare(), get('{a}/x', **OK))


def _equal(got, expected):
    assert got == expected, f'got {got!r}, expected {expected!r}'


def _each_has(run, field, wanted):
    _equal([bool(r.get(field.lower())) for r in run.log('a')], wanted)


def _all_have(run, field):
    _each_has(run, field, [True] * len(run.log('a')))
