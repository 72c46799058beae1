"""The tests, and what they share."""

import os
import sys

import pytest

# Tests start hundreds of processes. On a machine that is told not to keep what Python compiles, each would
# compile the whole package.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A failed assertion in a helper shows its values too.
pytest.register_assert_rewrite("tests.support")
