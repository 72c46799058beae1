"""Bad parameters of bank transfers: each is refused by name, and without effect."""

from tests.support.refusals import MISSING, UNKNOWN, form, query

CUSTOMER = "/v1/customers/cus_" + "0" * 32
FUND = f"/v1/test_helpers{CUSTOMER.removeprefix('/v1')}/fund_cash_balance"
INSTRUCTIONS = f"{CUSTOMER}/funding_instructions"
INTENTS = "/v1/payment_intents"
APPLY = f"{INTENTS}/pi_{'0' * 32}/apply_customer_balance"
OPTIONS = "payment_method_options[customer_balance]"
TRANSFER = f"{OPTIONS}[bank_transfer]"
PAID = {"amount": "5", "currency": "eur"}
FUNDED = {f"{OPTIONS}[funding_type]": "bank_transfer"}
EURO = {f"{TRANSFER}[type]": "eu_bank_transfer"}
ASKED = {"currency": "usd", "funding_type": "bank_transfer"}
REFUNDS = "/v1/refunds"
RETURNED = {
    "customer": "cus_" + "0" * 32,
    "amount": "5",
    "currency": "usd",
    "origin": "customer_balance",
}
CASES = [
    form(FUND, code=MISSING, param="amount", currency="usd"),
    form(FUND, code=MISSING, param="currency", amount="5"),
    form(FUND, code="amount_too_small", param="amount", amount="0", currency="usd"),
    form(FUND, code="amount_too_large", param="amount", amount="100000000", currency="usd"),
    form(FUND, param="currency", amount="5", currency="zzz"),
    form(FUND, param="reference", amount="5", currency="usd", reference="x" * 1000),
    query(f"{CUSTOMER}/cash_balance?expand[]=customer", param="expand"),
    form(INSTRUCTIONS, code=MISSING, param="bank_transfer", **ASKED),
    form(INSTRUCTIONS, param="currency", **ASKED, **{"bank_transfer[type]": "gb_bank_transfer"}),
    form(
        INSTRUCTIONS,
        code=MISSING,
        param="bank_transfer[eu_bank_transfer][country]",
        **{**ASKED, "currency": "eur", "bank_transfer[type]": "eu_bank_transfer"},
    ),
    form(
        INSTRUCTIONS,
        param="bank_transfer[eu_bank_transfer]",
        **ASKED,
        **{"bank_transfer[type]": "us_bank_transfer", "bank_transfer[eu_bank_transfer][country]": "DE"},
    ),
    form(INTENTS, code=MISSING, param=f"{OPTIONS}[funding_type]", **PAID, **EURO),
    form(INTENTS, code=MISSING, param=f"{TRANSFER}[eu_bank_transfer][country]", **PAID, **FUNDED, **EURO),
    form(
        INTENTS,
        param=f"{TRANSFER}[eu_bank_transfer][country]",
        **PAID,
        **FUNDED,
        **EURO,
        **{f"{TRANSFER}[eu_bank_transfer][country]": "CH"},
    ),
    form(
        INTENTS,
        param=f"{OPTIONS}[setup_future_usage]",
        **PAID,
        **{f"{OPTIONS}[setup_future_usage]": "off_session"},
    ),
    form(
        INTENTS,
        param="payment_method_data[card]",
        confirm="true",
        **PAID,
        **{"payment_method_data[type]": "customer_balance", "payment_method_data[card][token]": "tok_visa"},
    ),
    form(
        INTENTS,
        code=UNKNOWN,
        param="payment_method_data[customer_balance][amount]",
        **PAID,
        **{
            "payment_method_data[type]": "customer_balance",
            "payment_method_data[customer_balance][amount]": "5",
        },
    ),
    *(
        form(
            REFUNDS,
            code=MISSING,
            param=name,
            **{other: value for other, value in RETURNED.items() if other != name},
        )
        for name in RETURNED
    ),
    form(REFUNDS, param="currency", **{**RETURNED, "currency": "zzz"}),
    form(REFUNDS, code="amount_too_small", param="amount", **{**RETURNED, "amount": "0"}),
    form(REFUNDS, code="amount_too_large", param="amount", **{**RETURNED, "amount": "100000000"}),
    form(REFUNDS, param="origin", **RETURNED, charge="ch_" + "0" * 32),
    form(REFUNDS, param="customer", customer=RETURNED["customer"], payment_intent="pi_" + "0" * 32),
    form(REFUNDS, param="reverse_transfer", **RETURNED, reverse_transfer="true"),
    form(REFUNDS, param="currency", charge="ch_" + "0" * 32, currency="usd"),
    form(REFUNDS, code="email_invalid", param="instructions_email", **RETURNED, instructions_email="nobody"),
    form(APPLY, code="amount_too_small", param="amount", amount="0"),
    form(APPLY, param="currency", currency="zzz"),
]
