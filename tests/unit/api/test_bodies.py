"""How long a request holds on to its body."""

from typing import Any

import pytest

from fastpay.api.app import ROUTES
from fastpay.api.context import Call
from fastpay.api.writes import Write
from tests.unit.api.fakes import Api


def test_a_request_that_waits_holds_its_body_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (write,) = (route.endpoint for route in ROUTES if (route.method, route.path) == ("POST", "/v1/customers"))
    assert isinstance(write, Write)
    command = write._command
    held: list[list[bytes]] = []

    def looking(call: Call, params: Any) -> Any:
        held.append(list(call.unread))
        return command(call, params)

    monkeypatch.setattr(write, "_command", looking)
    assert Api().post("/v1/customers", "name=Ada")["name"] == "Ada"
    assert held == [[]]
