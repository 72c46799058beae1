"""What clients sign with: targets as they are sent, times, and what cannot be signed."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native import signature
from fastpay.signing import HEADER, HttpxAuth, RequestsAuth, RequestSigner, sign_request
from tests.reference import signature as oracle
from tests.unit.api.fakes import NOW_MS, FakeClock

NOW = NOW_MS // 1000
CLOCK = FakeClock()
SECRET = "fpss_ä secret"


def expected(method: str, target: bytes, body: bytes = b"", *, at: int = NOW, key: bytes = b"") -> str:
    return oracle.signed((SECRET.encode(),), method, target, body, at, key)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/v1/balance", b"/v1/balance"),
        (b"/v1/balance", b"/v1/balance"),
        ("/v1/x?a=%2F&b", b"/v1/x?a=%2F&b"),
        ("/v1/x?", b"/v1/x?"),
        ("/v1/x?to=http://other/", b"/v1/x?to=http://other/"),
        ("https://pay.test/v1/x?a=b", b"/v1/x?a=b"),
        ("https://pay.test:8000/v1/x#part", b"/v1/x"),
        ("https://pay.test", b"/"),
        ("https://pay.test?a=/b", b"/?a=/b"),
        ("http://user:pw@pay.test//v1", b"//v1"),
    ],
)
def test_path_and_query_are_signed_as_they_stand(url: str | bytes, target: bytes) -> None:
    assert sign_request(SECRET, "GET", url, timestamp=NOW) == expected("GET", target)


def test_a_body_is_signed_as_text_or_bytes_and_the_method_as_it_is_sent() -> None:
    signer = RequestSigner(SECRET, clock=CLOCK)
    for body in ("name=ä", "name=ä".encode()):
        assert signer.sign("post", "/v1/x", body) == expected("POST", b"/v1/x", "name=ä".encode())


def test_the_idempotency_key_is_signed_as_it_is_sent() -> None:
    for key in ('"order.1"', b'\t"order.1" '):
        header = sign_request(SECRET, "POST", "/v1/x", idempotency_key=key, timestamp=NOW)
        assert header == expected("POST", b"/v1/x", key=b'"order.1"')
    assert sign_request(SECRET, "POST", "/v1/x", idempotency_key="", timestamp=NOW) == expected(
        "POST", b"/v1/x"
    )


@given(
    secret=st.text(min_size=1, max_size=80),
    target=st.text(alphabet="/ab.?%=", max_size=20).map(lambda text: "/" + text),
    body=st.binary(max_size=40),
    key=st.text(alphabet='a.%2E"', max_size=10),
    timestamp=st.integers(0, 10**12 - 1),
)
def test_the_server_accepts_what_is_signed_here(
    secret: str, target: str, body: bytes, key: str, timestamp: int
) -> None:
    header = sign_request(secret, "POST", target, body, idempotency_key=key, timestamp=timestamp).encode()
    signers = (signature.Signer(secret.encode()),)
    checked = (signers, header, "POST", target.encode(), body, timestamp, key.encode(), True)
    assert signature.verify_request(*checked) == timestamp


def test_several_secrets_make_several_signatures() -> None:
    header = RequestSigner("one", SECRET, clock=CLOCK).sign("GET", "/")
    assert header.count("v2=") == 2
    assert "v1=" not in header
    assert header.endswith(expected("GET", b"/").partition(",")[2])


def test_what_cannot_be_signed_is_refused() -> None:
    empty = (RequestSigner, HttpxAuth, RequestsAuth, lambda: RequestSigner(""), lambda: RequestsAuth(""))
    for make in empty:
        with pytest.raises(ValueError, match="secret"):
            make()
    with pytest.raises(ValueError, match="percent-encode"):
        sign_request(SECRET, "GET", "/ä")
    for timestamp in (-1, 10**12):
        with pytest.raises(ValueError, match="seconds since 1970"):
            sign_request(SECRET, "GET", "/", timestamp=timestamp)


def test_nothing_shows_the_secret() -> None:
    for holder in (RequestSigner(SECRET), HttpxAuth(SECRET, api_key="sk_test_x"), RequestsAuth(SECRET)):
        assert "secret" not in repr(holder)
        assert SECRET not in repr(vars(holder))


def test_httpx_signs_what_it_sends() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    auth = HttpxAuth(SECRET, api_key="sk_test_x", clock=CLOCK)
    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport, base_url="http://pay.test/prefix", auth=auth) as client:
        client.post("/v1/x", params={"a": "ä b"}, json={"amount": 1})
        client.post("/v1/x", content=iter([b"one", b"two"]))
        client.post("/v1/x", headers={"idempotency-key": " order.1 "})
    first, second, third = seen
    assert third.headers[HEADER] == expected("POST", b"/prefix/v1/x", key=b"order.1")
    assert first.headers["authorization"] == "Bearer sk_test_x"
    target = b"/prefix/v1/x?a=%C3%A4%20b"
    assert first.url.raw_path in {target, target.replace(b"%20", b"+")}
    assert first.headers[HEADER] == expected("POST", first.url.raw_path, first.content)
    assert second.headers[HEADER] == expected("POST", b"/prefix/v1/x", b"onetwo")


def test_requests_are_signed_once_they_are_prepared() -> None:
    def prepared(body: Any, **headers: str | bytes) -> Any:
        named = requests.structures.CaseInsensitiveDict(headers)
        return SimpleNamespace(method="POST", path_url="/v1/x?a", body=body, headers=named)

    auth = RequestsAuth(SECRET, clock=CLOCK)
    assert auth(prepared(None)).headers[HEADER] == expected("POST", b"/v1/x?a")
    assert auth(prepared("a=1")).headers[HEADER] == expected("POST", b"/v1/x?a", b"a=1")
    for key in ("order.1", b"order.1"):
        keyed = auth(prepared(None, **{"idempotency-key": key}))
        assert keyed.headers[HEADER] == expected("POST", b"/v1/x?a", key=b"order.1")
    with pytest.raises(TypeError, match="in one piece"):
        auth(prepared(iter([b"a"])))


def test_signing_works_where_httpx_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "import fastpay.signing as s\n"
        "print(s.sign_request('x', 'GET', '/')[:2], hasattr(s, 'HttpxAuth'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "t= False\n"
