"""Whatever the SDK's annotations call expandable can be expanded here, also where it is always null."""

from collections.abc import Iterator
from typing import Any, ForwardRef

import pytest
import stripe

from fastpay.api.app import RESOURCES
from fastpay.api.layout import When
from fastpay.api.resource import Resource
from tests.support.dialect import arms, class_of

# Of objects in objects in objects only those that have something to expand here can be.
DEPTH_MAX = 1


def expandable_fields(stripe_class: type[Any], path: str = "") -> Iterator[str]:
    """Yield the fields that are annotated as an identifier or the object."""
    for name, annotation in stripe_class.__annotations__.items():
        if name.startswith("_"):
            continue
        kinds = arms(annotation)
        if str in kinds and any(isinstance(kind, ForwardRef) for kind in kinds):
            yield path + name
        for kind in kinds:
            if (
                isinstance(kind, type)
                and issubclass(kind, stripe.StripeObject)
                and path.count(".") < DEPTH_MAX
            ):
                yield from expandable_fields(kind, f"{path}{name}.")


def known_resources() -> list[tuple[Resource, type[Any]]]:
    """Return the resources that the SDK has a class for."""
    found = []
    for resource in RESOURCES:
        # Of payment methods each type has a shape.
        shape = resource.shape.then if isinstance(resource.shape, When) else resource.shape
        name = shape.get("object") if isinstance(shape, dict) else None
        stripe_class = class_of(name if isinstance(name, str) else resource.kind.noun.replace(" ", "_"))
        if stripe_class is not None:
            found.append((resource, stripe_class))
    return found


@pytest.mark.parametrize(
    ("resource", "stripe_class"), known_resources(), ids=lambda one: getattr(one, "__name__", "")
)
def test_every_expandable_field_of_the_sdk_can_be_expanded(
    resource: Resource, stripe_class: type[Any]
) -> None:
    assert set(expandable_fields(stripe_class)) - set(resource.expandable) == set()


def test_the_resources_of_the_dialect_are_compared() -> None:
    names = {stripe_class.__name__ for _, stripe_class in known_resources()}
    assert names >= {"PaymentIntent", "Charge", "Refund", "Customer", "PaymentMethod", "BalanceTransaction"}
