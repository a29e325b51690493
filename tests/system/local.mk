# SPDX-License-Identifier: MIT
# `./dev system-test`: the units on a system that is booted for it.
EXTRA_DIST += tests/system/cases_life.py tests/system/cases_service.py tests/system/image.py tests/system/load.py \
	tests/system/machine.py tests/system/origin.py tests/system/run.py doc/system-test.txt
