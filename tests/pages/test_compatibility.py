"""COMPATIBILITY.md says of each parameter what is true of it."""

import re

import pytest

from fastpay.api.accepted_values import accepted_by
from fastpay.api.decoding import decode_params
from fastpay.errors import InvalidRequest
from tests.pages.blocks import ROOT
from tests.support import compatibility
from tests.support.compatibility import PAGE, described_routes, known_to_the_sdk

FORM = "application/x-www-form-urlencoded"


def test_the_page_is_as_the_program_has_it() -> None:
    page, rendered = (ROOT / PAGE).read_text(encoding="utf-8"), compatibility.render()
    if compatibility.sdk_version() not in page:
        # Another release of the SDK knows other parameters. What is accepted here is the same.
        page, rendered = _accepted(page), _accepted(rendered)
    assert page == rendered, "run python -m tests.support.compatibility"


def _accepted(page: str) -> str:
    """Return the page without what depends on the release of the SDK."""
    found = re.sub(r"^- \*\*Refused\*\*: .*\n(?:  .*\n)*", "", page[page.index("## ") :], flags=re.M)
    return found.replace("No parameters.\n", "")


def test_what_is_without_effect_is_accepted() -> None:
    accepted = {
        name
        for route in described_routes()
        for name, _ in compatibility.served(accepted_by(route.endpoint.contract.params))
    }
    for wanted in compatibility.WITHOUT_EFFECT:
        assert any(compatibility.is_within(name, wanted) for name in accepted), wanted


def test_what_is_refused_is_refused_by_name() -> None:
    count = 0
    for route in described_routes():
        params_type, known = route.endpoint.contract.params, known_to_the_sdk(route)
        if known is None:
            continue
        for name in compatibility.refused(accepted_by(params_type), known):
            if "[" in name:
                continue
            body, query = (b"", f"{name}=x".encode())[:: 1 if route.method == "GET" else -1]
            with pytest.raises(InvalidRequest) as raised:
                decode_params(params_type, content_type=FORM, body=body, query=query)
            assert (raised.value.code, raised.value.param) == ("parameter_unknown", name), route
            count += 1
    assert count > 20


def test_most_routes_are_compared_with_the_sdk() -> None:
    ours = [route.path for route in described_routes() if known_to_the_sdk(route) is None]
    # The dialect has no such path, or the SDK no method for it.
    known = [
        path for path in ours if not path.startswith(("/v1/test_helpers/", "/v1/webhook_endpoints/{id}/"))
    ]
    assert known == [
        "/v1/attempts",
        "/v1/payment_intents/{id}/attempts",
        "/v1/payment_intents/{id}/attempts/{attempt}/resolve",
        "/v1/processors/settlements",
        "/v1/processors/settlements/{id}",
        "/v1/processors/settlements/{id}/rows",
        "/v1/processors/settlements/{id}/rows/{row}/accept",
        "/v1/processors/settlements/{id}/match",
        "/v1/processors/settlements/{id}/close",
        "/v1/charges/{id}/refunds",
        "/v1/request_logs/{id}",
    ]
