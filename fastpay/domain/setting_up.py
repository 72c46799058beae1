"""One attempt to set up a payment method for later payments.

The processor of test mode is the table in `cards`, as it is for charges. A card that issuers decline whenever
it is saved fails here; one that declines charges alone can be saved. What follows from the answer is the
attempt, a new state of the setup intent, and the payment method of its customer. A live attempt only begins
here, and ends in `live_setups`.
"""

import msgspec

from fastpay.domain import challenges, charging, mandates, payment_methods, processing
from fastpay.domain.cards import BEHAVIOURS, Behaviour
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Route
from fastpay.domain.setup_objects import SetupAttempt, SetupError, SetupIntent
from fastpay.errors import CardDeclined, InvalidRequest


class Terms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Conditions of an attempt.

    `mandate` is what the customer has accepted. `page` is where a cardholder who is asked authenticates (see
    `challenges.begin`). `links` say where a decline is explained. `route` leads to the processor in live
    mode.
    """

    mandate: MandateData | None = None
    page: str | None = None
    links: ErrorLinks = NO_LINKS
    route: Route | None = None


def attempt(
    workspace: Workspace,
    draft: Draft,
    intent: SetupIntent,
    *,
    method: PaymentMethod,
    is_new: bool,
    terms: Terms,
) -> None:
    """Make the attempt and write everything that follows from it.

    `is_new` means that the payment method came with the request and is not written yet. A decline raises
    nothing: it is written, and the answer is an error. Raises: InvalidRequest if no attempt is possible.
    """
    route = terms.route
    if workspace.scope.livemode and (route is None or method.type != "card"):
        raise processing.not_configured()
    charging.check_owner(intent, method)
    if not payment_methods.is_taken(method.type, intent, intent):
        raise InvalidRequest(
            f"The PaymentMethod provided ({method.type}) is not allowed for this SetupIntent. Name its type "
            "in payment_method_types, or use another one.",
            code="setup_intent_invalid_parameter",
            param="payment_method",
        )
    abandon(workspace, draft, intent)
    behaviour = BEHAVIOURS[method.card.behaviour]
    made = SetupAttempt(
        id=draft.new_id(SetupAttempt.prefix),
        created=draft.moment_s,
        attach_to_self=intent.attach_to_self,
        card=method.card,
        customer=intent.customer,
        flow_directions=intent.flow_directions,
        payment_method=method.id,
        setup_intent=intent.id,
        status="succeeded",
        usage=intent.usage,
        method=method.type,
        on_behalf_of=intent.on_behalf_of,
        order=None if route is None else route.reference,
    )
    intent = msgspec.structs.replace(
        intent, latest_attempt=made.id, last_setup_error=None, payment_method=method.id
    )
    if route is not None:
        if is_new:
            draft.put(method, None)
        _begin(draft, intent, made, route, terms.mandate)
        return
    if method.type != "card":
        _set_up_debit(draft, intent, made, method, terms.mandate)
        return
    is_declined = behaviour.code is not None and not behaviour.attachable
    asks = behaviour.needs_authentication is not None or (
        behaviour.is_enrolled and intent.request_three_d_secure != "automatic"
    )
    if is_declined or asks:
        if is_new:
            draft.put(method, None)
        if is_declined:
            decline(draft, intent, made, behaviour, terms.links)
            return
        intent = _with_mandate(draft, intent, terms.mandate)
        draft.put(msgspec.structs.replace(made, status="requires_action"), None)
        draft.put(challenges.begin(intent, terms.page), "setup_intent.requires_action")
        return
    intent = _with_mandate(draft, intent, terms.mandate)
    succeed(draft, intent, made, method)


def _begin(
    draft: Draft, intent: SetupIntent, made: SetupAttempt, route: Route, mandate: MandateData | None
) -> None:
    """Write what is committed before a processor is asked."""
    intent = _with_mandate(draft, intent, mandate)
    draft.put(msgspec.structs.replace(made, status="processing"), None)
    draft.put(msgspec.structs.replace(intent, status="processing"), "setup_intent.updated")
    processing.open_setup(draft, intent, route)


def _set_up_debit(
    draft: Draft, intent: SetupIntent, made: SetupAttempt, method: PaymentMethod, data: MandateData | None
) -> None:
    """Save a bank account with the mandate by which later debits collect from it."""
    if data is None:
        raise InvalidRequest(
            f"To set up {method.type}, give the customer's acceptance in mandate_data.",
            code="setup_intent_mandate_invalid",
            param="mandate_data",
        )
    types = tuple(dict.fromkeys((*intent.payment_method_types, method.type)))
    intent = msgspec.structs.replace(intent, payment_method_types=types)
    intent = _with_mandate(draft, intent, msgspec.structs.replace(data, method=method.type))
    succeed(draft, intent, made, mandates.remembered(method, intent.mandate))


def authenticate(
    draft: Draft,
    intent: SetupIntent,
    waiting: SetupAttempt,
    method: PaymentMethod,
    *,
    succeeds: bool,
    links: ErrorLinks,
) -> None:
    """Write the cardholder's answer, and what follows from it."""
    if succeeds:
        authenticated = msgspec.structs.replace(waiting, three_d_secure="authenticated")
        succeed(draft, intent, authenticated, method)
        return
    error = SetupError(
        code="setup_intent_authentication_failure",
        message="The payment method could not be authenticated. Try another one.",
        payment_method=method.id,
        type="invalid_request_error",
    )
    _fail(draft, intent, msgspec.structs.replace(waiting, three_d_secure="failed"), links.added_to(error))


def abandon(workspace: Workspace, draft: Draft, intent: SetupIntent) -> None:
    """Write that an attempt which still waits for the cardholder will have no answer."""
    waiting = waiting_attempt(workspace, intent)
    if waiting is not None:
        draft.put(msgspec.structs.replace(waiting, status="abandoned"), None)


def waiting_attempt(workspace: Workspace, intent: SetupIntent) -> SetupAttempt | None:
    """Return the attempt that waits for the cardholder, if there is one."""
    latest = None if intent.latest_attempt is None else workspace.find(intent.latest_attempt)
    return latest if isinstance(latest, SetupAttempt) and latest.status == "requires_action" else None


def succeed(draft: Draft, intent: SetupIntent, made: SetupAttempt, method: PaymentMethod) -> None:
    """Write a payment method that is set up, and save it to the customer."""
    payment_methods.save(draft, method, intent.customer, is_set_up=intent.usage == "off_session")
    draft.put(msgspec.structs.replace(made, status="succeeded"), None)
    draft.put(msgspec.structs.replace(intent, status="succeeded"), "setup_intent.succeeded")


def decline(
    draft: Draft, intent: SetupIntent, made: SetupAttempt, behaviour: Behaviour, links: ErrorLinks
) -> None:
    """Write that the payment method was not set up, and answer with the error."""
    assert behaviour.code is not None
    error = SetupError(
        code=behaviour.code,
        message=behaviour.message,
        decline_code=behaviour.decline_code,
        param=behaviour.param,
        payment_method=made.payment_method,
    )
    _fail(draft, intent, made, links.added_to(error))
    draft.fail(
        CardDeclined(
            behaviour.message, code=behaviour.code, decline_code=behaviour.decline_code, param=behaviour.param
        ),
        payment_method=made.payment_method,
        setup_intent=intent.id,
    )


def _fail(draft: Draft, intent: SetupIntent, made: SetupAttempt, error: SetupError) -> None:
    draft.put(msgspec.structs.replace(made, status="failed", setup_error=error), None)
    failed = msgspec.structs.replace(
        intent,
        status="requires_payment_method",
        last_setup_error=error,
        mandate=None,
        payment_method=None,
        single_use_mandate=None,
    )
    draft.put(failed, "setup_intent.setup_failed")


def _with_mandate(draft: Draft, intent: SetupIntent, data: MandateData | None) -> SetupIntent:
    """Return the setup with a mandate, if the customer has accepted one."""
    if data is None:
        return intent
    assert intent.payment_method is not None
    mandate = mandates.accept(draft, data, intent.payment_method, on_behalf_of=intent.on_behalf_of)
    if mandate.type == "single_use":
        return msgspec.structs.replace(intent, single_use_mandate=mandate.id)
    return msgspec.structs.replace(intent, mandate=mandate.id)
