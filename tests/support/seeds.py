"""What a run draws and how much it does: FASTPAY_TEST_SEED is what a failed test printed."""

import os
import random

SEED = int(os.environ.get("FASTPAY_TEST_SEED", random.randrange(1 << 32)))
# Set by `make soak`.
_SOAKS = os.environ.get("FASTPAY_TEST_SOAK") == "1"


def size(small: int, *, soak: int) -> int:
    """Return how much of something a test does: little in the gate, much in `make soak`."""
    return soak if _SOAKS else small
