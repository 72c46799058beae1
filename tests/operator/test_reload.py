"""SIGHUP gives new connections another certificate, and disturbs nobody."""

import shutil
import signal
import ssl
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path

import httpx
import pytest

from fastpay.operations.embedded import children
from tests.support.doors import H2, Certificate, make_certificate
from tests.support.servers import RunningServer, SpawnServer


@pytest.fixture
def renewed(tmp_path: Path) -> Certificate:
    """The certificate that comes after the one that is served."""
    return make_certificate(tmp_path, "renewed")


@pytest.fixture
def served(tmp_path: Path) -> Certificate:
    """The certificate at the place that the server reads."""
    return make_certificate(tmp_path, "served")


@pytest.fixture
def server(spawn_server: SpawnServer, database_url: str, served: Certificate) -> RunningServer:
    environment = {"FASTPAY_DATABASE_URL": database_url}
    files = ("--tls-cert", str(served.cert), "--tls-key", str(served.key))
    return spawn_server(*files, environment=environment)


@pytest.fixture
def old_connection(server: RunningServer, served: Certificate) -> Iterator[HTTPSConnection]:
    """A connection over HTTP/1.1, made before the reload."""
    context = ssl.create_default_context(cafile=served.cert)
    with closing(HTTPSConnection("127.0.0.1", port_of(server), timeout=30, context=context)) as connection:
        connection.auto_open = 0
        connection.connect()
        yield connection


def port_of(server: RunningServer) -> int:
    return int(server.url.rpartition(":")[2])


def shown_by(server: RunningServer) -> str:
    """Return the certificate that a new connection sees."""
    return ssl.get_server_certificate(("127.0.0.1", port_of(server)), timeout=30)


def is_alive(connection: HTTPSConnection) -> bool:
    """Ask on a connection that does not connect again by itself."""
    connection.request("GET", "/healthz")
    return connection.getresponse().read() == b'{"status":"ok"}'


def hang_up(server: RunningServer, event: str) -> None:
    """Send SIGHUP and wait for what the log says about it."""
    server.process.send_signal(signal.SIGHUP)
    assert children.wait_until(lambda: event in server.output, timeout_ms=30_000), server.output


def test_a_new_certificate_is_for_new_connections(
    server: RunningServer, served: Certificate, renewed: Certificate, old_connection: HTTPSConnection
) -> None:
    old = served.cert.read_text(encoding="ascii")
    new = renewed.cert.read_text(encoding="ascii")
    assert shown_by(server) == old
    before = Certificate(served.cert.with_suffix(".old"), served.key)
    shutil.copyfile(served.cert, before.cert)
    with H2.open(server.url, before) as streams:
        assert streams.get("/healthz").status_code == 200
        shutil.copyfile(renewed.cert, served.cert)
        shutil.copyfile(renewed.key, served.key)
        hang_up(server, "certificate_reloaded")
        assert shown_by(server) == new
        assert is_alive(old_connection)
        # This client trusts the old certificate alone: it still has its connection.
        assert streams.get("/healthz").status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate"), H2.open(server.url, before) as stranger:
        stranger.get("/healthz")
    with H2.open(server.url, renewed) as friend:
        assert friend.get("/healthz").http_version == "HTTP/2"


@pytest.mark.parametrize("fault", ["another key", "no file", "nonsense"])
def test_a_pair_that_cannot_be_used_changes_nothing_and_is_logged(
    server: RunningServer,
    served: Certificate,
    renewed: Certificate,
    old_connection: HTTPSConnection,
    fault: str,
) -> None:
    old, key = served.cert.read_text(encoding="ascii"), served.key.read_bytes()
    if fault == "another key":
        shutil.copyfile(renewed.key, served.key)
    elif fault == "no file":
        served.key.unlink()
    else:
        served.cert.write_bytes(b"nonsense")
    hang_up(server, "certificate_reload_failed")
    (line,) = (line for line in server.output.splitlines() if "certificate_reload_failed" in line)
    assert str(served.cert) in line
    assert "old certificate" in line
    assert "Traceback" not in server.output
    assert " certificate_reloaded" not in server.output
    assert shown_by(server) == old
    assert is_alive(old_connection)
    # And nothing of the failure stays: a good pair is taken after it.
    served.cert.write_text(renewed.cert.read_text(encoding="ascii"), encoding="ascii")
    shutil.copyfile(renewed.key, served.key)
    assert served.key.read_bytes() != key
    hang_up(server, "certificate_reloaded")
    assert shown_by(server) == renewed.cert.read_text(encoding="ascii")
