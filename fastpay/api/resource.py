"""What the API knows of a kind of object: its shape in JSON, what can be expanded in it, how it is loaded.

Each module under `api/resources/` declares its own; `app.py` gathers them into `Resources`, where everything
that meets an object by its identifier or its struct looks them up.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from fastpay.api.layout import Shape, template
from fastpay.domain.identifiers import Scope, prefix_of
from fastpay.domain.kinds import Kind, StoredKind
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Reader


class Reference(NamedTuple):
    """A field that names an object of one of these kinds. Without kinds it is always null.

    If it `is_view`, it is left out unless it is asked for: a view of the object itself.
    """

    kinds: tuple[Kind, ...] = ()
    is_view: bool = False


class Sublist(NamedTuple):
    """A field that becomes the first page of a list: the objects of `kind` whose `field` names the object.

    `path` is where the list is served, with `{id}` for the object. `shown_as` is the kind of a view, if the
    objects are shown as such. With `only_type`, objects of another type are left out.
    """

    kind: Kind
    field: str
    path: str
    shown_as: Kind | None = None
    only_type: str | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the objects in the list."""
        return (self.shown_as or self.kind,)


class Included(NamedTuple):
    """A list that is always in the object. What its items name can be expanded in each of them."""

    kinds: tuple[Kind, ...] = ()


Expandable = Reference | Sublist | Included
ALWAYS_NULL = Reference()


class Whole:
    """A reference that is expanded without being asked for. Snapshots have it under the same path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.outer, self._inner = path.split(".")

    def find(self, stored: StoredObject) -> str | None:
        """Return its identifier in an object."""
        outer = getattr(stored, self.outer)
        identifier: str | None = None if outer is None else getattr(outer, self._inner)
        return identifier


class Snapshot(Protocol):
    """What an answer is made from: a tenant's data as of one sequence, or the latest where that is None."""

    @property
    def scope(self) -> Scope:
        """The tenant and mode."""

    @property
    def sequence(self) -> int | None:
        """The sequence."""

    @property
    def reader(self) -> Reader:
        """Where objects are read."""

    @property
    def ledger(self) -> Ledger:
        """Where balances are read."""

    async def load(self, identifiers: Sequence[str]) -> Mapping[str, Versioned]:
        """Return the stored objects that exist."""


Load = Callable[[Snapshot, Sequence[str]], Awaitable[Mapping[str, dict[str, object]]]]


class Render(Protocol):
    """Returns an object in JSON.

    The same object gives the same bytes, whenever it is asked for: every key is there, in the same order,
    null if it has no value. `whole` is the object, in JSON, that the resource's `whole` names.
    """

    def __call__(self, stored: msgspec.Struct, livemode: bool, whole: bytes | None = None, /) -> bytes:
        """Return it."""


class Encoding(NamedTuple):
    """How an object is shown that is not shown as it is stored.

    `view` is what it becomes first: the struct of the resource's shape, or without a shape a TypedDict.
    `label` is for the API's description, where objects of one name are shown in several ways.
    """

    view: type
    render: Render
    label: str = ""


class Resource:
    """A kind of object as clients see it.

    It has a `shape`, and `encode` if that is not about the stored struct. `expandable` names the fields that
    can be expanded; a name may lead through a part of the object (`transfer_data.destination`). `whole` is
    expanded without being asked for. `secret_fields` are left out for publishable keys. `load` returns,
    rendered, objects that are views and not stored. `struct` is what the shape is about, by default the
    stored struct. Without a shape it is a TypedDict of what is shown.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        shape: Shape = None,
        encode: Encoding | None = None,
        expandable: Mapping[str, Expandable] | None = None,
        whole: Whole | None = None,
        secret_fields: Iterable[str] = (),
        load: Load | None = None,
        struct: type | None = None,
    ) -> None:
        self.kind = kind
        self.shape = shape
        self.struct: type = kind.struct if isinstance(kind, StoredKind) else struct or msgspec.Struct
        self.view = self.struct if encode is None else encode.view
        self.encode = encode
        self.expandable = expandable or {}
        self.whole = whole
        self.secret_fields = frozenset(secret_fields)
        self.load = load
        # An attribute and no method: payments call the compiled template without a frame between.
        made = template(msgspec.Struct if shape is None else self.view, shape)
        self.render_bytes: Render = made.render if encode is None else encode.render

    def render(self, stored: msgspec.Struct, livemode: bool) -> dict[str, object]:
        """Return what `render_bytes` writes, to expand something in it."""
        rendered: dict[str, object] = msgspec.json.decode(self.render_bytes(stored, livemode))
        return rendered

    def is_plain(self, stored: StoredObject) -> bool:
        """Tell whether nothing is expanded in an object that was not asked for."""
        whole = self.whole
        # As `find`, whose frame is more than what it does.
        return whole is None or getattr(stored, whole.outer) is None or whole.find(stored) is None

    def whole_in(self, stored: StoredObject) -> str | None:
        """Return the identifier of the object that is expanded in this one without being asked for."""
        return None if self.whole is None else self.whole.find(stored)


class Resources:
    """All resources that are served.

    `parts` are the parts of objects through which the names of expandable fields lead, `sublists` the names
    of fields that become lists, and `lists` those of all fields that are lists then.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_prefix = {resource.kind.prefix: resource for resource in resources}
        # For who renders many stored objects.
        self.by_type: Mapping[type, Resource] = {
            resource.struct: resource for resource in self._by_prefix.values() if resource.load is None
        }
        fields = [field for resource in self for field in resource.expandable.items()]
        self.parts = frozenset(name.partition(".")[0] for name, _ in fields if "." in name)
        self.sublists = frozenset(name for name, field in fields if isinstance(field, Sublist))
        self.lists = self.sublists | {name for name, field in fields if isinstance(field, Included)}

    def __iter__(self) -> Iterator[Resource]:
        """Iterate over them."""
        return iter(self._by_prefix.values())

    def named(self, identifier: str) -> Resource | None:
        """Return the resource of the object with this identifier, None where there is no such resource."""
        return self._by_prefix.get(prefix_of(identifier))

    def of_kind(self, kind: Kind) -> Resource:
        """Return the resource of a kind."""
        return self._by_prefix[kind.prefix]

    def of_object(self, stored: StoredObject) -> Resource:
        """Return the resource of a stored object."""
        return self.by_type[type(stored)]

    def render_bytes(self, stored: StoredObject, livemode: bool) -> bytes:
        """Return a stored object in JSON."""
        return self.of_object(stored).render_bytes(stored, livemode)

    def render(self, stored: StoredObject, livemode: bool) -> dict[str, object]:
        """Return a stored object, to expand something in it."""
        return self.of_object(stored).render(stored, livemode)
