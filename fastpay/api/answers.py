"""Answers: objects, lists and errors to the bytes that go back.

What a commit answered is shown as it stood at the answer's sequence, everything expanded included, so that a
replay gives the same bytes however the objects have changed since.
"""

from collections.abc import Mapping, Sequence

import msgspec

from fastpay import limits
from fastpay.api.context import Call, Reply
from fastpay.api.errors import (
    JSON_TYPE,
    PROBLEM_TYPE,
    Failure,
    error_body,
    problem_body,
    retry_headers,
    status_of,
    wants_problem,
)
from fastpay.api.expansion import check_paths, expand, shown_whole, stands_alone
from fastpay.api.rendering import (
    render,
    render_balance_transaction,
    render_bytes,
    render_ledger_balance,
)
from fastpay.domain.identifiers import digits
from fastpay.domain.objects import Charge, PaymentIntent, Refund, StoredObject
from fastpay.domain.plan import ErrorRecord, Versioned
from fastpay.engine.ports import Filter, Outcome, Page
from fastpay.errors import Forbidden

Header = tuple[bytes, bytes]

# What the holder of a client secret does not learn of a payment: the merchant's own notes and doings.
_HIDDEN_FROM_PUBLIC = frozenset(
    (
        "application",
        "application_fee_amount",
        "customer",
        "latest_charge",
        "metadata",
        "on_behalf_of",
        "review",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
)


class Snapshots:
    """The objects of one answer, rendered: as they stood at `sequence`, or the latest where that is None.

    `known` are versions at hand that need no reading.
    """

    def __init__(self, call: Call, known: Mapping[str, Versioned], *, sequence: int | None = None) -> None:
        self._call = call
        self._known = dict(known)
        self._sequence = sequence
        self._computation = call.services.computations.begin(call.scope)

    @property
    def livemode(self) -> bool:
        """Whether the objects are of the live mode."""
        return self._call.scope.livemode

    async def load(self, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return the objects that exist."""
        unknown = [identifier for identifier in identifiers if identifier not in self._known]
        if unknown:
            reader = self._call.services.reader
            if self._sequence is None:
                self._known.update(await reader.get_many(self._call.scope, unknown))
            else:
                self._known.update(await reader.get_many_at(self._call.scope, unknown, self._sequence))
        return {wanted: self._known[wanted] for wanted in identifiers if wanted in self._known}

    async def resolve(self, identifiers: Sequence[str]) -> dict[str, dict[str, object]]:
        """Return the objects that exist, rendered, balance transactions and balances among them."""
        stored = [identifier for identifier in identifiers if not identifier.startswith(("txn_", "lbal_"))]
        moved = [identifier for identifier in identifiers if identifier.startswith("txn_")]
        held = [identifier for identifier in identifiers if identifier.startswith("lbal_")]
        livemode = self._call.scope.livemode
        found = {
            identifier: render(versioned.object, livemode)
            for identifier, versioned in (await self.load(stored)).items()
        }
        if moved:
            for identifier, body in (await self.balance_transactions(moved)).items():
                found[identifier] = msgspec.json.decode(body)
        if held:
            found.update(await self._ledger_balances(held))
        return found

    async def step(self) -> None:
        """Let others have the loop."""
        await self._computation.step()

    async def _ledger_balances(self, identifiers: Sequence[str]) -> dict[str, dict[str, object]]:
        call = self._call
        wanted = ["lacc_" + digits(identifier) for identifier in identifiers]
        balances = await call.services.ledger.balances(call.scope, wanted, self._sequence)
        rendered = [
            render_ledger_balance(account, self._sequence, call.scope.livemode) for account in balances
        ]
        return {str(balance["id"]): balance for balance in rendered}

    async def refunds_of(self, charge_id: str) -> list[dict[str, object]]:
        """Return the refunds of a charge, newest first; one more than a page says that there are more."""
        call = self._call
        wanted = Filter(kind="re", values=(("charge", charge_id),))
        page = Page(limit=limits.page_size_default)
        found: list[dict[str, object]] = []
        while True:
            rows = await call.services.reader.list(call.scope, wanted, page)
            refunds = await self._as_they_were(rows)
            found += [render(refund.object, call.scope.livemode) for refund in refunds]
            if len(found) > limits.page_size_default or len(rows) <= page.limit:
                return found
            # However many came after the sequence: those that stood at it are further back.
            page = Page(limit=limits.page_size_max, below=digits(rows[-1].object.id))

    async def _as_they_were(self, rows: Sequence[Versioned]) -> list[Versioned]:
        """Return those that existed at the sequence, in the same order."""
        if self._sequence is None:
            return list(rows)
        versions = {row.object.id: row for row in rows if row.sequence <= self._sequence}
        changed = [row.object.id for row in rows if row.sequence > self._sequence]
        if changed:
            versions |= await self.load(changed)
        return [versions[row.object.id] for row in rows if row.object.id in versions]

    async def balance_transactions(self, identifiers: Sequence[str]) -> dict[str, bytes]:
        """Return the balance transactions that exist, in JSON."""
        call = self._call
        transfers = await call.services.reader.transfers(
            call.scope, ["tr_" + digits(identifier) for identifier in identifiers]
        )
        sources = await self.load(list(dict.fromkeys(transfer.source_id for transfer, _ in transfers)))
        found: dict[str, bytes] = {}
        for transfer, moment_ms in transfers:
            source = sources[transfer.source_id].object if transfer.source_id in sources else None
            if isinstance(source, Charge | Refund) and _is_shown(transfer.id, source):
                body = render_balance_transaction(transfer, moment_ms // 1000, source)
                found["txn_" + digits(transfer.id)] = body
        return found


async def begin_page(call: Call, paths: Sequence[str]) -> Snapshots:
    """Return what the objects of a page are expanded from.

    If there are paths, wait for a turn first: a flood must wait before its pages are read, since each page
    takes memory from then on that nobody counts.
    """
    snapshots = Snapshots(call, {})
    if paths:
        await snapshots.step()
    return snapshots


def check_expansions(
    call: Call, prefix: str, paths: Sequence[str], *, listed: bool = False
) -> tuple[str, ...]:
    """Return the paths to expand in objects of this prefix.

    Raises: InvalidRequest for one that leads nowhere, Forbidden for any with a publishable key.
    """
    if not paths:
        return ()
    if call.is_publishable:
        raise Forbidden("Expanding needs a secret key.", param="expand")
    return check_paths(prefix, paths, listed=listed)


def plain(call: Call, outcome: Outcome) -> bytes | None:
    """Return the JSON of what a command made, None if more than its object is to be shown, or less."""
    answer = outcome.answer
    if answer.expand or answer.error is not None or call.is_publishable:
        return None
    versioned = outcome.objects.get(answer.object_id or "")
    # A later command of the same batch may have changed the object: then it has to be read as it was.
    if versioned is None or versioned.sequence > answer.sequence or shown_whole(versioned.object) is not None:
        return None
    return render_bytes(versioned.object, call.scope.livemode)


async def committed(call: Call, outcome: Outcome) -> Reply:
    """Return the answer to a command that was committed, now or under the same key before."""
    answer = outcome.answer
    headers = _replay_headers(outcome)
    at_hand = {
        identifier: versioned
        for identifier, versioned in outcome.objects.items()
        if versioned.sequence <= answer.sequence
    }
    snapshots = Snapshots(call, at_hand, sequence=answer.sequence)
    if answer.error is not None:
        return await _failed(call, answer.error, snapshots, headers)
    assert answer.object_id is not None
    found = await snapshots.load((answer.object_id,))
    body = await shown(call, found[answer.object_id].object, snapshots, paths=answer.expand)
    return Reply(body=body, headers=headers)


async def shown(
    call: Call, stored: StoredObject, snapshots: Snapshots, *, paths: Sequence[str] = ()
) -> bytes:
    """Return the JSON of an object as this caller may see it, expanded along paths."""
    body = None if paths else await _in_full(call, stored, snapshots)
    return encode(await _expanded(call, stored, snapshots, paths)) if body is None else body


def is_plain(call: Call, stored: StoredObject) -> bool:
    """Tell whether an object is shown as it is: nothing has to be put into it or left out of it."""
    return not call.is_publishable and stands_alone(stored)


async def _in_full(call: Call, stored: StoredObject, snapshots: Snapshots) -> bytes | None:
    """Return the JSON of an object with what it shows whole in any case; None where a part is left out."""
    if call.is_publishable:
        return None
    livemode = call.scope.livemode
    identifier = shown_whole(stored)
    if identifier is None:
        return render_bytes(stored, livemode)
    found = (await snapshots.load((identifier,))).get(identifier)
    return render_bytes(stored, livemode, None if found is None else render_bytes(found.object, livemode))


async def _expanded(
    call: Call, stored: StoredObject, snapshots: Snapshots, paths: Sequence[str]
) -> dict[str, object]:
    body = render(stored, call.scope.livemode)
    await expand((body,), paths, snapshots)
    if call.is_publishable and isinstance(stored, PaymentIntent):
        return {name: value for name, value in body.items() if name not in _HIDDEN_FROM_PUBLIC}
    return body


def failure(error: Failure, headers: Mapping[str, str], *, more: tuple[Header, ...] = ()) -> Reply:
    """Return the answer to a request that came to nothing."""
    return _error_reply(
        error, error_body(error, request_log_url=None), headers, more=(*retry_headers(error), *more)
    )


def encode(body: Mapping[str, object]) -> bytes:
    """Return the JSON of an answer."""
    return msgspec.json.encode(body)


async def encode_apart(items: Sequence[dict[str, object]], snapshots: Snapshots) -> list[msgspec.Raw]:
    """Return items in JSON, each for itself: any of them may show hundreds of objects."""
    encoded = []
    size = 0
    for item in items:
        encoded.append(msgspec.Raw(msgspec.json.encode(item)))
        size += len(encoded[-1])
        if size > limits.encoded_at_once_bytes:
            size = 0
            await snapshots.step()
    return encoded


async def _failed(call: Call, error: ErrorRecord, snapshots: Snapshots, headers: tuple[Header, ...]) -> Reply:
    concerned = [name for name in (error.payment_intent, error.payment_method) if name is not None]
    await snapshots.load(concerned)
    intent = await _concerned(call, error.payment_intent, snapshots)
    method = await _concerned(call, error.payment_method, snapshots)
    body = error_body(error, request_log_url=None, payment_intent=intent, payment_method=method)
    return _error_reply(error, body, call.headers, more=(*retry_headers(error), *headers))


async def _concerned(
    call: Call, identifier: str | None, snapshots: Snapshots
) -> dict[str, object] | msgspec.Raw | None:
    if identifier is None:
        return None
    found = (await snapshots.load((identifier,))).get(identifier)
    if found is None:
        return None
    body = await _in_full(call, found.object, snapshots)
    return await _expanded(call, found.object, snapshots, ()) if body is None else msgspec.Raw(body)


def _error_reply(
    error: Failure, body: dict[str, object], headers: Mapping[str, str], *, more: tuple[Header, ...]
) -> Reply:
    content_type = JSON_TYPE
    if wants_problem(headers.get("accept")):
        body, content_type = problem_body(error, instance=None), PROBLEM_TYPE
    return Reply(status=status_of(error), body=encode(body), content_type=content_type.encode(), headers=more)


def _replay_headers(outcome: Outcome) -> tuple[Header, ...]:
    if outcome.original_request_id is None:
        return ()
    return (
        (b"idempotent-replayed", b"true"),
        (b"original-request", outcome.original_request_id.encode()),
    )


def _is_shown(transfer_id: str, source: Charge | Refund) -> bool:
    """Tell whether a transfer is the one that the object names: its fee, for one, is a part of that."""
    return source.balance_transaction == "txn_" + digits(transfer_id)
