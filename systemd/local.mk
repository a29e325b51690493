# SPDX-License-Identifier: MIT
# The units of the system service and of user instances, and the service's user. Paths are put in by make, so that
# they follow prefix and DESTDIR.
systemdsystemunit_DATA = systemd/reqivod.service systemd/reqivod.socket systemd/reqivod-control.socket
systemduserunit_DATA = systemd/user/reqivod.service systemd/user/reqivod.socket systemd/user/reqivod-control.socket
sysusers_DATA = systemd/reqivo.conf
systemd_made = $(systemdsystemunit_DATA) $(systemduserunit_DATA) $(sysusers_DATA)
EXTRA_DIST += $(systemd_made:=.in)
CLEANFILES += $(systemd_made)

SYSTEMD_SUBST = sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' -e 's|@rundir[@]|$(rundir)|g'

$(systemd_made): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd/user && $(SYSTEMD_SUBST) $< >$@.tmp && mv $@.tmp $@
