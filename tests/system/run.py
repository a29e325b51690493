#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run - `./dev system-test`: run.py FOLDER BUILD. A Debian 12 is booted, with the project installed as an administrator would do it,
and its units do what they are for. Prints TAP; "skipped", and why, where the machine cannot do that."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases_life  # noqa: E402
import cases_service  # noqa: E402
import image  # noqa: E402
import machine  # noqa: E402
from image import rt  # noqa: E402

TOOLS = ('debootstrap', 'systemd-nspawn', 'systemd-sysusers', 'nsenter', 'setpriv')
NOT_ENFORCED = 'TasksMax, MemoryHigh, MemoryMax, MemorySwapMax, IPAddressDeny, OOMScoreAdjust, OOMPolicy'


def main():
    folder, build = sys.argv[1:]
    tap = rt.Tap()
    with rt.Place('reqivo-system') as place:
        try:
            image.demands(TOOLS)
            root = image.make(folder, build, rt.Certs(place))
            host = machine.Machine(place, root)
        except image.Cannot as why:
            print(f'1..0 # SKIP {why}')
            print(f'system-test: skipped: {why}')
            return 0
        print(f'# {host.text("systemctl", "--version").splitlines()[0]}, cgroup {machine.cgroup_version()}', flush=True)
        try:
            for cases in (cases_service, cases_life):
                cases.run(tap, host)
        finally:
            if tap.failed:
                print('# the last lines of the journal:')
                for line in host.text('journalctl', '--no-pager', '-n', '60', check=False).splitlines():
                    print(f'#   {line}')
        tap.case('the machine ends in order', lambda: rt.equal(host.stop(), 0, 'exit code of systemd-nspawn'))
    print(f'# untested: {NOT_ENFORCED}: set, but a cgroup of version 1 enforces none of them inside of this machine, and none is tried')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
