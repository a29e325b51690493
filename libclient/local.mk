# SPDX-License-Identifier: MIT
# The client library. libc alone: libcommon.la and libproto.la are libc-only and linked in whole.
# libclient.la has every name visible, for unit tests, fuzz targets and the programs; libreqivo-client.la is made of the same objects.
noinst_LTLIBRARIES += libclient.la
libclient_la_SOURCES = \
	libclient/channel.c libclient/channel.h \
	libclient/client.c libclient/handle.h \
	libclient/connect.c \
	libclient/connection.c \
	libclient/deliver.c \
	libclient/error.c \
	libclient/exchange.c libclient/exchange.h libclient/exchange_hop.c \
	libclient/flight.c \
	libclient/form.c \
	libclient/helpers.c \
	libclient/hooks.c \
	libclient/ids.c libclient/ids.h \
	libclient/newfile.c libclient/newfile.h \
	libclient/path.c \
	libclient/pool.c \
	libclient/receive.c \
	libclient/operate.c libclient/operate.h \
	libclient/remote.c libclient/remote.h \
	libclient/request.c libclient/request.h libclient/request_route.c \
	libclient/response.c libclient/response.h libclient/response_change.c \
	libclient/response_hops.c \
	libclient/save.c libclient/save.h \
	libclient/session.c libclient/session.h libclient/session_cookies.c \
	libclient/spawn.c \
	libclient/start.c libclient/start.h \
	libclient/sync.c libclient/sync.h \
	libclient/trust.c libclient/trust.h \
	libclient/upload.c \
	libclient/websocket.c libclient/websocket.h \
	libclient/websocket_frames.c libclient/websocket_records.c
libclient_la_CPPFLAGS = $(AM_CPPFLAGS) -DREQIVO_SBINDIR=\"$(sbindir)\"
libclient_la_LIBADD = libproto.la libcommon.la

lib_LTLIBRARIES += libreqivo-client.la
libreqivo_client_la_SOURCES =
libreqivo_client_la_LIBADD = libclient.la
libreqivo_client_la_LDFLAGS = $(CLIENT_LDFLAGS)
libreqivo_client_la_DEPENDENCIES = libclient.la libclient/libreqivo-client.map
EXTRA_DIST += libclient/libreqivo-client.map
