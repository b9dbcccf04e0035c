# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# loophound: `make help` lists the targets.  Everything is built below build/.

VERSION := $(shell cat VERSION)
OUT     ?= build
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
msg      = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')

CC      := gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
ARCH    := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
MULTI   := $(shell $(CC) -print-multiarch 2>/dev/null)
PYTHON  ?= /usr/bin/python3
NPROC   := $(shell nproc)
PREFIX  ?= /usr
SYSCONFDIR ?= /etc

BPFFLAGS := -g -O2 -target bpf -mcpu=v3 -D__bpf__ -D__TARGET_ARCH_$(ARCH) -Ibpf \
	-idirafter /usr/include/$(MULTI) -idirafter /usr/include \
	-Wall -Wextra -Wno-unused-function -Wno-unused-parameter -Werror \
	-Wno-missing-declarations -Wno-gnu-variable-sized-type-not-at-end -Wno-compare-distinct-pointer-types
WARN    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror
STAGES  := base stream model rules report reader probe target serve cli
# It reads what others wrote as root: an overrun ends it.  ASan sees more by itself.
HARDENED := $(if $(filter 1,$(SAN)),,-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS  ?= -O2 -g $(HARDENED)
LDFLAGS ?= -Wl,-z,relro,-z,now
SANFLAGS := $(if $(filter 1,$(SAN)),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all,)
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DLOOPHOUND_VERSION='"$(VERSION)"' $(WARN) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) \
	-Ibpf $(STAGES:%=-Iuser/%) -I$(OUT) -MMD -MP
LDLIBS  := -lbpf -lelf -lz -lcap-ng -lseccomp -lyaml -lcrypt -lm

# maps.bpf.o first: the linker of libbpf 1.1 loses the offset of a map whose extern it meets before it.
BPF_OBJ   := $(patsubst bpf/%.bpf.c,$(OUT)/bpf/%.bpf.o,bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c)))
SKEL      := $(OUT)/probes.skel.h
obj        = $(patsubst %.c,$(OUT)/%.o,$(wildcard $(1)))
USER_OBJ  := $(call obj,user/*.c user/*/*.c)
DATADIR    = $(DESTDIR)$(PREFIX)/share
# A test that includes a file of the service, to see what is static in it, is not linked with it again.
TESTED_IN_web := web_auth
# Stages that promise to be pure: their tests link nothing else, so a kernel call is a link error.
PURE_OBJ  := $(call obj,user/base/*.c user/stream/*.c user/model/*.c user/rules/*.c user/report/*.c)
READER_OBJ := $(call obj,user/base/*.c user/stream/*.c user/reader/*.c)
LIVE_OBJ  := $(filter-out $(OUT)/user/main.o,$(USER_OBJ))

UNIT_TESTS := $(patsubst %.c,$(OUT)/%,$(wildcard tests/unit/test_*.c))
BPF_TESTS  := $(patsubst %.c,$(OUT)/%,$(wildcard tests/bpf/test_*.c))
FUZZERS    := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(OUT)/loophound ## build loophound into build/

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 24

demo: ## install what is missing, build, watch a real application with planted faults
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh $(OUT)/loophound

check: ## install what is missing, run every test
	@scripts/setup.sh check
	@scripts/chroots.sh >/dev/null
	@$(MAKE) --no-print-directory -j$(NPROC) all build-tests
	@$(MAKE) --no-print-directory -j$(NPROC) OUT=$(OUT)/san SAN=1 build-unit
	@E2E_SAMPLE=1 $(MAKE) --no-print-directory -k lint check-unit check-san check-fuzz check-bpf check-e2e

build-unit: $(UNIT_TESTS)

build-tests: $(UNIT_TESTS) $(BPF_TESTS) $(FUZZERS) ## build every test; they run one after the other, what they are made of need not

bench: ## install what is missing, measure the budgets: with and without, in one run
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory all
	@scripts/bench.sh $(BENCH)

lint: ## formatting and house rules
	@scripts/lint.sh

check-unit: $(UNIT_TESTS) ## unit tests of every pure module
	@scripts/run-tests.sh $(UNIT_TESTS)

check-san: ## the same under ASan and UBSan
	@$(MAKE) --no-print-directory OUT=$(OUT)/san SAN=1 check-unit

check-fuzz: $(FUZZERS) ## each fuzz target for FUZZ_SECONDS (default 5)
	@scripts/run-fuzzers.sh $(or $(FUZZ_SECONDS),5) $(FUZZERS)

check-bpf: $(BPF_TESTS) ## the real programs in this kernel; needs root and BTF
	@scripts/run-tests.sh $(BPF_TESTS)

chroots: ## unpack CPythons of other Debian releases for tests, below LOOPHOUND_CHROOTS (/var/cache/loophound/chroots)
	@scripts/chroots.sh

free-threaded: ## build a free-threaded CPython from Debian's source for tests, some minutes, beside LOOPHOUND_CHROOTS
	@scripts/setup.sh free-threaded
	@scripts/free_threaded.sh

check-free-threaded: all free-threaded ## loophound against every workload on it; needs root and BTF
	@LOOPHOUND=$(OUT)/loophound LOOPHOUND_FREE_THREADED=all $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_free_threaded.py $(PYTEST)

check-e2e: all ## loophound against every workload on every interpreter; needs root and BTF
	@scripts/chroots.sh >/dev/null
	@LOOPHOUND=$(OUT)/loophound PYTHON=$(PYTHON) scripts/run-e2e.sh tests/e2e $(PYTEST)

score: all ## every workload on every interpreter: recall, precision, what was right, how exact; SCORE='--runs 3'
	@LOOPHOUND=$(OUT)/loophound $(PYTHON) tests/score/score.py $(SCORE)
	@$(if $(SCORE),,LOOPHOUND=$(OUT)/loophound $(PYTHON) tests/score/connections.py)

coverage: all ## execute what other tools call blocking; write docs/COVERAGE.md
	@scripts/setup.sh coverage
	@LOOPHOUND=$(OUT)/loophound $(PYTHON) tests/coverage/coverage.py $(COVERAGE)

check-packaging: all ## the unit under a systemd, the Debian package in a root of its own; needs root
	@scripts/setup.sh packaging
	@LOOPHOUND=$(OUT)/loophound $(PYTHON) -m pytest -q -p no:cacheprovider tests/packaging $(PYTEST)

check-kernels: all ## other kernels, in virtual machines without KVM: KERNELS="6.1 6.12 newest", see scripts/kernels.sh
	@scripts/setup.sh kernels
	@scripts/check-kernels.sh $(OUT) $(or $(KERNELS),6.1 6.12)

install: all ## into DESTDIR, below PREFIX (default: /usr), its configuration into SYSCONFDIR (default: /etc)
	install -d $(DESTDIR)$(SYSCONFDIR)/loophound $(DATADIR)/doc/loophound
	install -D -m 755 $(OUT)/loophound $(DESTDIR)$(PREFIX)/bin/loophound
	test -e $(DESTDIR)$(SYSCONFDIR)/loophound/loophound.yaml || \
		install -m 644 packaging/loophound.yaml $(DESTDIR)$(SYSCONFDIR)/loophound/loophound.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/bin/loophound|$(PREFIX)/bin/loophound|; s|/etc/loophound|$(SYSCONFDIR)/loophound|' packaging/loophound.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/loophound.service
	install -D -m 644 packaging/loophound.8 $(DATADIR)/man/man8/loophound.8
	install -D -m 644 packaging/completions/loophound.bash $(DATADIR)/bash-completion/completions/loophound
	install -D -m 644 packaging/completions/_loophound $(DATADIR)/zsh/vendor-completions/_loophound
	install -D -m 644 packaging/completions/loophound.fish $(DATADIR)/fish/vendor_completions.d/loophound.fish
	install -D -m 644 packaging/grafana/loophound.json $(DATADIR)/loophound/grafana/loophound.json
	install -D -m 644 packaging/prometheus/loophound.rules.yml $(DATADIR)/loophound/prometheus/loophound.rules.yml
	install -D -m 644 packaging/sys-admin.conf $(DATADIR)/loophound/systemd/sys-admin.conf
	install -D -m 644 packaging/sys-user.conf $(DATADIR)/loophound/systemd/sys-user.conf
	install -D -m 644 packaging/kubernetes/daemonset.yaml $(DATADIR)/loophound/kubernetes/daemonset.yaml
	install -m 644 README.md CHANGELOG.md docs/OPERATIONS.md docs/METRICS.md docs/RULES.md $(DATADIR)/doc/loophound/

deb: all ## the Debian package, into build/; needs dpkg-dev
	@packaging/debian/build.sh $(VERSION)

soak: all ## the service under churn for SOAK_SECONDS (default 900): fails if memory, descriptors or maps grow
	@LOOPHOUND=$(OUT)/loophound $(PYTHON) tests/soak/soak.py --seconds $(or $(SOAK_SECONDS),900)

golden: all ## refresh the golden reports from the golden recordings; review the diff
	@scripts/golden.sh refresh

fmt: ## format all C
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove build/
	rm -rf $(OUT)

$(OUT)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPFFLAGS) -c $< -o $@

$(OUT)/probes.bpf.o: $(BPF_OBJ) Makefile
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJ)

$(SKEL): $(OUT)/probes.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name probes__kernel_half > $@

bpf: $(SKEL) ## build the kernel half only

$(OUT)/syscall_table.h: scripts/syscall_table.sh
	$(call msg,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)CC='$(CC)' $< > $@

$(OUT)/%.o: %.c | $(SKEL) $(OUT)/syscall_table.h
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(OUT)/loophound: $(USER_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OUT)/tests/unit/test_reader_%: $(OUT)/tests/unit/test_reader_%.o $(READER_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ -lelf -lcap-ng -lseccomp -lcmocka -o $@

# The kernel half's reading of CPython, compiled for the host, with the reader's table of layouts.
$(OUT)/tests/unit/test_py%: $(OUT)/tests/unit/test_py%.o $(READER_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ -lelf -lcap-ng -lseccomp -lcmocka -o $@

$(OUT)/tests/unit/test_target_%: $(OUT)/tests/unit/test_target_%.o $(call obj,user/base/*.c user/target/*.c)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ -lcmocka -o $@

# Which process is asked about when; the reader and the kernel half are the test's.
$(OUT)/tests/unit/test_cli_%: $(OUT)/tests/unit/test_cli_%.o $(PURE_OBJ) $(call obj,user/cli/targets*.c user/target/*.c user/reader/place.c)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ -lcmocka -lm -o $@

$(OUT)/tests/unit/test_serve_%: $(OUT)/tests/unit/test_serve_%.o $(LIVE_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(filter-out $(OUT)/user/serve/$(TESTED_IN_$*).o,$^) $(LDLIBS) -lcmocka -o $@

$(OUT)/tests/unit/test_watch_%: $(OUT)/tests/unit/test_watch_%.o $(LIVE_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ $(LDLIBS) -lcmocka -o $@

$(OUT)/tests/unit/test_%: $(OUT)/tests/unit/test_%.o $(PURE_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ -lcmocka -lm -o $@

$(OUT)/tests/bpf/test_%: $(OUT)/tests/bpf/test_%.o $(LIVE_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $^ $(LDLIBS) -lcmocka -o $@

# What a fuzzer is linked with: the pure stages and the reading of memory, unless it names its own few files.
FUZZED     := $(wildcard user/base/*.c user/stream/*.c user/model/*.c user/rules/*.c user/report/*.c) \
	$(addprefix user/reader/,layout.c layout_table.c debugoffsets.c tstateslot.c procmem.c pydict.c pymodules.c pystr.c pyattribute.c loops.c tasks.c)
FUZZED_IN_fuzz_config := $(FUZZED) \
	$(addprefix user/serve/,config.c config_rules.c config_targets.c web_config.c yamltree.c yamlwalk.c)
FUZZED_IN_fuzz_web    := $(addprefix user/serve/,web_address.c web_auth.c web_encoding.c web_library.c web_listen.c)
FUZZED_IN_fuzz_http   := $(addprefix user/,base/json.c base/log.c base/sanitize.c base/utf8.c reader/sandbox.c report/exposition.c) $(addprefix user/serve/, \
	web_address.c web_ask.c web_auth.c web_connections.c web_encoding.c web_library.c web_process.c web_routes.c web_sandbox.c)
FUZZLIBS_fuzz_http    := -lseccomp -lcap-ng
FUZZED_IN_fuzz_proc   := $(addprefix user/reader/,elffile.c maps.c place.c procinfo.c procmem.c usdt.c)
FUZZED_IN_fuzz_elf    := $(addprefix user/reader/,elffile.c procmem.c usdt.c)

$(OUT)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard bpf/*.h user/*/*.[ch]) | $(OUT)/syscall_table.h
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -std=gnu11 -D_GNU_SOURCE -DLOOPHOUND_VERSION='"fuzz"' -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -Wno-gnu-variable-sized-type-not-at-end -Ibpf $(STAGES:%=-Iuser/%) -Itests/unit -I$(OUT) $< \
		$(or $(FUZZED_IN_fuzz_$*),$(FUZZED)) -lm -lyaml -lz -lcrypt $(FUZZLIBS_fuzz_$*) -o $@

-include $(shell find $(OUT) -type f -name '*.d' 2>/dev/null)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help demo check build-unit build-tests chroots free-threaded check-free-threaded bench lint check-unit check-san check-fuzz check-bpf check-e2e score coverage check-packaging check-kernels soak \
	install deb golden fmt clean bpf
