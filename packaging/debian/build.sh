#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# build.sh VERSION: the Debian package, from what is built; needs dpkg-dev.  Prints where it is.
# DEB_MAINTAINER='Name <address>' says who answers for this build.
set -eu
cd "$(dirname "$0")/../.."
version=$1
maintainer=${DEB_MAINTAINER:-The loophound authors <loophound@localhost.localdomain>}
out=${OUT:-build}
root=$out/deb
arch=$(dpkg --print-architecture)

umask 022
rm -rf "$root"
make --no-print-directory install DESTDIR="$root" PREFIX=/usr OUT="$out" >/dev/null
strip --remove-section=.comment --remove-section=.note "$root/usr/bin/loophound"

doc=$root/usr/share/doc/loophound
install -m 644 packaging/debian/copyright "$doc/copyright"
date=$(date -u -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")
printf 'loophound (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' "$version" \
	"$maintainer" "$date" | gzip -9n >"$doc/changelog.gz"
gzip -9n "$root/usr/share/man/man8/loophound.8" "$doc/CHANGELOG.md"

mkdir -p "$root/DEBIAN" "$root/debian" # dpkg-shlibdeps looks for debian/control
echo "Source: loophound" >"$root/debian/control"
depends=$(cd "$root" && dpkg-shlibdeps -O usr/bin/loophound | sed -n 's/^shlibs:Depends=//p')
rm -r "$root/debian"
size=$(du -k -s --exclude=DEBIAN "$root" | cut -f1)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/; s/@DEPENDS@/$depends/; s|@MAINTAINER@|$maintainer|" packaging/debian/control.in >"$root/DEBIAN/control"
echo /etc/loophound/loophound.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
	install -m 755 packaging/debian/$script "$root/DEBIAN/$script"
done
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group --build "$root" "$out/loophound_${version}_$arch.deb" >/dev/null
rm -rf "$root"
echo "$out/loophound_${version}_$arch.deb"
