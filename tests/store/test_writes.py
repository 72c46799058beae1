"""The write of a batch: encoded ahead of its transaction, and sent inside it."""

import msgspec
import pytest

from benchmarks import samples
from fastpay.engine.failures import RefusedBatch
from fastpay.engine.ports import BatchTransaction, Changes
from fastpay.store.batches import PostgresBatches
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings
from tests.store.support import make_tenant, read_versions

pytestmark = pytest.mark.anyio


async def run(batches: PostgresBatches, changes: Changes) -> None:
    """Commit changes that were encoded before the transaction began."""
    encoded = batches.encode(changes)

    async def work(transaction: BatchTransaction) -> None:
        await transaction.write(encoded)

    try:
        await batches.run_batch(work)
    finally:
        await batches.close()


async def test_changes_encoded_before_the_transaction_are_written_in_it(database_url: str) -> None:
    scope = await make_tenant(database_url)
    changes = samples.new_changes(3, scope)
    await run(PostgresBatches(DatabaseSettings(url=database_url)), changes)
    async with connected(database_url) as connection:
        found = await read_versions(connection, scope)
        sequence = await connection.fetchval(
            "select sequence from book where tenant_id = $1 and livemode = $2", *scope
        )
    assert sorted(found, key=str) == sorted((versioned for _, versioned in changes.versions), key=str)
    assert sequence == changes.books[0].sequence == 9


async def test_what_cannot_be_encoded_is_refused_before_anything_is_sent() -> None:
    changes = samples.new_changes(1)
    scope, versioned = changes.versions[0]
    unspeakable = msgspec.structs.replace(
        versioned.object, id="pm_" + "0" * 31 + "\ud800", metadata={"\ud800": ""}
    )
    changes = msgspec.structs.replace(
        changes, versions=[(scope, msgspec.structs.replace(versioned, object=unspeakable))]
    )
    with pytest.raises(RefusedBatch) as refused:
        PostgresBatches(DatabaseSettings(url="nowhere")).encode(changes)
    assert refused.value.sqlstate == "22000"
