# SPDX-License-Identifier: MIT
# Man pages, listed one by one: a page that is not here is not installed, and the gate "man" says so.
include doc/examples/local.mk

dist_man_MANS += \
	doc/man/reqivo.1 \
	doc/man/reqivoctl.1

dist_man_MANS += \
	doc/man/reqivod.8 \
	doc/man/reqivod.conf.5
