"""The API's description and its page are there for everybody, without a key, and like other answers."""

import json

import httpx
import pytest

from fastpay.operations.description import render
from tests.support.doors import H2, HTTP1
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant

DOORS = (HTTP1, H2)

PAGES = ["/docs", "/docs/page.css", "/docs/page.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"]


def test_the_document_is_served_without_a_key_and_is_what_the_command_prints(http: httpx.Client) -> None:
    answer = http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(render())


@pytest.mark.parametrize("path", ["/openapi.json", *PAGES])
def test_what_a_client_has_is_not_sent_again_and_the_rest_is_compressed(
    http: httpx.Client, path: str
) -> None:
    plain = http.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.status_code == 200
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["request-id"].startswith("req_")
    policy = plain.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    again = http.get(path, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    if len(plain.content) > 2_000:
        for coding in ("br", "gzip"):
            coded = http.get(path, headers={"Accept-Encoding": coding})
            assert coded.headers["content-encoding"] == coding
            assert coded.content == plain.content
            assert int(coded.headers["content-length"]) < len(plain.content) / 2
    head = http.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(plain.content))


@pytest.mark.parametrize("path", ["/openapi.json", *PAGES])
def test_only_reading_is_possible(http: httpx.Client, path: str) -> None:
    answer = http.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert http.get(f"{path}/x").status_code == 404


def test_a_page_of_this_server_may_use_a_key_of_test_mode_and_no_other(
    http: httpx.Client, server: RunningServer, tenant: Tenant
) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    for key, headers, status in (
        (tenant.secret, own, 200),
        (tenant.live_secret, own, 403),
        (tenant.secret, {**own, "Sec-Fetch-Site": "same-site"}, 403),
        (tenant.secret, {**own, "Sec-Fetch-Site": "cross-site"}, 403),
        (tenant.secret, {"Origin": server.url}, 403),
    ):
        answer = http.get("/v1/balance", headers={"Authorization": f"Bearer {key}", **headers})
        assert answer.status_code == status, headers
