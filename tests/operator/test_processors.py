"""`fastpay processors`: what an operator configures, and what nobody may see."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import RunningServer, fetch, run_fastpay
from tests.support.tenants import make_tenant

WHOSE = ("--tenant", "shop", "--mode", "live")
SECRETS = "sk_live_something\nwhsec_something\n"


class Operator:
    """Runs commands on a database with sealing keys."""

    def __init__(self, database_url: str, keys: Path) -> None:
        self.url = database_url
        self._environment = {
            "FASTPAY_DATABASE_URL": database_url,
            "FASTPAY_SEALING_KEY_FILE": str(keys),
            "COLUMNS": "200",
        }

    def try_(self, *command: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command. Whatever comes of it, it shows no secret."""
        done = run_fastpay(*command, environment=self._environment, given=given)
        assert "something" not in done.stdout + done.stderr
        return done

    def run(self, command: str, *arguments: str, given: str = "") -> str:
        done = self.try_("processors", command, *WHOSE, *arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, command: str, *arguments: str, given: str = "") -> str:
        done = self.try_("processors", command, *WHOSE, *arguments, given=given)
        assert done.returncode in {1, 2}, done.stdout
        return done.stderr

    def add(self, name: str, url: str, *, kind: str = "stripe", given: str = SECRETS) -> str:
        return self.run("add", "--kind", kind, "--name", name, "--url", url, given=given)

    def listed(self) -> dict[str, list[str]]:
        lines = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in self.run("list").splitlines()]
        return {cells[0]: cells[1:] for cells in lines if cells and cells[0] != "name"}


@pytest.fixture
def operator(database_url: str, tmp_path: Path) -> Operator:
    operator = Operator(database_url, tmp_path / "sealing.keys")
    for command in (("sealing", "add"), ("tenants", "create", "shop")):
        done = operator.try_(*command)
        assert done.returncode == 0, done.stderr
    return operator


def test_processors_are_added_chosen_and_disabled(operator: Operator) -> None:
    assert operator.add("first", "https://a.example") == "added first\n"
    assert operator.add("second", "https://b.example", kind="http", given="sk_something") == "added second\n"
    assert operator.listed() == {
        "first": ["stripe", "https://a.example", "enabled", "yes", "yes"],
        "second": ["http", "https://b.example", "enabled", "", "no"],
    }
    assert operator.run("default", "second") == "second is the default\n"
    assert operator.run("disable", "first") == "disabled first\n"
    assert [row[2:4] for row in operator.listed().values()] == [["disabled", ""], ["enabled", "yes"]]
    assert operator.run("enable", "first") == "enabled first\n"
    assert operator.listed()["first"][2] == "enabled"
    assert "something" not in str(fetch(operator.url, "select processor::text from processor"))


def test_secrets_are_given_on_standard_input_and_replaced_there(operator: Operator) -> None:
    for given in ("", "\n", "\nwhsec_something\n"):
        told = operator.refused("add", "--kind", "stripe", "--name", "a", "--url", "https://a", given=given)
        assert "there is no secret on standard input" in told
    operator.add("first", "https://a.example", given="sk_something\r\n")
    assert operator.listed()["first"][-1] == "no"
    assert operator.run("roll", "first", given=SECRETS) == "replaced the secret of first\n"
    assert operator.listed()["first"][-1] == "yes"
    operator.run("roll", "first", given="sk_something\n")
    assert operator.listed()["first"][-1] == "yes"
    operator.add("second", "https://b.example", kind="http", given="sk_something\n")
    assert "whsec_ followed by base64" in operator.refused("roll", "second", given=SECRETS)


def test_rules_are_a_list_in_toml(operator: Operator, tmp_path: Path) -> None:
    assert operator.run("route") == ""
    for name in ("first", "second"):
        operator.add(name, "https://a.example")
    text = (
        '[[rule]]\nprocessors = ["second", "first"]\ncurrencies = ["eur"]\namount_max = 50000\n\n'
        '[[rule]]\nprocessors = ["first"]\nmethods = ["card"]\namount_min = 100\n'
    )
    assert operator.run("route", "-", given=text) == "2 rules\n"
    assert operator.run("route") == text
    for wrong, told in (
        ('[[rule]]\nprocessors = ["nobody"]\n', "does not exist: nobody"),
        ("[[rule]]\n", "missing required field `processors`"),
        ('[[rule]]\nprocessors = ["first"]\nweekday = 5\n', "unknown field `weekday`"),
        ("[[rules]]\n", "unknown field `rules`"),
        ("[[rule", "the rules cannot be read"),
    ):
        (tmp_path / "rules.toml").write_text(wrong, encoding="utf-8")
        assert told in operator.refused("route", str(tmp_path / "rules.toml"))
    assert operator.run("route") == text


def test_a_processor_is_tried_without_moving_money(operator: Operator, server: RunningServer) -> None:
    operator.add("upstream", server.url, given=make_tenant(server.database_url).secret)
    operator.add("stranger", server.url)
    operator.add("gone", "http://127.0.0.1:1")
    assert operator.run("test", "upstream") == "upstream works\n"
    assert "stranger does not work: the processor answers 401" in operator.refused("test", "stranger")
    assert "gone does not work: " in operator.refused("test", "gone")
    assert "there is no processor named 'nobody'" in operator.refused("test", "nobody")


def test_what_cannot_be_is_refused_in_a_line(operator: Operator) -> None:
    add = ("add", "--name", "first", "--kind")
    for arguments, told in (
        ((*add, "stripe", "--url", "http://far.example"), "https only"),
        ((*add, "stripe", "--url", "a"), "A processor's URL is"),
        ((*add, "http", "--url", "https://a"), "whsec_ followed by base64"),
        ((*add, "paypal", "--url", "https://a"), "Invalid value for '--kind'"),
        (("enable", "nobody"), "No such processor: nobody"),
        (("default", "nobody"), "No such enabled processor: nobody"),
        (("roll", "nobody"), "there is no processor named 'nobody'"),
    ):
        assert told in operator.refused(*arguments, given=SECRETS)
    assert operator.listed() == {}


def test_without_a_sealing_key_nothing_is_added(database_url: str) -> None:
    add = ("processors", "add", "--kind", "stripe", "--name", "first", "--url", "https://a")
    for command in (("tenants", "create", "shop"), (*add, *WHOSE)):
        done = run_fastpay(
            *command,
            environment={"FASTPAY_DATABASE_URL": database_url, "FASTPAY_DATA_DIR": "/none"},
            given=SECRETS,
        )
    assert done.returncode == 2
    assert "the secrets of a processor must be sealed" in done.stderr
