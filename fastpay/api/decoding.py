"""Requests to params: form, query and JSON become one frozen struct, or an error that names the parameter.

Forms and JSON give the same params. A form has only text, so its numbers and booleans are read by the
parameter's type. JSON must use its own types:

| sent                        | form                           | JSON                            |
|-----------------------------|--------------------------------|---------------------------------|
| integer                     | `2000`, `-1`, `08`: digits     | a number without fraction       |
| boolean                     | `true`, `false`, `True`,       | true or false                   |
|                             | `False` (older Python SDKs)    |                                 |
| text                        | as it is, `null` and `1` too   | a string                        |
| unset (if it may be)        | `name=`                        | `""` or null                    |
| list                        | `a[]=`, or `a[0]=` without gap | an array                        |
| map of text (metadata)      | `metadata[key]=value`          | strings; integers and booleans  |
|                             |                                | become their text, null is `""` |

An empty text is refused if a parameter cannot be unset. Inside of a map it removes the key; this module
keeps it as an empty text.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fastpay import limits
from fastpay._native import form, strict_json
from fastpay.api.accepted_values import Accepted, Text, accepted_by
from fastpay.api.form_decoders import decode_plainly
from fastpay.api.parameter_errors import ParameterError, absent, unknown
from fastpay.errors import InvalidRequest, UnsupportedMediaType

_Params = TypeVar("_Params", bound=msgspec.Struct)

FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_MEDIA_TYPES = frozenset({FORM, _JSON})

_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# Card numbers have 12 digits or more.
_LONG = 10**11


def decode_params(
    params_type: type[_Params],
    *,
    content_type: str | None,
    body: bytes,
    query: bytes,
    json_values_max: int = limits.json_values_max,
) -> _Params:
    """Decode the parameters of a POST: the body by its content type, and the query as a form.

    An empty body needs no content type. A parameter may stand in the body or in the query, not in both. JSON
    has `json_values_max` values at most.
    Raises: InvalidRequest, UnsupportedMediaType.
    """
    if not content_type and not body:
        tree: Any = {}
    elif content_type == FORM or _media_type(content_type) == FORM:
        params = None if query else decode_plainly(params_type, body)
        if params is not None:
            return params
        tree = _read(accepted_by(params_type), _parse_form(body), from_form=True)
    else:
        tree = _read(accepted_by(params_type), _parse_json(body, json_values_max), from_form=False)
    accepted = accepted_by(params_type)
    if query:
        _merge(tree, _read(accepted, _parse_form(query), from_form=True))
    return _build(params_type, accepted, tree)


def is_json(content_type: str | None) -> bool:
    """Tell whether a body is JSON and not a form. Raises: UnsupportedMediaType."""
    return _media_type(content_type) == _JSON


def may_be_form(content_type: str | None) -> bool:
    """Tell whether a body may be a form. Decoding checks the content type in full."""
    return content_type is None or content_type.lower().startswith(FORM)


def decode_query(params_type: type[_Params], query: bytes) -> _Params:
    """Decode the query of a GET or DELETE, by the rules of a form.

    Raises: InvalidRequest.
    """
    params = decode_plainly(params_type, query)
    if params is not None:
        return params
    accepted = accepted_by(params_type)
    return _build(params_type, accepted, _read(accepted, _parse_form(query), from_form=True))


def _media_type(content_type: str | None) -> str:
    content_type = content_type or ""
    if content_type in _MEDIA_TYPES:
        return content_type
    name, *parameters = content_type.split(";")
    name = name.strip(" \t").lower()
    if name not in _MEDIA_TYPES:
        raise UnsupportedMediaType(f"The body must be {FORM} or {_JSON}, as the Content-Type header says.")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip(" \t").lower() == "charset" and value.strip(' \t"').lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType("The body must be in UTF-8, and its charset say so or be left out.")
    return name


def _parse_form(text: bytes) -> dict[str, Any]:
    try:
        return form.parse(text)
    except form.FormError as error:
        raise _unreadable(error) from None


def _parse_json(text: bytes, values_max: int) -> dict[str, Any]:
    try:
        return strict_json.decode(text, values_max)
    except strict_json.JsonError as error:
        raise _unreadable(error) from None


def _unreadable(error: form.FormError | strict_json.JsonError) -> InvalidRequest:
    param = None if error.param is None else error.param[: limits.param_chars_max]
    return InvalidRequest(error.message, code=error.code, param=param)


def _read(accepted: Accepted, tree: dict[str, Any], *, from_form: bool) -> dict[str, Any]:
    """Read the fields of the params type in place: nothing else uses the tree."""
    try:
        _read_fields(accepted, tree, list(tree), from_form)
    except ParameterError as fault:
        raise fault.rendered() from None
    return tree


def _merge(tree: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if name in tree:
            raise InvalidRequest("The parameter is both in the query and in the body.", param=name)
        tree[name] = value


def _build(params_type: type[_Params], accepted: Accepted, tree: dict[str, Any]) -> _Params:
    try:
        return msgspec.convert(tree, params_type)
    except msgspec.ValidationError as error:
        # Values were checked before. Missing parameters, and rules in the params type's own code, were not.
        refused = error
    try:
        _require(accepted, tree)
    except ParameterError as fault:
        raise fault.rendered() from None
    message, _, path = str(refused).partition(" - at `$.")
    raise InvalidRequest(message, param=path.rstrip("`") or None) from None


def _read_fields(accepted: Accepted, tree: dict[str, Any], names: list[str], from_form: bool) -> None:
    fields = accepted.fields
    assert fields is not None
    name = ""
    try:
        for name in names:
            field = fields.get(name)
            if field is None:
                raise unknown([other for other in names if other not in fields], fields)
            tree[name] = _read_value(field, tree[name], from_form)
    except ParameterError as fault:
        fault.path.append(name)
        raise


def _require(accepted: Accepted, tree: dict[str, Any]) -> None:
    missing = [name for name in accepted.required if name not in tree]
    if missing:
        raise absent(missing)


def _read_value(accepted: Accepted, value: Any, from_form: bool) -> Any:
    match value:
        case "" | None:
            return _read_empty(accepted)
        case str():
            return _read_scalar(accepted, value) if from_form else _read_text(accepted, value)
        case dict():
            return _read_object(accepted, value, from_form)
        case list():
            return _read_elements(accepted, value, from_form)
        case _:
            return _read_number(accepted, value)


def _read_empty(accepted: Accepted) -> str | None:
    """Read the empty text, or null: both unset what can be unset."""
    if accepted.nullable:
        return None
    if accepted.clearable or accepted.is_map_value or accepted.anything:
        return ""
    raise ParameterError(
        f"The parameter cannot be empty. {_allowed(accepted)} Leave it out to not set it.",
        code="parameter_invalid_empty",
    )


def _read_scalar(accepted: Accepted, text: str) -> str | int | bool:
    """Read a scalar of a form by the parameter's type."""
    if accepted.boolean and text in _BOOLEANS:
        return _BOOLEANS[text]
    if (accepted.integer is not None or accepted.integers) and text not in accepted.texts:
        if _DIGITS.fullmatch(text) is None:
            raise ParameterError(_allowed(accepted), received=text, code="parameter_invalid_integer")
        return _check_integer(accepted, int(text), received=text)
    return _read_text(accepted, text)


def _read_text(accepted: Accepted, text: str) -> str:
    if accepted.text is not None:
        _check_text(accepted.text, text)
        return text
    if text in accepted.texts or accepted.anything:
        return text
    code = "parameter_invalid_integer" if accepted.integer is not None else None
    raise ParameterError(_allowed(accepted), received=text, code=code)


def _read_number(accepted: Accepted, value: int) -> str | int | bool:
    """Read a number or a boolean of JSON."""
    if isinstance(value, bool):
        if accepted.boolean or accepted.anything:
            return value
        if accepted.is_map_value:
            return "true" if value else "false"
    elif accepted.integer is not None or accepted.integers:
        return _check_integer(accepted, value, received=value)
    elif accepted.is_map_value:
        return str(value)
    elif accepted.anything:
        return value
    code = "parameter_invalid_integer" if accepted.integer is not None else None
    raise ParameterError(_allowed(accepted), received=value, code=code)


def _check_integer(accepted: Accepted, value: int, *, received: str | int) -> int:
    if value in accepted.integers or (accepted.integer is not None and value in accepted.integer):
        return value
    raise ParameterError(_allowed(accepted), received=received, code="parameter_invalid_integer")


def _check_text(bounds: Text, text: str) -> None:
    if len(text) not in bounds.size:
        low, high = bounds.size.start, bounds.size.stop - 1
        raise ParameterError(f"The text has {len(text)} characters. It must have from {low} to {high}.")
    if bounds.pattern is not None and bounds.pattern.search(text) is None:
        wanted = (
            f"It must be {bounds.meaning}" if bounds.meaning else f"It must match {bounds.pattern.pattern}"
        )
        raise ParameterError(f"{wanted}.", received=text, code=bounds.code)


def _read_object(accepted: Accepted, value: dict[str, Any], from_form: bool) -> Any:
    if accepted.fields is not None:
        _read_fields(accepted, value, list(value), from_form)
        _require(accepted, value)
        return value
    if accepted.values is not None:
        name = ""
        try:
            for name, inner in value.items():
                value[name] = _read_value(accepted.values, inner, from_form)
        except ParameterError as fault:
            fault.path.append(name)
            raise
        _check_size(accepted, value)
        if accepted.is_metadata:
            _check_metadata(value)
        return value
    if accepted.elements is not None and from_form:
        return _read_elements(accepted, _numbered(value), from_form)
    if accepted.anything:
        return value
    raise ParameterError(_allowed(accepted), received=value)


def _numbered(value: dict[str, Any]) -> list[Any]:
    """Return numbered elements in the order of their numbers.

    A gap is refused and not closed: most often an element was lost.
    """
    indexes = {str(index): index for index in range(len(value))}
    elements: list[Any] = [None] * len(value)
    for key, element in value.items():
        index = indexes.get(key)
        if index is None:
            raise ParameterError("Number the elements of a list from 0, without a gap.", name=key)
        elements[index] = element
    return elements


def _read_elements(accepted: Accepted, value: list[Any], from_form: bool) -> list[Any]:
    if accepted.elements is None:
        if accepted.anything:
            return value
        raise ParameterError(_allowed(accepted), received=value)
    index = 0
    try:
        for index, element in enumerate(value):
            value[index] = _read_value(accepted.elements, element, from_form)
    except ParameterError as fault:
        fault.path.append(index)
        raise
    _check_size(accepted, value)
    return value


def _check_size(accepted: Accepted, value: dict[str, Any] | list[Any]) -> None:
    assert accepted.size is not None
    if len(value) not in accepted.size:
        low, high = accepted.size.start, accepted.size.stop - 1
        raise ParameterError(f"There are {len(value)} elements. There must be from {low} to {high}.")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > limits.metadata_keys_max:
        raise ParameterError(
            f"There are {len(metadata)} keys. There may be at most {limits.metadata_keys_max}."
        )
    for key, value in metadata.items():
        if not key or len(key) > limits.metadata_key_chars_max:
            allowed = f"A key must have from 1 to {limits.metadata_key_chars_max} characters."
            raise ParameterError(f"The key has {len(key)}. {allowed}", name=key)
        if "[" in key or "]" in key:
            raise ParameterError("A key must not contain brackets.", name=key)
        if len(value) > limits.metadata_value_chars_max:
            allowed = f"A value may have at most {limits.metadata_value_chars_max} characters."
            raise ParameterError(f"The value has {len(value)}. {allowed}", name=key)


def _allowed(accepted: Accepted) -> str:
    """Return a sentence that says what a parameter accepts."""
    kinds = [f"'{text}'" for text in accepted.texts] + [str(number) for number in accepted.integers]
    if accepted.boolean:
        kinds += ["true", "false"]
    if accepted.integer is not None:
        bounded = accepted.integer.start > -(2**63) or accepted.integer.stop < 2**63
        low, high = _bound(accepted.integer.start), _bound(accepted.integer.stop - 1)
        bounds = f" from {low} to {high}" if bounded else ""
        kinds.append(f"a whole number{bounds}")
    if accepted.text is not None:
        kinds.append("a text")
    if accepted.fields is not None or accepted.values is not None:
        kinds.append("an object")
    if accepted.elements is not None:
        kinds.append("a list")
    if accepted.nullable or accepted.clearable:
        kinds.append("empty, which unsets it")
    return f"It must be {' or '.join(kinds)}."


def _bound(number: int) -> str:
    """Return a bound for a message. A long one is a power, or it would be hidden like a card number."""
    size = abs(number)
    for base, exponent in itertools.product((2, 10), range(64)):
        power = base**exponent
        if size >= _LONG and size in (power, power - 1):
            shown = f"{base}^{exponent}" if size == power else f"{base}^{exponent} - 1"
            return shown if number > 0 else f"-({shown})"
    return str(number)
