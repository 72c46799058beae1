"""What the console's pages show, from the store and the API's resources."""

import re
import uuid
from collections.abc import Iterable, Sequence

import msgspec

from fastpay.admin.console.ports import (
    Change,
    Found,
    History,
    Hits,
    Occurrence,
    Posting,
    Tenant,
)
from fastpay.api.app import RESOURCES
from fastpay.domain.identifiers import Scope, is_well_formed, placed, prefix_of
from fastpay.domain.kinds import STORED
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.plan import Versioned
from fastpay.operations.console.searching import Locations, Searches
from fastpay.store.histories import Happened, PostgresHistories
from fastpay.store.reads import PostgresReads

# Balance transactions are a view of transfers.
_TRANSFER = re.compile(r"(?:tr|txn)_([0-9a-f]{32})")


class Histories:
    """Satisfies `HistoryStore`."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads
        self._histories = PostgresHistories(reads)
        self._searches = Searches(reads)

    async def locate(self, text: str) -> Found | None:
        """Find the page of an identifier, whoever's it is."""
        return await Locations(self._histories).find(text)

    async def search(self, tenant_id: str, livemode: bool, text: str) -> list[dict[str, object]]:
        """Return payments, newest first. Raises: InvalidRequest."""
        return await self._searches.search(Scope(tenant_id, livemode), text)

    async def search_everywhere(self, text: str) -> Hits:
        """Return the payments of all tenants in both modes. Raises: InvalidRequest."""
        return await self._searches.search_everywhere(await self.tenants(), text)

    async def history(
        self, tenant_id: str, livemode: bool, identifier: str, *, thorough: bool = False
    ) -> History | None:
        """Return all that is known of a payment, or of another object; None if there is no such object.

        A `thorough` one has balances however much was moved since.
        """
        scope, prefix = Scope(tenant_id, livemode), prefix_of(identifier)
        if prefix not in STORED or not is_well_formed(identifier, prefix):
            return None
        if prefix == PaymentIntent.prefix:
            versions = await self._histories.versions(scope, identifier)
        else:
            versions = await self._histories.object_versions(scope, identifier)
        if not any(versioned.object.id == identifier for versioned in versions):
            return None
        happened = await self._histories.events(scope, sorted({found.sequence for found in versions}))
        accounts = {account.id: account.code for account in await self._reads.list_accounts(scope)}
        transfers = await self._reads.get_transfers(scope, sorted(_transfers_in(versions)))
        after = await self._histories.balances(
            scope, [transfer.id for transfer, _ in transfers], thorough=thorough
        )
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
                debit_after=after.get((transfer.id, True)),
                credit_after=after.get((transfer.id, False)),
            )
            for transfer, moment_ms in transfers
        ]
        told = _occurrences(happened, versions)
        events = [uuid.UUID(occurrence.event_id[-32:]) for occurrence in told]
        deliveries = await self._histories.deliveries(scope, events)
        profile = await self._reads.read_profile(scope)
        changes = [_change(versioned, livemode) for versioned in versions]
        requests = await self._histories.requests(
            scope, list(dict.fromkeys(one.identifier for one in changes))
        )
        return History(profile.name, livemode, changes, told, postings, deliveries, requests)

    async def tenants(self) -> list[Tenant]:
        """Return all tenants, in the order of their names."""
        return [Tenant(tenant_id.hex, name) for tenant_id, name in await self._histories.tenants()]


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
            placed("evt", event.event_id.bytes, event.sequence),
            event.type,
            names[event.object_id.hex],
            event.request_id,
            event.moment_ms,
        )
        for event in happened
        if event.object_id.hex in names
    ]
