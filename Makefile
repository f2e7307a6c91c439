# How to run, test and work on Parlor. Each target does the set-up that it needs, and nothing twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

LISTEN ?= 127.0.0.1:8080
ROWS ?=
ROUNDS ?= 100
NODES ?=
CHROMIUM ?= $(shell command -v chromium)
FIREFOX ?= $(shell command -v firefox-esr)
# LANG is also set in most environments, so only its value from the command line counts.
CLIENT := $(if $(filter command line,$(origin LANG)),$(LANG))
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PARLOR_BIN := $(TARGET)/debug/parlor
SCHEMATHESIS := $(TARGET)/fuzz/bin/schemathesis
CARGO_DENY := $(TARGET)/deny/bin/cargo-deny
CARGO_DENY_VERSION := 0.20.2

# npm writes this file last, so it tells make when the packages were installed.
WEB_PACKAGES := web/node_modules/.package-lock.json
LINT_PACKAGES := openapi/node_modules/.package-lock.json
API_CLIENT := web/src/api/generated/sdk.gen.ts
WEB_SOURCES := $(shell find web/src web/public web/plugins web/swagger -type f -not -path 'web/src/api/generated/*' 2>/dev/null) \
	$(wildcard web/*.ts web/*.js web/index.html)

.PHONY: help run dev test firefox deny fuzz clients bench torture openapi tools test-tools clients-tools bench-tools

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools web/dist/index.html ## Build all and serve it with the data in data/ (LISTEN=127.0.0.1:8080)
	cargo build --locked
	@echo
	@echo "  Chat:                http://$(LISTEN)/"
	@echo "  API in Swagger UI:   http://$(LISTEN)/docs"
	@echo "  Stop with Ctrl-C. This is a debug build; 'cargo build --release' makes the one to install."
	@echo
	@exec $(PARLOR_BIN) serve --data data --listen $(LISTEN)

dev: tools $(API_CLIENT) ## Serve the web client with hot reload, against the server of 'make run' in another terminal
	cd web && PARLOR_URL=http://$(LISTEN) npm run dev

test: test-tools web/dist/index.html $(LINT_PACKAGES) ## Check format, lints, types, derived files and every test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	rm -f $(TARGET)/tmp/reached
	cargo test --locked
	PARLOR_TEST_STORE=postgres cargo test --locked --test parlor -- api:: contract::
	PARLOR_TEST_STORE=nodes cargo test --locked --test parlor -- api:: contract::stream
	cargo test --locked --test parlor -- --ignored --exact contract::table::every_cell_was_reached_or_has_a_reason
	cd openapi && npm run lint
	cd openapi && npm run diff
	$(MAKE) fuzz
	cd web && npm run check
	cd web && npm test
	cd web && CHROMIUM="$(CHROMIUM)" PARLOR_BIN="$(PARLOR_BIN)" npm run e2e

firefox: tools web/dist/index.html web/firefox/node_modules/.package-lock.json ## Try the web client in firefox-esr (FIREFOX=/path; a minute)
	cargo build --locked
	PARLOR_BIN="$(PARLOR_BIN)" FIREFOX="$(FIREFOX)" node web/firefox/run.mjs

deny: tools $(CARGO_DENY) ## Check licences and sources of the crates (deny.toml; builds cargo-deny first, two minutes)
	$(CARGO_DENY) --locked check licenses bans sources

fuzz: test-tools web/dist/index.html $(SCHEMATHESIS) ## Send thousands of strange requests and check the answers against the document (a minute)
	cargo build --locked
	PARLOR_BIN="$(PARLOR_BIN)" SCHEMATHESIS="$(SCHEMATHESIS)" node openapi/fuzz/run.mjs

clients: clients-tools $(WEB_PACKAGES) ## Generate, compile and run a client in each language, and the checks of other tools (LANG=go for one)
	cargo build --locked
	CHROMIUM="$(CHROMIUM)" PARLOR_BIN="$(PARLOR_BIN)" node openapi/clients/run.mjs $(CLIENT)

bench: bench-tools web/dist/index.html ## Measure a release build beside yardsticks of the same run (a quarter of an hour; ROWS=... for some)
	cargo bench --locked --bench parlor -- $(ROWS)

torture: test-tools web/dist/index.html ## Break what the server stands on and look for what was lost (ROUNDS=1000 SEED=... NODES=3; minutes)
	PARLOR_TEST_ROUNDS=$(ROUNDS) $(if $(SEED),PARLOR_TEST_SEED=$(SEED)) $(if $(NODES),PARLOR_TEST_NODES=$(NODES)) \
		cargo test --locked --test parlor -- $(if $(NODES),torture::nodes,torture::rounds torture::storm) --nocapture --test-threads=1

openapi: tools ## Write the derived files: the document, its table of problem codes, config.toml, the web client's API
	cargo run --quiet --locked -- openapi > target/openapi.json
	mv target/openapi.json openapi/openapi.json
	PARLOR_TEST_WRITE=1 cargo test --quiet --locked --test parlor derived
	$(MAKE) $(API_CLIENT)

tools:
	@.ci/need build

test-tools:
	@.ci/need test

clients-tools:
	@.ci/need clients $(CLIENT)

bench-tools:
	@.ci/need bench

$(WEB_PACKAGES): web/package.json web/package-lock.json | tools
	cd web && npm ci
	@touch $@

$(LINT_PACKAGES): openapi/package.json openapi/package-lock.json | tools
	cd openapi && npm ci
	@touch $@

web/firefox/node_modules/.package-lock.json: web/firefox/package.json web/firefox/package-lock.json | tools
	cd web/firefox && npm ci
	@touch $@

$(CARGO_DENY): | tools
	cargo install --quiet --locked --root $(TARGET)/deny cargo-deny@$(CARGO_DENY_VERSION)

$(SCHEMATHESIS): openapi/fuzz/requirements.txt | test-tools
	python3 -m venv $(TARGET)/fuzz
	$(TARGET)/fuzz/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(API_CLIENT): openapi/openapi.json web/openapi-ts.config.ts $(WEB_PACKAGES)
	cd web && npm run generate
	@touch $@

web/dist/index.html: $(API_CLIENT) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@
