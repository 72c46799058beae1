"""A bank under all disasters: what its clients were told is what the database says, in the same order."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.bank.history import EVENTS
from tests.bank.rounds import play
from tests.bank.world import world
from tests.support.seeds import SEED
from tests.support.servers import NUMBERS

CLIENTS = 10


@pytest.mark.parametrize("has_pooler", [False, True])
def test_what_clients_were_told_stands_whatever_happens(has_pooler: bool, scratch: Path) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    place = scratch / f"bank{next(NUMBERS)}"
    place.mkdir()
    place.chmod(0o711)
    asyncio.run(run(place, has_pooler=has_pooler))


async def run(place: Path, *, has_pooler: bool) -> None:
    async with world(place, instances=2, seed=SEED, has_pooler=has_pooler) as bank:
        faults = await play(bank, CLIENTS)
        operations, changes = bank.operations(), await bank.changes()
    assert faults == [], "\n".join(faults)
    # All kinds of work, and disasters that were felt.
    assert {operation.kind for operation in operations} == {*EVENTS, "read", "balance"}
    assert {operation.result for operation in operations} == {"ok", "refused", "unknown"}
    assert len(changes) > 200
