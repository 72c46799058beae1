"""Looks for identifiers in answers of the legacy API that would be taken for this server's."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Send

from fastpay.api.authentication import authenticate
from fastpay.api.context import Services
from fastpay.api.shadowing import Recorder
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.mistaken import like_ours
from fastpay.engine.rollout.routes import Front
from fastpay.errors import FastpayError, Unauthenticated


class Lookout:
    """Looks at an answer now and then, beside the requests of clients."""

    def __init__(self, services: Services, front: Front) -> None:
        self._services = services
        self._mistaken = front.mistaken
        self._tasks = front.shadow

    def record(self, route: str, send: Send) -> Recorder | None:
        """Return what keeps a copy of an answer that is to be looked at; None if it is not."""
        if not self._tasks.has_room or not self._mistaken.is_due(route):
            return None
        return Recorder(send, self._services.clock.monotonic_ns)

    def saw(
        self, route: str, scope: Mapping[str, Any], headers: Mapping[str, str], recorder: Recorder
    ) -> None:
        """Look at an answer that was sent."""
        shown = recorder.shown()
        if isinstance(shown, Shown):
            self._begin(route, scope, headers.get("authorization"), shown)

    def saw_part(self, route: str, scope: Mapping[str, Any], shown: Shown) -> None:
        """Look at the legacy API's part of an answer, if one is due."""
        if self._tasks.has_room and self._mistaken.is_due(route):
            fields = dict(scope["headers"])
            self._begin(route, scope, fields.get(b"authorization", b"").decode("latin-1"), shown)

    def _begin(self, route: str, scope: Mapping[str, Any], authorization: str | None, shown: Shown) -> None:
        if shown.status < 300 and self._tasks.has_room:
            self._tasks.begin(self._look(route, authorization, scope.get("client"), shown.body))

    async def _look(
        self, route: str, authorization: str | None, client: tuple[str, int] | None, body: bytes
    ) -> None:
        # A page of a hundred objects takes milliseconds.
        named = await asyncio.to_thread(like_ours, body)
        if not named:
            return
        # It is looked for again a second later.
        with suppress(FastpayError):
            here: Mapping[str, object] = {}
            with suppress(Unauthenticated):
                credentials = await authenticate(self._services.keys, authorization, client)
                here = await self._services.reader.get_many(credentials.scope, named)
            if unknown := [one for one in named if one not in here]:
                await self._mistaken.found(route, unknown)
