"""Traces of a real server, as a collector receives them: by OTLP, with the names of the conventions."""

import re
from typing import Any

from opentelemetry.semconv.attributes import (
    db_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)

from fastpay.operations.embedded import children
from tests.support.api import ask, open_client
from tests.support.otlp_receiver import attributes_of, receiving
from tests.support.servers import PATIENCE_SECONDS, RunningServer, SpawnServer

TRACE = "0af7651916cd43dd8448eb211c80319c"
_MODULES = (
    db_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
CONVENTIONS = {value for module in _MODULES for name, value in vars(module).items() if name.isupper()}
SERVER, DATABASE, CLIENT = (
    f"{name}_duration_seconds "
    for name in ("http_server_request", "db_client_operation", "http_client_request")
)
# The label that tells the series of a histogram apart.
NAMING = ("http_route", "db_query_summary", "status_class", "error_type")
REQUIRED = {"http.request.method", "url.path", "url.scheme"}


def test_a_collector_gets_spans_by_the_conventions_below_the_callers(spawn_server: SpawnServer) -> None:
    with receiving() as receiver:
        running = spawn_server(
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "20",
                "FASTPAY_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
                # Whatever can count is shown by the metrics below.
                "FASTPAY_REQUEST_LOG": "complete",
            }
        )
        with open_client(running.url) as client:
            client.headers["authorization"] = f"Bearer {running.test_key}"
            caller = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}
            hook = {"url": f"{receiver.endpoint}/hook", "enabled_events[]": "payment_intent.succeeded"}
            assert client.post("/v1/webhook_endpoints", data=hook).status_code == 200
            form = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
            answer = client.post("/v1/payment_intents", data=form, headers=caller)
            paid = answer.json()["id"]
            for _ in range(3):
                client.get(f"/v1/payment_intents/{paid}")
            client.get("/v1/tea")
        names = ("POST /v1/payment_intents", "BATCH fastpay", "GET /v1/payment_intents/{id}", "GET", "POST")
        found = receiver.wait_for(*names)
        # Of the batches only the one of the payment.
        spans = {span.name: span for span in found if span.name != names[1] or span.trace_id.hex() == TRACE}
        post, batch = spans["POST /v1/payment_intents"], spans["BATCH fastpay"]
        assert post.trace_id.hex() == batch.trace_id.hex() == TRACE
        assert (post.parent_span_id.hex(), batch.parent_span_id) == ("b7ad6b7169203331", post.span_id)
        assert post.start_time_unix_nano <= batch.start_time_unix_nano
        assert batch.end_time_unix_nano <= post.end_time_unix_nano
        assert attributes_of(post)["fastpay.request_id"] == answer.headers["request-id"]
        # The caller's trace goes on with the webhook that the payment causes.
        delivery = spans["POST"]
        assert (delivery.trace_id, delivery.parent_span_id) == (post.trace_id, post.span_id)
        assert receiver.hooks[0]["traceparent"] == f"00-{TRACE}-{delivery.span_id.hex()}-01"
        assert "tracestate" not in receiver.hooks[0]
        for span in spans.values():
            _check_conventions(span)
        assert {one["service.name"] for one in receiver.resources} == {"fastpay"}
        assert post.trace_state == batch.trace_state == "a=b"
        assert len(receiver.collecting) == 1
        exemplars = _exemplars(running)
        assert TRACE in exemplars[f"{SERVER}/v1/payment_intents"]
        known = {span.trace_id.hex() for span in receiver.spans}
        assert exemplars[f"{SERVER}/v1/payment_intents/{{id}}"] <= known
        # The statement of the batch, and the delivery of the event.
        assert TRACE in exemplars[f"{DATABASE}batch"] <= known
        assert exemplars[f"{CLIENT}2xx"] == {TRACE}


def _exemplars(running: RunningServer) -> dict[str, set[str]]:
    """Return the traces of exemplars, by histogram and label. It is one once the collector has it."""
    wanted = {f"{SERVER}/v1/payment_intents/{{id}}", f"{DATABASE}batch", f"{CLIENT}2xx"}

    def read() -> dict[str, set[str]]:
        accept = {"accept": "application/openmetrics-text"}
        text = ask(f"{running.admin_url}/metrics", headers=accept).text
        found: dict[str, set[str]] = {}
        for name, labels, trace in re.findall(r'(\w+)_bucket\{(.*)\} \d+ # \{trace_id="(\w{32})"\}', text):
            values = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            label = next(values[one] for one in NAMING if one in values)
            found.setdefault(f"{name} {label}", set()).add(trace)
        return found

    assert children.wait_until(lambda: read().keys() >= wanted, timeout_ms=PATIENCE_SECONDS * 1000)
    return read()


def _check_conventions(span: Any) -> None:
    found = attributes_of(span)
    unknown = {name for name in found if name not in CONVENTIONS and not name.startswith("fastpay.")}
    assert unknown == set()
    assert span.end_time_unix_nano >= span.start_time_unix_nano > 1_600_000_000 * 10**9
    if span.kind == span.SPAN_KIND_SERVER:
        assert found.keys() >= REQUIRED
        if "http.route" in found:
            assert span.name == f"{found['http.request.method']} {found['http.route']}"
