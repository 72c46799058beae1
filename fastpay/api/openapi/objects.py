"""Objects as the document describes them: a shape and the struct that it is about become a schema.

What can be expanded in an object is one field of it with two types: the identifier, or the object itself.
A resource that has several shapes, such as that of a deleted customer, has a schema for each.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from fastpay.api.layout import Choice, Field, Json, Later, Mode, Nested, Page, Same, Shape, Slot, When
from fastpay.api.openapi.descriptions import explained
from fastpay.api.openapi.schemas import (
    BOOLEAN,
    NULL,
    Schema,
    constant,
    described,
    list_of,
    reference,
    union,
    without_null,
)
from fastpay.api.resource import Included, Reference, Resource, Resources, Sublist
from fastpay.domain.kinds import Kind

# What is known of a field while a shape is read: its text, or only that it is neither None nor False.
_Known = Mapping[str, str | None]
_VIEWS_MAX = 256


class _Variant(NamedTuple):
    """One of the shapes of a resource, and what is known where it applies."""

    name: str
    shape: Shape
    known: _Known


class Objects:
    """Describes resources. Each becomes a schema of its own, put into `schemas` by the name of its object."""

    def __init__(self, schemas: dict[str, Schema], resources: Resources) -> None:
        self._schemas = schemas
        self._resources = resources
        self._resource: Resource | None = None
        for resource in resources:
            self.add(resource)

    def shown(self, shows: Resource | type) -> Schema:
        """Return the schema of what an endpoint shows."""
        if isinstance(shows, Resource):
            names = [variant.name for variant in _variants(shows)]
            if not all(name in self._schemas for name in names):
                self.add(shows)
            return union(*map(reference, names))
        name = _object_of_view(shows)
        self._schemas[name] = explained(_described_view(shows), name)
        return reference(name)

    def of_kind(self, kind: Kind) -> Schema:
        """Return the schema of the objects of a kind."""
        return self.shown(self._resources.of_kind(kind))

    def of_event(self, event_type: str) -> Resource | None:
        """Return what events of a type show: the resource that the type names last."""
        words = "_" + event_type.rpartition(".")[0].replace(".", "_")
        # A card is called a source where it is one.
        nouns = {resource.kind.noun: resource for resource in self._resources}
        named = nouns | {name_of(resource): resource for resource in self._resources}
        fitting = [name for name in named if words.endswith("_" + name)]
        return named[max(fitting, key=len)] if fitting else None

    def add(self, resource: Resource) -> None:
        """Put the schemas of a resource into the document."""
        names = [variant.name for variant in _variants(resource)]
        for name in names:
            self._schemas.setdefault(name, {})
        for variant in _variants(resource):
            reader = _Reader(self, resource)
            if resource.shape is None:
                schema = reader.in_place(_described_view(resource.view), "")
            else:
                schema = reader.read(resource.view, variant.shape, variant.known)
            for path, field in resource.expandable.items():
                is_added = isinstance(field, Sublist) or (isinstance(field, Reference) and field.is_view)
                if is_added and path not in schema["properties"]:
                    # Only there if it was asked for.
                    _add(schema, path, reader.expanded(NULL, path))
            schema["required"] = [
                field for field in schema["required"] if field not in resource.secret_fields
            ]
            if resource.expandable:
                schema["x-expandableFields"] = list(resource.expandable)
            self._schemas[variant.name] |= {
                "description": _description(resource),
                **explained(schema, variant.name),
            }


def _add(schema: Schema, path: str, added: Schema) -> None:
    """Put a field into the schema of an object, or of a part that is there for such fields alone."""
    part, _, name = path.rpartition(".")
    if part:
        schema = schema["properties"].setdefault(part, {"type": "object", "properties": {}})
    schema["properties"][name] = added


class _Reader:
    """Reads the shape of one resource."""

    def __init__(self, objects: Objects, resource: Resource) -> None:
        self._objects = objects
        self._expandable = resource.expandable

    def read(self, struct_type: type, shape: Shape, known: _Known, path: str = "") -> Schema:
        """Return the schema of a shape. `path` is where it is in the object."""
        schema = self._read(struct_type, shape, known, path)
        return self.expanded(schema, path) if path in self._expandable else schema

    def _read(self, struct_type: type, shape: Shape, known: _Known, path: str) -> Schema:
        match shape:
            case dict():
                properties = {
                    name: self.read(struct_type, inner, known, f"{path}.{name}" if path else name)
                    for name, inner in shape.items()
                }
                schema: Schema = {"type": "object", "properties": properties, "required": list(properties)}
            case list():
                items = [self.read(struct_type, inner, known, path) for inner in shape]
                schema = {"type": "array", "items": union(*items) if items else {}}
            case Mode() | Same():
                schema = BOOLEAN
            case Nested():
                schema = self._read(shape.struct_type, shape.shape, _below(known, shape.name), path)
                if shape.name not in known and NULL in _parts(_field(struct_type, shape.name)):
                    schema = union(schema, NULL)
            case When():
                then = self.read(struct_type, shape.then, {**known, shape.path: shape.equals}, path)
                schema = union(then, self.read(struct_type, shape.otherwise, known, path))
            case Choice():
                chosen = [constant(text) for text in shape.constants.values()]
                schema = union(*chosen, self.read(struct_type, shape.otherwise, known, path))
            case Later():
                schema = union(_described_view(shape.type), NULL)
            case Field() | Slot() | Json():
                schema = self._value(struct_type, shape, known)
            case _:
                schema = constant(shape)
        return schema

    def _value(self, struct_type: type, node: Field | Slot | Json, known: _Known) -> Schema:
        if isinstance(node, Slot) and node.filled is not None:
            if isinstance(node.filled, Page):
                return explained(list_of(self._objects.of_kind(node.filled.kind)), "list")
            return _described_view(node.filled)
        schema = _field(struct_type, node.path)
        if isinstance(node, Json):
            shown = _described_view(node.type)
            schema = union(shown, NULL) if NULL in _parts(schema) else shown
        if node.path not in known:
            return schema
        text = known[node.path]
        return without_null(schema) if text is None else constant(text)

    def expanded(self, schema: Schema, path: str) -> Schema:
        """Return the schema of a field that can be expanded."""
        field = self._expandable[path]
        if isinstance(field, Included):
            return schema
        objects = [self._objects.of_kind(kind) for kind in field.kinds]
        if isinstance(field, Sublist):
            return union(explained(list_of(union(*objects)), "list"), NULL)
        whole = union(schema, *objects)
        return {**whole, "x-expansionResources": {"oneOf": objects}} if objects else whole

    def in_place(self, schema: Schema, path: str) -> Schema:
        """Return the schema of a view, with what can be expanded in it."""
        properties = {
            name: self.expanded(inner, name)
            if isinstance(self._expandable.get(name), Reference | Sublist)
            else inner
            for name, inner in schema["properties"].items()
        }
        return {**schema, "properties": properties}


def _variants(resource: Resource) -> Iterator[_Variant]:
    """Yield the shapes of a resource, the usual one first."""
    shape = resource.shape
    known: dict[str, str | None] = {}
    variants: list[_Variant] = []
    while isinstance(shape, When):
        if shape.whole is not None:
            shape = shape.whole
            continue
        label = shape.equals or shape.path
        variants.append(_Variant(label, shape.then, {**known, shape.path: shape.equals}))
        shape = shape.otherwise
    if shape is None:
        yield _Variant(_object_of_view(resource.view), None, {})
        return
    assert isinstance(shape, dict)
    label = "" if resource.encode is None else resource.encode.label
    name = f"{shape['object']}_{label}".rstrip("_")
    yield _Variant(f"{name}_deleted" if shape.get("deleted") else name, shape, known)
    for label, inner, facts in variants:
        yield _Variant(f"{name}_{label}", inner, facts)


def name_of(resource: Resource) -> str:
    """Return what the objects of a resource are called."""
    return next(_variants(resource)).name


_type_info = functools.lru_cache(maxsize=_VIEWS_MAX)(inspect.type_info)


def _object_of_view(view: type) -> str:
    for field in _type_info(view).fields:  # type: ignore[attr-defined]
        if field.encode_name == "object":
            return str(field.type.values[0])
    raise TypeError(f"{view} has no field that says which object it is")


def _described_view(view: type) -> Schema:
    """Return the schema of what is encoded as it is: a TypedDict, or a struct."""
    return described(_type_info(view), _view_fields)


def _view_fields(kind: Any) -> Schema:
    # Any: the types of msgspec.inspect have no common base that names their attributes.
    properties = {field.encode_name: described(field.type, _view_fields) for field in kind.fields}
    schema: Schema = {"type": "object", "properties": properties}
    # A field that may be unset is not there then.
    required = [field.encode_name for field in kind.fields if _is_always_there(field)]
    return schema | {"required": required}


def _is_always_there(field: inspect.Field) -> bool:
    return (
        field.required
        or field.default not in (msgspec.NODEFAULT, msgspec.UNSET)
        or (field.default_factory is not msgspec.NODEFAULT)
    )


def _field(struct_type: type, path: str) -> Schema:
    """Return the schema of a field of a struct, which may be in a nested struct."""
    kind: Any = _type_info(struct_type)
    for name in path.split("."):
        structs = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
        (struct,) = (part for part in structs if isinstance(part, inspect.StructType))
        kind = next(field.type for field in struct.fields if field.name == name)
    return described(kind, lambda _: {"type": "object"})


def _parts(schema: Schema) -> list[Schema]:
    if "anyOf" in schema:
        return list(schema["anyOf"])
    return [{"type": name} for name in schema["type"]] if isinstance(schema.get("type"), list) else [schema]


def _below(known: _Known, name: str) -> _Known:
    prefix = name + "."
    return {path.removeprefix(prefix): text for path, text in known.items() if path.startswith(prefix)}


def _description(resource: Resource) -> str:
    doc = resource.struct.__doc__ or ""
    return doc.partition("\n\n")[0].replace("\n    ", " ")
