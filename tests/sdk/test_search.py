"""Searches through the official SDK."""

import itertools

import pytest
import stripe


def pay(client: stripe.StripeClient, amount: int, **more: object) -> stripe.PaymentIntent:
    """Make a payment that succeeds."""
    params = {"amount": amount, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, **more}
    return client.v1.payment_intents.create(params)  # type: ignore[arg-type]


def intents(client: stripe.StripeClient, query: str) -> list[str]:
    """Return the identifiers of the payment intents that a query finds."""
    return [found.id for found in client.v1.payment_intents.search({"query": query}).data]


def charges(client: stripe.StripeClient, query: str) -> list[str | None]:
    """Return the payment intents of the charges that a query finds."""
    found = client.v1.charges.search({"query": query}).data
    return [str(charge.payment_intent) for charge in found]


def test_payments_are_found_by_every_field_that_the_dialect_names(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    small = pay(client, 1000, metadata={"order": "A-1"}).id
    large = pay(client, 250_000, currency="eur", customer=customer.id).id
    waiting = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"}).id
    assert intents(client, "amount>999 AND metadata['order']:'a-1'") == [small]
    assert intents(client, "amount:1000") == [waiting, small]
    assert intents(client, "amount>1000 amount<=250000") == [large]
    assert intents(client, "-currency:'usd'") == [large]
    assert intents(client, f"customer:'{customer.id}'") == [large]
    assert intents(client, "customer:null") == [waiting, small]
    assert intents(client, "status:'succeeded'") == [large, small]
    assert intents(client, "status:'requires_payment_method' OR -metadata['order']:null") == [waiting, small]
    created = client.v1.payment_intents.retrieve(small).created
    assert intents(client, f"created>={created} AND created<{created + 600}") == [waiting, large, small]
    assert intents(client, f"created<{created}") == []


def test_charges_are_found_by_what_their_cards_tell(client: stripe.StripeClient) -> None:
    visa = pay(client, 1000).id
    method = client.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"token": "tok_amex"},
            "billing_details": {"address": {"postal_code": "SW1A 1AA"}},
        }
    )
    amex = pay(client, 2000, payment_method=method.id).id
    card = "payment_method_details.card."
    assert method.card is not None
    for query in (
        f"{card}brand:'amex'",
        f"{card}last4:{method.card.last4}",
        f"{card}last4:'{method.card.last4}' AND {card}exp_month:{method.card.exp_month}",
        f"{card}fingerprint:'{method.card.fingerprint}'",
        "billing_details.address.postal_code:'sw1a 1aa'",
        "-billing_details.address.postal_code:null",
    ):
        assert charges(client, query) == [amex], query
    assert charges(client, "refunded:'true'") == []
    client.v1.refunds.create({"payment_intent": visa})
    assert charges(client, "refunded:'true'") == [visa]
    assert charges(client, "refunded:false disputed:false") == [amex]


def test_charges_are_found_by_whether_they_are_disputed(client: stripe.StripeClient) -> None:
    calm = pay(client, 1000)
    at_once = pay(client, 2000, payment_method="pm_card_createDispute").id
    assert charges(client, "disputed:'true'") == [at_once]
    assert charges(client, "disputed:'false'") == [calm.id]
    # The charge was indexed as undisputed before.
    client.raw_request("post", f"/v1/test_helpers/charges/{calm.latest_charge}/dispute")
    assert charges(client, "disputed:'true'") == [at_once, calm.id]
    assert charges(client, "-disputed:'true'") == []


def test_a_search_sees_what_was_just_written(client: stripe.StripeClient) -> None:
    for number in range(5):
        query = f'metadata["order"]:"{number}"'
        assert intents(client, query) == []
        made = pay(client, 500, metadata={"order": str(number)}).id
        assert intents(client, query) == [made]
        client.v1.payment_intents.update(made, {"metadata": {"order": "shipped"}})
        assert intents(client, query) == []


def test_the_client_turns_the_pages_of_a_search(client: stripe.StripeClient) -> None:
    made = [pay(client, 500 + number).id for number in range(7)]
    pay(client, 9_000)
    page = client.v1.payment_intents.search({"query": "amount<1000", "limit": 3, "expand": ["total_count"]})
    shown = page.to_dict()
    assert (len(page.data), page.has_more, shown["total_count"]) == (3, True, 7)
    assert [found.id for found in page.auto_paging_iter()] == made[::-1]
    expanded = client.v1.charges.search({"query": "amount<1000", "expand": ["data.payment_intent"]})
    for charge in itertools.islice(expanded.auto_paging_iter(), 2):
        assert isinstance(charge.payment_intent, stripe.PaymentIntent)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("amount", 7),
        ("amount>'x'", 8),
        ("amount:1000 AND status:'a' OR status:'b'", 31),
        ("amount~100", 7),
        ("name:'Ada'", 1),
        ("status>'a'", 7),
        ("status:null", 8),
        ("status:'succeeded", 18),
        ("metadata['k']~'ab'", 15),
    ],
)
def test_a_query_outside_the_language_is_told_where(
    client: stripe.StripeClient, query: str, place: int
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.search({"query": query})
    assert (refused.value.http_status, refused.value.param) == (400, "query")
    assert f"at character {place} " in str(refused.value)
