"""Reads of the legacy API for an answer of this server's own: whole, and within a bound."""

from urllib.parse import quote

from starlette.types import Receive, Scope

from fastpay import limits
from fastpay.api.context import Services
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.ports import PassedRequest
from fastpay.engine.rollout.routes import Front
from fastpay.errors import LegacyUnmergeable

# The answer must come in full and in no coding; a GET has no body that would be passed on.
NOT_FOR_PARTS = frozenset(
    (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range", b"content-length")
)


class LegacyReads:
    """Asks the legacy API in the name of a client."""

    def __init__(self, services: Services, front: Front) -> None:
        self._services = services
        self._legacy = front.legacy
        self._merges = front.merges

    async def list(self, scope: Scope, query: bytes, receive: Receive) -> Shown:
        """Return the answer to a request with another query. Raises: as `Legacy`, LegacyUnmergeable."""
        path, _, _ = scope["fastpay.target"].partition(b"?")
        return await self._get(scope, path + b"?" + query if query else path, receive)

    async def retrieve(self, scope: Scope, identifier: str, receive: Receive) -> Shown:
        """Return the answer that shows an object of a client's list. Raises: as `list`."""
        path, _, _ = scope["fastpay.target"].partition(b"?")
        return await self._get(scope, path + b"/" + quote(identifier, safe="").encode(), receive)

    async def _get(self, scope: Scope, target: bytes, receive: Receive) -> Shown:
        client = scope.get("client")
        request = PassedRequest(
            method="GET",
            target=target,
            fields=[field for field in scope["headers"] if field[0] not in NOT_FOR_PARTS],
            http_version=scope["http_version"],
            scheme=scope["scheme"],
            client=None if client is None else client[0],
            request_id=self._services.identifiers.request_id(),
        )
        self._merges.parts_asked += 1
        answer = await self._legacy.ask(request, _Nothing(receive))
        try:
            if dict(answer.fields).get(b"content-encoding", b"identity").lower() != b"identity":
                raise LegacyUnmergeable("The older API's answer is in a coding that nobody asked for.")
            body = b""
            while (piece := await answer.next()) is not None:
                body += piece
                if len(body) > limits.merged_part_bytes_max:
                    most = limits.merged_part_bytes_max
                    raise LegacyUnmergeable(f"The older API's answer is longer than {most} bytes.")
        finally:
            answer.close()
        return Shown(answer.status, body)


class _Nothing:
    """Satisfies `PassedBody`: no body, of a client that may leave."""

    first = b""
    is_whole = True

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def next(self) -> bytes | None:
        """Return None."""
        return None

    async def until_left(self) -> None:
        """Return once the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
