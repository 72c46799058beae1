"""Shapes: how an object is written in JSON, as a tree that reads like the answer.

Each shape is compiled to a template.

A shape is a dict, a list or a constant, as in the answer. What depends on the stored struct is one of these:

    Field("amount")                            the value of a field
    **fields("amount", "currency")             several fields, each under its own name
    Field("card.brand")                        the value of a field of a nested struct that is never None
    Slot("payment_method")                     the value of a field, or the object that it names
    Slot("id", Page(kind))                     what `render` is given, which is a page of objects
    Json("level3", Level3)                     a text that is JSON already, of that type; null for None
    Later(str)                                 null, which what answers may replace by a value of this type
    Mode()                                     whether this is live mode
    Nested("shipping", Shipping, shape)        a nested struct in its own shape, null for None
    When("hold", shape, otherwise=shape)       the first shape unless the field is None or False
    When("status", shape, equals="canceled")   the first shape if the field has this text
    When("types", shape, contains="card")      the first shape if this text is among those of the field
    Choice("type", {"a": "A"}, otherwise=...)  a constant by the text of the field
    Same("amount", "amount_refunded")          whether two numbers are equal
"""

from typing import TypeAlias

import msgspec

from fastpay._native.rendering import Template
from fastpay.domain.kinds import Kind


class Field(msgspec.Struct, frozen=True):
    """The value of a field: None, a boolean, an integer, a text, a map of texts or a tuple of texts."""

    path: str


class Page(msgspec.Struct, frozen=True):
    """The first page of the objects of a kind, in an object."""

    kind: Kind


class Slot(msgspec.Struct, frozen=True):
    """The value of a field, or the object that it names if that is given to `render`.

    `filled` is the type of what is always given, if it is no such object.
    """

    path: str
    filled: type | Page | None = None


class Json(msgspec.Struct, frozen=True):
    """The text in a field, which is JSON already, of this type; null for None."""

    path: str
    type: type


class Later(msgspec.Struct, frozen=True):
    """Null, which what answers may replace by a value of this type."""

    type: type


class Mode(msgspec.Struct, frozen=True):
    """Whether this is live mode."""


class Nested(msgspec.Struct, frozen=True):
    """A nested struct in its own shape, null for None."""

    name: str
    struct_type: type[msgspec.Struct]
    shape: "Shape"


class When(msgspec.Struct, frozen=True):
    """`then` if a field equals a text, contains it, or is neither None nor False; else `otherwise`."""

    path: str
    then: "Shape"
    otherwise: "Shape" = None
    equals: str | None = None
    contains: str | None = None
    # The shape that both were made of by `decided_once`.
    whole: "Shape" = None


class Choice(msgspec.Struct, frozen=True):
    """A constant that the text of a field selects; `otherwise` for every other text."""

    path: str
    constants: dict[str, str]
    otherwise: "Shape" = None


class Same(msgspec.Struct, frozen=True):
    """Whether two fields have the same number."""

    path: str
    other: str


Node: TypeAlias = Field | Slot | Json | Later | Mode | Nested | When | Choice | Same
Shape: TypeAlias = "dict[str, Shape] | list[Shape] | Node | str | int | bool | None"


def fields(*names: str) -> dict[str, Shape]:
    """Return the values of fields, each under its own name."""
    return {name: Field(name) for name in names}


def decided_once(field: str, shape: Shape) -> When:
    """Return the shape with one look at a field in place of each `When` that asks whether it is there.

    For a field that few objects have, and many parts of the shape depend on.
    """
    return When(field, _assume(field, shape, True), otherwise=_assume(field, shape, False), whole=shape)


def template(struct_type: type[msgspec.Struct], shape: Shape) -> Template:
    """Return a template that renders structs of this type in this shape.

    Raises: TypeError if the struct lacks a field.
    """
    made = Template(struct_type)
    _put(made, struct_type, shape)
    return made


def _assume(field: str, shape: Shape, is_there: bool) -> Shape:
    match shape:
        case dict():
            return {name: _assume(field, inner, is_there) for name, inner in shape.items()}
        case list():
            return [_assume(field, inner, is_there) for inner in shape]
        case When() if shape.path == field and shape.equals is None and shape.contains is None:
            return _assume(field, shape.then if is_there else shape.otherwise, is_there)
        case When():
            then, otherwise = (_assume(field, inner, is_there) for inner in (shape.then, shape.otherwise))
            return When(shape.path, then, otherwise, shape.equals, shape.contains)
    return shape


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
        case Json():
            made.put_json(shape.path)
        case Later():
            made.put(b"null")
        case Mode():
            made.put_mode()
        case Nested():
            made.put_part(shape.name, template(shape.struct_type, shape.shape))
        case When():
            made.put_when(
                shape.path,
                shape.contains if shape.equals is None else shape.equals,
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
