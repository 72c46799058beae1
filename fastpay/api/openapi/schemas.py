"""Pieces of JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1), and the types of msgspec as such."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from msgspec import inspect

# Any: JSON.
Schema: TypeAlias = dict[str, Any]

NULL: Schema = {"type": "null"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer", "format": "int64"}
STRING: Schema = {"type": "string"}

_PLAIN: dict[type, Schema] = {inspect.AnyType: {}, inspect.BoolType: BOOLEAN, inspect.NoneType: NULL}

# In JSON Schema `$` is the end of the text, so patterns need no guard against a final line break.
_GUARD = "(?!\\n)"
_REFERENCES = "#/components/schemas/"


def reference(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": _REFERENCES + name}


def constant(value: object) -> Schema:
    """Return the schema of a constant: of a text that it is this one, of anything else its type."""
    if isinstance(value, str):
        return {"type": "string", "const": value}
    if value is None:
        return NULL
    return BOOLEAN if isinstance(value, bool) else INTEGER


def one_of(texts: list[str]) -> Schema:
    """Return the schema of some texts."""
    return constant(texts[0]) if len(texts) == 1 else {"type": "string", "enum": sorted(texts)}


def union(*schemas: Schema) -> Schema:
    """Return the schema of what any of these allows, without repetitions."""
    parts: list[Schema] = []
    for schema in schemas:
        for part in _alternatives(schema):
            if part not in parts:
                parts.append(part)
    parts = _merged_arrays(_merged_texts(parts))
    if NULL in parts:
        parts.remove(NULL)
        parts.append(NULL)
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2 and parts[1] == NULL and parts[0].keys() <= {"type", "format"}:
        return {**parts[0], "type": [parts[0]["type"], "null"]}
    return {"anyOf": parts}


def without_null(schema: Schema) -> Schema:
    """Return a schema that does not allow null."""
    parts = [part for part in _alternatives(schema) if part != NULL]
    return union(*parts) if parts else schema


def list_of(item: Schema, kind: str = "list", *, numbers: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a page of a list or of search results."""
    properties: Schema = {
        "object": constant(kind),
        "url": STRING,
        "has_more": BOOLEAN,
        "data": {"type": "array", "items": item},
    }
    if kind == "search_result":
        properties["next_page"] = union(STRING, NULL)
        numbers = (*numbers, "total_count")
    required = list(properties)
    return {
        "type": "object",
        "properties": properties | dict.fromkeys(numbers, INTEGER),
        "required": required,
    }


def described(
    kind: Any, of_struct: Callable[[Any], Schema], of_map: Callable[[Any], Schema] | None = None
) -> Schema:
    """Return the schema of a type of msgspec, without what depends on who sends it: structs and maps."""
    # Any: the types of msgspec.inspect have no common base that names their attributes.
    match kind:
        case inspect.Metadata():
            schema = described(kind.type, of_struct, of_map)
        case inspect.UnionType():
            schema = union(*(described(part, of_struct, of_map) for part in kind.types))
        case inspect.IntType():
            schema = INTEGER | dict(_bounds(kind))
        case inspect.StrType():
            schema = _text(kind)
        case inspect.LiteralType():
            schema = union(*map(constant, kind.values))
        case inspect.DictType() if of_map is not None:
            schema = of_map(kind)
        case inspect.DictType():
            schema = {"type": "object", "additionalProperties": described(kind.value_type, of_struct)}
        case inspect.ListType() | inspect.VarTupleType():
            items = {"type": "array", "items": described(kind.item_type, of_struct, of_map)}
            schema = items | dict(_sizes(kind, "minItems", "maxItems"))
        case inspect.StructType() | inspect.TypedDictType():
            schema = of_struct(kind)
        case _:
            schema = _PLAIN[type(kind)]
    return schema


def _alternatives(schema: Schema) -> Iterator[Schema]:
    if schema.keys() == {"anyOf"}:
        for part in schema["anyOf"]:
            yield from _alternatives(part)
    elif isinstance(schema.get("type"), list):
        for name in schema["type"]:
            yield NULL if name == "null" else {**schema, "type": name}
    else:
        yield schema


def _merged_texts(parts: list[Schema]) -> list[Schema]:
    """Return schemas of which at most one is of certain texts, and none if any text is allowed."""
    texts = {text for part in parts for text in _texts(part)}
    others = [part for part in parts if not _texts(part)]
    return [one_of(sorted(texts)), *others] if texts and STRING not in others else others


def _merged_arrays(parts: list[Schema]) -> list[Schema]:
    """Return schemas of which at most one is of arrays. Those that are always empty have any items."""
    arrays = [part for part in parts if part.get("type") == "array"]
    if len(arrays) < 2:
        return parts
    items = [part["items"] for part in arrays if part["items"]]
    others = [part for part in parts if part not in arrays]
    return [*others, {"type": "array", "items": union(*items) if items else {}}]


def _texts(schema: Schema) -> list[str]:
    """Return the texts that a schema allows, if it allows nothing else."""
    if schema.keys() - {"type"} not in ({"const"}, {"enum"}):
        return []
    return [schema["const"]] if "const" in schema else list(schema["enum"])


def _text(kind: inspect.StrType) -> Schema:
    schema = STRING | dict(_sizes(kind, "minLength", "maxLength"))
    return schema if kind.pattern is None else schema | {"pattern": kind.pattern.replace(_GUARD, "")}


def _sizes(kind: Any, least: str, most: str) -> Iterator[tuple[str, int]]:
    if kind.min_length is not None:
        yield least, kind.min_length
    if kind.max_length is not None:
        yield most, kind.max_length


def _bounds(kind: inspect.IntType) -> Iterator[tuple[str, int]]:
    if kind.ge is not None:
        yield "minimum", kind.ge
    if kind.gt is not None:
        yield "minimum", kind.gt + 1
    if kind.le is not None:
        yield "maximum", kind.le
    if kind.lt is not None:
        yield "maximum", kind.lt - 1
