#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""load - runs inside of the machine: load.py NAME URL STOP. Sends one POST after the other, each by a `reqivo` of its own and with
a number of its own, until the file STOP is there. Prints a line for each: NAME-NUMBER, exit code, what was said."""
import os
import subprocess
import sys


def main():
    name, url, stop = sys.argv[1:]
    number = 0
    while not os.path.exists(stop):
        number += 1
        target = f'{url}?{name}-{number}'
        done = subprocess.run(['reqivo', '-sS', '-m', '60', '-d', 'x', '-w', '%{http_code}', '-o', '/dev/null', target], capture_output=True,
                              text=True, check=False)
        print(f'{name}-{number} {done.returncode} {done.stdout or "-"} {done.stderr.strip()}', flush=True)


if __name__ == '__main__':
    main()
