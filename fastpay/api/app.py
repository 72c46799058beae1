"""The application: every path that is served, in one table, compiled, with Starlette behind it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay._native.cache import CachedResponse, Entry
from fastpay._native.routing import Table
from fastpay._native.shortcut import Shortcut
from fastpay.api.cached_responses import form_for
from fastpay.api.context import Services
from fastpay.api.endpoints import Endpoint, Health, Resource, UnknownPath
from fastpay.api.lists import List, RetrieveOwned, Search
from fastpay.api.params import charges as charge_params
from fastpay.api.params import customers as customer_params
from fastpay.api.params import ledger as ledger_params
from fastpay.api.params import lists as list_params
from fastpay.api.params import payment_intents as intent_params
from fastpay.api.params import payment_methods as method_params
from fastpay.api.params import refunds as refund_params
from fastpay.api.params.common import NoParams
from fastpay.api.reads import Retrieve
from fastpay.api.resources import (
    charges,
    customers,
    ledger_accounts,
    ledger_batches,
    ledger_transfers,
    payment_intents,
    payment_methods,
    refunds,
)
from fastpay.api.resources.balances import RetrieveBalance, RetrieveBalanceTransaction
from fastpay.api.resources.ledger import RetrieveLedgerBalance, VerifyLedger
from fastpay.api.resources.ledger_entries import ListEntries
from fastpay.api.writes import Write
from fastpay.domain import kinds
from fastpay.domain.identifiers import Scope as TenantScope
from fastpay.domain.ledger_objects import LedgerAccount, LedgerBatch, LedgerTransfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund
from fastpay.domain.plan import Versioned
from fastpay.observability import telemetry


class Route(NamedTuple):
    """A method on a path, and what answers it."""

    method: str
    path: str
    endpoint: Endpoint


_LEDGER_TRANSFER = {"id": kinds.LEDGER_TRANSFER}
_INTENT = {"id": kinds.PAYMENT_INTENT}
_METHOD = {"id": kinds.PAYMENT_METHOD}
_CUSTOMER = {"id": kinds.CUSTOMER}
_REFUND = {"id": kinds.REFUND}
_CHARGE = {"id": kinds.CHARGE}

# Where two paths fit, the first one answers: fixed names stand before placeholders.
ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/v1/payment_intents", Write(intent_params.CreateParams, payment_intents.create, shows="pi")
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        List(list_params.PaymentIntentListParams, kinds.PAYMENT_INTENT, filters={"customer": kinds.CUSTOMER}),
    ),
    Route("GET", "/v1/payment_intents/search", Search(kinds.PAYMENT_INTENT)),
    Route(
        "GET",
        "/v1/payment_intents/{id}",
        Retrieve(
            intent_params.RetrieveParams,
            kinds.PAYMENT_INTENT,
            PaymentIntent,
            check=payment_intents.check_shown,
            is_public=True,
        ),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}",
        Write(intent_params.UpdateParams, payment_intents.update, shows="pi", names=_INTENT),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        Write(
            intent_params.ConfirmParams,
            payment_intents.confirm,
            shows="pi",
            names=_INTENT,
            check=payment_intents.check_confirmed,
        ),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/capture",
        Write(intent_params.CaptureParams, payment_intents.capture, shows="pi", names=_INTENT),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        Write(intent_params.CancelParams, payment_intents.cancel, shows="pi", names=_INTENT),
    ),
    Route(
        "POST",
        "/v1/test_helpers/payment_intents/{id}/authenticate",
        Write(intent_params.AuthenticateParams, payment_intents.authenticate, shows="pi", names=_INTENT),
    ),
    Route(
        "POST",
        "/v1/payment_methods",
        Write(
            method_params.CreateParams,
            payment_methods.create,
            shows="pm",
            check=payment_methods.check_created,
        ),
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        List(list_params.PaymentMethodListParams, kinds.PAYMENT_METHOD, filters={"customer": kinds.CUSTOMER}),
    ),
    Route(
        "GET",
        "/v1/payment_methods/{id}",
        Retrieve(NoParams, kinds.PAYMENT_METHOD, PaymentMethod, stand_in=payment_methods.magic),
    ),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        Write(method_params.UpdateParams, payment_methods.update, shows="pm", names=_METHOD),
    ),
    Route(
        "POST",
        "/v1/payment_methods/{id}/attach",
        # The path may name a magic payment method here, so that it is checked with the other parameters.
        Write(method_params.AttachParams, payment_methods.attach, shows="pm"),
    ),
    Route(
        "POST",
        "/v1/payment_methods/{id}/detach",
        Write(NoParams, payment_methods.detach, shows="pm", names=_METHOD),
    ),
    Route("POST", "/v1/customers", Write(customer_params.CreateParams, customers.create, shows="cus")),
    Route(
        "GET",
        "/v1/customers",
        List(list_params.CustomerListParams, kinds.CUSTOMER, filters={"email": None}),
    ),
    Route("GET", "/v1/customers/search", Search(kinds.CUSTOMER)),
    Route("GET", "/v1/customers/{id}", Retrieve(NoParams, kinds.CUSTOMER, Customer)),
    Route(
        "POST",
        "/v1/customers/{id}",
        Write(customer_params.UpdateParams, customers.update, shows="cus", names=_CUSTOMER),
    ),
    Route("DELETE", "/v1/customers/{id}", Write(NoParams, customers.delete, shows="cus", names=_CUSTOMER)),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        List(list_params.CardListParams, kinds.PAYMENT_METHOD, owner=("customer", kinds.CUSTOMER)),
    ),
    Route("GET", "/v1/customers/{id}/payment_methods/{payment_method}", RetrieveOwned()),
    Route("POST", "/v1/refunds", Write(refund_params.CreateParams, refunds.create, shows="re")),
    Route(
        "GET",
        "/v1/refunds",
        List(
            list_params.RefundListParams,
            kinds.REFUND,
            filters={"charge": kinds.CHARGE, "payment_intent": kinds.PAYMENT_INTENT},
        ),
    ),
    Route("GET", "/v1/refunds/{id}", Retrieve(NoParams, kinds.REFUND, Refund)),
    Route(
        "POST",
        "/v1/refunds/{id}",
        Write(refund_params.UpdateParams, refunds.update, shows="re", names=_REFUND),
    ),
    Route("POST", "/v1/refunds/{id}/cancel", Write(NoParams, refunds.cancel, shows="re", names=_REFUND)),
    Route(
        "GET",
        "/v1/charges",
        List(
            list_params.ChargeListParams,
            kinds.CHARGE,
            filters={"payment_intent": kinds.PAYMENT_INTENT, "customer": kinds.CUSTOMER},
        ),
    ),
    Route("GET", "/v1/charges/search", Search(kinds.CHARGE)),
    Route("GET", "/v1/charges/{id}", Retrieve(NoParams, kinds.CHARGE, Charge)),
    Route(
        "POST",
        "/v1/charges/{id}",
        Write(charge_params.UpdateParams, charges.update, shows="ch", names=_CHARGE),
    ),
    Route(
        "POST",
        "/v1/charges/{id}/capture",
        Write(charge_params.CaptureParams, charges.capture, shows="ch", names=_CHARGE),
    ),
    # Where the pages after the first are, of the refunds that an expanded charge shows.
    Route(
        "GET",
        "/v1/charges/{id}/refunds",
        List(list_params.ListParams, kinds.REFUND, owner=("charge", kinds.CHARGE)),
    ),
    Route("GET", "/v1/balance", RetrieveBalance()),
    Route("GET", "/v1/balance_transactions/{id}", RetrieveBalanceTransaction()),
    Route(
        "POST",
        "/v1/ledger/accounts",
        Write(ledger_params.CreateAccountParams, ledger_accounts.create, shows="lacc"),
    ),
    Route(
        "GET",
        "/v1/ledger/accounts",
        List(ledger_params.AccountListParams, kinds.LEDGER_ACCOUNT, filters={"code": None}),
    ),
    Route("GET", "/v1/ledger/accounts/{id}", Retrieve(NoParams, kinds.LEDGER_ACCOUNT, LedgerAccount)),
    Route("GET", "/v1/ledger/accounts/{id}/balance", RetrieveLedgerBalance()),
    Route("GET", "/v1/ledger/accounts/{id}/entries", ListEntries()),
    Route(
        "POST",
        "/v1/ledger/transfers",
        Write(ledger_params.CreateTransferParams, ledger_transfers.create, shows="ltr"),
    ),
    Route("GET", "/v1/ledger/transfers", List(ledger_params.TransferListParams, kinds.LEDGER_TRANSFER)),
    Route("GET", "/v1/ledger/transfers/{id}", Retrieve(NoParams, kinds.LEDGER_TRANSFER, LedgerTransfer)),
    Route(
        "POST",
        "/v1/ledger/transfers/{id}/post",
        Write(ledger_params.PostTransferParams, ledger_transfers.post, shows="ltr", names=_LEDGER_TRANSFER),
    ),
    Route(
        "POST",
        "/v1/ledger/transfers/{id}/void",
        Write(NoParams, ledger_transfers.void, shows="ltr", names=_LEDGER_TRANSFER),
    ),
    Route(
        "POST",
        "/v1/ledger/batches",
        Write(
            ledger_batches.BatchParams,
            ledger_batches.create,
            shows="lbat",
            decode=ledger_batches.decode,
            is_trial=ledger_batches.is_trial,
            body_factor=limits.ledger_batch_body_factor,
        ),
    ),
    Route("GET", "/v1/ledger/batches/{id}", Retrieve(NoParams, kinds.LEDGER_BATCH, LedgerBatch)),
    Route("GET", "/v1/ledger/verify", VerifyLedger()),
)


_SAFE_METHODS = frozenset(("GET", "HEAD"))


class Application:
    """The whole surface as one ASGI application.

    The routes of the table are found by compiled code; what is not among them (a method that a path does not
    have, an unknown path, the health checks, lifespan) falls through to Starlette.
    """

    def __init__(self, services: Services) -> None:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for route in ROUTES:
            by_path.setdefault(route.path, {})[route.method] = route.endpoint
        self._shortcut = _create_shortcut(services, self._go_long)
        if telemetry.is_tracing():
            self._shortcut.draw(telemetry.root_share(), services.clock.random_bytes(8))
        resources = {
            path: Resource(services, path, by_method, shortcut=self._shortcut)
            for path, by_method in by_path.items()
        }
        routes = [(route.method, route.path, resources[route.path]) for route in ROUTES]
        heads = [("HEAD", path, resource) for method, path, resource in routes if method == "GET"]
        self._table = Table([*routes, *heads])
        self._starlette = _create_starlette(services, resources)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return what answers, a coroutine mostly; a frame of its own would only be in the way of it."""
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            answered = self._shortcut.answer(scope, receive, send)
            if answered is not None:
                return answered
        return self._go_long(scope, receive, send)

    def _go_long(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return what answers by way of the pipeline."""
        if scope["type"] == "http":
            found = self._table.lookup(scope["method"], scope["path"])
            if found is not None:
                resource, scope["path_params"] = found
                return resource(scope, receive, send)
        return self._starlette(scope, receive, send)


def create_app(services: Services) -> Application:
    """Return the application over these services."""
    return Application(services)


def _create_shortcut(
    services: Services, long_way: Callable[[Scope, Receive, Send], Awaitable[None]]
) -> Shortcut:
    """Return the short way to all that is shown by its identifier."""
    shown = {
        route.path.removesuffix("{id}"): route.endpoint
        for route in ROUTES
        if isinstance(route.endpoint, Retrieve)
    }
    cache = services.reader.cache

    def render(path: str, versioned: Versioned, scope: TenantScope) -> CachedResponse | None:
        return shown[path].render(path, versioned, scope.livemode)

    def encode(entry: Entry | None, response: CachedResponse, accepted: bytes) -> CachedResponse:
        return form_for(cache, entry, response, accepted.decode("latin-1"))

    return Shortcut(
        cache,
        services.clock.monotonic_ns,
        services.identifiers.request_id,
        limits.known_keys_max,
        kinds={path: endpoint.prefix + "_" for path, endpoint in shown.items()},
        watch=services.reader.watch,
        render=render,
        encode=encode,
        long_way=long_way,
    )


def _create_starlette(services: Services, resources: Mapping[str, Resource]) -> Starlette:
    routes: list[BaseRoute] = [StarletteRoute(path, resource) for path, resource in resources.items()]
    for path, is_readiness in (("/healthz", False), ("/readyz", True)):
        routes.append(StarletteRoute(path, Health(services, path, is_readiness=is_readiness)))
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    app.router.default = UnknownPath(services)
    return app
