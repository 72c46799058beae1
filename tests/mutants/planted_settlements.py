"""Bugs of settlements: each would count money twice, hide a difference, or settle the wrong payment."""

from tests.mutants.mutant import Mutant

MATCHING = "fastpay/engine/processors/settlement_matching.py"
DOMAIN = "fastpay/domain/settlements.py"
IMPORT = "fastpay/operations/settlements.py"
VERIFY = "fastpay/store/sql/verify_payments.sql"

STORED = "tests/processors/test_settlements.py"
PURE = "tests/unit/domain/test_settlements.py"
ABOUT = f"{STORED}::test_a_row_is_about_what_it_names_first"
AGAIN = f"{STORED}::test_a_file_that_comes_again_changes_nothing"
OVERLAP = f"{STORED}::test_files_that_overlap_have_each_row_once"
ACCEPTED = f"{STORED}::test_a_difference_is_accepted_with_who_and_why_and_then_closes"
DOUBT = f"{STORED}::test_a_settlement_tells_what_became_of_a_payment_in_doubt"
ENDED = f"{STORED}::test_who_is_ended_in_the_middle_is_continued_by_the_next"
VERIFIED = f"{STORED}::test_what_processors_owe_is_what_attempts_moved_and_no_settlement_paid_out"

SETTLEMENTS = (
    Mutant(
        "import-a-file-twice",
        IMPORT,
        "        if known:\n",
        "        if known and not writing.has(processor):\n            known = []\n        if known:\n",
        (AGAIN,),
    ),
    Mutant(
        "import-rows-of-another-file-twice",
        "fastpay/domain/settlement_rows.py",
        "*(self.reference, self.processor_id, occurrence),",
        "*(self.reference, self.processor_id, occurrence, id(self)),",
        (OVERLAP,),
    ),
    Mutant(
        "close-with-a-difference",
        DOMAIN,
        "        if found.differences or left:\n",
        "        if found.differences and left:\n",
        (PURE,),
    ),
    Mutant(
        "accept-a-difference-twice",
        DOMAIN,
        "if any(one.position == self.position for one in found.acceptances):",
        "if any(one.position > self.position for one in found.acceptances):",
        (PURE,),
    ),
    Mutant(
        "accept-what-was-matched-again",
        DOMAIN,
        "if found.revision != self.revision:",
        "if found.revision < self.revision - 1:",
        (PURE,),
    ),
    Mutant(
        "match-by-amount-although-the-reference-differs",
        MATCHING,
        "if row.position not in found and row.reference is None]",
        "if row.position not in found]",
        (ABOUT,),
    ),
    Mutant(
        "match-by-amount-although-the-processor-names-another-payment",
        MATCHING,
        "is_unnamed = row.processor_id is None or attempt.processor_id is None",
        "is_unnamed = True",
        (ABOUT,),
    ),
    Mutant(
        "settle-a-payment-twice",
        MATCHING,
        "                taken.add(one.attempt)\n            elif",
        "                pass\n            elif",
        (ABOUT,),
    ),
    Mutant(
        "settle-what-was-written-off",
        "fastpay/store/sql/settlement_taken.sql",
        "or (status = 'missing_there' and accepted))",
        "or (status = 'missing_there' and accepted and false))",
        (ACCEPTED,),
    ),
    Mutant(
        "leave-in-doubt-what-was-settled",
        MATCHING,
        "return attempt.hold is not None or attempt.status not in",
        "return attempt.hold is None and attempt.status not in",
        (DOUBT,),
    ),
    Mutant(
        "forget-what-the-file-lacks",
        MATCHING,
        'Decided(after, "missing_there", ours, attempt.id, kind)',
        'Decided(after, "pending", 0, attempt.id, kind)',
        (ENDED,),
    ),
    Mutant(
        "verify-no-attempts-of-payments",
        VERIFY,
        "case when taken.payment_intent_id is null then 0 else payment_intent.amount_received end",
        "payment_intent.amount_received",
        (VERIFIED,),
    ),
    Mutant(
        "verify-no-attempts-of-refunds",
        VERIFY,
        "greatest(least(refunded.amount, coalesce(given.most, 0)), coalesce(given.least, 0))",
        "refunded.amount",
        (VERIFIED,),
    ),
    Mutant(
        "forget-what-settlements-paid-out",
        VERIFY,
        "select currency, accepted - case status when 'closed' then net + fee else 0 end",
        "select currency, accepted",
        (VERIFIED,),
    ),
    Mutant(
        "verify-nothing-of-what-processors-owe",
        VERIFY,
        "account.account_id, 'lacc', 'balance of processor', coalesce(owed.amount, 0),",
        "account.account_id, 'lacc', 'balance of processor', account.debits_posted - account.credits_posted,",
        (VERIFIED,),
    ),
)
