# SPDX-License-Identifier: MIT

# cli/, and what all integration tests share
dist_check_SCRIPTS += tests/integration/test_cli.py
TESTS += tests/integration/test_cli.py
EXTRA_DIST += tests/lib/reqivotest.py tests/lib/run.py tests/lib/hostile.py

# reqivo beside curl, command line by command line
dist_check_SCRIPTS += tests/integration/test_curl_diff.py
TESTS += tests/integration/test_curl_diff.py
EXTRA_DIST += tests/integration/curl_diff.list

# daemon/base: settings and options
dist_check_SCRIPTS += tests/integration/test_conf.py
TESTS += tests/integration/test_conf.py

# the process as it is seen from outside
dist_check_SCRIPTS += tests/integration/test_process.py
TESTS += tests/integration/test_process.py

# the programs of doc/examples/
dist_check_SCRIPTS += tests/integration/test_examples.py
TESTS += tests/integration/test_examples.py

# a daemon that a program starts, and one that ends by itself
dist_check_SCRIPTS += tests/integration/test_idle.py tests/integration/test_start.py
TESTS += tests/integration/test_idle.py tests/integration/test_start.py

# what the journal gets, from a journal of the test's own; the access log
dist_check_SCRIPTS += tests/integration/test_access.py tests/integration/test_journal.py
TESTS += tests/integration/test_access.py tests/integration/test_journal.py

# The two drivers (public headers only), the odd origin, the table of cases, and one script for each promise of the daemon.
check_PROGRAMS += tests/integration/driver_sync tests/integration/driver_async
driver_sources = tests/integration/driver_common.c tests/integration/driver_common.h tests/integration/driver_helpers.c \
	tests/integration/driver_hooks.c tests/integration/driver_objects.c tests/integration/driver_print.c \
	tests/integration/driver_request.c
tests_integration_driver_sync_SOURCES = tests/integration/driver_sync.c $(driver_sources)
tests_integration_driver_sync_LDADD = libreqivo-client.la
tests_integration_driver_async_SOURCES = tests/integration/driver_async.c $(driver_sources)
tests_integration_driver_async_LDADD = libreqivo-client.la
driver_scripts = tests/integration/test_async.py tests/integration/test_bombs.py tests/integration/test_cases.py tests/integration/test_control.py \
	tests/integration/test_isolation.py \
	tests/integration/test_kill_client.py tests/integration/test_kill_daemon.py tests/integration/test_limits.py tests/integration/test_overload.py tests/integration/test_hostile.py \
	tests/integration/test_many.py tests/integration/test_nodaemon.py tests/integration/test_policy.py tests/integration/test_pools.py tests/integration/test_redirect.py \
	tests/integration/test_restart.py tests/integration/test_selfcheck.py tests/integration/test_service.py \
	tests/integration/test_shares.py tests/integration/test_slow_reader.py tests/integration/test_uids.py \
	tests/integration/test_wire_abuse.py tests/integration/test_zones.py
dist_check_SCRIPTS += $(driver_scripts)
TESTS += $(driver_scripts)
EXTRA_DIST += tests/integration/cases.py tests/integration/drivers.py tests/integration/hop_cases.py tests/integration/policy_cases.py tests/integration/odd_origin.py

# Tables of cases in steps: sessions and hooks, pools and connections, helpers and errors.
table_scripts = tests/integration/test_helpers.py tests/integration/test_pool.py tests/integration/test_session.py
dist_check_SCRIPTS += $(table_scripts)
TESTS += $(table_scripts)
EXTRA_DIST += tests/integration/error_cases.py tests/integration/helper_cases.py tests/integration/hook_cases.py \
	tests/integration/pool_cases.py tests/integration/session_cases.py tests/integration/steps.py

# the daemon under a service manager made by hand
manager_scripts = tests/integration/test_handover.py tests/integration/test_reload.py tests/integration/test_reload_policy.py \
	tests/integration/test_restart_load.py
dist_check_SCRIPTS += $(manager_scripts)
TESTS += $(manager_scripts)
EXTRA_DIST += tests/integration/manager.py tests/integration/restart_load.py

# what is installed and packed, and the program behind `./dev run`
dist_check_SCRIPTS += tests/integration/test_install.py tests/integration/test_run.py
TESTS += tests/integration/test_install.py tests/integration/test_run.py

# WebSockets, by the echo clients of doc/examples/ and by a driver that is both synchronous and asynchronous
check_PROGRAMS += tests/integration/driver_ws
tests_integration_driver_ws_SOURCES = tests/integration/driver_ws.c
tests_integration_driver_ws_LDADD = libreqivo-client.la
ws_scripts = tests/integration/test_websocket.py tests/integration/test_websocket_cli.py \
	tests/integration/test_websocket_many.py tests/integration/test_websocket_session.py \
	tests/integration/test_ws_conformance.py
dist_check_SCRIPTS += $(ws_scripts)
TESTS += $(ws_scripts)
EXTRA_DIST += tests/integration/ws_peer.py

# A server over wslay, which knows nothing of ours: also of tests/bench/.
check_PROGRAMS += tests/integration/ws_echo_server
tests_integration_ws_echo_server_SOURCES = tests/integration/ws_echo_server.c
tests_integration_ws_echo_server_LDADD = $(WSLAY_LIBS) $(OPENSSL_LIBS)

# the control socket, and what it shows
control_scripts = tests/integration/test_completion.py tests/integration/test_metrics.py tests/integration/test_metrics_address.py
dist_check_SCRIPTS += $(control_scripts)
TESTS += $(control_scripts)
EXTRA_DIST += tests/integration/prometheus.py
