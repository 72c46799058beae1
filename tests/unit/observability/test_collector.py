"""fastpay/observability/collector.py, against sockets that answer as they are told."""

import gzip
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from fastpay import limits
from fastpay.errors import ConfigurationError
from fastpay.observability.collector import Collector, CollectorSettings, SendFailed, read_settings
from tests.support.servers import PATIENCE_SECONDS

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class _Peer:
    """Answers the requests of each connection in turn; a connection ends with its answers."""

    def __init__(self, listener: socket.socket, connections: Sequence[Sequence[bytes]]) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
        self.requests: list[tuple[bytes, bytes]] = []
        self._listener = listener
        self._connections = connections

    def run(self) -> None:
        for answers in self._connections:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as reader:
                for answer in answers:
                    head = b"".join(iter(reader.readline, b"\r\n"))
                    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                    self.requests.append((head, reader.read(size)))
                    connection.sendall(answer)


@contextmanager
def answering(*connections: Sequence[bytes]) -> Iterator[_Peer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        peer = _Peer(listener, connections)
        thread = threading.Thread(target=peer.run, daemon=True)
        thread.start()
        yield peer
        thread.join(PATIENCE_SECONDS)


@contextmanager
def collector_at(
    url: str, *, timeout_s: float = PATIENCE_SECONDS, is_compressed: bool = False
) -> Iterator[Collector]:
    collector = Collector(CollectorSettings(url, {"x-key": "s"}, timeout_s, is_compressed))
    yield collector
    collector.close()


def test_requests_share_one_connection() -> None:
    with answering([_OK, _OK, _OK]) as peer, collector_at(peer.url) as collector:
        assert [collector.send(body) for body in (b"one", b"", b"three")] == [b"ok"] * 3
    assert [body for _, body in peer.requests] == [b"one", b"", b"three"]
    head = peer.requests[0][0]
    assert head.startswith(b"POST /v1/traces HTTP/1.1\r\n")
    for line in (b"content-type: application/x-protobuf", b"x-key: s", b"host: 127.0.0.1:"):
        assert b"\r\n" + line in head


def test_a_connection_that_the_collector_has_closed_is_opened_again() -> None:
    with answering([_OK], [_OK]) as peer, collector_at(peer.url) as collector:
        assert (collector.send(b"a"), collector.send(b"b")) == (b"ok", b"ok")
    assert [body for _, body in peer.requests] == [b"a", b"b"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_an_answer_of_unknown_length_ends_the_connection_and_counts(answer: bytes) -> None:
    with answering([answer], [_OK]) as peer, collector_at(peer.url) as collector:
        collector.send(b"a")
        assert collector.send(b"b") == b"ok"


def test_an_interim_answer_is_none() -> None:
    with answering([b"HTTP/1.1 100 Continue\r\n\r\n" + _OK]) as peer, collector_at(peer.url) as to:
        assert to.send(b"a") == b"ok"


@pytest.mark.parametrize(
    ("answer", "is_retryable", "after_s"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n", True, 7),
        (b"HTTP/1.1 429 No\r\nRetry-After: 999999999\r\n\r\n", True, limits.trace_retry_ms_max // 1000),
        (b"HTTP/1.1 429 No\r\nRetry-After: Sun, 29 Nov 2026 12:00:00 GMT\r\n\r\n", True, 0),
        (b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", False, 0),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n", False, 0),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False, 0),
        (b"HTTP/1.1 abc\r\n\r\n", False, 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", True, 0),
        (b"", True, 0),
    ],
)
def test_what_failed_says_whether_it_is_worth_another_attempt(
    answer: bytes, is_retryable: bool, after_s: int
) -> None:
    with answering([answer]) as peer, collector_at(peer.url) as to, pytest.raises(SendFailed) as caught:
        to.send(b"a")
    assert (caught.value.is_retryable, caught.value.retry_after_s) == (is_retryable, after_s)


def test_nobody_there_is_worth_another_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with collector_at(url) as to, pytest.raises(SendFailed, match="refused") as caught:
        to.send(b"a")
    assert caught.value.is_retryable


def test_a_collector_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with collector_at(url, timeout_s=0.05) as to, pytest.raises(SendFailed) as caught:
            to.send(b"a")
    assert caught.value.is_retryable


def test_an_endless_head_is_given_up() -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000
    with answering([endless]) as peer, collector_at(peer.url) as to, pytest.raises(SendFailed):
        to.send(b"a")


def test_a_body_is_compressed_if_that_is_asked_for() -> None:
    with answering([_OK]) as peer, collector_at(peer.url, is_compressed=True) as to:
        to.send(b"a" * 999)
    head, body = peer.requests[0]
    assert b"\r\ncontent-encoding: gzip\r\n" in head
    assert gzip.decompress(body) == b"a" * 999


def test_the_standard_variables_say_where_the_collector_is() -> None:
    assert read_settings({}).url == "http://localhost:4318/v1/traces"
    assert read_settings({_ENDPOINT: "https://c:4318/base/"}).url == "https://c:4318/base/v1/traces"
    found = read_settings(
        {
            _ENDPOINT: "http://other",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/own",
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20abc, x-tenant = 7",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        }
    )
    headers = {"authorization": "Basic abc", "x-tenant": "7"}
    assert found == CollectorSettings("http://c/own", headers, 3.0, True, "/ca.pem")


def test_a_certificate_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"/missing\.pem"):
        Collector(CollectorSettings("https://127.0.0.1", certificate="/missing.pem"))
