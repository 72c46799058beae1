"""Answers put together in one step, beside the same ones taken apart and put together again."""

import pytest

from fastpay.api import answers
from tests.unit.api.fakes import Api, error_of


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_refusal_has_the_bytes_that_expanding_its_objects_gives(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"idempotency-key": "order-3"}
    form = (
        "amount=2000&currency=usd&payment_method=pm_card_chargeDeclined&confirm=true&metadata[a]=%22%C3%A9%0A"
        "&description=%F0%9F%98%80&shipping[name]=A%5CB&shipping[address][line1]=C"
    )
    answers_to = [api.send("POST", "/v1/payment_intents", form, headers=headers)]
    intent = error_of(answers_to[0])["payment_intent"]
    path = f"/v1/payment_intents/{intent['id']}"
    answers_to.append(api.send("GET", path))
    assert [answer.status_code for answer in answers_to] == [402, 200]

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(answers, "_in_full", nothing)
    monkeypatch.setattr(answers, "plain", lambda *_: None)
    expanded = [api.send("POST", "/v1/payment_intents", form, headers=headers), api.send("GET", path)]
    assert [answer.content for answer in answers_to] == [answer.content for answer in expanded]
