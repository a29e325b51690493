# SPDX-License-Identifier: MIT
# Fuzz targets (clang's libFuzzer), built only with --enable-fuzz: ./dev fuzz and ./dev check do that. Each target
# appends a block of this form, has seeds in tests/fuzz/corpus/NAME/ and a line in tests/fuzz/targets.txt:
#
#   if ENABLE_FUZZ
#   fuzz_programs += tests/fuzz/fuzz_url
#   tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c
#   tests_fuzz_fuzz_url_LDADD = libproto.la libcommon.la
#   tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
#   endif
EXTRA_DIST += tests/fuzz/run.py tests/fuzz/targets.txt tests/fuzz/corpus
fuzz_programs =

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_wire_daemon tests/fuzz/fuzz_wire_client
wire_fuzz_sources = tests/fuzz/wire_stream.c tests/fuzz/wire_stream.h tests/lib/wire_any.c tests/lib/wire_any.h
tests_fuzz_fuzz_wire_daemon_SOURCES = tests/fuzz/fuzz_wire_daemon.c $(wire_fuzz_sources)
tests_fuzz_fuzz_wire_daemon_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_wire_daemon_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_wire_client_SOURCES = tests/fuzz/fuzz_wire_client.c $(wire_fuzz_sources)
tests_fuzz_fuzz_wire_client_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_wire_client_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_url tests/fuzz/fuzz_fields
tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c
tests_fuzz_fuzz_url_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_fields_SOURCES = tests/fuzz/fuzz_fields.c
tests_fuzz_fuzz_fields_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_fields_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_http1 tests/fuzz/fuzz_http1_asked tests/fuzz/fuzz_http1_encode
tests_fuzz_fuzz_http1_asked_SOURCES = tests/fuzz/fuzz_http1_asked.c
tests_fuzz_fuzz_http1_asked_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_http1_asked_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http1_SOURCES = tests/fuzz/fuzz_http1.c tests/lib/http1_run.h
tests_fuzz_fuzz_http1_LDADD = libhttp1.la libproto.la libcommon.la
tests_fuzz_fuzz_http1_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http1_encode_SOURCES = tests/fuzz/fuzz_http1_encode.c
tests_fuzz_fuzz_http1_encode_LDADD = libhttp1.la libproto.la libcommon.la $(HTTP_PARSER_LIBS)
tests_fuzz_fuzz_http1_encode_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_client_decode
tests_fuzz_fuzz_client_decode_SOURCES = tests/fuzz/fuzz_client_decode.c
tests_fuzz_fuzz_client_decode_LDADD = libclient.la
tests_fuzz_fuzz_client_decode_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_ws_frame tests/fuzz/fuzz_ws_message tests/fuzz/fuzz_ws_deflate \
	tests/fuzz/fuzz_ws_handshake
tests_fuzz_fuzz_ws_frame_SOURCES = tests/fuzz/fuzz_ws_frame.c
tests_fuzz_fuzz_ws_frame_LDADD = libws.la libproto.la libcommon.la
tests_fuzz_fuzz_ws_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ws_message_SOURCES = tests/fuzz/fuzz_ws_message.c tests/lib/ws_run.h
tests_fuzz_fuzz_ws_message_LDADD = libws.la libproto.la libcommon.la
tests_fuzz_fuzz_ws_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ws_deflate_SOURCES = tests/fuzz/fuzz_ws_deflate.c
tests_fuzz_fuzz_ws_deflate_LDADD = libws.la libproto.la libcommon.la
tests_fuzz_fuzz_ws_deflate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ws_handshake_SOURCES = tests/fuzz/fuzz_ws_handshake.c
tests_fuzz_fuzz_ws_handshake_LDADD = libws.la libproto.la libcommon.la
tests_fuzz_fuzz_ws_handshake_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_cookie
tests_fuzz_fuzz_cookie_SOURCES = tests/fuzz/fuzz_cookie.c
tests_fuzz_fuzz_cookie_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_cookie_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_jar
# What the jar needs of the daemon, by name: all of it would be four fifths of what the fuzz build compiles.
tests_fuzz_fuzz_jar_SOURCES = tests/fuzz/fuzz_jar.c daemon/work/jar.c daemon/work/jar_domain.c daemon/net/idn.c \
	daemon/base/account.c daemon/base/account_policy.c daemon/base/log.c daemon/base/log_out.c daemon/base/loop.c \
	daemon/base/overload.c daemon/base/policies.c daemon/base/roll.c
tests_fuzz_fuzz_jar_CPPFLAGS = $(AM_CPPFLAGS) $(IDN2_CFLAGS) $(PSL_CFLAGS) $(SYSTEMD_CFLAGS)
tests_fuzz_fuzz_jar_LDADD = libproto.la libcommon.la $(EV_LIBS) $(IDN2_LIBS) $(PSL_LIBS) $(SYSTEMD_LIBS)
tests_fuzz_fuzz_jar_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_programs += tests/fuzz/fuzz_coding tests/fuzz/fuzz_redirect
tests_fuzz_fuzz_coding_SOURCES = tests/fuzz/fuzz_coding.c tests/lib/coding_run.c tests/lib/coding_run.h
tests_fuzz_fuzz_coding_LDADD = libcoding.la libproto.la libcommon.la $(BROTLIENC_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS)
tests_fuzz_fuzz_coding_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_redirect_SOURCES = tests/fuzz/fuzz_redirect.c
tests_fuzz_fuzz_redirect_LDADD = libhttp1.la libproto.la libcommon.la
tests_fuzz_fuzz_redirect_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

if ENABLE_FUZZ
fuzz_programs += tests/fuzz/fuzz_rule
tests_fuzz_fuzz_rule_SOURCES = tests/fuzz/fuzz_rule.c
tests_fuzz_fuzz_rule_LDADD = libproto.la libcommon.la
tests_fuzz_fuzz_rule_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

# What a run of the targets needs, and no more.
EXTRA_PROGRAMS += $(fuzz_programs)
.PHONY: fuzz-programs
fuzz-programs: $(fuzz_programs)
