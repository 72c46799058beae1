"""Webhooks of processors, `POST /v1/processors/{name}/webhook`, as the ASGI application of their path.

There is no API key. The signature over the body is all that lets a webhook in, and says whose it is.
"""

import msgspec
from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay._native.headers import Headers
from fastpay.api.bodies import ClientGone, read_body
from fastpay.api.context import Services
from fastpay.api.errors import JSON_TYPE, error_body, status_of
from fastpay.errors import FastpayError, InvalidRequest, MethodNotAllowed, UnknownRoute
from fastpay.observability import telemetry

TEMPLATE = "/v1/processors/{name}/webhook"

_log = telemetry.Log("fastpay.processors")

_RECEIVED = msgspec.json.encode({"received": True})


class ProcessorWebhooks:
    """Answers processors: 200 for what was recorded, 400 for what nobody has signed, 503 to come again."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._services.identifiers.request_id()
        try:
            await self._receive(scope, receive, request_id)
        except ClientGone:
            return
        except FastpayError as error:
            status, body = status_of(error), msgspec.json.encode(error_body(error, request_log_url=None))
        except Exception as error:  # noqa: BLE001  whatever it is, the processor gets an answer
            _log.exception("notice_failed", request_id=request_id)
            status, body = 500, msgspec.json.encode(error_body(error, request_log_url=None))
        else:
            status, body = 200, _RECEIVED
        headers = [
            (b"content-type", JSON_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"request-id", request_id.encode()),
        ]
        if status == 405:
            headers.append((b"allow", b"POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _receive(self, scope: Scope, receive: Receive, request_id: str) -> None:
        """Record a webhook. Raises: FastpayError, ClientGone."""
        if scope["method"] != "POST":
            raise MethodNotAllowed("Processors send their webhooks by POST.")
        live, name = self._services.live_payments, scope["path_params"]["name"]
        if live is None or len(name) > limits.processor_name_chars_max:
            raise UnknownRoute("There is no processor of this name.")
        headers = Headers(dict(scope["headers"]).items())
        body = await read_body(receive, headers, limits.processor_notice_bytes_max)
        if not await live.notices.receive(name, headers, body, request_id=request_id):
            raise InvalidRequest("The signature is not one of a processor of this name.")
