"""The fast path for forms: a compiled decoder a params type, made from the values that the type accepts."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from fastpay._native.form_params import FormDecoder
from fastpay.api.accepted_values import ANY_SIZE, Accepted, Text, accepted_by

_Params = TypeVar("_Params", bound=msgspec.Struct)

# Bounded by the number of params types in the program.
_decoders: dict[type[msgspec.Struct], FormDecoder | None] = {}


def decode_plainly(params_type: type[_Params], text: bytes) -> _Params | None:
    """Decode a form in which every field is plainly valid, or return None. Nearly every form is."""
    decoder = _decoders.get(params_type) or decoder_of(params_type)
    params: _Params | None = None if decoder is None else decoder.decode(text)
    return params


def decoder_of(params_type: type[msgspec.Struct]) -> FormDecoder | None:
    """Return the decoder of plain forms of a params type, None if the type has validation code of its own.

    Raises: TypeError for a type that a form cannot carry, or cannot carry without ambiguity.
    """
    try:
        return _decoders[params_type]
    except KeyError:
        decoder = _decoders[params_type] = _decoder(accepted_by(params_type), {})
        return decoder


def _decoder(accepted: Accepted, made: dict[type, FormDecoder]) -> FormDecoder | None:
    struct_type = accepted.struct_type
    assert struct_type is not None
    assert accepted.fields is not None
    if hasattr(struct_type, "__post_init__"):
        return None
    if struct_type not in made:
        # Registered before its fields are read, since a struct may contain itself.
        decoder = made[struct_type] = FormDecoder(struct_type)
        for name, field in accepted.fields.items():
            _add(decoder, name, field, name in accepted.required, made)
    return made[struct_type]


def _add(
    decoder: FormDecoder, name: str, accepted: Accepted, required: bool, made: dict[type, FormDecoder]
) -> None:
    """Add a field with the values that the fast path can check. `api/decoding.py` reads all others."""
    if accepted.anything or accepted.integers or (accepted.integer is not None and accepted.texts):
        decoder.add(name, required=required)
    elif accepted.elements is not None:
        text = accepted.elements.text
        if text is None or accepted.text is not None or accepted.sequence not in (list, tuple):
            decoder.add(name, required=required)
        else:
            texts = (*_ends(accepted.size), accepted.sequence is tuple)
            decoder.add(name, required=required, empty=accepted.nullable, text=_bounds(text), texts=texts)
    else:
        decoder.add(
            name,
            required=required,
            empty=accepted.nullable,
            boolean=accepted.boolean,
            integer=None if accepted.integer is None else _ends(accepted.integer),
            choices=accepted.texts if accepted.texts and accepted.text is None else None,
            text=None if accepted.text is None else _bounds(accepted.text),
            metadata=_is_plain_metadata(accepted),
            inner=None if accepted.fields is None else _decoder(accepted, made),
        )


def _is_plain_metadata(accepted: Accepted) -> bool:
    plain = Text(ANY_SIZE, None)
    return (
        accepted.is_metadata
        and accepted.values is not None
        and (accepted.size, accepted.values.text) == (ANY_SIZE, plain)
    )


def _bounds(text: Text) -> tuple[int, int, Callable[[str], object] | None]:
    return (*_ends(text.size), None if text.pattern is None else text.pattern.search)


def _ends(bounds: range | None) -> tuple[int, int]:
    assert bounds is not None
    return bounds.start, bounds.stop - 1
