# SPDX-License-Identifier: MIT
# L0: pure, libc only; linked by the daemon and the library.
noinst_LTLIBRARIES += libcommon.la
libcommon_la_SOURCES = \
	common/addr.c common/addr.h \
	common/addr_zone.c \
	common/base64.c common/base64.h \
	common/buf.c common/buf.h \
	common/control_path.h \
	common/err.c common/err.h \
	common/list.h \
	common/map.c common/map.h \
	common/siphash.c common/siphash.h \
	common/str.c common/str.h \
	common/uninit.h
