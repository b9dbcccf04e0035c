/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Defines what maps.bpf.h and connection.bpf.h declare. */
#include "connection.bpf.h"

struct targets_map targets SEC(".maps");
struct numbers_map numbers SEC(".maps");
struct exes_map exes SEC(".maps");
struct loop_threads_map loop_threads SEC(".maps");
struct free_loop_ids_map free_loop_ids SEC(".maps");
struct loop_counters_map loop_counters SEC(".maps");
struct loop_lives_map loop_lives SEC(".maps");
struct seen_stacks_map seen_stacks SEC(".maps");
struct seen_codes_map seen_codes SEC(".maps");
struct seen_tasks_map seen_tasks SEC(".maps");
struct scratch_map scratches SEC(".maps");
struct latent_sites_map latent_sites SEC(".maps");
struct latent_scratch_map latent_scratch SEC(".maps");
struct stats_map stats SEC(".maps");
struct events_map events SEC(".maps");
struct connections_map connections SEC(".maps");
struct unix_connections_map unix_connections SEC(".maps");
struct unix_descriptors_map unix_descriptors SEC(".maps");
struct connection_keys_map connection_keys SEC(".maps");
struct connection_slots_map connection_slots SEC(".maps");
struct free_connection_slots_map free_connection_slots SEC(".maps");
struct listening_ports_map listening_ports SEC(".maps");

__u8 target_hints[TARGET_HINTS];
__s32 nr_loop_ids_taken = 0;
__u8 unix_hints[TARGET_HINTS];

volatile __u64 cfg_sample_after_ns = 12500000;
const volatile __u64 cfg_sample_gap_ns = 900000;
volatile __u64 cfg_report_asleep_ns = 10000000;
volatile __u64 cfg_report_on_cpu_ns = 50000000;
volatile __u64 cfg_report_starved_ns = 50000000;
volatile __u64 cfg_report_gil_ns = 20000000;
volatile __u64 cfg_report_gc_ns = 20000000;
volatile __u64 cfg_report_import_ns = 20000000;
const volatile __u32 cfg_pidns = 0;
const volatile __u8 cfg_finds_new = 0;
const volatile __u32 cfg_max_candidates = 4096;
const volatile __u32 cfg_max_loops = MAX_LOOPS;
const volatile __u64 cfg_tick_ns = 10000000;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
