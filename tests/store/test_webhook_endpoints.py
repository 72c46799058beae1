"""The endpoints of all tenants as the relay reads them, with secrets that only the sealing keys open."""

from typing import Any

from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope, digits
from fastpay.domain.webhook_endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    ReplayEvents,
    RotateSecret,
    UpdateEndpoint,
    secret_text,
)
from fastpay.engine.relay.ports import EndpointName
from fastpay.store.connections import connected
from fastpay.store.header_values import SealedHeaderValues
from fastpay.store.keys import create_tenant, fingerprint_binding
from fastpay.store.resealing import reseal
from fastpay.store.sealing import Sealed, Vault, make_key
from fastpay.store.webhook_endpoints import PostgresEndpoints
from tests.support.engine import CLOCK, Engine, engine

KEY = make_key(CLOCK)
VAULT = Vault([KEY], clock=CLOCK)
SEAL = SealedHeaderValues(clock=CLOCK)
FIELDS: dict[str, Any] = {"url": "https://a.example/", "enabled_events": ("*",)}


async def make_scope(database_url: str, name: str, vault: Vault | None = None) -> Scope:
    async with connected(database_url) as connection:
        return Scope((await create_tenant(connection, name, clock=CLOCK, vault=vault)).hex, False)


async def tenants_key(database_url: str) -> bytes:
    async with connected(database_url) as connection:
        row = await connection.fetchrow(
            "select tenant_id, sealed_fingerprint_key, sealed_under from tenant where name = 'sealed'"
        )
    return VAULT.open(Sealed(row[1], row[2]), fingerprint_binding(row[0]))


async def make(instance: Engine, scope: Scope) -> EndpointName:
    stored = await instance.do(CreateEndpoint(salt="first", fields=FIELDS), scope)
    return EndpointName(scope, stored.id)


async def test_enabled_endpoints_of_all_tenants_are_listed_in_order_with_their_versions(
    database_url: str,
) -> None:
    first, second = [await make_scope(database_url, name) for name in ("first", "second")]
    async with engine(database_url) as instance:
        made = [await make(instance, scope) for scope in (first, second, first, second)]
        await instance.do(UpdateEndpoint(id=made[0].endpoint_id, disabled=True), first)
        await instance.do(DeleteEndpoint(id=made[1].endpoint_id), second)
        await instance.do(RotateSecret(id=made[2].endpoint_id, salt="s"), first)
        endpoints = PostgresEndpoints(instance.reads, vault=None)
        found = await endpoints.list_enabled(limit=10)
        assert sorted(found) == found
        assert dict(found) == {made[2]: 2, made[3]: 1}
        page = await endpoints.list_enabled(limit=1)
        assert [*page, *await endpoints.list_enabled(after=page[0][0], limit=5)] == found
        assert await endpoints.list_enabled(after=found[-1][0], limit=5) == []


async def test_a_secret_is_found_with_the_sealing_keys_only_and_stays_the_same_under_new_ones(
    database_url: str,
) -> None:
    scope = await make_scope(database_url, "sealed", VAULT)
    async with engine(database_url) as instance:
        name = await make(instance, scope)
        # A value in the clear is one that an older version has.
        headers = SEAL.seal(await tenants_key(database_url), scope, {"X-Key": "confidential"})
        fields = {"headers": headers | {"X-Plain": "as before"}}
        await instance.do(UpdateEndpoint(id=name.endpoint_id, fields=fields), scope)
        await instance.do(RotateSecret(id=name.endpoint_id, salt="second", overlap_s=60), scope)
        loaded = (await PostgresEndpoints(instance.reads, vault=VAULT).load([name]))[name]
        assert loaded.endpoint.secrets[0].salt == "second"
        assert loaded.secrets[0][1] is None
        now_s = loaded.secrets[1][1] or 0
        assert loaded.target(now_s - 1).secrets == tuple(text for text, _ in loaded.secrets)
        assert loaded.target(now_s).secrets == (loaded.secrets[0][0],)
        assert (loaded.changes_at(now_s - 1), loaded.changes_at(now_s)) == (now_s, None)
        for vault in (None, Vault([make_key(CLOCK)], clock=CLOCK)):
            assert await PostgresEndpoints(instance.reads, vault=vault).load([name]) == {}
        newest = make_key(CLOCK)
        async with connected(database_url) as connection:
            await reseal(connection, Vault([newest, KEY], clock=CLOCK))
        only_newest = Vault([newest], clock=CLOCK)
        again = await PostgresEndpoints(instance.reads, vault=only_newest).load([name])
        assert again[name].secrets == loaded.secrets
        assert again[name].target(now_s).headers == (("X-Key", "confidential"), ("X-Plain", "as before"))
        async with connected(database_url) as connection:
            rows = await connection.fetch("select snapshot from object_version")
        assert not any(b"confidential" in row[0] for row in rows)
        assert loaded.secrets[0][0] not in repr(loaded)


async def test_the_latest_version_is_loaded_and_nothing_of_another_tenant(database_url: str) -> None:
    first, second = [await make_scope(database_url, name) for name in ("first", "second")]
    async with engine(database_url) as instance:
        name = await make(instance, first)
        await instance.do(UpdateEndpoint(id=name.endpoint_id, fields={"url": "https://b.example/"}), first)
        endpoints = PostgresEndpoints(instance.reads, vault=None)
        foreign = EndpointName(second, name.endpoint_id)
        live = EndpointName(Scope(first.tenant_id, True), name.endpoint_id)
        loaded = await endpoints.load([name, foreign, live])
        assert loaded.keys() == {name}
        assert (loaded[name].endpoint.url, loaded[name].version) == ("https://b.example/", 2)
        async with connected(database_url) as connection:
            (key,) = await connection.fetchrow("select fingerprint_key from tenant where name = 'first'")
        secret = secret_text(key, first, loaded[name].endpoint.secrets[0])
        assert loaded[name].secrets == ((secret, None),)


async def test_replays_are_listed_oldest_first_from_behind_one(database_url: str) -> None:
    scope = await make_scope(database_url, "first")
    async with engine(database_url) as instance:
        name, other = await make(instance, scope), await make(instance, scope)
        asked = [
            (await instance.do(ReplayEvents(id=name.endpoint_id, from_sequence=1), scope)).id
            for _ in range(3)
        ]
        await instance.do(ReplayEvents(id=other.endpoint_id, from_sequence=1), scope)
        endpoints = PostgresEndpoints(instance.reads, vault=None)
        for after, limit, expected in (
            (LOWEST, 10, asked),
            (LOWEST, 2, asked[:2]),
            (digits(asked[0]), 10, asked[1:]),
            (HIGHEST, 10, []),
        ):
            found = await endpoints.list_replays(name, after=after, limit=limit)
            assert [one.id for one in found] == expected
