"""The application behaves alike whichever way a request comes in."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from fastpay import limits
from tests.support.doors import DOORS, Certificate, Door
from tests.support.refusals import check_error
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

INTENTS = "/v1/payment_intents"
PARALLEL = 100


@dataclass(frozen=True)
class Visit:
    """A tenant of its own, and a client that comes through one of the doors."""

    door: Door
    http: httpx.Client
    url: str
    key: str
    options: dict[str, Any]

    def post(self, path: str, *, key: str | None = None, **fields: Any) -> httpx.Response:
        return self.http.post(path, data=fields, headers={} if key is None else {"Idempotency-Key": key})

    def made(self, path: str, **fields: Any) -> Any:
        """Post, and return the object that came of it."""
        answer = self.post(path, **fields)
        assert (answer.status_code, answer.http_version) == (200, self.door.version), answer.text
        return answer.json()


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def visit(
    request: pytest.FixtureRequest,
    plain_server: RunningServer,
    tls_server: RunningServer,
    certificate: Certificate,
) -> Iterator[Visit]:
    door: Door = request.param
    url = (tls_server if door.is_tls else plain_server).url
    assert url.startswith("https:" if door.is_tls else "http:")
    key = make_tenant(plain_server.database_url).secret
    options = door.options(certificate) | {"headers": {"Authorization": f"Bearer {key}"}}
    with httpx.Client(base_url=url, **options) as http:
        yield Visit(door, http, url, key, options)


def payment(**more: str) -> dict[str, str]:
    return {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true", **more}


def test_a_payment_is_captured_refunded_and_listed(visit: Visit) -> None:
    held = visit.made(INTENTS, **payment(capture_method="manual"))
    assert held["status"] == "requires_capture"
    captured = visit.made(f"{INTENTS}/{held['id']}/capture", amount_to_capture="1500")
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 1500)
    refund = visit.made("/v1/refunds", payment_intent=held["id"], amount="500")
    assert refund["status"] == "succeeded"
    # Both forms of brackets, as clients send them.
    for expand in ("expand[]=latest_charge", "expand%5B0%5D=latest_charge"):
        shown = visit.http.get(f"{INTENTS}/{held['id']}?{expand}").json()
        assert shown["latest_charge"]["amount_refunded"] == 500
    others = [visit.made(INTENTS, **payment())["id"] for _ in range(3)]
    first = visit.http.get(INTENTS, params={"limit": 3}).json()
    assert ([intent["id"] for intent in first["data"]], first["has_more"]) == (others[::-1], True)
    rest = visit.http.get(INTENTS, params={"starting_after": others[0]}).json()
    assert ([intent["id"] for intent in rest["data"]], rest["has_more"]) == ([held["id"]], False)
    books = visit.http.get("/v1/ledger/verify")
    assert books.status_code == 200


def test_a_decline_names_the_payment_that_was_declined(visit: Visit) -> None:
    answer = visit.post(INTENTS, key="declined", **payment(payment_method="pm_card_chargeDeclined"))
    error = check_error(answer, 402)
    assert (error["code"], error["payment_intent"]["status"]) == ("card_declined", "requires_payment_method")
    again = visit.post(INTENTS, key="declined", **payment(payment_method="pm_card_chargeDeclined"))
    assert (again.status_code, again.content) == (402, answer.content)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_key_is_answered_as_the_first_time_and_for_nothing_else(visit: Visit) -> None:
    first, again = (visit.post(INTENTS, key="order 1", **payment()) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["idempotency-key"] == "order 1"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert again.headers["request-id"] != first.headers["request-id"]
    other = visit.post(INTENTS, key="order 1", **payment(amount="2001"))
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(visit.http.get(INTENTS).json()["data"]) == 1


def test_a_hundred_duplicates_at_once_make_one_payment(visit: Visit) -> None:
    async def send_all() -> list[httpx.Response]:
        # httpx allows a connection each over HTTP/1.1, and opens streams of one over HTTP/2.
        bounds = httpx.Limits(max_connections=PARALLEL)
        async with httpx.AsyncClient(base_url=visit.url, limits=bounds, **visit.options) as http:
            await http.get("/healthz")
            headers = {"Idempotency-Key": "at once"}
            calls = (http.post(INTENTS, data=payment(), headers=headers) for _ in range(PARALLEL))
            return await asyncio.gather(*calls)

    answers = asyncio.run(send_all())
    assert {(answer.status_code, answer.http_version) for answer in answers} == {(200, visit.door.version)}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len({answer.headers["request-id"] for answer in answers}) == PARALLEL
    assert len(visit.http.get(INTENTS).json()["data"]) == 1


def test_what_cannot_be_served_is_refused(visit: Visit) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/nowhere", "/v1/nothing", f"{INTENTS}/pi_01{1:030x}"):
        check_error(visit.http.get(path), 404)
    wrong_method = visit.http.delete(INTENTS)
    check_error(wrong_method, 405)
    assert wrong_method.headers["allow"] == "GET, HEAD, POST"
    check_error(visit.http.post(INTENTS, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    check_error(visit.http.get("/" + "x" * limits.target_bytes_max), 414)
    check_error(visit.http.get("/v1/balance", headers={"X-Long": "x" * limits.header_bytes_max}), 431)
    check_error(visit.http.get("/v1/balance", headers={"Authorization": "Bearer sk_test_x"}), 401)
    # After all of these the door is still open.
    assert visit.http.get("/v1/balance").status_code == 200
    largest = b"amount=5&currency=usd&description=".ljust(limits.body_bytes_max, b"x")
    assert check_error(visit.http.post(INTENTS, content=largest, headers=form), 400)["param"] == "description"
    assert visit.http.get("/v1/balance").status_code == 200


# Targets and bodies that a protocol could decode, normalize or cut before the application reads them.
ODD_TEXTS = ("%00", "%ED%A0%80", "%FF", "%C3%BC", "%2e%2e", "a%2Fb", "%25", "+", "=", "[", "a[b]c", "x" * 300)
ODD_BODIES = (
    b"", b"\x00", b"\xff\xfe", b"&&&", b"amount", b"amount=5&amount=6", b"amount=5&currency=usd\r\n",
    b"{}", b"[1]", b'{"amount": 1e400}', b'{"customer": "\\ud800"}', b"\xef\xbb\xbf{}", b'{"email": "\xc3"}',
)  # fmt: skip


def test_odd_requests_have_the_same_answer_whichever_way_they_come(
    plain_server: RunningServer, tls_server: RunningServer, certificate: Certificate
) -> None:
    key = make_tenant(plain_server.database_url).secret
    told = []
    for door in DOORS:
        with door.open((tls_server if door.is_tls else plain_server).url, certificate) as http:
            http.headers["Authorization"] = f"Bearer {key}"
            answers = [http.get(f"{INTENTS}/{text}") for text in ODD_TEXTS]
            answers += [http.get(f"/v1/customers?{text}&email={text}") for text in ODD_TEXTS]
            for content in ODD_BODIES:
                for kind in ("x-www-form-urlencoded", "json"):
                    sent = {"Content-Type": f"application/{kind}"}
                    answers.append(http.post(INTENTS, content=content, headers=sent))
        assert {answer.http_version for answer in answers} == {door.version}
        told.append([(answer.status_code, answer.content) for answer in answers])
    assert {status for status, _ in told[0]} == {400, 404}
    assert len(set(told[0])) > len(ODD_BODIES)
    assert told[1:] == told[:1] * 3


def test_a_body_over_the_limit_is_refused(visit: Visit) -> None:
    body = b"amount=5&currency=usd&description=".ljust(limits.body_bytes_max + 1, b"x")
    # Of no announced length. Over HTTP/2 httpx never reads an answer that comes before its windows are open
    # again; a length that is announced is curl's to try.
    pieces = (body[place : place + 65_536] for place in range(0, len(body), 65_536))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    check_error(visit.http.post(INTENTS, content=pieces, headers=headers), 413)
    assert visit.http.get(INTENTS).json()["data"] == []


def test_an_answer_to_head_is_its_head_alone(visit: Visit) -> None:
    for path, status in (("/healthz", 200), (INTENTS, 200), ("/v1/nothing", 404)):
        asked = visit.http.head(path)
        assert (asked.status_code, asked.content) == (status, b"")
        assert int(asked.headers["content-length"]) > 0
        assert asked.headers["request-id"].startswith("req_")
        assert visit.http.get("/healthz").json() == {"status": "ok"}


def test_an_answer_has_the_same_headers_whichever_way_it_goes(visit: Visit) -> None:
    answer = visit.post(INTENTS, key="headers", **payment())
    assert sorted(answer.headers) == [
        "cache-control", "content-length", "content-type", "date", "idempotency-key", "request-id",
    ]  # fmt: skip
