"""fastpay/store/migrate.py against a real PostgreSQL."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from fastpay.clock import SystemClock
from fastpay.errors import ConfigurationError
from fastpay.operations import doctor
from fastpay.store import migrate as module
from fastpay.store.migrate import migrate, pending
from tests.support.servers import execute, fetch, run_fastpay

EVERY = module._revisions()


async def test_on_an_empty_database_all_is_pending(empty_database_url: str) -> None:
    assert await pending(empty_database_url) == EVERY


async def test_migrating_applies_all_that_is_pending_once(empty_database_url: str) -> None:
    assert await migrate(empty_database_url) == EVERY
    assert await pending(empty_database_url) == []
    assert await migrate(empty_database_url) == []


async def test_instances_that_start_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    assert sorted(applied) == [[], [], [], EVERY]


async def take_names(url: str) -> None:
    """Leave statements of an earlier client on both of the pooler's connections, under names to come."""
    first = int(asyncpg.connection._uid)
    script = "".join(f"prepare __asyncpg_stmt_{first + step:x}__ as select 1;" for step in range(60))
    clients = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(2)]
    for client in clients:
        await client.execute("begin")
    for client in clients:
        await client.execute(script + "commit")
        await client.close()


async def test_migrating_works_through_pgbouncer_in_transaction_mode(pgbouncer_url: str) -> None:
    await take_names(pgbouncer_url)
    applied = await asyncio.gather(*(migrate(pgbouncer_url) for _ in range(3)))
    assert sorted(applied) == [[], [], EVERY]
    assert await pending(pgbouncer_url) == []


def scratch_migrations(place: Path, *, script: str, check: str) -> Path:
    """Lay out a migrations directory with a single migration."""
    versions = place / "versions"
    versions.mkdir()
    (place / "env.py").write_text((module.SCRIPTS / "env.py").read_text(encoding="utf-8"), encoding="utf-8")
    body = 'from fastpay.store.migrations import run_scripts\nrevision = "0001"\ndown_revision = None\n'
    (versions / "0001_x.py").write_text(
        f"{body}def upgrade() -> None:\n    run_scripts(__file__)\n", encoding="utf-8"
    )
    (versions / "0001_x.sql").write_text(script, encoding="utf-8")
    (versions / "0001_x.check.sql").write_text(check, encoding="utf-8")
    return place


async def test_a_check_that_finds_something_undoes_everything(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = (
        "select 'no table ' || name from (values ('a'), ('b')) as t (name) where to_regclass(name) is null"
    )
    place = scratch_migrations(tmp_path, script="create table a (); create table c ();", check=check)
    monkeypatch.setattr(module, "SCRIPTS", place)
    with pytest.raises(ConfigurationError, match="migration 0001_x failed: no table b"):
        await migrate(empty_database_url)
    assert await pending(empty_database_url) == ["0001"]
    (place / "versions" / "0001_x.sql").write_text("create table a (); create table b ();", encoding="utf-8")
    assert await migrate(empty_database_url) == ["0001"]


@pytest.fixture
def guest_url(empty_database_url: str) -> Iterator[str]:
    """An empty database by a role that may connect and look, and no more."""
    execute(empty_database_url, "create role guest login")
    yield empty_database_url.replace("//fastpay@", "//guest@")
    execute(empty_database_url, "drop role guest")


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_role_that_may_not_make_tables_is_one_line_with_the_remedy(
    guest_url: str, redis_url: str, command: str
) -> None:
    environment = {"FASTPAY_DATABASE_URL": guest_url, "FASTPAY_REDIS_URL": redis_url}
    done = run_fastpay(command, environment=environment | {"FASTPAY_PORT": "0"})
    assert done.returncode == 2, done.stderr
    assert "may not migrate it: permission denied for schema public; make the role the" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


async def test_the_doctor_finds_a_role_that_may_not_make_tables(guest_url: str) -> None:
    findings = [found async for found in doctor.check_database(guest_url, clock=SystemClock())]
    found = next(found for found in findings if found.check == "migrations")
    assert (found.state, found.seen) == (
        "fault",
        f"pending: {', '.join(EVERY)}; the role may not create tables",
    )
    assert "grant create on schema public" in found.advice


async def migrate_as_the_next_release(
    database_url: str, place: Path, monkeypatch: pytest.MonkeyPatch, *, works_with: str
) -> str:
    """Apply one more migration than there is, and return its number."""
    shutil.copytree(module.SCRIPTS, place)
    number, name = f"{int(EVERY[-1]) + 1:04}", place / "versions" / f"{int(EVERY[-1]) + 1:04}_next"
    body = f'revision = "{number}"\ndown_revision = "{EVERY[-1]}"\nworks_with = "{works_with}"\n'
    name.with_suffix(".py").write_text(
        f"from fastpay.store.migrations import run_scripts\n{body}"
        "def upgrade() -> None:\n    run_scripts(__file__)\n"
    )
    name.with_suffix(".sql").write_text("create table next_release ();")
    name.with_suffix(".check.sql").write_text("select '' where to_regclass('next_release') is null")
    with monkeypatch.context() as patch:
        patch.setattr(module, "SCRIPTS", place)
        assert await migrate(database_url) == [number]
    return number


async def test_a_schema_that_needs_a_newer_program_is_refused(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_one = f"{int(EVERY[-1]) + 1:04}"
    await migrate_as_the_next_release(database_url, tmp_path / "next", monkeypatch, works_with=next_one)
    with pytest.raises(ConfigurationError, match=f"at revision {next_one}, but this fastpay knows only"):
        await pending(database_url)


async def test_a_program_works_on_a_newer_schema_that_says_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_as_the_next_release(database_url, tmp_path / "next", monkeypatch, works_with=EVERY[-1])
    assert await pending(database_url) == []
    assert await migrate(database_url) == []


# What takes something away from a program that was there before, or asks something new of it.
_TAKES_AWAY = re.compile(
    r"\b(drop (table|column|view|function|constraint)|rename|set not null|add constraint)\b"
    r"|\balter column \w+ type\b"
)


def test_a_migration_that_takes_something_away_says_that_it_needs_its_own_program() -> None:
    for number in EVERY[EVERY.index("0033") :]:
        script = next((module.SCRIPTS / "versions").glob(f"{number}_*.py"))
        works_with = re.search(r'^works_with = "(\d{4})"$', script.read_text(encoding="utf-8"), re.M)
        assert works_with is not None, script.name
        if _TAKES_AWAY.search(script.with_suffix(".sql").read_text(encoding="utf-8")):
            assert works_with[1] == number, script.name


async def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot reach the database postgresql://me:\*\*\*@127"
    ) as error:
        await pending("postgresql://me:secret@127.0.0.1:1/x")
    assert "secret" not in str(error.value)


def test_knowing_what_is_pending_does_not_import_alembic() -> None:
    code = (
        "import sys, fastpay.store.migrate; print([m for m in ('alembic', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_migration_has_its_three_files() -> None:
    for script in (module.SCRIPTS / "versions").glob("[0-9]*.py"):
        assert script.with_suffix(".sql").exists()
        assert script.with_suffix(".check.sql").exists()


def test_every_constraint_was_named_by_us(database_url: str) -> None:
    rows = fetch(
        database_url,
        "select conname from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'"
        " and conrelid <> 'alembic_version'::regclass and conname ~ '(_check|_key|_fkey|_pkey)[0-9]+$'",
    )
    assert rows == []
