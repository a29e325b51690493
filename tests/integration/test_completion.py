#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_completion - bash completion: what it offers is what --help says, asked for as bash asks."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from drivers import rt  # noqa: E402

# Sources the file, asks for the word at the end of the line as bash does, and prints what is offered.
ASK = '''
set -u
. "$1"; shift
name=$1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
function=$(complete -p "$name" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function" 2>&1
printf '%s\\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}"
'''


def offered(*words):
    file = os.path.join(rt.srcdir(), 'doc', 'completion', words[0])
    done = rt.run([rt.tool('bash'), '--norc', '--noprofile', '-c', ASK, 'ask', file, *words])
    rt.equal(done.stderr, b'', 'what bash complains of')
    return set(done.stdout.decode().split())


def flags_of(help_text):
    """All options that the lines of a help name before their description, with two spaces between."""
    flags = set()
    for line in help_text.splitlines():
        if re.match(r' {2,6}-', line):
            left = re.split(r'(?<=\S) {2,}', line.strip())[0]
            flags |= set(re.findall(r'(?:^|(?<=[ ,]))(--?[a-zA-Z0-9#:][a-zA-Z0-9.-]*)', left))
    return flags


def help_of(name, *args):
    return rt.run([rt.program(name), *args, '--help']).stdout.decode()


def flags(name, *args):
    said = flags_of(help_of(name, *args))
    assert len(said) > 6, f'the help of {name} {args} was not understood: {said}'
    rt.equal(offered(name, *args, '-'), said, f'the flags of {name} {" ".join(args)}')
    rt.equal(offered(name, *args, '--he'), {flag for flag in said if flag.startswith('--he')}, 'those that begin so')


def verbs():
    text = help_of('reqivoctl').split('Verbs\n')[1].split('\n\n')[0]
    said = {line.split()[0] for line in text.splitlines()}
    rt.equal(offered('reqivoctl', ''), said, 'the verbs')
    rt.equal(offered('reqivoctl', '--json', 'po'), {'pools'}, 'the verb that begins with po')
    rt.equal(offered('reqivoctl', 'close', 'https'), {'https://'}, 'an origin')
    assert {'root', 'all'} <= offered('reqivoctl', '--user', ''), 'users'


def values(place):
    path = place.write('some-certificates.pem', 'x')
    rt.equal(offered('reqivo', '--cacert', path[:-5]), {path}, 'files')
    rt.equal(offered('reqivoctl', '--control', path[:-5]), {path}, 'sockets')
    rt.equal(offered('reqivo', '--tls-max', ''), {'1.2', '1.3'}, 'versions of TLS')
    rt.equal(offered('reqivo', '-X', 'P'), {'POST', 'PUT', 'PATCH'}, 'methods')
    rt.equal(offered('reqivo', 'w'), {'ws'}, 'the verb')


def main():
    tap = rt.Tap()
    with rt.Place() as place:
        tap.case('reqivo: the flags of --help', flags, 'reqivo')
        tap.case('reqivo ws: the flags of --help', flags, 'reqivo', 'ws')
        tap.case('reqivoctl: the flags of --help', flags, 'reqivoctl')
        tap.case('reqivoctl: the verbs of --help', verbs)
        tap.case('values', values, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
