"""Customers: made, changed, found and forgotten through the official client."""

import pytest
import stripe


def test_a_customer_is_kept_as_given(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create(
        {
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "phone": "+41 31 000 00 00",
            "description": "Regular",
            "address": {"line1": "Gasse 1", "city": "Bern", "country": "CH", "postal_code": "3000"},
            "shipping": {"name": "Ada", "address": {"line1": "Gasse 1", "city": "Bern"}},
            "preferred_locales": ["de", "fr"],
            "metadata": {"vip": "yes"},
        }
    )
    assert customer.id.startswith("cus_")
    assert (customer.object, customer.livemode, customer.balance) == ("customer", False, 0)
    assert (customer.name, customer.email) == ("Ada Lovelace", "ada@example.com")
    assert customer.address is not None
    assert (customer.address.city, customer.address.state) == ("Bern", None)
    assert customer.shipping is not None
    assert customer.preferred_locales == ["de", "fr"]
    assert client.v1.customers.retrieve(customer.id).to_dict() == customer.to_dict()


def test_a_customer_is_changed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada", "email": "a@example.com", "metadata": {"a": "1"}})
    changed = client.v1.customers.update(
        customer.id, {"name": "Bo", "email": "", "metadata": {"b": "2"}, "balance": -500}
    )
    assert (changed.name, changed.email, changed.balance) == ("Bo", None, -500)
    assert changed.to_dict()["metadata"] == {"a": "1", "b": "2"}
    assert client.v1.customers.update(customer.id, {"metadata": ""}).to_dict()["metadata"] == {}
    assert client.v1.customers.retrieve(customer.id).name == "Bo"


def test_a_deleted_customer_is_gone_and_payments_stay(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada", "email": "gone@example.com"})
    intent = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    deleted = client.v1.customers.delete(customer.id)
    assert deleted.to_dict() == {"id": customer.id, "object": "customer", "deleted": True}
    assert client.v1.customers.retrieve(customer.id).to_dict() == deleted.to_dict()
    assert client.v1.customers.list().data == []
    assert client.v1.customers.search({"query": 'email:"gone@example.com"'}).data == []
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.update(customer.id, {"name": "Bo"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 5, "currency": "usd", "customer": customer.id})
    assert refused.value.param == "customer"
    assert client.v1.payment_intents.retrieve(intent.id).customer == customer.id


def test_the_card_of_a_deleted_customer_pays_for_nobody(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.delete(customer.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "payment_method": method.id, "confirm": True}
        )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.payment_methods.list(customer.id)
    assert refused.value.http_status == 404
    assert client.v1.payment_methods.detach(method.id).customer is None


def test_customers_are_listed_by_address(client: stripe.StripeClient) -> None:
    ada = client.v1.customers.create({"email": "ada@example.com"})
    client.v1.customers.create({"email": "bo@example.com"})
    again = client.v1.customers.create({"email": "ada@example.com"})
    found = client.v1.customers.list({"email": "ada@example.com"}).data
    assert [customer.id for customer in found] == [again.id, ada.id]
    assert len(client.v1.customers.list().data) == 3


def test_a_search_sees_what_was_just_written(client: stripe.StripeClient) -> None:
    for number in range(5):
        query = f'email:"reader{number}@example.com" AND metadata["order"]:"{number}"'
        assert client.v1.customers.search({"query": query}).data == []
        made = client.v1.customers.create(
            {"email": f"reader{number}@example.com", "metadata": {"order": str(number)}}
        )
        assert [found.id for found in client.v1.customers.search({"query": query}).data] == [made.id]
        client.v1.customers.update(made.id, {"metadata": {"order": "shipped"}})
        assert client.v1.customers.search({"query": query}).data == []


def test_a_search_combines_conditions(client: stripe.StripeClient) -> None:
    people = {
        name: client.v1.customers.create({"name": name, "email": f"{name[:2].lower()}@example.com"}).id
        for name in ("Ada Lovelace", "Ada Byron", "Grace Hopper")
    }

    def names(query: str) -> list[str | None]:
        return [found.name for found in client.v1.customers.search({"query": query}).data]

    assert names('name~"ada"') == ["Ada Byron", "Ada Lovelace"]
    assert names('name:"ada byron"') == ["Ada Byron"]
    assert names('name~"ada" AND -name~"byron"') == ["Ada Lovelace"]
    assert names('name:"Ada Byron" OR email:"gr@example.com"') == ["Grace Hopper", "Ada Byron"]
    assert names("created>0") == ["Grace Hopper", "Ada Byron", "Ada Lovelace"]
    assert names('metadata["vip"]:null AND name~"grace"') == ["Grace Hopper"]
    assert len(people) == 3


def test_a_search_has_pages(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"name": f"Page {number}"}).id for number in range(5)]
    page = client.v1.customers.search({"query": 'name~"page"', "limit": 2})
    shown = page.to_dict()
    assert (shown["object"], shown["url"], page.has_more) == ("search_result", "/v1/customers/search", True)
    assert page.next_page is not None
    assert [found.id for found in page.auto_paging_iter()] == made[::-1]


@pytest.mark.parametrize("query", ["", "name", 'name="x"', 'nothing:"x"', 'name:"x" AND', 'name:"x', "*"])
def test_a_search_that_means_nothing_is_refused(client: stripe.StripeClient, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.search({"query": query})
    assert (refused.value.http_status, refused.value.param) == (400, "query")
