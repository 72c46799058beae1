"""The tests, and what they share."""

import pytest

# A failed assertion in a helper shows its values too.
pytest.register_assert_rewrite("tests.support")
