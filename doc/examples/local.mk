# SPDX-License-Identifier: MIT
# The examples are built with the tests, against the installed headers' names and the shared library, and run by the
# integration tests.
doc_examples = doc/examples/async_libev doc/examples/async_poll doc/examples/async_post_file \
	doc/examples/async_stream_to_file doc/examples/async_errors doc/examples/sync_errors \
	doc/examples/sync_get doc/examples/sync_post_file \
	doc/examples/sync_stream_to_file
check_PROGRAMS += $(doc_examples)
doc_examples_async_libev_SOURCES = doc/examples/async_libev.c
doc_examples_async_libev_LDADD = libreqivo-client.la $(EV_LIBS)
doc_examples_async_poll_SOURCES = doc/examples/async_poll.c
doc_examples_async_poll_LDADD = libreqivo-client.la
doc_examples_async_post_file_SOURCES = doc/examples/async_post_file.c
doc_examples_async_post_file_LDADD = libreqivo-client.la
doc_examples_async_stream_to_file_SOURCES = doc/examples/async_stream_to_file.c
doc_examples_async_stream_to_file_LDADD = libreqivo-client.la
doc_examples_async_errors_SOURCES = doc/examples/async_errors.c
doc_examples_async_errors_LDADD = libreqivo-client.la
doc_examples_sync_errors_SOURCES = doc/examples/sync_errors.c
doc_examples_sync_errors_LDADD = libreqivo-client.la
doc_examples_sync_get_SOURCES = doc/examples/sync_get.c
doc_examples_sync_get_LDADD = libreqivo-client.la
doc_examples_sync_post_file_SOURCES = doc/examples/sync_post_file.c
doc_examples_sync_post_file_LDADD = libreqivo-client.la
doc_examples_sync_stream_to_file_SOURCES = doc/examples/sync_stream_to_file.c
doc_examples_sync_stream_to_file_LDADD = libreqivo-client.la

# The two programs of README.md.
check_PROGRAMS += doc/examples/six_lines doc/examples/six_lines_async
doc_examples_six_lines_SOURCES = doc/examples/six_lines.c
doc_examples_six_lines_LDADD = libreqivo-client.la
doc_examples_six_lines_async_SOURCES = doc/examples/six_lines_async.c
doc_examples_six_lines_async_LDADD = libreqivo-client.la

# WebSocket echo clients.
check_PROGRAMS += doc/examples/ws_echo_async doc/examples/ws_echo_sync
doc_examples_ws_echo_async_SOURCES = doc/examples/ws_echo_async.c
doc_examples_ws_echo_async_LDADD = libreqivo-client.la
doc_examples_ws_echo_sync_SOURCES = doc/examples/ws_echo_sync.c
doc_examples_ws_echo_sync_LDADD = libreqivo-client.la

# Sessions, requests, connections and pools, twice each.
doc_object_examples = doc/examples/connection_async doc/examples/connection_sync doc/examples/pool_async doc/examples/pool_sync \
	doc/examples/request_async doc/examples/request_sync doc/examples/session_async doc/examples/session_sync \
	doc/examples/ten_lines doc/examples/ten_lines_async
check_PROGRAMS += $(doc_object_examples)
doc_examples_connection_async_SOURCES = doc/examples/connection_async.c
doc_examples_connection_async_LDADD = libreqivo-client.la
doc_examples_connection_sync_SOURCES = doc/examples/connection_sync.c
doc_examples_connection_sync_LDADD = libreqivo-client.la
doc_examples_pool_async_SOURCES = doc/examples/pool_async.c
doc_examples_pool_async_LDADD = libreqivo-client.la
doc_examples_pool_sync_SOURCES = doc/examples/pool_sync.c
doc_examples_pool_sync_LDADD = libreqivo-client.la
doc_examples_request_async_SOURCES = doc/examples/request_async.c
doc_examples_request_async_LDADD = libreqivo-client.la
doc_examples_request_sync_SOURCES = doc/examples/request_sync.c
doc_examples_request_sync_LDADD = libreqivo-client.la
doc_examples_session_async_SOURCES = doc/examples/session_async.c
doc_examples_session_async_LDADD = libreqivo-client.la
doc_examples_session_sync_SOURCES = doc/examples/session_sync.c
doc_examples_session_sync_LDADD = libreqivo-client.la
doc_examples_ten_lines_SOURCES = doc/examples/ten_lines.c
doc_examples_ten_lines_LDADD = libreqivo-client.la
doc_examples_ten_lines_async_SOURCES = doc/examples/ten_lines_async.c
doc_examples_ten_lines_async_LDADD = libreqivo-client.la
