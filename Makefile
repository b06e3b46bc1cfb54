# The commands of a newcomer are `make run` and `make test`; the rest is for those who stay.
PYTHON ?= $(shell scripts/find-python)
BIN := .venv/bin
SOURCES := pyproject.toml postrenderer/__init__.py

.PHONY: run test test-all e2e lint format bench tools docs clean

run: .venv/run ## Show on a real chart what the post-renderer does
	@scripts/demo

test: .venv/dev ## Run the tests with one Python; those that need Go's programs are skipped without Go
	@if command -v go >/dev/null; then tools/install yq; \
	else echo "make test: no Go here, so the tests that ask other programs are skipped"; fi
	$(BIN)/pytest -m "not e2e" --cov --cov-report=term --cov-fail-under=95

test-all: test ## Run the tests with every Python from 3.10 to 3.13 that is found
	scripts/test-all

e2e: .venv/dev tools ## Drive the real programs: Helm 3, Helm 4, kustomize, the Pod Security evaluator
	$(BIN)/pytest -m e2e

lint: .venv/dev ## Check style, types, and that generated files are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/generate_schemas.py --check
	$(BIN)/python scripts/generate_docs.py --check

format: .venv/dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev ## Measure whole processes against other programs
	@if command -v go >/dev/null; then tools/install yq kustomize helm3 helm4 argocd-cmp-server cmp-client; fi
	@$(BIN)/pip install -q --group bench
	@$(BIN)/python scripts/bench.py
	@if command -v go >/dev/null; then echo; $(BIN)/python scripts/bench_argocd.py; fi

tools: ## Install the real programs that the tests drive, pinned, into the user's cache
	@tools/install

docs: .venv/dev ## Generate the JSON schemas and the reference
	$(BIN)/python scripts/generate_schemas.py
	$(BIN)/python scripts/generate_docs.py

clean:
	rm -rf .venv .venvs dist

.venv/run: $(SOURCES)
	@test -n "$(PYTHON)"
	@echo "Setting up .venv ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

.venv/dev: $(SOURCES)
	@test -n "$(PYTHON)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[registry]" --group dev
	@touch $@ .venv/run
