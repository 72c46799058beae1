"""Does an object look as the dialect says? Compares with the published example and the SDK's annotations."""

import json
import types
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, ForwardRef, Literal, TypeVar, Union, get_args, get_origin

import pytest
import stripe

from tests.support.public_data import folder

# The merchant's own keys: an example's say nothing about ours.
_FREE_FORM = frozenset(("metadata",))
# Classes that are named otherwise than their objects.
_CLASSES = {"fee_refund": "ApplicationFeeRefund"}
_PLAIN = (bool, float, int, str)


def example(object_name: str) -> dict[str, Any]:
    """Return the published example of an object; skip the test where the data is not at hand."""
    examples = folder("stripe") / "fixtures3.json"
    if not examples.is_file():
        pytest.skip(f"published data {examples.name} not found in {examples.parent}")
    resources = json.loads(examples.read_bytes())["resources"]
    found = resources[object_name]
    assert isinstance(found, dict)
    return found


def class_of(object_name: str) -> type[Any] | None:
    """Return the SDK's class for an object's name: PaymentIntent for payment_intent."""
    name = _CLASSES.get(object_name, "".join(word.title() for word in object_name.split("_")))
    found = getattr(stripe, name, None)
    return found if isinstance(found, type) and issubclass(found, stripe.StripeObject) else None


def deviations(shown: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an object, by the published example and by the annotations.

    A deleted one has three keys and no more.
    """
    name = shown["object"]
    if shown.get("deleted"):
        return [] if shown == {"id": shown["id"], "object": name, "deleted": True} else ["deleted"]
    stripe_class = class_of(name)
    assert stripe_class is not None, name
    return [*missing_keys(shown, example(name)), *violations(shown, stripe_class)]


def missing_keys(rendered: Mapping[str, object], fixture: Mapping[str, object], path: str = "") -> list[str]:
    """Return the dotted paths of the example's keys that are not there.

    Looks into objects and lists where both have one: what is null, or only named, has no keys to miss.
    """
    missing: list[str] = []
    for name, wanted in fixture.items():
        if name == fixture.get("type") != rendered.get("type"):
            # What belongs to a type, such as that of a payment method, which the object does not have.
            continue
        here = f"{path}{name}"
        if name not in rendered:
            missing.append(here)
        elif name not in _FREE_FORM:
            missing.extend(_missing_below(rendered[name], wanted, here))
    return missing


def _missing_below(value: object, wanted: object, path: str) -> list[str]:
    if isinstance(wanted, dict) and isinstance(value, dict):
        return missing_keys(value, wanted, f"{path}.")
    if isinstance(wanted, list) and wanted and isinstance(value, list):
        return [
            missing
            for place, item in enumerate(value)
            for missing in _missing_below(item, wanted[0], f"{path}[{place}]")
        ]
    return []


def violations(rendered: Mapping[str, object], stripe_class: type[Any], path: str = "") -> list[str]:
    """Return what the SDK's annotations of a class do not allow: "path: why" each.

    A field that is not Optional must be there and not null; types must fit; where the annotation lists
    values beside any string, only the listed ones count. Keys that the SDK does not know are no matter.
    """
    found: list[str] = []
    for name, annotation in stripe_class.__annotations__.items():
        origin: object = get_origin(annotation)
        if origin is ClassVar or name.startswith("_"):
            continue
        here = f"{path}{name}"
        if name in rendered:
            found.extend(_check(rendered[name], annotation, here))
        elif not _is_optional(annotation):
            found.append(f"{here}: missing")
    return found


def _is_optional(annotation: object) -> bool:
    return types.NoneType in arms(annotation)


def arms(annotation: object) -> tuple[object, ...]:
    """Return the types that an annotation allows."""
    origin: object = get_origin(annotation)
    return get_args(annotation) if origin in (Union, types.UnionType) else (annotation,)


def _is_literal(annotation: object) -> bool:
    origin: object = get_origin(annotation)
    return origin is Literal


def _check(value: object, annotation: object, path: str) -> list[str]:
    allowed_types = arms(annotation)
    if value is None:
        return [] if types.NoneType in allowed_types or annotation is Any else [f"{path}: null"]
    literals = [arm for arm in allowed_types if _is_literal(arm)]
    if literals and not isinstance(value, dict):
        allowed = [choice for arm in literals for choice in get_args(arm)]
        return [] if value in allowed else [f"{path}: {value!r} is not one of {allowed}"]
    candidates = [arm for arm in allowed_types if arm is not types.NoneType]
    if isinstance(value, dict):
        # An object where there may be an identifier or an object is meant to be the object.
        candidates = [arm for arm in candidates if arm not in _PLAIN] or candidates
    return min((_check_arm(value, arm, path) for arm in candidates), key=len)


def _check_arm(value: object, arm: object, path: str) -> list[str]:
    origin = get_origin(arm) or arm
    if arm is Any:
        return []
    if origin in (list, tuple) and isinstance(value, list):
        return _check_items(enumerate(value), get_args(arm)[0], path)
    if origin is dict and isinstance(value, dict):
        return _check_items(value.items(), get_args(arm)[1], path)
    if isinstance(arm, ForwardRef) and isinstance(value, dict):
        return _check_object(value, arm.__forward_arg__, path)
    if isinstance(arm, TypeVar) and isinstance(value, dict):
        return _check_object(value, "", path)
    if isinstance(origin, type) and issubclass(origin, stripe.StripeObject) and isinstance(value, dict):
        return _check_nested(value, origin, get_args(arm), path)
    if _is_plain(value, arm):
        return []
    return [f"{path}: {value!r} is not {arm}"]


def _check_items(items: Iterable[tuple[object, object]], annotation: object, path: str) -> list[str]:
    return [reason for key, item in items for reason in _check(item, annotation, f"{path}[{key}]")]


def _check_nested(
    value: dict[str, object], origin: type, arguments: tuple[object, ...], path: str
) -> list[str]:
    """Check an object inside of the object. Generic ones are maps and lists of what they are given."""
    if not arguments:
        return violations(value, origin, f"{path}.")
    if origin in (stripe.ListObject, stripe.SearchResultObject):
        data = value.get("data")
        if not isinstance(data, list):
            return [f"{path}.data: {data!r} is not a list"]
        envelope = {name: item for name, item in value.items() if name != "data"}
        return [
            *violations({**envelope, "data": []}, origin, f"{path}."),
            *_check_items(enumerate(data), arguments[0], f"{path}.data"),
        ]
    return _check_items(value.items(), arguments[0], path)


def _check_object(value: dict[str, object], class_name: str, path: str) -> list[str]:
    """Check an object of its own, which the annotation at most names: its kind decides what it must be."""
    known = class_of(str(value.get("object")))
    if known is None:
        return [f"{path}: {value.get('object')!r} is not the name of an object"]
    # Some are annotated under a name that the SDK uses inside only; those are taken on trust.
    if class_name and hasattr(stripe, class_name) and known.__name__ != class_name:
        return [f"{path}: {value.get('object')!r} is not a {class_name}"]
    return [] if value.get("deleted") is True else violations(value, known, f"{path}.")


def _is_plain(value: object, arm: object) -> bool:
    if arm is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    # A bool is an int to Python, but not to anybody who reads JSON.
    return isinstance(arm, type) and type(value) is arm
