"""Webhook endpoints through the SDK: made, changed, listed, deleted, and a secret that is shown once."""

import base64
from typing import Any

import pytest
import stripe

URL = "https://shop.example/webhooks"


def make(client: stripe.StripeClient, **more: Any) -> stripe.WebhookEndpoint:
    params: Any = {"url": URL, "enabled_events": ["charge.succeeded", "payment_intent.*"]} | more
    return client.v1.webhook_endpoints.create(params)


def test_a_new_endpoint_shows_its_secret_and_no_later_answer_does(client: stripe.StripeClient) -> None:
    made = make(client, description="orders", metadata={"team": "shop"}, api_version="2024-06-20")
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert len(base64.b64decode(made.secret.removeprefix("whsec_"), validate=True)) == 32
    assert (made.status, made.url, made.description) == ("enabled", URL, "orders")
    assert made.enabled_events == ["charge.succeeded", "payment_intent.*"]
    found = client.v1.webhook_endpoints.retrieve(made.id)
    changed = client.v1.webhook_endpoints.update(made.id, {"description": "all"})
    listed = client.v1.webhook_endpoints.list().data[0]
    for shown in (found, changed, listed):
        assert "secret" not in shown
    assert (changed.description, listed.id) == ("all", made.id)
    assert changed.to_dict()["metadata"] == {"team": "shop"}
    # How far deliveries are is for reads alone: an answer to a POST can be replayed.
    known = {name: value for name, value in made.to_dict().items() if name != "fastpay"}
    assert {**found.to_dict(), **known}.keys() == made.to_dict().keys()
    assert {name: found.to_dict().get(name, made.secret) for name in known} == known


def test_each_endpoint_has_a_secret_of_its_own(
    client: stripe.StripeClient, other: stripe.StripeClient
) -> None:
    secrets = {make(one).secret for one in (client, client, other)}
    assert len(secrets) == 3


def test_a_repeated_request_shows_the_same_secret(client: stripe.StripeClient) -> None:
    params: Any = {"url": URL, "enabled_events": ["*"]}
    first = client.v1.webhook_endpoints.create(params, {"idempotency_key": "made-once"})
    client.v1.webhook_endpoints.update(first.id, {"description": "changed since"})
    again = client.v1.webhook_endpoints.create(params, {"idempotency_key": "made-once"})
    assert again.to_dict() == first.to_dict()
    assert len(client.v1.webhook_endpoints.list().data) == 1


def test_an_endpoint_is_disabled_enabled_and_deleted(client: stripe.StripeClient) -> None:
    made = make(client)
    assert client.v1.webhook_endpoints.update(made.id, {"disabled": True}).status == "disabled"
    assert client.v1.webhook_endpoints.update(made.id, {"disabled": False}).status == "enabled"
    deleted = client.v1.webhook_endpoints.delete(made.id)
    assert deleted.to_dict() == {"id": made.id, "object": "webhook_endpoint", "deleted": True}
    assert client.v1.webhook_endpoints.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match=f"No such webhook endpoint: '{made.id}'"):
        client.v1.webhook_endpoints.retrieve(made.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint"):
        client.v1.webhook_endpoints.update(made.id, {"description": "late"})


def test_an_endpoint_of_another_tenant_is_not_there(
    client: stripe.StripeClient, other: stripe.StripeClient
) -> None:
    made = make(client)
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint") as caught:
        other.v1.webhook_endpoints.retrieve(made.id)
    assert caught.value.http_status == 404


def test_a_list_has_pages(client: stripe.StripeClient) -> None:
    made = [make(client).id for _ in range(3)]
    page = client.v1.webhook_endpoints.list({"limit": 2})
    assert page.has_more
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
