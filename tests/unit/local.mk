# SPDX-License-Identifier: MIT
# Unit tests: one program a module, written with `check`, printing TAP (tests/unit/unit.h).
# Each module's owner appends a block of this form:
#
#   check_PROGRAMS += tests/unit/test_buf
#   TESTS += tests/unit/test_buf
#   tests_unit_test_buf_SOURCES = tests/unit/test_buf.c tests/unit/unit.h
#   tests_unit_test_buf_LDADD = libcommon.la $(CHECK_LIBS)

# cli/
check_PROGRAMS += tests/unit/test_cli_options tests/unit/test_cli_url tests/unit/test_cli_writeout
TESTS += tests/unit/test_cli_options tests/unit/test_cli_url tests/unit/test_cli_writeout
tests_unit_test_cli_options_SOURCES = tests/unit/test_cli_options.c tests/unit/unit.h
tests_unit_test_cli_options_LDADD = libcli.la $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_cli_parts
TESTS += tests/unit/test_cli_parts
tests_unit_test_cli_parts_SOURCES = tests/unit/test_cli_parts.c tests/unit/unit.h
tests_unit_test_cli_parts_LDADD = libcli.la $(CHECK_LIBS)
tests_unit_test_cli_url_SOURCES = tests/unit/test_cli_url.c tests/unit/unit.h
tests_unit_test_cli_url_LDADD = libcli.la $(CHECK_LIBS)
tests_unit_test_cli_writeout_SOURCES = tests/unit/test_cli_writeout.c cli/rows.c cli/rows.h cli/rows_json.c tests/unit/unit.h
tests_unit_test_cli_writeout_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_cli_writeout_LDADD = libcli.la $(JANSSON_LIBS) $(CHECK_LIBS)

# proto/wire
check_PROGRAMS += tests/unit/test_wire tests/unit/test_wire_golden tests/unit/test_wire_payload
TESTS += tests/unit/test_wire tests/unit/test_wire_golden tests/unit/test_wire_payload
wire_test_sources = tests/unit/wire_samples.c tests/unit/wire_samples.h tests/lib/wire_any.c tests/lib/wire_any.h \
	tests/unit/unit.h
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c $(wire_test_sources) tests/lib/failmalloc.c tests/lib/failmalloc.h
tests_unit_test_wire_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_wire_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_wire_golden_SOURCES = tests/unit/test_wire_golden.c $(wire_test_sources)
tests_unit_test_wire_golden_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_wire_payload_SOURCES = tests/unit/test_wire_payload.c $(wire_test_sources)
tests_unit_test_wire_payload_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
EXTRA_DIST += tests/unit/golden

# common/, proto/url, proto/fields
# A test that lets allocations fail lists tests/lib/failmalloc.c and links with these flags.
FAILMALLOC_WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=strndup \
	-Wl,--wrap=_mark_point,--wrap=_ck_assert_failed
common_tests = tests/unit/test_addr tests/unit/test_buf tests/unit/test_err tests/unit/test_fields tests/unit/test_list \
	tests/unit/test_map tests/unit/test_rule tests/unit/test_str tests/unit/test_url
check_PROGRAMS += $(common_tests)
TESTS += $(common_tests)
tests_unit_test_addr_SOURCES = tests/unit/test_addr.c tests/unit/unit.h
tests_unit_test_addr_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c tests/lib/failmalloc.c tests/lib/failmalloc.h tests/unit/unit.h
tests_unit_test_buf_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_buf_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_err_SOURCES = tests/unit/test_err.c tests/unit/unit.h
tests_unit_test_err_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_fields_SOURCES = tests/unit/test_fields.c tests/unit/unit.h
tests_unit_test_fields_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_list_SOURCES = tests/unit/test_list.c tests/unit/unit.h
tests_unit_test_list_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_map_SOURCES = tests/unit/test_map.c tests/lib/failmalloc.c tests/lib/failmalloc.h tests/unit/unit.h
tests_unit_test_map_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_map_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_str_SOURCES = tests/unit/test_str.c tests/unit/unit.h
tests_unit_test_str_LDADD = libcommon.la $(CHECK_LIBS)
tests_unit_test_rule_SOURCES = tests/unit/test_rule.c tests/unit/unit.h
tests_unit_test_rule_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_url_SOURCES = tests/unit/test_url.c tests/unit/unit.h
tests_unit_test_url_LDADD = libproto.la libcommon.la $(CHECK_LIBS)

# proto/http1
http1_tests = tests/unit/test_http1_asked tests/unit/test_http1_battery tests/unit/test_http1_decode tests/unit/test_http1_encode \
	tests/unit/test_http1_length tests/unit/test_http1_rules
http1_libs = libhttp1.la libproto.la libcommon.la $(CHECK_LIBS)
check_PROGRAMS += $(http1_tests)
TESTS += $(http1_tests)
tests_unit_test_http1_asked_SOURCES = tests/unit/test_http1_asked.c tests/unit/unit.h
tests_unit_test_http1_asked_LDADD = $(http1_libs)
tests_unit_test_http1_battery_SOURCES = tests/unit/test_http1_battery.c tests/lib/http1_run.h tests/unit/unit.h
tests_unit_test_http1_battery_LDADD = $(http1_libs)
tests_unit_test_http1_decode_SOURCES = tests/unit/test_http1_decode.c tests/lib/http1_run.h tests/unit/unit.h
tests_unit_test_http1_decode_LDADD = $(http1_libs)
tests_unit_test_http1_encode_SOURCES = tests/unit/test_http1_encode.c tests/unit/unit.h
tests_unit_test_http1_encode_LDADD = $(http1_libs)
tests_unit_test_http1_length_SOURCES = tests/unit/test_http1_length.c tests/unit/unit.h
tests_unit_test_http1_length_LDADD = $(http1_libs)
tests_unit_test_http1_rules_SOURCES = tests/unit/test_http1_rules.c tests/lib/http1_run.h tests/unit/unit.h
tests_unit_test_http1_rules_LDADD = $(http1_libs)

# daemon/base
check_PROGRAMS += tests/unit/test_conf_policy
TESTS += tests/unit/test_conf_policy
tests_unit_test_conf_policy_SOURCES = tests/unit/test_conf_policy.c tests/unit/unit.h
tests_unit_test_conf_policy_LDADD = libreqivod.la $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_account tests/unit/test_conf tests/unit/test_log tests/unit/test_loop \
	tests/unit/test_worker
TESTS += tests/unit/test_account tests/unit/test_conf tests/unit/test_log tests/unit/test_loop tests/unit/test_worker
tests_unit_test_account_SOURCES = tests/unit/test_account.c tests/unit/unit.h
tests_unit_test_account_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c tests/unit/unit.h
tests_unit_test_conf_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/unit.h
tests_unit_test_log_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c tests/unit/unit.h
tests_unit_test_loop_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_worker_SOURCES = tests/unit/test_worker.c tests/unit/unit.h
tests_unit_test_worker_LDADD = libreqivod.la $(CHECK_LIBS)

# libclient
client_tests = tests/unit/test_client_flow tests/unit/test_client_loss tests/unit/test_client_request \
	tests/unit/test_client_stream tests/unit/test_client_sync
client_test_sources = tests/unit/fake_daemon.c tests/unit/fake_daemon.h tests/unit/unit.h
check_PROGRAMS += $(client_tests) tests/unit/test_client_alloc
TESTS += $(client_tests) tests/unit/test_client_alloc
tests_unit_test_client_alloc_SOURCES = tests/unit/test_client_alloc.c tests/unit/fake_ws.h $(client_test_sources) \
	tests/lib/failmalloc.c tests/lib/failmalloc.h
tests_unit_test_client_alloc_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_alloc_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_client_flow_SOURCES = tests/unit/test_client_flow.c $(client_test_sources)
tests_unit_test_client_flow_LDADD = libclient.la $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_client_life
TESTS += tests/unit/test_client_life
tests_unit_test_client_life_SOURCES = tests/unit/test_client_life.c $(client_test_sources)
tests_unit_test_client_life_LDADD = libclient.la $(EV_LIBS) $(CHECK_LIBS)
tests_unit_test_client_loss_SOURCES = tests/unit/test_client_loss.c $(client_test_sources)
tests_unit_test_client_loss_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_request_SOURCES = tests/unit/test_client_request.c tests/unit/unit.h
tests_unit_test_client_request_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_stream_SOURCES = tests/unit/test_client_stream.c $(client_test_sources)
tests_unit_test_client_stream_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_sync_SOURCES = tests/unit/test_client_sync.c $(client_test_sources)
tests_unit_test_client_sync_LDADD = libclient.la $(EV_LIBS) $(CHECK_LIBS)
client_object_tests = tests/unit/test_client_session tests/unit/test_client_hops tests/unit/test_client_objects
check_PROGRAMS += $(client_object_tests)
TESTS += $(client_object_tests)
tests_unit_test_client_session_SOURCES = tests/unit/test_client_session.c $(client_test_sources)
tests_unit_test_client_session_LDADD = libclient.la libcoding.la $(CHECK_LIBS)
tests_unit_test_client_hops_SOURCES = tests/unit/test_client_hops.c $(client_test_sources)
tests_unit_test_client_hops_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_objects_SOURCES = tests/unit/test_client_objects.c $(client_test_sources)
tests_unit_test_client_objects_LDADD = libclient.la $(CHECK_LIBS)

# daemon/net
net_tests = tests/unit/test_dial tests/unit/test_policy tests/unit/test_resolver tests/unit/test_stream \
	tests/unit/test_tls tests/unit/test_tls_cost tests/unit/test_tls_ticket
net_test_lib = tests/lib/net_cert.c tests/lib/net_dns.c tests/lib/net_dns.h tests/lib/net_env.c tests/lib/net_peer.h \
	tests/lib/net_server.c tests/unit/unit.h
net_test_libs = libreqivod.la $(OPENSSL_LIBS) $(CHECK_LIBS) -lpthread
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
tests_unit_test_dial_SOURCES = tests/unit/test_dial.c $(net_test_lib)
tests_unit_test_dial_LDADD = $(net_test_libs)
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/unit/unit.h
tests_unit_test_policy_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c $(net_test_lib)
tests_unit_test_resolver_LDADD = $(net_test_libs)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c $(net_test_lib)
tests_unit_test_stream_LDADD = $(net_test_libs)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c $(net_test_lib)
tests_unit_test_tls_LDADD = $(net_test_libs)
tests_unit_test_tls_cost_SOURCES = tests/unit/test_tls_cost.c $(net_test_lib)
tests_unit_test_tls_cost_LDADD = $(net_test_libs)
tests_unit_test_tls_ticket_SOURCES = tests/unit/test_tls_ticket.c $(net_test_lib)
tests_unit_test_tls_ticket_LDADD = $(net_test_libs)

# proto/ws
ws_tests = tests/unit/test_utf8 tests/unit/test_ws_deflate tests/unit/test_ws_frame tests/unit/test_ws_handshake \
	tests/unit/test_ws_message tests/unit/test_ws_rules tests/unit/test_ws_send
ws_libs = libws.la libproto.la libcommon.la $(CHECK_LIBS)
check_PROGRAMS += $(ws_tests)
TESTS += $(ws_tests)
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c tests/unit/unit.h
tests_unit_test_utf8_LDADD = $(ws_libs)
tests_unit_test_ws_deflate_SOURCES = tests/unit/test_ws_deflate.c tests/lib/failmalloc.c tests/lib/failmalloc.h \
	tests/lib/ws_run.h tests/unit/unit.h
tests_unit_test_ws_deflate_LDADD = $(ws_libs)
tests_unit_test_ws_deflate_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_ws_frame_SOURCES = tests/unit/test_ws_frame.c tests/unit/unit.h
tests_unit_test_ws_frame_LDADD = $(ws_libs)
tests_unit_test_ws_handshake_SOURCES = tests/unit/test_ws_handshake.c tests/unit/unit.h
tests_unit_test_ws_handshake_LDADD = $(ws_libs)
tests_unit_test_ws_message_SOURCES = tests/unit/test_ws_message.c tests/lib/ws_run.h tests/unit/unit.h
tests_unit_test_ws_message_LDADD = $(ws_libs)
tests_unit_test_ws_rules_SOURCES = tests/unit/test_ws_rules.c tests/lib/ws_run.h tests/unit/unit.h
tests_unit_test_ws_rules_LDADD = $(ws_libs)
tests_unit_test_ws_send_SOURCES = tests/unit/test_ws_send.c tests/lib/ws_run.h tests/unit/unit.h
tests_unit_test_ws_send_LDADD = $(ws_libs)

# proto/coding, proto/redirect, proto/url_resolve
coding_tests = tests/unit/test_coding tests/unit/test_coding_memory tests/unit/test_coding_rules \
	tests/unit/test_redirect tests/unit/test_url_resolve
coding_test_sources = tests/lib/coding_run.c tests/lib/coding_run.h tests/unit/unit.h
coding_libs = libcoding.la libproto.la libcommon.la $(BROTLIENC_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CHECK_LIBS)
check_PROGRAMS += $(coding_tests)
TESTS += $(coding_tests)
tests_unit_test_coding_SOURCES = tests/unit/test_coding.c $(coding_test_sources)
tests_unit_test_coding_LDADD = $(coding_libs)
tests_unit_test_coding_memory_SOURCES = tests/unit/test_coding_memory.c tests/lib/failmalloc.c tests/lib/failmalloc.h \
	$(coding_test_sources)
tests_unit_test_coding_memory_LDADD = $(coding_libs)
tests_unit_test_coding_memory_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)
tests_unit_test_coding_rules_SOURCES = tests/unit/test_coding_rules.c $(coding_test_sources)
tests_unit_test_coding_rules_LDADD = $(coding_libs)
tests_unit_test_redirect_SOURCES = tests/unit/test_redirect.c tests/unit/unit.h
tests_unit_test_redirect_LDADD = libhttp1.la libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_url_resolve_SOURCES = tests/unit/test_url_resolve.c tests/unit/unit.h
tests_unit_test_url_resolve_LDADD = libproto.la libcommon.la $(CHECK_LIBS)

# daemon/base/queue, daemon/upstream, daemon/work, daemon/ipc
upstream_tests = tests/unit/test_exchange tests/unit/test_exchange_decode tests/unit/test_exchange_end tests/unit/test_exchange_hop \
	tests/unit/test_exchange_session tests/unit/test_key tests/unit/test_control tests/unit/test_scrape tests/unit/test_peer \
	tests/unit/test_peer_memory tests/unit/test_peer_operate tests/unit/test_pool tests/unit/test_pool_fair tests/unit/test_queue \
	tests/unit/test_peer_limits tests/unit/test_overload tests/unit/test_peer_end tests/unit/test_peer_order tests/unit/test_peer_slow tests/unit/test_pin \
	tests/unit/test_stale tests/unit/test_waitq
mini_origin_sources = tests/lib/mini_origin.c tests/lib/mini_origin.h tests/unit/unit.h
check_PROGRAMS += $(upstream_tests)
TESTS += $(upstream_tests)
tests_unit_test_exchange_SOURCES = tests/unit/test_exchange.c tests/lib/mini_exchange.h $(mini_origin_sources)
tests_unit_test_exchange_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_exchange_decode_SOURCES = tests/unit/test_exchange_decode.c tests/lib/mini_exchange.h \
	tests/lib/coding_run.c tests/lib/coding_run.h $(mini_origin_sources)
tests_unit_test_exchange_decode_LDADD = libreqivod.la $(BROTLIENC_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CHECK_LIBS)
tests_unit_test_exchange_hop_SOURCES = tests/unit/test_exchange_hop.c tests/lib/mini_exchange.h tests/lib/mini_site.h \
	$(mini_origin_sources)
tests_unit_test_exchange_hop_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_exchange_session_SOURCES = tests/unit/test_exchange_session.c tests/lib/mini_exchange.h \
	tests/lib/mini_site.h $(mini_origin_sources)
tests_unit_test_exchange_session_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_exchange_end_SOURCES = tests/unit/test_exchange_end.c tests/lib/mini_exchange.h $(mini_origin_sources)
tests_unit_test_exchange_end_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_key_SOURCES = tests/unit/test_key.c tests/unit/unit.h
tests_unit_test_key_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_operate_SOURCES = tests/unit/test_peer_operate.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_peer_operate_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_control_SOURCES = tests/unit/test_control.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_control_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_scrape_SOURCES = tests/unit/test_scrape.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_scrape_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_SOURCES = tests/unit/test_peer.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_peer_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_memory_SOURCES = tests/unit/test_peer_memory.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_peer_memory_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c tests/lib/mini_want.h $(mini_origin_sources)
tests_unit_test_peer_end_SOURCES = tests/unit/test_peer_end.c tests/lib/mini_program.h tests/lib/mini_ws.h $(mini_origin_sources)
tests_unit_test_peer_end_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_order_SOURCES = tests/unit/test_peer_order.c tests/lib/mini_program.h tests/lib/mini_ws.h $(mini_origin_sources)
tests_unit_test_peer_order_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_overload_SOURCES = tests/unit/test_overload.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_overload_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_slow_SOURCES = tests/unit/test_peer_slow.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_peer_slow_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_peer_limits_SOURCES = tests/unit/test_peer_limits.c tests/lib/mini_program.h $(mini_origin_sources)
tests_unit_test_peer_limits_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_pool_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_pool_fair_SOURCES = tests/unit/test_pool_fair.c tests/lib/mini_want.h $(mini_origin_sources)
tests_unit_test_pool_fair_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_pin_SOURCES = tests/unit/test_pin.c tests/lib/mini_exchange.h $(mini_origin_sources)
tests_unit_test_pin_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_stale_SOURCES = tests/unit/test_stale.c tests/lib/mini_exchange.h $(mini_origin_sources)
tests_unit_test_stale_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_queue_SOURCES = tests/unit/test_queue.c tests/unit/unit.h
tests_unit_test_queue_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_waitq_SOURCES = tests/unit/test_waitq.c tests/unit/unit.h
tests_unit_test_waitq_LDADD = libreqivod.la $(CHECK_LIBS)

# proto/cookie, daemon/work/jar
check_PROGRAMS += tests/unit/test_cookie tests/unit/test_jar
TESTS += tests/unit/test_cookie tests/unit/test_jar
tests_unit_test_cookie_SOURCES = tests/unit/test_cookie.c tests/unit/unit.h
tests_unit_test_cookie_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_jar_SOURCES = tests/unit/test_jar.c tests/lib/failmalloc.c tests/lib/failmalloc.h tests/unit/unit.h
tests_unit_test_jar_CPPFLAGS = $(AM_CPPFLAGS) $(PSL_CFLAGS)
tests_unit_test_jar_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_jar_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)

# proto/form
check_PROGRAMS += tests/unit/test_form
TESTS += tests/unit/test_form
tests_unit_test_form_SOURCES = tests/unit/test_form.c tests/lib/failmalloc.c tests/lib/failmalloc.h tests/unit/unit.h
tests_unit_test_form_LDADD = libproto.la libcommon.la $(CHECK_LIBS)
tests_unit_test_form_LDFLAGS = $(AM_LDFLAGS) $(FAILMALLOC_WRAP)

# daemon/work/wsession
wsession_tests = tests/unit/test_wsession tests/unit/test_wsession_end tests/unit/test_wsession_time
check_PROGRAMS += $(wsession_tests)
TESTS += $(wsession_tests)
tests_unit_test_wsession_SOURCES = tests/unit/test_wsession.c tests/lib/mini_ws.h $(mini_origin_sources)
tests_unit_test_wsession_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_wsession_end_SOURCES = tests/unit/test_wsession_end.c tests/lib/mini_ws.h $(mini_origin_sources)
tests_unit_test_wsession_end_LDADD = libreqivod.la $(CHECK_LIBS)
tests_unit_test_wsession_time_SOURCES = tests/unit/test_wsession_time.c tests/lib/mini_ws.h $(mini_origin_sources)
tests_unit_test_wsession_time_LDADD = libreqivod.la $(CHECK_LIBS)

# libclient/websocket
ws_client_tests = tests/unit/test_client_websocket tests/unit/test_client_websocket_sync
check_PROGRAMS += $(ws_client_tests)
TESTS += $(ws_client_tests)
tests_unit_test_client_websocket_SOURCES = tests/unit/test_client_websocket.c tests/unit/fake_ws.h $(client_test_sources)
tests_unit_test_client_websocket_LDADD = libclient.la $(CHECK_LIBS)
tests_unit_test_client_websocket_sync_SOURCES = tests/unit/test_client_websocket_sync.c tests/unit/fake_ws.h \
	$(client_test_sources)
tests_unit_test_client_websocket_sync_LDADD = libclient.la $(CHECK_LIBS)

# daemon/selfcheck
check_PROGRAMS += tests/unit/test_selfcheck
TESTS += tests/unit/test_selfcheck
tests_unit_test_selfcheck_SOURCES = tests/unit/test_selfcheck.c tests/unit/unit.h
tests_unit_test_selfcheck_LDADD = libreqivod.la $(CHECK_LIBS)
