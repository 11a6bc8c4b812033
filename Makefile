# make help lists what there is. Everything made here is in .venv, .venvs, .local and .aws-sam.

PYTHON ?= python3
# uv from PATH, else one of this project's own.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo $(CURDIR)/.venvs/uv/bin/uv)
export UV
export SAM_CLI_TELEMETRY = 0

RUN = .venv/bin/python
SAM = .venvs/sam/bin/sam
REGION = ap-northeast-2
# What `make package` builds for; the template's defaults.
PYTHON_VERSION ?= 3.13
ARCHITECTURE ?= arm64
PLATFORM = $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-manylinux2014

.DEFAULT_GOAL := help
.PHONY: help env demo test chaos simulate dashboard up down check format lock package invoke clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments

ENVIRONMENTS = .venv/.ready .venvs/sam/.ready .venvs/ministack/.ready

env: $(ENVIRONMENTS) ## make the environments (every other target does it when needed)

.venv/.ready: requirements/dev.txt pyproject.toml | $(UV)
	@echo "environment .venv"
	@[ -x .venv/bin/python ] || "$(UV)" venv --quiet --python $(PYTHON) .venv
	@"$(UV)" pip install --quiet --python .venv/bin/python --require-hashes --requirements requirements/dev.txt
	@"$(UV)" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

.venvs/%/.ready: requirements/%.txt | $(UV)
	@echo "environment .venvs/$*"
	@[ -x .venvs/$*/bin/python ] || "$(UV)" venv --quiet --python $(PYTHON) .venvs/$*
	@"$(UV)" pip install --quiet --python .venvs/$*/bin/python --require-hashes --requirements $<
	@touch $@

# A Python without ensurepip (Debian's without python3-venv) makes no environment with pip in it.
$(CURDIR)/.venvs/uv/bin/uv: requirements/uv.txt
	@echo "environment .venvs/uv"
	@rm -rf .venvs/uv
	@{ $(PYTHON) -m venv .venvs/uv && .venvs/uv/bin/pip install --quiet --require-hashes --requirement $<; } || \
	  { rm -rf .venvs/uv && $(PYTHON) -m pip install --quiet --target .venvs/uv --require-hashes --requirement $<; }
	@touch $@

lock: | $(UV) ## lock the newest versions: requirements/*.txt and the layer's
	@cd layers/refunds && $(LOCK) requirements.in --output-file requirements.txt
	@cd requirements && for name in uv sam ministack checkov dev; do $(LOCK) $$name.in --output-file $$name.txt || exit; done

LOCK = "$(UV)" pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url \
  --python-version 3.11 --custom-compile-command "make lock"

# --- running

demo: $(ENVIRONMENTS) ## the whole story on the local stack, with the oracle's verdict
	@$(RUN) -m local.demo

up: $(ENVIRONMENTS) ## start the local stack and leave it running (PORT moves it)
	@$(RUN) -m local.stack up

down: $(ENVIRONMENTS) ## stop the local stack
	@$(RUN) -m local.stack down

EVENT ?= events/payment_cancel/eventbridge.json
FUNCTION ?= payment_cancel
invoke: $(ENVIRONMENTS) ## one event through `sam local invoke` in Docker: EVENT=… FUNCTION=…
	@$(RUN) -m local.stack invoke $(FUNCTION) $(EVENT)

# --- checking

# Integration waits while simulation computes: each file to whoever is free, the slow folders first.
PARALLEL ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
test: $(ENVIRONMENTS) ## all tests (PYTEST_ARGS for pytest)
	@$(RUN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

SEED ?=
REQUESTS ?= 1000
chaos: $(ENVIRONMENTS) ## REQUESTS cancellations on a stack of its own, everything going wrong at once (SEED repeats a run)
	@$(RUN) -m local.chaos --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

HISTORIES ?= 10000
simulate: $(ENVIRONMENTS) ## random HISTORIES from SEED on, in memory; HISTORIES=1 tells one call by call
	@$(RUN) -m tests.simulation --histories $(HISTORIES) $(if $(SEED),--seed $(SEED))

dashboard: $(ENVIRONMENTS) ## draw docs/images/dashboard.svg with the data of a run of four minutes
	@$(RUN) -m local.dashboard docs/images/dashboard.svg

check: $(ENVIRONMENTS) .venvs/checkov/.ready ## format, lint, types, template
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(SAM) validate --lint --region $(REGION)
	.venv/bin/cfn-lint --include-checks I --template template.yaml
	.venvs/checkov/bin/checkov --config-file .checkov.yaml

format: $(ENVIRONMENTS) ## format and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# --- deploying

package: $(ENVIRONMENTS) ## build for AWS into .aws-sam (PYTHON_VERSION, ARCHITECTURE); then: sam deploy --config-env …
	@PYTHON_VERSION=$(PYTHON_VERSION) PYTHON_PLATFORM=$(PLATFORM) $(SAM) build \
	  --parameter-overrides PythonRuntime=python$(PYTHON_VERSION) Architecture=$(ARCHITECTURE)

clean: ## remove everything made here (stop the stack first)
	@if [ -e .local/stack.json ]; then echo "the local stack is running: make down first" >&2; exit 1; fi
	rm -rf .venv .venvs .local .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
