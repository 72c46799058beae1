"""Stripe-Version: versions are echoed, and all else is refused."""

import pytest

from tests.unit.api.fakes import Api


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize(
    "version",
    [
        "2017-04-06",
        "2025-03-31.basil",
        "2024-02-29",
        "2026-08-01.preview; a_beta=v3",
        "2022-08-01;a_beta=v4",
    ],
)
def test_a_version_of_the_dialect_is_echoed(api: Api, version: str) -> None:
    for path in ("/v1/balance", "/v1/payment_intents/nonsense"):
        assert api.send("GET", path, headers={"stripe-version": version}).headers["stripe-version"] == version


@pytest.mark.parametrize(
    "version", ["", "latest", "2025-13-01", "2025-02-30", "0000-01-01", "20250930", "2025-09-30.",
                "2025-09-30 x", "2025-09-30.CLOVER", "2025-09-30.clover" + "x" * 64, "4242424242424242"],
)  # fmt: skip
def test_what_is_no_version_is_refused(api: Api, version: str) -> None:
    answer = api.send("GET", "/v1/balance", headers={"stripe-version": version})
    assert (answer.status_code, "stripe-version" in answer.headers) == (400, False)
    assert "4242" not in answer.text
