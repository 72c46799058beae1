"""The requests of test_isolation.py: every route, and every parameter that takes an identifier."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpay.api.app import ROUTES

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """A request that names objects: `{cus}` and the like stand for their identifiers.

    `path` and `fields` may name several; each is put to the test alone, while the others are the asking
    tenant's own; then all of them together. `{open}` is a payment intent that can still be changed.
    """

    method: str
    route: str
    path: str
    fields: Fields


# The template of each route, by its method and its path without the names of its parameters.
_ROUTES = {(route.method, re.sub(r"{\w+}", "{}", route.path)): route.path for route in ROUTES}


def case(request: str, /, **fields: str) -> Case:
    """Return the case of a method with a path in which placeholders stand for parameters."""
    method, _, path = request.partition(" ")
    named = {
        name.replace("__", "[", 1) + ("]" if "__" in name else ""): value for name, value in fields.items()
    }
    return Case(method, _ROUTES[method, re.sub(r"{\w+}", "{}", path)], path, named)


# What a list must be given.
REQUIRED = {"/v1/setup_attempts": {"setup_intent": "seti_" + "0" * 32}}
PRIOR = "evidence[enhanced_evidence][visa_compelling_evidence_3][prior_undisputed_transactions]"
CASES = [
    case("POST /v1/payment_intents", amount="5", currency="usd", customer="{cus}"),
    case("POST /v1/payment_intents", amount="5", currency="usd", payment_method="{pm}"),
    case("POST /v1/payment_intents", amount="5", currency="usd", payment_method="{pm}", confirm="true"),
    case("GET /v1/payment_intents", customer="{cus}"),
    case("GET /v1/payment_intents", starting_after="{pi}"),
    case("GET /v1/payment_intents", ending_before="{pi}"),
    case("GET /v1/payment_intents/{pi}"),
    case("GET /v1/payment_intents/{pi}", client_secret="{pi}_secret_x"),
    case("POST /v1/payment_intents/{pi}", description="x"),
    case("POST /v1/payment_intents/{open}", customer="{cus}"),
    case("POST /v1/payment_intents/{open}", payment_method="{pm}"),
    case("POST /v1/payment_intents/{pi}/confirm"),
    case("POST /v1/test_helpers/payment_intents/{pi}/authenticate"),
    case("POST /v1/payment_intents/{open}/confirm", payment_method="{pm}"),
    case("POST /v1/payment_intents/{pi}/capture"),
    case("POST /v1/payment_intents/{pi}/increment_authorization", amount="5000"),
    case("POST /v1/payment_intents/{pi}/cancel"),
    case("GET /v1/payment_intents/{pi}/attempts"),
    case("POST /v1/setup_intents", customer="{cus}"),
    case("POST /v1/setup_intents", payment_method="{pm}"),
    case("POST /v1/setup_intents", payment_method="{pm}", confirm="true"),
    case("GET /v1/setup_intents", customer="{cus}"),
    case("GET /v1/setup_intents", payment_method="{pm}"),
    case("GET /v1/setup_intents", starting_after="{seti}"),
    case("GET /v1/setup_intents", ending_before="{seti}"),
    case("GET /v1/setup_intents/{seti}"),
    case("GET /v1/setup_intents/{seti}", client_secret="{seti}_secret_x"),
    case("POST /v1/setup_intents/{seti}", description="x"),
    case("POST /v1/setup_intents/{newseti}", customer="{cus}"),
    case("POST /v1/setup_intents/{newseti}", payment_method="{pm}"),
    case("POST /v1/setup_intents/{seti}/confirm"),
    case("POST /v1/setup_intents/{newseti}/confirm", payment_method="{pm}"),
    case("POST /v1/setup_intents/{seti}/cancel"),
    case("POST /v1/test_helpers/setup_intents/{seti}/authenticate"),
    case("GET /v1/setup_attempts", setup_intent="{seti}"),
    case("GET /v1/setup_attempts", **REQUIRED["/v1/setup_attempts"], starting_after="{setatt}"),
    case("GET /v1/setup_attempts", **REQUIRED["/v1/setup_attempts"], ending_before="{setatt}"),
    case("GET /v1/mandates/{mandate}"),
    # Requests are logged on another server: tests/http/test_request_log.py.
    case("GET /v1/request_logs/{id}"),
    case(
        "POST /v1/payment_intents", amount="5", currency="usd", confirm="true", confirmation_token="{ctoken}"
    ),
    case("POST /v1/payment_intents/{open}/confirm", confirmation_token="{ctoken}"),
    case("POST /v1/setup_intents", confirm="true", confirmation_token="{ctoken}"),
    case("POST /v1/setup_intents/{newseti}/confirm", confirmation_token="{ctoken}"),
    case("POST /v1/test_helpers/confirmation_tokens", payment_method="{pm}"),
    case("GET /v1/confirmation_tokens/{ctoken}"),
    case("POST /v1/tokens"),
    case("GET /v1/tokens/{tok}"),
    case("POST /v1/accounts", external_account="{tok}"),
    case("POST /v1/setup_intents", on_behalf_of="{acct}"),
    case("POST /v1/customers", source="{tok}"),
    case("POST /v1/customers/{cus}", source="{tok}"),
    case("POST /v1/customers/{cus}", default_source="{card}"),
    case("POST /v1/customers/{cus}/sources", source="{tok}"),
    case("GET /v1/customers/{cus}/sources"),
    case("GET /v1/customers/{cus}/sources", starting_after="{card}"),
    case("GET /v1/customers/{cus}/sources", ending_before="{card}"),
    case("GET /v1/customers/{cus}/sources/{card}"),
    case("POST /v1/customers/{cus}/sources/{card}", name="x"),
    case("DELETE /v1/customers/{cus}/sources/{card}"),
    case("POST /v1/payment_methods"),
    case("GET /v1/payment_methods", customer="{cus}"),
    case("GET /v1/payment_methods", starting_after="{pm}"),
    case("GET /v1/payment_methods", ending_before="{pm}"),
    case("GET /v1/payment_methods/{pm}"),
    case("GET /v1/payment_methods/{card}"),
    case("POST /v1/payment_methods/{pm}", allow_redisplay="always"),
    case("POST /v1/payment_methods/{card}", allow_redisplay="always"),
    case("POST /v1/payment_methods/{card}/detach"),
    case("POST /v1/payment_methods/{pm}/attach", customer="{cus}"),
    case("POST /v1/payment_methods/{pm}/detach"),
    case("POST /v1/customers", payment_method="{pm}"),
    case("POST /v1/customers", payment_method="{pm}", invoice_settings__default_payment_method="{pm}"),
    case("GET /v1/customers", starting_after="{cus}"),
    case("GET /v1/customers", ending_before="{cus}"),
    case("GET /v1/customers/search", query="metadata['owner']:'a'"),
    case("GET /v1/payment_intents/search", query="metadata['owner']:'a'"),
    case("GET /v1/charges/search", query="metadata['owner']:'a'"),
    case("GET /v1/customers/{cus}"),
    case("POST /v1/customers/{cus}", name="x"),
    case("POST /v1/customers/{cus}", invoice_settings__default_payment_method="{pm}"),
    case("DELETE /v1/customers/{cus}"),
    case("GET /v1/customers/{cus}/payment_methods"),
    case("GET /v1/customers/{cus}/payment_methods", starting_after="{pm}"),
    case("GET /v1/customers/{cus}/payment_methods/{pm}"),
    case("POST /v1/refunds", customer="{cus}", amount="1", currency="usd", origin="customer_balance"),
    case("GET /v1/customers/{cus}/cash_balance"),
    case("POST /v1/customers/{cus}/cash_balance", settings__reconciliation_mode="manual"),
    case("GET /v1/customers/{cus}/cash_balance_transactions"),
    case("GET /v1/customers/{cus}/cash_balance_transactions", starting_after="{ccsbtxn}"),
    case("GET /v1/customers/{cus}/cash_balance_transactions/{ccsbtxn}"),
    case(
        "POST /v1/customers/{cus}/funding_instructions",
        funding_type="bank_transfer",
        currency="usd",
        bank_transfer__type="us_bank_transfer",
    ),
    case("POST /v1/test_helpers/customers/{cus}/fund_cash_balance", amount="5", currency="usd"),
    case("POST /v1/payment_intents/{pi}/apply_customer_balance"),
    case("POST /v1/refunds", charge="{ch}"),
    case("POST /v1/refunds", payment_intent="{pi}"),
    case("POST /v1/refunds", payment_intent="{pi}", charge="{ch}"),
    case("GET /v1/refunds", charge="{ch}"),
    case("GET /v1/refunds", payment_intent="{pi}"),
    case("GET /v1/refunds", starting_after="{re}"),
    case("GET /v1/refunds", ending_before="{re}"),
    case("GET /v1/refunds/{re}"),
    case("POST /v1/refunds/{re}", metadata__a="1"),
    case("POST /v1/charges/{ch}", description="x"),
    case("POST /v1/charges/{ch}/capture"),
    case("POST /v1/refunds/{re}/cancel"),
    case("GET /v1/charges", customer="{cus}"),
    case("GET /v1/charges", customer="{cus}", payment_intent="{pi}"),
    case("GET /v1/charges", payment_intent="{pi}"),
    case("GET /v1/charges", starting_after="{ch}"),
    case("GET /v1/charges", ending_before="{ch}"),
    case("GET /v1/charges/{ch}"),
    case("GET /v1/charges/{ch}/refunds"),
    # Both modes of a tenant have one account, and another tenant's is 403: tests/http/test_accounts.py.
    case("GET /v1/account"),
    case("GET /v1/accounts"),
    case("GET /v1/accounts/{acct}"),
    case("GET /v1/balance"),
    case("GET /v1/balance_transactions", source="{ch}"),
    case("GET /v1/balance_transactions", source="{re}"),
    case("GET /v1/balance_transactions", starting_after="{txn}"),
    case("GET /v1/balance_transactions", ending_before="{txn}"),
    case("GET /v1/events", starting_after="{evt}"),
    case("GET /v1/events", ending_before="{evt}"),
    case("GET /v1/events", starting_after="{evt}", after_sequence="0"),
    case("GET /v1/events/{evt}"),
    case("GET /v1/balance_transactions/{txn}"),
    case("POST /v1/webhook_endpoints"),
    case("GET /v1/webhook_endpoints", starting_after="{we}"),
    case("GET /v1/webhook_endpoints", ending_before="{we}"),
    case("GET /v1/webhook_endpoints/{we}"),
    case("POST /v1/webhook_endpoints/{we}", description="x"),
    case("DELETE /v1/webhook_endpoints/{we}"),
    case("GET /v1/webhook_endpoints/{we}/attempts"),
    case("GET /v1/webhook_endpoints/{we}/attempts", event="{evt}"),
    case("POST /v1/webhook_endpoints/{we}/enable"),
    case("POST /v1/webhook_endpoints/{we}/ping"),
    case("POST /v1/webhook_endpoints/{we}/replay", from_sequence="1"),
    case("POST /v1/webhook_endpoints/{we}/replay", event="{evt}"),
    case("GET /v1/webhook_endpoints/{we}/replays"),
    case("GET /v1/webhook_endpoints/{we}/replays", starting_after="{wrp}"),
    case("POST /v1/webhook_endpoints/{we}/rotate_secret"),
    case("GET /v1/balance_transactions", source="{po}"),
    case("GET /v1/balance_transactions", payout="{po}"),
    case("GET /v1/balance_transactions", source="{tr}"),
    case("POST /v1/accounts"),
    case("GET /v1/accounts"),
    case("POST /v1/transfers", amount="1", currency="usd", destination="{acct}"),
    case("POST /v1/transfers", currency="usd", destination="{acct}", source_transaction="{ch}"),
    case("GET /v1/transfers", starting_after="{tr}"),
    case("GET /v1/transfers", destination="{acct}"),
    case("GET /v1/transfers/{tr}"),
    case("POST /v1/transfers/{tr}", metadata__a="1"),
    case("POST /v1/transfers/{tr}/reversals"),
    case("GET /v1/transfers/{tr}/reversals"),
    case("GET /v1/transfers/{tr}/reversals", starting_after="{trr}"),
    case("GET /v1/transfers/{tr}/reversals/{trr}"),
    case("POST /v1/transfers/{tr}/reversals/{trr}"),
    case(
        "POST /v1/payment_intents",
        amount="1",
        currency="usd",
        transfer_data__destination="{acct}",
        confirm="false",
    ),
    case("POST /v1/payment_intents", amount="1", currency="usd", on_behalf_of="{acct}"),
    case("GET /v1/balance_transactions", source="{fee}"),
    case("GET /v1/application_fees", starting_after="{fee}"),
    case("GET /v1/application_fees", charge="{ch}"),
    case("GET /v1/application_fees/{fee}"),
    case("POST /v1/application_fees/{fee}/refund"),
    case("POST /v1/application_fees/{fee}/refunds"),
    case("GET /v1/application_fees/{fee}/refunds"),
    case("GET /v1/application_fees/{fee}/refunds", starting_after="{fr}"),
    case("GET /v1/application_fees/{fee}/refunds/{fr}"),
    case("POST /v1/application_fees/{fee}/refunds/{fr}"),
    case("GET /v1/disputes", charge="{ch}"),
    case("GET /v1/disputes", payment_intent="{pi}"),
    case("GET /v1/disputes", starting_after="{dp}"),
    case("GET /v1/disputes", ending_before="{dp}"),
    case("GET /v1/disputes/{dp}"),
    case("POST /v1/disputes/{dp}", metadata__a="1"),
    case(
        "POST /v1/disputes/{dp}",
        **{f"{PRIOR}[0][charge]": "{ch}"},
    ),
    case("POST /v1/disputes/{dp}/close"),
    case("POST /v1/test_helpers/charges/{ch}/dispute"),
    case("POST /v1/test_helpers/refunds/{re}/expire"),
    case("POST /v1/charges/{ch}/refunds"),
    case("GET /v1/charges/{ch}/refunds/{re}"),
    case("POST /v1/payouts", amount="1", currency="usd"),
    case("GET /v1/payouts", starting_after="{po}"),
    case("GET /v1/payouts", ending_before="{po}"),
    case("GET /v1/payouts/{po}"),
    case("POST /v1/payouts/{po}", metadata__a="1"),
    case("POST /v1/payouts/{po}/cancel"),
    case("POST /v1/payouts/{po}/reverse"),
    case("POST /v1/ledger/accounts"),
    case("GET /v1/ledger/accounts", starting_after="{lacc}"),
    case("GET /v1/ledger/accounts", ending_before="{lacc}"),
    case("GET /v1/ledger/accounts/{lacc}"),
    case("GET /v1/ledger/accounts/{lacc}", expand__="balance"),
    case("GET /v1/ledger/accounts/{lacc}/balance"),
    case("GET /v1/ledger/accounts/{lacc}/balance", sequence="1"),
    case("GET /v1/ledger/accounts/{lacc}/entries"),
    case("GET /v1/ledger/accounts/{lacc}/entries", starting_after="{lent}"),
    case("GET /v1/ledger/accounts/{lacc}/entries", ending_before="{lent}"),
    case("POST /v1/ledger/transfers", debit_account="{lacc}", credit_account="{lacc2}", amount="1"),
    case("POST /v1/ledger/transfers", debit_account="{lacc2}", credit_account="{lacc}", amount="1"),
    case("GET /v1/ledger/transfers", starting_after="{ltr}"),
    case("GET /v1/ledger/transfers", ending_before="{ltr}"),
    case("GET /v1/ledger/transfers/{ltr}"),
    case("POST /v1/ledger/transfers/{ltr}/post"),
    case("POST /v1/ledger/transfers/{ltr}/void"),
    # Whose accounts its items name is answered item by item: tests/http/test_ledger_batches.py.
    case("POST /v1/ledger/batches"),
    case("GET /v1/ledger/batches/{lbat}"),
    case("GET /v1/ledger/verify"),
]
NAMES = (
    "tok", "ctoken", "card", "seti", "setatt", "mandate", "cus", "ccsbtxn", "pm", "pi", "ch", "re", "po",
    "dp", "tr", "trr", "fee", "fr", "txn", "evt", "we", "wrp", "lacc", "ltr", "lbat", "lent",
)  # fmt: skip
# What a filter of a list names need not be there: an unknown customer has no payments.
FILTERS = frozenset(
    (
        "customer",
        "destination",
        "event",
        "charge",
        "payment_intent",
        "payment_method",
        "setup_intent",
        "source",
    )
)
