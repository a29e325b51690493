#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_session - the tables of session_cases.py and hook_cases.py through both drivers."""
import os
import ssl
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import hook_cases  # noqa: E402
import odd_origin as odd  # noqa: E402
import session_cases  # noqa: E402
import steps  # noqa: E402
from test_redirect import HopOrigin  # noqa: E402

ONLY = {'t12': ssl.TLSVersion.TLSv1_2, 't13': ssl.TLSVersion.TLSv1_3}


def world(place):
    made = steps.World(place, HopOrigin)
    certs = made.certs
    for name, version in ONLY.items():
        made.origins[name] = HopOrigin(place, odd.server_context(certs, 'good', version, version))
    made.origins['wrong'] = HopOrigin(place, odd.server_context(certs, 'wrong_host'))
    made.words['deaf'] = f'http://127.0.0.1:{odd.DeafPort(place).port}/'
    made.words['mutetls'] = f'https://127.0.0.1:{odd.OddOrigin(place, before="stall").port}/'
    made.words['other'] = os.path.join(certs.dir, 'other.pem')
    made.words['garbage'] = place.write('garbage.pem', 'no PEM\n')
    return made


if __name__ == '__main__':
    sys.exit(steps.run_tables(world, [*session_cases.CASES, *hook_cases.CASES]))
