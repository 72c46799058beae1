"""The benchmarks still run: the small ones once each, and the peers do what they are compared by."""

import ast
import itertools
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import samples, stages
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.options import numbered
from benchmarks.load.proxy import Conversation, Counts
from fastpay.api.answers import encode
from fastpay.api.app import RESOURCES

ROOT = Path(__file__).parents[2]
MICRO = (
    "asking",
    "deciding",
    "form_decoding",
    "native_steps",
    "rendering",
    "signatures",
    "transport_steps",
    "writing",
)
# Compiled modules that Python does not call: they run in every request that goes through a connection.
_INSIDE_A_CONNECTION = {
    "acceptor",
    "awaitables",
    "exchange",
    "fields",
    "frame_counter",
    "hpack",
    "http2_budget",
    "http2_codec",
    "http2_connection",
    "http2_control",
    "http2_exchange",
    "http2_guard",
    "http2_request",
    "http2_sending",
    "http2_streams",
    "link",
    "peers",
    "poller",
    "reading",
    "ordinary_headers",
    "shortcut",
    "tls",
}
_NOT_INSTALLED = "the peers are not installed (make test does it)"
_FORM = "application/x-www-form-urlencoded"
_REQUEST = b"GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_each_micro_benchmark_runs_once() -> None:
    files = [f"benchmarks/{name}.py" for name in MICRO]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-disable", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_comparison_ends_well_though_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    planned = subprocess.run(
        ["make", "-n", "bench-compare"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = planned.stdout.replace("\\\n", " ").splitlines()
    (line,) = (line for line in lines if "--benchmark-autosave" in line)
    words = [word for word in shlex.split(line)[3:] if not word.startswith("benchmarks/")]
    quick = ["--benchmark-max-time=0.01", "--benchmark-min-rounds=1", f"--benchmark-storage={tmp_path}"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "benchmarks/deciding.py",
        *words,
        *quick,
    ]
    # Below pytest-xdist nothing would be measured.
    environment = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.rglob("*.json"))) == 2
    assert "(NOW)" in done.stdout


def test_every_compiled_module_has_a_micro_benchmark() -> None:
    modules = {path.stem for path in (ROOT / "fastpay" / "_native").glob("*.pyx")}
    assert modules >= _INSIDE_A_CONNECTION
    files = [ROOT / "benchmarks" / f"{name}.py" for name in (*MICRO, "hot_paths")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    imported = {
        name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    }
    # `api/card_numbers.py`, `api/decoding.py`, `api/layout.py`, `domain/plan.py` and what exports spans are
    # thin about theirs.
    behind = {
        "card_finder": "fastpay.api.card_numbers",
        "form_params": "fastpay.api.decoding.decode_params",
        "moving": "fastpay.domain.plan.Draft",
        "rendering": "fastpay.api.app.RESOURCES",
        "spans": "benchmarks.exporting.Exporting",
    }
    for module in modules - _INSIDE_A_CONNECTION:
        assert {f"fastpay._native.{module}", behind.get(module)} & imported, module


def test_the_peers_answer_with_the_fields_of_ours() -> None:
    params = pytest.importorskip("benchmarks.peers.params", reason=_NOT_INSTALLED)
    payment = pytest.importorskip("benchmarks.peers.payment", reason=_NOT_INSTALLED)
    tenant = payment.Tenant(payment.new_id(), False, 290, 30)
    made = payment.pay(tenant, params.parse(params.CreatePaymentIntent, _FORM, samples.BODY))
    theirs, ours = json.loads(made.answer), json.loads(encode(RESOURCES.render(samples.new_intent(), False)))
    assert list(theirs) == list(ours)
    assert len(theirs) == 44
    for own in ("id", "client_secret", "created", "latest_charge", "payment_method"):
        del theirs[own], ours[own]
    assert theirs == ours


def test_the_peers_move_the_money_that_we_move() -> None:
    params = pytest.importorskip("benchmarks.peers.params", reason=_NOT_INSTALLED)
    payment = pytest.importorskip("benchmarks.peers.payment", reason=_NOT_INSTALLED)
    tenant = payment.Tenant(payment.new_id(), False, 290, 30)
    made = payment.pay(tenant, params.parse(params.CreatePaymentIntent, _FORM, samples.BODY))
    draft = samples.decide(samples.new_workspace(), samples.new_command())
    ours = {
        (account.code, account.normal_side, account.debits_posted, account.credits_posted)
        for account in draft.accounts.values()
    }
    assert {tuple(moved[1:]) for moved in made.moved()} == ours


def test_statements_are_counted_however_the_bytes_arrive() -> None:
    startup = (8).to_bytes(4, "big") + b"\x00\x03\x00\x00"
    messages = [b"P" + _body(b"select 1"), b"B" + _body(b""), b"E" + _body(b"E"), b"S" + _body(b"")]
    query = b"Q" + _body(b"commit\0")
    spoken = startup + b"".join(messages) + query
    for size in (1, 3, len(spoken)):
        counts = Counts()
        conversation = Conversation(counts)
        for start in range(0, len(spoken), size):
            conversation.client_said(spoken[start : start + size])
        assert (counts.statements, counts.round_trips) == (2, 1)
        conversation.server_said(b"Z")
        conversation.client_said(query)
        assert (counts.statements, counts.round_trips) == (3, 2)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_the_open_loop_asks_as_often_as_it_should(version: str) -> None:
    """The server closes each connection after its answer, or keeps it."""
    with _server(version, 200) as server:
        found = run_open_loop(
            server.server_port, itertools.repeat(_REQUEST), rate=500, connections=2, seconds=0.1
        )
    assert found.requests == 50
    assert server.answered == 50
    assert found.p50_ms <= found.p99_ms <= found.max_ms


def test_the_open_loop_ends_on_an_answer_that_is_no_success() -> None:
    with _server("HTTP/1.1", 500) as server, pytest.raises(SystemExit, match="not a good answer"):
        run_open_loop(server.server_port, itertools.repeat(_REQUEST), rate=500, connections=2, seconds=0.1)


def test_each_server_gets_a_redis_database_of_its_own() -> None:
    assert numbered("redis://localhost:6379/", 2) == "redis://localhost:6379/2"
    assert numbered("unix:///run/redis.sock", 1) == "unix:///run/redis.sock?db=1"


class _Server(ThreadingHTTPServer):
    """Counts its answers."""

    daemon_threads = True
    answered = 0


@contextmanager
def _server(version: str, status: int) -> Iterator[_Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            if self.path == "/one":
                server.answered += 1
            self.send_response(status)
            self.send_header("Content-Length", "2")
            if version == "HTTP/1.0":
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _body(content: bytes) -> bytes:
    return (len(content) + 4).to_bytes(4, "big") + content


@pytest.mark.parametrize("step", stages.STEPS, ids=lambda step: step.name)
def test_every_step_of_a_payment_that_is_timed_is_in_the_code(step: stages.Step) -> None:
    assert callable(getattr(step.owner, step.attribute))


def test_a_payment_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, list[tuple[str, float | None, float | None]]] = {}
    monkeypatch.setattr(stages, "write_results", lambda _, results: written.update(results))
    done = CliRunner().invoke(stages.main, ["--seconds", "0.5", "--connections", "4"])
    assert done.exit_code == 0, done.output
    found = {name: work or wait for name, work, wait in written["connections_4"]}
    for step in ("execute: decide", "encode the columns", "payments a transaction", "this process in all"):
        assert found[step], step
