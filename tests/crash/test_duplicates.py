"""One idempotency key, sent by everybody at once."""

import asyncio
from typing import Any

import httpx

from tests.support.api import open_async_client

COUNT = 100
PAY = {"amount": "4200", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


def send_all(api: httpx.Client, path: str, form: dict[str, str]) -> list[httpx.Response]:
    """Send the same request many times at once, with one idempotency key."""

    async def work() -> list[httpx.Response]:
        async with open_async_client(str(api.base_url), headers=api.headers) as http:
            sent = (http.post(path, data=form, headers={"Idempotency-Key": "key"}) for _ in range(COUNT))
            return await asyncio.gather(*sent)

    return asyncio.run(work())


def check_one_answer(answers: list[httpx.Response], *, status: int) -> dict[str, Any]:
    """All got the same bytes, and all but one of them as a replay of that one."""
    assert {answer.status_code for answer in answers} == {status}
    assert len({answer.content for answer in answers}) == 1
    replays = [answer for answer in answers if answer.headers.get("idempotent-replayed") == "true"]
    assert len(replays) == COUNT - 1
    (first,) = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    assert {answer.headers["original-request"] for answer in replays} == {first.headers["request-id"]}
    assert len({answer.headers["request-id"] for answer in answers}) == COUNT
    body: dict[str, Any] = first.json()
    return body


def payments_of(api: httpx.Client) -> list[str]:
    return [body["id"] for body in api.get("/v1/payment_intents").json()["data"]]


def test_a_hundred_duplicates_are_one_payment_and_one_answer(api: httpx.Client) -> None:
    body = check_one_answer(send_all(api, "/v1/payment_intents", PAY), status=200)
    assert body["status"] == "succeeded"
    assert payments_of(api) == [body["id"]]


def test_a_hundred_duplicates_of_a_declined_payment_are_one_decline(api: httpx.Client) -> None:
    answers = send_all(api, "/v1/payment_intents", {**PAY, "payment_method": "pm_card_chargeDeclined"})
    error = check_one_answer(answers, status=402)["error"]
    assert payments_of(api) == [error["payment_intent"]["id"]]


def test_a_hundred_duplicates_of_a_refund_take_the_money_once(api: httpx.Client) -> None:
    paid = api.post("/v1/payment_intents", data=PAY).json()
    form = {"payment_intent": paid["id"], "amount": "1000"}
    refund = check_one_answer(send_all(api, "/v1/refunds", form), status=200)
    assert api.get(f"/v1/charges/{refund['charge']}").json()["amount_refunded"] == 1000
