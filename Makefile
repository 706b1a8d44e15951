# GrimBots. `make` prints the verbs. VENV, PYTHON and PORT may be given: make test PYTHON=python3.13 VENV=.venv313

VENV ?= .venv
PYTHON ?=
ARGS ?=
BIN := $(VENV)/bin
PACKAGES := conf handlers queue services sql
.PHONY: help run test check fix browser fuzz wheel clean

help:
	@echo "make run      try GrimBots: starts everything it needs on this machine and says what to open (PORT=8090 moves it)"
	@echo "make test     run the tests (ARGS='tests/queue -x' chooses)"
	@echo "make check    formatting, lint, types, import directions"
	@echo "make fix      format, and fix what ruff can fix"
	@echo "make browser  install a Chromium for the browser tests (Debian, Ubuntu)"
	@echo "make fuzz     the queue's fuzzer (SEEDS=20 SECONDS=60)"
	@echo "make wheel    build the wheel into dist/"

# setpriv: should make itself be killed, what it started stops too.
run:
	@deploy/bootstrap.sh $(VENV) embedded $(PYTHON)
	@exec setpriv --pdeathsig TERM $(BIN)/grimbots dev

test:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python -m pytest -q $(ARGS)

check:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	@mkdir -p .types && ln -sfn .. .types/grimbots
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(PACKAGES:%=-p grimbots.%) -m grimbots.server
	PYTHONPATH=.types $(BIN)/lint-imports --no-logo

fix:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

browser:
	@deploy/install_chromium.sh

fuzz:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	$(BIN)/python -m grimbots.tests.queue.fuzz --seeds $(or $(SEEDS),20) --seconds $(or $(SECONDS),60)

wheel:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	$(BIN)/python -m build --wheel --outdir dist .
