"""The plan of the house, held against the whole tree; and each rule against what would break it."""

import functools
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fastpay import limits
from tests.house import code, compiled, cycles, imports, statements, words
from tests.support import tree

_Check = Callable[[str, str], list[str]]

# Migrations, what runs them, and what makes a database that no connection can be opened to yet.
_SQL_IN_CODE = (
    "fastpay/store/migrations/",
    "fastpay/store/migrate.py",
    "fastpay/operations/embedded/postgres.py",
)


def _check_sql_in_code(path: str, source: str) -> list[str]:
    """Find SQL outside of files of its own."""
    return [] if path.startswith(_SQL_IN_CODE) else statements.check_strings(path, source)


_PACKAGE_RULES: list[tuple[_Check, str, tuple[str, ...]]] = [
    (imports.check_directions, "fastpay", (".py", ".pyx", ".pxd")),
    (imports.check_doors, "fastpay", (".py", ".pyx", ".pxd")),
    (imports.check_chance, "fastpay", (".py", ".pyx", ".pxd")),
    (code.check_docstrings, "fastpay", (".py", ".pyi")),
    (code.check_purity, "fastpay/domain", (".py",)),
    (statements.check_file, "fastpay/store/sql", (".sql",)),
]
# Floors and loose files together. A new one needs a reason, or room in a floor.
_TOP_FLOOR_MAX = 19
_PROJECT_RULES: list[tuple[_Check, str, tuple[str, ...]]] = [
    (code.check_module_docstring, "fastpay", (".py", ".pyx", ".pyi")),
    (code.check_module_docstring, "benchmarks", (".py",)),
    (code.check_module_docstring, "release", (".py",)),
    (code.check_size, "fastpay", (".py", ".pyx")),
    (code.check_size, "benchmarks", (".py",)),
    (code.check_size, "release", (".py",)),
    (code.check_size, "tests", (".py",)),
    (_check_sql_in_code, "fastpay", (".py", ".pyx")),
]


@functools.cache
def _faults_by_rule() -> dict[tuple[_Check, str], list[str]]:
    """Return what each check finds in its folder. All look at a file before the next: it is parsed once."""
    found: dict[tuple[_Check, str], list[str]] = {}
    for path in tree.tracked():
        for rules, top in ((_PACKAGE_RULES, "fastpay"), (_PROJECT_RULES, ".")):
            for check, folder, suffixes in rules:
                faults = found.setdefault((check, folder), [])
                if path.suffix in suffixes and path.is_relative_to(folder):
                    faults += check(path.relative_to(top).as_posix(), tree.read(path))
    return found


def test_each_migration_has_the_number_after_the_one_before() -> None:
    """Two branches that take the same number do not conflict in git, and no database could be migrated."""
    scripts = sorted((tree.ROOT / "fastpay/store/migrations/versions").glob("[0-9]*.py"))
    assert [script.name[:4] for script in scripts] == [
        f"{number:04}" for number in range(1, len(scripts) + 1)
    ]
    for before, script in itertools.pairwise(scripts):
        assert f'\ndown_revision = "{before.name[:4]}"\n' in script.read_text(encoding="utf-8"), script.name


@pytest.mark.parametrize(("check", "folder", "suffixes"), _PACKAGE_RULES)
def test_the_package_keeps_the_rule(check: _Check, folder: str, suffixes: tuple[str, ...]) -> None:
    assert tree.under(folder, *suffixes) != []
    assert _faults_by_rule()[check, folder] == []


@pytest.mark.parametrize(("check", "folder", "suffixes"), _PROJECT_RULES)
def test_the_project_keeps_the_rule(check: _Check, folder: str, suffixes: tuple[str, ...]) -> None:
    assert tree.under(folder, *suffixes) != []
    assert _faults_by_rule()[check, folder] == []


def test_the_page_on_the_architecture_has_the_rule_for_imports() -> None:
    page = tree.read(Path("docs/ARCHITECTURE.md"))
    table = page.partition("\n| floor | may import |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    shown = {floor: set(re.findall(r"`(\w+)(?:\.py)?`", cell)) for floor, cell in rows}
    rule = {floor: {name.partition(".")[0] for name in names} for floor, names in imports.DIRECTIONS.items()}
    assert shown | {"__main__": {"cli"}} == rule


def test_the_rules_look_at_something() -> None:
    """An empty listing would let every rule pass."""
    assert Path("fastpay/errors.py") in tree.under("fastpay", ".py")
    assert Path("fastpay/_native/form.pyx") in tree.under("fastpay", ".pyx")


@pytest.mark.parametrize("with_types", [False, True], ids=["at run time", "with imports for types"])
def test_no_modules_import_each_other_in_a_circle(with_types: bool) -> None:
    files = tree.under("fastpay", ".py", ".pyx")
    sources = {path.relative_to("fastpay").as_posix(): tree.read(path) for path in files}
    assert cycles.find_cycles(cycles.module_graph(sources, with_types=with_types)) == []


def test_a_circle_of_imports_is_found() -> None:
    sources = {
        "a.py": "from fastpay import b\n",
        "b.py": "def late():\n    from fastpay.floor.c import x\n",
        "floor/__init__.py": "",
        "floor/c.py": "if TYPE_CHECKING:\n    import fastpay.a\n",
    }
    whole = cycles.module_graph(sources, with_types=True)
    assert cycles.find_cycles(whole) == [["fastpay.a", "fastpay.b", "fastpay.floor.c"]]
    assert cycles.find_cycles(cycles.module_graph(sources, with_types=False)) == []


def test_the_top_floor_of_the_package_stays_small() -> None:
    top = {path.relative_to("fastpay").parts[0] for path in tree.under("fastpay", ".py", ".pyx", ".typed")}
    assert len(top) <= _TOP_FLOOR_MAX, sorted(top)


def test_a_bound_has_one_place_and_one_name() -> None:
    named = [
        (name, path.stem)
        for path in tree.under("fastpay/limits", ".py")
        for name in re.findall(r"^(\w+) = ", tree.read(path), re.MULTILINE)
    ]
    assert len(dict(named)) == len(named) > 400, "a name in two files would be the one of the later import"
    assert [name for name, _ in named if not hasattr(limits, name)] == []


def test_sql_files_stand_only_in_the_store() -> None:
    folders = ("fastpay/store/sql", "fastpay/store/migrations")
    strays = [path for path in tree.under("fastpay", ".sql") if not path.as_posix().startswith(folders)]
    assert strays == []


def test_each_compiled_module_has_its_contract_and_its_oracle() -> None:
    files = {path.as_posix() for path in tree.tracked()}
    sources = {path.as_posix(): tree.read(path) for path in tree.under("tests", ".py")}
    assert compiled.check_compiled(files, sources) == []


def test_no_compiled_class_is_freed_by_what_the_collector_has_cleared() -> None:
    faults: list[str] = []
    for path in tree.under("fastpay/_native", ".pyx"):
        layout = path.with_suffix(".pxd")
        source = tree.read(layout) if layout in tree.under("fastpay/_native", ".pxd") else ""
        faults += compiled.check_freeing(path.as_posix(), source + "\n\n" + tree.read(path))
    assert faults == []


# Copied as they are published. A test compares their digests.
_OF_OTHERS = "fastpay/api/openapi/assets/swagger-ui/"


def test_no_file_holds_notes_to_self_or_paths_of_a_machine() -> None:
    faults: list[str] = []
    for path in tree.tracked():
        if path.as_posix().startswith(_OF_OTHERS):
            continue
        try:
            faults += words.check_words(path.as_posix(), tree.read(path))
        except UnicodeDecodeError:
            continue  # A picture, or another file without words.
    assert faults == []


_FREED = """
cdef class Member(Node):
    cdef {kind}peer


{above}
cdef class Member(Node):
    def __dealloc__(self):
        {use}
"""

_VIOLATIONS: list[tuple[_Check, str, str]] = [
    (imports.check_directions, "domain/money.py", "from fastpay.engine import ports\n"),
    (imports.check_directions, "domain/money.py", "import fastpay.clock\n"),
    (imports.check_directions, "domain/money.py", "from .. import store\n"),
    (imports.check_directions, "domain/money.py", "def late():\n    from fastpay import api\n"),
    (imports.check_directions, "engine/write/writer.py", "from fastpay.store.postgres import Store\n"),
    (imports.check_directions, "engine/write/writer.py", "from fastpay.api import decoding\n"),
    (imports.check_directions, "api/app.py", "import fastpay.store.postgres\n"),
    (imports.check_directions, "api/app.py", "from fastpay.server.listener import Server\n"),
    (imports.check_directions, "store/postgres.py", "from fastpay.engine.write.writer import Writer\n"),
    (imports.check_directions, "store/postgres.py", "from fastpay.engine import writer\n"),
    (imports.check_directions, "outbound/webhooks.py", "from fastpay.store import redis\n"),
    (imports.check_directions, "server/listener.py", "from fastpay.domain import money\n"),
    (imports.check_directions, "server/listener.py", "from fastpay.engine.ports import Store\n"),
    (imports.check_directions, "errors.py", "from fastpay.domain import money\n"),
    (imports.check_directions, "api/app.py", "from fastpay.operations import process\n"),
    (imports.check_directions, "operations/process.py", "from fastpay.cli import main\n"),
    (imports.check_directions, "observability/telemetry.py", "from fastpay.operations import gc\n"),
    (imports.check_directions, "observability/telemetry.py", "from fastpay.engine.ports import Store\n"),
    (imports.check_directions, "store/copies.py", "from fastpay.engine.read.reader import Reader\n"),
    (imports.check_directions, "engine/read/reader.py", "from fastpay.engine.write.queue import Queue\n"),
    (imports.check_directions, "engine/write/queue.py", "from fastpay.engine.read.reader import Reader\n"),
    (imports.check_directions, "_native/form.pyx", "from fastpay.api import decoding\n"),
    (imports.check_directions, "_native/form.pyx", "from fastpay.domain.money cimport add\n"),
    (imports.check_doors, "engine/write/writer.py", "import asyncpg\n"),
    (imports.check_doors, "operations/doctor.py", "from asyncpg import connect\n"),
    (imports.check_doors, "engine/read/reader.py", "from redis.asyncio import Redis\n"),
    (imports.check_doors, "api/app.py", "import hyperframe.frame\n"),
    (imports.check_doors, "api/app.py", "from h2.connection import H2Connection\n"),
    (imports.check_doors, "api/app.py", "import httptools\n"),
    (imports.check_doors, "server/listener.py", "import uvloop\n"),
    (imports.check_doors, "engine/write/writer.py", "from opentelemetry import trace\n"),
    (imports.check_doors, "server/listener.py", "from starlette.applications import Starlette\n"),
    (imports.check_doors, "_native/form.pyx", "import asyncpg\n"),
    (imports.check_directions, "signing.py", "from fastpay.clock import Clock\n"),
    (imports.check_chance, "engine/write/writer.py", "import time\n"),
    (imports.check_chance, "engine/write/writer.py", "from time import monotonic\n"),
    (imports.check_chance, "engine/write/writer.py", "import random\n"),
    (imports.check_chance, "api/app.py", "from secrets import token_hex\n"),
    (imports.check_chance, "api/app.py", "import os\nos.urandom(8)\n"),
    (imports.check_chance, "api/app.py", "from os import urandom\n"),
    (imports.check_chance, "store/rows.py", "import uuid\nuuid.uuid4()\n"),
    (imports.check_chance, "store/rows.py", "from uuid import uuid4\n"),
    (imports.check_chance, "store/rows.py", "import datetime\ndatetime.datetime.now()\n"),
    (imports.check_chance, "store/rows.py", "from datetime import date\ndate.today()\n"),
    (imports.check_chance, "_native/form.pyx", "from time import time\n"),
    (code.check_purity, "domain/money.py", "async def pay(): ...\n"),
    (code.check_purity, "domain/money.py", "rate = 0.029\n"),
    (code.check_purity, "domain/money.py", "rate: float\n"),
    (code.check_purity, "domain/money.py", "half = amount / 2\n"),
    (code.check_purity, "domain/money.py", "amount /= 2\n"),
    (code.check_size, "a.py", "x = 1\n" * 401),
    (code.check_size, "a.py", "def long():\n" + "    x = 1\n" * 70),
    (code.check_size, "a.pyx", "cdef int long(int x) except -1:\n" + "    x = 1\n" * 70),
    (code.check_size, "a.pyx", "class Long:\n    def far(\n        self,\n    ):\n" + "        x = 1\n" * 70),
    (code.check_module_docstring, "a.py", "x = 1\n"),
    (code.check_module_docstring, "a.pyx", "# cython: infer_types=True\ncimport cython\n"),
    (code.check_docstrings, "a.py", "def pay():\n    return 1\n"),
    (code.check_docstrings, "a.py", "class Payment:\n    amount: int\n"),
    (code.check_docstrings, "a.py", 'class Payment:\n    """One."""\n    def pay(self): ...\n'),
    (code.check_docstrings, "a.pyi", "def parse(body: bytes) -> dict[str, str]: ...\n"),
    (statements.check_strings, "a.py", 'QUERY = "select id from payments"\n'),
    (statements.check_strings, "a.py", 'run(f"INSERT INTO {table} values (1)")\n'),
    (statements.check_strings, "a.py", 'run("""\n  with found as (select 1) delete""")\n'),
    (statements.check_strings, "a.py", 'run("update payments set amount = 1")\n'),
    (statements.check_strings, "a.py", 'run("create table payments (id uuid)")\n'),
    (statements.check_strings, "a.pyx", 'run("delete from payments")\n'),
    (statements.check_file, "a.sql", "select 1\n"),
    (statements.check_file, "a.sql", "-- Two.\nselect 1;\nselect 2;\n"),
    (statements.check_file, "a.sql", "-- None.\n"),
    (statements.check_file, "a.sql", "-- Loud.\nSELECT 1\n"),
    (statements.check_file, "a.sql", "-- Untold.\nselect $1\n"),
    (statements.check_file, "a.sql", "-- Untyped.\n-- $1 tenant\nselect $1\n"),
    (statements.check_file, "a.sql", "-- Half.\n-- $1 tenant and mode\nselect $1\n"),
    (statements.check_file, "a.sql", "-- Unused.\n-- $1 tenant uuid\n-- $2 mode text\nselect $1\n"),
    (
        compiled.check_freeing,
        "a.pyx",
        _FREED.format(above="@cython.final", kind="Peer ", use="self.peer.go()"),
    ),
    (compiled.check_freeing, "a.pyx", _FREED.format(above="", kind="void* ", use="_leave(self)")),
    (words.check_words, "a.md", "# TO" + "DO: later\n"),
    (words.check_words, "a.py", "# FIX" + "ME\n"),
    (words.check_words, "a.md", "See /ho" + "me/somebody/notes\n"),
    (words.check_words, "Makefile", "cd /wo" + "rk/here\n"),
]


@pytest.mark.parametrize(("check", "path", "source"), _VIOLATIONS)
def test_a_violation_is_found(check: _Check, path: str, source: str) -> None:
    assert len(check(path, source)) == 1


_LAWFUL: list[tuple[_Check, str, str]] = [
    (imports.check_directions, "domain/money.py", "from fastpay import limits\nfrom . import ledger\n"),
    (
        imports.check_directions,
        "engine/write/writer.py",
        "from fastpay.domain import money\nimport asyncio\n",
    ),
    (imports.check_directions, "store/postgres.py", "from fastpay.engine.ports import Store\n"),
    (imports.check_directions, "store/postgres.py", "from fastpay.engine import ports\n"),
    (imports.check_directions, "api/app.py", "from fastpay.engine.write.writer import Writer\n"),
    (imports.check_directions, "engine/read/reader.py", "from fastpay.engine import ports\n"),
    (imports.check_directions, "store/copies.py", "from fastpay.engine.read.copy_ports import Found\n"),
    (imports.check_directions, "cli/keys.py", "from fastpay.operations.sealing_keys import add_key\n"),
    (imports.check_directions, "__main__.py", "from fastpay.cli import main\n"),
    (imports.check_directions, "operations/process.py", "from fastpay.store.postgres import Store\n"),
    (imports.check_directions, "operations/embedded/servers.py", "from fastpay.store import connection\n"),
    (imports.check_doors, "store/postgres.py", "import asyncpg\n"),
    (imports.check_doors, "store/redis.py", "from redis.asyncio import Redis\n"),
    (imports.check_doors, "_native/http1.pyx", "from httptools import HttpRequestParser\n"),
    (imports.check_doors, "store/redis.py", "from . import redis\n"),
    (imports.check_chance, "clock.py", "import time\nimport os\nos.urandom(8)\n"),
    (imports.check_chance, "store/rows.py", "from uuid import UUID\nfrom datetime import datetime\n"),
    (code.check_purity, "domain/money.py", 'half = amount // 2\nnote = "0.5 a float"\n'),
    (code.check_size, "a.py", "x = 1\n" * 400),
    (code.check_size, "a.py", "def fits():\n" + "    x = 1\n" * 69),
    (code.check_size, "a.pyx", "cdef int fits() except -1:\n" + "    x = 1\n" * 69 + "\n\ny = 1\n"),
    (code.check_module_docstring, "a.pyx", '# cython: infer_types=True\n"""Forms."""\n'),
    (code.check_docstrings, "a.py", "def _pay(): ...\nclass _Payment:\n    def pay(self): ...\n"),
    (statements.check_strings, "a.py", '"""Select the payments from a list."""\nx = "update the settings"\n'),
    (statements.check_strings, "a.py", 'x = "Select a card from the list"\n'),
    (statements.check_file, "a.sql", "-- One of a tenant.\n-- $1 tenant uuid\nselect ';', $1::uuid;\n"),
    (statements.check_file, "a.sql", "-- One.\n-- $1 mode: text\n-- $2: id uuid\nselect $1, $2, 'SELECT';\n"),
    (
        statements.check_file,
        "a.sql",
        "-- One.\n-- $1 uuid[]   ids\n-- $2 mode text, $3 int n\nselect $1, $2, $3\n",
    ),
    (
        compiled.check_freeing,
        "a.pyx",
        _FREED.format(above="@cython.no_gc", kind="Peer ", use="self.peer.go()"),
    ),
    (compiled.check_freeing, "a.pyx", _FREED.format(above="", kind="void* ", use="free(self.peer)  # self")),
    (compiled.check_freeing, "a.pyx", _FREED.format(above="", kind="long long ", use="close(self.peer)")),
    (words.check_words, "a.md", "What to do at https://example.org/job/home\n"),
]


@pytest.mark.parametrize(("check", "path", "source"), _LAWFUL)
def test_what_the_rules_allow_is_let_pass(check: _Check, path: str, source: str) -> None:
    assert check(path, source) == []


def test_a_compiled_module_without_its_companions_is_found() -> None:
    module, contract = "fastpay/_native/form.pyx", "fastpay/_native/form.pyi"
    oracle, test = "tests/reference/form.py", "tests/unit/native/test_form.py"
    comparing = {test: "from tests.reference import form as oracle\n"}
    assert len(compiled.check_compiled({module, oracle}, comparing)) == 1
    assert len(compiled.check_compiled({module, contract}, comparing)) == 1
    assert len(compiled.check_compiled({module, contract, oracle}, {test: "import fastpay\n"})) == 1
    assert compiled.check_compiled({module, contract, oracle}, comparing) == []


def test_a_compiled_module_of_the_transport_is_covered_at_the_wire() -> None:
    files = {"fastpay/_native/http1.pyx", "fastpay/_native/http1.pyi"}
    assert len(compiled.check_compiled(files, {})) == 1
    assert compiled.check_compiled(files, {"tests/transport/test_requests.py": ""}) == []
