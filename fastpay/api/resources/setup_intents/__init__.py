"""Setup intents."""

from fastpay.api import live_setups
from fastpay.api.intents import AuthenticateParams
from fastpay.api.lists import List
from fastpay.api.reads import Retrieve
from fastpay.api.resources.setup_intents import commands, params
from fastpay.api.resources.setup_intents.shape import SETUP_INTENT
from fastpay.api.routes import Route
from fastpay.api.writes import LiveWrite, Write
from fastpay.domain import kinds

_KIND = kinds.SETUP_INTENT

RESOURCES = (SETUP_INTENT,)
ROUTES = (
    Route(
        "POST",
        "/v1/setup_intents",
        LiveWrite(SETUP_INTENT, params.CreateParams, commands.create, route=live_setups.route_created),
    ),
    Route(
        "GET",
        "/v1/setup_intents",
        List(
            SETUP_INTENT,
            params.SetupIntentListParams,
            filters={"payment_method": kinds.PAYMENT_METHOD, "customer": kinds.CUSTOMER},
        ),
    ),
    Route(
        "GET",
        "/v1/setup_intents/{id}",
        Retrieve(SETUP_INTENT, params.RetrieveParams, check=commands.check_shown, is_public=True),
    ),
    Route(
        "POST",
        "/v1/setup_intents/{id}",
        Write(SETUP_INTENT, params.UpdateParams, commands.update, path_kind=_KIND),
    ),
    Route(
        "POST",
        "/v1/setup_intents/{id}/confirm",
        LiveWrite(
            SETUP_INTENT,
            params.ConfirmParams,
            commands.confirm,
            path_kind=_KIND,
            check=commands.check_confirmed,
            route=live_setups.route_confirmed,
        ),
    ),
    Route(
        "POST",
        "/v1/setup_intents/{id}/cancel",
        Write(SETUP_INTENT, params.CancelParams, commands.cancel, path_kind=_KIND),
    ),
    Route(
        "POST",
        "/v1/test_helpers/setup_intents/{id}/authenticate",
        Write(SETUP_INTENT, AuthenticateParams, commands.authenticate, path_kind=_KIND),
    ),
)
