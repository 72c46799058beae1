"""The operator's listener of a running server."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from benchmarks.load.machine import execute
from fastpay import limits
from fastpay.operations.embedded import children
from fastpay.store.postgres import DatabaseSettings, connect
from fastpay.store.statement_times import LABELS as STATEMENT_LABELS
from fastpay.store.statement_times import STATEMENTS_NS
from tests.pages.blocks import ROOT
from tests.support.api import open_client
from tests.support.otlp_receiver import receiving
from tests.support.receiver import running_receiver
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer
from tests.support.tenants import make_tenant

_UNKNOWN_PATHS = 10_000
_A_CONNECTION = 500
_SCRAPES = 200
_CONNECTIONS = 1_024


def _get(url: str, accept: str = "*/*") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _samples(server: RunningServer) -> dict[str, float]:
    status, text = _get(f"{server.admin_url}/metrics")
    assert status == 200
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _ask_unknown_paths(server: RunningServer) -> None:
    where = urlsplit(server.url)
    assert where.hostname is not None
    for first in range(0, _UNKNOWN_PATHS, _A_CONNECTION):
        requests = b"".join(
            b"GET /unknown/%d HTTP/1.1\r\nhost: a\r\n%s\r\n"
            % (number, b"connection: close\r\n" if number == first + _A_CONNECTION - 1 else b"")
            for number in range(first, first + _A_CONNECTION)
        )
        with socket.create_connection((where.hostname, where.port)) as client, client.makefile("rb") as said:
            client.sendall(requests)
            assert said.read().count(b"HTTP/1.1 404") == _A_CONNECTION


def test_unknown_paths_are_one_series(plain_server: RunningServer) -> None:
    _get(f"{plain_server.url}/unknown")
    other = 'http_route="_OTHER",network_protocol_version="1.1",status_class="4xx"}'
    name = f'http_server_request_duration_seconds_count{{http_request_method="_OTHER",{other}'
    before = _samples(plain_server)
    _ask_unknown_paths(plain_server)
    after = _samples(plain_server)
    assert after[name] - before[name] >= _UNKNOWN_PATHS
    routes = [{key for key in one if key.startswith("http_server")} for one in (before, after)]
    assert routes[0] == routes[1]


def test_a_request_is_timed_by_its_route_template(plain_server: RunningServer) -> None:
    _get(f"{plain_server.url}/v1/charges/ch_doesnotexist")
    names = [name for name in _samples(plain_server) if name.startswith("http_server")]
    assert any('http_route="/v1/charges/{id}"' in name and 'status_class="4xx"' in name for name in names)
    assert not any("doesnotexist" in name for name in names)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: apt install prometheus")
def test_promtool_accepts_what_is_shown(plain_server: RunningServer) -> None:
    _, text = _get(f"{plain_server.admin_url}/metrics")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_openmetrics_is_shown_to_who_accepts_it(plain_server: RunningServer) -> None:
    _, text = _get(f"{plain_server.admin_url}/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("\n# EOF\n")
    assert "# TYPE fastpay_requests counter\n" in text


def test_the_public_port_has_no_metrics(plain_server: RunningServer) -> None:
    assert _get(f"{plain_server.url}/metrics")[0] == 404


def test_everything_is_answered_while_the_database_hangs(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    stopped = server.embedded_pids()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert children.wait_until(
            lambda: _get(f"{server.admin_url}/readyz")[0] == 503, timeout_ms=PATIENCE_SECONDS * 1000
        )
        shown = json.loads(_get(f"{server.admin_url}/readyz")[1])
        assert shown["dependencies"]["database"]["status"] == "lost"
        assert {"disk", "redis", "webhooks"} < shown["dependencies"].keys()
        samples = _samples(server)
        assert samples["fastpay_ready"] == 0
        assert samples['fastpay_dependency_up{dependency="database"}'] == 0
        assert _get(f"{server.admin_url}/healthz")[0] == 200
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_pools_and_the_disk_are_shown_as_readiness_knows_them(plain_server: RunningServer) -> None:
    shown = json.loads(_get(f"{plain_server.admin_url}/readyz")[1])
    assert {"reads", "scans", "keys"} <= shown["pools"].keys()
    samples = _samples(plain_server)
    for name, pool in shown["pools"].items():
        assert pool.keys() == {"connections_max", "open", "used", "waiting"}
        label = f'{{pool="{name}"}}'
        assert samples[f"fastpay_pool_connections_max{label}"] == pool["connections_max"]
        assert samples[f"fastpay_pool_waiting{label}"] == 0
    assert shown["dependencies"]["disk"]["free_bytes"] > 0
    assert samples['fastpay_dependency_free_bytes{dependency="disk"}'] > 0
    assert samples['fastpay_dependency_lost_seconds{dependency="database"}'] == 0


def test_statements_are_timed_by_name_and_those_that_fail_apart(plain_server: RunningServer) -> None:
    tenant = make_tenant(plain_server.database_url)
    name = 'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_query_summary="%s"%s}'
    batch, read = (name % (one, "") for one in ("batch", "read_latest"))
    before = _samples(plain_server)
    with open_client(plain_server.url, tenant.secret) as api:
        for _ in range(3):
            api.post("/v1/customers").raise_for_status()
        assert api.get("/v1/customers/cus_" + "0" * 32).status_code == 404
    after = _samples(plain_server)
    assert after[batch] - before.get(batch, 0) >= 3
    assert after[read] - before.get(read, 0) >= 1
    # A text of SQL is no label.
    named = [one for one in after if one.startswith("db_client")]
    assert all(re.search(r'db_query_summary="\w+"', one) for one in named)


async def test_a_statement_that_fails_is_counted_apart(database_url: str) -> None:
    failed = STATEMENT_LABELS.index(
        {"db_system_name": "postgresql", "db_query_summary": "_OTHER", "error_type": "_OTHER"}
    )
    counts = [sum(STATEMENTS_NS.read(series)[0]) for series in (failed - 1, failed)]
    connection = await connect(DatabaseSettings(url=database_url))
    try:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetch("select 1 / 0")
        assert await connection.fetchval("select 7") == 7
    finally:
        connection.terminate()
    # Another one sets up the session.
    assert [sum(STATEMENTS_NS.read(series)[0]) for series in (failed - 1, failed)] == [
        counts[0] + 2,
        counts[1] + 1,
    ]


def test_requests_to_webhook_endpoints_are_timed_by_what_came_of_them(
    spawn_server: SpawnServer, tmp_path: Path
) -> None:
    server = spawn_server(environment={"FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"})
    tenant = make_tenant(server.database_url)
    name = 'http_client_request_duration_seconds_count{http_request_method="POST",%s}'
    expected = {name % one for one in ('status_class="2xx"', 'status_class="5xx"', 'error_type="cut_off"')}
    with running_receiver(tmp_path) as receiver, open_client(server.url, tenant.secret) as api:
        receiver.behave(bad="500", reset="reset")
        for path in ("good", "bad", "reset"):
            url = f"{receiver.url}/{path}"
            made = api.post(
                "/v1/webhook_endpoints", data={"url": url, "enabled_events[]": "customer.created"}
            )
            made.raise_for_status()
        api.post("/v1/customers").raise_for_status()
        assert children.wait_until(
            lambda: expected <= _samples(server).keys(), timeout_ms=PATIENCE_SECONDS * 1000
        ), [one for one in _samples(server) if one.startswith("http_client")]
    assert not any(str(receiver.url) in one for one in _samples(server))


def test_a_scrape_sends_no_statement(spawn_server: SpawnServer) -> None:
    server = spawn_server()
    for statement in ("alter system set log_statement = 'all'", "select pg_reload_conf()"):
        execute(server.database_url, statement)
    log = server.data_dir / "postgresql.log"

    def statements() -> int:
        return len(re.findall(r"LOG:  (?:statement|execute)", log.read_text(encoding="utf-8")))

    # What the server does of itself is in the log by now.
    assert children.wait_until(lambda: statements() > 0, timeout_ms=PATIENCE_SECONDS * 1000)
    before = statements()
    for _ in range(_SCRAPES):
        _samples(server)
    # It looks after its database and its leases meanwhile, a few times a second.
    assert statements() - before < _SCRAPES


def test_no_scraper_is_refused_for_what_its_address_has_open(plain_server: RunningServer) -> None:
    where = urlsplit(plain_server.admin_url)
    address = (where.hostname or "", where.port or 0)
    with ExitStack() as held:
        # A proxy on this machine that keeps connections, more than the listener has.
        for _ in range(2 * limits.admin_connections_max):
            held.enter_context(socket.create_connection(address))
            assert _get(f"{plain_server.admin_url}/metrics")[0] == 200
    asked = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    for _ in range(_CONNECTIONS // limits.admin_connections_max):
        with ExitStack() as held:
            opened = [socket.create_connection(address) for _ in range(limits.admin_connections_max)]
            answers = [held.enter_context(client) for client in opened]
            for client in answers:
                client.sendall(asked)
            assert {_read(client)[:12] for client in answers} == {b"HTTP/1.1 200"}


def _read(client: socket.socket) -> bytes:
    with client.makefile("rb") as said:
        return said.read()


def test_a_port_that_is_in_use_is_named(spawn_server: SpawnServer, plain_server: RunningServer) -> None:
    taken = urlsplit(plain_server.admin_url).port
    server = spawn_server("--admin-port", str(taken), "--database-url", plain_server.database_url, wait=False)
    assert server.process.wait(PATIENCE_SECONDS) != 0
    assert f"cannot listen on 127.0.0.1:{taken}" in server.output
    assert "--admin-port" in server.output


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus: apt install prometheus")
def test_a_prometheus_scrapes_two_instances_their_exemplars_and_evaluates_all_rules(
    spawn_server: SpawnServer, tmp_path: Path
) -> None:
    with receiving() as receiver:
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        first = spawn_server("--admin-port", "0", environment=traced)
        second = spawn_server("--database-url", first.database_url, "--admin-port", "0", environment=traced)
        tenant = make_tenant(first.database_url)
        with open_client(second.url, tenant.secret) as api:
            hook = {"url": f"{receiver.endpoint}/hook", "enabled_events[]": "customer.created"}
            api.post("/v1/webhook_endpoints", data=hook).raise_for_status()
            api.post("/v1/customers").raise_for_status()
            api.get("/v1/charges/ch_doesnotexist")
        names = ("POST /v1/customers", "GET /v1/charges/{id}", "BATCH fastpay", "POST")
        receiver.wait_for(*names)
        targets = [urlsplit(one.admin_url).netloc for one in (first, second)]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [
                str(ROOT / "deploy/prometheus" / name) for name in ("alerts.yml", "recording.yml")
            ],
            "scrape_configs": [{"job_name": "fastpay", "static_configs": [{"targets": targets}]}],
        }
        with _prometheus(config, tmp_path) as api:
            ready = dict.fromkeys(targets, "1")
            _wait(lambda: _found(f"{api}/query?query=fastpay_ready") == ready, tmp_path)
            # Each histogram of durations that has spans names traces that the collector has.
            for name, spans in (
                ("http_server_request", {*names[:2], "POST /v1/webhook_endpoints"}),
                ("db_client_operation", {"BATCH fastpay"}),
                ("http_client_request", {"POST"}),
            ):
                series = f"{name}_duration_seconds_bucket"
                asked = f"{api}/query_exemplars?query={series}&start=0&end=9999999999"
                _wait(partial(_traces, asked), tmp_path)
                assert _traces(asked) <= {
                    span.trace_id.hex() for span in receiver.spans if span.name in spans
                }
            _wait(lambda: _health_of_rules(f"{api}/rules") == {"ok"}, tmp_path)


@contextmanager
def _prometheus(config: object, folder: Path) -> Iterator[str]:
    """Run a Prometheus, and give the URL of its API."""
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    arguments = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "data"}
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    flags += [f"--web.listen-address={address}", "--enable-feature=exemplar-storage"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        prometheus = subprocess.Popen(["prometheus", *flags], stderr=log, stdout=log)
    try:
        yield f"http://{address}/api/v1"
    finally:
        prometheus.kill()
        prometheus.wait()


def _wait(condition: Callable[[], object], folder: Path) -> None:
    is_met = children.wait_until(lambda: bool(condition()), timeout_ms=PATIENCE_SECONDS * 1000)
    assert is_met, (folder / "log").read_text(encoding="utf-8")


def _data(url: str) -> Any:
    try:
        return json.loads(_get(url)[1])["data"]
    except (OSError, ValueError, KeyError):
        return None


def _found(query: str) -> dict[str, str]:
    results = (_data(query) or {"result": []})["result"]
    return {one["metric"]["instance"]: one["value"][1] for one in results}


def _traces(query: str) -> set[str]:
    return {found["labels"]["trace_id"] for series in _data(query) or () for found in series["exemplars"]}


def _health_of_rules(url: str) -> set[str]:
    groups = (_data(url) or {"groups": []})["groups"]
    return {rule["health"] for group in groups for rule in group["rules"]}
