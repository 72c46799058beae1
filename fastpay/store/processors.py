"""Processors of tenants: added, changed and read. Their secrets are stored sealed."""

import re
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain import routing
from fastpay.domain.identifiers import Scope
from fastpay.domain.routing import Rule
from fastpay.engine.processors.configuration_ports import Configuration, Configured, Kind, SavedCard, Secrets
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store import payment_method_tokens, rows
from fastpay.store.pool import ReaderPool
from fastpay.store.random_values import random_uuid
from fastpay.store.sealing import Binding, Sealed, SecretUnreadable, Vault, open_sealed
from fastpay.store.statements import SQL

# Connections are `Any`, since asyncpg has no types.

_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{limits.processor_name_chars_max - 1}}}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ENCODER = msgspec.json.Encoder()
_SECRETS = msgspec.json.Decoder(Secrets)
_RULES = msgspec.json.Decoder(tuple[Rule, ...])


class PostgresProcessors:
    """Satisfies `ProcessorConfigurations`."""

    def __init__(self, pool: ReaderPool, *, vault: Vault | None) -> None:
        self._pool = pool
        self._vault = vault

    async def load(self, scope: Scope) -> Configuration:
        """Return what is configured now. Raises: DatabaseUnavailable, Overloaded."""
        return _configuration(scope, await self._pool.fetch(SQL["load_processors"], *scope), self._vault)

    async def keep_card(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Store what a processor calls a card, unless that is known. Raises: DatabaseUnavailable."""
        # A processor has secrets of its own, which need a vault as well.
        assert self._vault is not None
        values = payment_method_tokens.sealed_row(scope, payment_method, saved, self._vault)
        await self._pool.fetch(SQL["payment_method_token_add"], *values)

    async def find_card(self, scope: Scope, payment_method: str) -> SavedCard | None:
        """Return what a processor calls a card, if one keeps it.

        Raises: DatabaseUnavailable, Overloaded, SecretUnreadable.
        """
        method_id = payment_method_tokens.method_id(payment_method)
        found = await self._pool.fetch(SQL["load_payment_method_token"], *scope, method_id)
        return payment_method_tokens.opened(scope, method_id, found[0], self._vault) if found else None

    async def scopes_of(self, name: str) -> Sequence[Scope]:
        """Return who has a processor of this name. Raises: DatabaseUnavailable, Overloaded."""
        wanted = (name, limits.processor_namesakes_max)
        found = await self._pool.fetch(SQL["load_processor_scopes"], *wanted)
        return [rows.scope_of(row) for row in found]


async def read_processors(connection: Any, scope: Scope, *, vault: Vault | None) -> Configuration:
    """Return what is configured, for an operator."""
    return _configuration(scope, await connection.fetch(SQL["load_processors"], *scope), vault)


async def add_processor(
    connection: Any,
    scope: Scope,
    *,
    name: str,
    kind: Kind,
    url: str,
    secrets: Secrets,
    vault: Vault,
    clock: Clock,
) -> None:
    """Add a processor of a tenant, which is enabled; the first one is the default.

    Raises: InvalidRequest if the name is taken, or a value is wrong.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"A processor's name has 1 to {limits.processor_name_chars_max} lower-case letters, digits, "
            "hyphens and underscores, and begins with a letter or a digit.",
            param="name",
        )
    _check_url(url, is_live=scope.livemode)
    check_secrets(secrets)
    configured = await connection.fetch(SQL["load_processors"], *scope)
    if len(configured) >= limits.processors_max:
        raise InvalidRequest(f"There are {len(configured)} processors already, which is the maximum.")
    processor_id = random_uuid(clock)
    sealed = vault.seal(_ENCODER.encode(secrets), binding(scope, processor_id))
    values = (*scope, name, processor_id, kind, url, sealed.content, sealed.under)
    try:
        await connection.execute(SQL["processor_create"], *values)
    except asyncpg.UniqueViolationError as error:
        raise InvalidRequest(f"There is a processor named {name} already.", param="name") from error


async def enable_processor(connection: Any, scope: Scope, name: str, *, enabled: bool) -> None:
    """Enable or disable a processor. Payments that it has already stay with it. Raises: NotFound."""
    await _change(connection, "processor_enable", scope, name, enabled)


async def make_default(connection: Any, scope: Scope, name: str) -> None:
    """Let a processor have the payments that no rule fits. Raises: NotFound if no such one is enabled."""
    async with connection.transaction():
        await connection.execute(SQL["processor_default_clear"], *scope)
        if await connection.execute(SQL["processor_default_set"], *scope, name) != "UPDATE 1":
            raise NotFound(f"No such enabled processor: {name}", param="name")


async def replace_secrets(
    connection: Any, scope: Scope, name: str, *, secrets: Secrets, vault: Vault
) -> None:
    """Replace the secrets of a processor. Without a webhook secret the old one stays.

    Raises: NotFound; InvalidRequest; SecretUnreadable if the old one stays and cannot be opened.
    """
    check_secrets(secrets)
    async with connection.transaction():
        found = await connection.fetch(SQL["load_processors"], *scope)
        row = next((row for row in found if row["name"] == name), None)
        if row is None:
            raise _missing(name)
        place = binding(scope, row["processor_id"])
        if secrets.webhook_secret is None:
            old = _SECRETS.decode(vault.open(Sealed(row["sealed"], row["sealed_under"]), place))
            secrets = msgspec.structs.replace(secrets, webhook_secret=old.webhook_secret)
        sealed = vault.seal(_ENCODER.encode(secrets), place)
        await _change(connection, "processor_replace_secrets", scope, name, sealed.content, sealed.under)


async def set_rules(connection: Any, scope: Scope, rules: Sequence[Rule]) -> None:
    """Replace the rules that choose among a tenant's processors. Raises: InvalidRequest."""
    found = await connection.fetch(SQL["load_processors"], *scope)
    routing.check(rules, {row["name"] for row in found})
    await connection.execute(SQL["processor_route"], *scope, _ENCODER.encode(rules).decode())


def check_secrets(secrets: Secrets) -> None:
    """Raise InvalidRequest for a secret that no header can have. The message shows nothing of it."""
    for what, secret in (("secret", secrets.secret), ("webhook secret", secrets.webhook_secret)):
        if secret is None:
            continue
        if not 0 < len(secret) <= limits.processor_secret_chars_max or not _is_token(secret):
            raise InvalidRequest(
                f"The {what} has 1 to {limits.processor_secret_chars_max} visible ASCII characters."
            )


def binding(scope: Scope, processor_id: uuid.UUID) -> Binding:
    """Return what the secrets of a processor are bound to."""
    return Binding("processor", uuid.UUID(scope.tenant_id), scope.livemode, processor_id)


async def _change(connection: Any, statement: str, scope: Scope, name: str, *values: Any) -> None:
    if await connection.execute(SQL[statement], *scope, name, *values) != "UPDATE 1":
        raise _missing(name)


def _missing(name: str) -> NotFound:
    return NotFound(f"No such processor: {name}", param="name")


def _configuration(scope: Scope, found: Sequence[Any], vault: Vault | None) -> Configuration:
    rules = found[0]["rules"] if found else None
    return Configuration(
        tuple(_configured(scope, row, vault) for row in found), () if rules is None else _RULES.decode(rules)
    )


def _configured(scope: Scope, row: Any, vault: Vault | None) -> Configured:
    try:
        sealed = Sealed(row["sealed"], row["sealed_under"])
        secrets = _SECRETS.decode(open_sealed(sealed, binding(scope, row["processor_id"]), vault))
    except SecretUnreadable:
        secrets = None
    return Configured(
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        secrets=secrets,
        is_enabled=row["enabled"],
        is_default=row["is_default"],
        created_at=row["created_at"],
    )


def _check_url(url: str, *, is_live: bool) -> None:
    """Raise InvalidRequest unless requests can go to a URL."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    is_plain = url.startswith("http://")
    if (
        not host
        or not (is_plain or url.startswith("https://"))
        or not _is_token(url)
        or len(url) > limits.processor_url_chars_max
        or any((parts.username, parts.password, parts.query, parts.fragment))
    ):
        raise InvalidRequest(
            "A processor's URL is http(s)://HOST[:PORT][/PATH], without user, query or fragment.", param="url"
        )
    if is_plain and is_live and host not in _LOOPBACK:
        raise InvalidRequest("Live cards are sent over https only, or to this machine.", param="url")


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
