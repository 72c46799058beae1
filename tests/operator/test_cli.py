"""The fastpay command from the outside."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastpay import __version__
from fastpay.store.keys import hash_key
from tests.support.process_clock import MovableClock, find_library
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, RunningServer, execute, fetch, run_fastpay

KEYS = ("--tenant", "shop", "--mode", "test")


def fastpay(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_fastpay(*arguments, environment=environment)


def test_the_version_is_told_by_a_process_of_its_own() -> None:
    for command in ([sys.executable, "-m", "fastpay"], [str(Path(sys.executable).with_name("fastpay"))]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == fastpay("--version").stdout == f"fastpay {__version__}\n"


def test_help_names_every_command() -> None:
    done = fastpay("--help")
    assert done.returncode == 0
    for name in ("serve", "migrate", "keys", "processors", "sealing", "demo", "doctor"):
        assert re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["keys"],
        ["serve"],
        ["doctor"],
        ["demo"],
        ["keys", "create"],
        ["keys", "signing"],
        ["sealing"],
        ["processors"],
    ],
)
def test_help_fits_and_says_what_every_option_is_for(command: list[str]) -> None:
    done = fastpay(*command, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert "..." not in done.stdout.replace("[ARGS]...", "")
    assert not re.search(r"^  --[\w-]+ \S+\n  -", done.stdout, re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_tells_of_variables_and_the_file() -> None:
    for command in ([], ["serve"], ["doctor"]):
        done = fastpay(*command, "--help")
        assert "Settings also come from FASTPAY_NAME variables and from the TOML file of" in done.stdout


def test_the_doctor_looks_at_what_the_command_line_names() -> None:
    flags = ("--database-url", "postgresql://127.0.0.1:1/x", "--tls-cert", "/a.pem", "--tls-key", "/b")
    done = fastpay("doctor", *flags, COLUMNS="300", FASTPAY_REDIS_URL="redis://127.0.0.1:1")
    assert done.returncode == 1
    assert "tls_cert /a.pem cannot be read" in done.stdout
    assert "cannot reach the database postgresql://127.0.0.1:1/x" in done.stdout


def test_help_and_version_do_not_wait_for_the_modules_of_others() -> None:
    code = (
        "import sys, fastpay.cli;"
        "print([m for m in ('asyncpg', 'starlette', 'uvloop', 'h2', 'rich', 'redis', 'alembic',"
        " 'opentelemetry') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("where", ["running", "configured"])
def test_keys_are_made_listed_rolled_and_revoked(
    where: str, server: RunningServer, database_url: str
) -> None:
    if where == "running":
        options, environment, url = ["--data-dir", str(server.data_dir)], {}, server.database_url
    else:
        options, environment, url = [], {"FASTPAY_DATABASE_URL": database_url}, database_url

    def keys(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return fastpay("keys", command, *KEYS, *options, *arguments, **environment)

    made = keys("create")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("sk_test_")
    assert "only time" in made.stderr
    rolled = keys("roll").stdout.strip()
    assert rolled.startswith("sk_test_")
    assert rolled != key
    listed = keys("list")
    assert key not in listed.stdout
    assert re.search(rf"{key[-4:]}.*expired", listed.stdout)
    line = re.search(rf"([0-9a-f-]{{36}}).*{rolled[-4:]}.*good", listed.stdout)
    assert line is not None
    assert keys("revoke", line[1]).stdout == f"revoked {line[1]}\n"
    assert re.match(rf"{line[1]} was revoked already, at 20\d\d-", keys("revoke", line[1]).stdout)
    assert re.search(rf"{rolled[-4:]}.*revoked", keys("list").stdout)
    rows = fetch(url, "select revoked_at is not null from api_key where key_hash = $1", hash_key(rolled))
    assert rows == [(True,)]
    refused = keys("roll")
    assert refused.returncode == 2
    assert "no key is valid; create one with: " in refused.stderr


@pytest.mark.parametrize("offset", ["+25h", "-25h"])
def test_keys_are_made_and_ended_by_the_time_of_the_database(
    offset: str, database_url: str, scratch: Path
) -> None:
    clock = MovableClock(scratch / f"clock{next(NUMBERS)}", find_library())
    clock.move(offset)
    environment = {"FASTPAY_DATABASE_URL": database_url} | clock.environment

    def keys(*arguments: str) -> str:
        done = run_fastpay("keys", *arguments, *KEYS, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    keys("create")
    rolled = keys("roll", "--expires-in-hours", "2").strip()
    listed = keys("list")
    assert re.search(rf"{rolled[-4:]}.*good", listed)
    assert "expiring" in listed
    (found,) = fetch(
        database_url,
        "select max(abs(extract(epoch from created_at - now()))), "
        "max(extract(epoch from expires_at - now())) from api_key",
    )
    assert found[0] < PATIENCE_SECONDS
    assert 7_200 - PATIENCE_SECONDS < found[1] <= 7_200


def test_keys_are_made_while_no_server_runs(data_dir: Path) -> None:
    done = fastpay(
        "keys",
        "create",
        "--tenant",
        "x",
        "--mode",
        "live",
        "--kind",
        "publishable",
        "--data-dir",
        str(data_dir),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pk_live_")
    assert not (data_dir / "addresses.json").exists()


@pytest.mark.parametrize(
    "command", [["list"], ["roll"], ["revoke", "00000000-0000-4000-8000-000000000000"]], ids=lambda x: x[0]
)
def test_a_command_that_only_looks_makes_no_data_directory(tmp_path: Path, command: list[str]) -> None:
    missing = tmp_path / "none"
    done = fastpay("keys", *command, *KEYS, "--data-dir", str(missing))
    assert done.returncode == 2
    advice = f"run {sys.executable} -m fastpay serve, or give --data-dir"
    assert done.stderr == f"fastpay: no data directory at {missing}; {advice}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["list", "--tenant", "nobody", "--mode", "test"], 2, "there is no tenant named 'nobody'"),
        (["create", "--tenant", "", "--mode", "test"], 2, "a tenant's name must not be empty"),
        (["create", "--tenant", "x" * 101, "--mode", "test"], 1, "1 to 100 printable"),
        (["create", "--tenant", "x", "--mode", "both"], 2, "'both' is not one of"),
        (["create", "--tenant", "x"], 2, "Missing option '--mode'"),
        (["revoke", "--tenant", "test", "--mode", "test", "12"], 2, "'12' is not a valid UUID"),
        (
            ["revoke", "--tenant", "test", "--mode", "test", "00000000-0000-4000-8000-000000000000"],
            1,
            "No such",
        ),
    ],
)
def test_a_bad_wish_about_keys_is_refused(
    server: RunningServer, arguments: list[str], status: int, part: str
) -> None:
    done = fastpay("keys", *arguments, "--data-dir", str(server.data_dir))
    assert done.returncode == status
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_of_a_configured_database_wait_for_its_migration(empty_database_url: str) -> None:
    done = fastpay("keys", "create", *KEYS, FASTPAY_DATABASE_URL=empty_database_url)
    assert done.returncode == 2
    assert "fastpay migrate first" in done.stderr


def test_migrate_says_what_it_did(empty_database_url: str) -> None:
    first = fastpay("migrate", FASTPAY_DATABASE_URL=empty_database_url)
    assert first.stdout.startswith("applied 0001")
    assert (
        fastpay("migrate", FASTPAY_DATABASE_URL=empty_database_url).stdout == "no migrations were pending\n"
    )


def test_migrate_refuses_the_database_of_a_newer_program(database_url: str) -> None:
    execute(database_url, "update alembic_version set version_num = '9999'")
    execute(database_url, "update schema_compatibility set oldest_program = '9999'")
    done = fastpay("migrate", FASTPAY_DATABASE_URL=database_url)
    assert done.returncode == 2
    assert "run the newer fastpay" in done.stderr
