"""Plays rounds of the bank test for as long as is wished, behind a pooler or not: `make soak MINUTES=30`.

Clients pay and have webhook endpoints. PostgreSQL is killed and frozen, instances are killed and stand still
past their leases, and the receiver of webhooks misbehaves in all its ways.

Ends with status 1 at the first fault, and leaves the history of the clients behind.
"""

import argparse
import asyncio
import collections
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.bank.rounds import play
from tests.bank.world import World, world
from tests.support.seeds import SEED


async def run(place: Path, *, minutes: float, instances: int, clients: int, pooler: bool) -> list[str]:
    """Play until the time is over, and return the faults of the last round."""
    end_s = time.monotonic() + minutes * 60
    faults: list[str] = []
    pooled = instances if pooler else 0
    async with world(place, instances=instances, seed=SEED, pooled=pooled) as bank:
        rounds = 0
        while not faults and time.monotonic() < end_s:
            faults = await play(bank, clients, is_long=True)
            rounds += 1
            report(bank, rounds, faults)
    return faults


def report(bank: World, rounds: int, faults: list[str]) -> None:
    """Say how it stands."""
    results = collections.Counter(operation.result for operation in bank.clients.operations())
    sys.stdout.write(
        f"round {rounds}: {results['ok']} done, {results['refused']} refused, {results['unknown']} without "
        f"an answer, {len(faults)} faults\n"
    )
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.flush()


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument(
        "--pooler", action="store_true", help="put PgBouncer before PostgreSQL, and break it too"
    )
    options = vars(parser.parse_args())
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    place = Path(tempfile.mkdtemp(prefix="fastpay-soak-"))
    place.chmod(0o711)
    faults = asyncio.run(run(place, **options))
    if faults:
        sys.stdout.write(f"what clients were told is in {place / 'history.jsonl'}\n")
        return 1
    shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
