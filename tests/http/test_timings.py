"""Server-Timing, over both protocols: for whom it is, and what it says."""

import re
from typing import Any

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.support.doors import H2, HTTP1
from tests.support.servers import PATIENCE_SECONDS
from tests.support.tenants import Tenant

DOORS = (HTTP1, H2)

ASKS = {"fastpay-server-timing": "1"}
PAY = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
STAGE = re.compile(r"([a-z]+);dur=([0-9]+\.[0-9]{2})")


@pytest.fixture(scope="module")
def intent(http: httpx.Client, tenant: Tenant) -> dict[str, Any]:
    """A payment."""
    answer = http.post("/v1/payment_intents", data=PAY, auth=(tenant.secret, ""))
    made: dict[str, Any] = answer.raise_for_status().json()
    return made


def stages(answer: httpx.Response) -> dict[str, float]:
    """Return the milliseconds that the answer tells of, by stage."""
    parts = [STAGE.fullmatch(part) for part in answer.headers["server-timing"].split(", ")]
    return {part[1]: float(part[2]) for part in parts if part is not None}


def _pay_here(http: httpx.Client, tenant: Tenant) -> httpx.Response:
    """Pay where the tenant is at home: an instance that another test has killed is a member for a while."""
    answers = list[httpx.Response]()

    def pay() -> bool:
        headers = ASKS | {"idempotency-key": f"timing of payment {len(answers)} over {http.base_url}"}
        answers.append(http.post("/v1/payment_intents", data=PAY, auth=(tenant.secret, ""), headers=headers))
        return "home" not in stages(answers[-1])

    children.wait_until(pay, timeout_ms=PATIENCE_SECONDS * 1000)
    return answers[-1]


def test_a_payment_tells_how_long_it_was_in_line_and_at_the_database(
    http: httpx.Client, tenant: Tenant
) -> None:
    first = _pay_here(http, tenant)
    headers = ASKS | {"idempotency-key": first.request.headers["idempotency-key"]}
    told = stages(first)
    assert list(told) == ["auth", "decode", "queue", "commit", "render"]
    # Parameters are read and the database is asked: neither can be free.
    assert told["commit"] > 0
    assert sum(told.values()) <= first.elapsed.total_seconds() * 1000 + 0.05
    again = http.post("/v1/payment_intents", data=PAY, auth=(tenant.secret, ""), headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert list(stages(again)) == ["auth", "decode", "queue", "commit", "render"]
    assert again.content == first.content


def test_a_get_tells_whether_it_was_read_or_at_hand(
    http: httpx.Client, tenant: Tenant, intent: dict[str, Any]
) -> None:
    auth = (tenant.secret, "")
    path = f"/v1/payment_intents/{intent['id']}"
    http.get(path, auth=auth)
    plain = http.get(path, auth=auth)
    told = http.get(path, auth=auth, headers=ASKS)
    assert list(stages(told)) == ["auth", "decode", "cache", "render"]
    assert (told.content, told.headers["etag"]) == (plain.content, plain.headers["etag"])
    assert list(stages(http.get("/v1/payment_intents", auth=auth, headers=ASKS))) == [
        "auth",
        "decode",
        "read",
        "render",
    ]
    ledger = http.get("/v1/balance", auth=auth, headers=ASKS)
    assert list(stages(ledger)) == ["auth", "answer"]
    # It says nothing of an answer that is kept, and stays with none.
    assert "server-timing" not in http.get(path, auth=auth).headers
    unchanged = http.get(path, auth=auth, headers=ASKS | {"if-none-match": plain.headers["etag"]})
    assert unchanged.status_code == 304
    assert "cache" in stages(unchanged)


def test_nobody_is_told_without_asking_or_without_being_let_in(
    http: httpx.Client, tenant: Tenant, intent: dict[str, Any]
) -> None:
    path = f"/v1/payment_intents/{intent['id']}"
    secret, publishable = (tenant.secret, ""), (tenant.publishable, "")
    with_secret = f"{path}?client_secret={intent['client_secret']}"
    refused = [
        http.get(path, auth=secret),
        http.get(path, auth=secret, headers={"fastpay-server-timing": "0"}),
        http.get(path, auth=secret, headers={"fastpay-server-timing": "yes"}),
        http.get(path, headers=ASKS),
        http.get(path, auth=(tenant.secret + "x", ""), headers=ASKS),
        http.get(path, auth=publishable, headers=ASKS),
        http.get(with_secret, auth=publishable, headers=ASKS),
        http.get(path[:-32] + "0" * 32, auth=secret, headers=ASKS),
        http.get(f"{path}?unknown=1", auth=secret, headers=ASKS),
        http.post("/v1/payment_intents", data={}, auth=secret, headers=ASKS),
    ]
    statuses = [answer.status_code for answer in refused]
    assert statuses == [200, 200, 200, 401, 401, 400, 200, 404, 400, 400]
    assert all("server-timing" not in answer.headers for answer in refused)
