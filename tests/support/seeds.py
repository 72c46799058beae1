"""One seed for a run: FASTPAY_TEST_SEED is what a failed test printed."""

import os
import random

SEED = int(os.environ.get("FASTPAY_TEST_SEED", random.randrange(1 << 32)))
