"""What must hold of every database that fastpay has written to, whatever happened meanwhile.

Each file of `checks/` is one statement that finds what is wrong, told from the tables alone: it shares no
code with what wrote them. An empty answer from all of them is what is asked for.
"""

from pathlib import Path

from fastpay.store.connections import connected

CHECKS = {path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("checks/*.sql")}


async def find_faults(database_url: str) -> list[str]:
    """Run every check on one snapshot of the database and return a line for each fault found."""
    faults = []
    async with (
        connected(database_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for name in sorted(CHECKS):
            for row in await connection.fetch(CHECKS[name]):
                columns = ", ".join(f"{column}={value}" for column, value in row.items())
                faults.append(f"{name}: {columns}")
    return faults


async def check_database(database_url: str) -> None:
    """Find nothing wrong."""
    faults = await find_faults(database_url)
    assert faults == [], "\n".join(faults)
