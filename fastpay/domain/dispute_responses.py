"""Commands on disputes that are there: the evidence against them, and how they end.

`disputes.py` has their life cycle, and what they do to the balance. In test mode the evidence decides.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay import limits
from fastpay.domain import disputes, enhanced_evidence
from fastpay.domain import metadata as metadata_rules
from fastpay.domain.dispute_objects import AWAITS_EVIDENCE, INQUIRIES, OPEN, Dispute
from fastpay.domain.objects import Charge
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest

# What decides a dispute in test mode, in `uncategorized_text`. Source: the dialect's testing documentation.
WINNING, LOSING, ESCALATING = "winning_evidence", "losing_evidence", "escalate_inquiry_evidence"

_PRIOR = "evidence[enhanced_evidence][visa_compelling_evidence_3][prior_undisputed_transactions]"


class UpdateDispute(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Add evidence, and submit it if `submit` is set. `metadata` None clears all of it.

    A text of None is removed. `submit` None submits if there is evidence in the request. `enhanced` is
    evidence for programs of the network, as JSON, which names the charges `prior_charges`.
    """

    id: str
    evidence: Mapping[str, str | None] = {}
    metadata: Mapping[str, str] | None = {}
    submit: bool | None = None
    enhanced: str | None = None
    prior_charges: tuple[str, ...] = ()

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (*disputes.dispute_needs(workspace, self.id), *self.prior_charges)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the changed dispute. The documented texts decide it."""
        dispute = workspace.require(Dispute, self.id)
        is_given = bool(self.evidence) or self.enhanced is not None
        submits = is_given if self.submit is None else self.submit
        if is_given or submits:
            _check_awaits_evidence(dispute)
        if self.enhanced is not None:
            for place, charge in enumerate(self.prior_charges):
                workspace.require(Charge, charge, param=f"{_PRIOR}[{place}][charge]")
            dispute = enhanced_evidence.added(dispute, self.enhanced)
        evidence = msgspec.structs.replace(dispute.evidence, **self.evidence)
        texts = [text for text in msgspec.structs.astuple(evidence) if text is not None]
        if sum(map(len, texts)) > limits.evidence_chars_max:
            raise InvalidRequest(
                f"All evidence together can have at most {limits.evidence_chars_max} characters.",
                param="evidence",
            )
        changed = msgspec.structs.replace(
            dispute,
            evidence=evidence,
            has_evidence=bool(texts) or dispute.enhanced_evidence != "{}",
            metadata=metadata_rules.merge(dispute.metadata, self.metadata),
        )
        if not submits:
            draft.put(changed, "charge.dispute.updated")
            return dispute.id
        if not changed.has_evidence:
            raise InvalidRequest("There is no evidence to submit.", param="evidence")
        enhanced_evidence.check_acknowledged(changed)
        _submit(workspace, draft, changed)
        return dispute.id


class CloseDispute(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Accept a dispute. It is lost."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return disputes.dispute_needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the end of the dispute."""
        dispute = workspace.require(Dispute, self.id)
        _check_awaits_evidence(dispute)
        draft.put(disputes.lose(draft, dispute), "charge.dispute.closed")
        return dispute.id


class ExpireDispute(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Lose a dispute that nobody responded to in time. The expiry task sends this command."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return disputes.dispute_needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the end of the dispute. Do nothing if it is under review, decided or not due."""
        dispute = workspace.require(Dispute, self.id)
        if dispute.changes_at is not None and draft.moment_s >= dispute.changes_at:
            draft.put(disputes.lose(draft, dispute), "charge.dispute.closed")
        return dispute.id


def _check_awaits_evidence(dispute: Dispute) -> None:
    if dispute.status not in OPEN:
        raise InvalidRequest("This dispute is already closed")
    if dispute.status not in AWAITS_EVIDENCE:
        raise InvalidRequest(
            f"Dispute {dispute.id} is under review: evidence was submitted, which is possible only once."
        )


def _submit(workspace: Workspace, draft: Draft, dispute: Dispute) -> None:
    """Write a dispute whose evidence is submitted, and what follows from the documented texts."""
    is_inquiry = dispute.status in INQUIRIES
    submitted = msgspec.structs.replace(
        dispute,
        status="warning_under_review" if is_inquiry else "under_review",
        changes_at=None,
        is_submitted=True,
        submission_count=dispute.submission_count + 1,
    )
    text = dispute.evidence.uncategorized_text
    if text == ESCALATING and is_inquiry:
        _escalate(workspace, draft, submitted)
    elif text == WINNING and not is_inquiry:
        draft.put(disputes.win(draft, submitted), "charge.dispute.updated")
        draft.announce("charge.dispute.funds_reinstated", dispute.id)
        draft.announce("charge.dispute.closed", dispute.id)
    elif text in {WINNING, LOSING}:
        draft.put(disputes.lose(draft, submitted), "charge.dispute.updated")
        draft.announce("charge.dispute.closed", dispute.id)
    else:
        draft.put(submitted, "charge.dispute.updated")


def _escalate(workspace: Workspace, draft: Draft, inquiry: Dispute) -> None:
    """Turn an inquiry into a chargeback of what is not refunded. Close it if nothing is left."""
    charge = workspace.find(inquiry.charge)
    assert isinstance(charge, Charge)
    others = [one for one in disputes.of_charge(workspace, charge) if one.id != inquiry.id]
    amount = min(inquiry.amount, disputes.disputable(charge, others))
    if amount == 0:
        draft.put(disputes.lose(draft, inquiry), "charge.dispute.updated")
        draft.announce("charge.dispute.closed", inquiry.id)
        return
    chargeback = msgspec.structs.replace(
        inquiry, amount=amount, case_type="chargeback", changes_at=inquiry.due_by
    )
    draft.put(disputes.withdraw(workspace, draft, chargeback), "charge.dispute.updated")
    draft.announce("charge.dispute.funds_withdrawn", inquiry.id)
