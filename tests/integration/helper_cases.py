# SPDX-License-Identifier: MIT
"""helper_cases - the table of the helpers: requests in one call, JSON and form bodies, text, files; test_helpers.py runs it through
both drivers. Steps: steps.py."""
import os

from steps import anew, bare, call, get, seen, setting, then

CASES = []
OK = {'status': 200}
JSON = 'application/json'
FORM = 'application/x-www-form-urlencoded'


def case(name, *steps):
    CASES.append((name, steps))


def equal(got, expected, what):
    assert got == expected, f'{what}: got {got!r}, expected {expected!r}'


# ---- the methods, on a handle and on a session ----

for where, first, more in (('a handle', (bare(),), {'X-One': None}), ('a session', (setting('field', 'X-One', '1'),), {'X-One': '1'})):
    for method in ('GET', 'HEAD', 'DELETE', 'OPTIONS'):
        case(f'{where}: {method}', *first, call(method, '{a}/echo?x', **OK, at='a', last=(method, '/echo?x'),
                                                fields={'Content-Length': None, 'Content-Type': None, **more}))
        case(f'{where}: {method}: a failure', *first, call(method, 'http://{closed}/', error='E_CONNECT', status=0, sent=0, text=''))
        case(f'{where}: {method}: a URL that is none', *first, call(method, 'nonsense:', error='E_URL'))
    for method in ('POST', 'PUT', 'PATCH'):
        case(f'{where}: {method}: JSON', *first, call(method, '{a}/echo', ('json', '{"name": "v\u00e4lue"}'), **OK, at='a',
                                                      last=(method, '/echo'), fields={'Content-Type': JSON, 'Content-Length': '18', **more}),
             then(lambda run: equal(run.log('a')[-1].body, '{"name": "v\u00e4lue"}'.encode(), 'the body')))
        case(f'{where}: {method}: a form', *first, call(method, '{a}/echo', ('form', 'a', 'b c'), ('form', 'a', 'd&e=f'), ('form', '\u00e9', '+%'), **OK, at='a',
                                                        fields={'Content-Type': FORM, **more}, echo={'body': 'a=b+c&a=d%26e%3Df&%C3%A9=%2B%25'}))
        case(f'{where}: {method}: bytes of a type', *first, call(method, '{a}/echo', ('content', 'text/x;charset=y', b'a\x00b\xff'), **OK, at='a',
                                                                 fields={'Content-Type': 'text/x;charset=y', 'Content-Length': '4', **more}),
             then(lambda run: equal(run.log('a')[-1].body, b'a\x00b\xff', 'the body')))
        case(f'{where}: {method}: bytes of no type', *first, call(method, '{a}/echo', ('content', '-', 'abc'), **OK, at='a', fields={'Content-Type': None, **more},
                                                                  echo={'body': 'abc'}))
        case(f'{where}: {method}: no body', *first, call(method, '{a}/echo', **OK, at='a', fields={'Content-Type': None, 'Content-Length': '0', **more}))
        case(f'{where}: {method}: an empty body', *first, call(method, '{a}/echo', ('content', 'text/x', ''), **OK, at='a',
                                                               fields={'Content-Type': 'text/x', 'Content-Length': '0', **more}))
        case(f'{where}: {method}: a failure', *first, call(method, 'http://{closed}/', ('json', '{}'), error='E_CONNECT', status=0, sent=0, text=''))
        case(f'{where}: {method}: a type that is none', *first, call(method, '{a}/echo', ('content', 'a\nb', 'x'), error='E_FIELD'), seen('a'))
    case(f'{where}: a large body', *first, call('PUT', '{a}/echo', ('content', 'text/x', 'x' * 300000), **OK, echo={'length': 300000}))
case('a session: the base URL, redirects and cookies', setting('base', '{a}/'), call('GET', 'set/one=1', **OK), call('GET', 'to/302/end', **OK, hops=[302], at='a',
                                                                                                                  fields={'Cookie': 'one=1'}))
case('a handle: neither redirects nor cookies', bare(), call('GET', '{a}/set/one=1', **OK), call('GET', '{a}/to/302/end', status=302, at='a', fields={'Cookie': None}))

# ---- text ----

case('text: as it came', bare(), call('GET', '{a}/end', text='end', **OK))
case('text: of no body', bare(), call('HEAD', '{a}/end', text='', **OK))
case('text: of an empty body', bare(), call('GET', '{a}/drip/0/0', text='', **OK))
case('text: a NUL ends it, but not the body', bare(), call('GET', '{a}/bytes', text='a', body='a\x00b', length=3, **OK))
case('text: decoded by a session', call('GET', '{a}/coded/0', text=lambda text: text.startswith('some text'), length=84000, **OK))

# ---- files ----


def content(name):
    def read(run):
        with open(run.world.place.path(name), 'rb') as file:
            return file.read()
    return read


def file_is(name, size, check=None):
    def step(run):
        data = content(name)(run)
        equal(len(data), size, 'size of the file')
        assert check is None or check(data), data[:100]
        path = run.world.place.path(name)
        equal(os.stat(path).st_mode & 0o777, 0o666 & ~_umask(), 'its mode')
        folder = [n for n in os.listdir(run.world.place.dir) if n.startswith(name) and n != name]
        equal(folder, [], 'what is left beside it')
        os.unlink(path)
    return step


def no_file(name):
    return lambda run: equal([n for n in os.listdir(run.world.place.dir) if n.startswith(name)], [], 'files')


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def there(name, text):
    return lambda run: run.world.place.write(name, text)


def told(calls, total, last):
    """How often, of how many, and the last figure; it never went backwards."""
    return lambda got: got[0] >= calls and got[1] == last and got[2] == total and got[3] == 0


case('save: with progress', bare(), get('{a}/big/1000000', 'save {dir}/saved', progress=told(2, 1000000, 1000000), length=0, **OK), file_is('saved', 1000000))
case('save: of unknown length', bare(), get('{a}/chunks/10/1000', 'save {dir}/saved', progress=told(1, -1, 10000), **OK), file_is('saved', 10000))
case('save: nothing', bare(), get('{a}/drip/0/0', 'save {dir}/saved', **OK), file_is('saved', 0))
case('save: decoded', get('{a}/coded/0', 'save {dir}/saved', progress=told(1, -1, 84000), **OK), file_is('saved', 84000, lambda data: data.startswith(b'some text')))
case('save: behind a redirect', get('{a}/to/302/end', 'save {dir}/saved', **OK), file_is('saved', 3, lambda data: data == b'end'))
case('save: it takes the place of what was there', there('saved', 'old content'), get('{a}/end', 'save {dir}/saved', **OK), file_is('saved', 3))
case('save: another status goes into the response', bare(), get('{a}/bare/404', 'save {dir}/saved', status=404, body='bare'), no_file('saved'))
case('save: a failure leaves what was there', there('saved', 'old content'), get('{a}/half_body', 'save {dir}/saved', error='E_TRUNCATED'),
     file_is('saved', 11, lambda data: data == b'old content'))
case('save: progress ends it', bare(), get('{a}/big/50000000', 'save {dir}/saved', 'save-stop 100000', error='E_CANCELED', **{'class': 'canceled'}), no_file('saved'))
case('save: a folder that is not there', bare(), get('{a}/end', 'save {dir}/nowhere/saved', error='ENOENT', step='save'), seen('a'))
case('save: a folder', bare(), get('{a}/end', 'save {dir}', error=('EINVAL', 'EISDIR'), step='save'), seen('a'))
case('save: a disk that is full', bare(), get('{a}/big/10000000', 'save /dev/full', error=('EINVAL', 'E_BODY_SINK')))
case('store: the body of a response', bare(), get('{a}/end', 'store {dir}/stored', stored='', body='end', **OK), file_is('stored', 3))
case('store: by a helper', anew(), call('GET', '{a}/big/100000', 'store {dir}/stored', stored='', **OK), file_is('stored', 100000))
case('store: where nothing can be', bare(), get('{a}/end', 'store {dir}/nowhere/stored', stored='ENOENT', **OK))
