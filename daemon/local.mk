# SPDX-License-Identifier: MIT
# The daemon. libreqivod.la is all of it but main.c and options.c, so that unit tests can link it.
# Each folder's owner appends: libreqivod_la_SOURCES += daemon/FOLDER/...
noinst_LTLIBRARIES += libreqivod.la
libreqivod_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS) $(CARES_CFLAGS) $(CONFUSE_CFLAGS) $(IDN2_CFLAGS) $(PSL_CFLAGS) $(SYSTEMD_CFLAGS)
libreqivod_la_SOURCES = \
	daemon/notify.c daemon/notify.h \
	daemon/selfcheck.c daemon/selfcheck.h \
	daemon/base/account.c daemon/base/account.h daemon/base/account_policy.c \
	daemon/base/conf.c daemon/base/conf.h \
	daemon/base/conf_change.c daemon/base/conf_change.h \
	daemon/base/histogram.h \
	daemon/base/conf_policy.c daemon/base/conf_policy.h \
	daemon/base/conf_scan.c daemon/base/conf_scan.h \
	daemon/base/conf_table.c daemon/base/conf_table.h \
	daemon/base/conf_users.c daemon/base/conf_users.h \
	daemon/base/log.c daemon/base/log.h daemon/base/log_ids.h \
	daemon/base/log_out.c daemon/base/log_out.h \
	daemon/base/loop.c daemon/base/loop.h \
	daemon/base/overload.c daemon/base/overload.h \
	daemon/base/policies.c daemon/base/policies.h \
	daemon/base/queue.c daemon/base/queue.h \
	daemon/base/roll.c daemon/base/roll.h \
	daemon/base/worker.c daemon/base/worker.h
libreqivod_la_LIBADD = libhttp1.la libws.la libcoding.la libproto.la libcommon.la \
	$(EV_LIBS) $(HTTP_PARSER_LIBS) $(OPENSSL_LIBS) $(CARES_LIBS) $(CONFUSE_LIBS) $(IDN2_LIBS) $(PSL_LIBS) \
	$(SYSTEMD_LIBS)

sbin_PROGRAMS += reqivod
reqivod_CPPFLAGS = $(libreqivod_la_CPPFLAGS)
reqivod_SOURCES = daemon/explain.c daemon/explain.h daemon/main.c daemon/options.c daemon/options.h \
	daemon/reload.c daemon/reload.h
reqivod_LDFLAGS = $(AM_LDFLAGS) $(LTO_LDFLAGS)
reqivod_LDADD = libreqivod.la

# daemon/upstream, daemon/work, daemon/ipc
libreqivod_la_SOURCES += \
	daemon/upstream/conn.c daemon/upstream/conn.h \
	daemon/upstream/key.c daemon/upstream/key.h daemon/upstream/key_encode.h \
	daemon/upstream/origins.c daemon/upstream/origins.h \
	daemon/upstream/pool.c daemon/upstream/pool.h daemon/upstream/pool_asked.c daemon/upstream/pool_internal.h \
	daemon/upstream/pool_stale.c \
	daemon/upstream/waitq.c daemon/upstream/waitq.h \
	daemon/work/exchange.c daemon/work/exchange.h \
	daemon/work/exchange_events.c daemon/work/exchange_internal.h \
	daemon/work/exchange_decode.c daemon/work/exchange_end.c daemon/work/exchange_hop.c \
	daemon/work/exchange_time.c \
	daemon/work/decode.c daemon/work/decode.h \
	daemon/work/jar.c daemon/work/jar.h daemon/work/jar_domain.c daemon/work/jar_internal.h \
	daemon/work/judge.c daemon/work/judge.h \
	daemon/work/operate.c daemon/work/operate.h daemon/work/operate_rows.c daemon/work/operate_rows.h \
	daemon/work/pin.c daemon/work/pin.h \
	daemon/work/redirect.c daemon/work/redirect.h \
	daemon/work/route.c daemon/work/route.h \
	daemon/work/row.c daemon/work/row.h \
	daemon/work/session.c daemon/work/session.h \
	daemon/work/target.c daemon/work/target.h \
	daemon/work/wsession.c daemon/work/wsession.h daemon/work/wsession_end.c daemon/work/wsession_internal.h \
	daemon/work/wsession_io.c daemon/work/wsession_open.c \
	daemon/ipc/access.c daemon/ipc/access.h \
	daemon/ipc/control.c daemon/ipc/control.h \
	daemon/ipc/fds.c daemon/ipc/fds.h \
	daemon/ipc/idle.c daemon/ipc/idle.h \
	daemon/ipc/ipc.c daemon/ipc/ipc.h \
	daemon/ipc/lock.c daemon/ipc/lock.h \
	daemon/ipc/listener.c daemon/ipc/listener.h \
	daemon/ipc/metrics.c daemon/ipc/metrics.h \
	daemon/ipc/peer.c daemon/ipc/peer.h \
	daemon/ipc/peer_frames.c daemon/ipc/peer_sink.c \
	daemon/ipc/peer_extra.c \
	daemon/ipc/peer_operate.c daemon/ipc/peer_operate.h \
	daemon/ipc/peer_pools.c daemon/ipc/peer_pools.h \
	daemon/ipc/peer_ws.c daemon/ipc/peer_ws.h \
	daemon/ipc/query.c daemon/ipc/query.h \
	daemon/ipc/report.c daemon/ipc/report.h \
	daemon/ipc/scrape.c daemon/ipc/scrape.h \
	daemon/ipc/slow.c daemon/ipc/slow.h \
	daemon/ipc/trusts.c daemon/ipc/trusts.h

# daemon/net
libreqivod_la_SOURCES += \
	daemon/net/dial.c daemon/net/dial.h daemon/net/dial_internal.h daemon/net/dial_race.c \
	daemon/net/idn.c daemon/net/idn.h \
	daemon/net/policy.c daemon/net/policy.h \
	daemon/net/resolver.c daemon/net/resolver.h daemon/net/resolver_internal.h \
	daemon/net/resolver_ares.c daemon/net/resolver_cache.c daemon/net/resolver_system.c \
	daemon/net/stream.c daemon/net/stream.h daemon/net/stream_internal.h daemon/net/stream_tls.c \
	daemon/net/tls.c daemon/net/tls.h daemon/net/tls_internal.h \
	daemon/net/tls_about.c \
	daemon/net/tls_cert.c daemon/net/tls_check.c daemon/net/tls_ticket.c daemon/net/tls_trust.c
