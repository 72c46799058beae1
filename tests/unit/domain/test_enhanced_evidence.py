"""Programs of card networks: which disputes are eligible, what is missing, what must be acknowledged."""

from typing import Any

import msgspec
import pytest

from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.dispute_responses import UpdateDispute
from tests.support.world import World, of_type

BUYER = {"customer_purchase_ip": "192.0.2.1", "customer_email_address": "ada@example.com"}
COMPELLING = "visa_compelling_evidence_3"


def disputed(world: World, name: str) -> Dispute:
    charge = world.charge_of(world.pay(name=name))
    return of_type(world.objects[charge.dispute or ""].object, Dispute)


def respond(world: World, dispute: Dispute, enhanced: dict[str, Any], **more: Any) -> Dispute:
    given = msgspec.json.encode(enhanced).decode()
    return of_type(world.do(UpdateDispute(id=dispute.id, enhanced=given, **more)), Dispute)


def test_only_some_disputes_are_eligible() -> None:
    world = World()
    assert disputed(world, "createDispute").enhanced_eligibility_types == ()
    assert disputed(world, "createCe3EligibleDispute").enhanced_eligibility_types == (COMPELLING,)
    assert disputed(world, "createComplianceDispute").enhanced_eligibility_types == ("visa_compliance",)
    ordinary = UpdateDispute(id=disputed(world, "createDispute").id, enhanced=f'{{"{COMPELLING}":{{}}}}')
    assert world.refused(ordinary).param == f"evidence[enhanced_evidence][{COMPELLING}]"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, []),
        ({"customer_email_address": None}, ["missing_customer_identifiers"]),
        ({"product_description": None}, ["missing_disputed_transaction_description"]),
        ({"merchandise_or_services": None}, ["missing_merchandise_or_services"]),
    ],
)
def test_compelling_evidence_says_what_is_missing(change: dict[str, Any], missing: list[str]) -> None:
    world = World()
    dispute = disputed(world, "createCe3EligibleDispute")
    assert len(msgspec.json.decode(dispute.enhanced_eligibility)[COMPELLING]["required_actions"]) == 4
    charges = [world.charge_of(world.pay()).id for _ in range(2)]
    prior = [{"charge": one, "product_description": "A book", **BUYER} for one in charges]
    about = {"product_description": "A book", "merchandise_or_services": "merchandise", **BUYER, **change}
    evidence = {COMPELLING: {"disputed_transaction": about, "prior_undisputed_transactions": prior}}
    changed = respond(world, dispute, evidence, submit=False, prior_charges=tuple(charges))
    assert msgspec.json.decode(changed.enhanced_eligibility)[COMPELLING] == {
        "required_actions": missing,
        "status": "requires_action" if missing else "qualified",
    }
    assert (changed.has_evidence, changed.status) == (True, "needs_response")
    unknown = UpdateDispute(id=dispute.id, enhanced="{}", prior_charges=("ch_" + "0" * 32,))
    assert (world.refused(unknown).param or "").endswith("[0][charge]")
    world.check()


def test_an_answer_to_a_compliance_dispute_needs_its_fee_acknowledged() -> None:
    world = World()
    dispute = disputed(world, "createComplianceDispute")
    text = {"uncategorized_text": "winning_evidence"}
    refused = world.refused(UpdateDispute(id=dispute.id, evidence=text))
    assert refused.param == "evidence[enhanced_evidence][visa_compliance][fee_acknowledged]"
    won = respond(world, dispute, {"visa_compliance": {"fee_acknowledged": True}}, evidence=text)
    assert won.status == "won"
    assert msgspec.json.decode(won.enhanced_eligibility) == {
        "visa_compliance": {"status": "fee_acknowledged"}
    }
    world.check()
