#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_pool - the table of pool_cases.py through both drivers. Frame by frame: test_pools.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pool_cases  # noqa: E402
import steps  # noqa: E402
from test_redirect import HopOrigin  # noqa: E402

if __name__ == '__main__':
    sys.exit(steps.run_tables(lambda place: steps.World(place, HopOrigin), pool_cases.CASES))
