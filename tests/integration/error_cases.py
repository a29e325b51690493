# SPDX-License-Identifier: MIT
"""error_cases - each class of the hierarchy of errors, reached for real; test_helpers.py runs it through both drivers. Steps: steps.py."""
from steps import ask, bare, make

CASES = []
CLASSES = ('usage', 'network', 'tls', 'connect timeout', 'read timeout', 'protocol', 'invalid response', 'daemon', 'policy', 'limit', 'canceled', 'websocket',
           'redirect loop', 'too many redirects')  # reqivo/error.h, but for ok
REACHED = set()


def case(cls, name, error, *steps):
    """The last step is made with what is expected."""
    assert cls in CLASSES, cls
    REACHED.add(cls)
    *first, last = steps
    CASES.append((f'{cls}: {name}', (bare(), *first, last(error=error, **{'class': cls}))))


def asks(url, *options, method='GET'):
    return lambda **expect: ask(method, url, *options, **expect)


def opens(url, *options):
    return lambda **expect: make('websocket', '', 'GET', url, *options, **expect)


def acquires(url, *options):
    return lambda **expect: make('acquire', 'c', 'GET', url, *options, **expect)


case('usage', 'a URL', 'E_URL', asks('foo://127.0.0.1/'))
case('usage', 'a method', 'E_METHOD', asks('{a}/', method='G\x01T'))
case('usage', 'a field', 'E_FIELD', asks('{a}/', ('field', 'Connection', 'x')))
case('usage', 'a body that is shorter than was said', 'E_BODY_LENGTH', asks('{a}/', 'body callback 10 20', method='PUT'))
case('usage', 'a body that cannot be read', 'E_BODY_SOURCE', asks('{a}/', 'body callback 1000 2000', 'source-fail', method='PUT'))
case('usage', 'certificates', 'E_TRUST', asks('{s}/', 'ca {garbage}'))
case('usage', 'a redirect that asks for a body that is gone', 'E_REDIRECT_BODY', asks('{a}/to/307/echo', 'redirects 3', 'body callback 300000', method='PUT'))
case('usage', 'a negative errno', 'EINVAL', asks('{a}/', 'redirects 99'))
case('network', 'a name', ('E_RESOLVE',), asks('http://no-such-host.invalid/'))
case('network', 'nothing listens', 'E_CONNECT', asks('http://{closed}/'))
case('network', 'reset', 'E_RESET', asks('{a}/mute/reset', method='POST'))
case('network', 'no answer', 'E_EMPTY_RESPONSE', asks('{a}/mute', method='POST'))
case('network', 'of a connection', 'E_CONNECT', acquires('http://{closed}/'))
case('network', 'of a WebSocket', 'E_CONNECT', opens('ws://{closed}/'))
case('tls', 'a certificate', 'E_TLS_CERTIFICATE', asks('{s}/'))
case('tls', 'another host', 'E_TLS_HOST', asks('{wrong}/', 'ca {CA}'))
case('tls', 'no common version', ('E_TLS_HANDSHAKE', 'E_TLS_PROTOCOL'), asks('{t13}/', 'ca {CA}', 'tls 12 12'))
case('connect timeout', 'connecting', 'E_TIMEOUT_CONNECT', asks('{deaf}', 'timeout connect 150'))
case('connect timeout', 'TLS', 'E_TIMEOUT_TLS', asks('{mutetls}', 'timeout tls 150'))
case('read timeout', 'the first byte', 'E_TIMEOUT_FIRST', asks('{a}/stall', 'timeout first 150'))
case('read timeout', 'a stall', 'E_TIMEOUT_STALL', asks('{a}/drip/2/60000', 'timeout stall 150'))
case('read timeout', 'in all', 'E_TIMEOUT_TOTAL', asks('{a}/stall', 'timeout total 150'))
case('invalid response', 'a head', 'E_RESPONSE_HEAD', asks('{a}/raw/head'))
case('invalid response', 'a length', 'E_RESPONSE_FRAMING', asks('{a}/raw/length'))
case('invalid response', 'cut', 'E_TRUNCATED', asks('{a}/half_body'))
case('invalid response', 'a coding', 'E_CODING', asks('{a}/coded/damaged', 'decode 1'))
case('invalid response', 'a URL to go to', 'E_REDIRECT_URL', asks('{a}/to/302?ftp://127.0.0.1/', 'redirects 3'))
case('policy', 'an address', 'E_ADDRESS_DENIED', asks('http://169.254.169.254/'))
case('policy', 'from https to http', 'E_REDIRECT_DENIED', asks('{s}/to/302?{a}/end', 'ca {CA}', 'redirects 3'))
case('limit', 'a body', 'E_LIMIT_BODY', asks('{a}/big/10000', 'max 1000'))
case('limit', 'what is decoded', 'E_LIMIT_CODING', asks('{a}/coded/bomb', 'decode 1'))
case('limit', 'a head', 'E_LIMIT_HEAD', asks('{a}/', *[('field', f'X-{i}', 'v') for i in range(129)]))
case('canceled', 'by a callback', 'E_CANCELED', asks('{a}/big/100000', 'stream', 'stop-after 1'))
case('canceled', 'by a hook', 'E_REFUSED', asks('{a}/', 'hook before 0 refuse'))
case('websocket', 'an answer that opens none', 'E_WEBSOCKET_HANDSHAKE', opens('{aw}/end'))
case('redirect loop', 'a circle', 'E_REDIRECT_LOOP', asks('{a}/to/302?/loop', 'redirects 30'))
case('too many redirects', 'more than are followed', 'E_REDIRECT_LIMIT', asks('{a}/count/9', 'redirects 3'))
