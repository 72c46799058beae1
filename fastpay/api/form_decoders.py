"""The fast lane for forms, worked out once per params type from what its shape says."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from fastpay._native.form_params import FormDecoder
from fastpay.api.shapes import ANY_SIZE, Shape, Text, shape_of

_Params = TypeVar("_Params", bound=msgspec.Struct)

# As many as there are params types in the program.
_decoders: dict[type[msgspec.Struct], FormDecoder | None] = {}


def decode_plainly(params_type: type[_Params], text: bytes) -> _Params | None:
    """Decode a form in which nothing is in doubt, as nearly every one; None for all others."""
    decoder = decoder_of(params_type)
    params: _Params | None = None if decoder is None else decoder.decode(text)
    return params


def decoder_of(params_type: type[msgspec.Struct]) -> FormDecoder | None:
    """Return what decodes plain forms of a params type, None where the type has rules of its own.

    Raises: TypeError for a type that a form cannot carry, or that would have to be guessed from it.
    """
    try:
        return _decoders[params_type]
    except KeyError:
        decoder = _decoders[params_type] = _decoder(shape_of(params_type), {})
        return decoder


def _decoder(shape: Shape, made: dict[type, FormDecoder]) -> FormDecoder | None:
    struct_type = shape.struct_type
    assert struct_type is not None
    assert shape.fields is not None
    if hasattr(struct_type, "__post_init__"):
        return None
    if struct_type not in made:
        # Set before the fields are looked at, for a struct that holds itself.
        decoder = made[struct_type] = FormDecoder(struct_type)
        for name, field in shape.fields.items():
            _add(decoder, name, field, name in shape.required, made)
    return made[struct_type]


def _add(
    decoder: FormDecoder, name: str, shape: Shape, required: bool, made: dict[type, FormDecoder]
) -> None:
    """Add a field with as much of what it takes as is plain; the rest is for the careful reader."""
    if shape.anything or shape.integers or (shape.integer is not None and shape.texts):
        decoder.add(name, required=required)
    elif shape.elements is not None:
        text = shape.elements.text
        if text is None or shape.text is not None or shape.sequence not in (list, tuple):
            decoder.add(name, required=required)
        else:
            texts = (*_ends(shape.size), shape.sequence is tuple)
            decoder.add(name, required=required, empty=shape.nullable, text=_bounds(text), texts=texts)
    else:
        decoder.add(
            name,
            required=required,
            empty=shape.nullable,
            boolean=shape.boolean,
            integer=None if shape.integer is None else _ends(shape.integer),
            choices=shape.texts if shape.texts and shape.text is None else None,
            text=None if shape.text is None else _bounds(shape.text),
            metadata=_is_plain_metadata(shape),
            inner=None if shape.fields is None else _decoder(shape, made),
        )


def _is_plain_metadata(shape: Shape) -> bool:
    plain = Text(ANY_SIZE, None)
    return (
        shape.is_metadata
        and shape.values is not None
        and (shape.size, shape.values.text) == (ANY_SIZE, plain)
    )


def _bounds(text: Text) -> tuple[int, int, Callable[[str], object] | None]:
    return (*_ends(text.size), None if text.pattern is None else text.pattern.search)


def _ends(bounds: range | None) -> tuple[int, int]:
    assert bounds is not None
    return bounds.start, bounds.stop - 1
