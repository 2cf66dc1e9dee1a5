# SPDX-License-Identifier: Apache-2.0
# Builds, tests, checks and installs mod_whatsapp. `make help` lists the targets.
#
#   BUILD=directory      where everything goes (build)
#   SANITIZE=list     e.g. address,undefined: how test-asan builds
#   APXS=path         the apxs of the httpd that the module is for
#   DESTDIR=directory    put before every path that install writes

BUILD    ?= build
APXS     ?= $(shell command -v apxs 2>/dev/null || command -v apxs2 2>/dev/null || echo apxs)
PYTHON   ?= $(shell test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3)
SANITIZE ?=
DESTDIR  ?=

apxs      = $(shell $(APXS) -q $(1) 2>/dev/null)
HTTPD_INC := $(call apxs,INCLUDEDIR)
LIBEXEC   := $(call apxs,LIBEXECDIR)
SYSCONF   := $(call apxs,SYSCONFDIR)
SBIN      := $(call apxs,SBINDIR)
PREFIX    ?= $(or $(call apxs,prefix),/usr)
SHARE     ?= $(PREFIX)/share/mod_whatsapp
APR_CONFIG ?= $(or $(call apxs,APR_CONFIG),apr-1-config)
APU_CONFIG ?= $(or $(call apxs,APU_CONFIG),apu-1-config)

WARN     := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wundef -Wwrite-strings -Werror=implicit-function-declaration
OPT      ?= -O2 -g
HARDEN   := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
SAN      := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
APR_INC  := $(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(sort $(shell $(APR_CONFIG) --includes) $(shell $(APU_CONFIG) --includes))))
APR_DEF  := $(shell $(APR_CONFIG) --cppflags)
APR_LIBS := $(shell $(APU_CONFIG) --link-ld) $(shell $(APR_CONFIG) --link-ld)
LIBS     := -lcurl -ljansson -lutf8proc -lcrypto
# A thread that ends needs it, and glibc would load it only then: too late behind a ChrootDir.
EXIT_LIB := -Wl,--no-as-needed -lgcc_s -Wl,--as-needed

CFLAGS_ALL = -std=gnu11 $(OPT) $(HARDEN) $(SAN) $(WARN) -fvisibility=hidden -fPIC -pthread $(APR_DEF) -Imod_whatsapp $(APR_INC) $(CFLAGS)
# Tests compare with cmocka's integer casts, which -Wconversion cannot bear.
CFLAGS_TEST = $(CFLAGS_ALL) -Wno-conversion -Wno-sign-conversion -Itests/unit

# The layers below api/ are compiled without httpd's include directory: they cannot use it by mistake.
LIB_SRC  := $(sort $(shell find mod_whatsapp/base mod_whatsapp/store mod_whatsapp/twilio mod_whatsapp/messaging -name '*.c' 2>/dev/null))
MOD_SRC  := $(sort $(wildcard mod_whatsapp/*.c) $(shell find mod_whatsapp/httpd mod_whatsapp/api -name '*.c' 2>/dev/null))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
HELP_SRC := $(filter-out $(UNIT_SRC) tests/unit/api_support.c,$(sort $(wildcard tests/unit/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
MOD_OBJ  := $(MOD_SRC:%.c=$(BUILD)/obj/%.o)
HELP_OBJ := $(HELP_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_OBJ := $(UNIT_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
# What the programs of api/ have more than the others. They are linked without httpd, too: api_support.c has what api/ calls of it.
API_OBJ  := $(filter $(BUILD)/obj/mod_whatsapp/api/%,$(MOD_OBJ))
API_TEST := $(filter $(BUILD)/obj/tests/unit/test_api_%,$(UNIT_OBJ)) $(BUILD)/obj/tests/unit/api_support.o
TOOL_SRC := $(sort $(wildcard tools/*.c))
TOOL_OBJ := $(TOOL_SRC:%.c=$(BUILD)/obj/%.o)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/tests/fuzz/standalone.o
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

.DEFAULT_GOAL := all
.PHONY: all help lib tests check check-unit check-fuzz check-tools check-http check-store check-browser check-bench test-asan test-valgrind try lint format bench \
        install uninstall clean
.SECONDARY:

all: $(BUILD)/mod_whatsapp.so $(if $(TOOL_SRC),$(BUILD)/whatsappctl) ## the module and whatsappctl (default)
lib: $(BUILD)/libwa.a         ## the layers below api/ as a library, without httpd
tests: $(UNIT_BIN)            ## the unit test programs

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20

$(MOD_OBJ) $(API_TEST): CFLAGS_EXTRA := -isystem $(HTTPD_INC)
$(BUILD)/obj/mod_whatsapp/%.o: mod_whatsapp/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

$(BUILD)/obj/tools/%.o: tools/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/whatsappctl: $(TOOL_OBJ) $(BUILD)/libwa.a
	$(CC) $(OPT) $(SAN) -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) -o $@.new $^ $(LIBS) $(APR_LIBS)
	@mv $@.new $@

$(BUILD)/obj/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_TEST) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

# The list of sources is a dependency: a removed file must leave the archive.
$(BUILD)/lib.list: FORCE
	@mkdir -p $(@D); echo '$(LIB_SRC)' | cmp -s - $@ || echo '$(LIB_SRC)' > $@
$(BUILD)/mod.list: FORCE
	@mkdir -p $(@D); echo '$(MOD_SRC)' | cmp -s - $@ || echo '$(MOD_SRC)' > $@
FORCE:
.PHONY: FORCE

$(BUILD)/libwa.a: $(LIB_OBJ) $(BUILD)/lib.list
	@rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

# Only the module record leaves the shared object.
$(BUILD)/mod_whatsapp.so: $(MOD_OBJ) $(LIB_OBJ) $(BUILD)/mod.list $(BUILD)/lib.list
	@echo '{ global: whatsapp_module; local: *; };' > $(BUILD)/exports.map
	$(CC) $(OPT) $(SAN) -shared -pthread -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--version-script=$(BUILD)/exports.map \
	    $(LDFLAGS) -o $@.new $(MOD_OBJ) $(LIB_OBJ) $(LIBS) $(EXIT_LIB)
	@# The linker cannot know httpd's symbols, but ours have to be there.
	@if nm -D --undefined-only $@.new | grep ' U wa_'; then echo 'undefined, see above' >&2; rm -f $@.new; exit 1; fi
	@# A server that runs keeps the file that it has mapped.
	@mv $@.new $@

# An archive, of which a program gets only what it uses: the router's has endpoints of its own.
$(BUILD)/obj/tests/libapi.a: $(API_OBJ) $(BUILD)/obj/tests/unit/api_support.o $(BUILD)/mod.list
	@mkdir -p $(@D); rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

$(filter $(BUILD)/tests/test_api_%,$(UNIT_BIN)): $(BUILD)/obj/tests/libapi.a
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(HELP_OBJ) $(BUILD)/libwa.a
	@mkdir -p $(@D)
	$(CC) $(OPT) $(SAN) -pthread $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %/libapi.a,$^) $(BUILD)/libwa.a -lcmocka $(LIBS) $(APR_LIBS)

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/standalone.o $(BUILD)/libwa.a
	@mkdir -p $(@D)
	$(CC) $(OPT) $(SAN) -pthread $(LDFLAGS) -o $@ $^ $(LIBS) $(APR_LIBS)

# What the tests are told: which module to load, and what a sanitizer needs preloaded into httpd.
TEST_ENV = WA_TEST_BUILD='$(abspath $(BUILD))' WA_TEST_MODULE='$(abspath $(BUILD))/mod_whatsapp.so' \
           WA_TEST_PRELOAD='$(if $(SANITIZE),$(shell $(CC) -print-file-name=libasan.so))' \
           ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
PYTEST   = $(TEST_ENV) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -B -m pytest -p no:cacheprovider -q \
           $(shell $(PYTHON) -c 'import xdist' 2>/dev/null && printf -- '-n 2')

check: check-unit check-fuzz check-tools check-http check-store check-browser $(if $(SANITIZE),,check-bench) ## every test

# Programs that take long begin first, and the longest are run as several processes.
LONG     := $(addprefix %/,test_store_recovery test_store_derived test_store_faults test_store_kills test_store_power test_store_rows test_store_seam test_store_wait \
            test_memory_store)
in_order  = $(patsubst %/test_store_derived,%/test_store_derived:3,$(patsubst %/test_store_recovery,%/test_store_recovery:3,\
    $(filter $(LONG),$(1)) $(filter-out $(LONG),$(1))))

check-unit: $(UNIT_BIN) ## the unit tests
	@$(TEST_ENV) tests/lint/run-programs.sh '' $(call in_order,$(UNIT_BIN))

# Without a sanitizer a fuzz target sees only half: where the build has none, there is a second one.
ifeq ($(SANITIZE),)
check-fuzz: ## every parser on its corpus and on mutations of it, under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized SANITIZE=address,undefined OPT='-O1 -g' check-fuzz
else
check-fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do printf '%s: ' "$${f##*/}"; \
	    $(TEST_ENV) $$f -n $(or $(MUTATIONS),20000) tests/fuzz/corpus/$${f##*/fuzz_} || exit 1; done
endif

# make fuzz T=form SECONDS=60: with libFuzzer (clang); what it finds goes beside the corpus.
SECONDS ?= 60
fuzz:
	@mkdir -p $(BUILD)/libfuzzer/$(T)
	clang -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined -pthread $(APR_DEF) -Imod_whatsapp $(APR_INC) \
	    -o $(BUILD)/libfuzzer/fuzz_$(T) tests/fuzz/fuzz_$(T).c $(LIB_SRC) $(LIBS) $(APR_LIBS)
	$(BUILD)/libfuzzer/fuzz_$(T) -max_total_time=$(SECONDS) -artifact_prefix=$(BUILD)/libfuzzer/$(T)- $(BUILD)/libfuzzer/$(T) tests/fuzz/corpus/$(T)

check-tools: $(BUILD)/mod_whatsapp.so $(BUILD)/whatsappctl ## whatsappctl on made stores and beside a live httpd
	@$(MAKE) --no-print-directory -C tests/bench fill BUILD='$(abspath $(BUILD))' CFLAGS='$(SAN)'
	$(PYTEST) tests/tools

check-http: $(BUILD)/mod_whatsapp.so $(BUILD)/whatsappctl tests/npm/node_modules/.package-lock.json ## the module in a real httpd
	$(PYTEST) tests/http tests/support

check-bench: $(BUILD)/mod_whatsapp.so ## the benchmark's own machinery; it measures nothing
	@$(MAKE) --no-print-directory -C tests/bench fill tools BUILD='$(abspath $(BUILD))'
	$(PYTEST) tests/bench

# Twilio's own library, which the HTTP tests hold the module and the simulator against.
tests/npm/node_modules/.package-lock.json: tests/npm/package-lock.json
	cd tests/npm && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

# Suites that bring a runner of their own.
check-store check-browser: check-%: $(BUILD)/mod_whatsapp.so $(BUILD)/whatsappctl
	@if [ -x tests/$*/run ]; then $(TEST_ENV) tests/$*/run; fi

test-asan: ## every test again under AddressSanitizer and UBSan
	$(MAKE) BUILD=build-asan SANITIZE=address,undefined OPT='-O1 -g' check

# In programs whose children end with a store open, leaks are not searched for: the search reads every mapping to its end, which for a store's
# files lies far behind the file's, and goes over each word there by a SIGBUS of its own. That takes each child half a minute. Nor are they searched
# for in test_store_faults and test_memory_*: libraries leak where they cannot write a file or find memory, as these make them.
VALGRIND    := valgrind -q --fair-sched=try --error-exitcode=99 --suppressions=tests/lint/valgrind.supp
LEAKS       := --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
NO_LEAKS    := $(filter %/test_store_processes %/test_store_kills %/test_store_wait %/test_store_faults %/test_memory_store %/test_memory_messaging %/test_memory_twilio,$(UNIT_BIN))

test-valgrind: $(UNIT_BIN) ## the unit tests under valgrind
	@$(TEST_ENV) tests/lint/run-programs.sh '$(VALGRIND) $(LEAKS)' $(call in_order,$(filter-out $(NO_LEAKS),$(UNIT_BIN)))
	@$(TEST_ENV) tests/lint/run-programs.sh '$(VALGRIND) --leak-check=no' $(call in_order,$(NO_LEAKS))

# make try T=text: one unit test with whatever of the library compiles.
try:
	-@$(MAKE) -k --no-print-directory $(LIB_OBJ) $(HELP_OBJ)
	$(MAKE) --no-print-directory $(BUILD)/obj/tests/unit/test_$(T).o
	$(CC) $(OPT) $(SAN) -pthread -o $(BUILD)/try_$(T) $(BUILD)/obj/tests/unit/test_$(T).o $(wildcard $(HELP_OBJ)) \
	    -Wl,--start-group $(wildcard $(LIB_OBJ)) -Wl,--end-group -lcmocka $(LIBS) $(APR_LIBS)
	$(TEST_ENV) $(BUILD)/try_$(T)

lint: all $(BUILD)/libwa.a ## format, static analysis, layers, cycles, directive reference
	@BUILD='$(BUILD)' tests/lint/run

format: ## rewrites the C files in the project's format, and the Python files where black is installed
	@find mod_whatsapp tests tools -name '*.[ch]' -print0 | xargs -0 clang-format -i --style=file
	@! command -v black >/dev/null || find tests -name node_modules -prune \
	    -o \( -name '*.py' -o -path tests/bench/run -o -path tests/store/crash \) -print0 | xargs -0 black -q -l 100

bench: $(BUILD)/mod_whatsapp.so ## the measurements
	@if [ -x tests/bench/run ]; then $(TEST_ENV) tests/bench/run $(ARGS); else echo 'tests/bench/run is missing' >&2; exit 1; fi

# Debian has a pair of files for a2enmod; elsewhere httpd.conf includes conf/extra/whatsapp.conf.
IS_DEBIAN  := $(wildcard /usr/sbin/a2enmod)$(filter /etc/apache2,$(SYSCONF))
CONF_DIR   := $(SYSCONF)/$(if $(IS_DEBIAN),mods-available,extra)
DOC        ?= $(PREFIX)/share/doc/mod_whatsapp
INSTALLED   = $(LIBEXEC)/mod_whatsapp.so $(SBIN)/whatsappctl
RELOCATE    = sed -e 's|/usr/lib/apache2/modules|$(LIBEXEC)|' -e 's|/usr/share/mod_whatsapp|$(SHARE)|'

# What is installed, its configuration as it was laid down and the web client: conf/setup.sh compares with it what is there now.
SETUP = conf/setup.sh '$(DESTDIR)$(CONF_DIR)' '$(DESTDIR)$(SHARE)'

# Under sudo nothing is built: it would be root's, in the user's directory.
.PHONY: built
built:
	@if ! [ -e $(BUILD)/mod_whatsapp.so ] || ! [ -e $(BUILD)/whatsappctl ] || $(MAKE) -n all | grep -q -e ' -c -o '; then \
	    echo '$(BUILD) is not built or older than its sources: run make first, without sudo' >&2; exit 1; \
	fi

install: $(if $(filter-out 0,$(SUDO_UID)),built,all) ## the module, its configuration and the web client, where apxs and a2enmod expect them
	@umask 022; set -e; is_upgrade=; \
	if [ -e '$(DESTDIR)$(LIBEXEC)/mod_whatsapp.so' ]; then is_upgrade=yes; fi; \
	install -d '$(DESTDIR)$(LIBEXEC)' '$(DESTDIR)$(SBIN)' '$(DESTDIR)$(CONF_DIR)' '$(DESTDIR)$(SHARE)' '$(DESTDIR)$(DOC)/examples'; \
	for file in whatsapp.load whatsapp.conf; do $(RELOCATE) conf/$$file | $(SETUP) put $$file; done; \
	$(SETUP) put-frontend frontend; \
	install -m 644 conf/whatsapp-reference.conf README.md LICENSE '$(DESTDIR)$(DOC)'; \
	install -m 644 conf/examples/*.conf conf/examples/*.filter '$(DESTDIR)$(DOC)/examples'; \
	for file in $(INSTALLED); do \
	    case $$file in *.so) mode=644 ;; *) mode=755 ;; esac; \
	    install -m $$mode "$(BUILD)/$${file##*/}" "$(DESTDIR)$$file.new"; mv -f "$(DESTDIR)$$file.new" "$(DESTDIR)$$file"; \
	done; \
	if [ -n "$$is_upgrade" ]; then \
	    echo 'upgraded. An httpd that runs has the old module until it is restarted; a reload is not enough.'; \
	else \
	    echo 'installed. Next, the account and the first user: $(SYSCONF)/whatsapp-account.conf and whatsapp.users, as $(CONF_DIR)/whatsapp.conf says.'; \
	    echo 'Then $(if $(IS_DEBIAN),a2enmod whatsapp,include whatsapp.load and whatsapp.conf in httpd.conf) and restart httpd.'; \
	fi

uninstall: ## removes what install put there; messages, the account file and what was changed stay
	@# An enabled module that is gone would keep httpd from starting.
	@if [ -z '$(DESTDIR)' ] && [ -e '$(SYSCONF)/mods-enabled/whatsapp.load' ]; then a2dismod -q whatsapp; fi
	@rm -f '$(DESTDIR)$(SYSCONF)/mods-enabled/whatsapp.load' '$(DESTDIR)$(SYSCONF)/mods-enabled/whatsapp.conf'
	@$(SETUP) remove whatsapp.load whatsapp.conf
	@rm -f $(INSTALLED:%='$(DESTDIR)%')
	@rm -rf '$(DESTDIR)$(DOC)'

clean: ## removes what was built
	rm -rf build build-asan

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(MOD_OBJ) $(HELP_OBJ) $(UNIT_OBJ) $(BUILD)/obj/tests/unit/api_support.o $(FUZZ_OBJ) $(TOOL_OBJ))
