# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# bash completion of loophound

_loophound() {
	local cur prev words cword command
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local rules='blocking-call cpu-bound gil-wait gc-pause import-on-loop loop-overload host-starved unbounded-concurrency connection-churn connection-leak'
	local all='-v --verbose --help --usage' target='-p --pid --name --cgroup --all' report='--format -o --output'
	local limits='--limit --rule --no-rule --allow --library --fail-on' watch='-d --duration --latent --boundary'
	local serve='-c --config --check-config --web.listen-address --web.config.file --web.allow-insecure --log.level
		--log.format --breaches.to --help --usage'

	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'ps watch record report run doctor rules serve --help --version' -- "$cur")
		return
	fi
	# "=" is a word of its own: --format=jsonl is three.
	[ "$cur" = = ] && cur=
	[ "$prev" = = ] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	case $prev in
	-p | --pid) mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && printf '%s ' [0-9]*)" -- "$cur") ;;
	--format) mapfile -t COMPREPLY < <(compgen -W 'text jsonl' -- "$cur") ;;
	--sort) mapfile -t COMPREPLY < <(compgen -W 'pid user python loops busy where connections' -- "$cur") ;;
	--boundary) mapfile -t COMPREPLY < <(compgen -W 'auto tracepoint raw' -- "$cur") ;;
	--rule | --no-rule | --limit) mapfile -t COMPREPLY < <(compgen -W "$rules" -- "$cur") ;;
	--fail-on) mapfile -t COMPREPLY < <(compgen -W "any latent $rules" -- "$cur") ;;
	--log.level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$cur") ;;
	--log.format) mapfile -t COMPREPLY < <(compgen -W 'logfmt json' -- "$cur") ;;
	--breaches.to) mapfile -t COMPREPLY < <(compgen -W 'stdout journal none' -f -- "$cur") ;;
	-c | --config | --web.config.file | -o | --output | --record | --cgroup | --library)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	-d | --duration | --name | --allow | --web.listen-address) ;;
	*)
		case $command in
		serve) mapfile -t COMPREPLY < <(compgen -W "$serve" -- "$cur") ;;
		ps) mapfile -t COMPREPLY < <(compgen -W "$target --format --boundary --live --sort $all" -- "$cur") ;;
		watch) mapfile -t COMPREPLY < <(compgen -W "$target $watch $limits $report --record $all" -- "$cur") ;;
		record) mapfile -t COMPREPLY < <(compgen -W "$target $watch $limits -o --output $all" -- "$cur") ;;
		report) mapfile -t COMPREPLY < <(compgen -W "$limits $report $all" -f -- "$cur") ;;
		run) mapfile -t COMPREPLY < <(compgen -W "$watch $limits $report --record $all" -f -- "$cur") ;;
		doctor) mapfile -t COMPREPLY < <(compgen -W "-p --pid $all" -- "$cur") ;;
		rules) mapfile -t COMPREPLY < <(compgen -W "$rules $all" -- "$cur") ;;
		esac
		;;
	esac
}
complete -o filenames -F _loophound loophound
