"""What operators see of processors: whether they work, and a payment's trace as far as the processor."""

import contextlib
from collections.abc import Callable
from typing import Any

from fastpay import limits
from fastpay.operations.embedded import children
from tests.processors.test_live_payments import Front, pay
from tests.support.api import ask
from tests.support.held_proxy import HeldProxy
from tests.support.otlp_receiver import OtlpReceiver, attributes_of, receiving
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer
from tests.support.upstreams import new_address

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _wait(condition: Callable[[], object], front: Front) -> None:
    assert children.wait_until(lambda: bool(condition()), timeout_ms=PATIENCE_SECONDS * 1000), (
        front.server.output
    )


def _state(front: Front) -> tuple[int, dict[str, Any], bool]:
    """Return the status of /readyz, and the dependency there and in the metrics."""
    ready = ask(f"{front.server.admin_url}/readyz")
    metrics = ask(f"{front.server.admin_url}/metrics").text
    is_up = 'fastpay_dependency_up{dependency="processors"} 1\n' in metrics
    return ready.status_code, ready.json()["dependencies"]["processors"], is_up


def test_a_processor_that_fails_is_a_lost_dependency_until_it_answers(
    spawn_server: SpawnServer, server: RunningServer
) -> None:
    proxy = HeldProxy(server.url)
    front = Front(spawn_server, new_address(server), proxy)
    with contextlib.closing(front.upstream), front.client() as http:
        assert _state(front) == (200, {"status": "ok"}, True)
        for number in range(limits.relay_circuit_failures):
            assert pay(http, f"order {number}").status_code == 402
        # Reads and test mode go on, so the instance is ready.
        status, state, is_up = _state(front)
        assert (status, state["status"], is_up) == (200, "lost", False)
        assert str(state["reason"]).startswith(f"acquirer at {proxy.url}: ")
        lost = f'dependency_lost dependency=processors reason="acquirer at {proxy.url}: '
        assert lost in front.server.output
        with proxy:
            # It is found again without a payment.
            _wait(lambda: _state(front) == (200, {"status": "ok"}, True), front)
            assert "dependency_recovered dependency=processors" in front.server.output
            assert front.charged() == []
            assert pay(http).json()["status"] == "succeeded"
    assert front.server.output.count("dependency_lost dependency=processors") == 1


def _spans(receiver: OtlpReceiver) -> list[Any]:
    """Return the payment's span, that of the call below it, and the upstream's below that."""
    found: list[Any] = []
    parent = CALLER
    for name in ("POST /v1/payment_intents", "POST", "POST /v1/payment_intents"):
        for span in list(receiver.spans):
            if (span.trace_id.hex(), span.parent_span_id.hex(), span.name) == (TRACE, parent, name):
                found.append(span)
                parent = span.span_id.hex()
                break
    return found


def test_the_trace_of_a_payment_goes_on_at_its_processor(spawn_server: SpawnServer) -> None:
    with receiving() as receiver, contextlib.ExitStack() as stack:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        upstream = spawn_server(environment=traced)
        front = Front(
            spawn_server, new_address(upstream), stack.enter_context(HeldProxy(upstream.url)), **traced
        )
        stack.enter_context(contextlib.closing(front.upstream))
        with front.client() as http:
            http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
            http.headers["tracestate"] = "vendor=secret"
            assert pay(http).json()["status"] == "succeeded"
        _wait(lambda: len(_spans(receiver)) == 3, front)
        ours, call, theirs = _spans(receiver)
        assert call.kind == call.SPAN_KIND_CLIENT
        shown = attributes_of(call)
        assert (shown["http.response.status_code"], shown["url.full"]) == (200, f"{front.proxy.url}/REDACTED")
        # What a caller tells its own systems is not the processor's business.
        assert (ours.trace_state, theirs.trace_state) == ("vendor=secret", "")
