"""Requests to params: form, query and JSON become one frozen struct, or an error that names the parameter.

Forms and JSON give the same params. What differs is that a form has only text, so that numbers and
booleans are read from it by the parameter's type, while JSON is held to its own types:

| sent                        | form                           | JSON                            |
|-----------------------------|--------------------------------|---------------------------------|
| integer                     | `2000`, `-1`, `08`: digits     | a number without fraction       |
| boolean                     | `true`, `false`, `True`,       | true or false                   |
|                             | `False` (older Python SDKs)    |                                 |
| text                        | as it is, `null` and `1` too   | a string                        |
| unset (where it may be)     | `name=`                        | `""` or null                    |
| list                        | `a[]=`, or `a[0]=` without gap | an array                        |
| map of text (metadata)      | `metadata[key]=value`          | strings; integers and booleans  |
|                             |                                | become their text, null is `""` |

An empty text is refused where a parameter cannot be unset. Inside of a map it takes the key away,
and stays the empty text here.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fastpay import limits
from fastpay._native import form, strict_json
from fastpay.api.form_decoders import decode_plainly
from fastpay.api.shapes import Shape, Text, shape_of
from fastpay.api.showing import SECRET_NAMES, path_of, shown
from fastpay.errors import InvalidRequest, UnsupportedMediaType

_Params = TypeVar("_Params", bound=msgspec.Struct)

FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_MEDIA_TYPES = frozenset({FORM, _JSON})

_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def decode_params(
    params_type: type[_Params],
    *,
    content_type: str | None,
    body: bytes,
    query: bytes,
    json_values_max: int = limits.json_values_max,
) -> _Params:
    """Decode what a POST brings, in its body by its content type, and in its query as a form.

    An empty body needs no content type. A parameter may stand in the body or in the query, not in both. JSON
    has `json_values_max` values at most.
    Raises: InvalidRequest, UnsupportedMediaType.
    """
    if not content_type and not body:
        tree: Any = {}
    elif _media_type(content_type) == FORM:
        params = None if query else decode_plainly(params_type, body)
        if params is not None:
            return params
        tree = _read(shape_of(params_type), _parse_form(body), from_form=True)
    else:
        tree = _read(shape_of(params_type), _parse_json(body, json_values_max), from_form=False)
    shape = shape_of(params_type)
    if query:
        _merge(tree, _read(shape, _parse_form(query), from_form=True))
    return _build(params_type, shape, tree)


def is_json(content_type: str | None) -> bool:
    """Tell whether a body is JSON and not a form. Raises: UnsupportedMediaType."""
    return _media_type(content_type) == _JSON


def decode_query(params_type: type[_Params], query: bytes) -> _Params:
    """Decode what a GET or DELETE brings: its query, by the rules of a form.

    Raises: InvalidRequest.
    """
    params = decode_plainly(params_type, query)
    if params is not None:
        return params
    shape = shape_of(params_type)
    return _build(params_type, shape, _read(shape, _parse_form(query), from_form=True))


class _ParameterError(Exception):
    """A parameter that is refused. Its path grows, innermost name first, on the way out."""

    def __init__(
        self, allowed: str, *, received: Any = None, code: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.received = received
        self.code = code
        self.path: list[str | int] = [] if name is None else [name]

    def rendered(self, root: str | None = None) -> InvalidRequest:
        """Return the error for the client; `root` is the name that the path hangs under."""
        names = [*self.path, root] if root is not None else self.path
        param = path_of(names[::-1])
        message = self.allowed
        if self.received is not None:
            hidden = any(name in SECRET_NAMES for name in names)
            message = f"Received {shown(self.received, hidden=hidden)}. {message}"
        return InvalidRequest(message, code=self.code, param=param)


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


def _read(shape: Shape, tree: dict[str, Any], *, from_form: bool) -> dict[str, Any]:
    """Read the fields of the params type, in place: the tree was made for this request alone."""
    try:
        _read_fields(shape, tree, list(tree), from_form)
    except _ParameterError as fault:
        raise fault.rendered() from None
    return tree


def _merge(tree: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if name in tree:
            raise InvalidRequest("The parameter is in the query and in the body as well.", param=name)
        tree[name] = value


def _build(params_type: type[_Params], shape: Shape, tree: dict[str, Any]) -> _Params:
    try:
        return msgspec.convert(tree, params_type)
    except msgspec.ValidationError as error:
        # All that the types say was checked. What is left are parameters that nobody sent, and rules
        # in the params type's own code.
        refused = error
    try:
        _require(shape, tree)
    except _ParameterError as fault:
        raise fault.rendered() from None
    message, _, path = str(refused).partition(" - at `$.")
    raise InvalidRequest(message, param=path.rstrip("`") or None) from None


def _read_fields(shape: Shape, tree: dict[str, Any], names: list[str], from_form: bool) -> None:
    fields = shape.fields
    assert fields is not None
    name = ""
    try:
        for name in names:
            field = fields.get(name)
            if field is None:
                allowed = ", ".join(fields) or "none"
                raise _ParameterError(
                    f"The parameter is unknown. Allowed here: {allowed}.", code="parameter_unknown"
                )
            tree[name] = _read_value(field, tree[name], from_form)
    except _ParameterError as fault:
        fault.path.append(name)
        raise


def _require(shape: Shape, tree: dict[str, Any]) -> None:
    for name in shape.required:
        if name not in tree:
            raise _ParameterError("The parameter is missing.", code="parameter_missing", name=name)


def _read_value(shape: Shape, value: Any, from_form: bool) -> Any:
    match value:
        case "" | None:
            return _read_empty(shape)
        case str():
            return _read_scalar(shape, value) if from_form else _read_text(shape, value)
        case dict():
            return _read_object(shape, value, from_form)
        case list():
            return _read_elements(shape, value, from_form)
        case _:
            return _read_number(shape, value)


def _read_empty(shape: Shape) -> str | None:
    """Read the empty text, or null: both unset what can be unset."""
    if shape.nullable:
        return None
    if shape.clearable or shape.is_map_value or shape.anything:
        return ""
    raise _ParameterError(
        f"The parameter cannot be empty. {_allowed(shape)} Leave it out to not set it.",
        code="parameter_invalid_empty",
    )


def _read_scalar(shape: Shape, text: str) -> str | int | bool:
    """Read a scalar of a form, which is text until the parameter's type says otherwise."""
    if shape.boolean and text in _BOOLEANS:
        return _BOOLEANS[text]
    if (shape.integer is not None or shape.integers) and text not in shape.texts:
        if _DIGITS.fullmatch(text) is None:
            raise _ParameterError(_allowed(shape), received=text, code="parameter_invalid_integer")
        return _check_integer(shape, int(text), received=text)
    return _read_text(shape, text)


def _read_text(shape: Shape, text: str) -> str:
    if shape.text is not None:
        _check_text(shape.text, text)
        return text
    if text in shape.texts or shape.anything:
        return text
    code = "parameter_invalid_integer" if shape.integer is not None else None
    raise _ParameterError(_allowed(shape), received=text, code=code)


def _read_number(shape: Shape, value: int) -> str | int | bool:
    """Read a number or a boolean of JSON."""
    if isinstance(value, bool):
        if shape.boolean or shape.anything:
            return value
        if shape.is_map_value:
            return "true" if value else "false"
    elif shape.integer is not None or shape.integers:
        return _check_integer(shape, value, received=value)
    elif shape.is_map_value:
        return str(value)
    elif shape.anything:
        return value
    code = "parameter_invalid_integer" if shape.integer is not None else None
    raise _ParameterError(_allowed(shape), received=value, code=code)


def _check_integer(shape: Shape, value: int, *, received: str | int) -> int:
    if value in shape.integers or (shape.integer is not None and value in shape.integer):
        return value
    raise _ParameterError(_allowed(shape), received=received, code="parameter_invalid_integer")


def _check_text(bounds: Text, text: str) -> None:
    if len(text) not in bounds.size:
        low, high = bounds.size.start, bounds.size.stop - 1
        raise _ParameterError(f"The text has {len(text)} characters, and must have from {low} to {high}.")
    if bounds.pattern is not None and bounds.pattern.search(text) is None:
        raise _ParameterError(f"The text must match {bounds.pattern.pattern}.", received=text)


def _read_object(shape: Shape, value: dict[str, Any], from_form: bool) -> Any:
    if shape.fields is not None:
        _read_fields(shape, value, list(value), from_form)
        _require(shape, value)
        return value
    if shape.values is not None:
        name = ""
        try:
            for name, inner in value.items():
                value[name] = _read_value(shape.values, inner, from_form)
        except _ParameterError as fault:
            fault.path.append(name)
            raise
        _check_size(shape, value)
        if shape.is_metadata:
            _check_metadata(value)
        return value
    if shape.elements is not None and from_form:
        return _read_elements(shape, _numbered(value), from_form)
    if shape.anything:
        return value
    raise _ParameterError(_allowed(shape), received=value)


def _numbered(value: dict[str, Any]) -> list[Any]:
    """Put elements that came with numbers in the order of the numbers, whatever order they came in.

    A gap is refused rather than closed: it is more often an element lost than one left out.
    """
    indexes = {str(index): index for index in range(len(value))}
    elements: list[Any] = [None] * len(value)
    for key, element in value.items():
        index = indexes.get(key)
        if index is None:
            raise _ParameterError("Number the elements of a list from 0, without a gap.", name=key)
        elements[index] = element
    return elements


def _read_elements(shape: Shape, value: list[Any], from_form: bool) -> list[Any]:
    if shape.elements is None:
        if shape.anything:
            return value
        raise _ParameterError(_allowed(shape), received=value)
    index = 0
    try:
        for index, element in enumerate(value):
            value[index] = _read_value(shape.elements, element, from_form)
    except _ParameterError as fault:
        fault.path.append(index)
        raise
    _check_size(shape, value)
    return value


def _check_size(shape: Shape, value: dict[str, Any] | list[Any]) -> None:
    assert shape.size is not None
    if len(value) not in shape.size:
        low, high = shape.size.start, shape.size.stop - 1
        raise _ParameterError(f"There are {len(value)} elements, and must be from {low} to {high}.")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > limits.metadata_keys_max:
        raise _ParameterError(
            f"There are {len(metadata)} keys, and may be at most {limits.metadata_keys_max}."
        )
    for key, value in metadata.items():
        if not key or len(key) > limits.metadata_key_chars_max:
            allowed = f"A key must have from 1 to {limits.metadata_key_chars_max} characters."
            raise _ParameterError(f"The key has {len(key)}. {allowed}", name=key)
        if "[" in key or "]" in key:
            raise _ParameterError("A key must not contain brackets.", name=key)
        if len(value) > limits.metadata_value_chars_max:
            allowed = f"A value may have at most {limits.metadata_value_chars_max} characters."
            raise _ParameterError(f"The value has {len(value)}. {allowed}", name=key)


def _allowed(shape: Shape) -> str:
    """Say in a sentence what a parameter takes."""
    kinds = [f"'{text}'" for text in shape.texts] + [str(number) for number in shape.integers]
    if shape.boolean:
        kinds += ["true", "false"]
    if shape.integer is not None:
        bounded = shape.integer.start > -(2**63) or shape.integer.stop < 2**63
        bounds = f" from {shape.integer.start} to {shape.integer.stop - 1}" if bounded else ""
        kinds.append(f"a whole number{bounds}")
    if shape.text is not None:
        kinds.append("a text")
    if shape.fields is not None or shape.values is not None:
        kinds.append("an object")
    if shape.elements is not None:
        kinds.append("a list")
    if shape.nullable or shape.clearable:
        kinds.append("empty, which unsets it")
    return f"It must be {' or '.join(kinds)}."
