# SPDX-License-Identifier: MIT
# The system units and the service's user. Paths are put in by make, so that they follow prefix and DESTDIR.
systemdsystemunit_DATA = systemd/reqivod.service systemd/reqivod.socket
sysusers_DATA = systemd/reqivo.conf
EXTRA_DIST += systemd/reqivod.service.in systemd/reqivod.socket.in systemd/reqivo.conf.in
CLEANFILES += $(systemdsystemunit_DATA) $(sysusers_DATA)

SYSTEMD_SUBST = sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@rundir[@]|$(rundir)|g' -e 's|@confdir[@]|$(confdir)|g'

systemd/reqivod.service: systemd/reqivod.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SYSTEMD_SUBST) $(srcdir)/systemd/reqivod.service.in >$@.tmp && mv $@.tmp $@
systemd/reqivod.socket: systemd/reqivod.socket.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SYSTEMD_SUBST) $(srcdir)/systemd/reqivod.socket.in >$@.tmp && mv $@.tmp $@
systemd/reqivo.conf: systemd/reqivo.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SYSTEMD_SUBST) $(srcdir)/systemd/reqivo.conf.in >$@.tmp && mv $@.tmp $@
