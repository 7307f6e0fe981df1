# What a person does with this repository. It needs make and a Python of 3.11 or newer; the rest
# is installed into .venv, once, and again only when pyproject.toml or constraints.txt changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# What is made at the same time (`make -j2 check`) is told one after the other, where make can.
ifneq ($(filter output-sync,$(.FEATURES)),)
MAKEFLAGS += --output-sync
endif
# The tests start hundreds of processes: what one has compiled, the others need not.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo test coverage check style types layers dependencies branches format bench chaos prove clean

# The first Python that starts and is new enough; `make PYTHON=…` names another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
BIN := .venv/bin
ARGS ?=
WORKERS = $$(getconf _NPROCESSORS_ONLN)
# Half of what a tester does is waiting for processes and servers, so there are more testers than
# processors. Whoever is done takes over from the others: what is slow lies together.
TOGETHER = -n $$(($(WORKERS) * 3 / 2)) --dist worksteal
# The mistakes in rejects.py are planted: the tests say where each must be refused.
CHECKED := src benchmarks $(filter-out %/rejects.py,$(wildcard tests/typing/*.py))

help: ## show what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/for-demo ## place orders against a sandbox that fails (ARGS="--help")
	$(BIN)/makegood demo $(ARGS)

test: .venv/for-test ## run the whole test suite (ARGS="-k retry")
	$(BIN)/python -m pytest $(TOGETHER) $(ARGS)

coverage: .venv/for-test ## run the tests and show which lines they miss
	$(BIN)/python -m pytest $(TOGETHER) --cov $(ARGS)

check: style types layers dependencies branches ## check style, types, layers, dependencies and branches

style: .venv/for-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/for-check
	$(BIN)/mypy $(CHECKED)
	$(BIN)/basedpyright --pythonpath $(BIN)/python

layers: .venv/for-check
	$(BIN)/lint-imports --no-logo

dependencies: .venv/for-check
	$(BIN)/deptry src benchmarks

# Every branch is in a table of the tests, so a few examples of each property are enough here.
branches: .venv/for-check
	$(BIN)/python -m pytest -q tests/decision --hypothesis-profile=branches \
		--cov=makegood.decision --cov-branch \
		--cov-report=term --cov-fail-under=100

format: .venv/for-check ## put the code into shape
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: .venv/for-bench ## measure, beside the floor (ARGS="growth --journal postgres")
	$(BIN)/python -m benchmarks $(or $(ARGS),checkout5 --concurrency 256 --floor)

chaos: .venv/for-test ## kill real processes, break disks and connections: 30 minutes (ARGS="--kills 50")
	$(BIN)/python -m tests.chaos $(ARGS)

prove: .venv/for-test ## play 100,000 simulated worlds and every crash, and keep the sealed record
	$(BIN)/python -m tests.simulation --seeds 0:100000 --workers $(WORKERS) \
		--result docs/explanation/proof.json $(ARGS)
	$(BIN)/python -m tests.simulation.kinds --seeds 0:2000
	$(BIN)/python -m tests.simulation.crashing --workers $(WORKERS)

clean: ## remove everything that was made here
	rm -rf .venv dist build .coverage .coverage.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp says that the extras named beside it are installed. Whoever can check can test.
.venv/for-demo: EXTRAS := standard,postgres,nats,demo
.venv/for-test: EXTRAS := standard,test
.venv/for-check: EXTRAS := standard,uvloop,test,dev
.venv/for-check: ALSO := .venv/for-test
.venv/for-bench: EXTRAS := standard,uvloop,postgres,test

.venv/for-%: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@ $(ALSO)

.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'makegood needs Python 3.11 or newer: none was found' >&2; exit 1; }
	$(PYTHON) -m venv .venv
