"""The application: gathers the resources and routes, and finds the route of each request."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay._native.cache import CachedResponse, Entry
from fastpay._native.histograms import Histograms
from fastpay._native.routing import Table
from fastpay._native.shortcut import Shortcut
from fastpay.api import challenge_page, processor_webhooks
from fastpay.api.cached_responses import form_for
from fastpay.api.context import Services
from fastpay.api.cors import Preflight, is_preflight
from fastpay.api.endpoints import Health, ServedPath, UnknownPath
from fastpay.api.legacy import PassThrough
from fastpay.api.merging import both_sides
from fastpay.api.openapi import pages
from fastpay.api.reads import Retrieve
from fastpay.api.resource import Resources
from fastpay.api.resources import (
    accounts,
    application_fees,
    attempts,
    balance,
    balances,
    cash_balances,
    charges,
    confirmation_tokens,
    customers,
    disputes,
    events,
    ledger,
    ledger_accounts,
    ledger_batches,
    ledger_entries,
    ledger_transfers,
    mandates,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    request_logs,
    settlements,
    setup_attempts,
    setup_intents,
    sources,
    tokens,
    transfers,
    webhook_endpoints,
)
from fastpay.api.routes import Endpoint, Route
from fastpay.api.routing import Answering, RoutedPath
from fastpay.api.shadowing import Candidate, Shadow, candidate_services
from fastpay.api.writes import LiveWrite, Write
from fastpay.domain.identifiers import Scope as TenantScope
from fastpay.domain.plan import Versioned
from fastpay.observability import traces
from fastpay.observability.buckets import DURATION_BOUNDS_NS

# Every module of `api/resources/`. Add a new resource here.
_MODULES = (
    accounts,
    application_fees,
    payment_intents,
    attempts,
    payment_methods,
    setup_intents,
    sources,
    tokens,
    confirmation_tokens,
    settlements,
    setup_attempts,
    mandates,
    customers,
    cash_balances,
    refunds,
    disputes,
    charges,
    payouts,
    transfers,
    balance,
    balances,
    events,
    webhook_endpoints,
    request_logs,
    ledger_accounts,
    ledger,
    ledger_entries,
    ledger_transfers,
    ledger_batches,
)
RESOURCES = Resources(resource for module in _MODULES for resource in module.RESOURCES)
# If two paths fit, the first one answers: within a module, fixed names stand before placeholders.
ROUTES: tuple[Route, ...] = tuple(route for module in _MODULES for route in module.ROUTES)

# Every method and path; HEAD follows its GET.
_NUMBERED: list[tuple[str, str]] = []
for _route in ROUTES:
    _NUMBERED.append((_route.method, _route.path))
    if _route.method == "GET":
        _NUMBERED.append(("HEAD", _route.path))

_SAFE_METHODS = frozenset(("GET", "HEAD"))
_HEALTH = {"/healthz": False, "/readyz": True}
# What this server answers in front of a legacy API, too. "*" is the server itself (RFC 9110 9.3.7).
_OWN_PATHS = frozenset((*_HEALTH, *pages.PATHS, "*"))
_OWN_PAGES = tuple(one.TEMPLATE.partition("{")[0] for one in (challenge_page, processor_webhooks))


class Application:
    """The API as one ASGI application.

    Compiled code finds the routes of the table. Everything else goes to Starlette: methods that a path does
    not have, unknown paths, health checks, lifespan.
    """

    def __init__(self, services: Services) -> None:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for route in ROUTES:
            by_path.setdefault(route.path, {})[route.method] = route.endpoint
        self._shortcut = _create_shortcut(services, self._go_long)
        if (tracer := traces.tracer()) is not None:
            self._shortcut.trace(tracer.sampler, tracer.record, tracer.keep, tracer.slow_ns)
        if services.request_notes is not None:
            self._shortcut.log(services.request_notes.answered, services.request_notes.drawn_below)
        paths = {
            # In front of a legacy API it is told of no keys: each request has to be sent to its side.
            path: ServedPath(
                services, path, by_method, shortcut=self._shortcut if services.front is None else None
            )
            for path, by_method in by_path.items()
        }
        answering: Mapping[str, ServedPath | RoutedPath] = paths
        self._pass_through: PassThrough | None = None
        if services.front is not None:
            self._pass_through = PassThrough(services, services.front.legacy)
            shadow = Shadow(services.front, self._pass_through, services.clock.monotonic_ns)
            unseen = candidate_services(services, services.front)
            answering = {
                path: RoutedPath(
                    services,
                    path,
                    Answering(
                        served,
                        Candidate(
                            ServedPath(unseen, path, by_path[path]),
                            is_decided=type(by_path[path].get("POST")) in (Write, LiveWrite),
                        ),
                        both_sides(services, services.front, path, served, by_path[path].get("GET")),
                    ),
                    front=services.front,
                    pass_through=self._pass_through,
                    shadow=shadow,
                    body_factor=max(endpoint.policy.body_factor for endpoint in by_path[path].values()),
                )
                for path, served in paths.items()
            }
        # The methods: to call an object by itself takes a look-up more for each request.
        self._table = Table([(method, path, answering[path].__call__) for method, path in _NUMBERED])
        self._starlette = _create_starlette(services, paths)
        self._preflight = Preflight(services.cors, services.identifiers)
        self._feeds = services.feeds
        self.readiness = services.readiness
        self.services = services
        self.request_labels = _request_labels()
        self.request_times = Histograms(DURATION_BOUNDS_NS, len(self.request_labels))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return an awaitable that answers. This is no coroutine itself, which saves a frame a request."""
        if scope["type"] == "http":
            if scope["method"] in _SAFE_METHODS:
                served = self._shortcut.answer(scope, receive, send)
                if served is not None:
                    return served
            else:
                # What `_go_long` does first, for each payment without a call between.
                routed = self._table.route(scope)  # type: ignore[arg-type]
                if routed is not None:
                    return routed(scope, receive, send)
        return self._go_long(scope, receive, send)

    def drain(self) -> None:
        """End the streams of events in order: this instance is about to stop."""
        self._feeds.drain()

    def _go_long(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return an awaitable that answers through the pipeline."""
        if scope["type"] == "http":
            # Starlette's scope is any mapping, and that of a server is a dict.
            served = self._table.route(scope)  # type: ignore[arg-type]
            if served is not None:
                return served(scope, receive, send)
            if self._pass_through is not None and not self._is_own(scope):
                return self._pass_through(scope, receive, send)
            if is_preflight(scope):
                return self._preflight(scope, receive, send)
        return self._starlette(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        """Tell whether a request without a route is for this server and not for the legacy API."""
        path: str = scope["path"]
        if path in _OWN_PATHS or path.startswith(_OWN_PAGES):
            return True
        return is_preflight(scope) and bool(self._table.methods(path))


# Servers such as uvicorn recognize an application of ASGI 3 by this mark, and call others as those of ASGI 2.
if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(Application.__call__)
else:
    _mark = cast("Any", asyncio.coroutines)._is_coroutine  # noqa: SLF001
    cast("Any", Application.__call__)._is_coroutine = _mark  # noqa: SLF001


def create_app(services: Services) -> Application:
    """Return the application over these services."""
    return Application(services)


def _request_labels() -> list[dict[str, str]]:
    """Return the labels of the series in the order of `Service.time_request`. The first route is no route."""
    return [
        {
            "http_request_method": method,
            "http_route": path,
            "network_protocol_version": protocol,
            "status_class": status,
        }
        for method, path in (("_OTHER", "_OTHER"), *_NUMBERED)
        for protocol in ("1.1", "2")
        for status in ("2xx", "3xx", "4xx", "5xx")
    ]


def _create_shortcut(
    services: Services, long_way: Callable[[Scope, Receive, Send], Awaitable[None]]
) -> Shortcut:
    """Return the shortcut for reads by identifier."""
    shown = {
        route.path.removesuffix("{id}"): route.endpoint
        for route in ROUTES
        if isinstance(route.endpoint, Retrieve)
    }
    cache, resources = services.reader.cache, services.resources
    renders = {path: endpoint.render for path, endpoint in shown.items()}

    def render(path: str, versioned: Versioned, scope: TenantScope) -> CachedResponse | None:
        return renders[path](resources, path, versioned, scope.livemode)

    def encode(entry: Entry | None, response: CachedResponse, accepted: bytes) -> CachedResponse:
        return form_for(cache, entry, response, accepted.decode("latin-1"))

    return Shortcut(
        cache,
        services.clock.monotonic_ns,
        services.identifiers.request_id,
        limits.known_keys_max,
        routes={
            path.removesuffix("{id}"): number
            for number, (method, path) in enumerate(_NUMBERED, 1)
            if method == "GET" and path.removesuffix("{id}") in shown
        },
        kinds={path: endpoint.resource.kind.prefix + "_" for path, endpoint in shown.items()},
        watch=services.reader.watch,
        render=render,
        encode=encode,
        long_way=long_way,
    )


def _create_starlette(services: Services, paths: Mapping[str, ServedPath]) -> Starlette:
    routes: list[BaseRoute] = [StarletteRoute(path, served) for path, served in paths.items()]
    for path, is_readiness in _HEALTH.items():
        routes.append(StarletteRoute(path, Health(services, path, is_readiness=is_readiness)))
    routes += [StarletteRoute(path, public) for path, public in pages.paths(services, ROUTES)]
    routes.append(StarletteRoute(challenge_page.TEMPLATE, challenge_page.ChallengePage(services)))
    webhooks = processor_webhooks.ProcessorWebhooks(services)
    routes.append(StarletteRoute(processor_webhooks.TEMPLATE, webhooks))
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    app.router.default = UnknownPath(services, sorted({path.split("/")[2] for path in paths}))
    return app
