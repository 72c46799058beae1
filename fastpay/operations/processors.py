"""Puts the processors of all tenants together, for a server and for the command line."""

from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.outbound.processors.making import ProcessorMaker
from fastpay.outbound.processors.registry import Registry
from fastpay.store.pool import ReaderPool
from fastpay.store.processors import PostgresProcessors
from fastpay.store.sealing import Vault


def open_processors(settings: Settings, pool: ReaderPool, *, vault: Vault | None, clock: Clock) -> Registry:
    """Return the processors that operators have configured, as they are used by a server."""
    maker = ProcessorMaker(clock=clock, arrival_s=settings.processor_arrival_s)
    return Registry(PostgresProcessors(pool, vault=vault), maker, clock=clock)
