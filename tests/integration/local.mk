# SPDX-License-Identifier: MIT

# cli/, and what all integration tests share
dist_check_SCRIPTS += tests/integration/test_cli.py
TESTS += tests/integration/test_cli.py
EXTRA_DIST += tests/lib/reqivotest.py tests/lib/run.py

# daemon/base: settings and options
dist_check_SCRIPTS += tests/integration/test_conf.py
TESTS += tests/integration/test_conf.py
