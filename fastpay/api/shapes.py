"""What a params type takes, worked out once per type for `api/decoding.py` to read requests by."""

import re
from typing import Any

import msgspec
from msgspec import inspect


class Shape:
    """The kinds of value that one parameter takes; several may be set, as in a union.

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
        self.fields: dict[str, Shape] | None = None
        self.required: tuple[str, ...] = ()
        self.struct_type: type[msgspec.Struct] | None = None
        self.values: Shape | None = None
        self.elements: Shape | None = None
        self.sequence: type | None = None
        self.size: range | None = None
        # The values of a map are text: an empty one takes its key away, and numbers become text.
        self.is_map_value = False
        self.is_metadata = False


class Text(msgspec.Struct, frozen=True):
    """The bounds of a text, its length counted in characters."""

    size: range
    pattern: re.Pattern[str] | None


# As many as there are params types in the program.
_shapes: dict[type[msgspec.Struct], Shape] = {}

ANY_SIZE = range(2**62 + 1)
_SEQUENCES: dict[type[inspect.Type], type] = {
    inspect.ListType: list,
    inspect.VarTupleType: tuple,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}
_INT_MIN = -(2**63)
_INT_MAX = 2**63 - 1


def shape_of(params_type: type[msgspec.Struct]) -> Shape:
    """Return the shape of a params type.

    Raises: TypeError for a type that a form cannot carry, or that would have to be guessed from it.
    """
    shape = _shapes.get(params_type)
    if shape is None:
        shape = _shape(inspect.type_info(params_type), params_type.__name__, {})
        _shapes[params_type] = shape
    return shape


def _shape(kind: Any, where: str, open_structs: dict[type, Shape]) -> Shape:
    # Any: the kinds of msgspec.inspect have no common type that says what they have.
    shape = Shape()
    _add(shape, kind, where, open_structs)
    if shape.text is not None and (shape.integer or shape.integers or shape.boolean):
        raise TypeError(f"{where}: a form cannot tell text from a number or a boolean")
    if shape.values is not None and shape.fields is not None:
        raise TypeError(f"{where}: a map cannot be told from a struct")
    return shape


def _add(shape: Shape, kind: Any, where: str, open_structs: dict[type, Shape]) -> None:
    """Let `shape` take `kind` as well."""
    match kind:
        case inspect.Metadata():
            _add(shape, kind.type, where, open_structs)
        case inspect.UnionType():
            for part in kind.types:
                _add(shape, part, where, open_structs)
        case inspect.NoneType():
            shape.nullable = True
        case inspect.AnyType():
            shape.anything = True
        case inspect.BoolType():
            shape.boolean = True
        case inspect.IntType():
            shape.integer = _integer_range(kind, where)
        case inspect.StrType():
            pattern = None if kind.pattern is None else re.compile(kind.pattern)
            shape.text = Text(_size(kind), pattern)
        case inspect.LiteralType():
            _add_literals(shape, kind.values)
        case inspect.StructType():
            _add_struct(shape, kind, open_structs)
        case _:
            _add_collection(shape, kind, where, open_structs)


def _add_collection(shape: Shape, kind: Any, where: str, open_structs: dict[type, Shape]) -> None:
    match kind:
        case inspect.DictType():
            shape.size = _size(kind)
            shape.values = _shape(kind.value_type, f"{where}[...]", open_structs)
            shape.values.is_map_value = shape.values.text is not None
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            shape.sequence = _SEQUENCES[type(kind)]
            shape.size = _size(kind)
            shape.elements = _shape(kind.item_type, f"{where}[]", open_structs)
        case _:
            raise TypeError(f"{where}: {type(kind).__name__} cannot be a parameter")


def _add_literals(shape: Shape, values: Any) -> None:
    for value in values:
        match value:
            case None:
                shape.nullable = True
            case "":
                shape.clearable = True
            case str():
                shape.texts += (value,)
            case int() if not isinstance(value, bool):
                shape.integers += (value,)
            case _:
                raise TypeError(f"the literal {value!r} cannot be a parameter")


def _add_struct(shape: Shape, kind: inspect.StructType, open_structs: dict[type, Shape]) -> None:
    name = kind.cls.__name__
    if kind.tag_field is not None or kind.array_like or shape.fields is not None:
        raise TypeError(f"{name}: only one plain struct may stand for a parameter")
    if not kind.forbid_unknown_fields:
        raise TypeError(f"{name}: a params type refuses unknown fields")
    known = open_structs.get(kind.cls)
    if known is not None:
        shape.fields, shape.required, shape.struct_type = known.fields, known.required, kind.cls
        return
    # Set before the fields are looked at, for a struct that holds itself.
    fields: dict[str, Shape] = {}
    shape.fields = fields
    shape.struct_type = kind.cls
    shape.required = tuple(field.encode_name for field in kind.fields if field.required)
    open_structs[kind.cls] = shape
    for field in kind.fields:
        inner = _shape(field.type, f"{name}.{field.name}", open_structs)
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
