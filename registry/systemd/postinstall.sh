#!/bin/sh
# Makes the service's user, and has systemd see the units.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers keyward.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
