"""A bank under all disasters: what its clients were told is what the database says, in the same order."""

import asyncio
import sys
from pathlib import Path

from tests.bank.history import EVENTS
from tests.bank.rounds import play
from tests.bank.world import world
from tests.support.pgbouncer import find_pgbouncer
from tests.support.seeds import SEED
from tests.support.servers import NUMBERS

CLIENTS = 10


def test_what_clients_were_told_stands_whatever_happens(scratch: Path) -> None:
    """One instance reaches PostgreSQL directly, the other through a pooler where that is installed."""
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    place = scratch / f"bank{next(NUMBERS)}"
    place.mkdir()
    place.chmod(0o711)
    asyncio.run(run(place))


async def run(place: Path) -> None:
    async with world(place, instances=2, seed=SEED, pooled=int(find_pgbouncer() is not None)) as bank:
        faults = await play(bank, CLIENTS)
        assert bank.links.frames > 100
        assert bank.links.cuts > 0
        operations, changes = bank.clients.operations(), await bank.clients.changes()
    assert faults == [], "\n".join(faults)
    # All kinds of work, and disasters that were felt.
    assert {operation.kind for operation in operations} == {*EVENTS, "read", "balance", "look"}
    assert {operation.result for operation in operations} == {"ok", "refused", "unknown"}
    assert len(changes) > 200
