#!/bin/sh
# Makes the users of the services, and has systemd see the units.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers keyward.conf keyward-relay.conf keyward-keyexchange.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
