"""What the console shows of one tenant: accounts, webhook endpoints, keys."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fastpay import limits
from fastpay.admin.console.tenant_ports import Account, Attempt, Endpoint, Key, Line, Replay, TenantSettings
from fastpay.api.resources import request_logs
from fastpay.clock import Clock
from fastpay.domain import ledger
from fastpay.domain.identifiers import HIGHEST, Scope, is_well_formed
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay
from fastpay.engine.ledger_ports import EntryPage
from fastpay.engine.ports import Filter, Page
from fastpay.engine.relay.ports import AttemptPage, EndpointState
from fastpay.operations.console.rules import seen_of, show_rules
from fastpay.store.administration import transaction
from fastpay.store.keys import list_keys
from fastpay.store.ledger import PostgresLedger
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.relay import PostgresDeliveries
from fastpay.store.request_log import PostgresRequestLog
from fastpay.store.tenants import read_tenant


class TenantPages:
    """Satisfies `TenantStore`."""

    def __init__(self, pool: ReaderPool, reads: PostgresReads, clock: Clock) -> None:
        self._pool = pool
        self._reads = reads
        self._clock = clock
        self._ledger = PostgresLedger(reads)
        self._deliveries = PostgresDeliveries(reads)
        self._requests = PostgresRequestLog(reads, pool)

    async def settings(self, tenant_id: str, livemode: bool) -> TenantSettings | None:
        """Return the name and the money rules, None if there is no such tenant."""
        async with transaction(self._pool) as connection:
            tenant = await read_tenant(connection, uuid.UUID(tenant_id))
        if tenant is None:
            return None
        rules = tenant.live if livemode else tenant.test
        created_ms = int(tenant.created_at.timestamp() * 1000)
        return TenantSettings(tenant.name, created_ms, show_rules(rules), seen_of(tenant, livemode=livemode))

    async def accounts(self, tenant_id: str, livemode: bool, moment_ms: int | None = None) -> list[Account]:
        """Return the accounts that payments move, as they are or as they were at a time."""
        scope = Scope(tenant_id, livemode)
        found: Sequence[ledger.Account] = await self._reads.list_accounts(scope)
        if moment_ms is not None:
            sequence = await self._ledger.sequence_at(scope, moment_ms)
            found = await self._ledger.balances(scope, [account.id for account in found], sequence)
        return [_shown(account) for account in found]

    async def statement(
        self, tenant_id: str, livemode: bool, currency: str, code: str, before: str
    ) -> tuple[Account, list[Line]] | None:
        """Return an account with its lines older than a transfer, or the latest, newest first."""
        scope = Scope(tenant_id, livemode)
        known = await self._reads.list_accounts(scope)
        own = next((one for one in known if (one.code, one.currency) == (code, currency)), None)
        if own is None:
            return None
        page = EntryPage(limit=limits.console_rows_max, before=before or None)
        entries = await self._ledger.entries(scope, own, page)
        return _shown(own), [
            Line(
                entry.transfer_id,
                entry.source_id,
                entry.created * 1000,
                entry.side,
                entry.phase,
                entry.amount,
                entry.after.balance,
            )
            for entry in entries[: limits.console_rows_max]
        ]

    async def verify(self, tenant_id: str, livemode: bool) -> Sequence[str]:
        """Compare counters with transfers, and payments with both. Return what is wrong."""
        return (await self._reads.verify(Scope(tenant_id, livemode))).problems

    async def keys(self, tenant_id: str, livemode: bool) -> list[Key]:
        """Return the API keys, oldest first."""
        async with transaction(self._pool) as connection:
            found = await list_keys(connection, uuid.UUID(tenant_id), livemode=livemode, clock=self._clock)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return [
            Key(
                str(key.key_id),
                key.kind,
                key.last4,
                key.state(now),
                int(key.created_at.timestamp() * 1000),
                None if key.expires_at is None else int(key.expires_at.timestamp() * 1000),
                key.signing(),
                key.signature_required,
                key.signing_secrets,
            )
            for key in found
        ]

    async def request(self, tenant_id: str, livemode: bool, request_id: str) -> Mapping[str, object] | None:
        """Return what the request log has of a request, as the API shows it; None if it has nothing."""
        found = await self._requests.find(Scope(tenant_id, livemode), request_id)
        return None if found is None else request_logs.render(found, livemode)

    async def endpoints(self, tenant_id: str, livemode: bool) -> list[Endpoint]:
        """Return a tenant's webhook endpoints, newest first."""
        scope = Scope(tenant_id, livemode)
        page = Page(limit=limits.webhook_endpoints_max)
        listed = await self._reads.list_objects(scope, Filter(kind=WebhookEndpoint.prefix), page)
        states = await self._deliveries.states(scope, [one.object.id for one in listed])
        unread = EndpointState(delivered_through=0, lag=0)
        return [
            _endpoint(one.version, one.object, states.get(one.object.id, unread))
            for one in listed
            if isinstance(one.object, WebhookEndpoint)
        ]

    async def attempts(
        self,
        tenant_id: str,
        livemode: bool,
        endpoint_id: str,
        *,
        below: str = "",
        event: str = "",
        failed: bool = False,
    ) -> list[Attempt]:
        """Return attempts to deliver to an endpoint, newest first: those below a position, or the latest."""
        if not is_well_formed(endpoint_id, WebhookEndpoint.prefix):
            return []
        page = AttemptPage(
            limit=limits.console_rows_max,
            below=below or HIGHEST,
            is_delivered=False if failed else None,
            event_id=event or None,
        )
        made = await self._deliveries.attempts(Scope(tenant_id, livemode), endpoint_id, page)
        return [
            Attempt(
                one.digits,
                one.created_ms,
                one.event_id,
                one.event_type,
                one.sequence,
                one.number,
                str(one.outcome.status or one.outcome.failure),
                one.outcome.latency_ms,
                one.outcome.excerpt,
                one.outcome.is_delivered,
                one.next_attempt_at,
            )
            for one in made[: limits.console_rows_max]
        ]

    async def replays(self, tenant_id: str, livemode: bool, endpoint_id: str) -> list[Replay]:
        """Return what was to be delivered again to an endpoint, newest first."""
        wanted = Filter(kind=WebhookReplay.prefix, values=(("webhook_endpoint", endpoint_id),))
        page = Page(limit=limits.console_replays_max)
        listed = await self._reads.list_objects(Scope(tenant_id, livemode), wanted, page)
        found = [one.object for one in listed if isinstance(one.object, WebhookReplay)]
        return [
            Replay(one.created, one.from_sequence, one.to_sequence, one.types, one.event or "")
            for one in found[: limits.console_replays_max]
        ]


def _endpoint(version: int, endpoint: WebhookEndpoint, state: EndpointState) -> Endpoint:
    return Endpoint(
        endpoint_id=endpoint.id,
        version=version,
        url=endpoint.url,
        description=endpoint.description or "",
        events=endpoint.enabled_events,
        order=endpoint.order,
        payload=endpoint.payload,
        requests_per_second=endpoint.requests_per_second,
        header_names=sorted(endpoint.headers),
        secrets=len(endpoint.secrets),
        status=endpoint.status,
        disabled_reason=endpoint.disabled_reason,
        circuit=state.circuit,
        delivered_through=state.delivered_through,
        lag=state.lag,
        failing_since_s=endpoint.failing_since,
    )


def _shown(account: ledger.Account) -> Account:
    return Account(account.code, account.currency, account.balance, account.balance - account.available)
