"""One idempotency key, sent by everybody at once."""

import asyncio
import uuid
from typing import Any

import httpx

from tests.crash.load import connect, list_all
from tests.support.servers import RunningServer

COUNT = 100
FORM = {
    "amount": "4200",
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": "true",
}


async def send_all(server: RunningServer, path: str, form: dict[str, str], key: str) -> list[httpx.Response]:
    async with connect(server.url, server.test_key) as http:
        sent = (http.post(path, data=form, headers={"Idempotency-Key": key}) for _ in range(COUNT))
        return await asyncio.gather(*sent)


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


def payments_of(server: RunningServer, name: str) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with connect(server.url, server.test_key) as http:
            return await list_all(http, "/v1/payment_intents")

    return [body for body in asyncio.run(work()) if body["metadata"].get("order") == name]


def test_a_hundred_duplicates_are_one_payment_and_one_answer(server: RunningServer) -> None:
    name = uuid.uuid4().hex
    form = {**FORM, "metadata[order]": name}
    answers = asyncio.run(send_all(server, "/v1/payment_intents", form, name))
    body = check_one_answer(answers, status=200)
    assert body["status"] == "succeeded"
    assert [payment["id"] for payment in payments_of(server, name)] == [body["id"]]


def test_a_hundred_duplicates_of_a_declined_payment_are_one_decline(server: RunningServer) -> None:
    name = uuid.uuid4().hex
    form = {**FORM, "payment_method": "pm_card_chargeDeclined", "metadata[order]": name}
    answers = asyncio.run(send_all(server, "/v1/payment_intents", form, name))
    error = check_one_answer(answers, status=402)["error"]
    assert [payment["id"] for payment in payments_of(server, name)] == [error["payment_intent"]["id"]]


def test_a_hundred_duplicates_of_a_refund_take_the_money_once(server: RunningServer) -> None:
    name = uuid.uuid4().hex

    async def pay() -> str:
        async with connect(server.url, server.test_key) as http:
            paid = await http.post("/v1/payment_intents", data={**FORM, "expand[]": "latest_charge"})
            return str(paid.json()["id"])

    payment_id = asyncio.run(pay())
    form = {"payment_intent": payment_id, "amount": "1000"}
    refund = check_one_answer(asyncio.run(send_all(server, "/v1/refunds", form, name)), status=200)

    async def refunded() -> int:
        async with connect(server.url, server.test_key) as http:
            charge = await http.get(f"/v1/charges/{refund['charge']}")
            return int(charge.json()["amount_refunded"])

    assert asyncio.run(refunded()) == 1000
