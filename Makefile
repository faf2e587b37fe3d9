# Needs make and Python 3.11 or newer, nothing else: .venv is built on the first call, and repaired by
# the next one if that was interrupted. Written for GNU make 3.81 (macOS) as well as 4.
#
#   PYTHON=/path/to/python make test     takes that interpreter, if it fits

VENV := .venv
BIN := $(VENV)/bin

# A stamp is made last, so it stands for an installation that is complete. It holds the folder that
# it was made in, because a virtual environment does not survive being moved.
RUN_STAMP := $(VENV)/.run-stamp
DEV_STAMP := $(VENV)/.dev-stamp
BENCH_STAMP := $(VENV)/.bench-stamp
# Holds the process number of the make that is installing; left behind by one that was interrupted.
INSTALLING := $(VENV)/.installing

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help run test update torture check bench clean FORCE
# With -j, two installations would meet in one .venv.
.NOTPARALLEL:

help:  ## these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP)  ## run the example job over 7,884 airports
	@$(BIN)/runner run jobs/nearest_hub.yaml
	@echo "rows: out/nearest_hub.jsonl ($$(wc -l < out/nearest_hub.jsonl | tr -d ' ') lines)," \
	    "items that failed: out/nearest_hub.failed.jsonl"

test: check  ## check, then all tests
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

update: $(DEV_STAMP)  ## write anew what is generated: tables, faults.md, the schema, texts of broken files
	@$(BIN)/python docs/make.py
	@UPDATE_FAULTS=1 $(BIN)/python -m pytest --quiet tests/jobfile/test_shown_faults.py

torture: $(DEV_STAMP)  ## 2,000 kills, a failure at every file operation, thousands of power losses (an hour)
	@TORTURE=1 TORTURE_KILLS=2000 $(BIN)/python -m pytest tests/durability --numprocesses 2

check: $(DEV_STAMP)  ## lint, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy -p runner -p jobs

bench: $(BENCH_STAMP)  ## compare with the peers, measure waiting, start-up and memory (half an hour)
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/waiting.py
	@$(BIN)/python benchmarks/engine.py
	@$(BIN)/python benchmarks/policies.py
	@$(BIN)/python benchmarks/endtoend.py
	@$(BIN)/python benchmarks/memory.py --quick

clean:  ## remove .venv, caches, and what runs have left in out/ and .runner/
	rm -rf $(VENV) build dist out .runner .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find runner jobs tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

# An environment that is half built, was moved, or has lost its Python is not up to date, whatever
# the date of its stamp.
ifneq ($(wildcard $(RUN_STAMP)),)
ifneq ($(shell test ! -e $(INSTALLING) && $(BIN)/python -c '' 2>/dev/null && cat $(RUN_STAMP)),$(CURDIR))
$(RUN_STAMP): FORCE
endif
endif
FORCE:

$(RUN_STAMP): pyproject.toml
	@$(make_venv)
	@echo "$(VENV): installing the runner"
	@$(PIP) --editable .
	@rm -f $(INSTALLING)
	@pwd -P > $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo $$PPID > $(INSTALLING)
	@echo "$(VENV): installing what the tests need"
	@$(PIP) 'pip>=25.1'
	@$(PIP) --group dev
	@rm -f $(INSTALLING)
	@pwd -P > $@

$(BENCH_STAMP): $(RUN_STAMP)
	@echo $$PPID > $(INSTALLING)
	@echo "$(VENV): installing the peers of the benchmark"
	@$(PIP) 'pip>=25.1'
	@$(PIP) --group bench
	@rm -f $(INSTALLING)
	@pwd -P > $@

# Makes sure that .venv is there, works, and is marked as being installed into. What an earlier make
# has left half done is thrown away, unless that make is still at it. (Its number may belong to a
# zombie, in a container that reaps none, or to something else by now. Slim images have no ps.)
define make_venv
set -e; \
if [ -e $(INSTALLING) ]; then \
    other=$$(cat $(INSTALLING)); \
    case $$(ps -o stat= -o comm= -p "$$other" 2>/dev/null || head -n 3 "/proc/$$other/status" 2>/dev/null) in \
    Z* | *zombie*) ;; \
    *make*) echo "make: process $$other is installing into $(VENV): wait, or remove $(VENV)" >&2; exit 1 ;; \
    esac; \
    echo "$(VENV): half built, making it anew"; rm -rf $(VENV); \
elif [ -e $(RUN_STAMP) ] && [ "$$(cat $(RUN_STAMP))" != "$$(pwd -P)" ]; then \
    echo "$(VENV): made in another folder, making it anew"; rm -rf $(VENV); \
elif [ -e $(VENV) ] && ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
    echo "$(VENV): no working Python 3.11 or newer with pip in it, making it anew"; rm -rf $(VENV); \
fi; \
if [ ! -e $(VENV) ]; then \
    $(find_python); \
    mkdir $(VENV); echo $$PPID > $(INSTALLING); \
    echo "$(VENV): making it with $$("$$python" --version) ($$python)"; \
    "$$python" -m venv $(VENV); \
fi; \
echo $$PPID > $(INSTALLING)
endef

# Sets $python to the first interpreter that is new enough and can make a virtual environment, or
# stops and says what to install.
define find_python
python=; lame=; \
for candidate in "$$PYTHON" python3.13 python3.12 python3.11 python3.14 python3 python; do \
    [ -n "$$candidate" ] || continue; \
    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
        if "$$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then python=$$candidate; break; fi; \
        lame=$${lame:-$$candidate}; \
    fi; \
    if [ "$$candidate" = "$$PYTHON" ]; then \
        echo "make: PYTHON=$$PYTHON is no Python 3.11 or newer with venv and ensurepip, looking for another" >&2; \
    fi; \
done; \
if [ -z "$$python" ]; then \
    if [ -n "$$lame" ]; then \
        echo "make: $$lame cannot make virtual environments (no venv or ensurepip)." >&2; \
        echo "make: install them (Debian, Ubuntu: apt install python3-venv), or set PYTHON to another Python" >&2; \
    else \
        echo "make: no Python 3.11 or newer found. Install one (https://www.python.org/downloads/;" >&2; \
        echo "make: apt install python3 python3-venv; brew install python), or set PYTHON to its path" >&2; \
    fi; \
    exit 1; \
fi
endef
