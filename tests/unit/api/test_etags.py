"""Answers asked for by condition, and HEAD."""

import pytest

from fastpay.api.etags import has_already, tag
from tests.unit.api.fakes import Api


@pytest.fixture
def api() -> Api:
    """The application over its fakes."""
    return Api()


def test_head_says_what_get_says_without_the_body(api: Api) -> None:
    path = f"/v1/customers/{api.post('/v1/customers', 'name=Ada')['id']}"
    for place in (path, "/v1/customers", "/v1/balance", "/healthz", path + "x"):
        asked, got = api.send("HEAD", place), api.send("GET", place)
        assert asked.content == b""
        assert asked.status_code == got.status_code
        for name in ("content-type", "content-length", "cache-control", "etag"):
            assert asked.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize(
    ("if_none_match", "has_it"),
    [
        ('"1-a"', True),
        ('W/"1-a"', True),
        ('"x", "1-a"', True),
        ('"x","y" , W/"1-a"', True),
        ("*", True),
        (" * ", True),
        ('"1-b"', False),
        ("", False),
        ("1-a", False),
        ('"1-a', False),
        ('"1-a" "x"', False),
        ('"x", nonsense, "1-a"', False),
        ('w/"1-a"', False),
    ],
)
def test_a_client_has_what_it_names_whatever_else_it_names(if_none_match: str, has_it: bool) -> None:
    assert has_already(if_none_match, b'"1-a"') is has_it
    assert has_already(if_none_match, b'W/"1-a"') is has_it


def test_a_tag_tells_versions_and_bytes_apart() -> None:
    assert len({tag(1, b"a"), tag(2, b"a"), tag(1, b"b")}) == 3
    assert tag(1, b"a") == tag(1, b"a")


def test_what_a_client_has_is_not_sent_again_and_a_refusal_always_is(api: Api) -> None:
    path = f"/v1/customers/{api.post('/v1/customers', 'name=Ada')['id']}"
    etag = api.send("GET", path).headers["etag"]
    again = api.send("GET", path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers
    assert again.headers["request-id"].startswith("req_")
    assert api.send("GET", path + "0", headers={"if-none-match": "*"}).status_code == 404
    assert "etag" not in api.send("GET", "/v1/customers").headers
