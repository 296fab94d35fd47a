# make demo   lint the broken fixture and show the findings
# make test   style, types and all tests
# make fuzz   the tests that make up their inputs, each with some thousands of them
# make engine start a Docker engine (as root on Debian) and get the base images of the tests that build images
# make faults build and run each fault of fixtures/inference, broken and repaired, and write the tables of README.md
# make proofs build and run the examples that prove the errors of rules, as they are and fixed
# make bench  start-up and throughput beside other linters
# make peers  what hadolint, tally and mllint say of one Dockerfile: a section of README.md

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test fuzz lint engine faults proofs bench peers clean

demo: $(READY)
	@$(BIN)/python tests/demo.py

test: lint
	$(BIN)/python -m compileall -q mllint
	$(BIN)/python -m pytest

FUZZED := $(addprefix tests/test_,dockerfile_judges.py fixing_properties.py robustness.py)

fuzz: $(READY)
	MLLINT_EXAMPLES=$${MLLINT_EXAMPLES:-3000} $(BIN)/python -m pytest $(FUZZED)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

engine:
	@tests/engine/start.sh
	@tests/engine/bases.sh

faults: $(READY) engine
	$(BIN)/python tests/engine/faults.py --write

proofs: $(READY) engine
	$(BIN)/python tests/engine/proofs.py

bench: $(READY)
	$(BIN)/python tests/bench/bench.py

peers: $(READY)
	$(BIN)/python tests/bench/side_by_side.py --write

$(READY): pyproject.toml tests/setup.sh
	@sh tests/setup.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
