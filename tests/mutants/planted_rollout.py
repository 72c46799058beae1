"""Bugs of comparing the answers of both sides: each would change money, or hide a difference of it."""

from tests.mutants.mutant import Mutant

SHADOWING = "fastpay/api/shadowing.py"
RULES = "fastpay/engine/rollout/rules.py"
COMPARISON = "fastpay/engine/rollout/comparison.py"

WRITES = "tests/rollout/test_shadow_writes.py"
COMPARED = "tests/unit/engine/rollout/test_comparison.py"

ROLLOUT = (
    Mutant(
        "commit-a-write-in-shadow",
        SHADOWING,
        "        writer=front.trial,\n",
        "        writer=services.writer,\n",
        (f"{WRITES}::test_nothing_of_a_write_in_shadow_is_ever_committed",),
    ),
    Mutant(
        "learn-that-money-is-noise",
        RULES,
        '_NEVER_LEARNED: frozenset[Kind] = frozenset(("status", "money", "event", "posting"))',
        '_NEVER_LEARNED: frozenset[Kind] = frozenset(("status", "event", "posting"))',
        (f"{COMPARED}::test_money_and_the_status_are_never_noise",),
    ),
    Mutant(
        "take-numbers-of-other-types-for-equal",
        COMPARISON,
        " and not isinstance(legacy, dict | list):\n            return\n",
        ":\n            return\n",
        (COMPARED,),
    ),
)
