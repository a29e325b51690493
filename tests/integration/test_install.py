#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_install - what `make install` puts where, that programs of others compile and run against it, and that `make distdir` leaves
nothing of the sources out. The prefix is the configured one: pkg-config's file and the unit name it."""
import glob
import os
import re
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get('REQIVO_SRCDIR') or os.path.join(os.path.dirname(__file__), '..', '..'), 'tests', 'lib'))

import reqivotest as rt  # noqa: E402

LIBRARY = 'lib/libreqivo-client.so'
# Below the prefix: all that is installed besides the pages of section 3.
FILES = {
    'bin/reqivo': 0o755, 'bin/reqivoctl': 0o755, 'sbin/reqivod': 0o755,
    'include/reqivo/client.h': 0o644, 'include/reqivo/error.h': 0o644, 'include/reqivo/request.h': 0o644,
    'include/reqivo/connection.h': 0o644, 'include/reqivo/helpers.h': 0o644, 'include/reqivo/pool.h': 0o644, 'include/reqivo/session.h': 0o644,
    'include/reqivo/response.h': 0o644, 'include/reqivo/websocket.h': 0o644, 'include/reqivo/adapters/libev.h': 0o644,
    'lib/pkgconfig/reqivo-client.pc': 0o644, f'{LIBRARY}.0.0.0': 0o755, 'lib/libreqivo-client.la': 0o755,
    'lib/systemd/system/reqivod.service': 0o644, 'lib/systemd/system/reqivod.socket': 0o644, 'lib/sysusers.d/reqivo.conf': 0o644,
    'lib/systemd/system/reqivod-control.socket': 0o644, 'lib/systemd/user/reqivod-control.socket': 0o644,
    'lib/systemd/user/reqivod.service': 0o644, 'lib/systemd/user/reqivod.socket': 0o644,
    'share/bash-completion/completions/reqivo': 0o644, 'share/bash-completion/completions/reqivoctl': 0o644,
    'share/doc/reqivo/LICENSE': 0o644,
    'share/man/man1/reqivo.1': 0o644, 'share/man/man1/reqivoctl.1': 0o644,
    'share/man/man5/reqivod.conf.5': 0o644, 'share/man/man8/reqivod.8': 0o644,
}
MAY_BE = {'lib/libreqivo-client.a': 0o644}  # --enable-static
LINKS = {f'{LIBRARY}.0': 'libreqivo-client.so.0.0.0', LIBRARY: 'libreqivo-client.so.0.0.0'}
# Tracked, and of no use without the repository.
NOT_DISTRIBUTED = {'.gitignore'}


def make(*args):
    """In the build tree, with nothing of the make that runs the tests."""
    env = {name: value for name, value in os.environ.items() if name not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'DESTDIR')}
    return rt.run(['make', '-s', '-C', rt.builddir(), *args], env=env, timeout=300)


def variable(name):
    with open(os.path.join(rt.builddir(), 'Makefile'), encoding='utf-8') as file:
        found = re.search(rf'^{name} = (.*)$', file.read(), re.M)
    return found.group(1).strip() if found else ''


def source(*parts):
    with open(os.path.join(rt.srcdir(), *parts), encoding='utf-8') as file:
        return file.read()


class Installed:
    def __init__(self, place):
        self.place = place
        self.root = place.path('root')
        self.prefix = variable('prefix')
        self.top = self.root + self.prefix
        make('install', f'DESTDIR={self.root}')
        self.sanitizers = [flag for flag in variable('CFLAGS').split() if flag.startswith('-fsanitize=')]
        self.env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.top, 'lib'))

    def path(self, name):
        return os.path.join(self.top, name)

    def below(self):
        """Names of all files and links, relative to the prefix; one outside of it is shown with its whole path."""
        return {os.path.relpath(os.path.join(here, name), self.top)
                for here, _, names in os.walk(self.root) for name in names}

    def files(self):
        names = self.below()
        pages = {name for name in names if name.startswith('share/man/man3/')}
        rt.equal(sorted(names - pages - set(MAY_BE)), sorted(FILES.keys() | LINKS.keys()), 'what is installed')
        for name, mode in {**FILES, **MAY_BE, **dict.fromkeys(pages, 0o644)}.items():
            if name in names:
                info = os.lstat(self.path(name))
                assert stat.S_ISREG(info.st_mode), f'{name} is no file'
                rt.equal(oct(stat.S_IMODE(info.st_mode)), oct(mode), f'mode of {name}')
        for name, target in LINKS.items():
            rt.equal(os.readlink(self.path(name)), target, name)

    def pages(self):
        """Each function of the library has its page."""
        functions = set(re.findall(r'\b(reqivo_\w+);', source('libclient', 'libreqivo-client.map')))
        assert len(functions) > 20, functions
        for name in functions:
            assert os.path.exists(self.path(f'share/man/man3/{name}.3')), f'no page of {name}'

    def programs(self):
        for name in ('bin/reqivo', 'bin/reqivoctl', 'sbin/reqivod'):
            done = rt.run([self.path(name), '--version'], env=self.env)
            rt.contains(done.stdout.decode(), os.path.basename(name))
        with open(self.path('lib/systemd/system/reqivod.service'), encoding='ascii') as file:
            rt.contains(file.read(), f'\nExecStart={self.prefix}/sbin/reqivod')

    def verify(self, kind):
        """systemd-analyze(1) has nothing to say about the units, in a tree where the daemon is."""
        theirs, ours = f'/usr/lib/systemd/{kind}', self.place.fresh(f'units-{kind}')
        shutil.copytree(self.path(f'lib/systemd/{kind}'), ours)
        for name in os.listdir(ours):
            path = os.path.join(ours, name)
            with open(path, encoding='ascii') as file:
                text = file.read()
            with open(path, 'w', encoding='ascii') as file:
                file.write(text.replace(f'={self.prefix}/', f'={self.top}/'))
        env = dict(self.env, SYSTEMD_UNIT_PATH=f'{ours}:{theirs}', XDG_RUNTIME_DIR=self.place.dir)
        analyze = [rt.tool('systemd-analyze'), 'verify', f'--{kind}', '--man=no', '--generators=no']
        done = rt.run([*analyze, *(os.path.join(ours, name) for name in sorted(os.listdir(ours)))], check=False, env=env)
        said = done.stderr.decode()
        rt.equal((done.returncode, said), (0, ''))
        with open(os.path.join(ours, 'reqivod.service'), 'a', encoding='ascii') as file:
            file.write('NoSuchKey=1\n')
        done = rt.run([*analyze, os.path.join(ours, 'reqivod.service')], check=False, env=env)
        rt.contains(done.stderr.decode(), 'NoSuchKey', 'a unit that is wrong')

    def pkg_config(self, *args):
        env = dict(os.environ, PKG_CONFIG_PATH=self.path('lib/pkgconfig'), PKG_CONFIG_SYSROOT_DIR=self.root)
        # It leaves out what the compiler searches anyway; below another root that is not so.
        env.update(PKG_CONFIG_ALLOW_SYSTEM_CFLAGS='1', PKG_CONFIG_ALLOW_SYSTEM_LIBS='1')
        return rt.run([rt.tool('pkg-config'), *args, 'reqivo-client'], env=env).stdout.decode().split()

    def version(self):
        rt.equal(self.pkg_config('--modversion'), rt.run([rt.program('reqivo'), '--version']).stdout.decode().split()[1:])

    def compile(self, compiler, name):
        """As a program of somebody else: no header and no library of ours but those that are installed."""
        flags = ['-std=c11', '-pedantic', '-Wall', '-Wextra', '-Werror']
        # Code of gcc's sanitizers needs their library in the program, whoever compiles that.
        flags += self.sanitizers if compiler == 'gcc' else []
        libraries = ['-lev'] if 'libev' in name else []
        out = self.place.path(f'{compiler}-{name}')
        rt.run([rt.tool(compiler), *flags, *self.pkg_config('--cflags'), '-o', out,
                os.path.join(rt.srcdir(), 'doc', 'examples', f'{name}.c'), *self.pkg_config('--libs'), *libraries], cwd=self.root)
        return out

    def compiles(self, compiler, name):
        if self.sanitizers and compiler != 'gcc':  # its sanitizers are not those of the library: only compile
            rt.run([rt.tool(compiler), '-std=c11', '-pedantic', '-Wall', '-Wextra', '-Werror', *self.pkg_config('--cflags'), '-c', '-o',
                    self.place.path('object.o'), os.path.join(rt.srcdir(), 'doc', 'examples', f'{name}.c')])
        else:
            self.compile(compiler, name)

    def runs(self):
        """The installed daemon, and a program that was compiled against the installed library."""
        os.environ['REQIVOD'] = self.path('sbin/reqivod')
        daemon, origin = rt.Reqivod(self.place), rt.Origin(self.place)
        del os.environ['REQIVOD']
        env = dict(self.env, REQIVO_SOCKET=daemon.socket)
        done = rt.run([self.place.path('gcc-sync_get'), origin.url('/page')], check=False, env=env)
        rt.equal((done.returncode, done.stdout), (0, b'ok\n'), done.stderr.decode())
        done = rt.run([self.path('bin/reqivo'), '-sS', origin.url('/page')], check=False, env=env)
        rt.equal((done.returncode, done.stdout), (0, b'ok\n'), done.stderr.decode())
        rt.equal(origin.accepted, 1, 'connections that the origin saw')
        rt.equal(daemon.stop(), 0, 'the end of the daemon')

    def uninstalls(self):
        make('uninstall', f'DESTDIR={self.root}')
        rt.equal(sorted(self.below()), [], 'what is left')


def tracked():
    """What git tracks; without git or its folder, what lies there and is not made."""
    try:
        done = subprocess.run(['git', '-c', f'safe.directory={rt.srcdir()}', '-C', rt.srcdir(), 'ls-files', '-z'],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        names = set(done.stdout.decode().split('\0')) - {''}
    except (OSError, subprocess.CalledProcessError):
        names = set()
    if not names:
        sys.path.insert(0, os.path.join(rt.srcdir(), 'tests', 'lint'))
        import gate  # pylint: disable=import-outside-toplevel
        import pathlib  # pylint: disable=import-outside-toplevel
        names = {str(name) for name in gate.files(pathlib.Path(rt.srcdir()))}
    return {name for name in names if os.path.exists(os.path.join(rt.srcdir(), name))}


def distributed(place):
    folder = place.path('dist')
    make('distdir', f'distdir={folder}', f'top_distdir={folder}')
    names = tracked()
    assert len(names) > 300, f'only {len(names)} files are known'
    missing = sorted(name for name in names - NOT_DISTRIBUTED if not os.path.exists(os.path.join(folder, name)))
    rt.equal(missing, [], 'tracked, but not in what `make dist` packs')


def main():
    tap = rt.Tap()
    with rt.Place('reqivo-install') as place:
        installed = Installed(place)
        tap.case('make install: the files and their modes', installed.files)
        tap.case('make install: a page for each function', installed.pages)
        tap.case('the installed programs start, and the unit names the daemon', installed.programs)
        for kind in ('system', 'user'):
            tap.case(f'rule_d1_unit: systemd-analyze verify is content with the {kind} units', installed.verify, kind)
        tap.case("pkg-config: the library's version", installed.version)
        names = sorted(os.path.basename(name)[:-2] for name in glob.glob(os.path.join(rt.srcdir(), 'doc', 'examples', '*.c')))
        for compiler in ('gcc', 'clang'):
            for name in names:
                tap.case(f'{compiler} -std=c11 -pedantic: {name}', installed.compiles, compiler, name)
        tap.case('an example and reqivo run with what is installed', installed.runs)
        tap.case('make uninstall leaves nothing', installed.uninstalls)
        tap.case('make distdir holds every file that is tracked', distributed, place)
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
