# SPDX-License-Identifier: MIT
# The programs of the benchmark: built only when named, as `./dev bench` does (bench_curl needs libcurl4-openssl-dev, bench_ws_lws
# libwebsockets-dev).
bench_programs = tests/bench/bench_reqivo tests/bench/bench_raw tests/bench/bench_curl tests/bench/bench_empty \
	tests/bench/floor tests/bench/bench_ws tests/bench/bench_ws_lws
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_DIST += tests/bench/bench.py tests/bench/callgrind.py tests/bench/cases.py tests/bench/extras.py tests/bench/load.py tests/bench/plot.py tests/bench/ws_cases.py \
	tests/bench/report.py tests/bench/servers.py tests/bench/train.py tests/bench/instructions.json doc/performance.md \
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

# After `all`, which makes the same libraries in a make of its own.
.PHONY: bench-programs
bench-programs: all
	$(MAKE) $(AM_MAKEFLAGS) $(bench_programs) tests/integration/ws_echo_server tests/bench/alloc_count.so

# `make profiled` is `make` with gcc's knowledge of which code a request runs through: all is compiled to count, train.py asks it for
# what a host would, and all is compiled again by the counts. It takes twice the time, nginx and openssl; what was not seen is compiled
# as ever. Plain `make` leaves this out. (With so much inlined gcc takes the NULL of an empty list for an object, as it does with -flto.)
profile_dir = $(abs_builddir)/profile
profile_programs = tests/bench/bench_reqivo tests/bench/bench_ws tests/integration/ws_echo_server
profile_generate = $(CFLAGS) -fprofile-generate -fprofile-update=prefer-atomic -fprofile-dir=$(profile_dir)
profile_use = $(CFLAGS) -fprofile-use=$(profile_dir) -fprofile-partial-training -Wno-missing-profile \
	-Wno-free-nonheap-object
.PHONY: profiled
profiled: profile/done
profile/done: $(DIST_SOURCES) $(reqivoinclude_HEADERS) $(top_srcdir)/tests/bench/train.py Makefile
	@$(CC) --version | grep -q 'Free Software Foundation' || { echo 'make profiled: needs gcc, not $(CC)' >&2; exit 1; }
	rm -rf $(profile_dir)
	$(MAKE) $(AM_MAKEFLAGS) mostlyclean
	trap '$(MAKE) $(AM_MAKEFLAGS) mostlyclean; rm -f $(profile_programs)' EXIT; trap 'exit 1' INT TERM; \
	$(MAKE) $(AM_MAKEFLAGS) CFLAGS='$(profile_generate)' all && \
	$(MAKE) $(AM_MAKEFLAGS) CFLAGS='$(profile_generate)' $(profile_programs) && \
	/usr/bin/python3 -B $(top_srcdir)/tests/bench/train.py $(abs_builddir)
	$(MAKE) $(AM_MAKEFLAGS) CFLAGS='$(profile_use)' all
	touch $@
# What counts is never left behind, and what is compiled anew without the profile is not taken for done.
mostlyclean-local:
	rm -f profile/done
clean-local:
	rm -rf $(profile_dir)
