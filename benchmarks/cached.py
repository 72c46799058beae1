"""An application that answers a payment from the process's own cache."""

import time
from typing import Any

from benchmarks import samples
from fastpay._native.cache import Cache, CachedResponse
from fastpay._native.shortcut import Shortcut
from fastpay.api.request_notes import RequestNotes
from fastpay.api.resources.payment_intents.shape import PAYMENT_INTENT
from fastpay.engine.ports import Credentials
from fastpay.observability.traces import Tracer

IDENTIFIER = "pi_0190a5f0b7e97cc08d0a8b8e5b1f2a3c"
AUTHORIZATION = b"Bearer sk_test_" + b"0" * 32
_FOREVER_NS = 1 << 62


def cached_app(notes: RequestNotes | None = None, tracer: Tracer | None = None) -> Any:
    """Return an application that answers `GET` from the process's own cache, by the short way.

    With `notes` each request leaves one, with a `tracer` it may be drawn.
    """
    cache, partition_scope = Cache(1 << 20), "tenant"
    partition = cache.partition(partition_scope)
    partition.valid_until_ns = _FOREVER_NS
    entry = cache.put(partition, IDENTIFIER, 1, "the object", 100)
    assert entry is not None
    cache.render(entry, response(PAYMENT_INTENT.render_bytes(samples.new_intent(), False)))

    async def long_way(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the short way was not taken")

    shortcut = Shortcut(
        cache,
        time.monotonic_ns,
        lambda: "req_000000000000000000000000",
        1,
        kinds={"/v1/payment_intents/": "pi_"},
        routes={"/v1/payment_intents/": 1},
        watch=lambda scope, identifier, on_done: False,
        render=lambda path, value, scope: None,
        encode=lambda entry, whole, accepted: whole,
        long_way=long_way,
    )
    owner = Credentials(scope=samples.SCOPE, kind="secret", fingerprint_key=b"k" * 32)
    shortcut.admit(AUTHORIZATION, partition, _FOREVER_NS, owner)
    if notes is not None:
        shortcut.log(notes.answered, notes.drawn_below)
    if tracer is not None:
        shortcut.trace(tracer.sampler, tracer.record, tracer.keep, tracer.slow_ns)

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return shortcut.answer(scope, receive, send) or long_way(scope, receive, send)

    return app


def response(body: bytes) -> CachedResponse:
    """Return an answer that shows a payment."""
    head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return CachedResponse("/v1/payment_intents/", head, b"", body, b'"1"', is_encodable=False)
