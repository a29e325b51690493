# SPDX-License-Identifier: MIT
# The programs of the benchmark: built only when named, as `./dev bench` does (bench_curl needs libcurl4-openssl-dev, bench_ws_lws
# libwebsockets-dev).
bench_programs = tests/bench/bench_reqivo tests/bench/bench_raw tests/bench/bench_curl tests/bench/bench_empty \
	tests/bench/floor tests/bench/bench_ws tests/bench/bench_ws_lws
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_DIST += tests/bench/bench.py tests/bench/callgrind.py tests/bench/cases.py tests/bench/extras.py tests/bench/load.py tests/bench/plot.py tests/bench/ws_cases.py \
	tests/bench/report.py tests/bench/servers.py tests/bench/instructions.json doc/performance.md \
	tests/bench/alloc_count.c
CLEANFILES += $(bench_programs) tests/bench/alloc_count.so
tests_bench_bench_reqivo_SOURCES = tests/bench/bench_reqivo.c tests/bench/bench.c tests/bench/bench.h
tests_bench_bench_reqivo_LDADD = libreqivo-client.la
tests_bench_bench_raw_SOURCES = tests/bench/bench_raw.c tests/bench/bench.c tests/bench/bench.h
tests_bench_bench_curl_SOURCES = tests/bench/bench_curl.c tests/bench/bench.c tests/bench/bench.h
tests_bench_bench_curl_LDADD = -lcurl
tests_bench_bench_ws_SOURCES = tests/bench/bench_ws.c tests/bench/bench.c tests/bench/bench.h
tests_bench_bench_ws_LDADD = libreqivo-client.la
tests_bench_bench_ws_lws_SOURCES = tests/bench/bench_ws_lws.c tests/bench/bench.c tests/bench/bench.h
tests_bench_bench_ws_lws_LDADD = -lwebsockets
tests_bench_bench_empty_SOURCES = tests/bench/bench_empty.c
tests_bench_floor_SOURCES = tests/bench/floor.c tests/bench/floor.h tests/bench/floor_upstream.c tests/bench/bench.c \
	tests/bench/bench.h
tests_bench_floor_LDADD = $(OPENSSL_LIBS)

# Preloaded into the daemon, hence no part of any program.
tests/bench/alloc_count.so: tests/bench/alloc_count.c
	@$(MKDIR_P) tests/bench
	$(AM_V_CC)$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN_CFLAGS) $(CFLAGS) -shared -fPIC -fvisibility=hidden -o $@ \
		$(top_srcdir)/tests/bench/alloc_count.c

.PHONY: bench-programs
bench-programs: all $(bench_programs) tests/integration/ws_echo_server tests/bench/alloc_count.so
