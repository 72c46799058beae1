"""The engines of HTTP/2 that tests of the transport run on."""

import pytest

from fastpay.config import Http2Engine
from fastpay.server import http2_engine


@pytest.fixture(params=["native", "h2"])
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Http2Engine:
    """Let the servers of a test use this engine."""
    engine: Http2Engine = request.param
    if engine == "native" and http2_engine.why_not_native():
        pytest.skip(http2_engine.why_not_native())
    monkeypatch.setattr(http2_engine, "choose", lambda _: engine)
    return engine
