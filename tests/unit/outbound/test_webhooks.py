"""fastpay/outbound/webhooks.py: deliveries to receivers that do anything, at addresses of any kind."""

import base64
import socket
import ssl
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import pytest
import standardwebhooks
import stripe

from fastpay import limits
from fastpay._native.sampling import Sampler
from fastpay.clock import SystemClock
from fastpay.observability import traces
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings
from tests.support.doors import Certificate
from tests.unit.outbound.receivers import (
    BODY,
    LOCAL,
    OLD,
    SECRET,
    deliver,
    delivery,
    receiving,
    resolving,
    target,
)


async def test_a_delivery_is_one_signed_post_with_the_event_as_it_is() -> None:
    async with receiving() as receiver:
        outcome = await deliver(f"{receiver.url}/hook%2F?x=%7e")
    assert (outcome.status, outcome.is_delivered, outcome.excerpt) == (200, True, "ok")
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /hook%2F?x=%7e HTTP/1.1"
    assert body == BODY
    found = receiver.headers()
    assert found["content-type"] == "application/json; charset=utf-8"
    assert found["fastpay-sequence"] == "7"
    assert found["fastpay-previous-sequence"] == "5"
    assert found["webhook-id"] == "evt_1"


@pytest.mark.parametrize("secret", [SECRET, OLD])
async def test_both_clients_accept_both_secrets_of_a_rotation(secret: str) -> None:
    async with receiving() as receiver:
        await deliver(target(f"{receiver.url}/", secrets=(SECRET, OLD)))
    found, text = receiver.headers(), BODY.decode()
    assert stripe.Webhook.construct_event(text, found["stripe-signature"], secret).id == "evt_1"
    assert standardwebhooks.Webhook(secret).verify(text, found) == {"id": "evt_1", "object": "event"}
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(other).verify(text, found)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(text, found["stripe-signature"], other)


async def test_headers_of_the_endpoint_are_sent_as_well() -> None:
    async with receiving() as receiver:
        await deliver(target(f"{receiver.url}/", headers=(("Authorization", "Bearer a"),)))
    assert receiver.headers()["authorization"] == "Bearer a"


async def test_a_delivery_that_is_drawn_carries_its_trace_and_leaves_a_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler = Sampler(1.0, b"8 bytes!", follows_callers=True, per_second_max=100)
    tracer = traces.Tracer(sampler, SystemClock())
    async with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/s3cret"
        await deliver(url)
        assert "traceparent" not in receiver.headers()
        monkeypatch.setattr(traces, "_tracer", tracer)
        await deliver(target(url, headers=(("Traceparent", "mine"),)))
        (span,) = tracer.drain()
        assert receiver.headers()["traceparent"] == span.trace.to_headers()[0]
    assert (span.name, span.about.kind, span.attributes["http.response.status_code"]) == (
        "POST",
        "client",
        200,
    )
    # What the metrics have counted is an exemplar of the span.
    ((series, duration_ns, ended_ns),) = span.measured
    assert (series, ended_ns <= span.ended_ns) == (("POST", "2xx"), True)
    assert 0 < duration_ns <= ended_ns - span.trace.begun_ns + 1_000_000
    # The path of an endpoint may be a secret.
    assert span.attributes["url.full"] == f"http://127.0.0.1:{receiver.port}/REDACTED"


async def test_a_delivery_is_in_the_trace_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Sampler(0.0, b"8 bytes!", follows_callers=True, per_second_max=100)
    tracer, found = traces.Tracer(sampler, SystemClock()), []
    monkeypatch.setattr(traces, "_tracer", tracer)
    tracer.remember("req_1", traces.Trace(7, 8, 9, "a=b", 0))
    async with receiving() as receiver:
        deliverer, one = WebhookDeliverer(LOCAL, clock=SystemClock()), delivery(target(f"{receiver.url}/"))
        for cause in (None, "req_1", "req_2"):
            await deliverer.deliver(one._replace(request_id=cause))
            found.append(receiver.headers().get("traceparent"))
        await deliverer.close()
    (span,) = tracer.drain()
    assert (span.trace.trace_id, span.trace.parent_id) == (7, 8)
    assert found == [None, span.trace.to_headers()[0], None]


async def test_a_delivery_that_fails_has_a_span_unless_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler = Sampler(1.0, b"8 bytes!", follows_callers=True, per_second_max=100)
    tracer = traces.Tracer(sampler, SystemClock())
    monkeypatch.setattr(traces, "_tracer", tracer)
    await deliver("http://127.0.0.1:1/")
    await deliver("not a URL")
    (span,) = tracer.drain()
    assert (span.error, span.measured[0][0]) == ("no_answer", ("POST", "not_connected"))


async def test_connections_are_kept_for_the_next_delivery() -> None:
    async with receiving() as receiver:
        await deliver(f"{receiver.url}/", times=5)
    assert (len(receiver.requests), receiver.connections) == (5, 1)


@pytest.mark.parametrize(
    ("answer", "status", "is_delivered"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
        (b"HTTP/1.1 299 Fine\r\nContent-Length: 0\r\n\r\n", 299, True),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410, False),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", 500, False),
        (b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 307, False),
    ],
)
async def test_only_the_status_says_whether_it_is_delivered(
    answer: bytes, status: int, *, is_delivered: bool
) -> None:
    async with receiving(answer) as receiver:
        outcome = await deliver(f"{receiver.url}/")
    assert (outcome.status, outcome.is_delivered) == (status, is_delivered)
    assert len(receiver.requests) == 1


async def test_a_giant_answer_is_not_read_and_counts_by_its_status() -> None:
    giant = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"\xe2\x82\xac" * 3_000_000
    async with receiving(giant) as receiver:
        outcome = await deliver(f"{receiver.url}/")
    assert outcome.is_delivered
    assert outcome.excerpt == "€" * (limits.webhook_excerpt_bytes_max // 3)


async def test_an_excerpt_has_nothing_that_a_database_or_a_terminal_does_not_take() -> None:
    async with receiving(b"HTTP/1.1 500 No\r\nContent-Length: 8\r\n\r\na\0b\x1b[1\xff\n") as receiver:
        outcome = await deliver(f"{receiver.url}/")
    assert outcome.excerpt == "a\ufffdb\ufffd[1\ufffd\n"


@pytest.mark.parametrize(
    ("answer", "closes", "failure"),
    [
        (b"", False, "timed_out"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n..", False, "timed_out"),
        (b"", True, "cut_off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n..", True, "cut_off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", True, "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n", True, "malformed"),
    ],
)
async def test_a_receiver_that_does_not_answer_whole_has_not_got_it(
    answer: bytes, *, closes: bool, failure: str
) -> None:
    async with receiving(answer, closes=closes) as receiver:
        outcome = await deliver(f"{receiver.url}/", timeout_ms=300)
    assert outcome.failure == failure
    assert len(receiver.requests) == 1
    assert outcome.excerpt


async def test_a_receiver_that_is_not_there_is_not_connected() -> None:
    async with receiving() as receiver:
        pass
    assert (await deliver(f"{receiver.url}/")).failure == "not_connected"


async def test_a_host_without_an_address_is_not_resolved() -> None:
    async def resolve(host: str, port: int) -> Sequence[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    assert (await deliver("http://nobody.example/", resolve=resolve)).failure == "not_resolved"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", 0),
        ("120", 120),
        ("99999999999999999999", limits.webhook_retry_after_s_max),
        (formatdate(0, usegmt=True), 0),
        (formatdate(2**33, usegmt=True), limits.webhook_retry_after_s_max),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_a_receiver_may_ask_for_time(header: str, expected: int | None) -> None:
    answer = f"HTTP/1.1 429 Slow\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n".encode()
    async with receiving(answer) as receiver:
        assert (await deliver(f"{receiver.url}/")).retry_after_s == expected


async def test_only_a_certificate_that_is_trusted_and_has_the_name_is_accepted(
    certificate: Certificate,
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate.cert, certificate.key)
    trusting = ssl.create_default_context(cafile=str(certificate.cert))
    local = resolving("127.0.0.1")
    async with receiving(tls=serving) as receiver:
        url = f"https://localhost:{receiver.port}/"
        assert (await deliver(url, tls=trusting, resolve=local)).is_delivered
        live = target(url, livemode=True)
        assert (await deliver(live, tls=trusting, resolve=local)).is_delivered
        assert (await deliver(url, resolve=local)).failure == "tls_failed"
        other = f"https://other.example:{receiver.port}/"
        assert (await deliver(other, tls=trusting, resolve=local)).failure == "tls_failed"
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "localhost",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "127.1",
    ],
)
async def test_nothing_is_sent_to_this_host_however_it_is_spelled(host: str) -> None:
    async with receiving() as receiver:
        outcome = await deliver(f"http://{host}:{receiver.port}/", WebhookSettings())
    # A spelling that the resolver does not know has no address.
    assert outcome.failure == "address_refused" or (host[0].isdigit() and outcome.failure == "not_resolved")
    assert receiver.connections == 0


async def test_a_name_that_changes_between_two_looks_leads_nowhere() -> None:
    inside = WebhookSettings(allowed_networks=("127.0.0.2",))
    async with receiving() as receiver:
        url = f"http://rebinding.example:{receiver.port}/"
        # At each look another address: the one that is checked is the one that is connected to.
        for addresses in (("127.0.0.2", "127.0.0.1"), ("127.0.0.2 127.0.0.1",), ("127.0.0.1 127.0.0.2",)):
            resolve = resolving(*addresses)
            first = await deliver(url, inside, resolve=resolve)
            second = await deliver(url, inside, resolve=resolve)
            assert first.failure in {"not_connected", "address_refused"}
            assert second.failure == "address_refused"
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://a:b@127.0.0.1/",
        "ftp://127.0.0.1/",
        "http:///",
        "http://[::1/",
        "//127.0.0.1/",
        "http://a:99999/",
    ],
)
async def test_a_url_that_is_none_of_a_receiver_is_refused(url: str) -> None:
    assert (await deliver(url)).failure == "address_refused"


async def test_live_events_go_without_tls_to_allowed_networks_only() -> None:
    async with receiving() as receiver:
        live = target(f"{receiver.url}/", livemode=True)
        assert (await deliver(live, WebhookSettings())).failure == "address_refused"
        other = WebhookSettings(allowed_networks=("10.0.0.0/8",))
        assert (await deliver(live, other)).failure == "address_refused"
        assert receiver.connections == 0
        assert (await deliver(live)).is_delivered
    public = target("http://receiver.example/", livemode=True)
    assert (await deliver(public, other, resolve=resolving("8.8.8.8"))).failure == "address_refused"


async def test_a_proxy_is_told_the_name_and_decides_about_addresses() -> None:
    async with receiving() as proxy:
        through = WebhookSettings(proxy=f"http://127.0.0.1:{proxy.port}")
        assert (await deliver("http://receiver.example/hook", through)).is_delivered
        assert proxy.requests[0].startswith(b"POST http://receiver.example/hook HTTP/1.1\r\n")
        for host in ("127.0.0.1", "169.254.169.254", "0x7f.1", "localhost"):
            assert (await deliver(f"http://{host}/", through)).failure == "address_refused"
        live = target("http://receiver.example/", livemode=True)
        assert (await deliver(live, through)).failure == "address_refused"
    assert len(proxy.requests) == 1


async def test_a_proxy_that_refuses_is_no_connection() -> None:
    async with receiving(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        through = WebhookSettings(proxy=f"http://127.0.0.1:{proxy.port}")
        outcome = await deliver("https://receiver.example/hook", through)
    assert outcome.failure == "not_connected"
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:443 HTTP/1.1\r\n")


async def test_a_changed_endpoint_is_delivered_to_as_it_is_now() -> None:
    deliverer = WebhookDeliverer(LOCAL, clock=SystemClock())
    async with receiving() as receiver:
        for path, secret in (("/old", OLD), ("/new", SECRET)):
            to = target(f"{receiver.url}{path}", secrets=(secret,))
            assert (await deliverer.deliver(delivery(to))).is_delivered
            assert receiver.requests[-1].startswith(b"POST " + path.encode())
            stripe.Webhook.construct_event(BODY.decode(), receiver.headers()["stripe-signature"], secret)
    await deliverer.close()


def test_nothing_that_is_shown_of_a_target_is_secret() -> None:
    shown = repr(target("https://a.example/", headers=(("Authorization", "Bearer hidden"),)))
    assert SECRET not in shown
    assert "hidden" not in shown
