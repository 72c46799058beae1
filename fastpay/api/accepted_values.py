"""The values that a params type accepts, computed once a type. `api/decoding.py` reads requests by them."""

import re
from typing import Any

import msgspec
from msgspec import inspect


class Accepted:
    """The kinds of value that one parameter accepts. Several may be set, as in a union.

    `fields` and `struct_type` belong to a struct, `values` to a map, `elements` and `sequence` to a list.
    `integers` and `texts` are literals, without the empty text, which is `clearable`.
    """

    __slots__ = (
        "anything",
        "boolean",
        "clearable",
        "elements",
        "fields",
        "integer",
        "integers",
        "is_map_value",
        "is_metadata",
        "nullable",
        "required",
        "sequence",
        "size",
        "struct_type",
        "text",
        "texts",
        "values",
    )

    def __init__(self) -> None:
        self.nullable = False
        self.clearable = False
        self.anything = False
        self.boolean = False
        self.integer: range | None = None
        self.integers: tuple[int, ...] = ()
        self.text: Text | None = None
        self.texts: tuple[str, ...] = ()
        self.fields: dict[str, Accepted] | None = None
        self.required: tuple[str, ...] = ()
        self.struct_type: type[msgspec.Struct] | None = None
        self.values: Accepted | None = None
        self.elements: Accepted | None = None
        self.sequence: type | None = None
        self.size: range | None = None
        # The values of a map are text: an empty one removes its key, and numbers become text.
        self.is_map_value = False
        self.is_metadata = False


class Text(msgspec.Struct, frozen=True):
    """The bounds of a text in characters, and its pattern.

    `meaning` is what the pattern means in words, and `code` the error code of a text that does not match.
    """

    size: range
    pattern: re.Pattern[str] | None
    meaning: str | None = None
    code: str | None = None


# Bounded by the number of params types in the program.
_known: dict[type[msgspec.Struct], Accepted] = {}

ANY_SIZE = range(2**62 + 1)
_SEQUENCES: dict[type[inspect.Type], type] = {
    inspect.ListType: list,
    inspect.VarTupleType: tuple,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}
_INT_MIN = -(2**63)
_INT_MAX = 2**63 - 1


def accepted_by(params_type: type[msgspec.Struct]) -> Accepted:
    """Return the values that a params type accepts.

    Raises: TypeError for a type that a form cannot carry, or cannot carry without ambiguity.
    """
    accepted = _known.get(params_type)
    if accepted is None:
        accepted = _accept(inspect.type_info(params_type), params_type.__name__, {})
        _known[params_type] = accepted
    return accepted


def _accept(kind: Any, where: str, open_structs: dict[type, Accepted]) -> Accepted:
    # Any: the types of msgspec.inspect have no common base that names their attributes.
    accepted = Accepted()
    _add(accepted, kind, where, open_structs)
    if accepted.text is not None and (accepted.integer or accepted.integers or accepted.boolean):
        raise TypeError(f"{where}: a form cannot tell text from a number or a boolean")
    if accepted.values is not None and accepted.fields is not None:
        raise TypeError(f"{where}: a map cannot be told from a struct")
    return accepted


def _add(accepted: Accepted, kind: Any, where: str, open_structs: dict[type, Accepted]) -> None:
    """Accept `kind` as well."""
    match kind:
        case inspect.Metadata():
            _add(accepted, kind.type, where, open_structs)
            if accepted.text is not None and kind.extra:
                accepted.text = msgspec.structs.replace(accepted.text, **kind.extra)
        case inspect.UnionType():
            for part in kind.types:
                _add(accepted, part, where, open_structs)
        case inspect.NoneType():
            accepted.nullable = True
        case inspect.AnyType():
            accepted.anything = True
        case inspect.BoolType():
            accepted.boolean = True
        case inspect.IntType():
            accepted.integer = _integer_range(kind, where)
        case inspect.StrType():
            pattern = None if kind.pattern is None else re.compile(kind.pattern)
            accepted.text = Text(_size(kind), pattern)
        case inspect.LiteralType():
            _add_literals(accepted, kind.values)
        case inspect.StructType():
            _add_struct(accepted, kind, open_structs)
        case _:
            _add_collection(accepted, kind, where, open_structs)


def _add_collection(accepted: Accepted, kind: Any, where: str, open_structs: dict[type, Accepted]) -> None:
    match kind:
        case inspect.DictType():
            accepted.size = _size(kind)
            accepted.values = _accept(kind.value_type, f"{where}[...]", open_structs)
            accepted.values.is_map_value = accepted.values.text is not None
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            accepted.sequence = _SEQUENCES[type(kind)]
            accepted.size = _size(kind)
            accepted.elements = _accept(kind.item_type, f"{where}[]", open_structs)
        case _:
            raise TypeError(f"{where}: {type(kind).__name__} cannot be a parameter")


def _add_literals(accepted: Accepted, values: Any) -> None:
    for value in values:
        match value:
            case None:
                accepted.nullable = True
            case "":
                accepted.clearable = True
            case str():
                accepted.texts += (value,)
            case int() if not isinstance(value, bool):
                accepted.integers += (value,)
            case _:
                raise TypeError(f"the literal {value!r} cannot be a parameter")


def _add_struct(accepted: Accepted, kind: inspect.StructType, open_structs: dict[type, Accepted]) -> None:
    name = kind.cls.__name__
    if kind.tag_field is not None or kind.array_like or accepted.fields is not None:
        raise TypeError(f"{name}: only one plain struct may stand for a parameter")
    if not kind.forbid_unknown_fields:
        raise TypeError(f"{name}: a params type refuses unknown fields")
    known = open_structs.get(kind.cls)
    if known is not None:
        accepted.fields, accepted.required, accepted.struct_type = known.fields, known.required, kind.cls
        return
    # Registered before its fields are read, since a struct may contain itself.
    fields: dict[str, Accepted] = {}
    accepted.fields = fields
    accepted.struct_type = kind.cls
    accepted.required = tuple(field.encode_name for field in kind.fields if field.required)
    open_structs[kind.cls] = accepted
    for field in kind.fields:
        inner = _accept(field.type, f"{name}.{field.name}", open_structs)
        inner.is_metadata = field.name == "metadata"
        if field.name != field.encode_name:
            raise TypeError(f"{name}: a parameter is called what its field is called")
        fields[field.name] = inner


def _integer_range(kind: inspect.IntType, where: str) -> range:
    if kind.multiple_of is not None:
        raise TypeError(f"{where}: multiple_of has no message yet")
    low = _INT_MIN
    high = _INT_MAX
    if kind.ge is not None:
        low = kind.ge
    if kind.gt is not None:
        low = kind.gt + 1
    if kind.le is not None:
        high = kind.le
    if kind.lt is not None:
        high = kind.lt - 1
    return range(low, high + 1)


def _size(kind: Any) -> range:
    low = kind.min_length if kind.min_length is not None else 0
    high = kind.max_length if kind.max_length is not None else ANY_SIZE.stop - 1
    return range(low, high + 1)
