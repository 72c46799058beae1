"""Payment intents."""

from fastpay.api import follow_ups, live_payments
from fastpay.api.intents import AuthenticateParams
from fastpay.api.lists import List, Search
from fastpay.api.reads import Retrieve
from fastpay.api.resources.payment_intents import commands, params
from fastpay.api.resources.payment_intents.shape import PAYMENT_INTENT
from fastpay.api.routes import Route
from fastpay.api.writes import LiveWrite, Write
from fastpay.domain import kinds

_KIND = kinds.PAYMENT_INTENT

RESOURCES = (PAYMENT_INTENT,)
ROUTES = (
    Route(
        "POST",
        "/v1/payment_intents",
        LiveWrite(PAYMENT_INTENT, params.CreateParams, commands.create, route=live_payments.route_created),
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        List(PAYMENT_INTENT, params.PaymentIntentListParams, filters={"customer": kinds.CUSTOMER}),
    ),
    Route("GET", "/v1/payment_intents/search", Search(PAYMENT_INTENT)),
    Route(
        "GET",
        "/v1/payment_intents/{id}",
        Retrieve(PAYMENT_INTENT, params.RetrieveParams, check=commands.check_shown, is_public=True),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}",
        Write(PAYMENT_INTENT, params.UpdateParams, commands.update, path_kind=_KIND),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        LiveWrite(
            PAYMENT_INTENT,
            params.ConfirmParams,
            commands.confirm,
            path_kind=_KIND,
            check=commands.check_confirmed,
            route=live_payments.route_confirmed,
        ),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/capture",
        LiveWrite(
            PAYMENT_INTENT,
            params.CaptureParams,
            commands.capture,
            path_kind=_KIND,
            route=follow_ups.begin,
        ),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/increment_authorization",
        Write(PAYMENT_INTENT, params.IncrementParams, commands.increment, path_kind=_KIND),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/apply_customer_balance",
        Write(PAYMENT_INTENT, params.ApplyCashParams, commands.apply_cash, path_kind=_KIND),
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        LiveWrite(
            PAYMENT_INTENT,
            params.CancelParams,
            commands.cancel,
            path_kind=_KIND,
            route=follow_ups.begin_cancel,
        ),
    ),
    Route(
        "POST",
        "/v1/test_helpers/payment_intents/{id}/authenticate",
        Write(PAYMENT_INTENT, AuthenticateParams, commands.authenticate, path_kind=_KIND),
    ),
)
