"""Migrations: plain SQL that alembic runs, forward only, with a check after each.

A migration is three files in `versions/`, here for number 0002:

    0002_books.sql        The statements, as many as it takes. Every constraint has a name. No `begin` or
                          `commit`: all pending migrations share one transaction.
    0002_books.check.sql  One query that returns a text for each fault, and no rows if there is none. It runs
                          in the same transaction, after the statements.
    0002_books.py         What alembic reads:

        \"\"\"What this migration is for, in a line.\"\"\"

        from fastpay.store.migrations import run_scripts

        revision = "0002"
        down_revision = "0001"
        works_with = "0001"


        def upgrade() -> None:
            \"\"\"Run 0002_books.sql and then its check.\"\"\"
            run_scripts(__file__)

`works_with` is the newest revision that a program must know to work on the schema after this migration. What
only adds (tables, columns that may be null or have a default, indexes) names the last revision of the newest
release, also if other migrations came after it. So the program of that release goes on working while the new
one starts, and can be put back. What takes away or renames names its own revision, and comes in the release
after the one that stopped using it. Before the first release, which needs no predecessor, what only adds
names the revision before it. The first 32 migrations have none.

Numbers have four digits, begin at 0001 and have no gaps. There is no downgrade: the next migration corrects a
deployed one. Statements that cannot run in a transaction (`create index concurrently`) are not allowed.
"""

from pathlib import Path
from typing import Any

from fastpay.errors import ConfigurationError


def run_scripts(migration: str) -> None:
    """Run the SQL beside the migration's file and then its check, inside alembic's transaction.

    Raises: ConfigurationError if the check finds a fault, which rolls everything back.
    """
    from alembic import op  # noqa: PLC0415 - alembic takes 0.3 s to import, and a start seldom needs it

    script, check = Path(migration).with_suffix(".sql"), Path(migration).with_suffix(".check.sql")
    # SQLAlchemy prepares what it runs, and only a single statement can be prepared: scripts use the simple
    # query protocol of the driver.
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda driver: driver.execute(script.read_text(encoding="utf-8")))
    faults = adapted.run_async(lambda driver: driver.fetch(check.read_text(encoding="utf-8")))
    if faults:
        found = "; ".join(str(row[0]) for row in faults)
        raise ConfigurationError(f"the check of migration {script.stem} failed: {found}")
