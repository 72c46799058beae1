"""The ledger itself, under the payments."""

from fastpay.api import answers
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.params.common import NoParams
from fastpay.api.rendering.ledger import render_verification


class VerifyLedger:
    """The endpoint that holds the books against themselves: trial balance, counters, payments."""

    is_public = False

    async def answer(self, call: Call) -> Reply:
        """Show what was found. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, "ledger_verification", params.expand)
        verification = await call.services.reader.verify(call.scope)
        return Reply(body=answers.encode(render_verification(verification, call.scope.livemode)))
