"""Parameters of requests as the document describes them: the schemas of bodies, and the names of a query."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, inspect

from fastpay import limits
from fastpay.api.common_params import Params
from fastpay.api.openapi import descriptions
from fastpay.api.openapi.schemas import NULL, Schema, described, reference, union, without_null

# What unsets a parameter that can be unset. In a form it is the empty text.
_EMPTY: Schema = {"type": "string", "maxLength": 0}
_METADATA_KEY = f"^[^\\[\\]]{{1,{limits.metadata_key_chars_max}}}$"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Parameters:
    """Describes types of parameters. Structs become schemas of their own, put into `schemas` by name."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._schemas = schemas
        self._names: dict[str, type] = {}

    def body(self, params_type: type[Params]) -> Schema:
        """Return the schema of the body of a POST."""
        return self._struct(inspect.type_info(params_type))

    def query(self, params_type: type[Params]) -> list[Schema]:
        """Return the parameters of a query: an object's fields each by its own name, a list by `name[]`."""
        return list(self._in_query(inspect.type_info(params_type), "{}"))

    def _in_query(self, kind: Any, pattern: str) -> Iterator[Schema]:
        # Any: the types of msgspec.inspect have no common base that names their attributes.
        for field in kind.fields:
            name = pattern.format(field.encode_name)
            for part in _parts(field.type):
                if isinstance(part, inspect.StructType):
                    yield from self._in_query(part, name + "[{}]")
                    continue
                found = self._value(part)
                shown: Schema = {"name": name, "in": "query", "schema": found | _default(field)}
                if (meaning := descriptions.of_query(name)) is not None:
                    shown["description"] = meaning
                if found.get("type") == "array":
                    shown |= {"name": name + "[]", "style": "form", "explode": True}
                if field.required:
                    shown["required"] = True
                yield shown

    def _struct(self, kind: Any) -> Schema:
        name = _name_of(kind.cls)
        known = self._names.setdefault(name, kind.cls)
        assert known is kind.cls, f"two types of parameters are named {name}"
        if name not in self._schemas:
            # Before the fields, since a struct may contain itself.
            self._schemas[name] = {}
            properties = {field.encode_name: self._field(name, field) for field in kind.fields}
            self._schemas[name] |= {
                "type": "object",
                "description": _doc_of(kind),
                "properties": properties,
                "additionalProperties": False,
            }
            required = [field.encode_name for field in kind.fields if field.required]
            if required:
                self._schemas[name]["required"] = required
        return reference(name)

    def _field(self, type_name: str, field: inspect.Field) -> Schema:
        schema = self._value(field.type)
        inside = next((part for part in _parts(field.type) if isinstance(part, inspect.StructType)), None)
        meaning = descriptions.of_parameter(type_name, field.encode_name)
        if meaning is None and inside is not None:
            meaning = _doc_of(inside)
        said: Schema = {} if meaning is None else {"description": meaning}
        if field.encode_name == "metadata":
            schema = union(*map(_metadata, schema.get("anyOf", [schema])))
        return schema | said | ({} if "$ref" in schema else _default(field))

    def _value(self, kind: Any) -> Schema:
        schema = described(kind, self._struct, _map)
        filled = without_null(schema)
        # Null unsets what can be unset, and so does the empty text.
        return schema if filled == schema else union(filled, NULL, _EMPTY)


def _parts(kind: Any) -> Iterator[Any]:
    """Yield the struct in a type, and the rest of it."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    parts = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    structs = [part for part in parts if isinstance(part, inspect.StructType)]
    others = [part for part in parts if part not in structs]
    if len(others) == 1:
        yield others[0]
    elif others:
        yield kind if not structs else inspect.UnionType(tuple(others))
    yield from structs


def _doc_of(kind: inspect.StructType) -> str:
    """Return what the docstring of a type says first."""
    return " ".join((kind.cls.__doc__ or "").partition("\n\n")[0].split())


def _map(kind: inspect.DictType) -> Schema:
    """Return the schema of a map of texts. Numbers and booleans become text, and null is the empty one."""
    return {"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean", "null"]}}


def _metadata(schema: Schema) -> Schema:
    if schema.get("type") != "object":
        return schema
    values = schema["additionalProperties"] | {"maxLength": limits.metadata_value_chars_max}
    return schema | {
        "additionalProperties": values,
        "maxProperties": limits.metadata_keys_max,
        "propertyNames": {"pattern": _METADATA_KEY},
    }


def _default(field: inspect.Field) -> Schema:
    value = field.default
    if value is UNSET or not isinstance(value, bool | int | str):
        return {}
    return {"default": value}


def _name_of(cls: type[msgspec.Struct]) -> str:
    """Return the name of a type in the document. Those of a resource's own begin with its name."""
    words = _WORD.sub("_", cls.__name__).lower()
    _, found, module = cls.__module__.partition(".resources.")
    return f"{module.partition('.')[0]}_{words}" if found else words
