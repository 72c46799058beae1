"""fastpay/store/processors.py: what operators configure, sealed, in a real database."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.routing import Rule
from fastpay.engine.processors.configuration_ports import Configured, Kind, SavedCard, Secrets
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store import payment_method_tokens, processors, resealing
from fastpay.store.connections import connected
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.processors import PostgresProcessors
from fastpay.store.sealing import SecretUnreadable, Vault, make_key
from fastpay.store.statements import SQL
from tests.support.engine import CLOCK, make_tenant

OLD, NEW = make_key(CLOCK), make_key(CLOCK)
VAULT = Vault([OLD], clock=CLOCK)
SECRETS = Secrets(secret="sk_live_something", webhook_secret="whsec_something")
URL = "https://processor.example/base"


class World:
    """A tenant in live mode, and the way of an operator to its processors."""

    def __init__(self, connection: Any, scope: Scope) -> None:
        self.connection = connection
        self.scope = scope

    async def add(
        self, name: str = "first", kind: Kind = "stripe", url: str = URL, secrets: Secrets = SECRETS
    ) -> None:
        named: Any = {"name": name, "kind": kind, "url": url, "secrets": secrets}
        await processors.add_processor(self.connection, self.scope, vault=VAULT, clock=CLOCK, **named)

    async def listed(self, vault: Vault | None = VAULT) -> dict[str, Configured]:
        found = await processors.read_processors(self.connection, self.scope, vault=vault)
        return {one.name: one for one in found.processors}

    async def default(self) -> list[str]:
        return [name for name, one in (await self.listed()).items() if one.is_default]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    scope = await make_tenant(database_url, livemode=True)
    async with connected(database_url) as connection:
        yield World(connection, scope)


async def test_what_is_added_is_read_with_its_secrets_which_never_lie_in_plain(world: World) -> None:
    await world.add()
    found = (await world.listed())["first"]
    assert (found.kind, found.url, found.secrets) == ("stripe", URL, SECRETS)
    assert found.is_enabled
    row = (await world.connection.fetch("select processor::text, sealed from processor"))[0]
    for secret in (SECRETS.secret, SECRETS.webhook_secret or ""):
        assert secret not in row[0]
        assert secret.encode() not in row["sealed"]
        assert secret not in repr(found)


async def test_secrets_open_only_for_their_own_processor_under_their_own_key(world: World) -> None:
    await world.add()
    await world.add("second")
    for vault in (None, Vault([NEW], clock=CLOCK)):
        assert [one.secrets for one in (await world.listed(vault)).values()] == [None, None]
    await world.connection.execute(
        "update processor set sealed = (select sealed from processor where name = 'first')"
    )
    found = await world.listed()
    assert found["first"].secrets == SECRETS
    assert found["second"].secrets is None


async def test_the_first_is_the_default_until_another_one_is(world: World) -> None:
    await world.add()
    await world.add("second")
    assert await world.default() == ["first"]
    await processors.make_default(world.connection, world.scope, "second")
    assert await world.default() == ["second"]
    await processors.enable_processor(world.connection, world.scope, "second", enabled=False)
    assert await world.default() == []
    with pytest.raises(NotFound):
        await processors.make_default(world.connection, world.scope, "second")
    await world.add("third")
    assert await world.default() == ["third"]
    for name in ("second", "nobody"):
        with pytest.raises(NotFound):
            await processors.make_default(world.connection, world.scope, name)
    # What is refused leaves the default as it was.
    assert await world.default() == ["third"]


async def test_a_processor_is_disabled_and_enabled(world: World) -> None:
    await world.add()
    for enabled in (False, True):
        await processors.enable_processor(world.connection, world.scope, "first", enabled=enabled)
        assert (await world.listed())["first"].is_enabled == enabled
    with pytest.raises(NotFound):
        await processors.enable_processor(world.connection, world.scope, "nobody", enabled=True)


async def test_secrets_are_replaced_and_the_webhook_secret_stays_unless_it_is_given(world: World) -> None:
    await world.add()
    for given, left in (
        (Secrets(secret="sk_2"), Secrets(secret="sk_2", webhook_secret=SECRETS.webhook_secret)),
        (Secrets(secret="sk_3", webhook_secret="whsec_3"), Secrets(secret="sk_3", webhook_secret="whsec_3")),
    ):
        await processors.replace_secrets(world.connection, world.scope, "first", secrets=given, vault=VAULT)
        assert (await world.listed())["first"].secrets == left
    with pytest.raises(NotFound):
        await processors.replace_secrets(
            world.connection, world.scope, "nobody", secrets=SECRETS, vault=VAULT
        )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        *(({"name": name}, "A processor's name") for name in ("", "A", "-a", "a b", "a" * 41, "ä")),
        *(
            ({"url": url}, "A processor's URL")
            for url in (
                *("", "https://", "ftp://a", "https://a b", "https://u:p@a", "https://a?b=c", "https://a#b"),
                *("https://a:port", "https://ä", "https://" + "a" * limits.processor_url_chars_max),
            )
        ),
        ({"url": "http://processor.example"}, "https only"),
        *(
            ({"secrets": Secrets(secret=secret)}, "The secret has")
            for secret in ("", "a b", "a\nb", "ä", "a" * (limits.processor_secret_chars_max + 1))
        ),
        ({"secrets": Secrets(secret="a", webhook_secret="")}, "The webhook secret has"),
    ],
)
async def test_what_cannot_work_is_refused(world: World, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await world.add(**changed)
    assert await world.listed() == {}


async def test_plain_http_is_for_this_machine_and_for_test_mode(world: World, database_url: str) -> None:
    await world.add("near", url="http://127.0.0.1:8000")
    world.scope = Scope(world.scope.tenant_id, False)
    await world.add("far", url="http://processor.example")
    assert list(await world.listed()) == ["far"]


async def test_a_name_is_taken_once_in_each_mode_of_a_tenant(world: World, database_url: str) -> None:
    await world.add()
    with pytest.raises(InvalidRequest, match="already"):
        await world.add()
    own = world.scope
    other = await make_tenant(database_url, "other", livemode=True)
    for scope in (Scope(own.tenant_id, False), other):
        world.scope = scope
        await world.add()
    pool = ReaderPool(DatabaseSettings(url=database_url))
    try:
        store = PostgresProcessors(pool, vault=VAULT)
        assert set(await store.scopes_of("first")) == {own, Scope(own.tenant_id, False), other}
        assert await store.scopes_of("nobody") == []
        found = await store.load(other)
        assert [(one.name, one.secrets) for one in found.processors] == [("first", SECRETS)]
    finally:
        await pool.close()


async def test_there_are_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "processors_max", 2)
    await world.add("first")
    await world.add("second")
    with pytest.raises(InvalidRequest, match="maximum"):
        await world.add("third")


async def test_rules_are_kept_in_their_order_and_replaced_as_a_whole(world: World) -> None:
    await world.add()
    await world.add("second")
    several = (
        Rule(processors=("second", "first"), currencies=("eur",), amount_max=100),
        Rule(processors=("first",), methods=("card",), amount_min=5),
    )
    for rules in (several, several[:1], ()):
        await processors.set_rules(world.connection, world.scope, rules)
        found = await processors.read_processors(world.connection, world.scope, vault=VAULT)
        assert tuple(found.rules) == rules
    with pytest.raises(InvalidRequest, match="does not exist: nobody"):
        await processors.set_rules(world.connection, world.scope, [Rule(processors=("nobody",))])


async def test_secrets_are_sealed_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "sealing_rows_max", 2)
    names = ["a", "b", "c"]
    for name in names:
        await world.add(name)
    survey = {
        (stock.purpose, stock.under): stock.secrets for stock in await resealing.survey(world.connection)
    }
    assert survey["processor", OLD.key_id] == 3
    both = Vault([NEW, OLD], clock=CLOCK)
    assert await resealing.reseal(world.connection, both) >= 3
    assert await resealing.reseal(world.connection, both) == 0
    found = await world.listed(Vault([NEW], clock=CLOCK))
    assert [found[name].secrets for name in names] == [SECRETS] * 3


async def test_a_token_opens_for_its_own_payment_method_and_is_sealed_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "sealing_rows_max", 2)
    methods = [f"pm_{number:032x}" for number in range(3)]
    cards = [SavedCard(processor="a", token=f"token {number}") for number in range(3)]
    for method, card in zip(methods, cards, strict=True):
        # The first one counts.
        for saved in (card, SavedCard(processor="b", token="another")):
            row = payment_method_tokens.sealed_row(world.scope, method, saved, VAULT)
            await world.connection.execute(SQL["payment_method_token_add"], *row)
    assert await resealing.reseal(world.connection, Vault([NEW, OLD], clock=CLOCK)) >= 3
    own = [payment_method_tokens.method_id(method) for method in methods]
    rows = [
        await world.connection.fetchrow(SQL["load_payment_method_token"], *world.scope, one) for one in own
    ]
    only_new = Vault([NEW], clock=CLOCK)
    opened = payment_method_tokens.opened
    assert [opened(world.scope, *pair, only_new) for pair in zip(own, rows, strict=True)] == cards
    assert all(card.token.encode() not in row["sealed"] for card, row in zip(cards, rows, strict=True))
    with pytest.raises(SecretUnreadable):
        opened(world.scope, own[1], rows[0], only_new)
    assert "token" not in f"{cards[0]!r}{cards[0]}".replace("SavedCard", "")


@pytest.mark.parametrize(
    ("constraint", "changed"),
    [
        ("payment_method_token_pkey", {}),
        ("payment_method_token_book_fkey", {"tenant_id": uuid.UUID(int=9)}),
        ("payment_method_token_sealed_length", {"sealed": b" " * 28}),
        ("payment_method_token_sealed_under_length", {"sealed_under": "k"}),
    ],
)
async def test_each_constraint_of_tokens_refuses_by_its_name(
    world: World, constraint: str, changed: dict[str, object]
) -> None:
    row = {
        "tenant_id": uuid.UUID(world.scope.tenant_id),
        "livemode": True,
        "payment_method_id": uuid.UUID(int=1),
        "processor": "a",
        "sealed": b" " * 29,
        "sealed_under": "k" * 16,
    }
    insert = "insert into payment_method_token values ($1, $2, $3, $4, $5, $6)"
    await world.connection.execute(insert, *row.values())
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await world.connection.execute(insert, *(row | changed).values())
    assert refused.value.constraint_name == constraint


GOOD = {
    "name": "n",
    "processor_id": uuid.UUID(int=1),
    "kind": "http",
    "url": "https://a",
    "sealed": b" " * 29,
    "sealed_under": "k" * 16,
    "enabled": True,
    "is_default": False,
}


@pytest.mark.parametrize(
    ("constraint", "changed"),
    [
        ("processor_pkey", {"processor_id": uuid.UUID(int=2)}),
        ("processor_id_unique", {"name": "m"}),
        ("processor_default_once", {"name": "m", "processor_id": uuid.UUID(int=2), "is_default": True}),
        ("processor_book_fkey", {"tenant_id": uuid.UUID(int=9), "processor_id": uuid.UUID(int=2)}),
        ("processor_name_form", {"name": "N"}),
        ("processor_kind_known", {"kind": "other"}),
        ("processor_url_form", {"url": "a"}),
        ("processor_sealed_length", {"sealed": b" " * 28}),
        ("processor_sealed_under_length", {"sealed_under": "k"}),
        ("processor_default_enabled", {"enabled": False, "is_default": True}),
    ],
)
async def test_each_constraint_refuses_by_its_name(
    world: World, constraint: str, changed: dict[str, object]
) -> None:
    async def insert(**values: object) -> None:
        row = {"tenant_id": uuid.UUID(world.scope.tenant_id), "livemode": True, **GOOD, **values}
        names, places = ", ".join(row), ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await world.connection.execute(f"insert into processor ({names}) values ({places})", *row.values())

    await insert(is_default=True)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await insert(**changed)
    assert refused.value.constraint_name == constraint


async def test_rules_are_a_list_of_a_tenant(world: World) -> None:
    insert = "insert into processor_routing values ($1, true, $2::text::jsonb)"
    own = uuid.UUID(world.scope.tenant_id)
    await world.connection.execute(insert, own, "[]")
    for tenant_id, rules, constraint in (
        (own, "[]", "processor_routing_pkey"),
        (uuid.UUID(int=9), "[]", "processor_routing_book_fkey"),
        (uuid.UUID(int=9), "{}", "processor_routing_rules_shape"),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await world.connection.execute(insert, tenant_id, rules)
        assert refused.value.constraint_name == constraint


@pytest.mark.parametrize(
    "statement", ["delete from processor", "truncate processor", "update processor set name = 'other'"]
)
async def test_a_processor_is_never_removed_or_renamed(world: World, statement: str) -> None:
    await world.add()
    with pytest.raises(asyncpg.RestrictViolationError):
        await world.connection.execute(statement)
    assert list(await world.listed()) == ["first"]


def test_no_secret_is_shown() -> None:
    assert "something" not in f"{SECRETS!r}{SECRETS}{msgspec.structs.replace(SECRETS)!r}"
