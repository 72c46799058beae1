"""Objects of an older API are imported by a command, and belong to this side from then on."""

from pathlib import Path

import httpx
import pytest

from tests.rollout.states import run_command
from tests.support import tree
from tests.support.servers import RunningServer, fetch

EXAMPLE = [
    line + "\n"
    for line in tree.read(tree.ROOT / "docs/MIGRATION.md").splitlines()
    if line.startswith('{"object"')
]


def take(
    server: RunningServer, client: httpx.Client, file: Path, text: str, *more: str, fails: bool = False
) -> str:
    """Import lines into the tenant of a client, and return what the command says."""
    file.write_text(text, encoding="utf-8")
    tenant_id = client.get("/v1/account").json()["id"].removeprefix("acct_")
    (tenant,) = fetch(server.database_url, "select name from tenant where tenant_id = $1", tenant_id)
    own = ("--tenant", tenant["name"], "--mode", "test")
    return run_command(server, "rollout", "import", str(file), *own, *more, fails=fails)


def test_the_example_of_the_page_is_imported_once(
    front: RunningServer, shop: httpx.Client, tmp_path: Path
) -> None:
    text = "".join(EXAMPLE)
    assert take(front, shop, tmp_path / "lines", text, "--check") == "2 are new\n"
    assert shop.get("/v1/customers").json()["data"] == []
    said = take(front, shop, tmp_path / "lines", text)
    assert said.startswith("2 are new\n")
    assert "123.45 USD" in said
    (customer,) = shop.get("/v1/customers").json()["data"]
    assert (customer["email"], customer["created"]) == ("ada@shop.example", 1680893993)
    assert shop.get("/v1/balance").json()["available"][0]["amount"] == 12345
    assert shop.get("/v1/events").json()["data"] == []
    assert take(front, shop, tmp_path / "lines", text).startswith("0 are new\n")


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_a_faulty_line_is_named_and_nothing_is_imported(
    front: RunningServer, shop: httpx.Client, tmp_path: Path, more: tuple[str, ...]
) -> None:
    text = EXAMPLE[0] + EXAMPLE[1].replace("12345", "0")
    said = take(front, shop, tmp_path / "lines", text, *more, fails=True)
    assert "line 2: amount is a whole number" in said
    assert shop.get("/v1/customers").json()["data"] == []
