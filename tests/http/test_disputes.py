"""Disputes over HTTP: the test cards that bring them, evidence, ends, and what they do to the balance."""

from collections.abc import Iterator

import pytest

from fastpay import limits
from tests.support.api import open_client
from tests.support.dialect import deviations
from tests.support.servers import RunningServer, fetch
from tests.support.storefront import AMOUNT, Shop, refused
from tests.support.tenants import Tenant, make_tenant

FEE = 1500


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    made = make_tenant(server.database_url)
    fetch(
        server.database_url,
        f"update book set dispute_fee = {FEE} where tenant_id = '{made.tenant_id}' returning 1",
    )
    return made


@pytest.fixture
def shop(server: RunningServer, tenant: Tenant) -> Iterator[Shop]:
    with open_client(server.url, tenant.secret) as http:
        yield Shop(http)


CREATED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_a_chargeback_comes_with_the_payment_and_withdraws_it_with_its_fee(shop: Shop) -> None:
    dispute = shop.disputed()
    assert deviations(dispute) == []
    assert (dispute["amount"], dispute["status"], dispute["reason"]) == (
        AMOUNT,
        "needs_response",
        "fraudulent",
    )
    assert dispute["payment_method_details"]["card"] == {
        "brand": "visa",
        "case_type": "chargeback",
        "network": "visa",
        "network_reason_code": "10.4",
    }
    assert (dispute["evidence_details"]["due_by"] + 1) % 86_400 == 0
    (withdrawal,) = dispute["balance_transactions"]
    assert (withdrawal["amount"], withdrawal["fee"], withdrawal["net"]) == (-AMOUNT, FEE, -AMOUNT - FEE)
    assert (withdrawal["type"], withdrawal["reporting_category"]) == ("adjustment", "dispute")
    assert [(one["amount"], one["type"]) for one in withdrawal["fee_details"]] == [(FEE, "stripe_fee")]
    assert shop.funds() == (-AMOUNT - FEE, AMOUNT)
    charge = shop.get(f"/v1/charges/{dispute['charge']}")
    assert (charge["disputed"], charge["dispute"], charge["refunded"]) == (True, dispute["id"], False)
    assert shop.events(dispute["id"]) == CREATED
    assert shop.books_are_right()


@pytest.mark.parametrize(
    ("card", "reason", "case_type", "code"),
    [
        ("createDisputeProductNotReceived", "product_not_received", "chargeback", "13.1"),
        ("createCe3EligibleDispute", "fraudulent", "chargeback", "10.4"),
        ("createComplianceDispute", "noncompliant", "compliance", None),
        ("createDisputeInquiry", "general", "inquiry", "10.4"),
    ],
)
def test_each_card_brings_its_dispute(
    shop: Shop, card: str, reason: str, case_type: str, code: str | None
) -> None:
    dispute = shop.disputed(card)
    assert deviations(dispute) == []
    found = dispute["payment_method_details"]["card"]
    assert (dispute["reason"], found["case_type"], found["network_reason_code"]) == (reason, case_type, code)


def test_an_event_of_the_payment_shows_the_charge_as_it_was_before_the_dispute(shop: Shop) -> None:
    charge = shop.pay("createDispute")
    (event,) = shop.get("/v1/events", type="charge.succeeded")["data"]
    assert event["data"]["object"]["id"] == charge
    assert (event["data"]["object"]["disputed"], event["data"]["object"]["dispute"]) == (False, None)


def test_a_card_may_bring_two_disputes_that_share_the_payment(shop: Shop) -> None:
    charge = shop.pay("createMultipleDisputes", amount="1001")
    second, first = shop.get("/v1/disputes", charge=charge)["data"]
    assert (first["amount"], second["amount"]) == (500, 501)
    assert shop.get(f"/v1/charges/{charge}")["dispute"] == second["id"]
    assert shop.respond(first, "winning_evidence")["status"] == "won"
    refused(shop.http.post("/v1/refunds", data={"charge": charge}), 400, "charge_disputed", None)
    assert shop.post(f"/v1/disputes/{second['id']}/close")["status"] == "lost"
    assert shop.funds() == (-501 - FEE, 1001)
    assert shop.books_are_right()


def test_a_payment_of_one_unit_is_disputed_once(shop: Shop) -> None:
    assert shop.dispute_of(shop.pay("createMultipleDisputes", amount="1"))["amount"] == 1


def test_winning_evidence_reinstates_the_funds_and_the_fee(shop: Shop) -> None:
    dispute = shop.disputed()
    won = shop.respond(dispute, "winning_evidence")
    assert deviations(won) == []
    assert (won["status"], won["is_charge_refundable"]) == ("won", True)
    assert won["evidence"]["uncategorized_text"] == "winning_evidence"
    details = won["evidence_details"]
    assert (details["has_evidence"], details["submission_count"], details["submission_method"]) == (
        True,
        1,
        "manual",
    )
    withdrawal, reinstatement = won["balance_transactions"]
    assert withdrawal == dispute["balance_transactions"][0]
    assert (reinstatement["amount"], reinstatement["fee"], reinstatement["net"]) == (
        AMOUNT,
        -FEE,
        AMOUNT + FEE,
    )
    assert shop.funds() == (0, AMOUNT)
    assert shop.events(dispute["id"]) == [
        *CREATED,
        "charge.dispute.updated",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    assert shop.post("/v1/refunds", charge=dispute["charge"])["status"] == "succeeded"
    assert shop.books_are_right()


def test_losing_evidence_loses_the_funds_and_the_fee(shop: Shop) -> None:
    dispute = shop.disputed()
    lost = shop.respond(dispute, "losing_evidence")
    assert (lost["status"], len(lost["balance_transactions"])) == ("lost", 1)
    assert shop.funds() == (-AMOUNT - FEE, AMOUNT)
    assert shop.events(dispute["id"])[2:] == ["charge.dispute.updated", "charge.dispute.closed"]
    refused(shop.http.post("/v1/refunds", data={"charge": lost["charge"]}), 400, "charge_disputed", None)
    assert shop.books_are_right()


def test_other_evidence_is_under_review_and_cannot_be_submitted_again(shop: Shop) -> None:
    reviewed = shop.respond(shop.disputed(), "It was me who bought it, sincerely the cardholder.")
    assert reviewed["status"] == "under_review"
    for path in ("", "/close"):
        form = {} if path else {"evidence[customer_name]": "Ada"}
        refused(shop.http.post(f"/v1/disputes/{reviewed['id']}{path}", data=form), 400, None, None)
    assert shop.post(f"/v1/disputes/{reviewed['id']}", **{"metadata[a]": "1"})["metadata"] == {"a": "1"}


def test_evidence_is_staged_and_submitted_later(shop: Shop) -> None:
    dispute = shop.disputed()
    staged = shop.respond(dispute, "winning_evidence", submit="false")
    assert (staged["status"], staged["evidence_details"]["has_evidence"]) == ("needs_response", True)
    assert staged["evidence_details"]["submission_count"] == 0
    path = f"/v1/disputes/{dispute['id']}"
    named = shop.post(path, **{"evidence[customer_name]": "Ada", "submit": "false"})
    assert named["evidence"]["uncategorized_text"] == "winning_evidence"
    cleared = shop.post(path, **{"evidence[customer_name]": "", "submit": "false"})
    assert cleared["evidence"] == staged["evidence"]
    # What has no evidence submits nothing.
    assert shop.post(path, **{"metadata[a]": "1"})["status"] == "needs_response"
    assert shop.post(path, submit="true")["status"] == "won"


def test_an_inquiry_moves_no_money_and_can_be_refunded(shop: Shop) -> None:
    inquiry = shop.disputed("createDisputeInquiry")
    assert (inquiry["status"], inquiry["is_charge_refundable"]) == ("warning_needs_response", True)
    assert inquiry["balance_transactions"] == []
    assert shop.funds() == (0, AMOUNT)
    shop.post("/v1/refunds", charge=inquiry["charge"], amount="400")
    assert shop.get(f"/v1/disputes/{inquiry['id']}")["is_charge_refundable"]
    shop.post("/v1/refunds", charge=inquiry["charge"])
    assert not shop.get(f"/v1/disputes/{inquiry['id']}")["is_charge_refundable"]
    closed = shop.post(f"/v1/disputes/{inquiry['id']}/close")
    assert closed["status"] == "warning_closed"
    assert shop.events(inquiry["id"]) == [
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
    ]
    assert shop.books_are_right()


@pytest.mark.parametrize("text", ["winning_evidence", "losing_evidence"])
def test_evidence_that_decides_closes_an_inquiry(shop: Shop, text: str) -> None:
    assert shop.respond(shop.disputed("createDisputeInquiry"), text)["status"] == "warning_closed"


def test_an_inquiry_escalates_to_a_chargeback_of_what_is_not_refunded(shop: Shop) -> None:
    inquiry = shop.disputed("createDisputeInquiry")
    shop.post("/v1/refunds", charge=inquiry["charge"], amount="400")
    escalated = shop.respond(inquiry, "escalate_inquiry_evidence")
    assert (escalated["status"], escalated["amount"]) == ("needs_response", 600)
    assert escalated["payment_method_details"]["card"]["case_type"] == "chargeback"
    assert shop.funds() == (-600 - FEE, 600)
    assert shop.events(inquiry["id"]) == [
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
    ]
    assert shop.respond(escalated, "winning_evidence")["status"] == "won"
    assert shop.funds() == (0, 600)
    assert shop.books_are_right()


def test_an_inquiry_about_what_is_refunded_does_not_escalate(shop: Shop) -> None:
    inquiry = shop.disputed("createDisputeInquiry")
    shop.post("/v1/refunds", charge=inquiry["charge"])
    assert shop.respond(inquiry, "escalate_inquiry_evidence")["status"] == "warning_closed"


def test_a_dispute_comes_with_the_capture_and_not_before(shop: Shop) -> None:
    for path in ("charge", "intent"):
        charge = shop.pay("createDispute", capture_method="manual")
        assert shop.get("/v1/disputes", charge=charge)["data"] == []
        intent = shop.get(f"/v1/charges/{charge}")["payment_intent"]
        if path == "charge":
            shop.post(f"/v1/charges/{charge}/capture", amount="700")
        else:
            shop.post(f"/v1/payment_intents/{intent}/capture", amount_to_capture="700")
        (dispute,) = shop.get("/v1/disputes", payment_intent=intent)["data"]
        assert dispute["amount"] == 700
    assert shop.books_are_right()


def test_what_a_dispute_did_to_the_balance_is_in_the_list(shop: Shop) -> None:
    won = shop.respond(shop.disputed(), "winning_evidence")
    path = "/v1/balance_transactions"
    both = won["balance_transactions"][::-1]
    assert shop.get(path, source=won["id"])["data"] == both
    assert shop.get(path, type="adjustment")["data"] == both
    assert [shop.get(f"{path}/{one['id']}") for one in both] == both
    expanded = shop.get(f"{path}/{both[0]['id']}", **{"expand[]": "source.charge"})
    assert expanded["source"]["id"] == won["id"]
    assert expanded["source"]["charge"]["dispute"] == won["id"]


def test_disputes_are_listed_filtered_and_expanded(shop: Shop) -> None:
    made = [shop.disputed() for _ in range(3)][::-1]
    assert shop.get("/v1/disputes")["data"] == made
    page = shop.get("/v1/disputes", limit="1", starting_after=made[0]["id"])
    assert (page["data"], page["has_more"]) == ([made[1]], True)
    assert shop.get("/v1/disputes", **{"created[lt]": str(made[2]["created"])})["data"] == []
    expanded = shop.get(
        f"/v1/disputes/{made[0]['id']}", **{"expand[0]": "charge", "expand[1]": "payment_intent"}
    )
    assert (expanded["charge"]["id"], expanded["payment_intent"]["id"]) == (
        made[0]["charge"],
        made[0]["payment_intent"],
    )
    charge = shop.get(f"/v1/charges/{made[0]['charge']}", **{"expand[]": "dispute"})
    assert charge["dispute"] == made[0]


def test_another_tenant_sees_and_changes_none_of_it(server: RunningServer, shop: Shop) -> None:
    dispute = shop.disputed()
    with open_client(server.url, make_tenant(server.database_url).secret) as stranger:
        path = f"/v1/disputes/{dispute['id']}"
        for answer in (
            stranger.get(path),
            stranger.post(path, data={"metadata[a]": "1"}),
            stranger.post(f"{path}/close"),
            stranger.post(f"/v1/test_helpers/charges/{dispute['charge']}/dispute"),
        ):
            assert answer.status_code == 404
        assert stranger.get("/v1/disputes").json()["data"] == []
        assert stranger.get("/v1/disputes", params={"charge": dispute["charge"]}).json()["data"] == []
    assert shop.get(path) == dispute


@pytest.mark.parametrize("card", ["createDispute", "createDisputeInquiry"])
def test_what_is_done_to_a_dispute_is_done_once_and_replayed(shop: Shop, card: str) -> None:
    dispute = shop.disputed(card)
    for path, form in (
        (f"/v1/disputes/{dispute['id']}", {"metadata[a]": "1"}),
        (f"/v1/disputes/{dispute['id']}/close", {}),
    ):
        answers = [
            shop.http.post(path, data=form, headers={"Idempotency-Key": f"{card} {path}"}) for _ in range(2)
        ]
        assert answers[0].content == answers[1].content
        assert answers[1].headers["idempotent-replayed"] == "true"
    assert shop.events(dispute["id"])[-2:] == ["charge.dispute.updated", "charge.dispute.closed"]


BAD: tuple[tuple[dict[str, str], str | None, str | None], ...] = (
    ({"evidence": "text"}, None, "evidence"),
    ({"evidence[nonsense]": "1"}, "parameter_unknown", "evidence[nonsense]"),
    ({"evidence[uncategorized_text]": "x" * 20_001}, None, "evidence[uncategorized_text]"),
    ({"evidence[receipt]": "file_1"}, "resource_missing", "evidence[receipt]"),
    ({"submit": "perhaps"}, None, "submit"),
    ({"submit": "true"}, None, "evidence"),
    ({"status": "won"}, "parameter_unknown", "status"),
)


def test_bad_requests_are_refused_and_change_nothing(shop: Shop) -> None:
    dispute = shop.disputed()
    path = f"/v1/disputes/{dispute['id']}"
    for form, code, param in BAD:
        answer = shop.http.post(path, data=form)
        refused(answer, 400, code, param)
    much = {f"evidence[{name}]": "x" * 20_000 for name in dispute["evidence"] if name not in FILES}
    refused(shop.http.post(path, data=much), 400, None, "evidence")
    assert shop.get(path) == dispute
    shop.post(f"{path}/close")
    for answer in (
        shop.http.post(f"{path}/close"),
        shop.http.post(path, data={"evidence[customer_name]": "Ada"}),
    ):
        assert refused(answer, 400, None, None) == "This dispute is already closed"


FILES = frozenset(
    (
        "cancellation_policy",
        "customer_communication",
        "customer_signature",
        "duplicate_charge_documentation",
        "enhanced_evidence",
        "receipt",
        "refund_policy",
        "service_documentation",
        "shipping_documentation",
        "uncategorized_file",
    )
)


def test_any_charge_can_be_disputed_by_a_test_helper_as_far_as_it_is_not_refunded(shop: Shop) -> None:
    charge = shop.pay("visa")
    helper = f"/v1/test_helpers/charges/{charge}/dispute"
    shop.post("/v1/refunds", charge=charge, amount="400")
    refused(shop.http.post(helper, data={"amount": "601"}), 400, "amount_too_large", "amount")
    first = shop.post(helper, amount="200", reason="duplicate")
    assert (first["amount"], first["reason"], first["status"]) == (200, "duplicate", "needs_response")
    second = shop.post(helper, case_type="inquiry")
    assert (second["amount"], second["status"]) == (400, "warning_needs_response")
    refused(shop.http.post(helper), 400, "amount_too_large", "amount")
    assert shop.respond(first, "winning_evidence")["status"] == "won"
    assert shop.post(helper)["amount"] == 200
    assert shop.books_are_right()


def test_what_was_not_captured_cannot_be_disputed(shop: Shop) -> None:
    charge = shop.pay("visa", capture_method="manual")
    answer = shop.http.post(f"/v1/test_helpers/charges/{charge}/dispute")
    refused(answer, 400, "charge_not_captured", None)


def test_a_charge_has_a_bounded_number_of_disputes(shop: Shop) -> None:
    helper = f"/v1/test_helpers/charges/{shop.pay('visa')}/dispute"
    for _ in range(limits.charge_disputes_max):
        shop.post(helper, amount="1")
    refused(shop.http.post(helper, data={"amount": "1"}), 400, None, None)
