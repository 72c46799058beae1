"""Instances that share copies in a Redis: how to run them, settle them, and look into what they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis

from fastpay.domain.identifiers import Scope
from fastpay.store.copy_format import CopyFormat
from tests.store.test_announcements import until
from tests.store.test_reader import name_of
from tests.support.engine import Engine, engine

LONG_MS = 60_000
NOBODY = "cus_" + "0" * 32


@asynccontextmanager
async def sharing(database_url: str, redis_url: str, *, staleness_ms: int = LONG_MS) -> AsyncIterator[Engine]:
    """Run an instance that shares copies."""
    async with engine(database_url, redis_url=redis_url, staleness_ms=staleness_ms) as instance:
        await until(lambda: instance.copies.is_open)
        yield instance


async def settled(*instances: Engine) -> None:
    """Return once Redis has answered everything that was to be kept."""
    for instance in instances:
        await until(lambda instance=instance: not instance.copies._waiting and not _unanswered(instance))  # type: ignore[misc]


def _unanswered(instance: Engine) -> int:
    counts = instance.copies.counts()
    return counts["redis_copies_sent"] - counts["redis_copies_kept"] - counts["redis_copies_lost"]


async def prove(instance: Engine, scope: Scope) -> None:
    """Let an instance learn from the database how far the tenant's sequence has come."""
    assert await instance.reader.get(scope, NOBODY) is None


def form_of(instance: Engine) -> CopyFormat:
    """Return how copies of this database are named and sealed."""
    form = instance.copies._format
    assert form is not None
    return form


async def shown(instance: Engine, scope: Scope, identifier: str) -> str | None:
    """Return the name that is shown of a customer."""
    return name_of(await instance.reader.get(scope, identifier))


def counted(instance: Engine, name: str) -> int:
    """Return one counter of an instance's copies."""
    return instance.copies.counts()[f"redis_{name}"]


async def prove_again(instance: Engine, scope: Scope) -> None:
    """Let an instance forget the tenant, and learn anew how far its sequence has come."""
    if scope in instance.reader._objects.scopes:
        instance.reader._objects.scopes.pop(scope).forget()
    instance.reader.cache.forget_partitions()
    await prove(instance, scope)


async def share(instance: Engine, scope: Scope, *identifiers: str) -> None:
    """Have copies kept of what the database holds now."""
    reading = await instance.reads.read_latest([(scope, identifier) for identifier in identifiers])
    instance.copies.keep(scope, reading.sequences[scope], reading.objects)
    await settled(instance)


def save(cache: "redis.Redis") -> dict[str | bytes, bytes]:
    """Return all that Redis holds of fastpay's."""
    dumps = {key: cache.dump(key) for key in sorted(cache.keys("fastpay:*"))}
    return {key: data for key, data in dumps.items() if data is not None}


def put_back(cache: "redis.Redis", saved: dict[str | bytes, bytes]) -> None:
    """Have Redis hold what it held then."""
    for key, data in saved.items():
        cache.restore(key, 0, data, replace=True)
