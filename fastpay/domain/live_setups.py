"""What becomes of a live setup intent, once its processor has said it.

    processing -> (requires_action) -> succeeded, and the processor keeps the card
                                    -> requires_payment_method

No money moves. So what is said of an attempt that has ended changes nothing, and neither does what is said of
one that is not the latest of its setup intent, or of a setup intent that was canceled meanwhile.
"""

from collections.abc import Iterable

import msgspec

from fastpay.domain import setting_up
from fastpay.domain.cards import Behaviour
from fastpay.domain.error_links import ErrorLinks
from fastpay.domain.objects import PaymentMethod
from fastpay.domain.plan import Draft, Workspace
from fastpay.domain.processor_objects import Attempt, Result
from fastpay.domain.setup_objects import SetupAttempt, SetupIntent
from fastpay.errors import UnexpectedState

_WAITING = frozenset(("processing", "requires_action"))
_NOT_KEPT = Result(status="refused", reason="the processor has not named a card that it keeps")


def needs(workspace: Workspace, attempt: Attempt) -> Iterable[str]:
    """Return what is needed to end the attempt of a setup, as far as it is known."""
    assert attempt.setup_intent is not None
    intent = workspace.find(attempt.setup_intent)
    latest = intent.latest_attempt if isinstance(intent, SetupIntent) else None
    named = (attempt.id, attempt.setup_intent, attempt.payment_method, latest)
    return [name for name in named if name is not None]


def record(
    workspace: Workspace,
    draft: Draft,
    attempt: Attempt,
    result: Result,
    behaviour: Behaviour,
    links: ErrorLinks,
) -> None:
    """End the attempt of a setup, and the setup with it. Raises: UnexpectedState if it has ended."""
    if attempt.status != "open":
        raise UnexpectedState(f"This attempt has ended: {attempt.status}.")
    ended = msgspec.structs.replace(
        attempt,
        status=result.status,
        due_at=None,
        processor_id=result.processor_id or attempt.processor_id,
        code=result.code,
        decline_code=result.decline_code,
        reason=result.reason,
    )
    draft.put(ended, "attempt.updated")
    found = waiting(workspace, attempt)
    if found is None:
        return
    intent, made = found
    if intent.status == "requires_action":
        answer = "authenticated" if result.status == "approved" else "failed"
        made = msgspec.structs.replace(made, three_d_secure=answer)
    if behaviour.code is not None:
        setting_up.decline(draft, intent, made, behaviour, links)
        return
    setting_up.succeed(draft, intent, made, workspace.require(PaymentMethod, attempt.payment_method))


def usable(result: Result) -> Result:
    """Return the outcome of a setup. An approval that names no card which is kept is good for nothing."""
    return _NOT_KEPT if result.status == "approved" and not result.keeps_card else result


def waiting(workspace: Workspace, attempt: Attempt) -> tuple[SetupIntent, SetupAttempt] | None:
    """Return the setup that waits for this attempt, None if it no longer does."""
    assert attempt.setup_intent is not None
    intent = workspace.require(SetupIntent, attempt.setup_intent)
    if intent.status not in _WAITING or intent.latest_attempt is None:
        return None
    made = workspace.require(SetupAttempt, intent.latest_attempt)
    return (intent, made) if made.order == attempt.id else None
