"""A round of the bank test: every disaster once while clients are at work, and then the reckoning."""

import sys

from tests.bank.checker import check
from tests.bank.disasters import DISASTERS, POOLER_DISASTERS
from tests.bank.world import World
from tests.support.database_checks import find_faults

# How many answers come between two disasters.
CALM = 12
# What an instance never says, whatever happens to it.
ALARMS = ("batch_failed", "request_failed", "command_failed", "command_refused")


async def play(bank: World, clients: int) -> list[str]:
    """Play a round and return every fault found in all that happened so far."""
    disasters = [*DISASTERS, *(() if bank.pooler is None else POOLER_DISASTERS)]
    bank.chance.shuffle(disasters)
    bank.start_clients(clients)
    for disaster in disasters:
        await bank.wait_answered(CALM)
        sys.stdout.write(f"{disaster.__name__}\n")
        sys.stdout.flush()
        await disaster(bank)
    await bank.wait_answered(CALM)
    await bank.finish_clients()
    faults = check(bank.operations(), await bank.changes(), balance=await bank.balance())
    faults += await find_faults(bank.database_url)
    for instance in bank.launched:
        faults += [f"alarm: {line}" for line in instance.output.splitlines() if line_alarms(line)]
    return faults


def line_alarms(line: str) -> bool:
    """Tell whether a line of the log says that something went wrong inside."""
    return any(word in line for word in ALARMS)
