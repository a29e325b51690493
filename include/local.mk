# SPDX-License-Identifier: MIT
# The public API: the headers that are installed, all of them and nothing else.
reqivoincludedir = $(includedir)/reqivo
reqivoinclude_HEADERS = \
	include/reqivo/client.h \
	include/reqivo/connection.h \
	include/reqivo/error.h \
	include/reqivo/helpers.h \
	include/reqivo/pool.h \
	include/reqivo/request.h \
	include/reqivo/response.h \
	include/reqivo/session.h \
	include/reqivo/websocket.h
reqivoadaptersdir = $(reqivoincludedir)/adapters
reqivoadapters_HEADERS = include/reqivo/adapters/libev.h
