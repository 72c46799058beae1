"""The ledger itself, under the payments: what accounts hold, and whether the books agree with themselves."""

from msgspec import UnsetType

from fastpay.api import answers
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.expansion import expand
from fastpay.api.params.common import NoParams, refuse_together
from fastpay.api.params.ledger import BalanceParams
from fastpay.api.rendering.ledger import render_verification
from fastpay.domain import kinds
from fastpay.domain.identifiers import digits


class RetrieveLedgerBalance:
    """The endpoint that shows what an account holds: now, or as of a second or a place in the sequence."""

    is_public = False
    is_brief = False
    is_gated = False

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: NotFound, InvalidRequest."""
        identifier = kinds.check(kinds.LEDGER_ACCOUNT, call.arguments["id"])
        params = decode_query(BalanceParams, call.query)
        paths = answers.check_expansions(call, kinds.LEDGER_BALANCE.prefix, params.expand)
        snapshots = answers.Snapshots(call, {}, sequence=await _sequence(call, params))
        balance = "lbal_" + digits(identifier)
        found = (await snapshots.resolve((balance,))).get(balance)
        if found is None:
            raise kinds.absent(kinds.LEDGER_ACCOUNT, identifier)
        await expand((found,), paths, snapshots)
        return Reply(body=answers.encode(found))


class VerifyLedger:
    """The endpoint that holds the books against themselves: trial balance, counters, payments."""

    is_public = False
    # It reads everything, which takes as long as it takes, within `verify_timeout_ms`.
    is_brief = True
    is_gated = True

    async def answer(self, call: Call) -> Reply:
        """Show what was found. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, "ledger_verification", params.expand)
        verification = await call.services.reader.verify(call.scope)
        return Reply(body=answers.encode(render_verification(verification, call.scope.livemode)))


async def _sequence(call: Call, params: BalanceParams) -> int | None:
    """Return the place in the sequence that was asked for, None where that is now."""
    if isinstance(params.at, UnsetType):
        return None if isinstance(params.sequence, UnsetType) else params.sequence
    if not isinstance(params.sequence, UnsetType):
        raise refuse_together("at", "sequence")
    return await call.services.ledger.sequence_at(call.scope, params.at * 1000 + 999)
