"""A shape interpreted slowly and plainly: what `fastpay._native.rendering` must agree with."""

from functools import reduce

import msgspec

from fastpay.api.app import RESOURCES
from fastpay.api.layout import Choice, Field, Json, Mode, Nested, Same, Shape, Slot, When
from fastpay.domain.objects import StoredObject


def render_bytes(stored: StoredObject, livemode: bool) -> bytes:
    """Return the JSON of an object."""
    return msgspec.json.encode(render(stored, livemode))


def render(stored: StoredObject, livemode: bool) -> dict[str, object]:
    """Return an object as its resource declares it."""
    shown = interpret(RESOURCES.of_object(stored).shape, stored, livemode)
    assert isinstance(shown, dict)
    return shown


def interpret(shape: Shape, stored: object, livemode: bool, whole: bytes | None = None) -> object:
    """Return what a shape says of a struct. `whole` takes the place of what its slot names."""

    def inner(part: Shape) -> object:
        return interpret(part, stored, livemode, whole)

    def field(path: str) -> object:
        return reduce(getattr, path.split("."), stored)

    match shape:
        case dict():
            return {name: inner(part) for name, part in shape.items()}
        case list():
            return [inner(part) for part in shape]
        case Field():
            found = field(shape.path)
            return list(found) if isinstance(found, tuple) else found
        case Slot():
            named = field(shape.path)
            return named if named is None or whole is None else msgspec.Raw(whole)
        case Json():
            text = field(shape.path)
            assert isinstance(text, str | None)
            return None if text is None else msgspec.json.decode(text)
        case Mode():
            return livemode
        case Nested():
            part = field(shape.name)
            return None if part is None else interpret(shape.shape, part, livemode, whole)
        case When():
            found = field(shape.path)
            # An empty text and zero are something, unlike in Python.
            is_something = found is not None and found is not False
            if shape.contains is not None:
                assert isinstance(found, tuple)
                holds = shape.contains in found
            else:
                holds = is_something if shape.equals is None else found == shape.equals
            return inner(shape.then if holds else shape.otherwise)
        case Choice():
            found = field(shape.path)
            assert isinstance(found, str | None)
            return shape.constants[found] if found in shape.constants else inner(shape.otherwise)
        case Same():
            return field(shape.path) == field(shape.other)
    return shape
