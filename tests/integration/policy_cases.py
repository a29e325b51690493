# SPDX-License-Identifier: MIT
"""policy_cases - the table of policies: what each kind of rule lets through and what it refuses. test_policy.py runs it through both
drivers.

A group is (text of the policy "default", other sections, cases). A case is (name, request, wanted): request is a URL or (method, url,
options...); wanted is None where the request must be answered, else (error, text that the detail must have in it). What is refused has
not been sent: the origin knows nothing of it. In URLs {a} and {b} are the ports of two origins on 127.0.0.1 and {s} that of an https one;
names below localhost lead there too.
"""
GROUPS = []
OPEN = 'loopback = allow'
DENIED = 'E_RULE_DENIED'


def group(policy, *cases, more=''):
    GROUPS.append((f'policy "default" {{\n{policy}\n}}\n{more}', cases))


def deny(number, rule):
    return DENIED, f'refused by policy "default": deny[{number}] "{rule}" ('


NOT_NAMED = (DENIED, 'refused by policy "default": no rule of allow names it (')

# ---- rules: hosts, schemes, ports, methods, paths ----

group(f'{OPEN}\n deny = {{"*.internal.localhost", "127.0.0.0/8:{{b}}", "[::1]", "secret.localhost"}}',
      ('a name that no rule has', 'http://localhost:{a}/echo', None),
      ('a name below a pattern', 'http://db.internal.localhost:{a}/echo', deny(1, '*.internal.localhost')),
      ('in capitals', 'http://DB.Internal.LOCALHOST:{a}/echo', deny(1, '*.internal.localhost')),
      ('the pattern\'s own name', 'http://internal.localhost:{a}/echo', None),
      ('a name that only ends alike', 'http://xinternal.localhost:{a}/echo', None),
      ('an exact name', 'http://secret.localhost:{a}/echo', deny(4, 'secret.localhost')),
      ('another name', 'http://secrets.localhost:{a}/echo', None),
      ('an address and its port', 'http://127.0.0.1:{b}/echo', deny(2, '127.0.0.0/8:{b}')),
      ('another port of it', 'http://127.0.0.1:{a}/echo', None),
      ('an address within an IPv6 one', 'http://[::ffff:127.0.0.1]:{b}/echo', deny(2, '127.0.0.0/8:{b}')),
      ('the same in hexadecimal', 'http://[::ffff:7f00:1]:{b}/echo', deny(2, '127.0.0.0/8:{b}')),
      ('by NAT64', 'http://[64:ff9b::7f00:1]:{b}/echo', deny(2, '127.0.0.0/8:{b}')),
      ('an IPv6 address', 'http://[0:0::0:1]:{a}/echo', deny(3, '[::1]')),
      ('a decimal host', 'http://2130706433:{a}/echo', ('E_URL', '')),
      ('an octal host', 'http://0177.0.0.1:{a}/echo', ('E_URL', '')),
      ('a hexadecimal host', 'http://0x7f000001:{a}/echo', ('E_URL', '')),
      ('a short host', 'http://127.1:{a}/echo', ('E_URL', '')),
      ('the query is not told', 'http://secret.localhost:{a}/hidden?token=hidden', deny(4, 'secret.localhost')),
      ('the route is judged', ('GET', 'http://localhost:{a}/echo', 'route 127.0.0.1:{b}'),
       (DENIED, 'deny[2] "127.0.0.0/8:{b}" (route GET http://127.0.0.1:{b})')),
      ('the name behind a route, too', ('GET', 'http://secret.localhost:{b}/echo', 'route 127.0.0.1:{a}'), deny(4, 'secret.localhost')),
      ('a route that no rule has', ('GET', 'http://example.test/echo', 'route 127.0.0.1:{a}'), None),
      ('a Host field is judged', ('GET', 'http://localhost:{a}/echo', ('field', 'Host', 'secret.localhost')),
       (DENIED, 'deny[4] "secret.localhost" (Host field of ')),
      ('a Host field that no rule has', ('GET', 'http://localhost:{a}/echo', ('field', 'Host', 'other.localhost:81')), None))

group(f'{OPEN}\n allow = {{"https://*:{{s}}", "GET,HEAD http://localhost:{{a}}", "http://b.localhost:{{b}}/public"}}\n'
      ' deny = {"https://*/echo/private"}',
      ('a scheme and port', 'https://localhost:{s}/echo', None),
      ('another scheme', 'http://other.localhost:{a}/echo', NOT_NAMED),
      ('another port', 'http://localhost:{b}/echo', NOT_NAMED),
      ('a method', 'http://localhost:{a}/echo', None),
      ('another method', ('POST', 'http://localhost:{a}/echo', 'body memory x'), NOT_NAMED),
      ('a method in small letters', ('get', 'http://localhost:{a}/echo'), NOT_NAMED),
      ('deny goes before allow', 'https://localhost:{s}/echo/private/x', deny(1, 'https://*/echo/private')),
      ('a path', 'http://b.localhost:{b}/public/x', None),
      ('another path', 'http://b.localhost:{b}/publicity', NOT_NAMED),
      ('out of the path', 'http://b.localhost:{b}/public/../x', NOT_NAMED),
      ('out of the path, encoded', 'http://b.localhost:{b}/public/%2e%2e/x', NOT_NAMED),
      ('out of the path, encoded twice', 'http://b.localhost:{b}/public/%252e%252e%252fx', NOT_NAMED),
      ('out of the path, with a backslash', 'http://b.localhost:{b}/public/..%5cx', NOT_NAMED),
      ('out of the path, with a parameter', 'http://b.localhost:{b}/public/..;/x', NOT_NAMED),
      ('into a denied path, encoded', 'https://localhost:{s}/echo/%70rivate', deny(1, 'https://*/echo/private')),
      ('into a denied path, encoded twice', 'https://localhost:{s}/echo/%2570rivate', deny(1, 'https://*/echo/private')),
      ('into a denied path, by two slashes', 'https://localhost:{s}/echo//private', deny(1, 'https://*/echo/private')),
      ('into a denied path, by a slash that is encoded', 'https://localhost:{s}/echo%2fprivate', deny(1, 'https://*/echo/private')),
      ('into a denied path, with NUL', 'https://localhost:{s}/echo/private%00', deny(1, 'https://*/echo/private')))

# ---- addresses ----

group('deny_addresses = {"127.0.0.3/32"}\n loopback = allow',
      ('an address that is not refused', 'http://127.0.0.1:{a}/echo', None),
      ('one that is', 'http://127.0.0.3:{a}/echo', ('E_ADDRESS_DENIED', 'refused by policy "default": deny_addresses[1]')),
      ('within an IPv6 one', 'http://[::ffff:127.0.0.3]:{a}/echo', ('E_ADDRESS_DENIED', 'deny_addresses[1]')),
      ('by a route', ('GET', 'http://localhost:{a}/echo', 'route 127.0.0.3:{a}'), ('E_ADDRESS_DENIED', 'deny_addresses[1]')))
group('loopback = refuse',
      ('loopback by a policy', 'http://localhost:{a}/echo',
       ('E_ADDRESS_DENIED', 'policy "default": loopback refuses loopback addresses')))
group('loopback = refuse\n allow_addresses = {"127.0.0.1"}',
      ('an address that a policy allows', 'http://127.0.0.1:{a}/echo', None),
      ('and no other', 'http://127.0.0.2:{a}/echo', ('E_ADDRESS_DENIED', 'policy "default": loopback')))
group('private = refuse',
      ('private ranges by a policy', 'http://10.0.0.1/', ('E_ADDRESS_DENIED', 'policy "default": private refuses private addresses')),
      ('in every form', 'http://[::ffff:10.0.0.1]/', ('E_ADDRESS_DENIED', 'policy "default": private')),
      ('the unique local ones, too', 'http://[fd00::1]/', ('E_ADDRESS_DENIED', 'policy "default": private')))
group('loopback = allow\n allow_addresses = {"0.0.0.0/0"}',
      ('address_policy.deny holds all the same', 'http://127.0.0.1:{a}/echo', ('E_ADDRESS_DENIED', 'refused by address_policy.deny[1]')),
      more='address_policy { deny = {"127.0.0.0/8"} }\n')
