#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Unpacks Debian's prometheus and promtool below build/, once, and says where: the package itself would start a service.
set -eu
cd "$(dirname "$0")/.."

to=build/prometheus
if [ ! -x $to/usr/bin/promtool ]; then
	rm -rf $to.part
	mkdir -p $to.part
	chmod 755 $to.part
	(cd $to.part && apt-get download -qq prometheus >/dev/null 2>&1) || {
		echo "prometheus.sh: no package prometheus to download; apt-get update?" >&2
		exit 1
	}
	dpkg-deb -x $to.part/prometheus_*.deb $to.part
	rm -f $to.part/*.deb
	mv $to.part $to
fi
echo "$to/usr/bin"
