"""The recipe "Add a resource" of CONTRIBUTING.md, carried out in a copy of the package and driven over HTTP.

`note/` holds the files that the recipe adds, and `_ROWS` the rows. Where the recipe needs another step, this
test fails.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

import fastpay
from fastpay.domain import kinds
from tests.support.api import open_client, post
from tests.support.servers import RunningServer, SpawnServer, fetch
from tests.support.tenants import make_tenant

_NOTE = Path(__file__).parent / "note"
# The next number of a kind.
_NUMBER = 1 + max(kind.number for kind in kinds.STORED.values())
_MIGRATIONS = "store/migrations/versions"


class _Row(NamedTuple):
    """Text that goes before every occurrence of an anchor in a file of the package."""

    path: str
    anchor: str
    text: str


_ROWS = (
    _Row(
        "domain/kinds.py", "from fastpay.domain.objects import (", "from fastpay.domain.notes import Note\n"
    ),
    _Row("domain/kinds.py", "\n# Rows of the ledger", f"NOTE = _stored({_NUMBER}, Note)\n"),
    _Row(
        "store/tables.py",
        "    kinds.LEDGER_ACCOUNT: Table(",
        '    kinds.NOTE: Table(name="note", plural="notes", fixed=(_reference("customer"),), '
        'filters=(_reference("customer"),)),\n',
    ),
    # The import, and the module's entry among those that are served.
    _Row("api/app.py", "    payment_intents,\n", "    notes,\n"),
)


def _carry_out(root: Path) -> None:
    """Copy the package to a folder and follow the recipe there."""
    package = root / "fastpay"
    # What is compiled of the files that stay as they are is valid in the copy, too: their times are copied.
    # Other workers may be writing some of it, under a name with a number behind it.
    ignored = shutil.ignore_patterns("*.c", "*.pyx", "*.pyc.*")
    shutil.copytree(Path(fastpay.__file__).parent, package, ignore=ignored)
    shutil.copy(_NOTE / "domain/notes.py", package / "domain/notes.py")
    shutil.copy(_NOTE / "api/notes.py", package / "api/resources/notes.py")
    for row in _ROWS:
        path = package / row.path
        before = path.read_text(encoding="utf-8")
        assert row.anchor in before, row
        path.write_text(before.replace(row.anchor, row.text + row.anchor), encoding="utf-8")
    last = max(path.stem for path in (package / _MIGRATIONS).glob("[0-9]*.py"))
    number = int(last[:4]) + 1
    name = f"{number:04}_notes"
    for suffix in (".sql", ".check.sql"):
        text = (_NOTE / f"migration/notes{suffix}").read_text(encoding="utf-8")
        text = text.replace("between 1 and 8", f"between 1 and {_NUMBER}")
        (package / _MIGRATIONS / f"{name}{suffix}").write_text(text, encoding="utf-8")
    module = (package / _MIGRATIONS / f"{last}.py").read_text(encoding="utf-8")
    module = module.replace(f'down_revision = "{number - 2:04}"', f'down_revision = "{number - 1:04}"')
    module = module.replace(f'\nrevision = "{number - 1:04}"', f'\nrevision = "{number:04}"')
    (package / _MIGRATIONS / f"{name}.py").write_text(module, encoding="utf-8")


@pytest.fixture
def with_notes(tmp_path: Path, database_url: str, spawn_server: SpawnServer) -> RunningServer:
    _carry_out(tmp_path)
    return spawn_server(
        environment={"FASTPAY_DATABASE_URL": database_url}, prefix=("env", f"--chdir={tmp_path}")
    )


def test_a_resource_that_is_added_by_the_recipe_is_served(
    with_notes: RunningServer, database_url: str
) -> None:
    tenant, other = make_tenant(database_url), make_tenant(database_url)
    with (
        open_client(with_notes.url, tenant.secret) as api,
        open_client(with_notes.url, other.secret) as stranger,
    ):
        customer = post(api, "/v1/customers", name="Ada")
        first = post(api, "/v1/notes", customer=customer["id"], text="Likes blue.")
        assert first == {
            "id": first["id"],
            "object": "note",
            "created": first["created"],
            "customer": customer["id"],
            "livemode": False,
            "metadata": {},
            "text": "Likes blue.",
        }
        headers = {"Idempotency-Key": "once"}
        sent = {"customer": customer["id"], "text": "Moved.", "expand[]": "customer"}
        replies = [api.post("/v1/notes", data=sent, headers=headers) for _ in range(2)]
        assert replies[0].content == replies[1].content
        second = replies[0].json()
        assert second["customer"] == customer
        path = f"/v1/notes/{first['id']}"
        assert api.get(path).json() == first
        assert api.get(path, params={"expand[]": "customer"}).json() == {**first, "customer": customer}
        assert stranger.get(path).status_code == 404
        listed = api.get("/v1/notes", params={"customer": customer["id"]}).json()["data"]
        assert [note["id"] for note in listed] == [second["id"], first["id"]]
        page = api.get("/v1/notes", params={"starting_after": second["id"], "limit": 1}).json()
        assert page == {"object": "list", "url": "/v1/notes", "has_more": False, "data": [first]}
        missing = api.post("/v1/notes", data={"customer": f"cus_{'0' * 32}", "text": "x"})
        assert missing.json()["error"]["code"] == "resource_missing"
        assert api.post("/v1/notes", data={"customer": customer["id"]}).status_code == 400
        assert api.get("/v1/ledger/verify").json()["ok"]
    events = fetch(database_url, "select type from event order by tenant_id, sequence")
    assert [event["type"] for event in events] == ["customer.created", "note.created", "note.created"]


def test_what_contradicts_its_versions_is_found_in_the_added_table_too(
    with_notes: RunningServer, database_url: str
) -> None:
    tenant = make_tenant(database_url)
    with open_client(with_notes.url, tenant.secret) as api:
        customer = post(api, "/v1/customers", name="Ada")
        note = post(api, "/v1/notes", customer=customer["id"], text="Likes blue.")
        fetch(database_url, "update note set version = 2 returning version")
        (problem,) = api.get("/v1/ledger/verify").json()["problems"]
        assert note["id"] in problem
