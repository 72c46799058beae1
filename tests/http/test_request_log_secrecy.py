"""Nothing that a client wrote of a card, and no secret, is in the request log: not in rows, not in lines.

Every text that a request can hold is put in each place that a request has: every parameter of every route,
misspelt ones, names, paths, queries, headers, and what errors quote.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.operations.embedded import children
from tests.http.test_card_secrecy import flatten, holds_a_number
from tests.http.test_card_secrecy import requests as card_requests
from tests.support.api import open_client
from tests.support.seeds import size
from tests.support.servers import PATIENCE_SECONDS, RunningServer, fetch
from tests.support.tenants import Tenant, make_tenant

# A security code can be told from other digits only if something else is beside them.
CODE = "9q7"
NUMBER = "4242424242424242"
SECRETS = ("sk_live_9q7secret0123456789", "pi_x_secret_9q7", "whsec_9q7")
# How often a text is put in a place of the parameters: as its value or as its name, or both.
CHANGES_A_PLACE = size(1, soak=2)
TEXTS = (NUMBER, "4242 4242 4242 4242", CODE, f"card {NUMBER} {CODE}", *SECRETS)


@pytest.fixture(scope="module")
def server(logging_server: RunningServer) -> RunningServer:
    return logging_server


def places(accepted: Accepted, depth: int = 0) -> Iterator[Any]:
    """Yield trees of parameters that are empty but for one place, which holds None."""
    if accepted.fields is not None and depth < 5:
        for name, inner in accepted.fields.items():
            yield from ({name: tree} for tree in places(inner, depth + 1))
        yield {"misspelt": None}
    elif accepted.elements is not None:
        yield from ([tree] for tree in places(accepted.elements, depth + 1))
    elif accepted.values is not None:
        yield {"key": None}
    else:
        yield None


def filled(tree: Any, text: str) -> Any:
    """Return a tree with a text in its place."""
    if isinstance(tree, dict):
        return {name: filled(inner, text) for name, inner in tree.items()}
    return [filled(inner, text) for inner in tree] if isinstance(tree, list) else text


def renamed(tree: Any, text: str) -> Any:
    """Return a tree with a text as the name of its innermost place."""
    if isinstance(tree, dict):
        ((name, inner),) = tree.items()
        return {text: "x"} if inner is None else {name: renamed(inner, text)}
    return [renamed(inner, text) for inner in tree] if isinstance(tree, list) else text


def bodies() -> Iterator[tuple[str, str, Any]]:
    """Yield methods, paths and parameters."""
    texts, changes = itertools.cycle(TEXTS), itertools.cycle((filled, renamed))
    for route in ROUTES:
        path = route.path
        for name in ("id", "charge", "payment_method", "reversal", "refund", "source", "transaction"):
            path = path.replace(f"{{{name}}}", "x")
        for tree in places(accepted_by(route.endpoint.contract.params)):
            # A security code in every place, and each text in turn as a value or as a name.
            yield route.method, path, filled(tree, CODE)
            text = next(texts)
            for _ in range(CHANGES_A_PLACE):
                yield route.method, path, next(changes)(tree, text)
    for path, tree in card_requests():
        yield "POST", path, tree


def exchanges(http: httpx.Client) -> Iterator[httpx.Response]:
    """Send everything, as forms and as JSON."""
    for number, (method, path, tree) in enumerate(bodies()):
        form = urlencode(flatten(tree))
        if method != "POST":
            yield http.request(method, f"{path}?{form}")
        elif number % 2:
            yield http.post(path, content=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
        else:
            yield http.post(path, json=tree)
    for text in TEXTS:
        sent = {"Idempotency-Key": text, "User-Agent": f"Browser/{text}", "Stripe-Version": text}
        for name, value in {**sent, "Stripe-Account": text, "Accept": text, "Cookie": text}.items():
            yield http.post("/v1/customers", headers={name: value})
        for path in (
            "/v1/{}",
            "/v1/customers/{}",
            "/v1/customers/{}/sources/{}",
            "/{}",
            "/v1/request_logs/{}",
        ):
            yield http.get(path.format(*[quote(text)] * 2))
        yield http.get(f"/v1/customers?email={quote(text)}&{quote(text)}=1")
        yield http.post(f"/v1/customers?description={quote(text)}", content=f"name={quote(text)}")
        yield http.post("/v1/customers", content=text, headers={"Content-Type": "application/json"})
        yield http.post("/v1/customers", content=text, headers={"Content-Type": text})
    data = {"number": NUMBER, "exp_month": 4242424242424242, "exp_year": 1597, "cvc": 1597}
    yield http.post("/v1/payment_methods", json={"type": "card", "card": data})
    yield http.get("/v1/customers", params={"created[gte]": NUMBER, "limit": NUMBER})


@pytest.fixture(scope="module")
def logged(server: RunningServer) -> tuple[Tenant, int]:
    """Send everything, and wait until it is logged. Return whose it was, and how much."""
    tenant = make_tenant(server.database_url)
    ids = []
    with open_client(server.url, tenant.secret) as http:
        for answer in exchanges(http):
            assert answer.status_code < 500, answer.text
            ids.append(answer.headers["request-id"])
        assert children.wait_until(lambda: ids[-1] in server.output, timeout_ms=PATIENCE_SECONDS * 1000)
    return tenant, len(ids)


def rows(server: RunningServer, tenant: Tenant) -> list[dict[str, Any]]:
    found = fetch(server.database_url, "select * from request_log where tenant_id = $1", tenant.tenant_id)
    return [dict(row) for row in found]


def betrayed(text: str) -> str | None:
    """Return what must not be there and is."""
    return CODE if CODE in text else holds_a_number(text)


def test_no_row_holds_what_a_client_wrote(server: RunningServer, logged: tuple[Tenant, int]) -> None:
    tenant, sent = logged
    found = rows(server, tenant)
    # Unknown paths and methods belong to nobody.
    assert sent > 1_000
    assert len(found) > sent * 0.9
    for row in found:
        shown = {name: value for name, value in row.items() if name not in {"received_at", "duration_us"}}
        identified = {name: shown.pop(name) for name in ("tenant_id", "key_id", "request_id")}
        assert identified["tenant_id"] == tenant.tenant_id
        assert betrayed(json.dumps(shown, default=str)) is None, row
    # The log is of use nonetheless.
    assert sum(row["parameters"] not in (None, "{}") for row in found) > sent // 2
    assert {"type": "card", "card": "[redacted]"} in [json.loads(row["parameters"] or "{}") for row in found]


def test_no_line_holds_what_a_client_wrote(server: RunningServer, logged: tuple[Tenant, int]) -> None:
    _, sent = logged
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    answered = [line for line in lines if line["event"] == "request_answered"]
    assert len(answered) >= sent
    for line in lines:
        for name in ("time", "duration_ms", "tenant", "api_key", "request_id"):
            line.pop(name, None)
        assert betrayed(json.dumps(line)) is None, line
