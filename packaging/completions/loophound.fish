# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# fish completion of loophound

set -l commands ps watch record report run doctor rules serve
set -l rules blocking-call cpu-bound gil-wait gc-pause import-on-loop loop-overload host-starved unbounded-concurrency connection-churn connection-leak
set -l none "not __fish_seen_subcommand_from $commands"
set -l all "__fish_seen_subcommand_from ps watch record report run doctor rules"
set -l pid "__fish_seen_subcommand_from ps watch record doctor"
set -l target "__fish_seen_subcommand_from ps watch record"
set -l watch "__fish_seen_subcommand_from watch record run"
set -l boundary "__fish_seen_subcommand_from ps watch record run"
set -l form "__fish_seen_subcommand_from ps watch report run"
set -l output "__fish_seen_subcommand_from watch record report run"
set -l recording "__fish_seen_subcommand_from watch run"
set -l limits "__fish_seen_subcommand_from watch record report run"
set -l live "__fish_seen_subcommand_from ps"
set -l serve "__fish_seen_subcommand_from serve"

complete -c loophound -f
complete -c loophound -n $none -a ps -d 'Python processes, their version, loops, probes'
complete -c loophound -n $none -a watch -d 'breaches as they happen'
complete -c loophound -n $none -a record -d 'keep the raw events for later'
complete -c loophound -n $none -a report -d 'the same answers from a recording'
complete -c loophound -n $none -a run -d 'start a program under observation'
complete -c loophound -n $none -a doctor -d 'what this kernel, user and process allow'
complete -c loophound -n $none -a rules -d 'every rule, its limit, evidence, advice'
complete -c loophound -n $none -a serve -d 'the service, for Prometheus and the log'
complete -c loophound -n '__fish_seen_subcommand_from report run' -F
complete -c loophound -n '__fish_seen_subcommand_from rules' -a "$rules"
complete -c loophound -n $pid -s p -l pid -x -d 'watch this process'
complete -c loophound -n $target -l name -x -d 'watch processes whose name or script matches'
complete -c loophound -n $target -l cgroup -r -d 'watch processes in this cgroup and below'
complete -c loophound -n $target -l all -d 'watch all Python processes'
complete -c loophound -n $watch -s d -l duration -x -d 'end after this many seconds'
complete -c loophound -n $form -l format -x -a "text jsonl" -d 'form of the report'
complete -c loophound -n $output -s o -l output -r -d 'write there instead of standard output'
complete -c loophound -n $recording -l record -r -d 'keep the raw events as well'
complete -c loophound -n $limits -l limit -x -a "$rules" -d 'RULE=TIME from which on a rule is broken'
complete -c loophound -n $limits -l rule -x -a "$rules" -d 'only these rules'
complete -c loophound -n $limits -l no-rule -x -a "$rules" -d 'without these rules'
complete -c loophound -n $limits -l allow -x -d 'FILE:FUNCTION of which nothing is said'
complete -c loophound -n $limits -l library -r -d 'count files below it as library code'
complete -c loophound -n $watch -l latent -d 'blocking calls that were quick, too'
complete -c loophound -n $limits -l fail-on -x -a "any latent $rules" -d 'exit 3 if one of these was broken'
complete -c loophound -n $boundary -l boundary -x -a "auto tracepoint raw" -d 'how loop boundaries are seen'
complete -c loophound -n $live -l live -x -d 'show how busy loops are'
complete -c loophound -n $live -l sort -x -a "pid user python loops busy where connections" -d 'order'
complete -c loophound -n $all -s v -l verbose -d 'whole stacks'
complete -c loophound -n $serve -s c -l config -r -d 'configuration'
complete -c loophound -n $serve -l check-config -d 'say whether the configuration is right'
complete -c loophound -n $serve -l web.listen-address -x -d 'HOST:PORT to serve HTTP on'
complete -c loophound -n $serve -l web.config.file -r -d 'certificate and passwords'
complete -c loophound -n $serve -l web.allow-insecure -d 'let others in without a password'
complete -c loophound -n $serve -l log.level -x -a "error warn info debug" -d 'what is said'
complete -c loophound -n $serve -l log.format -x -a "logfmt json" -d 'and how'
complete -c loophound -n $serve -l breaches.to -r -a "stdout journal none" -d 'where breaches go'
complete -c loophound -l help -d 'list the options'
complete -c loophound -l usage -d 'a short usage message'
