"""A card number or a security code that was sent is nowhere afterwards: no answer, no log, no table."""

import itertools
import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests.support.doors import H2, HTTP1
from tests.support.refusals import FORM, JSON, Database
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

DOORS = (HTTP1, H2)
# With a letter in it: a card number has none.
_HEXADECIMAL = re.compile(rb"(?=[0-9]*[a-f])[0-9a-f]{16,}")

# Codes that no other test sends, and that stand in no time, amount or identifier by chance: see `cards`.
GOOD = "4242424242424242"
SPELLINGS = ["{}", " {}", "{} ", "x{}", "{}x", "card {}", "{}0000", '"{}"', "{}\\n"]


def spaced(number: str, separator: str) -> str:
    return separator.join(number[place : place + 4] for place in range(0, len(number), 4))


def numbers() -> list[str]:
    """Return numbers right and wrong, in the ways that people write them."""
    return [
        GOOD,
        "4000000000000002",
        "4242424242424241",
        "4012888888881881",
        "378282246310005",
        "42424242424242424242424242",
        "４２４２４２４２４２４２４２４２",
        *(spaced(GOOD, separator) for separator in (" ", "-", ".", "  ", "\t", "_", "\u00a0")),
        *(spelling.format(GOOD) for spelling in SPELLINGS),
    ]


def requests() -> list[tuple[str, dict[str, Any]]]:
    """Return requests that carry a card where it belongs, and where somebody put it by mistake."""
    found: list[tuple[str, dict[str, Any]]] = []
    for number in numbers():
        card = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": CVC}
        data = {"type": "card", "card": card}
        found.append(("/v1/payment_methods", data))
        found.append(
            (
                "/v1/payment_intents",
                {"amount": 5, "currency": "usd", "confirm": True, "payment_method_data": data},
            )
        )
        # Where it does not belong.
        found.append(("/v1/payment_methods", {"type": "card", "card": number}))
        found.append(("/v1/payment_methods", {"type": number}))
        found.append(("/v1/payment_methods", {"type": "card", "card": {**card, "token": "tok_visa"}}))
        found.append(("/v1/payment_methods", {"type": "card", "card": {**card, "exp_month": number}}))
        found.append(("/v1/payment_methods", {"type": "card", "card": {**card, "cvc": number}}))
        found.append(("/v1/payment_intents", {"amount": number, "currency": "usd"}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": number}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "confirm": number}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "capture_method": number}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "receipt_email": number}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "expand": [number]}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "payment_method": number}))
        found.append(("/v1/payment_intents", {"amount": 5, "currency": "usd", "customer": number}))
        found.append(("/v1/customers", {"email": number}))
        found.append(("/v1/customers", {"payment_method": number}))
        found.append(("/v1/customers", {"invoice_settings": {"default_payment_method": number}}))
        found.append(("/v1/refunds", {"charge": number}))
        found.append((f"/v1/payment_methods/{quote(number)}/attach", {"customer": "cus_x"}))
        found.append((f"/v1/customers/{quote(number)}", {"name": "x"}))
        found.append((f"/v1/nowhere/{quote(number)}", {}))
    return found


# No token, secret or number has this sign: it stands nowhere by chance. It makes the code a wrong one, too.
CVC = "9~7"


def flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            pair
            for name, inner in value.items()
            for pair in flatten(inner, f"{prefix}[{name}]" if prefix else name)
        ]
    if isinstance(value, list):
        return [pair for inner in value for pair in flatten(inner, f"{prefix}[]")]
    return [(prefix, str(value).lower() if isinstance(value, bool) else str(value))]


def digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


@pytest.fixture(scope="module")
def sent(http: httpx.Client, tenant: Tenant) -> list[str]:
    """Send them all, as forms and as JSON, with idempotency keys and without; return the answers."""
    answers: list[str] = []
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    for number, (path, tree) in zip(itertools.count(), requests(), strict=False):
        keyed = {**headers, "Idempotency-Key": f"card {number}"}
        form = urlencode(flatten(tree))
        for answer in (
            http.post(path, content=form.encode(), headers={**headers, "Content-Type": FORM}),
            http.post(path, json=tree, headers={**keyed, "Content-Type": JSON}),
        ):
            assert answer.status_code < 500, answer.text
            answers.append(answer.text + repr(sorted(answer.headers.items())))
    good = {"number": GOOD, "exp_month": 12, "exp_year": 2034, "cvc": "159"}
    kept = http.post("/v1/payment_methods", json={"type": "card", "card": good}, headers=headers)
    assert kept.status_code == 200, kept.text
    answers.append(kept.text)
    return answers


def holds_a_number(text: str) -> str | None:
    """Return the first of the numbers that stands in the text, however its digits are set apart."""
    together = "".join(character for character in text if not character.isspace() and character not in "-._")
    for number in numbers():
        if number in text or digits(number) in together:
            return number
    return None


def test_what_is_looked_for_would_be_found() -> None:
    kept = b"\xd9#pm_01a22f15998a700087aa5cc1ae9c8b3b"
    assert b"159" in kept
    assert b"159" not in _HEXADECIMAL.sub(b"", kept)
    assert b"159" in _HEXADECIMAL.sub(b"", kept + b"\xa3159")
    assert b"159" in _HEXADECIMAL.sub(b"", GOOD.encode() + b"159")
    assert holds_a_number(f"Received '{spaced(GOOD, '-')}'") is not None
    assert holds_a_number("a payment of 4242 with pm_01a2073b83df7000817fdc0929a9f426") is None


def test_no_answer_repeats_a_card_number_or_code(sent: list[str]) -> None:
    for answer in sent:
        assert holds_a_number(answer) is None, answer
        assert CVC not in answer


def test_no_log_holds_a_card_number_or_code(sent: list[str], server: RunningServer) -> None:
    assert sent
    assert holds_a_number(server.output) is None
    assert CVC not in server.output
    for log in server.data_dir.rglob("*.log"):
        content = log.read_text(encoding="utf-8", errors="replace")
        assert holds_a_number(content) is None, log
        assert CVC not in content, log


def test_no_table_holds_a_card_number_or_code(sent: list[str], database: Database, tenant: Tenant) -> None:
    assert sent
    assert len(database.tables) >= 13
    dump = database.dump()
    assert str(tenant.tenant_id) in dump
    assert "4242" in dump, "the last four digits are kept"
    assert holds_a_number(dump) is None
    assert CVC not in dump
    # A code that was right is neither kept as text nor as a number of its own beside the expiry.
    rows = database.fetch("select snapshot from object_version where tenant_id = $1", tenant.tenant_id)
    assert rows
    # Identifiers and fingerprints have these digits by chance, and at some times of the day all of them.
    assert not [row for row in rows if b"159" in _HEXADECIMAL.sub(b"", bytes(row[0]))]
