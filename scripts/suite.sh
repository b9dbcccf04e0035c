# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=sh
# To be sourced: apt with a state of its own, for packages of other releases than this machine's.  Nothing outside of
# that state changes, and apt checks what it fetches as ever.  Who sources it has a function fail.

# The mirror of this machine's own release, as apt has it.
find_mirror()
{
	# shellcheck disable=SC2016 # apt's own variables
	mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian \([^ ]*\)$/\1/p' | head -n 1)
	[ -n "$mirror" ] || fail "apt knows no mirror of Debian: run apt-get update"
	echo "$mirror"
}

# apt_of STATE ARGUMENT...
apt_of()
{
	state=$1
	shift
	apt-get -q -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$state" -o Dir::State::Status="$state/status" -o Dir::Cache="$state/cache" \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
		-o Acquire::Retries=3 -o Debug::NoLocking=true -o APT::Architecture=amd64 "$@"
}

# apt_begin STATE SOURCE...: what these lines of a sources.list have is known from now on; else why not is in STATE/log.
apt_begin()
{
	state=$1
	shift
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	: >"$state/status"
	printf '%s\n' "$@" >"$state/sources.list"
	apt_of "$state" -o APT::Update::Error-Mode=any update >"$state/log" 2>&1
}

# What apt said was wrong.
apt_why()
{
	grep -m 1 '^E:' "$1/log" || grep -m 1 '^W:' "$1/log"
}
