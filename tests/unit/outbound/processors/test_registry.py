"""fastpay/outbound/processors/registry.py: processors as they are configured, and as long as they are."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.routing import Rule
from fastpay.engine.processors.configuration_ports import Configuration, Configured, SavedCard, Secrets
from fastpay.engine.processors.ports import Declaration, Order, Processor
from fastpay.errors import DatabaseUnavailable
from fastpay.outbound.processors.registry import Registry
from fastpay.outbound.processors.unusable import UnusableProcessor
from tests.unit.engine.hand_clock import HandClock

SHOP, OTHER = Scope("1" * 32, True), Scope("2" * 32, True)
ORDER = Order(operation="authorize", reference="r", amount=1, currency="usd")


def configured(name: str, **fields: Any) -> Configured:
    values: dict[str, Any] = {
        "kind": "http",
        "url": f"https://{name}",
        "secrets": Secrets(secret="s"),
        "is_enabled": True,
        "is_default": False,
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        **fields,
    }
    return Configured(name=name, **values)


class Store:
    """Has what is configured, and counts how often it is asked."""

    def __init__(self) -> None:
        self.found: dict[Scope, Configuration] = {}
        self.cards: dict[str, SavedCard] = {}
        self.asked: list[Scope] = []
        self.failure: Exception | None = None
        self.released = asyncio.Event()
        self.released.set()

    async def load(self, scope: Scope) -> Configuration:
        self.asked.append(scope)
        await self.released.wait()
        if self.failure is not None:
            raise self.failure
        return self.found.get(scope, Configuration((), ()))

    async def keep_card(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        self.cards[payment_method] = saved

    async def find_card(self, scope: Scope, payment_method: str) -> SavedCard | None:
        return self.cards.get(payment_method)

    async def scopes_of(self, name: str) -> Sequence[Scope]:
        return [
            scope for scope, found in self.found.items() if name in {one.name for one in found.processors}
        ]


class Made(UnusableProcessor):
    """Remembers what it was made of."""

    def __init__(self, configured: Configured, declaration: Declaration) -> None:
        super().__init__("nothing is sent")
        self.configured = configured
        self.declaration = declaration


class World:
    """A registry over a store, makes what it is told, and counts."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Store()
        self.made: list[Made] = []
        self.discarded: list[Processor] = []
        self.broken: list[Processor] = []
        self.probes = 0
        self.is_closed = False
        self.declarations: dict[str, Declaration] = {}
        self.registry = Registry(self.store, self, clock=self.clock)

    def make(self, configured: Configured, secrets: Secrets) -> Processor:
        made = Made(configured, self.declarations.get(configured.name, Declaration()))
        self.made.append(made)
        return made

    def discard(self, processor: Processor) -> None:
        self.discarded.append(processor)

    def failing(self) -> frozenset[Processor]:
        return frozenset(self.broken)

    async def probe(self) -> None:
        self.probes += 1

    async def close(self) -> None:
        self.is_closed = True

    def configure(self, *processors: Configured, rules: Sequence[Rule] = (), scope: Scope = SHOP) -> None:
        self.store.found[scope] = Configuration(processors, rules)

    async def names(
        self, scope: Scope = SHOP, *, currency: str = "usd", method: str = "card", amount: int = 1
    ) -> list[str]:
        found = self.registry.kept_route(scope, currency=currency, method=method)
        if found is None:
            found = await self.registry.route(scope, amount=amount, currency=currency, method=method)
        return [one.name for one in found]

    def expire(self) -> None:
        self.clock.advance_ms(limits.processor_cache_ms)


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_change_counts_after_a_while_and_not_at_once(world: World) -> None:
    assert await world.names() == []
    world.configure(configured("first", is_default=True))
    world.clock.advance_ms(limits.processor_cache_ms - 1)
    assert await world.names() == []
    world.clock.advance_ms(1)
    assert await world.names() == ["first"]
    assert world.store.asked == [SHOP, SHOP]


async def test_a_route_is_kept_as_long_as_what_is_configured_and_never_with_rules(world: World) -> None:
    def kept() -> list[str] | None:
        found = world.registry.kept_route(SHOP, currency="usd", method="card")
        return None if found is None else [one.name for one in found]

    world.configure(configured("first", is_default=True))
    assert kept() is None
    await world.names()
    assert kept() == ["first"]
    world.clock.advance_ms(limits.processor_cache_ms - 1)
    assert kept() == ["first"]
    world.clock.advance_ms(1)
    assert kept() is None
    world.configure(configured("first"), rules=[Rule(processors=("first",), amount_max=10)])
    assert await world.names() == ["first"]
    assert kept() is None


async def test_the_time_counts_from_when_the_database_was_asked(world: World) -> None:
    world.store.released.clear()
    asking = asyncio.create_task(world.names())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.expire()
    world.store.released.set()
    await asking
    await world.names()
    assert len(world.store.asked) == 2


async def test_rules_choose_among_what_is_enabled_and_can_do_it(world: World) -> None:
    world.declarations = {"card_only": Declaration(), "euro": Declaration(currencies=frozenset({"eur"}))}
    world.configure(
        configured("card_only", is_default=True),
        configured("euro"),
        configured("off", is_enabled=False),
        rules=[Rule(processors=("off", "euro", "card_only"))],
    )
    assert await world.names(currency="eur") == ["euro", "card_only"]
    assert await world.names(currency="usd") == ["card_only"]
    assert await world.names(method="sepa_debit") == []
    assert await world.registry.find(SHOP, "off") is not None
    assert await world.registry.find(SHOP, "nobody") is None


async def test_each_amount_goes_where_its_rule_says_and_other_currencies_where_they_are_taken(
    world: World,
) -> None:
    world.declarations = {"euro": Declaration(currencies=frozenset({"eur"}))}
    world.configure(
        configured("small"),
        configured("large", is_default=True),
        rules=[Rule(processors=("small",), amount_max=10)],
    )
    assert [await world.names(amount=amount) for amount in (10, 11, 10)] == [["small"], ["large"], ["small"]]
    # Without rules too a currency says nothing of another one.
    world.configure(configured("euro", is_default=True))
    world.expire()
    assert [await world.names(currency=one) for one in ("eur", "usd", "eur")] == [["euro"], [], ["euro"]]


async def test_a_processor_is_the_same_until_how_it_is_called_changes(world: World) -> None:
    first = configured("first")
    made = []
    for changed in (
        first,
        msgspec.structs.replace(first, is_default=True),
        msgspec.structs.replace(first, url="https://elsewhere"),
        msgspec.structs.replace(first, secrets=Secrets(secret="t")),
    ):
        world.configure(changed)
        made.append(await world.registry.find(SHOP, "first"))
        world.expire()
    assert made[0] is made[1]
    assert len(set(map(id, made))) == 3


async def test_without_its_secrets_nothing_is_sent_and_nothing_is_concluded(world: World) -> None:
    world.configure(configured("first", secrets=None, is_default=True))
    assert await world.names() == ["first"]
    found = await world.registry.find(SHOP, "first")
    assert found is not None
    assert world.made == []
    assert (await found.carry_out(ORDER, timeout_ms=1)).status == "not_sent"
    asked = await found.inquire(ORDER, timeout_ms=1)
    assert asked is not None
    assert asked.status == "unknown"
    assert found.receive({}, b"") is None
    assert "cannot be opened" in str(await found.check(timeout_ms=1))
    world.expire()
    world.configure(configured("first"))
    assert isinstance(await world.registry.find(SHOP, "first"), Made)


async def test_one_question_is_asked_for_all_that_wait_and_survives_who_leaves(world: World) -> None:
    world.configure(configured("first", is_default=True))
    world.store.released.clear()
    waiting = [asyncio.create_task(world.names()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    world.store.released.set()
    assert await asyncio.gather(*waiting[1:]) == [["first"]] * 4
    assert world.store.asked == [SHOP]


async def test_a_database_that_is_away_is_told_and_asked_again(world: World) -> None:
    world.store.failure = DatabaseUnavailable("away")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await world.names()
    world.store.failure = None
    world.configure(configured("first", is_default=True))
    assert await world.names() == ["first"]


async def test_tenants_are_apart_and_only_so_many_are_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(configured("first", is_default=True))
    world.configure(configured("first"), configured("second"), scope=OTHER)
    assert await world.names() == ["first"]
    assert await world.names(OTHER) == []
    found = await world.registry.named("first")
    assert [scope for scope, _ in found] == [SHOP, OTHER]
    assert [scope for scope, _ in await world.registry.named("second")] == [OTHER]
    assert await world.registry.named("nobody") == []
    monkeypatch.setattr(limits, "processor_scopes_kept", 1)
    world.store.asked.clear()
    for scope in (Scope("3" * 32, True), Scope("3" * 32, True), SHOP):
        await world.names(scope)
    assert world.store.asked == [Scope("3" * 32, True), SHOP]


async def test_its_end_closes_the_connections_of_all(world: World) -> None:
    world.registry.start()
    await world.registry.close()
    assert world.is_closed


@pytest.mark.parametrize(
    "changed", [(), (configured("one", url="https://two"),), (configured("one", is_enabled=False),)]
)
async def test_one_that_is_used_no_more_is_discarded(world: World, changed: tuple[Configured, ...]) -> None:
    """And known to be so without a payment: a processor that is left alone is looked up again."""
    world.configure(configured("one"), configured("other"))
    await world.names()
    one, other = world.made
    world.broken = [other]
    world.configure(configured("other"), *changed)
    world.expire()
    await world.registry.probe()
    assert world.discarded == [one]
    assert world.probes == 1


async def test_without_one_that_fails_nothing_is_looked_up(world: World) -> None:
    world.configure(configured("one"))
    await world.names()
    world.expire()
    await world.registry.probe()
    assert world.store.asked == [SHOP]


async def test_those_of_a_forgotten_tenant_are_discarded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "processor_scopes_kept", 1)
    world.configure(configured("one"))
    await world.names()
    await world.names(Scope("other", livemode=True))
    assert world.discarded == world.made[:1]


async def test_a_saved_card_goes_to_who_keeps_it_while_that_takes_payments(world: World) -> None:
    world.configure(configured("keeper"), configured("other", is_default=True))
    assert await world.registry.keeper(SHOP, "pm_1") is None
    await world.registry.keep(SHOP, "pm_1", SavedCard(processor="keeper", token="t"))
    found = await world.registry.keeper(SHOP, "pm_1")
    assert found is not None
    assert (found[0].name, found[1]) == ("keeper", "t")
    world.configure(configured("keeper", is_enabled=False), configured("other", is_default=True))
    world.expire()
    assert await world.registry.keeper(SHOP, "pm_1") is None
