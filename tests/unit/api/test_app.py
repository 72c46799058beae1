"""The surface as a whole, over fake ports."""

import asyncio

from tests.unit.api.fakes import Api


def test_a_payment_is_created_and_shown_again() -> None:
    async def scenario() -> None:
        api = Api()
        paid = await api.post(
            "/v1/payment_intents", "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"
        )
        assert paid["status"] == "succeeded"
        assert paid["amount_received"] == 2000
        assert await api.get(f"/v1/payment_intents/{paid['id']}") == paid

    asyncio.run(scenario())
