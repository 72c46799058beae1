"""Bad parameters of payouts, transfers and accounts: each is refused by name, and without effect."""

from tests.support.refusals import INTEGER, MISSING, Bad, form, query

PAYOUTS = "/v1/payouts"
TRANSFERS = "/v1/transfers"
ACCOUNTS = "/v1/accounts"
INTENTS = "/v1/payment_intents"
CHARGE = "ch_" + "0" * 32
PAID = {"amount": "5", "currency": "usd"}
DISPUTE = f"/v1/disputes/du_{'0' * 32}"
ENHANCED = "evidence[enhanced_evidence]"
COMPELLING = f"{ENHANCED}[visa_compelling_evidence_3]"
DISPUTED = f"{COMPELLING}[disputed_transaction]"
PRIOR = f"{COMPELLING}[prior_undisputed_transactions]"


def evidence(name: str, value: str, *, param: str | None = None, code: str | None = None) -> Bad:
    """Return a response to a dispute with one bad piece of enhanced evidence."""
    return form(DISPUTE, code=code, param=param or name, **{name: value})


CASES = [
    evidence(f"{PRIOR}[0][customer_account_id]", "x", param=f"{PRIOR}[0][charge]", code=MISSING),
    evidence(f"{DISPUTED}[customer_device_id]", "short"),
    form(PAYOUTS, code=MISSING, param="currency", amount="5"),
    form(PAYOUTS, code=MISSING, param="amount", currency="usd"),
    form(PAYOUTS, code="amount_too_small", param="amount", amount="0", currency="usd"),
    form(PAYOUTS, code="amount_too_large", param="amount", amount="100000000", currency="usd"),
    form(PAYOUTS, param="currency", amount="5", currency="zzz"),
    form(PAYOUTS, param="statement_descriptor", amount="5", currency="usd", statement_descriptor="<x>"),
    form(
        PAYOUTS,
        code="resource_missing",
        param="destination",
        amount="5",
        currency="usd",
        destination="ba_x",
    ),
    query(PAYOUTS + "?arrival_date=soon", code=INTEGER, param="arrival_date"),
    query(PAYOUTS + "?arrival_date[gte]=1.5", code=INTEGER, param="arrival_date[gte]"),
    form(TRANSFERS, code=MISSING, param="currency", amount="5", destination="acct_x"),
    form(TRANSFERS, code=MISSING, param="destination", amount="5", currency="usd"),
    form(TRANSFERS, code=MISSING, param="amount", currency="usd", destination="acct_x"),
    form(
        TRANSFERS, code="amount_too_small", param="amount", amount="0", currency="usd", destination="acct_x"
    ),
    form(TRANSFERS, param="currency", amount="5", currency="zzz", destination="acct_x"),
    form(INTENTS, code=INTEGER, param="application_fee_amount", **PAID, application_fee_amount="-1"),
    form(INTENTS, code=INTEGER, param="application_fee_amount", **PAID, application_fee_amount="1.5"),
    form(INTENTS, code=INTEGER, param="application_fee_amount", **PAID, application_fee_amount="100000000"),
    form(INTENTS, param="transfer_data", **PAID, transfer_data="acct_x"),
    form(INTENTS, code=MISSING, param="transfer_data[destination]", **PAID, **{"transfer_data[amount]": "1"}),
    form("/v1/refunds", param="refund_application_fee", charge=CHARGE, refund_application_fee="true"),
    form(ACCOUNTS, param="type", type="express", **{"controller[fees][payer]": "application"}),
    form(ACCOUNTS, param="country", country="usa"),
    form(ACCOUNTS, param="default_currency", default_currency="zzz"),
    form(ACCOUNTS, code="email_invalid", param="email", email="x"),
    query("/v1/balance_transactions?payout=po_x", code="resource_missing", param="payout"),
    query("/v1/balance_transactions?payout=po_x&source=ch_x", param="payout"),
]
