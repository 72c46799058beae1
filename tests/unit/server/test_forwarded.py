from typing import Any

import pytest

from fastpay.errors import ConfigurationError
from fastpay.server.forwarded import create_reader


def read(client: str | None, fields: list[tuple[bytes, bytes]], *trusted: str) -> tuple[Any, str]:
    scope: dict[str, Any] = {
        "client": None if client is None else (client, 5000),
        "scheme": "http",
        "headers": fields,
    }
    reader = create_reader(trusted)
    assert reader is not None
    reader(scope)
    return scope["client"] and scope["client"][0], scope["scheme"]


FOR, PROTO = b"x-forwarded-for", b"x-forwarded-proto"


@pytest.mark.parametrize(
    ("client", "fields", "expected"),
    [
        ("10.0.0.1", [(FOR, b"192.0.2.7"), (PROTO, b"https")], ("192.0.2.7", "https")),
        ("203.0.113.5", [(FOR, b"192.0.2.7"), (PROTO, b"https")], ("203.0.113.5", "http")),
        ("10.0.0.1", [(FOR, b"6.6.6.6, 192.0.2.7, 10.0.0.2")], ("192.0.2.7", "http")),
        ("10.0.0.1", [(FOR, b"6.6.6.6"), (FOR, b"192.0.2.7")], ("192.0.2.7", "http")),
        ("10.0.0.1", [(FOR, b"10.0.0.3, 10.0.0.2")], ("10.0.0.3", "http")),
        ("10.0.0.1", [(FOR, b"6.6.6.6, garbage")], ("10.0.0.1", "http")),
        ("10.0.0.1", [(FOR, b"garbage, 192.0.2.7")], ("192.0.2.7", "http")),
        ("10.0.0.1", [(PROTO, b"https, http")], ("10.0.0.1", "http")),
        ("10.0.0.1", [(PROTO, b"gopher")], ("10.0.0.1", "http")),
        ("10.0.0.1", [], ("10.0.0.1", "http")),
        ("::ffff:10.0.0.1", [(FOR, b"2001:db8::1")], ("2001:db8::1", "http")),
        (None, [(FOR, b"192.0.2.7")], ("192.0.2.7", "http")),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy_is_the_client(
    client: str | None, fields: list[tuple[bytes, bytes]], expected: tuple[str, str]
) -> None:
    assert read(client, fields, "10.0.0.0/8", "unix") == expected


def test_who_comes_by_the_unix_socket_is_believed_only_when_named() -> None:
    assert read(None, [(FOR, b"192.0.2.7")], "10.0.0.0/8") == (None, "http")


def test_without_proxies_nothing_is_read_and_nonsense_is_refused() -> None:
    assert create_reader(()) is None
    with pytest.raises(ConfigurationError):
        create_reader(["10.0.0.1/33"])
