"""Bad parameters of what saves payment methods: setup intents, tokens, sources and confirmation tokens."""

from tests.support.refusals import INTEGER, MISSING, UNKNOWN, Bad, encode, form, query

SETUPS = "/v1/setup_intents"
ATTEMPTS = "/v1/setup_attempts"
INTENTS = "/v1/payment_intents"
TOKENS = "/v1/tokens"
HELPER = "/v1/test_helpers/confirmation_tokens"
CUSTOMERS = "/v1/customers"
SOURCES = f"{CUSTOMERS}/cus_{'0' * 32}/sources"

CARD = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2034"}
ACCOUNT = {"country": "US", "account_number": "000123456789", "routing_number": "110000000"}
GERMAN = "DE89370400440532013000"

ACCEPTED = "mandate_data[customer_acceptance]"
OFFLINE = {f"{ACCEPTED}[type]": "offline"}
SETTING_UP = [
    form(SETUPS, param="payment_method_types", **{"payment_method_types[0]": "cash"}),
    form(SETUPS, param="payment_method_types", payment_method_types="card"),
    form(SETUPS, param="return_url", return_url="https://shop.example"),
    *(
        form(path, code="url_invalid", param="return_url", return_url=url, **more)
        for url in (
            "javascript:alert(1)",
            "shop.example",
            "https://",
            "https://a.example/\r\nset-cookie: a=b",
        )
        for path, more in (
            (SETUPS, {"confirm": "true"}),
            (INTENTS, {"amount": "5", "currency": "usd", "confirm": "true"}),
            (HELPER, {"payment_method": "pm_card_visa"}),
        )
    ),
    form(SETUPS, param="mandate_data", **OFFLINE),
    form(SETUPS, param="single_use", **{"single_use[amount]": "5", "single_use[currency]": "usd"}),
    form(
        SETUPS,
        param="payment_method_types",
        **{"automatic_payment_methods[enabled]": "true", "payment_method_types[0]": "card"},
    ),
    *(
        form(SETUPS, code=code, param=param, confirm="true", payment_method="pm_card_visa", **fields)
        for code, param, fields in (
            (MISSING, f"{ACCEPTED}[type]", {f"{ACCEPTED}[accepted_at]": "5"}),
            (MISSING, f"{ACCEPTED}[online]", {f"{ACCEPTED}[type]": "online"}),
            (INTEGER, f"{ACCEPTED}[accepted_at]", {**OFFLINE, f"{ACCEPTED}[accepted_at]": "-1"}),
            (MISSING, "mandate_data", {"single_use[amount]": "5", "single_use[currency]": "usd"}),
            (
                "amount_too_small",
                "single_use[amount]",
                {**OFFLINE, "single_use[amount]": "0", "single_use[currency]": "usd"},
            ),
            (
                None,
                "single_use[currency]",
                {**OFFLINE, "single_use[amount]": "5", "single_use[currency]": "zzz"},
            ),
            (MISSING, "single_use[currency]", {**OFFLINE, "single_use[amount]": "5"}),
        )
    ),
    form(
        SETUPS + "/seti_" + "0" * 32 + "/cancel",
        param="cancellation_reason",
        cancellation_reason="fraudulent",
    ),
    query(ATTEMPTS, code=MISSING, param="setup_intent"),
    query(ATTEMPTS + "?setup_intent=nobody", code="resource_missing", param="setup_intent"),
    query(SETUPS + "?payment_method=nobody", code="resource_missing", param="payment_method"),
    query(SETUPS + "?starting_after=pi_" + "0" * 32, code="resource_missing", param="starting_after"),
    query(SETUPS + "?expand[]=data.latest_charge", param="expand"),
]

TOKENS_AND_SOURCES = [
    form(TOKENS, code=MISSING, param="card"),
    form(TOKENS, code=MISSING, param="card[number]", **{"card[exp_month]": "12", "card[exp_year]": "2034"}),
    form(TOKENS, param="cvc_update", **CARD, **{"cvc_update[cvc]": "123"}),
    *(
        Bad(
            TOKENS,
            encode({"cvc_update[cvc]": cvc}),
            status=402,
            code="invalid_cvc",
            param="cvc_update[cvc]",
        )
        for cvc in ("12", "12345", "abc", "４２４")
    ),
    *(
        form(
            TOKENS,
            code=code,
            param=f"bank_account[{param}]",
            **{f"bank_account[{name}]": text for name, text in {**ACCOUNT, **fields}.items() if text},
        )
        for code, param, fields in (
            (MISSING, "country", {"country": ""}),
            (MISSING, "account_number", {"account_number": ""}),
            (MISSING, "routing_number", {"routing_number": ""}),
            ("routing_number_invalid", "routing_number", {"routing_number": "110000001"}),
            ("routing_number_invalid", "routing_number", {"routing_number": "1100"}),
            ("account_number_invalid", "account_number", {"country": "DE"}),
            ("account_number_invalid", "account_number", {"country": "FR", "account_number": GERMAN}),
            ("bank_account_unusable", "account_number", {"account_number": "000123456780"}),
            ("bank_account_unusable", "account_number", {"routing_number": "021000021"}),
            (None, "currency", {"currency": "zzz"}),
        )
    ),
    form("/v1/accounts", code="resource_missing", param="external_account", external_account="tok_visa"),
    Bad(SETUPS, b"on_behalf_of=nobody", status=404, code="resource_missing", param="on_behalf_of"),
    form(
        INTENTS,
        code="resource_missing",
        param="payment_method_options[card][cvc_token]",
        amount="5",
        currency="usd",
        **{"payment_method_options[card][cvc_token]": "tok_visa"},
    ),
    form(TOKENS, param="card[token]", **{"card[token]": "tok_visa"}),
    form(TOKENS, param="card[name]", **CARD, **{"card[name]": "x" * 5001}),
    form(SOURCES, code=MISSING, param="source"),
    form(SOURCES, code="resource_missing", param="source", source="tok_nobody"),
    form(SOURCES, code="resource_missing", param="source", source="pm_card_visa"),
    form(CUSTOMERS, code="resource_missing", param="source", source="nobody"),
    form(f"{CUSTOMERS}/cus_{'0' * 32}", code="resource_missing", param="default_source", default_source="x"),
    form(
        f"{CUSTOMERS}/cus_{'0' * 32}",
        param="source",
        source="tok_visa",
        default_source="card_" + "0" * 32,
    ),
    form(f"{SOURCES}/card_{'0' * 32}", code=UNKNOWN, param="number", number="1"),
    query(SOURCES + "?expand[]=data.owner", param="expand"),
    form(HELPER, code=MISSING, param="payment_method_data"),
    form(
        HELPER,
        code=MISSING,
        param="shipping[address]",
        payment_method="pm_card_visa",
        **{"shipping[name]": "A"},
    ),
    form(INTENTS, param="confirmation_token", amount="5", currency="usd", confirmation_token="ctoken_x"),
    form(
        INTENTS,
        param="confirmation_token",
        amount="5",
        currency="usd",
        confirm="true",
        confirmation_token="ctoken_x",
        payment_method="pm_card_visa",
    ),
    form(SETUPS, param="confirmation_token", confirmation_token="ctoken_x"),
]
