# Installs what each target needs, and runs it. `make` alone tells the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv-$(VERSION)
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --no-input -qq
INSTALL_LOCKED := $(PIP) install --no-build-isolation --require-hashes --requirement
INSTALL_PROJECT := $(PIP) install --no-deps --no-build-isolation --editable .
BEGAN := $(shell date +%s)
LOCKING := .venv-lock/bin/uv pip compile --upgrade --universal --python-version 3.11 \
    --generate-hashes --no-annotate --no-header --quiet
# What wheels are made with, ours and those of what is published as a source only.
BUILD_TOOLS := printf 'hatchling\neditables\nsetuptools\n'

.PHONY: help
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

.PHONY: test
test: $(VENV)/.dev servers ## install all that the tests need, real servers included, and run them all
	$(BIN)/python -m pytest $(ARGS)
	@echo "make test: Python $(VERSION), $$(( $$(date +%s) - $(BEGAN) )) s in all"

.PHONY: test-fast
test-fast: $(VENV)/.dev ## the tests without the real servers
	$(BIN)/python -m pytest -m 'not live' $(ARGS)

.PHONY: check
check: $(VENV)/.dev audit licences ## format, lint, types, layering, licences, known vulnerabilities
	$(BIN)/ruff format --check probe tests dashboards deploy
	$(BIN)/ruff check probe tests dashboards deploy
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/contract/test_layering.py

.PHONY: audit
audit: .venv-audit/.done ## known vulnerabilities of what is locked; ARGS=--required: not to know fails
	$(PYTHON) deploy/release/audit.py .venv-audit/bin/pip-audit $(filter --required,$(ARGS))

.PHONY: licences
licences: $(VENV)/.dev ## the licences of what runs; one that does not fit the GPL fails
	$(BIN)/python deploy/release/licences.py

.PHONY: release-notes
release-notes: ## what CHANGELOG.md says of a version: ARGS=0.1.0
	@$(PYTHON) deploy/release/notes.py $(ARGS)

.PHONY: demo
demo: $(VENV)/.demo ## embedded mail servers and prober in one process; ARGS='--scenario NAME'
	$(BIN)/mailprobe demo $(ARGS)

.PHONY: rules
rules: ## write deploy/prometheus/rules from their templates and deploy/prometheus/base_urls.txt
	$(PYTHON) deploy/prometheus/render.py

.PHONY: dashboards
dashboards: $(VENV)/.dev ## write the dashboards anew from dashboards/source
	$(BIN)/python -m dashboards.source

.PHONY: bench
bench: $(VENV)/.dev servers ## measure: probes per second, lag, error of the delay, memory
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: simulate
simulate: $(VENV)/.dev ## the detector in simulated worlds: every single fault, thirty days; ARGS='days'
	$(BIN)/python -m tests.simulation $(ARGS)

.PHONY: bench-detection
bench-detection: $(VENV)/.dev servers ## measure: how long it takes to name a fault; ARGS='--runs 100'
	$(BIN)/python -m tests.bench.detection $(ARGS)

.PHONY: lock
lock: .venv-lock/.done ## choose the newest versions anew, and write requirements*.lock
	$(BUILD_TOOLS) | $(LOCKING) --all-extras --output-file requirements.lock pyproject.toml -
	$(BUILD_TOOLS) | $(LOCKING) --constraint requirements.lock --output-file requirements-build.lock -
	$(LOCKING) --extra demo --constraint requirements.lock --output-file requirements-run.lock pyproject.toml
	@! grep -nE '://|^-' requirements*.lock

.PHONY: servers
servers:
	@.ci/install-packages /usr/lib/postfix/sbin/master=postfix /usr/sbin/dovecot=dovecot-imapd \
	    /usr/lib/dovecot/lmtp=dovecot-lmtpd \
	    /usr/lib/dovecot/modules/lib90_sieve_plugin.so=dovecot-sieve /usr/sbin/nsd=nsd \
	    /usr/sbin/knotd=knot /usr/sbin/unbound=unbound \
	    /usr/sbin/opendkim=opendkim /usr/bin/prometheus=prometheus \
	    /usr/bin/prometheus-alertmanager=prometheus-alertmanager /usr/bin/swaks=swaks \
	    /usr/share/perl5/IO/Socket/SSL.pm=libio-socket-ssl-perl /usr/bin/dig=bind9-dnsutils \
	    /usr/bin/curl=curl /usr/bin/systemd-analyze=systemd \
	    /usr/bin/buildah=buildah /usr/bin/podman=podman /usr/sbin/runc=runc \
	    /usr/bin/mmdebstrap=mmdebstrap

.PHONY: clean
clean: ## remove what was installed and built here; Debian packages stay
	rm -rf .venv-* .cache dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.dev: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/pip
	$(INSTALL_LOCKED) requirements-build.lock
	$(INSTALL_LOCKED) requirements.lock
	$(INSTALL_PROJECT)
	@touch $@ $(VENV)/.demo

$(VENV)/.demo: requirements-run.lock requirements-build.lock pyproject.toml | $(BIN)/pip
	$(INSTALL_LOCKED) requirements-build.lock
	$(INSTALL_LOCKED) requirements-run.lock
	$(INSTALL_PROJECT)
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "mailprobe needs Python 3.11 or newer: make PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/install-packages python$(VERSION)-venv
	$(PYTHON) -m venv $(VENV)

# Without access to a registry there is no pip-audit, which the audit says.
.venv-audit/.done:
	$(PYTHON) -m venv .venv-audit
	if .venv-audit/bin/pip --disable-pip-version-check --quiet install pip-audit; then touch $@; fi

.venv-lock/.done:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip --disable-pip-version-check --quiet install uv
	@touch $@
