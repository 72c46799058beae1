"""How an object is laid out in JSON: a tree that reads like the answer itself, made into a compiled template.

A shape is a dict, a list or a constant, as they stand in the answer, and in their places what depends on the
stored struct:

    Field("amount")                            what a field holds
    Field("card.brand")                        what a field of a part holds that is always there
    Slot("payment_method")                     the same, or an object in its place that was rendered before
    Mode()                                     whether this is live mode
    Nested("shipping", Shipping, shape)          the shape of a part, null where there is none
    When("hold", shape, otherwise=shape)       the first where the field is neither None nor false
    When("status", shape, equals="canceled")   the first where the field has this text
    Choice("type", {"a": "A"}, otherwise=...)  a constant by the text of the field
    Same("amount", "amount_refunded")          whether two numbers are equal
"""

from typing import TypeAlias

import msgspec

from fastpay._native.rendering import Template


class Field(msgspec.Struct, frozen=True):
    """What a field holds: null, a boolean, a number, a text, a map of texts or a tuple of them."""

    path: str


class Slot(msgspec.Struct, frozen=True):
    """What a field holds, or the object that it names where that is given."""

    path: str


class Mode(msgspec.Struct, frozen=True):
    """Whether this is live mode."""


class Nested(msgspec.Struct, frozen=True):
    """A part of the struct with a shape of its own, null where there is none."""

    name: str
    struct_type: type[msgspec.Struct]
    shape: "Shape"


class When(msgspec.Struct, frozen=True):
    """One shape or another: whether a field `equals` a text, or without one is neither None nor false."""

    path: str
    then: "Shape"
    otherwise: "Shape" = None
    equals: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """A constant by the text of a field, and a shape for every other text."""

    path: str
    constants: dict[str, str]
    otherwise: "Shape" = None


class Same(msgspec.Struct, frozen=True):
    """Whether two fields hold the same number."""

    path: str
    other: str


Node: TypeAlias = Field | Slot | Mode | Nested | When | Choice | Same
Shape: TypeAlias = "dict[str, Shape] | list[Shape] | Node | str | int | bool | None"


def template(struct_type: type[msgspec.Struct], shape: Shape) -> Template:
    """Return what renders structs of this type in this shape.

    Raises: TypeError where the struct has no such field or part.
    """
    made = Template(struct_type)
    _put(made, struct_type, shape)
    return made


def _put(made: Template, struct_type: type[msgspec.Struct], shape: Shape) -> None:
    match shape:
        case dict():
            _put_object(made, struct_type, shape)
        case list():
            _put_array(made, struct_type, shape)
        case Field():
            made.put_field(shape.path)
        case Slot():
            made.put_slot(shape.path)
        case Mode():
            made.put_mode()
        case Nested():
            made.put_part(shape.name, template(shape.struct_type, shape.shape))
        case When():
            made.put_when(
                shape.path,
                shape.equals,
                template(struct_type, shape.then),
                template(struct_type, shape.otherwise),
            )
        case Choice():
            constants = {text: msgspec.json.encode(constant) for text, constant in shape.constants.items()}
            made.put_choice(shape.path, constants, template(struct_type, shape.otherwise))
        case Same():
            made.put_whether_same(shape.path, shape.other)
        case _:
            made.put(msgspec.json.encode(shape))


def _put_object(made: Template, struct_type: type[msgspec.Struct], shape: dict[str, Shape]) -> None:
    opening = b"{"
    for name, inner in shape.items():
        made.put(opening + msgspec.json.encode(name) + b":")
        _put(made, struct_type, inner)
        opening = b","
    made.put(b"}" if shape else b"{}")


def _put_array(made: Template, struct_type: type[msgspec.Struct], shape: list[Shape]) -> None:
    opening = b"["
    for inner in shape:
        made.put(opening)
        _put(made, struct_type, inner)
        opening = b","
    made.put(b"]" if shape else b"[]")
