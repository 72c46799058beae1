"""The ledger itself: what accounts hold, and whether the books agree with themselves."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypedDict

from msgspec import UNSET, Meta, UnsetType

from fastpay.api import answers
from fastpay.api.common_params import NoParams, Params, refuse_together
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.expansion import expand
from fastpay.api.ledger_params import Second
from fastpay.api.resource import Reference, Resource, Snapshot
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.snapshots import Snapshots
from fastpay.domain import kinds
from fastpay.domain.identifiers import digits
from fastpay.domain.ledger import Account
from fastpay.engine.ports import TrialBalance, Verification


class BalanceParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As of when: a second, or a number of the tenant's sequence; otherwise now."""

    at: Second | UnsetType = UNSET
    sequence: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


async def _load(snapshot: Snapshot, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
    wanted = ["lacc_" + digits(identifier) for identifier in identifiers]
    accounts = await snapshot.ledger.balances(snapshot.scope, wanted, snapshot.sequence)
    rendered = [_render_balance(account, snapshot.sequence, snapshot.scope.livemode) for account in accounts]
    return {balance["id"]: {**balance} for balance in rendered}


class _Balance(TypedDict):
    id: str
    object: Literal["ledger_balance"]
    account: str
    amount: int
    available: int | None
    credits_pending: int
    credits_posted: int
    currency: str
    debits_pending: int
    debits_posted: int
    livemode: bool
    sequence: int | None


class _TrialBalance(TypedDict):
    currency: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    difference: int


class _Verification(TypedDict):
    object: Literal["ledger_verification"]
    balances: list[_TrialBalance]
    livemode: bool
    ok: bool
    problems: list[str]


LEDGER_BALANCE = Resource(
    kinds.LEDGER_BALANCE,
    load=_load,
    struct=_Balance,
    expandable={"account": Reference((kinds.LEDGER_ACCOUNT,))},
)


class RetrieveLedgerBalance:
    """The endpoint that shows what an account holds: now, as of a second, or as of a sequence."""

    policy = Policy()
    contract = Contract(BalanceParams, LEDGER_BALANCE)

    async def answer(self, call: Call) -> Reply:
        """Show the balance. Raises: NotFound, InvalidRequest."""
        identifier = kinds.check(kinds.LEDGER_ACCOUNT, call.arguments["id"])
        params = decode_query(BalanceParams, call.query)
        paths = answers.check_expansions(call, LEDGER_BALANCE, params.expand)
        snapshots = Snapshots(call, sequence=await _sequence(call, params))
        balance = "lbal_" + digits(identifier)
        found = (await snapshots.resolve((balance,))).get(balance)
        if found is None:
            raise kinds.absent(kinds.LEDGER_ACCOUNT, identifier)
        await expand((found,), paths, snapshots)
        return Reply(body=answers.encode(found))


class VerifyLedger:
    """The endpoint that checks the books: trial balance, counters, payments."""

    # It reads everything, and has a deadline of its own, `verify_timeout_ms`.
    policy = Policy(deadline="own", is_counted=False)
    contract = Contract(NoParams, _Verification, summary="Check the books.")

    async def answer(self, call: Call) -> Reply:
        """Show the result. Raises: FastpayError."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, None, params.expand)
        verification = await call.services.reader.verify(call.scope)
        return Reply(body=answers.encode({**_render_verification(verification, call.scope.livemode)}))


async def _sequence(call: Call, params: BalanceParams) -> int | None:
    """Return the sequence that was asked for, None for now."""
    if isinstance(params.at, UnsetType):
        return None if isinstance(params.sequence, UnsetType) else params.sequence
    if not isinstance(params.sequence, UnsetType):
        raise refuse_together("at", "sequence")
    return await call.services.ledger.sequence_at(call.scope, params.at * 1000 + 999)


def _render_balance(account: Account, sequence: int | None, livemode: bool) -> _Balance:
    """Return what an account holds as of a sequence, None for now."""
    return {
        "id": "lbal_" + digits(account.id),
        "object": "ledger_balance",
        "account": account.id,
        "amount": account.balance,
        "available": account.available,
        "credits_pending": account.credits_pending,
        "credits_posted": account.credits_posted,
        "currency": account.currency,
        "debits_pending": account.debits_pending,
        "debits_posted": account.debits_posted,
        "livemode": livemode,
        "sequence": sequence,
    }


def _render_verification(verification: Verification, livemode: bool) -> _Verification:
    """Return the result of a verification. `ok` says that it found no problem."""
    return {
        "object": "ledger_verification",
        "balances": [_trial_balance(balance) for balance in verification.balances],
        "livemode": livemode,
        "ok": not verification.problems,
        "problems": list(verification.problems),
    }


def _trial_balance(balance: TrialBalance) -> _TrialBalance:
    return {
        "currency": balance.currency,
        "debits_posted": balance.debits_posted,
        "credits_posted": balance.credits_posted,
        "debits_pending": balance.debits_pending,
        "credits_pending": balance.credits_pending,
        "difference": balance.debits_posted - balance.credits_posted,
    }


RESOURCES = (LEDGER_BALANCE,)
ROUTES = (
    Route("GET", "/v1/ledger/accounts/{id}/balance", RetrieveLedgerBalance()),
    Route("GET", "/v1/ledger/verify", VerifyLedger()),
)
