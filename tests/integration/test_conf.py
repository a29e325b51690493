#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reqivod's settings and options: the manual's table is the program's, errors have file and line, exit codes are as told."""
import os
import re
import subprocess
import sys
import tempfile

SRC = os.environ.get('REQIVO_SRCDIR') or os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
BUILD = os.environ.get('REQIVO_BUILDDIR') or os.path.join(SRC, 'build', 'gcc')
REQIVOD = os.environ.get('REQIVOD') or os.path.join(BUILD, 'reqivod')
WRONG = '"@wrong@"'
COUNT = 0
FAILED = False


def ok(good, name, why=''):
    global COUNT, FAILED
    COUNT += 1
    FAILED = FAILED or not good
    print(f'{"ok" if good else "not ok"} {COUNT} - {name}')
    for line in '' if good else str(why).splitlines():
        print('# ' + line)


def reqivod(*args, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith('XDG_')}
    clean.update(env)
    return subprocess.run([REQIVOD, *args], env=clean, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def with_config(text, *args):
    """Runs reqivod with a file of that text; the file's name in its output becomes FILE."""
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as f:
        f.write(text)
        f.flush()
        done = reqivod('--config', f.name, *args)
        done.stderr = done.stderr.replace(f.name, 'FILE')
        return done


def manual_table():
    """{setting: (default, values)} of reqivod.conf(5)."""
    rows = {}
    with open(os.path.join(SRC, 'doc', 'man', 'reqivod.conf.5'), encoding='utf-8') as f:
        for line in f:
            match = re.match(r'\.It ([a-z][a-z_.]*) Ta (\S+) Ta (.*)$', line)
            if match:
                rows[match[1]] = (match[2].replace('\\(dq', '"'), match[3])
    return rows


def dumped_table(text):
    rows, section = {}, ''
    for line in text.splitlines():
        if line.endswith(' {'):
            section = line[:-2] + '.'
        elif line == '}':
            section = ''
        elif ' = ' in line:
            name, value = line.strip().split(' = ', 1)
            rows[section + name] = value if value == '""' else value.strip('"')
    return rows


def assignment(setting, value):
    section, _, name = setting.rpartition('.')
    return f'{section} {{\n{name} = {value}\n}}\n' if section else f'\n{name} = {value}\n'


def values_of(setting, values):
    """What the program says about a wrong value, in the manual's words."""
    huge = '99999999999999'
    if ' to ' in values:
        found = re.search(r"out of range: take (.*)$", with_config(assignment(setting, huge), '--check-config').stderr, re.M)
    else:
        wrong = '{%s}' % WRONG if values in ('addresses', 'users', 'members') else WRONG
        err = with_config(assignment(setting, wrong), '--check-config').stderr
        if not err.startswith(f'FILE:2: {setting}: '):
            return err
        for kind, words in (('path', 'not an absolute path'), ('addresses', 'not an address or prefix'), ('members', 'groups have @'), ('users', 'there is no user'), ('loopback address', 'not an address and a port')):
            if words in err:
                return kind
        found = re.search(r'is none of (.*)$', err, re.M)
    return found[1] if found else 'no such error'


def rundir():
    with open(os.path.join(BUILD, 'config.h'), encoding='utf-8') as f:
        return re.search(r'#define REQIVO_RUNDIR "(.*)"', f.read())[1]


def test_manual():
    manual, dump = manual_table(), reqivod('--dump-config', '--config', '/dev/null')
    dumped = dumped_table(dump.stdout)
    for name in ('socket', 'control.socket'):
        dumped[name] = dumped.get(name, '').replace(rundir(), '/run/reqivo')
    ok(dump.returncode == 0 and len(dumped) > 30, '--dump-config prints all settings', dump.stderr)
    ok(list(manual) == list(dumped), 'the manual lists the same settings in the same order',
       f'manual only: {set(manual) - set(dumped)}\nprogram only: {set(dumped) - set(manual)}')
    for setting, (default, values) in manual.items():
        if setting not in dumped:
            continue
        ok(default == dumped[setting], f'{setting}: the manual has the default', f'{default} and {dumped[setting]}')
        said = values_of(setting, values)
        ok(values == said, f'{setting}: the manual has the values', f'{values} and {said}')


def test_example():
    """The first example of the manual is a configuration."""
    with open(os.path.join(SRC, 'doc', 'man', 'reqivod.conf.5'), encoding='utf-8') as f:
        example = re.search(r'^\.Bd -literal.*?\n(.*?)^\.Ed', f.read(), re.M | re.S)[1]
    done = with_config(example, '--check-config')
    ok('policy "web"' in example and done.returncode == 0, 'the example of the manual is accepted', done.stderr)


def test_table_of_defaults():
    """The last column of the table in reqivo_session(3) names settings with their defaults."""
    with open(os.path.join(SRC, 'doc', 'man', 'reqivo_session.3'), encoding='utf-8') as f:
        told = dict(re.findall(r'^\.It .* Ta ([a-z]+\.[a-z_]+) (\S+)$', f.read(), re.M))
    dumped = dumped_table(reqivod('--dump-config', '--config', '/dev/null').stdout)
    due = {name for name in dumped if name.startswith(('pool.', 'timeouts.'))} - {'timeouts.drain', 'timeouts.slow_reader', 'timeouts.idle_exit'}
    ok(due <= set(told), 'reqivo_session(3) names each setting of pools and times that a request meets', due - set(told))
    for setting, default in told.items():
        ok(dumped.get(setting) == default, f'{setting}: reqivo_session(3) has the default', f'{default} and {dumped.get(setting)}')


def test_dump_reads_back():
    first = reqivod('--dump-config', '--config', '/dev/null').stdout
    second = with_config(first, '--dump-config').stdout
    ok(first == second, 'what --dump-config prints gives the same settings')
    done = reqivod('--dump-config', '--config', '/dev/null', '--socket', '/tmp/elsewhere.sock')
    ok(dumped_table(done.stdout)['socket'] == '/tmp/elsewhere.sock', '--socket goes before the file')


def test_errors():
    done = with_config('pool {\n connections = many\n}\nlimits { memory_uid = 1 }\n', '--check-config')
    ok(done.returncode == 78 and len(done.stderr.splitlines()) == 2 and 'FILE:2: pool.connections: ' in done.stderr and
       'FILE:4: limits.memory_uid: ' in done.stderr, 'all wrong values are told, with exit code 78', done.stderr)
    done = with_config('nonsense = 1\n')
    ok(done.returncode == 78 and done.stderr.startswith('FILE:1: '), 'a daemon with a wrong file does not start', done.stderr)
    done = reqivod('--config', '/nonexistent/reqivod.conf')
    ok(done.returncode == 78 and done.stderr.count('\n') == 1 and '/nonexistent/reqivod.conf' in done.stderr,
       'a file that was asked for must exist', done.stderr)
    done = with_config('# nothing\n', '--check-config')
    ok(done.returncode == 0 and not done.stderr, 'an empty file is fine', done.stderr)


def test_files():
    """--check-config says what a start would: of the file, of what it includes, of the certificates."""
    done = with_config('log_level = info\npool {\n connections = 3\n', '--check-config')
    ok(done.returncode == 78 and done.stderr.startswith('FILE:2: '), 'a file that was cut off is refused', done.stderr)
    with tempfile.TemporaryDirectory() as folder:
        fifo, pem, part = (os.path.join(folder, name) for name in ('fifo', 'ca.pem', 'part.conf'))
        os.mkfifo(fifo)
        done = reqivod('--config', fifo)
        ok(done.returncode == 78 and 'is not a regular file' in done.stderr, 'a FIFO is refused, not waited for', done.stderr)
        with open(pem, 'w', encoding='ascii') as file:
            file.write('no certificate\n')
        for what, name in (('that is not there', '/nonexistent/ca.pem'), ('without a certificate', pem), ('that is a FIFO', fifo),
                           ('that is a device', '/dev/zero')):
            for args in (['--check-config'], ['--socket', os.path.join(folder, 'sock')]):
                done = with_config(f'ca_file = "{name}"\n', *args)
                ok(done.returncode == 78 and f'ca_file: {name}: ' in done.stderr and done.stderr.count('ca_file') == 1 and not done.stdout,
                   f'{args[0]} refuses a ca_file {what}', f'{done.returncode} {done.stderr}')
        with open(part, 'w', encoding='ascii') as file:
            file.write('pool { connections = 3 }\n')
        done = with_config(f'include("{part}")\n', '--dump-config')
        ok(dumped_table(done.stdout).get('pool.connections') == '3', 'an absolute path is included', done.stderr)
    done = with_config('socket = "/tmp/${NOPE}/x"\n', '--check-config')
    ok(done.returncode == 78 and done.stderr.startswith('FILE:1: '), 'the environment is not put into values', done.stderr)


def test_user_without_runtime_folder():
    """The program itself may lie where only root reads, so it is reached by descriptor."""
    change = {'user': 65533, 'group': 65533, 'extra_groups': []} if os.geteuid() == 0 else {}
    fd = os.open(REQIVOD, os.O_RDONLY)
    done = subprocess.run([f'/proc/self/fd/{fd}', '--config', '/dev/null'], env={'PATH': '/usr/bin:/bin'}, pass_fds=[fd], cwd='/',
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False, **change)
    os.close(fd)
    ok(done.returncode in (73, 77) and '--socket' in done.stderr and 'XDG_RUNTIME_DIR' in done.stderr,
       'a user without a runtime folder is told what to do', f'{done.returncode} {done.stderr}')


def test_options():
    for args in (['--nope'], ['-v'], ['stray'], ['--config'], ['--help=yes'], ['--socket', 'relative'], ['--socket='],
                 ['--socket', '/' + 'x' * 107]):
        done = reqivod(*args)
        ok(done.returncode == 64 and done.stderr.count('\n') == 1 and not done.stdout,
           f'{" ".join(args)[:20]}: one line, exit code 64', f'{done.returncode} {done.stderr}')
    done = reqivod('--version')
    lines = done.stdout.splitlines()
    ok(done.returncode == 0 and re.fullmatch(r'reqivod \d+\.\d+\.\d+\S*', lines[0]) and any('OpenSSL' in line for line in lines[1:]),
       '--version names itself first, then the libraries', done.stdout)
    done = reqivod('--help')
    with open(os.path.join(SRC, 'doc', 'man', 'reqivod.8'), encoding='utf-8') as f:
        manual = set(re.findall(r'Fl Fl ([a-z-]+)', f.read()))
    ok(done.returncode == 0 and set(re.findall(r'^  --([a-z-]+)', done.stdout, re.M)) == manual,
       '--help and reqivod(8) have the same options', done.stdout)


def main():
    test_manual()
    test_example()
    test_table_of_defaults()
    test_dump_reads_back()
    test_errors()
    test_files()
    test_user_without_runtime_folder()
    test_options()
    print(f'1..{COUNT}')
    return 1 if FAILED else 0


if __name__ == '__main__':
    sys.exit(main())
