# SPDX-License-Identifier: MIT
# The gates; `./dev lint` runs them, and `./dev check` through `make check TESTS=...`.
EXTRA_DIST += tests/lint
