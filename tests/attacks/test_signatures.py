"""Captured signed requests, sent again in every way that does not need the secret: nobody pays twice.

Signatures are made here by hand, as docs/SIGNING.md says: other clients must work as well.
"""

import concurrent.futures
import hashlib
import hmac
import itertools
import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.support.api import open_client
from tests.support.servers import RunningServer, SpawnServer
from tests.support.signers import SigningKey, make_signing_key

INTENTS = "/v1/payment_intents"
REPLAYS = 50
COUNTER = itertools.count(1)


class Merchant:
    """A signing key of a new tenant, and clients of all instances."""

    def __init__(self, signing: SigningKey, urls: list[str]) -> None:
        self.secret = signing.secret
        self._headers = {"authorization": f"Bearer {signing.key}"}
        self.clients = [open_client(url) for url in urls]
        self._turn = itertools.cycle(self.clients)

    def __enter__(self) -> "Merchant":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.close()

    def send(
        self, signature: str, body: bytes, *, key: str | None = None, target: str = INTENTS
    ) -> httpx.Response:
        """Send a form to one instance after the other."""
        headers = {"content-type": "application/x-www-form-urlencoded", "fastpay-signature": signature}
        headers |= self._headers if key is None else self._headers | {"idempotency-key": key}
        return next(self._turn).post(target, content=body, headers=headers)

    def sign(
        self,
        body: bytes,
        *,
        version: int,
        key: str = "",
        target: str = INTENTS,
        method: str = "POST",
        ahead_s: int = 0,
    ) -> str:
        """Return a header by the rules of docs/SIGNING.md."""
        at = int(time.time()) + ahead_s
        parts = [str(at), method, target, hashlib.sha256(body).hexdigest()]
        if version == 2:
            parts.insert(3, key.replace("%", "%25").replace(".", "%2E"))
        text = ".".join(parts).encode()
        return f"t={at},v{version}={hmac.new(self.secret.encode(), text, 'sha256').hexdigest()}"

    def payments(self) -> int:
        """Return how many payments there are, up to a hundred."""
        target = f"{INTENTS}?limit=100"
        signed = self.sign(b"", version=2, target=target, method="GET")
        listed = self.clients[0].get(target, headers=self._headers | {"fastpay-signature": signed})
        assert listed.status_code == 200, listed.text
        return len(listed.json()["data"])


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    """The version of the scheme that the client signs with; where that is 2, its key must sign."""
    found: int = request.param
    return found


@pytest.fixture
def merchant(server: RunningServer, second: RunningServer, version: int) -> Iterator[Merchant]:
    """A new merchant."""
    with Merchant(make_signing_key(server, must_sign=version == 2), [server.url, second.url]) as found:
        yield found


def payment(**more: object) -> bytes:
    fields: Mapping[str, Any] = {
        "amount": 5,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
    }
    named = {**fields, "description": f"n{next(COUNTER)}", **more}
    return "&".join(f"{name}={value}" for name, value in named.items()).encode()


def test_under_invented_keys_it_is_refused(merchant: Merchant, version: int) -> None:
    for own in ("order-1", None):
        body, before = payment(), merchant.payments()
        captured = merchant.sign(body, version=version, key=own or "")
        assert merchant.send(captured, body, key=own).status_code == 200
        replays = {merchant.send(captured, body, key=f"invented {n}").status_code for n in range(REPLAYS)}
        assert replays == {401}
        assert merchant.payments() == before + 1


def test_without_its_key_it_is_refused_and_with_it_answered(merchant: Merchant, version: int) -> None:
    for own in ("order-1", '"order.2"', "order 3 100%"):
        body, before = payment(), merchant.payments()
        captured = merchant.sign(body, version=version, key=own)
        first = merchant.send(captured, body, key=own)
        assert first.status_code == 200, first.text
        assert {merchant.send(captured, body).status_code for _ in range(4)} == {401}
        for again in (captured, merchant.sign(body, version=version, key=own)):
            answer = merchant.send(again, body, key=own)
            assert (answer.content, answer.headers["idempotent-replayed"]) == (first.content, "true")
        assert merchant.payments() == before + 1


def test_without_a_key_it_is_taken_once(merchant: Merchant, version: int) -> None:
    body, before = payment(), merchant.payments()
    captured = merchant.sign(body, version=version)
    assert [merchant.send(captured, body).status_code for _ in range(4)] == [200, 401, 401, 401]
    assert merchant.payments() == before + 1


def test_a_captured_retry_or_refusal_cannot_be_used_under_another_key(
    merchant: Merchant, version: int
) -> None:
    declined = payment(payment_method="pm_card_chargeDeclined")
    for body, status in ((payment(), 200), (declined, 402)):
        key = f"own {next(COUNTER)}"
        first = merchant.sign(body, version=version, key=key)
        assert merchant.send(first, body, key=key).status_code == status
        # Signed anew, in another second.
        retried = merchant.sign(body, version=version, key=key, ahead_s=60)
        answer = merchant.send(retried, body, key=key)
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (status, "true")
        # Neither that, nor what is refused since its key belongs to another request.
        other = payment()
        mismatched = merchant.sign(other, version=version, key=key)
        assert merchant.send(mismatched, other, key=key).status_code == 400
        before = merchant.payments()
        for captured, of in ((first, body), (retried, body), (mismatched, other)):
            for invented in ("invented", None):
                assert merchant.send(captured, of, key=invented).status_code == 401
        assert merchant.payments() == before


def test_in_parallel_on_two_instances_one_key_wins(merchant: Merchant, version: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            body, before = payment(), merchant.payments()
            own = [f"own {next(COUNTER)}" for _ in range(16)]
            captured = merchant.sign(body, version=version, key=own[0])
            sent = [pool.submit(merchant.send, captured, body, key=key) for key in own]
            statuses = sorted(future.result().status_code for future in sent)
            assert statuses == [200] + [401] * 15
            assert merchant.payments() == before + 1


def test_after_a_crash_it_is_refused_as_before(
    server: RunningServer, environment: dict[str, str], spawn_server: SpawnServer
) -> None:
    keys = {version: make_signing_key(server, must_sign=version == 2) for version in (1, 2)}
    first = spawn_server(environment=environment)
    captured: dict[int, list[tuple[str, bytes, str | None]]] = {1: [], 2: []}
    for version, signing in keys.items():
        with Merchant(signing, [first.url]) as merchant:
            for own in ("own", None):
                body = payment()
                header = merchant.sign(body, version=version, key=own or "")
                assert merchant.send(header, body, key=own).status_code == 200
                captured[version].append((header, body, own))
    first.stop(signal.SIGKILL)
    again = spawn_server(environment=environment)
    for version, signing in keys.items():
        with Merchant(signing, [again.url]) as merchant:
            for header, body, _ in captured[version]:
                for invented in ("invented", None):
                    assert merchant.send(header, body, key=invented).status_code == 401
            header, body, own = captured[version][0]
            assert merchant.send(header, body, key=own).headers["idempotent-replayed"] == "true"
            assert merchant.payments() == 2


@pytest.mark.parametrize("version", [2], indirect=True)
def test_a_key_that_must_sign_takes_no_signature_that_leaves_the_key_open(merchant: Merchant) -> None:
    body = payment()
    refused = merchant.send("", body)
    for key in ("own", None):
        answer = merchant.send(merchant.sign(body, version=1), body, key=key)
        assert (answer.status_code, answer.content) == (401, refused.content)
    both = merchant.sign(body, version=2, key="own") + "," + merchant.sign(body, version=1).partition(",")[2]
    assert merchant.send(both, body, key="own").status_code == 200
    for rest in (both.split(",v2=")[0] + ",v1=" + both.split("v1=")[1], both):
        for invented in ("invented", None):
            assert merchant.send(rest, body, key=invented).status_code == 401
    assert merchant.payments() == 1


@pytest.mark.parametrize("version", [1], indirect=True)
def test_of_a_header_with_both_versions_none_can_be_used_by_itself(merchant: Merchant) -> None:
    body = payment()
    new, old = merchant.sign(body, version=2, key="own"), merchant.sign(body, version=1)
    both = f"{new},{old.partition(',')[2]}"
    # A good first version does not make up for a second one that another key has broken.
    assert merchant.send(both, body, key="invented").status_code == 401
    assert merchant.send(both, body, key="own").status_code == 200
    stripped = f"{both.partition(',')[0]},{old.partition(',')[2]}"
    for header in (both, stripped, new):
        for invented in ("invented", None):
            assert merchant.send(header, body, key=invented).status_code == 401
    assert merchant.payments() == 1


@pytest.mark.parametrize("version", [2], indirect=True)
def test_nothing_can_be_moved_between_the_target_and_the_key(merchant: Merchant) -> None:
    body, target = payment(), f"{INTENTS}?transfer_group=a"
    for signed_target, key, sent_target, sent_key in (
        (target, "b.c", f"{target}.b", "c"),
        (f"{target}.b", "c", target, "b.c"),
        (f"{target}.b", "", target, "b."),
        (target, "b.", f"{target}.b", None),
        (f"{target}.b", "c", target, "b%2Ec"),
        (target, "b.c", target, "b%2Ec"),
        (target, "b%2Ec", target, "b.c"),
        (target, "b%2Ec", target, "b%252Ec"),
    ):
        captured = merchant.sign(body, version=2, target=signed_target, key=key)
        assert merchant.send(captured, body, target=sent_target, key=sent_key).status_code == 401
        # Its bytes under the other version's name are no signature either.
        older = captured.replace("v2=", "v1=")
        assert merchant.send(older, body, target=f"{target}.b.c", key=None).status_code == 401
    assert merchant.payments() == 0
