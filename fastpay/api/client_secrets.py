"""Client secrets: what lets a publishable key, which anybody may have, reach one object."""

import hmac

from msgspec import UNSET, Struct, UnsetType

from fastpay.api.context import Call
from fastpay.domain import kinds
from fastpay.domain.kinds import StoredKind
from fastpay.errors import Forbidden, InvalidRequest


async def check_confirmed(
    call: Call,
    kind: StoredKind,
    params: Struct,
    secret: str | UnsetType,
    not_for_publishable: tuple[str, ...],
) -> None:
    """Let an object be confirmed only with a secret key, or with its client secret.

    Parameters `not_for_publishable` are decided by the merchant, and by no holder of a client secret. The
    client secret never changes, so it may be read before the command is decided.
    Raises: NotFound, Forbidden, InvalidRequest.
    """
    if call.is_publishable:
        for name in not_for_publishable:
            if getattr(params, name) is not UNSET:
                raise Forbidden(f"The parameter {name} needs a secret key.", param=name)
    elif isinstance(secret, UnsetType):
        return
    found = await call.services.reader.get(call.scope, call.arguments["id"])
    shown = None if found is None else found.object
    check(call, kind, secret, shown)
    if call.is_publishable and getattr(shown, "confirmation_method", "automatic") == "manual":
        raise Forbidden(
            "The confirmation_method of this payment_intent is manual: only a secret key can confirm it."
        )


def check(call: Call, kind: StoredKind, secret: str | UnsetType, found: Struct | None) -> None:
    """Check the client secret of an object of this kind, None if there is no object.

    Raises: NotFound for a wrong one, InvalidRequest if a publishable key comes without one.
    """
    if isinstance(secret, UnsetType):
        if not call.is_publishable:
            return
        raise InvalidRequest(
            f"With a publishable key, give the client secret of the {kind.noun}.",
            code="parameter_missing",
            param="client_secret",
        )
    expected = getattr(found, "client_secret", "") if isinstance(found, kind.struct) else ""
    if not hmac.compare_digest(expected.encode(), secret.encode()):
        raise kinds.absent(kind, call.arguments["id"])
