"""Answers in fewer bytes, on a real server: over both protocols, and to curl."""

import json
import shutil
import subprocess
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import httpx
import pytest
from backports import zstd

from tests.support.doors import H2, HTTP1
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

DOORS = (HTTP1, H2)

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstd.decompress,
    "br": brotli.decompress,
    "gzip": lambda body: zlib.decompress(body, 16 + zlib.MAX_WBITS),
}


@pytest.fixture(scope="module")
def charges(http: httpx.Client, tenant: Tenant) -> list[dict[str, Any]]:
    """Charges enough to be worth encoding."""
    form = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    for _ in range(3):
        http.post("/v1/payment_intents", data=form, auth=(tenant.secret, "")).raise_for_status()
    shown = http.get("/v1/charges", auth=(tenant.secret, ""), headers={"accept-encoding": "identity"})
    data: list[dict[str, Any]] = shown.json()["data"]
    assert len(data) >= 3
    return data


def raw(http: httpx.Client, tenant: Tenant, path: str, *accepted: str) -> tuple[httpx.Response, bytes]:
    """Ask for an answer and return it with its body as it was sent."""
    headers = [("accept-encoding", line) for line in accepted]
    with http.stream("GET", path, auth=(tenant.secret, ""), headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize("coding", DECODERS)
def test_a_list_is_sent_in_the_coding_that_is_asked_for(
    http: httpx.Client, tenant: Tenant, charges: list[dict[str, Any]], coding: str
) -> None:
    answer, body = raw(http, tenant, "/v1/charges", coding)
    assert answer.headers["content-encoding"] == coding
    assert int(answer.headers["content-length"]) == len(body)
    assert answer.headers["vary"] == "accept-encoding"
    assert json.loads(DECODERS[coding](body))["data"] == charges


def test_several_lines_are_one_list(
    http: httpx.Client, tenant: Tenant, charges: list[dict[str, Any]]
) -> None:
    assert charges
    for lines in (("br;q=0.1", "gzip"), ("gzip", "br;q=0.1")):
        answer, _ = raw(http, tenant, "/v1/charges", *lines)
        assert answer.headers["content-encoding"] == "gzip"


def test_what_holds_a_client_secret_is_sent_as_it_is(
    http: httpx.Client, tenant: Tenant, charges: list[dict[str, Any]]
) -> None:
    for path in ("/v1/payment_intents", f"/v1/payment_intents/{charges[0]['payment_intent']}"):
        answer, body = raw(http, tenant, path, "zstd, br, gzip, identity;q=0")
        assert "content-encoding" not in answer.headers
        assert b'"client_secret":"' in body


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_decodes_what_it_asked_for(
    server: RunningServer, tenant: Tenant, charges: list[dict[str, Any]], protocol: str
) -> None:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed (Debian package curl)")
    command = [program, "--silent", "--compressed", protocol, "--dump-header", "-", "-u", f"{tenant.secret}:"]
    done = subprocess.run([*command, f"{server.url}/v1/charges"], capture_output=True, check=True, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert b"\ncontent-encoding: " in head
    assert json.loads(body)["data"] == charges
