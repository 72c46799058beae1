"""The application: every path that is served, in one table, and Starlette around it."""

from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute

from fastpay.api import kinds
from fastpay.api.context import Services
from fastpay.api.endpoints import Endpoint, Resource, UnknownPath
from fastpay.api.params.payment_intents import CreateParams, RetrieveParams
from fastpay.api.resources import payment_intents
from fastpay.api.retrievals import Retrieve
from fastpay.api.submissions import Write
from fastpay.domain.objects import PaymentIntent


class Route(NamedTuple):
    """A method on a path, and what answers it."""

    method: str
    path: str
    endpoint: Endpoint


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/payment_intents", Write(CreateParams, payment_intents.create, shows="pi")),
    Route(
        "GET",
        "/v1/payment_intents/{id}",
        Retrieve(
            RetrieveParams,
            kinds.PAYMENT_INTENT,
            PaymentIntent,
            check=payment_intents.check_shown,
            is_public=True,
        ),
    ),
)


def create_app(services: Services) -> Starlette:
    """Return the application over these services."""
    endpoints: dict[str, dict[str, Endpoint]] = {}
    for route in ROUTES:
        endpoints.setdefault(route.path, {})[route.method] = route.endpoint
    routes: list[BaseRoute] = [
        StarletteRoute(path, Resource(services, by_method)) for path, by_method in endpoints.items()
    ]
    app = Starlette(routes=routes)
    app.router.default = UnknownPath(services)
    app.router.redirect_slashes = False
    return app
