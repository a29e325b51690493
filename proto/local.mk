# SPDX-License-Identifier: MIT
# L1: bytes <-> meaning. libproto.la is libc only; http1 is a library of its own, since it needs http_parser.
noinst_LTLIBRARIES += libproto.la
libproto_la_SOURCES = \
	proto/fields.c proto/fields.h \
	proto/url.c proto/url.h proto/url_format.c
# The wire: frames between the library and the daemon.
libproto_la_SOURCES += \
	proto/wire.h proto/wire_layout.h \
	proto/wire_decode.c proto/wire_encode.c proto/wire_frame.c
# HTTP/1.1. http1_parser.c alone needs http_parser.
noinst_LTLIBRARIES += libhttp1.la
libhttp1_la_SOURCES = \
	proto/http1.h proto/http1_parts.h \
	proto/http1_chunk.c proto/http1_decode.c proto/http1_encode.c proto/http1_gate.c proto/http1_length.c \
	proto/http1_parser.c
libhttp1_la_LIBADD = $(HTTP_PARSER_LIBS)
