"""The load that benchmarks make: it asks for what it should, as often as it should, and hides no failure."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load.mix import ONLY_READS, Mix, Shares
from benchmarks.load.open_loop import Phase
from benchmarks.load.several import Load, run_several
from benchmarks.load.users import Users
from fastpay._native import signature
from fastpay._native.signature import Signer

_PAYMENTS = {f"sk_test_{number}": [f"pi_{number}a", f"pi_{number}b"] for number in range(5)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    status = 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def _serving(status: int) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.status = status
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_shares_and_popularity_are_as_asked() -> None:
    mix = Mix(_PAYMENTS, Shares(payments=0.15, refunds=0.05, skew=1.0), seed=1)
    requests = [mix.next() for _ in range(20_000)]
    paths = Counter(
        request.split(b" ", 2)[1].split(b"/pi_")[0] for request in requests if request[:4] == b"POST"
    )
    assert paths[b"/v1/payment_intents"] / len(requests) == pytest.approx(0.15, abs=0.01)
    assert paths[b"/v1/refunds"] / len(requests) == pytest.approx(0.05, abs=0.01)
    keys = Counter(request.partition(b"Bearer ")[2].split(b"\r\n")[0] for request in requests)
    assert keys[b"sk_test_0"] / keys[b"sk_test_4"] == pytest.approx(5, rel=0.15)


def test_no_idempotency_key_comes_twice() -> None:
    mixes = [Mix(_PAYMENTS, Shares(payments=0.5, refunds=0.5), seed=1) for _ in range(2)]
    keys = [
        mix.next().partition(b"Idempotency-Key: ")[2].split(b"\r\n")[0] for mix in mixes for _ in range(500)
    ]
    assert len(set(keys)) == 1_000


def test_a_refund_is_of_a_payment_of_the_same_merchant() -> None:
    mix = Mix(_PAYMENTS, Shares(payments=0, refunds=1), seed=1)
    for _ in range(100):
        head, _, body = mix.next().decode().partition("\r\n\r\n")
        number = head.partition("sk_test_")[2][0]
        assert body in {f"payment_intent=pi_{number}{letter}&amount=1" for letter in "ab"}
        assert f"Content-Length: {len(body)}\r\n" in head


@pytest.mark.parametrize("status", [200, 500])
def test_users_ask_as_often_as_they_should(status: int) -> None:
    with _serving(status) as port:
        users = Users(port, _PAYMENTS, ONLY_READS)
        try:
            assert users.open(7) == 7
            for _ in range(2):
                asked = users.ask(200, 0.25)
                answered = len(asked.latencies)
                assert (answered, asked.failures) == ((50, {}) if status == 200 else (0, {"500": 50}))
                assert asked.unanswered == 0
        finally:
            users.close()


def test_users_whom_nobody_answers_are_counted() -> None:
    users = Users(1, _PAYMENTS, ONLY_READS)
    try:
        assert users.open(30) == 0
    finally:
        users.close()


def test_requests_of_a_key_that_signs_are_signed() -> None:
    mix = Mix(_PAYMENTS, Shares(payments=0.4, refunds=0.3), seed=1, signing={"sk_test_0": "a secret"})
    signed = set()
    for _ in range(200):
        head, _, body = mix.next().partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].split(b" ")
        header = head.partition(b"Fastpay-Signature: ")[2].split(b"\r\n")[0]
        assert bool(header) == (b"sk_test_0" in head)
        if header:
            now = int(header.partition(b"t=")[2].split(b",")[0])
            signers = (Signer(b"a secret"),)
            name = head.partition(b"Idempotency-Key: ")[2].split(b"\r\n")[0]
            assert signature.verify_request(signers, header, method.decode(), path, body, now, name) == now
            signed.add((method, path.split(b"/pi_")[0]))
    assert len(signed) == 3


@pytest.mark.parametrize(("status", "kind"), [(200, "read"), (503, "refused"), (404, "failed")])
def test_several_processes_share_the_rate_of_each_phase(status: int, kind: str) -> None:
    with _serving(status) as port:
        load = Load(
            port=port,
            phases=(Phase(100, 0.2), Phase(400, 0.1)),
            shares=ONLY_READS,
            payments=_PAYMENTS,
            connections=4,
            tolerant=True,
        )
        found = run_several(load, 2)
    assert set(found) == {kind}
    due = found[kind].due
    assert len(due) == 60
    assert sum(moment >= 0.2 for moment in due) == 40
    assert all(latency > 0 for latency in found[kind].latencies)


def test_a_load_that_tolerates_nothing_ends_with_what_went_wrong() -> None:
    with _serving(503) as port:
        load = Load(port=port, phases=(Phase(100, 0.1),), shares=ONLY_READS, payments=_PAYMENTS)
        with pytest.raises(SystemExit, match="not a good answer"):
            run_several(load, 2)
