"""Each block of each page is run, by what its language or its first word asks for."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastpay.operations.embedded import children
from tests.pages.blocks import ADDRESS, PATIENCE_SECONDS, ROOT, Block, find_blocks, run
from tests.support.api import open_client
from tests.support.forked import run_forked
from tests.support.servers import RunningServer, clean_environment
from tests.support.signers import make_signing_key
from tests.support.tenants import Tenant, make_tenant

BLOCKS = find_blocks()
# A class that shows nothing by itself: tests/sdk/test_signing.py uses it.
CLASS_ONLY = "class SigningClient"


def runner_of(one: Block) -> str:
    """Return what runs a block."""
    return one.language or {"export": "fastpay"}.get(one.program, one.program)


def of(runner: str) -> list[Block]:
    return [one for one in BLOCKS if runner_of(one) == runner]


def name(one: Block) -> str:
    return f"{one.page}:{one.line}"


def test_no_block_is_left_out() -> None:
    # A block of "text" is a drawing.
    known = {"make", "curl", "fastpay", "fastpay/", "python", "javascript", "json", "text"}
    assert {name(one): runner_of(one) for one in BLOCKS if runner_of(one) not in known} == {}
    assert {runner_of(one) for one in BLOCKS} == known
    # tests/sdk/test_readme.py runs the one with a package, and tests/browser the one that needs a page.
    assert sorted(("from 'stripe'" in one.text, "await fetch(" in one.text) for one in of("javascript")) == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("one", of("make"), ids=name)
def test_the_targets_exist(one: Block) -> None:
    for words in one.commands():
        ran = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert re.search(rf"^  make {words[1]} ", run(["make", "help"], cwd=ROOT), re.M)


@pytest.mark.parametrize("one", of("curl"), ids=name)
def test_the_requests_are_answered(one: Block, server: RunningServer, tenant: Tenant) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian package curl)")
    made: dict[str, str] = {}
    for command in one.text.replace("\\\n", " ").splitlines():
        if "cus_..." in command and "cus_..." not in made:
            with open_client(server.url, tenant.secret) as api:
                made["cus_..."] = api.post("/v1/customers").json()["id"]
        typed = re.sub(r"(?:acct|cus|pi|pm|tr)_\.\.\.|lacc_[A-Z]+", lambda found: made[found[0]], command)
        typed = typed.replace("curl ", "curl --silent --fail-with-body ", 1)
        answer = json.loads(run(["sh", "-c", typed], KEY=tenant.secret, URL=server.url))
        if answer["object"] in ("account", "payment_intent", "transfer"):
            made[f"{answer['id'].partition('_')[0]}_..."] = answer["id"]
        if answer["object"] == "setup_intent":
            made["pm_..."] = answer["payment_method"]
        if answer["object"] == "ledger_account":
            made[f"lacc_{answer['code'].upper()}"] = answer["id"]


@pytest.mark.usefixtures("signing_package")
@pytest.mark.parametrize("one", of("python"), ids=name)
def test_the_python_programs_run(one: Block, server: RunningServer) -> None:
    signing = make_signing_key(server)
    key = signing.key if "fpss_..." in one.text else make_tenant(server.database_url).secret
    source = one.text.replace(ADDRESS, server.url)
    source = source.replace("sk_test_...", key).replace("fpss_...", signing.secret)
    output = run([sys.executable, "-c", source])
    assert bool(output) == (CLASS_ONLY not in one.text)


# The contract of adapters: tests/unit/outbound/processors/test_contract.py compares it with what is sent.
_BODIES = [one for one in of("json") if one.page != "docs/PROCESSORS.md"]


@pytest.mark.parametrize("one", _BODIES, ids=name)
def test_the_bodies_are_taken(one: Block, server: RunningServer, tenant: Tenant) -> None:
    with open_client(server.url, tenant.secret) as client:
        text = one.text
        for code in sorted(set(re.findall(r"lacc_([A-Z]+)", text))):
            data = {"code": code, "currency": "usd", "normal_side": "debit"}
            made = client.post("/v1/ledger/accounts", data=data).raise_for_status().json()
            text = text.replace(f"lacc_{code}", made["id"])
        answer = client.post("/v1/ledger/batches", json=json.loads(text))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("one", of("fastpay/"), ids=name)
def test_the_drawn_folders_are_there(one: Block) -> None:
    drawn = re.findall(r"^  (\S+)", one.text, re.M)
    assert len(drawn) > 10
    assert [entry for entry in drawn if not (ROOT / "fastpay" / entry).exists()] == []


class Operator:
    """Types the commands of a block on an installation with a database of its own."""

    def __init__(self, database_url: str, folder: Path, environment: dict[str, str]) -> None:
        self.variables = {"URL": "", "KEY": make_tenant(database_url).secret}
        self.served: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._environment = clean_environment(
            FASTPAY_DATABASE_URL=database_url, FASTPAY_PORT="0", **environment
        )
        self._key_id = ""

    def type(self, words: list[str]) -> None:
        """Run one command; paths of the system become paths of the test's folder."""
        words = [re.sub(r"(?<==)/\S+|^/\S+", lambda path: self._own(path[0]), word) for word in words]
        words = [self._key_id if word == "KEY_ID" else word for word in words]
        words = [self.variables.get(word.removeprefix("$"), word) for word in words]
        if words[0] == "export":
            variable, _, value = words[1].partition("=")
            self._environment[variable] = value
            return
        assert words[0] == "fastpay", words
        if words[1] == "serve":
            self._serve([sys.executable, "-m", *words])
            return
        if words[1] == "bench":
            words += ["--seconds", "0.5"]
        given = ""
        if "<" in words:
            # A file with a secret, and that of webhooks.
            words, given = words[: words.index("<")], "sk_live_example\nwhsec_ZXhhbXBsZQ==\n"
        ran = run_forked(tuple(words[1:]), self._environment, timeout_s=PATIENCE_SECONDS, given=given)
        assert ran.returncode == 0, f"{words}\n{ran.stdout}{ran.stderr}"
        if words[1:3] == ["keys", "list"]:
            self._key_id = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", ran.stdout)[0]

    def _own(self, path: str) -> str:
        return str(self._folder / Path(path).name)

    def _serve(self, command: list[str]) -> None:
        self.served.append(subprocess.Popen(command, env=self._environment))
        ready_file = Path(command[command.index("--ready-file") + 1])
        assert children.wait_until(ready_file.exists, timeout_ms=PATIENCE_SECONDS * 1_000)
        self.variables["URL"] = json.loads(ready_file.read_bytes())["url"]


@pytest.fixture
def operator(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[[bool], Operator]]:
    """A function that returns an operator, whose sealing keys are there or are still to be made."""
    made: list[Operator] = []

    def make(sealed: bool) -> Operator:
        environment = {"FASTPAY_REDIS_URL": redis_url, "PYTHONPATH": os.fspath(ROOT)}
        operator = Operator(database_url, tmp_path, environment)
        made.append(operator)
        if sealed:
            operator.type(["export", "FASTPAY_SEALING_KEY_FILE=/sealing.keys"])
            operator.type(["fastpay", "sealing", "add"])
        return operator

    yield make
    for process in (process for one in made for process in one.served):
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("one", of("fastpay"), ids=name)
def test_the_commands_of_an_operator_run(one: Block, operator: Callable[[bool], Operator]) -> None:
    typing = operator("export" not in one.text)
    for words in one.commands():
        typing.type(words)
