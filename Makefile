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
.PHONY: help env demo test ops-scale chaos simulate dashboard capacity contracts bench up down check check-python check-template \
  check-secrets check-workflows audit secrets-baseline format lock package deploy invoke clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	@cd requirements && for name in uv sam ministack checkov security dev documented bench; do $(LOCK) $$name.in --output-file $$name.txt || exit; done

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
test: $(ENVIRONMENTS) .venvs/bench/.ready .venvs/security/.ready ## all tests (PYTEST_ARGS for pytest)
	@$(RUN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

OPS_MESSAGES ?= 10000
ops-scale: $(ENVIRONMENTS) ## list and replay OPS_MESSAGES dead letters with refundctl; how large its process became
	@OPS_MESSAGES=$(OPS_MESSAGES) $(RUN) -m pytest tests/integration/ops/test_scale.py --durations=3

SEED ?=
REQUESTS ?= 1000
chaos: $(ENVIRONMENTS) ## REQUESTS cancellations on a stack of its own, everything going wrong at once (SEED repeats a run)
	@$(RUN) -m local.chaos --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

HISTORIES ?= 10000
simulate: $(ENVIRONMENTS) ## random HISTORIES from SEED on, in memory; HISTORIES=1 tells one call by call
	@$(RUN) -m tests.simulation --histories $(HISTORIES) $(if $(SEED),--seed $(SEED))

dashboard: $(ENVIRONMENTS) ## draw docs/images/dashboard.svg with the data of a run of four minutes
	@$(RUN) -m local.dashboard docs/images/dashboard.svg

capacity: $(ENVIRONMENTS) ## compute the tables of docs/capacity.md from what the functions write
	@$(RUN) -m tests.capacity

# npm is needed for the page alone; nothing that is tested or deployed uses it.
PAGE_PACKAGES = @asyncapi/parser@3.6.6 @asyncapi/react-component@3.2.1 react@18.3.1 react-dom@18.3.1
contracts: $(ENVIRONMENTS) ## write the published contracts from the models, and docs/asyncapi.html (npm)
	@$(RUN) -m local.schemas --write
	@mkdir -p .local/asyncapi
	@npm install --prefix .local/asyncapi --no-save --no-audit --no-fund --ignore-scripts --silent $(PAGE_PACKAGES)
	@cd .local/asyncapi && node $(CURDIR)/local/contract/page.mjs $(CURDIR)/events/asyncapi.yaml $(CURDIR)/docs/asyncapi.html

# An environment of its own: the functions it measures run with nothing else but their layer.
QUICK ?=
GROWTH ?=
bench: $(ENVIRONMENTS) .venvs/bench/.ready ## measure against the documented way, write docs/performance.md (QUICK=1: a minute, no document)
	@$(RUN) -m bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(BENCH_ARGS)

check: check-python check-template check-secrets check-workflows ## everything that is checked without running it, offline

check-python: $(ENVIRONMENTS)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

# The house rules of the template and the imports are tests, so that each is shown to fail too.
check-template: $(ENVIRONMENTS) .venvs/checkov/.ready .venvs/security/.ready
	$(SAM) validate --lint --region $(REGION)
	.venv/bin/cfn-lint --include-checks I --template template.yaml archive.yaml
	.venvs/checkov/bin/checkov --config-file .checkov.yaml
	$(RUN) -m pytest --quiet -p no:cacheprovider $(HOUSE_RULES)

HOUSE_RULES = $(addprefix tests/template/test_,template.py house_rules.py versions.py deployments.py configuration.py) \
  tests/unit/test_architecture.py

# What git knows, or would be told of next.
check-secrets: .venvs/security/.ready
	git ls-files -z --cached --others --exclude-standard -- $(SECRETS_IN) | \
	  xargs -0 .venvs/security/bin/detect-secrets-hook --baseline .secrets.baseline

# Locks are nothing but hashes; the baseline has its own.
SECRETS_IN = ':!requirements/*.txt' ':!layers/refunds/requirements.txt' ':!.secrets.*'

check-workflows: .venvs/security/.ready
	.venvs/security/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venvs/security/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venvs/security/bin/zizmor --offline --pedantic --quiet .github

secrets-baseline: .venvs/security/.ready ## accept what the secrets scan finds now (look at the difference first)
	@git ls-files -z --cached --others --exclude-standard -- $(SECRETS_IN) | \
	  xargs -0 .venvs/security/bin/detect-secrets scan --slim --exclude-lines '$(NO_SECRETS)' > .secrets.new
	@mv .secrets.new .secrets.baseline
	@git diff .secrets.baseline

# Made-up receipt handles and digests of the sample events, and fingerprints of recorded ledger items.
NO_SECRETS = "(receiptHandle|md5Of[A-Za-z]+|fingerprint)":

# Strict: what the advisory data does not know is no clean bill.
audit: .venvs/security/.ready ## known vulnerabilities of everything that is locked (online)
	@status=0; for lock in layers/refunds/requirements.txt requirements/*.txt; do echo "$$lock"; \
	  .venvs/security/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$lock || status=1; \
	done; exit $$status

format: $(ENVIRONMENTS) ## format and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# --- deploying

# From a copy: a __pycache__ that tests left in a function's folder would be deployed, as another function.
SOURCE = .aws-sam/source
package: $(ENVIRONMENTS) ## build for AWS into .aws-sam (PYTHON_VERSION, ARCHITECTURE)
	@rm -rf $(SOURCE) && mkdir -p $(SOURCE)
	@tar -cf - --exclude __pycache__ template.yaml functions layers | tar -xf - -C $(SOURCE)
	@PYTHON_VERSION=$(PYTHON_VERSION) PYTHON_PLATFORM=$(PLATFORM) $(SAM) build --template $(SOURCE)/template.yaml \
	  --parameter-overrides PythonRuntime=python$(PYTHON_VERSION) Architecture=$(ARCHITECTURE)

STAGE ?= dev
deploy: $(ENVIRONMENTS) ## deploy what was packaged to STAGE=dev|stage|prod (CONFIRM=no does not ask)
	@$(SAM) deploy --config-env $(STAGE) $(if $(filter no,$(CONFIRM)),--no-confirm-changeset)

clean: ## remove everything made here (stop the stack first)
	@if [ -e .local/stack.json ]; then echo "the local stack is running: make down first" >&2; exit 1; fi
	rm -rf .venv .venvs .local .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
