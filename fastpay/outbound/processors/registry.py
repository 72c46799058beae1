"""The processors of all tenants, made of what operators have configured."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain import routing
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import (
    Configuration,
    Configured,
    ProcessorConfigurations,
    SavedCard,
    Secrets,
)
from fastpay.engine.processors.ports import Chosen, Declaration, Processor
from fastpay.outbound.processors.unusable import UnusableProcessor

_UNREADABLE = "its secrets cannot be opened; the log says why"


class Maker(Protocol):
    """Makes processors."""

    def make(self, configured: Configured, secrets: Secrets) -> Processor:
        """Return a processor as it is configured."""

    def discard(self, processor: Processor) -> None:
        """Forget a processor that no new order goes to."""

    def failing(self) -> frozenset[Processor]:
        """Return the processors that are left alone, because they do not answer."""

    async def probe(self) -> None:
        """Ask those that are left alone whether they work again. No money moves."""

    async def close(self) -> None:
        """Close the connections of all processors."""


class _Known(NamedTuple):
    """What is configured for a tenant, and until when that is used, by the monotonic clock.

    `enabled` are the processors that payments may go to. `routed` has where those of a currency and a method
    went so far; with rules, that depends on the amount too, and nothing is kept.
    """

    configuration: Configuration
    processors: dict[str, Processor]
    until_ns: int
    enabled: dict[str, Chosen]
    default: str | None
    routed: dict[tuple[str, str], list[Chosen]]


class Registry:
    """Satisfies `Processors`. What an operator changes counts after `processor_cache_ms`.

    A processor stays the same object until its configuration changes, since it knows how the service does.
    """

    def __init__(self, configurations: ProcessorConfigurations, maker: Maker, *, clock: Clock) -> None:
        self._configurations = configurations
        self._maker = maker
        self._clock = clock
        # The oldest look-up comes first.
        self._known: dict[Scope, _Known] = {}
        self._asking: dict[Scope, asyncio.Task[_Known]] = {}

    def start(self) -> None:
        """Begin. Nothing is asked before a payment comes."""

    async def close(self) -> None:
        """Close all connections."""
        await self._maker.close()

    def kept_route(self, scope: Scope, *, currency: str, method: str) -> Sequence[Chosen] | None:
        """Return what `route` would, without a wait. None if that has to be found out, or may be."""
        known = self._known.get(scope)
        if known is None or self._clock.monotonic_ns() >= known.until_ns:
            return None
        return known.routed.get((currency, method))

    async def route(self, scope: Scope, *, amount: int, currency: str, method: str) -> Sequence[Chosen]:
        """Return the processors that a payment may go to, the first choice first. Empty if there is none.

        Raises: DatabaseUnavailable, Overloaded.
        """
        known = await self._look_up(scope)
        usable = {
            name for name, one in known.enabled.items() if _takes(one.processor.declaration, currency, method)
        }
        names = routing.choose(
            known.configuration.rules,
            usable,
            default=known.default,
            amount=amount,
            currency=currency,
            method=method,
        )
        found = [known.enabled[name] for name in names]
        if not known.configuration.rules:
            known.routed[currency, method] = found
        return found

    async def keeper(self, scope: Scope, payment_method: str) -> tuple[Chosen, str] | None:
        """Return the processor that keeps a card and takes new payments, and what it calls the card.

        Raises: DatabaseUnavailable, Overloaded.
        """
        saved = await self._configurations.find_card(scope, payment_method)
        if saved is None:
            return None
        chosen = (await self._look_up(scope)).enabled.get(saved.processor)
        return None if chosen is None else (chosen, saved.token)

    async def keep(self, scope: Scope, payment_method: str, saved: SavedCard) -> None:
        """Store what a processor calls a card, unless that is known. Raises: DatabaseUnavailable."""
        await self._configurations.keep_card(scope, payment_method, saved)

    async def find(self, scope: Scope, name: str) -> Processor | None:
        """Return a processor by its name, also one that is disabled, or None.

        Raises: DatabaseUnavailable, Overloaded.
        """
        return (await self._look_up(scope)).processors.get(name)

    async def named(self, name: str) -> Sequence[tuple[Scope, Processor]]:
        """Return the processors of all tenants that have this name: their webhooks name nothing else.

        Raises: DatabaseUnavailable, Overloaded.
        """
        found = []
        for scope in await self._configurations.scopes_of(name):
            processor = await self.find(scope, name)
            if processor is not None:
                found.append((scope, processor))
        return found

    async def probe(self) -> None:
        """Ask processors that are left alone whether they work again, as they are configured by now.

        Raises: DatabaseUnavailable, Overloaded.
        """
        failing = self._maker.failing()
        for scope in [one for one, known in self._known.items() if failing & set(known.processors.values())]:
            await self._look_up(scope)
        await self._maker.probe()

    async def _look_up(self, scope: Scope) -> _Known:
        known = self._known.get(scope)
        if known is not None and self._clock.monotonic_ns() < known.until_ns:
            return known
        asking = self._asking.get(scope)
        if asking is None:
            # One look-up, however many payments wait for it; it goes on if one of them is given up.
            asking = asyncio.create_task(self._load(scope), name="load processors")
            # Of an error that nobody waits for any more, nothing is said: the next payment asks again.
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._asking[scope] = asking
        return await asyncio.shield(asking)

    async def _load(self, scope: Scope) -> _Known:
        # From when the statement is sent: a change while it runs must not be hidden for longer than that.
        until_ns = self._clock.monotonic_ns() + limits.processor_cache_ms * 1_000_000
        try:
            configuration = await self._configurations.load(scope)
        finally:
            del self._asking[scope]
        before = self._known.pop(scope, None)
        processors = self._processors(configuration, before)
        enabled = {
            one.name: Chosen(one.name, processors[one.name])
            for one in configuration.processors
            if one.is_enabled
        }
        default = next((one.name for one in configuration.processors if one.is_default), None)
        known = _Known(configuration, processors, until_ns, enabled, default, {})
        if before is not None:
            self._discard(before, known)
        if len(self._known) >= limits.processor_scopes_kept:
            self._discard(self._known.pop(next(iter(self._known))), None)
        self._known[scope] = known
        return known

    def _discard(self, before: _Known, now: _Known | None) -> None:
        """Forget the processors that are not used any more."""
        kept = set() if now is None else set(now.processors.values())
        for processor in before.processors.values():
            if processor not in kept:
                self._maker.discard(processor)

    def _processors(self, configuration: Configuration, before: _Known | None) -> dict[str, Processor]:
        old = {} if before is None else {one.name: one for one in before.configuration.processors}
        made: dict[str, Processor] = {}
        for one in configuration.processors:
            same = old.get(one.name)
            if before is not None and same is not None and _is_called_alike(same, one):
                made[one.name] = before.processors[one.name]
            elif one.secrets is None:
                made[one.name] = UnusableProcessor(_UNREADABLE)
            else:
                made[one.name] = self._maker.make(one, one.secrets)
        return made


def _takes(declaration: Declaration, currency: str, method: str) -> bool:
    return method in declaration.methods and (
        declaration.currencies is None or currency in declaration.currencies
    )


def _is_called_alike(one: Configured, other: Configured) -> bool:
    """Tell whether one object serves for both. Of a disabled one nobody wants to know how it does."""
    return (one.kind, one.url, one.secrets, one.is_enabled) == (
        other.kind,
        other.url,
        other.secrets,
        other.is_enabled,
    )
