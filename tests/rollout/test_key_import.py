"""Clients of the older API keep their keys: fastpay knows them by their digests."""

import hashlib
from pathlib import Path

import pytest

from tests.rollout.states import run_command, set_all, side_of
from tests.support.api import open_client
from tests.support.servers import RunningServer, fetch

HEADING = "tenant,mode,kind,sha256,last4\n"
KEY = "sk_test_KeyOfTheOlderApi0001"


def row(key: str, tenant: str = "older shop", mode: str = "test", kind: str = "secret") -> str:
    return f"{tenant},{mode},{kind},{hashlib.sha256(key.encode()).hexdigest()},{key[-4:]}\n"


def run_import(server: RunningServer, file: Path, text: str, *, fails: bool = False) -> str:
    file.write_text(text, encoding="utf-8")
    return run_command(server, "keys", "import", str(file), fails=fails)


def test_a_client_keeps_its_key_when_its_route_moves(front: RunningServer, tmp_path: Path) -> None:
    text = HEADING + row(KEY) + row("pk_test_KeyOfTheOlderApi0002", kind="publishable")
    assert "imported 2 keys; 0 were there, and 1 tenants are new" in run_import(
        front, tmp_path / "keys", text
    )
    assert "imported 0 keys; 2 were there, and 0 tenants are new" in run_import(
        front, tmp_path / "keys", text
    )
    with open_client(front.url, KEY) as client:
        set_all("fastpay", client, server=front)
        made = client.post("/v1/customers", data={"email": "a@shop.example"})
        assert (side_of(made), made.status_code) == ("fastpay", 200)
    assert KEY not in str(fetch(front.database_url, "select * from api_key"))


FAULTS = {
    "the fields must be": "tenant,sha256\n",
    "line 2: the mode": HEADING + row("a" * 30, mode="prod"),
    "line 2: the kind": HEADING + row("a" * 30, kind="restricted"),
    "line 3: sha256 is 64": HEADING + row("a" * 30) + "shop,test,secret,sk_test_a_key_itself,elf1\n",
    "line 2: last4": HEADING + row("a" * 30)[:-2] + "\n",
    "line 3: this key stands above": HEADING + row("a" * 30) + row("a" * 30, tenant="another"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_changes_nothing(front: RunningServer, tmp_path: Path, fault: str) -> None:
    before = fetch(front.database_url, "select count(*) as count from api_key")
    said = run_import(front, tmp_path / "keys", FAULTS[fault], fails=True)
    assert fault in said
    assert "sk_test_a_key_itself" not in said
    assert fetch(front.database_url, "select count(*) as count from api_key") == before


def test_a_key_of_another_tenant_is_refused(front: RunningServer, tmp_path: Path) -> None:
    key = "sk_test_KeyOfTheOlderApi0003"
    run_import(front, tmp_path / "keys", HEADING + row(key))
    new = row("sk_test_KeyOfTheOlderApi0004", tenant="another")
    said = run_import(front, tmp_path / "keys", HEADING + new + row(key, tenant="another"), fails=True)
    assert "is another tenant's or mode's" in said
    assert not fetch(front.database_url, "select * from tenant where name = 'another'")
