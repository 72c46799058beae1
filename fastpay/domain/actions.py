"""Live payments and setups that wait for their cardholder, who authenticates on a page of the processor.

    processing -> requires_action, with the page -> what the processor says then (see outcomes.py)

The attempt stays open with its hold: nobody here knows what the cardholder does, until the processor says it.
So nothing else is attempted meanwhile, and the payment is canceled only once the processor has ended it.
"""

import msgspec

from fastpay.domain import live_setups
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.plan import Draft, OnObject, Workspace
from fastpay.domain.processor_objects import Attempt
from fastpay.errors import UnexpectedState


class AwaitAction(OnObject, frozen=True, gc=False, kw_only=True):
    """Let a payment or a setup wait for its cardholder, who authenticates on a page of the processor."""

    page: str
    processor_id: str | None = None

    def needs(self, workspace: Workspace) -> list[str]:
        """Return the identifiers to load."""
        attempt = workspace.find(self.id)
        if not isinstance(attempt, Attempt):
            return [self.id]
        if attempt.setup_intent is not None:
            return [*live_setups.needs(workspace, attempt)]
        return [self.id, attempt.payment]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the page. Raises: UnexpectedState if the attempt is not open, or waits there already."""
        attempt = workspace.require(Attempt, self.id)
        if attempt.setup_intent is not None:
            return self._await_setup(workspace, draft, attempt)
        intent = workspace.require(PaymentIntent, attempt.payment)
        waits = (intent.status, intent.challenge_url) == ("requires_action", self.page)
        if attempt.status != "open" or attempt.operation != "authorize" or waits:
            raise UnexpectedState(f"This attempt is {attempt.status}, and its payment {intent.status}.")
        self._note(draft, attempt)
        waiting = msgspec.structs.replace(intent, status="requires_action", challenge_url=self.page)
        draft.put(waiting, "payment_intent.requires_action")
        return intent.id

    def _await_setup(self, workspace: Workspace, draft: Draft, attempt: Attempt) -> str:
        """Write the page of a setup. Raises: UnexpectedState as `execute`."""
        found = live_setups.waiting(workspace, attempt)
        shown = None if found is None else (found[0].status, found[0].challenge_url)
        if attempt.status != "open" or found is None or shown == ("requires_action", self.page):
            raise UnexpectedState(f"This attempt is {attempt.status}, and its setup {shown}.")
        intent, made = found
        self._note(draft, attempt)
        draft.put(msgspec.structs.replace(made, status="requires_action"), None)
        waiting = msgspec.structs.replace(intent, status="requires_action", challenge_url=self.page)
        draft.put(waiting, "setup_intent.requires_action")
        return intent.id

    def _note(self, draft: Draft, attempt: Attempt) -> None:
        noted = msgspec.structs.replace(attempt, processor_id=self.processor_id or attempt.processor_id)
        draft.put(noted, "attempt.updated")
