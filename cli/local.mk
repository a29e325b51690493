# SPDX-License-Identifier: MIT
# The command line. Both programs carry the library's code in themselves (libclient.la, no soname), since finding and binding
# a shared library is a good part of a short program's time. Only reqivoctl links jansson.
noinst_LTLIBRARIES += libcli.la
# The parts without main, for the programs and the unit tests.
libcli_la_SOURCES = \
	cli/body.c cli/body.h \
	cli/cookies.c cli/cookies.h \
	cli/exit.c cli/exit.h \
	cli/facts.c cli/facts.h \
	cli/field_files.c cli/fields.c cli/fields.h \
	cli/head.c cli/head.h \
	cli/help.c \
	cli/options.c cli/options.h \
	cli/output.c cli/output.h \
	cli/progress.c cli/progress.h \
	cli/routes.c cli/routes.h \
	cli/start.h \
	cli/std.c cli/std.h \
	cli/url.c cli/url.h \
	cli/writeout.c cli/writeout.h
libcli_la_LIBADD = libclient.la

bin_PROGRAMS += reqivo reqivoctl
reqivo_SOURCES = \
	cli/reqivo.c \
	cli/request.c cli/request.h \
	cli/transfer.c cli/transfer.h \
	cli/verbose.c cli/verbose.h \
	cli/ws.c cli/ws.h
reqivo_LDFLAGS = $(AM_LDFLAGS) $(LTO_LDFLAGS)
reqivo_LDADD = libcli.la

reqivoctl_SOURCES = cli/reqivoctl.c cli/control.c cli/control.h cli/rows.c cli/rows.h cli/rows_json.c
reqivoctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
reqivoctl_LDFLAGS = $(AM_LDFLAGS) $(LTO_LDFLAGS)
reqivoctl_LDADD = libcli.la $(JANSSON_LIBS)
