# One command each; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTERS ?= 2
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
INSTALL = $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run install check test coverage test-all bench chaos servers models docs notebook clean
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.serving: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the serving part into $(VENV) (no torch) ..."
	@$(PIP) --editable '.[serve,client,durable]'
	@touch $@

# torch first and pinned: anything looser brings gigabytes of CUDA along
$(VENV)/.learning: $(VENV)/.serving
	@echo "installing the learning part and the tools into $(VENV) ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[learn,sources,signing,examples,serve,postgres,redis,oidc,durable,client,telemetry]'
	@$(PIP) --upgrade pip && $(PIP) --group dev
	@touch $@

install: $(VENV)/.learning  ## install everything: learning, sources, tools

run: $(VENV)/.serving  ## install the light part, classify the shipped samples, then serve on http://127.0.0.1:8000
	@$(BIN)/hilum predict samples
	@$(BIN)/hilum serve

check: $(VENV)/.learning  ## formatting, lint, types, arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check  ## check, then all tests that take minutes, in two processes (TESTERS=N for more)
	$(BIN)/python -m pytest -m 'not slow' -n $(TESTERS) --dist loadfile

coverage: $(VENV)/.learning  ## the same tests with branch coverage, which must not fall below 94%
	$(BIN)/python -m pytest -m 'not slow' -n $(TESTERS) --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=94

test-all: check  ## every test, the slow ones too
	$(BIN)/python -m pytest

bench: $(VENV)/.learning  ## speed and memory as ratios within one run
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/serving.py

servers:  ## the servers and the browser that tests start: PostgreSQL, Redis, Chromium (Debian packages, as root)
	@{ command -v redis-server && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || { $(INSTALL) redis-server postgresql >/dev/null; }
	@{ command -v chromium-headless-shell || command -v chromium || command -v google-chrome; } >/dev/null || \
	  { $(INSTALL) chromium-headless-shell >/dev/null; } || { $(INSTALL) chromium >/dev/null; }

chaos: $(VENV)/.learning  ## kill the server at 1,000 random instants under load and prove that nothing is lost
	$(BIN)/python benchmarks/chaos.py

models: $(VENV)/.learning  ## train the shipped packages again, measure them and put them in models/ (hours on two cores)
	$(BIN)/python recipes/shipped.py
	$(BIN)/python recipes/figures.py --models models-build/sealed
	rm -rf models-build/new && cp -r models-build/sealed models-build/new && rm -r models && mv models-build/new models

docs: $(VENV)/.learning  ## write the generated reference pages again
	$(BIN)/python scripts/write_reference.py

notebook: $(VENV)/.learning  ## run the example notebook from top to bottom
	$(BIN)/python -m jupyter nbconvert --to notebook --execute --output-dir out examples/explore_train_evaluate.ipynb

clean:  ## remove what the targets made
	rm -rf $(VENV) out build dist
