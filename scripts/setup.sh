#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Installs the distribution packages that a purpose needs and that are missing: build, demo, check, free-threaded, packaging, kernels,
# coverage, bench.
# Says nothing and does nothing if none is.
set -eu

build='gcc libc6-dev make clang bpftool libbpf-dev libelf-dev zlib1g-dev libcap-ng-dev uthash-dev libmicrohttpd-dev libseccomp-dev libyaml-dev'
demo="$build python3 python3-aiohttp python3-requests util-linux"
loops='python3-uvloop python3-trio python3-tornado python3-anyio python3-twisted python3-gevent python3-uvicorn python3-starlette python3-fastapi gunicorn'
check="$demo $loops libpython3.11 libcmocka-dev libclang-rt-14-dev python3-pytest python3-pytest-timeout python3-prometheus-client python3-yaml python3-httpx python3-redis redis-tools python3-asyncpg postgresql-15 clang-format clang-tidy shellcheck openssl"
free_threaded="gcc libc6-dev make xz-utils libssl-dev libffi-dev libsqlite3-dev zlib1g-dev"
packaging="$check systemd libcap2-bin dpkg-dev binutils mandoc lintian debootstrap iproute2 python3-kubernetes"
kernels="$check qemu-system-x86 busybox-static cpio xz-utils e2fsprogs iproute2"
coverage="$check python3-httpx python3-psycopg2 python3-pymysql python3-redis python3-pymongo python3-sqlalchemy python3-boto3"
bench="$demo python3-uvloop"

case "${1:-}" in
build) wanted=$build ;;
demo) wanted=$demo ;;
check) wanted=$check ;;
free-threaded) wanted=$free_threaded ;;
packaging) wanted=$packaging ;;
kernels) wanted=$kernels ;;
coverage) wanted=$coverage ;;
bench) wanted=$bench ;;
*)
	echo "usage: $0 build|demo|check|free-threaded|packaging|kernels|coverage|bench" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "setup: not a Debian system; install by hand what these packages are called here: $wanted" >&2
	exit 0
fi
missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "setup: missing packages; as root: apt-get install$missing" >&2
	exit 1
fi
echo "setup: installing$missing"
# The tests have a server of their own: no cluster of the distribution's, and no service.
case $missing in
*postgresql*)
	mkdir -p /etc/postgresql-common/createcluster.d
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/loophound-tests.conf
	;;
esac
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
