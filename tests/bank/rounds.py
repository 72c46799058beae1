"""One round of the bank test: every disaster once while clients are at work, and then the check."""

import sys

from tests.bank.disasters import DISASTERS, POOLER_DISASTERS
from tests.bank.world import World

# How many successful requests come between two disasters.
CALM = 12


async def play(bank: World, clients: int) -> list[str]:
    """Play a round and return every fault found in all that happened so far."""
    disasters = [*DISASTERS, *(() if bank.pooler is None else POOLER_DISASTERS)]
    bank.chance.shuffle(disasters)
    bank.clients.start([instance.url for instance in bank.instances], clients)
    for disaster in disasters:
        await bank.clients.wait_answered(CALM)
        sys.stdout.write(f"{disaster.__name__}\n")
        sys.stdout.flush()
        await disaster(bank)
    await bank.clients.wait_answered(CALM)
    await bank.clients.finish()
    return await bank.clients.find_faults(bank.launched)
