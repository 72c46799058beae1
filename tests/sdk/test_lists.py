"""Lists, their pages, filters and what is shown whole in them."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant

COUNT = 27


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Iterator[stripe.StripeClient]:
    """A client of a tenant with payments, every third one a customer's."""
    transport = stripe.RequestsClient()
    client = stripe.StripeClient(
        make_tenant(server.database_url).secret, base_addresses={"api": server.url}, http_client=transport
    )
    customer = client.v1.customers.create({"name": "Ada"})
    for number in range(COUNT):
        intent = client.v1.payment_intents.create(
            {
                "amount": 1000 + number,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": True,
            }
            if number % 3
            else {
                "amount": 1000 + number,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": True,
                "customer": customer.id,
            }
        )
        assert intent.status == "succeeded"
    yield client
    transport.close()  # type: ignore[no-untyped-call]  # theirs


def amounts(page: stripe.ListObject[stripe.PaymentIntent]) -> list[int]:
    return [intent.amount for intent in page.data]


def test_a_list_shows_the_newest_first(shop: stripe.StripeClient) -> None:
    page = shop.v1.payment_intents.list()
    assert page.to_dict()["object"] == "list"
    assert (page.url, page.has_more) == ("/v1/payment_intents", True)
    assert amounts(page) == list(range(1026, 1016, -1))
    assert amounts(shop.v1.payment_intents.list({"limit": 100})) == list(range(1026, 999, -1))
    assert shop.v1.payment_intents.list({"limit": 100}).has_more is False


def test_pages_follow_each_other_to_the_end(shop: stripe.StripeClient) -> None:
    found = [intent.amount for intent in shop.v1.payment_intents.list({"limit": 10}).auto_paging_iter()]
    assert found == list(range(1026, 999, -1))


def test_pages_follow_each_other_back(shop: stripe.StripeClient) -> None:
    oldest = shop.v1.payment_intents.list({"limit": 100}).data[-1]
    page = shop.v1.payment_intents.list({"limit": 10, "ending_before": oldest.id})
    assert amounts(page) == list(range(1010, 1000, -1))
    # The client walks such pages from their older end, so that the whole is in the order of creation.
    assert [intent.amount for intent in page.auto_paging_iter()] == list(range(1001, 1027))


def test_a_page_of_exactly_what_is_left_is_the_last(shop: stripe.StripeClient) -> None:
    whole = shop.v1.payment_intents.list({"limit": 100}).data
    page = shop.v1.payment_intents.list({"limit": 7, "starting_after": whole[19].id})
    assert (amounts(page), page.has_more) == (list(range(1006, 999, -1)), False)
    page = shop.v1.payment_intents.list({"limit": 7, "ending_before": whole[7].id})
    assert (amounts(page), page.has_more) == (list(range(1026, 1019, -1)), False)
    page = shop.v1.payment_intents.list({"limit": 7, "ending_before": whole[8].id})
    assert (amounts(page), page.has_more) == (list(range(1025, 1018, -1)), True)


def test_lists_are_filtered_by_moment(shop: stripe.StripeClient) -> None:
    whole = shop.v1.payment_intents.list({"limit": 100}).data
    moments = [intent.created for intent in whole]
    for border in {min(moments), moments[13], max(moments)}:
        for name, kept in (
            ("gt", [moment for moment in moments if moment > border]),
            ("gte", [moment for moment in moments if moment >= border]),
            ("lt", [moment for moment in moments if moment < border]),
            ("lte", [moment for moment in moments if moment <= border]),
        ):
            created: Any = {name: border}
            page = shop.v1.payment_intents.list({"limit": 100, "created": created})
            assert [intent.created for intent in page.data] == kept
        page = shop.v1.payment_intents.list({"limit": 100, "created": border})
        assert [intent.created for intent in page.data] == [moment for moment in moments if moment == border]
    page = shop.v1.payment_intents.list({"created": {"gte": min(moments), "lt": min(moments)}})
    assert (page.data, page.has_more) == ([], False)


def test_lists_are_filtered_by_customer(shop: stripe.StripeClient) -> None:
    customer = shop.v1.customers.list().data[0]
    page = shop.v1.payment_intents.list({"customer": customer.id, "limit": 5})
    assert amounts(page) == [1024, 1021, 1018, 1015, 1012]
    assert [intent.amount for intent in page.auto_paging_iter()] == list(range(1024, 999, -3))
    charges = shop.v1.charges.list({"customer": customer.id, "limit": 100}).data
    assert [charge.amount for charge in charges] == list(range(1024, 999, -3))
    assert shop.v1.payment_methods.list({"customer": customer.id}).data == []


def test_references_are_shown_whole_in_lists(shop: stripe.StripeClient) -> None:
    page = shop.v1.payment_intents.list(
        {"limit": 4, "expand": ["data.customer", "data.latest_charge.balance_transaction"]}
    )
    for intent in page.data:
        assert isinstance(intent.latest_charge, stripe.Charge)
        assert isinstance(intent.latest_charge.balance_transaction, stripe.BalanceTransaction)
        assert intent.latest_charge.balance_transaction.amount == intent.amount
        assert intent.latest_charge.balance_transaction.source == intent.latest_charge.id
    customers = [intent.customer for intent in page.data]
    assert [isinstance(customer, stripe.Customer) for customer in customers] == [False, False, True, False]
    assert [customer for customer in customers if not isinstance(customer, stripe.Customer)] == [None] * 3


def test_references_are_shown_whole_in_one_object(shop: stripe.StripeClient) -> None:
    named = shop.v1.payment_intents.list({"limit": 3}).data[2]
    whole = shop.v1.payment_intents.retrieve(
        named.id, {"expand": ["customer", "latest_charge.balance_transaction", "payment_method"]}
    )
    assert isinstance(whole.customer, stripe.Customer)
    assert (whole.customer.id, whole.customer.name) == (named.customer, "Ada")
    assert isinstance(whole.payment_method, stripe.PaymentMethod)
    assert whole.payment_method.id == named.payment_method
    assert isinstance(whole.latest_charge, stripe.Charge)
    assert whole.latest_charge.id == named.latest_charge
    assert isinstance(whole.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert shop.v1.payment_intents.retrieve(named.id).to_dict() == named.to_dict()


def test_a_charge_shows_its_refunds_and_a_transaction_its_source(shop: stripe.StripeClient) -> None:
    intent = shop.v1.payment_intents.list({"limit": 1}).data[0]
    before = shop.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]})
    assert before.refunds is not None
    refund = shop.v1.refunds.create({"payment_intent": intent.id, "amount": 1, "expand": ["charge"]})
    assert isinstance(refund.charge, stripe.Charge)
    after = shop.v1.charges.retrieve(refund.charge.id, {"expand": ["refunds"]})
    assert after.refunds is not None
    assert [found.id for found in after.refunds.data] == [refund.id, *(old.id for old in before.refunds.data)]
    moved = shop.v1.balance_transactions.retrieve(str(refund.balance_transaction), {"expand": ["source"]})
    assert isinstance(moved.source, stripe.Refund)
    assert moved.source.id == refund.id


@pytest.mark.parametrize("path", ["nothing", "customer.nothing", "data.customer", "id", ""])
def test_a_path_that_leads_nowhere_is_refused(shop: stripe.StripeClient, path: str) -> None:
    named = shop.v1.payment_intents.list({"limit": 1}).data[0]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.payment_intents.retrieve(named.id, {"expand": [path]})
    assert (refused.value.http_status, str(refused.value.param)[:6]) == (400, "expand")
