"""Tells tenants by events that an endpoint fails, works again, or was disabled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.domain.webhook_endpoints import ReportEndpoint
from fastpay.engine.relay.circuit import Circuit
from fastpay.engine.relay.ports import EndpointConfiguration, EndpointName
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.relay")

# Commits a command. A refusal by the domain is no error. Raises: FastpayError.
Submit = Callable[[Scope, ReportEndpoint], Awaitable[None]]


class Reported(Protocol):
    """An endpoint, as far as reports need to know it."""

    name: EndpointName
    circuit: Circuit
    configuration: EndpointConfiguration
    is_leaving: bool


class Reports:
    """Submits findings about endpoints, each once for a version of the endpoint."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        # By endpoint: the version that was reported on, and what was said.
        self._said: dict[EndpointName, tuple[int, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def compare(self, channel: Reported) -> None:
        """Report that an endpoint fails or works again, if its configuration does not say so."""
        endpoint, circuit = channel.configuration.endpoint, channel.circuit
        since_ms = circuit.failing_since_ms
        if circuit.is_failing and endpoint.failing_since is None and since_ms is not None:
            self._say(channel, "failing", ReportEndpoint(
                id=endpoint.id, finding="failing", failing_since=since_ms // 1000, url=endpoint.url
            ))  # fmt: skip
        elif not circuit.failures and endpoint.failing_since is not None:
            self._say(channel, "recovered", ReportEndpoint(
                id=endpoint.id, finding="recovered", url=endpoint.url
            ))  # fmt: skip

    def disable(self, channel: Reported, reason: Literal["gone", "failing"]) -> None:
        """Disable an endpoint."""
        endpoint, since_ms = channel.configuration.endpoint, channel.circuit.failing_since_ms
        since_s = None if since_ms is None else since_ms // 1000
        _log.warning("webhook_endpoint_disabled", endpoint=endpoint.id, reason=reason)
        self._say(channel, "disabled", ReportEndpoint(
            id=endpoint.id, finding="disabled", failing_since=since_s, reason=reason, url=endpoint.url
        ))  # fmt: skip

    def forget(self, name: EndpointName) -> None:
        """Forget an endpoint that this instance does not hold any more."""
        self._said.pop(name, None)

    async def close(self) -> None:
        """Stop at once. What was not reported the next holder of the endpoint finds out again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _say(self, channel: Reported, finding: str, command: ReportEndpoint) -> None:
        said = (channel.configuration.version, finding)
        if self._said.get(channel.name) != said:
            self._said[channel.name] = said
            task = asyncio.create_task(self._report(channel, command), name="relay report")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, channel: Reported, command: ReportEndpoint) -> None:
        """Submit until it is known to be committed, or refused, which is as good."""
        while not channel.is_leaving:
            try:
                await self._submit(channel.name.scope, command)
            except FastpayError:
                await asyncio.sleep(limits.relay_pause_ms / 1000)
            except Exception:  # noqa: BLE001  the endpoint goes on, or stays halted until it is changed
                _log.exception("relay_report_failed", endpoint=channel.name.endpoint_id)
                return
            else:
                return
