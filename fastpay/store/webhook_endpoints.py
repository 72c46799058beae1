"""Webhook endpoints of all tenants, with their secrets, for the relay."""

import uuid
from collections.abc import Sequence

import msgspec

from fastpay.domain import kinds
from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope, digits
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay, secret_text
from fastpay.engine.ports import Filter, Page
from fastpay.engine.relay.ports import EndpointConfiguration, EndpointName
from fastpay.store import rows
from fastpay.store.header_values import open_values
from fastpay.store.keys import fingerprint_binding
from fastpay.store.reads import PostgresReads
from fastpay.store.sealing import Sealed, SecretUnreadable, Vault, open_sealed
from fastpay.store.statements import SQL

_BEFORE_ALL = EndpointName(Scope(LOWEST, False), LOWEST)


class PostgresEndpoints:
    """Satisfies `EndpointConfigurations`."""

    def __init__(self, reads: PostgresReads, *, vault: Vault | None) -> None:
        self._reads = reads
        self._vault = vault

    async def list_enabled(
        self, *, after: EndpointName | None = None, limit: int
    ) -> list[tuple[EndpointName, int]]:
        """Return endpoints that are enabled with their versions, ordered by name, from behind `after`.

        Raises: DatabaseUnavailable.
        """
        scope, endpoint_id = after or _BEFORE_ALL
        found = await self._reads.fetch(SQL["list_enabled_endpoints"], *scope, digits(endpoint_id), limit)
        prefix = WebhookEndpoint.prefix
        return [
            (EndpointName(rows.scope_of(row), f"{prefix}_{row['webhook_endpoint_id'].hex}"), row["version"])
            for row in found
        ]

    async def load(self, names: Sequence[EndpointName]) -> dict[EndpointName, EndpointConfiguration]:
        """Return the latest versions of endpoints that exist, disabled ones too, with their headers opened.

        One whose secrets cannot be opened is left out: the log says why. Raises: DatabaseUnavailable.
        """
        found = await self._reads.fetch(
            SQL["load_endpoints"],
            [name.scope.tenant_id for name in names],
            [name.scope.livemode for name in names],
            [digits(name.endpoint_id) for name in names],
        )
        loaded: dict[EndpointName, EndpointConfiguration] = {}
        for row in found:
            endpoint, scope = rows.stored(row["kind"], row["snapshot"]), rows.scope_of(row)
            if not isinstance(endpoint, WebhookEndpoint):
                continue
            try:
                key = self._tenants_key(row)
                headers = open_values(key, scope, endpoint.headers)
            except SecretUnreadable:
                continue
            loaded[EndpointName(scope, endpoint.id)] = EndpointConfiguration(
                scope=scope,
                endpoint=msgspec.structs.replace(endpoint, headers=headers),
                version=row["version"],
                secrets=tuple(
                    (secret_text(key, scope, secret), secret.expires_at) for secret in endpoint.secrets
                ),
            )
        return loaded

    async def list_replays(
        self, name: EndpointName, *, after: str = LOWEST, limit: int
    ) -> list[WebhookReplay]:
        """Return the replays that were asked for, oldest first, whose identifiers have larger digits.

        Raises: DatabaseUnavailable.
        """
        values = (("webhook_endpoint", name.endpoint_id),)
        wanted = Filter(kind=kinds.WEBHOOK_REPLAY.prefix, values=values)
        page = Page(limit=limit, below=HIGHEST, above=after, ascending=True)
        found = await self._reads.list_objects(name.scope, wanted, page)
        replays = [one.object for one in reversed(found) if isinstance(one.object, WebhookReplay)]
        return replays[:limit]

    def _tenants_key(self, row: rows.Row) -> bytes:
        """Return the key of a tenant. Raises: SecretUnreadable."""
        tenant_id: uuid.UUID = row["tenant_id"]
        plain: bytes | None = row["fingerprint_key"]
        if plain is not None:
            return plain
        sealed = Sealed(row["sealed_fingerprint_key"], row["sealed_under"])
        return open_sealed(sealed, fingerprint_binding(tenant_id), self._vault)
