# Commands for people. Each installs what it needs on a Debian machine and can be run again at any time.

.PHONY: help run test test-telephony check bench format

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: ## Build, load a demo list and dial it; options: make run ARGS='--speed 60'
	@scripts/run.sh $(ARGS)

test: ## Run every test; the last line is "N passed, N failed"
	@scripts/test.sh

test-telephony: ## Run the tests with real calls alone: Asterisk, SIPp
	@scripts/test.sh telephony

check: ## Format, lints, documentation, dependencies, arrows; .ci/run adds the tests
	@.ci/run check

bench: ## Measure; one JSON line a result; one alone: make bench BENCH=intake
	@scripts/bench.sh $(BENCH)

format: ## Format the code
	@cargo fmt --all
