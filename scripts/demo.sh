#!/bin/sh
# The demonstration: a real aiohttp server with planted faults, real HTTP load, and loophound watching.
# `make demo` has built loophound and installed what the server needs before it comes here.
set -eu

seconds=${DEMO_SECONDS:-8}
python=${PYTHON:-/usr/bin/python3}
here=$(cd "$(dirname "$0")" && pwd)
loophound=${LOOPHOUND:-$here/../build/loophound}
dns_address=127.54.0.53

die() {
	echo "demo: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || die "watching another process needs root: run \`sudo make demo\`"
[ -r /sys/kernel/btf/vmlinux ] ||
	die "/sys/kernel/btf/vmlinux is missing: a kernel with CONFIG_DEBUG_INFO_BTF=y is needed"
[ -x "$loophound" ] || die "$loophound is not built: run \`make\`"
"$python" -c 'import aiohttp, requests' 2>/dev/null ||
	die "$python lacks aiohttp or requests: apt-get install python3-aiohttp python3-requests"

why=$(unshare --mount true 2>&1) ||
	die "the server needs a mount namespace of its own: ${why#unshare: }. The root of a chroot must be a mount point:" \
		"\`mount --rbind DIRECTORY DIRECTORY\`, then chroot"

# On a disk, where fsync takes its time; /tmp may be memory.  Address lines come through a FIFO, so that
# nobody has to guess when a server is ready.
work=$(mktemp -d /var/tmp/loophound-demo.XXXXXX)
pids=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	trap - EXIT INT TERM
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$work/slow" "$work/app"

"$python" "$here/demo/slow_server.py" "$dns_address" >"$work/slow" &
pids="$pids $!"
read -r slow_url <"$work/slow" || die "the slow server did not start"

# The server gets a resolv.conf of its own, in its own mount namespace: the host's stays as it is.
echo "nameserver $dns_address" >"$work/resolv.conf"
# shellcheck disable=SC2016 # $0 and $@ are the inner shell's
SLOW_URL=$slow_url DATA_DIR=$work SLOW_NAME=partner.example no_proxy='*' \
	unshare --mount sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' \
	"$work/resolv.conf" "$python" "$here/demo/app.py" >"$work/app" &
app=$!
pids="$pids $app"
read -r url <"$work/app" || die "the server did not start"

"$python" "$here/demo/load.py" "$url" $((seconds + 2)) >"$work/load" &
load=$!
pids="$pids $load"

cat <<EOF
An aiohttp server runs as pid $app, unmodified, and answers real HTTP at $url.
Three of its handlers are healthy; twelve block the event loop, and with it everybody: scripts/demo/app.py.

\$ loophound watch -p $app -d $seconds

EOF
status=0
"$loophound" watch -p "$app" -d "$seconds" || status=$?
wait "$load" || die "the load generator failed"
echo
echo "Meanwhile its customers saw $(cat "$work/load")."
exit "$status"
