# GrimBots. `make` prints the verbs. VENV, PYTHON and PORT may be given: make test PYTHON=python3.13 VENV=.venv313

VENV ?= .venv
PYTHON ?=
ARGS ?=
BIN := $(VENV)/bin
PACKAGES := conf handlers queue services sql
SEEDS ?= 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20
SECONDS ?= 60
WORKERS ?= 3
SEED ?=
BUYERS ?=
# Last, so that an installed redis-server comes before the one `make` puts into the environment.
export PATH := $(PATH):$(abspath $(BIN))
.PHONY: help run test coverage check fix browser redis front monitoring fuzz fuzz-input audit chaos storm mutations proof load bench bench-queue bench-front pictures wheel

help:
	@echo "make run      try GrimBots: starts everything it needs on this machine and says what to open (PORT=8090 moves it)"
	@echo "make test     run the tests, three side by side (ARGS='tests/queue -x' chooses, WORKERS=0 is for a debugger)"
	@echo "make coverage the queue's tests, failing where a branch of queue/ is taken by none of them"
	@echo "make check    formatting, lint, types, import directions"
	@echo "make fix      format, and fix what ruff can fix"
	@echo "make browser  install a Chromium for the browser tests (Debian, Ubuntu)"
	@echo "make redis    install a Redis with Sentinel for the queue's tests (Debian, Ubuntu)"
	@echo "make front    install nginx, HAProxy, supervisor, age and curl for the tests of deploy/ (Debian, Ubuntu)"
	@echo "make monitoring  install Prometheus and Alertmanager for the tests of deploy/ (Debian, Ubuntu)"
	@echo "make fuzz     the queue's model fuzzer (SEEDS=1,2,3 SECONDS=60 each)"
	@echo "make fuzz-input  parsers and routes with INPUTS=5000 inputs out of SEED=1, a tenth as many for the routes"
	@echo "make audit    ask osv.dev whether what the server needs has known vulnerabilities"
	@echo "make chaos    kill, freeze and cut real workers and Redis under load, and judge (SECONDS=120 SEED=7)"
	@echo "make storm    1,000 buyers while Telegram, provider, ad network, Postgres, Redis and processes fail (BUYERS=300 SECONDS=120 SEED=7)"
	@echo "make mutations  take guarding lines out one by one, and see the named test fail (ARGS='9 12' chooses)"
	@echo "make proof    the long kill tests, then chaos and the fuzzer"
	@echo "make load     Locust through nginx to two processes, with the sandbox: 100 users, then 1,000 (ARGS='--users 40 --seconds 10')"
	@echo "make bench    how fast everything is here (three quarters of an hour; README lists the parts)"
	@echo "make bench-queue  the queue beside RQ, Celery, BullMQ and others: half an hour (ARGS='--rounds 1 --only ours,bullmq' chooses)"
	@echo "make bench-front  the webhook beside aiogram, Flask with RQ and others (ARGS='--rounds 2 --only bare,ours' chooses)"
	@echo "make pictures take the pictures of docs/pictures again, under load (SECONDS=420 before the first)"
	@echo "make wheel    build the wheel into dist/"

# setpriv: should make itself be killed, what it started stops too.
run:
	@deploy/bootstrap.sh $(VENV) embedded $(PYTHON)
	@exec setpriv --pdeathsig TERM $(BIN)/grimbots dev

test:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The fuzzer judges scripts, and the slow tests kill processes: neither takes a branch of Python that the others do not.
coverage:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not slow" --ignore tests/queue/test_scripts_fuzz.py tests/queue
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report

check:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	@mkdir -p .types && ln -sfn .. .types/grimbots
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(PACKAGES:%=-p grimbots.%) -m grimbots.server -p grimbots.tests.queue
	PYTHONPATH=.types $(BIN)/lint-imports --no-logo

fix:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

browser:
	@deploy/install_missing.sh chromium:chromium,chromium-browser,google-chrome

redis:
	@deploy/install_missing.sh redis-server:redis-server redis-sentinel:redis-sentinel

front:
	@deploy/install_missing.sh nginx:nginx haproxy:haproxy supervisor:supervisord age:age systemd:systemd-analyze curl:curl

monitoring:
	@deploy/install_missing.sh prometheus:prometheus prometheus:promtool \
		prometheus-alertmanager:prometheus-alertmanager prometheus-alertmanager:amtool

fuzz:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	$(BIN)/python -m grimbots.tests.queue.fuzz --seeds $(SEEDS) --seconds $(SECONDS)

fuzz-input:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	GRIMBOTS_FUZZ_INPUTS=$(or $(INPUTS),5000) GRIMBOTS_FUZZ_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q tests/fuzz

audit:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python deploy/audit.py

chaos: SECONDS = 120
chaos:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	$(BIN)/python -m grimbots.tests.chaos --seconds $(SECONDS) $(SEED:%=--seed %)

storm: SECONDS = 600
storm:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	$(BIN)/python -m grimbots.tests.storms --seconds $(SECONDS) $(BUYERS:%=--buyers %) $(SEED:%=--seed %)

mutations:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	$(BIN)/python -m grimbots.tests.mutations $(ARGS)

proof:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	GRIMBOTS_PROOF=1 $(BIN)/python -m pytest -q -s tests/e2e tests/deploy/test_kills.py tests/services/test_weeks.py
	@$(MAKE) --no-print-directory chaos
	@$(MAKE) --no-print-directory fuzz

load:
	@deploy/bootstrap.sh $(VENV) embedded,test,load $(PYTHON)
	$(BIN)/python -m grimbots.tests.load.run $(ARGS)

bench:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@for file in tests/bench/bench_*.py; do $(BIN)/python -m grimbots.tests.bench.$$(basename $$file .py) || exit 1; done

bench-queue:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python -m grimbots.tests.bench.queue.run $(ARGS)

bench-front:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python -m grimbots.tests.bench.front.run $(ARGS)

pictures: SECONDS = 420
pictures:
	@deploy/bootstrap.sh $(VENV) embedded,test $(PYTHON)
	@$(BIN)/python -m grimbots.tests.pictures.run --seconds $(SECONDS)

wheel:
	@deploy/bootstrap.sh $(VENV) embedded,test,check $(PYTHON)
	@rm -rf build   # setuptools keeps files there that are no more
	$(BIN)/python -m build --wheel --outdir dist .
