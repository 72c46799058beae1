"""Bugs of comparing the answers of both sides: each would change money, or hide a difference of it."""

from tests.mutants.mutant import Mutant

SHADOWING = "fastpay/api/shadowing.py"
RULES = "fastpay/engine/rollout/rules.py"
EVIDENCE = "fastpay/engine/rollout/evidence.py"
GUARDRAILS = "fastpay/engine/rollout/guardrails.py"
COMPARISON = "fastpay/engine/rollout/comparison.py"
MONEY = "fastpay/engine/rollout/money.py"

WRITES = "tests/rollout/test_shadow_writes.py"
SPLIT = "tests/rollout/test_guardrails.py"
SURE = "tests/unit/engine/rollout/test_evidence.py"
GUARDED = "tests/unit/engine/rollout/test_guardrails.py"
BELIED = "tests/unit/engine/rollout/test_money.py"
COMPARED = "tests/unit/engine/rollout/test_comparison.py"
MERGING = "fastpay/engine/rollout/merging.py"
PLACED = "tests/unit/engine/rollout/test_merging.py"
MERGED = "tests/rollout/test_merged.py"

ROLLOUT = (
    Mutant(
        "commit-a-write-in-shadow",
        SHADOWING,
        "        writer=front.trial,\n",
        "        writer=services.writer,\n",
        (f"{WRITES}::test_nothing_of_a_write_in_shadow_is_ever_committed",),
    ),
    Mutant(
        "move-a-reverted-route-without-a-person",
        "fastpay/operations/rollout.py",
        '    if latched and (route, state.state) != (EVERY, "legacy"):\n',
        '    if latched and state.state == "split":\n',
        (f"{SPLIT}::test_a_route_on_which_more_is_declined_goes_back_on_all_instances_and_stays_there",),
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
    Mutant(
        "bet-on-what-was-seen-just-now",
        EVIDENCE,
        "_log_of(block, *_bets(self.seen))",
        "_log_of(block, *_bets(self.seen.plus(block)))",
        (f"{SURE}::test_a_block_is_expected_not_to_add_evidence_unless_fastpay_is_worse",),
    ),
    Mutant(
        "forget-a-block-that-another-instance-overtook",
        GUARDRAILS,
        "            if (kept.key, kept.metric) in replaced:\n",
        "            if replaced is not None:\n",
        (f"{GUARDED}::test_a_block_that_another_instance_overtook_comes_again",),
    ),
    Mutant(
        "show-beyond-what-a-side-has-given",
        MERGING,
        "            end = min(end, _reach(merged, part, backward=backward))\n",
        "            end = min(end, limit)\n",
        (f"{PLACED}::test_pages_show_each_object_once_and_in_one_order",),
    ),
    Mutant(
        "skip-the-second-of-the-cursor-on-the-other-side",
        MERGING,
        "    edge = created if side == FASTPAY else created + 1\n",
        "    edge = created\n",
        (f"{PLACED}::test_pages_show_each_object_once_and_in_one_order",),
    ),
    Mutant(
        "believe-that-a-filter-by-time-is-heeded",
        MERGING,
        "    if not all(window.has(one.created) for one in items):\n",
        "    if any(one.created < 0 for one in items):\n",
        (f"{PLACED}::test_a_list_whose_place_among_others_is_not_known_is_refused",),
    ),
    Mutant(
        "add-balances-of-one-side",
        MERGING,
        "    for balance in (own, other):\n",
        "    for balance in (own,):\n",
        (f"{PLACED}::test_balances_are_added_and_what_one_side_has_is_kept",),
    ),
    Mutant(
        "show-half-of-a-list-if-the-older-api-fails",
        "fastpay/api/merging.py",
        "            return own, await asking\n",
        "            return own, None\n",
        (f"{MERGED}::test_if_the_older_api_fails_the_answer_is_an_error_and_no_part",),
    ),
    Mutant(
        "page-back-from-the-newest",
        "fastpay/api/lists.py",
        "(page, ascending=True) if call.asgi.get(OLDEST_FIRST)",
        "(page, ascending=False) if call.asgi.get(OLDEST_FIRST)",
        (f"{MERGED}::test_every_list_that_both_sides_can_have_is_merged_in_both_directions",),
    ),
    Mutant(
        "tell-the-older-api-of-an-object-of-ours",
        "fastpay/api/routing.py",
        "        side = owner\n",
        "        side = None\n",
        ("tests/rollout/test_one_voice.py",),
    ),
    Mutant(
        "believe-an-answer-that-the-book-belies",
        MONEY,
        "            if has != {moved.currency: moved.amount}:\n",
        "            if moved.currency not in has:\n",
        (BELIED,),
    ),
    Mutant(
        "forget-answers-while-the-database-is-away",
        MONEY,
        "        booked = await self._book.read_booked([moved for _, _, moved in taken])\n"
        "        del self._answered[: len(taken)]\n",
        "        del self._answered[: len(taken)]\n"
        "        booked = await self._book.read_booked([moved for _, _, moved in taken])\n",
        (BELIED,),
    ),
    Mutant(
        "roll-back-only-what-was-asked-on-here",
        GUARDRAILS,
        "sorted({*self._seen.values(), *self._split()})",
        "sorted(self._seen.values())",
        (BELIED,),
    ),
    Mutant(
        "let-anybody-with-a-session-set-routes",
        "fastpay/admin/console/app.py",
        "        if needs_proof(order) and not operator.is_proved:\n",
        "        if needs_proof(order) and operator is None:\n",
        ("tests/console/test_rollout.py::test_nobody_else_changes_a_route",),
    ),
    Mutant(
        "time-the-client-too",
        SHADOWING,
        "            self.is_over = not message",
        "            self.took_ns = self._now_ns() - self._begun_ns\n            self.is_over = not message",
        ("tests/unit/api/test_shadow_latency.py",),
    ),
)
