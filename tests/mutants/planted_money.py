"""Bugs with money that goes round: customers' cash, what payments pass on, payouts."""

from tests.mutants.mutant import Mutant

CASH = "fastpay/domain/bank_payments.py"
PASSED_ON = "fastpay/domain/destinations.py"
TRANSFERS = "fastpay/domain/transfers.py"
MODEL = "tests/model/test_payments.py"
MANY = f"{MODEL}::test_payments_of_many_clients_at_once_are_what_each_ones_model_says"
ALONE = f"{MODEL}::test_refunds_of_one_who_may_not_overdraw_are_what_the_model_says"
OLDEST = (
    "tests/sdk/test_bank_transfers.py::test_the_oldest_payment_is_paid_first_unless_a_reference_names_another"
)
SPLITS = "tests/unit/domain/test_destinations.py"

MONEY = (
    Mutant(
        "pay-the-newest-with-a-customers-cash",
        CASH,
        "in sorted(waiting, key=lambda one: one[:2]):",
        "in sorted(waiting, key=lambda one: one[:2], reverse=True):",
        (OLDEST,),
    ),
    Mutant(
        "keep-what-a-canceled-payment-had-of-a-customers-cash",
        CASH,
        "applied = intent.amount - awaited.amount_remaining\n",
        "applied = intent.amount - intent.amount\n",
        (MANY,),
    ),
    Mutant(
        "pass-no-bank-transfer-on",
        CASH,
        "        destination=kept.destination,\n",
        "",
        (MANY,),
    ),
    Mutant(
        "take-an-application-fee-at-every-capture",
        PASSED_ON,
        "(extras.application_fee_amount or 0) - sum(one.application_fee_amount for one in before)",
        "(extras.application_fee_amount or 0) - sum(one.application_fee_amount for one in before[:0])",
        (SPLITS,),
    ),
    Mutant(
        "keep-the-fee-of-a-transfer-that-is-taken-back",
        TRANSFERS,
        "                returned = _return_fee(workspace, draft, charge, transfer, amount, source=target)\n",
        "                returned = 0\n",
        (MANY,),
    ),
    Mutant(
        "take-back-a-whole-transfer-with-each-refund",
        PASSED_ON,
        "part = share(transfer.amount, left=transfers.reversible(transfer, None))",
        "part = transfers.reversible(transfer, None)",
        (MANY,),
    ),
    Mutant(
        "pay-out-what-is-not-there",
        "fastpay/domain/payouts.py",
        'if workspace.account(self.currency, "available").available < self.amount:',
        "if self.amount < 0:",
        (ALONE,),
    ),
    Mutant(
        "transfer-more-than-a-payment-brought",
        TRANSFERS,
        "left = charge.amount_captured - charge.amount_refunded - funds.transferred(charge)",
        "left = charge.amount_captured - charge.amount_refunded",
        ("tests/unit/domain/test_transfers.py",),
    ),
)
