# Two commands: `make run` and `make test`. Everything lives in .venv/ and var/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
SIZE := full

.PHONY: help run test slow mutants bench lint words lock clean

help:
	@echo "make run    set up, build the demo, start the console and a worker"
	@echo "make test   set up and pass all tests"
	@echo "make slow   the long tests"
	@echo "make mutants  take each mechanism away that a promise rests on, and see a test notice it"
	@echo "make bench  measure a million customers on both databases; SIZE=small takes three minutes"
	@echo "make lint   types, lint, format"
	@echo "make words  gather what the console says into its German and French catalogs"

$(BIN)/python:
	@sh .ci/python $(VENV)

# Hashed requirements, then this project itself without touching them.
$(VENV)/.run: $(BIN)/python requirements.txt setup.cfg
	@sh .ci/install $(VENV) requirements.txt
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements-dev.txt setup.cfg
	@sh .ci/install $(VENV) requirements-dev.txt
	@touch $@ $(VENV)/.run

# The long tests also run the portfolio on a local Spark cluster.
$(VENV)/.spark: $(VENV)/.dev requirements-spark.txt
	@sh .ci/install $(VENV) requirements-spark.txt
	@touch $@

run: $(VENV)/.run
	@exec $(BIN)/dunwell demo start

# What fails is run once more, alone: a loaded machine may starve a browser, a fault fails twice; both are printed.
test: $(VENV)/.dev
	@sh .ci/browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadgroup || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

slow: $(VENV)/.spark
	@sh .ci/browser
	$(BIN)/python -m pytest -m slow

mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants/plant.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks --size $(SIZE)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Fails while a sentence has no translation yet, and names it.
words: $(VENV)/.dev
	$(BIN)/python -m admin.translations.words

lock: $(VENV)/.dev
	$(BIN)/uv pip compile setup.cfg --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements.txt
	$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-dev.txt
	$(BIN)/uv pip compile setup.cfg --extra dev --extra spark --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-spark.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
