"""One round of the bank test: every disaster once while clients are at work, and then the check."""

import sys

from tests.bank.disasters import DISASTERS, LONG_DISASTERS, POOLER_DISASTERS
from tests.bank.world import World

# How many successful requests come between two disasters.
CALM = 12


async def play(bank: World, clients: int, *, is_long: bool = False) -> list[str]:
    """Play a round and return every fault found in all that happened so far.

    A long one has more disasters. A receiver of webhooks that misbehaves is one of them.
    """
    disasters = [*DISASTERS, *(() if bank.pooler is None else POOLER_DISASTERS)]
    disasters += LONG_DISASTERS if is_long else ()
    bank.chance.shuffle(disasters)
    bank.clients.start([instance.url for instance in bank.instances], clients)
    for disaster in disasters:
        await bank.clients.wait_answered(CALM)
        sys.stdout.write(f"{disaster.__name__}\n")
        sys.stdout.flush()
        await disaster(bank)
    await bank.clients.wait_answered(CALM)
    await bank.clients.finish()
    if is_long:
        # The next attempts at what has failed are minutes and hours away.
        await bank.make_due()
    await bank.clients.wait_delivered()
    return await bank.clients.find_faults(bank.launched)
