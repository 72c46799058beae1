"""Options of payments that must be refused: a bad value for each parameter."""

from tests.support.refusals import INTEGER, MISSING, Bad, form

INTENTS = "/v1/payment_intents"
CARD = "payment_method_options[card]"
SECURE = f"{CARD}[three_d_secure]"
IBAN = "payment_method_data[sepa_debit][iban]"
HELD = f"{INTENTS}/pi_{'0' * 32}"


def option(param: str, /, code: str | None = None, **fields: str) -> Bad:
    """Return a payment with a bad option, whose name is the refused parameter."""
    return form(INTENTS, code=code, param=param, amount="5", currency="usd", **fields)


DEBIT = {
    "payment_method_data[type]": "sepa_debit",
    "payment_method_data[billing_details][name]": "Ada",
    "payment_method_data[billing_details][email]": "ada@example.com",
}
OPTIONS = [
    option(f"{SECURE}[version]", MISSING, **{f"{SECURE}[transaction_id]": "t"}),
    option("level3[merchant_reference]", MISSING, **{"level3[shipping_amount]": "5"}),
    option(
        "amount_details[tax][total_tax_amount]", INTEGER, **{"amount_details[tax][total_tax_amount]": "-1"}
    ),
    option(
        "amount_details[line_items][0][quantity]",
        MISSING,
        **{
            "amount_details[line_items][0][product_name]": "Room",
            "amount_details[line_items][0][unit_cost]": "5",
        },
    ),
    option("mandate_data", **{"mandate_data[customer_acceptance][type]": "offline"}),
    option("payment_method_data[sepa_debit]", MISSING, **DEBIT),
    option(IBAN, "account_number_invalid", **{**DEBIT, IBAN: "DE00370400440532013000"}),
    option(IBAN, "bank_account_unusable", **{**DEBIT, IBAN: "DE75512108001245126199"}),
    form(f"{HELD}/capture", param="amount_to_capture", code="amount_too_small", amount_to_capture="-1"),
    form(f"{HELD}/increment_authorization", code=MISSING, param="amount"),
    form(f"{HELD}/increment_authorization", code="amount_too_small", param="amount", amount="0"),
]
