# Two commands do everything on a fresh Debian 12 with python3, venv and make: `make run`, `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Twice quiet: warnings of old build scripts are for others to read, errors are still told.
PIP     = $(BIN)/pip -qq --disable-pip-version-check

.PHONY: run test check format bench lock clean rules metrics pages reference

run: $(VENV)/.run
	@$(BIN)/entrepot serve --cache var/cache $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check server tests
	$(BIN)/ruff check server tests
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py tests/unit/test_tree.py

format: $(VENV)/.dev
	$(BIN)/ruff format server tests
	$(BIN)/ruff check --fix server tests

bench: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

# The table of contract rules and the tests that cover them, made from the tests' own marks.
rules: $(VENV)/.dev
	$(BIN)/python tests/rules.py > docs/contract-coverage.md

# The page of what is counted, made from the counters.
metrics: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python tests/metricsdoc.py > docs/metrics.md

# What entrepot setup says, in the pages of docs/clients.
pages: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python tests/clientpages.py

# Every key of the settings and every command, made from the models and from what --help says.
reference: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python tests/configdoc.py > docs/reference-config.md
	PYTHONPATH=tests $(BIN)/python tests/commandsdoc.py > docs/commands.md

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "Installing requirements.lock into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@echo "Installing requirements-dev.lock into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

# Needs uv; everybody else installs from the committed lock files.
lock:
	uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --universal --python-version 3.11 \
	  --extra build pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --universal --python-version 3.11 \
	  --extra build --extra dev --extra keyless pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) var build dist server/*.egg-info
