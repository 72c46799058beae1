"""What the console's pages show, from the store and the API's resources."""

import re
import uuid
from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.admin.console.ports import (
    Change,
    Found,
    History,
    Occurrence,
    Posting,
    Tenant,
)
from fastpay.api.app import RESOURCES
from fastpay.api.search import parse
from fastpay.domain.identifiers import Scope, is_well_formed, prefix_of
from fastpay.domain.kinds import KINDS
from fastpay.domain.objects import Charge, PaymentIntent, StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Page
from fastpay.store.histories import Happened, PostgresHistories
from fastpay.store.reads import PostgresReads

# Balance transactions are a view of transfers.
_TRANSFER = re.compile(r"(?:tr|txn)_([0-9a-f]{32})")


class Histories:
    """Satisfies `HistoryStore`."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads
        self._histories = PostgresHistories(reads)

    async def locate(self, identifier: str) -> Found | None:
        """Find an object by its identifier, whoever's it is."""
        prefix = prefix_of(identifier)
        if prefix not in KINDS or not is_well_formed(identifier, prefix):
            return None
        located = await self._histories.locate(identifier)
        # Digits of one kind behind the prefix of another name nothing.
        if located is None or located.versioned.object.id != identifier:
            return None
        payment = identifier if prefix == PaymentIntent.prefix else None
        payment = payment or getattr(located.versioned.object, "payment_intent", None)
        return Found(*located.scope, identifier, payment)

    async def history(self, tenant_id: str, livemode: bool, payment_intent: str) -> History | None:
        """Return all that is known of a payment, None if there is no such payment."""
        scope = Scope(tenant_id, livemode)
        if not is_well_formed(payment_intent, PaymentIntent.prefix):
            return None
        versions = await self._histories.versions(scope, payment_intent)
        if not any(versioned.object.id == payment_intent for versioned in versions):
            return None
        happened = await self._histories.events(scope, sorted({found.sequence for found in versions}))
        accounts = {account.id: account.code for account in await self._reads.list_accounts(scope)}
        transfers = await self._reads.get_transfers(scope, sorted(_transfers_in(versions)))
        postings = [
            Posting(
                transfer_id=transfer.id,
                kind=transfer.kind,
                phase=transfer.phase,
                debit=accounts.get(transfer.debit_account_id, transfer.debit_account_id),
                credit=accounts.get(transfer.credit_account_id, transfer.credit_account_id),
                currency=transfer.currency,
                amount=transfer.amount,
                moment_ms=moment_ms,
            )
            for transfer, moment_ms in transfers
        ]
        told = _occurrences(happened, versions)
        names = [uuid.UUID(occurrence.event_id[-32:]) for occurrence in told]
        deliveries = await self._histories.deliveries(scope, names)
        profile = await self._reads.read_profile(scope)
        changes = [_change(versioned, livemode) for versioned in versions]
        return History(profile.name, livemode, changes, told, postings, deliveries)

    async def tenants(self) -> list[Tenant]:
        """Return all tenants, in the order of their names."""
        return [Tenant(tenant_id.hex, name) for tenant_id, name in await self._histories.tenants()]

    async def search(self, tenant_id: str, livemode: bool, query: str) -> list[dict[str, object]]:
        """Return payments that match a query of the API's search. Raises: InvalidRequest."""
        found = await self._search(Scope(tenant_id, livemode), query, PaymentIntent.prefix)
        return [RESOURCES.render(stored, livemode) for stored in found]

    async def search_cards(self, tenant_id: str, livemode: bool, last4: str) -> list[dict[str, object]]:
        """Return payments whose charge was on a card with these last digits, newest first."""
        scope, query = Scope(tenant_id, livemode), f'payment_method_details.card.last4:"{last4}"'
        charges = await self._search(scope, query, Charge.prefix)
        wanted = dict.fromkeys(charge.payment_intent for charge in charges if isinstance(charge, Charge))
        reading = await self._reads.read_latest([(scope, identifier) for identifier in wanted])
        found = {versioned.object.id: versioned.object for _, versioned in reading.objects}
        return [RESOURCES.render(found[identifier], livemode) for identifier in wanted if identifier in found]

    async def _search(self, scope: Scope, query: str, prefix: str) -> list[StoredObject]:
        page = Page(limit=limits.console_rows_max)
        found = await self._reads.search(scope, parse(query, KINDS[prefix]), page)
        return [versioned.object for versioned in found[: limits.console_rows_max]]


def _change(versioned: Versioned, livemode: bool) -> Change:
    stored = versioned.object
    shown = RESOURCES.render(stored, livemode)
    return Change(stored.id, type(stored).noun, versioned.version, versioned.sequence, shown)


def _transfers_in(versions: Iterable[Versioned]) -> set[str]:
    """Return the identifiers of the transfers that objects name, at any depth."""
    found = (_TRANSFER.findall(repr(msgspec.to_builtins(versioned.object))) for versioned in versions)
    return {f"tr_{name}" for names in found for name in names}


def _occurrences(happened: Sequence[Happened], versions: Sequence[Versioned]) -> list[Occurrence]:
    """Return the events that are about these objects: commands in between may have had others."""
    names = {versioned.object.id[-32:]: versioned.object.id for versioned in versions}
    return [
        Occurrence(
            event.sequence,
            "evt_" + event.event_id.hex,
            event.type,
            names[event.object_id.hex],
            event.request_id,
            event.moment_ms,
        )
        for event in happened
        if event.object_id.hex in names
    ]
