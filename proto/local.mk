# SPDX-License-Identifier: MIT
# L1: bytes <-> meaning. libproto.la is libc only; http1 is a library of its own, since it needs http_parser.
noinst_LTLIBRARIES += libproto.la
libproto_la_SOURCES = \
	proto/cookie.c proto/cookie.h proto/cookie_date.c proto/cookie_file.c \
	proto/fields.c proto/fields.h \
	proto/form.c proto/form.h \
	proto/http1_asked.c proto/http1_asked.h \
	proto/rule.c proto/rule.h proto/rule_match.c \
	proto/url.c proto/url.h proto/url_format.c \
	proto/url_resolve.c proto/url_resolve.h \
	proto/utf8.c proto/utf8.h
# The wire: frames between the library and the daemon.
libproto_la_SOURCES += \
	proto/wire.h proto/wire_layout.h \
	proto/wire_decode.c proto/wire_encode.c proto/wire_frame.c
# HTTP/1.1. http1_parser.c alone needs http_parser.
noinst_LTLIBRARIES += libhttp1.la
libhttp1_la_SOURCES = \
	proto/http1.h proto/http1_parts.h \
	proto/http1_chunk.c proto/http1_decode.c proto/http1_encode.c proto/http1_gate.c proto/http1_length.c \
	proto/http1_parser.c \
	proto/redirect.c proto/redirect.h
libhttp1_la_LIBADD = $(HTTP_PARSER_LIBS)
# Content codings, of the daemon only: each decoder's file is the only one that knows its library.
noinst_LTLIBRARIES += libcoding.la
libcoding_la_SOURCES = \
	proto/coding.c proto/coding.h proto/coding_parts.h \
	proto/coding_br.c proto/coding_list.c proto/coding_zlib.c proto/coding_zstd.c
libcoding_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZLIB_CFLAGS) $(BROTLI_CFLAGS) $(ZSTD_CFLAGS)
libcoding_la_LIBADD = $(ZLIB_LIBS) $(BROTLI_LIBS) $(ZSTD_LIBS)
# WebSocket. ws_deflate.c alone needs zlib.
noinst_LTLIBRARIES += libws.la
libws_la_SOURCES = \
	proto/ws_accept.c proto/ws_accept.h \
	proto/ws_deflate.c proto/ws_deflate.h \
	proto/ws_extension.c proto/ws_handshake.c proto/ws_handshake.h \
	proto/ws_frame.c proto/ws_frame.h \
	proto/ws_message.h proto/ws_receive.c proto/ws_send.c
libws_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZLIB_CFLAGS)
libws_la_LIBADD = $(ZLIB_LIBS)
