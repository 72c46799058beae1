"""The balance and its transactions: views of the ledger."""

import msgspec

from fastpay.api import answers
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.expansion import expand
from fastpay.api.params.common import NoParams
from fastpay.api.rendering import render_balance
from fastpay.domain import kinds


class RetrieveBalance:
    """The endpoint that shows what the tenant has, and what is under way."""

    is_public = False
    is_brief = False
    is_gated = False

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, "balance", params.expand)
        accounts = await call.services.reader.accounts(call.scope)
        return Reply(body=answers.encode(render_balance(accounts, call.scope.livemode)))


class RetrieveBalanceTransaction:
    """The endpoint that shows what one capture or refund did to the balance."""

    is_public = False
    is_brief = False
    is_gated = False

    async def answer(self, call: Call) -> Reply:
        """Show the balance transaction. Raises: NotFound."""
        params = decode_query(NoParams, call.query)
        paths = answers.check_expansions(call, kinds.BALANCE_TRANSACTION.prefix, params.expand)
        identifier = kinds.check(kinds.BALANCE_TRANSACTION, call.arguments["id"])
        snapshots = answers.Snapshots(call, {})
        body = (await snapshots.balance_transactions((identifier,))).get(identifier)
        if body is None:
            raise kinds.absent(kinds.BALANCE_TRANSACTION, identifier)
        if paths:
            shown = msgspec.json.decode(body)
            await expand((shown,), paths, snapshots)
            body = answers.encode(shown)
        return Reply(body=body)
