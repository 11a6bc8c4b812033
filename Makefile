# make help lists what there is. Everything made here is in .venv, .venvs, .local and .aws-sam.

PYTHON ?= python3
# uv as the caller names it, else from PATH, else one of this project's own.
OWN_UV = .venvs/uv/bin/uv
ifeq ($(origin UV),undefined)
  UV := $(shell uv --version >/dev/null 2>&1 && command -v uv)
endif
ifeq ($(UV),)
  NEEDED_UV = $(OWN_UV)
  override UV := $(CURDIR)/$(OWN_UV)
endif
export UV
export PYTHON
export SAM_CLI_TELEMETRY = 0

RUN = .venv/bin/python
SAM = .venvs/sam/bin/sam
REGION = ap-northeast-2
# What `make package` builds for; the template's defaults.
PYTHON_VERSION ?= 3.13
ARCHITECTURE ?= arm64
PLATFORM = $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-manylinux2014

.DEFAULT_GOAL := help
.PHONY: help env environments demo tail test ops-scale chaos simulate dashboard capacity contracts runbook bench up down check check-python \
  check-template check-secrets check-workflows audit secrets-baseline format lock package deploy verify-aws invoke clean

help:
	@awk -F ':.*## ' '/^\#\#@ /{group = substr($$0, 5)} \
	  /^[a-z-]+:.*## /{printf "%-8s%-16s  %s\n", group, $$1, $$2; group = ""}' $(firstword $(MAKEFILE_LIST))

##@ Set up

ENVIRONMENTS = .venv/.ready .venvs/sam/.ready .venvs/ministack/.ready

env: $(ENVIRONMENTS) ## make the environments (all targets do when needed)

environments: env $(addprefix .venvs/,$(addsuffix /.ready,bench checkov moto security))

# An environment whose Python is gone is made again, whatever its stamp says.
BROKEN := $(shell for ready in .venv/.ready .venvs/*/.ready; do \
  [ ! -e "$$ready" ] || [ -x "$${ready%/.ready}/bin/python" ] || rm -f "$$ready"; done)

# What `make` says before it makes the first environment.
NEW_ENOUGH = "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "this needs Python 3.11 or newer, which $(PYTHON) is not: make … PYTHON=python3.13" >&2; exit 1; }

# $(call environment,FOLDER,LOCK,OTHER ARGUMENTS OF A SECOND INSTALLATION): what fails half-way is not kept.
define environment
	@$(NEW_ENOUGH)
	@echo "environment $(1)"
	@{ $(1)/bin/python -c $(USABLE) 2>/dev/null || { rm -rf $(1) && "$(UV)" venv --quiet --python "$(PYTHON)" $(1); }; } && \
	  "$(UV)" pip install --quiet --python $(1)/bin/python --require-hashes --requirements $(2) && \
	  $(if $(3),"$(UV)" pip install --quiet --python $(1)/bin/python $(3) &&) touch $(1)/.ready || \
	  { rm -rf $(1); echo "the environment $(1) could not be made: the reason is above" >&2; exit 1; }
endef

USABLE = 'import sys; sys.exit(sys.prefix == sys.base_prefix or sys.version_info < (3, 11))'

.venv/.ready: requirements/dev.txt pyproject.toml | $(NEEDED_UV)
	$(call environment,.venv,$<,--no-deps --no-build-isolation --editable .)

.venvs/%/.ready: requirements/%.txt | $(NEEDED_UV)
	$(call environment,.venvs/$*,$<)

# A Python without ensurepip (Debian's without python3-venv) makes no environment with pip in it. The program
# is all that is kept, and only once it is whole.
$(OWN_UV): requirements/uv.txt
	@$(NEW_ENOUGH)
	@echo "environment .venvs/uv"
	@rm -rf .venvs/uv .venvs/uv.unfinished
	@{ "$(PYTHON)" -m venv .venvs/uv.unfinished 2>/dev/null && \
	    .venvs/uv.unfinished/bin/python -m pip install --quiet --require-hashes --requirement $<; } || \
	  { rm -rf .venvs/uv.unfinished && \
	    "$(PYTHON)" -m pip install --quiet --target .venvs/uv.unfinished --require-hashes --requirement $<; } || \
	  { rm -rf .venvs/uv.unfinished; echo "uv could not be installed: the reason is above" >&2; exit 1; }
	@mv .venvs/uv.unfinished .venvs/uv && touch $@

# Nothing that was published later gets into a lock: a release that was tampered with is mostly found out in
# its first days. Move it on with the locks; each lock says with which it was made.
CUT_OFF ?= 2026-11-27

lock: | $(NEEDED_UV) ## lock the newest versions until CUT_OFF
	@cd layers/refunds && $(LOCK) requirements.in --output-file requirements.txt
	@cd requirements && for name in uv sam ministack moto checkov security dev documented bench; do $(LOCK) $$name.in --output-file $$name.txt || exit; done

LOCK = "$(UV)" pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url \
  --python-version 3.11 --exclude-newer $(CUT_OFF) --custom-compile-command "make lock CUT_OFF=$(CUT_OFF)"

clean: ## remove everything made here
	@if [ -e .local/stack.json ]; then echo "the local stack is running: make down first" >&2; exit 1; fi
	rm -rf .venv .venvs .local .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Run

demo: $(ENVIRONMENTS) ## the whole story, judged by the provider's books
	@$(RUN) -m local.demo

up: $(ENVIRONMENTS) ## start the local stack and leave it running (PORT)
	@$(RUN) -m local.stack up

tail: $(ENVIRONMENTS) ## outcomes on the accounting bus, as they come
	@$(RUN) -m local.stack tail

down: $(ENVIRONMENTS) ## stop the local stack
	@$(RUN) -m local.stack down

EVENT ?= events/payment_cancel/eventbridge.json
FUNCTION ?= payment_cancel
export EVENT FUNCTION
invoke: $(ENVIRONMENTS) ## sam local invoke, in Docker: FUNCTION=… EVENT=…
	@$(RUN) -m local.stack invoke "$$FUNCTION" "$$EVENT"

##@ Check

# Integration waits while simulation computes: each file to whoever is free, the slow folders first.
PARALLEL ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
test: $(ENVIRONMENTS) .venvs/bench/.ready .venvs/moto/.ready .venvs/security/.ready ## all tests (PYTEST_ARGS for pytest)
	@$(RUN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

OPS_MESSAGES ?= 10000
ops-scale: $(ENVIRONMENTS) ## list and replay OPS_MESSAGES dead letters
	@OPS_MESSAGES=$(OPS_MESSAGES) $(RUN) -m pytest tests/integration/ops/test_scale.py --durations=3

SEED ?=
REQUESTS ?= 1000
chaos: $(ENVIRONMENTS) ## REQUESTS cancellations, all goes wrong at once (SEED)
	@$(RUN) -m local.chaos --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

HISTORIES ?= 10000
simulate: $(ENVIRONMENTS) ## random HISTORIES in memory, from SEED on
	@$(RUN) -m tests.simulation --histories $(HISTORIES) $(if $(SEED),--seed $(SEED))

dashboard: $(ENVIRONMENTS) ## draw docs/images/dashboard.svg
	@$(RUN) -m local.dashboard docs/images/dashboard.svg

capacity: $(ENVIRONMENTS) ## compute the tables of docs/capacity.md
	@$(RUN) -m tests.capacity

# npm is needed for the page alone; nothing that is tested or deployed uses it.
PAGE_PACKAGES = @asyncapi/parser@3.6.6 @asyncapi/react-component@3.2.1 react@18.3.1 react-dom@18.3.1
contracts: $(ENVIRONMENTS) ## write schemas, AsyncAPI and its page from the models
	@$(RUN) -m local.schemas --write
	@mkdir -p .local/asyncapi
	@npm install --prefix .local/asyncapi --no-save --no-audit --no-fund --ignore-scripts --silent $(PAGE_PACKAGES)
	@cd .local/asyncapi && node $(CURDIR)/local/contract/page.mjs $(CURDIR)/events/asyncapi.yaml $(CURDIR)/docs/asyncapi.html

runbook: .venv/.ready ## write the runbook's entries into refundctl
	@$(RUN) -m local.runbook

# An environment of its own: the functions it measures run with nothing else but their layer.
QUICK ?=
GROWTH ?=
bench: $(ENVIRONMENTS) .venvs/bench/.ready ## measure, write docs/performance.md (QUICK=1: brief)
	@$(RUN) -m bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(BENCH_ARGS)

check: check-python check-template check-secrets check-workflows ## all that is checked without running it (offline)

check-python: $(ENVIRONMENTS)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

# The house rules of the template and the imports are tests, so that each is shown to fail too.
check-template: $(ENVIRONMENTS) .venvs/checkov/.ready .venvs/security/.ready
	"$(SAM)" validate --lint --region $(REGION)
	.venv/bin/cfn-lint --include-checks I --template template.yaml archive.yaml schemas.yaml examples/consumer/template.yaml
	$(RUN) -m tests.template.expansion template.yaml .local/unrolled/template.json
	.venvs/checkov/bin/checkov --config-file .checkov.yaml
	$(if $(HOUSE_RULES),$(RUN) -m pytest --quiet -p no:cacheprovider $(HOUSE_RULES))

HOUSE_RULES = $(addprefix tests/template/test_,template.py loop.py house_rules.py versions.py deployments.py configuration.py) \
  tests/unit/test_architecture.py

# What git knows, or would be told of next.
check-secrets: .venvs/security/.ready
	git ls-files -z --cached --others --exclude-standard -- $(SECRETS_IN) | \
	  xargs -0 .venvs/security/bin/detect-secrets-hook --baseline .secrets.baseline

# Locks are nothing but hashes; the baseline has its own.
SECRETS_IN = ':!requirements/*.txt' ':!requirements/typescript/package-lock.json' ':!layers/refunds/requirements.txt' ':!.secrets.*'

check-workflows: .venvs/security/.ready
	.venvs/security/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venvs/security/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venvs/security/bin/zizmor --offline --pedantic --quiet .github

secrets-baseline: .venvs/security/.ready ## accept what the secrets scan finds now
	@git ls-files -z --cached --others --exclude-standard -- $(SECRETS_IN) | \
	  xargs -0 .venvs/security/bin/detect-secrets scan --slim --exclude-lines '$(NO_SECRETS)' > .secrets.new
	@mv .secrets.new .secrets.baseline
	@git diff .secrets.baseline

# Made-up receipt handles and digests of the sample events, and fingerprints of recorded ledger items.
NO_SECRETS = "(receiptHandle|md5Of[A-Za-z]+|fingerprint)":

# Strict: what the advisory data does not know is no clean bill.
audit: .venvs/security/.ready ## known vulnerabilities of what is locked (online)
	@status=0; for lock in layers/refunds/requirements.txt requirements/*.txt; do echo "$$lock"; \
	  .venvs/security/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$lock || status=1; \
	done; exit $$status

format: $(ENVIRONMENTS) ## format and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

##@ Deploy

# From a copy: a __pycache__ that tests left in a function's folder would be deployed, as another function.
# In a folder of its own: what a plain `sam build` makes is for this machine, and never deployed.
SOURCE = .aws-sam/source
PACKAGE = .aws-sam/package
package: $(ENVIRONMENTS) ## build for AWS (PYTHON_VERSION, ARCHITECTURE)
	@rm -rf $(SOURCE) && mkdir -p $(SOURCE)
	@tar -cf - --exclude __pycache__ template.yaml samconfig.toml functions layers | tar -xf - -C $(SOURCE)
	@PYTHON_VERSION=$(PYTHON_VERSION) PYTHON_PLATFORM=$(PLATFORM) "$(SAM)" build --template $(SOURCE)/template.yaml --build-dir $(PACKAGE) \
	  --parameter-overrides PythonRuntime=python$(PYTHON_VERSION) Architecture=$(ARCHITECTURE)

STAGE ?= dev
verify-aws: $(ENVIRONMENTS) ## check the assumptions about AWS on STAGE (LOCAL=1)
	@$(RUN) -m verify $(if $(LOCAL),--local,--stack refunds-$(STAGE))

deploy: $(ENVIRONMENTS) ## deploy what was packaged to STAGE (CONFIRM=no)
	@"$(SAM)" deploy --config-env $(STAGE) $(if $(filter no,$(CONFIRM)),--no-confirm-changeset)
