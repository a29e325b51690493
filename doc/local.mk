# SPDX-License-Identifier: MIT
# Man pages, listed one by one: a page that is not here is not installed, and the gate "man" says so.
include doc/examples/local.mk

dist_man_MANS += \
	doc/man/libreqivo-client.3 \
	doc/man/reqivo.1 \
	doc/man/reqivo_client_fd.3 \
	doc/man/reqivo_connection.3 \
	doc/man/reqivo_error.3 \
	doc/man/reqivo_helpers.3 \
	doc/man/reqivo_open.3 \
	doc/man/reqivo_pool.3 \
	doc/man/reqivo_request.3 \
	doc/man/reqivo_response.3 \
	doc/man/reqivo_session.3 \
	doc/man/reqivo_submit.3 \
	doc/man/reqivo_websocket.3 \
	doc/man/reqivoctl.1 \
	doc/man/reqivod.8 \
	doc/man/reqivod.conf.5

EXTRA_DIST += doc/benchmark.txt doc/plots

# bash finds these by the name of the program.
completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = doc/completion/reqivo doc/completion/reqivoctl

# Every name of a page's NAME section leads to it: `man reqivo_call` shows reqivo_submit(3).
man_families = reqivo_client_fd reqivo_connection reqivo_error reqivo_helpers reqivo_open reqivo_pool reqivo_request \
	reqivo_response reqivo_session reqivo_submit reqivo_websocket
man_folder = $(srcdir)/doc/man
man_names = sed -n -e '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_]*\).*/\1/p'
install-data-hook:
	for page in $(man_families); do for name in `$(man_names) $(man_folder)/$$page.3`; do \
	  test $$name = $$page || echo ".so man3/$$page.3" >$(DESTDIR)$(man3dir)/$$name.3 || exit 1; done; done
uninstall-hook:
	for page in $(man_families); do for name in `$(man_names) $(man_folder)/$$page.3`; do \
	  rm -f $(DESTDIR)$(man3dir)/$$name.3; done; done

EXTRA_DIST += README.md doc/RFCs.md doc/architecture.md doc/rules.md doc/wire.md
