"""Expansion: showing other objects whole where an answer would only name them.

Paths are checked against the resources' declarations before anything is done, and kept with the answer, so
that a replay expands the same. Then the references of all the answer's objects are replaced level by level,
with one question to the resolver a level.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from fastpay import limits
from fastpay.api.envelopes import render_list
from fastpay.api.resource import Expandable, Included, Reference, Resource, Resources, Sublist
from fastpay.api.suggestions import nearest
from fastpay.domain.identifiers import digits
from fastpay.domain.kinds import Kind, presentable
from fastpay.errors import InvalidRequest

_Item = TypeVar("_Item")


class Resolver(Protocol):
    """Where the objects behind identifiers come from, rendered, of one tenant and mode."""

    @property
    def resources(self) -> Resources:
        """The resources that are served."""

    async def resolve(self, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
        """Return the objects that exist."""

    async def list_each(
        self, sublist: Sublist, identifiers: Sequence[str]
    ) -> Mapping[str, Sequence[dict[str, object]]]:
        """Return the list of each of these objects, newest first.

        Each is one longer than a page where there are more.
        """

    async def step(self) -> None:
        """Let other tasks run. Called after `expanded_at_once_max` objects."""


# Room for every path, followed to its end, in every item of the longest page.
_OBJECTS_MAX = limits.page_size_max * limits.expand_paths_max * limits.expand_depth_max
_PATH_SHOWN_CHARS = 100

# The fields to expand in an object, and in each what to expand below it.
Tree = dict[str, "Tree"]
# Rendered objects, each with what is to be expanded in it.
_Level = list[tuple[dict[str, object], Tree]]


def check_paths(
    resources: Resources,
    expandable: Mapping[str, Expandable],
    paths: Sequence[str],
    *,
    listed: bool = False,
) -> tuple[str, ...]:
    """Return the paths to expand in each object that has these expandable fields, without repetitions.

    In a list, paths begin with `data.`, which is taken off here.
    Raises: InvalidRequest for a path that leads nowhere, too many paths or one too long.
    """
    if len(paths) > limits.expand_paths_max:
        raise _refusal(f"At most {limits.expand_paths_max} paths can be expanded in one request.")
    checked: dict[str, None] = {}
    for path in paths:
        relative = path.removeprefix("data.") if listed else path
        if listed and relative == path:
            raise _refusal(f"'{_shortened(path)}' cannot be expanded: in a list, paths begin with 'data.'.")
        names = _split(resources, relative)
        if len(names) > limits.expand_depth_max:
            raise _refusal(
                f"'{_shortened(path)}' is too deep: at most {limits.expand_depth_max} objects can be "
                "expanded one inside of the other."
            )
        lost = _lost_at(resources, [expandable], names)
        if lost is not None:
            raise _refusal(f"'{_shortened(path)}' cannot be expanded. {_hint(names, *lost, listed=listed)}")
        checked[relative] = None
    return tuple(checked)


async def expand(rendered: Sequence[dict[str, object]], paths: Sequence[str], resolver: Resolver) -> None:
    """Replace identifiers by the objects that they name, in place, along paths that were checked.

    References that are expanded without being asked for are replaced as well. An identifier that the
    resolver does not know stays. Raises: InvalidRequest if the answer would become too large.
    """
    await _Expansion(resolver).run(rendered, _tree(resolver.resources, paths))


class _Reference(NamedTuple):
    """A reference in an object, and what is to be expanded below it."""

    shown: dict[str, object]
    path: str
    value: object
    below: Tree


class _Expansion:
    """The expansion of one answer. It remembers what was resolved, so that nothing is asked for twice."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._objects: dict[str, dict[str, object]] = {}
        # By sublist, the lists of the objects.
        self._lists: dict[Sublist, dict[str, Sequence[dict[str, object]]]] = {}
        self._count = 0

    async def run(self, rendered: Sequence[dict[str, object]], tree: Tree) -> None:
        """Expand level by level. The depth of the tree ends it: each level goes one reference further."""
        level: _Level = [(shown, tree) for shown in rendered]
        while level:
            level = [
                *await self._replace_references(level),
                *await self._add_lists(level),
                *self._included(level),
            ]
            self._count += len(level)
            if self._count > _OBJECTS_MAX:
                raise _refusal(
                    f"More than {_OBJECTS_MAX} objects would be expanded. Give fewer paths or a lower limit."
                )

    async def _replace_references(self, level: _Level) -> _Level:
        references: list[_Reference] = []
        for piece in _pieces(level):
            references += [found for shown, below in piece for found in self._references(shown, below)]
            await self._pause(piece)
        identifiers = dict.fromkeys(one.value for one in references if isinstance(one.value, str))
        unknown = [identifier for identifier in identifiers if identifier not in self._objects]
        for names in _pieces(unknown):
            self._objects.update(await self._resolver.resolve(names))
            await self._pause(names)
        found: _Level = []
        for replaced in _pieces(references):
            found += [shown for one in replaced if (shown := _replace(one, self._objects)) is not None]
            await self._pause(replaced)
        return found

    def _references(self, shown: dict[str, object], tree: Tree) -> Iterable[_Reference]:
        """Yield the references to replace in one object."""
        resource = _resource_of(self._resolver.resources, shown)
        if resource is None:
            return
        wanted = dict(tree)
        if resource.whole is not None:
            wanted.setdefault(resource.whole.path, {})
        for path, below in wanted.items():
            # A path may lead to objects of several kinds, of which only some have the field.
            field = resource.expandable.get(path)
            if isinstance(field, Reference):
                value = _view_of(shown, field) if field.is_view else _value_at(shown, path)
                if value is not None:
                    yield _Reference(shown, path, value, below)

    def _included(self, level: _Level) -> Iterable[tuple[dict[str, object], Tree]]:
        """Yield the items of lists that are in objects anyway."""
        for shown, tree in level:
            for name in self._resolver.resources.lists & tree.keys():
                resource = _resource_of(self._resolver.resources, shown)
                if resource is None or not isinstance(resource.expandable.get(name), Included):
                    continue
                whole = shown.get(name)
                items = whole["data"] if isinstance(whole, dict) else whole
                assert isinstance(items, list)
                yield from ((item, tree[name]) for item in items)

    async def _add_lists(self, level: _Level) -> _Level:
        found: _Level = []
        for name in sorted(self._resolver.resources.sublists):
            by_sublist: dict[Sublist, _Level] = {}
            for shown, tree in level:
                resource = _resource_of(self._resolver.resources, shown) if name in tree else None
                sublist = None if resource is None else resource.expandable.get(name)
                if isinstance(sublist, Sublist):
                    by_sublist.setdefault(sublist, []).append((shown, tree[name]))
            for sublist, owners in by_sublist.items():
                found += await self._add_list(name, sublist, owners)
        return found

    async def _add_list(self, name: str, sublist: Sublist, owners: _Level) -> _Level:
        known = self._lists.setdefault(sublist, {})
        identifiers = dict.fromkeys(str(owner["id"]) for owner, _ in owners)
        unknown = [identifier for identifier in identifiers if identifier not in known]
        if unknown:
            known.update(await self._resolver.list_each(sublist, unknown))
        found: _Level = []
        for owner, below in owners:
            identifier = str(owner["id"])
            items = known[identifier]
            page = [dict(item) for item in items[: limits.page_size_default]]
            url = sublist.path.format(id=identifier)
            _put(owner, name, render_list(url, page, len(items) > limits.page_size_default))
            found.extend((item, below) for item in page)
        return found

    async def _pause(self, piece: Sequence[object]) -> None:
        """Let other tasks run after a piece of full length. Most answers have none."""
        if len(piece) == limits.expanded_at_once_max:
            await self._resolver.step()


def _pieces(whole: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    size = limits.expanded_at_once_max
    return (whole[start : start + size] for start in range(0, len(whole), size))


def _replace(
    reference: _Reference, objects: Mapping[str, dict[str, object]]
) -> tuple[dict[str, object], Tree] | None:
    """Put an object where it is named and return it; None if it is unknown."""
    if isinstance(reference.value, dict):
        return reference.value, reference.below
    found = objects.get(reference.value) if isinstance(reference.value, str) else None
    if found is None:
        return None
    # The same object may be shown several times and be expanded differently in each: never share it.
    copied = dict(found)
    _put(reference.shown, reference.path, copied)
    return copied, reference.below


def _put(shown: dict[str, object], path: str, value: object) -> None:
    """Put a value into an object, or into a part of it, which may be there for that alone."""
    part, _, name = path.rpartition(".")
    if part:
        container = shown.get(part, {})
        assert isinstance(container, dict)
        shown[part] = {**container, name: value}
    else:
        shown[name] = value


def _lost_at(
    resources: Resources, expandable: Sequence[Mapping[str, Expandable]], names: Sequence[str]
) -> tuple[int, list[str]] | None:
    """Return where a path leads nowhere: the position of the name, and the names that lead on from there.

    Fields are expanded one inside of the other, beginning in objects with these fields. None if they can be.
    """
    for position, name in enumerate(names):
        matching = [fields[name] for fields in expandable if name in fields]
        if not matching:
            return position, list(dict.fromkeys(known for fields in expandable for known in fields))
        kinds: dict[Kind, None] = dict.fromkeys(kind for field in matching for kind in field.kinds)
        if not kinds:
            # What is always null may be followed any further.
            return None
        expandable = [resources.of_kind(kind).expandable for kind in kinds]
    return None


def _hint(names: Sequence[str], position: int, known: Sequence[str], *, listed: bool) -> str:
    """Return what to write instead of the name at a position."""
    start = ["data"] if listed else []
    found = nearest(names[position], known)
    if found is not None:
        return f"Did you mean '{'.'.join([*start, *names[:position], found])}'?"
    where = ".".join([*start, *names[:position]])
    return f"{f'In {where}' if where else 'Here'} can be expanded: {', '.join(known) or 'nothing'}."


def _split(resources: Resources, path: str) -> list[str]:
    """Split a path into fields: one inside of a part has two names, and a list's items are under `data`."""
    names = path.split(".")
    fields: list[str] = []
    position = 0
    while position < len(names):
        size = 2 if names[position] in resources.parts else 1
        fields.append(".".join(names[position : position + size]))
        position += size
        if fields[-1] in resources.lists and names[position : position + 1] == ["data"]:
            position += 1
    return fields


def _tree(resources: Resources, paths: Iterable[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        node = root
        for name in _split(resources, path):
            node = node.setdefault(name, {})
    return root


def _resource_of(resources: Resources, shown: Mapping[str, object]) -> Resource | None:
    identifier = shown.get("id")
    return resources.named(identifier) if isinstance(identifier, str) else None


def _view_of(shown: Mapping[str, object], field: Reference) -> str:
    """Return the identifier of a view of an object: that of the object, under the prefix of the view."""
    return f"{field.kinds[0].prefix}_{digits(str(shown['id']))}"


def _value_at(shown: Mapping[str, object], path: str) -> object:
    part, _, name = path.rpartition(".")
    if not part:
        return shown.get(name)
    container = shown.get(part)
    return container.get(name) if isinstance(container, dict) else None


def _shortened(path: str) -> str:
    path = presentable(path)
    return path if len(path) <= _PATH_SHOWN_CHARS else path[:_PATH_SHOWN_CHARS] + "…"


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="expand")
