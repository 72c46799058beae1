"""The SQL of this program, by name: files in `sql/`, and what is generated from `tables.py`."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from fastpay.domain.kinds import StoredKind
from fastpay.store.tables import TABLES, Column, HeadWrite, Table

_PARAMETER = re.compile(r"\$(\d+)")
_ARRAY = re.compile(r"\$(\d+)::(\w+)\[\]")
# Which events are looked at from either end.
_NEAR_END = ">= least($5::bigint, place.sequence + 1) -"
_NEAR_BEGINNING = "<= $6::bigint +"
_COMMENTS = re.compile(r"(--[^\n]*\n)+")


def _read(folder: Traversable) -> dict[str, str]:
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def _generate(templates: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the statements on the tables of `TABLES`, with their names."""
    heads = "union all\n".join(_heads(templates["select_heads"]))
    yield "verify_versions", templates["verify_versions"].format(heads=heads)
    for name, template, values in _event_statements():
        yield name, _events(templates, template, values)
    for table in TABLES.values():
        if table.template is not None:
            for filters in table.filter_combinations():
                yield table.list_statement(filters), _list(templates, table, filters)
        for owner in table.owners:
            yield table.each_statement(owner), _each(templates, table, owner)
        if table.due is not None:
            yield table.due_statement, _due(templates["list_due"], table, table.due)
        if table.has_heads:
            insert, update = table.insert(), table.update()
            yield insert.statement, _write(templates["insert_heads"], table, insert)
            yield update.statement, _write(templates["update_heads"], table, update)


def _list(templates: Mapping[str, str], table: Table, filters: Sequence[Column]) -> str:
    # Tenant, mode, both bounds, direction and limit come first.
    numbered = list(enumerate(filters, 7))
    conditions = [table.listed] if table.listed else []
    for number, column in numbered:
        # Only the first filter may use an index: the planner could prefer that of a filter which many rows
        # meet. `is not distinct from` is the same as `=` for values, and uses no index.
        operator = "is not distinct from" if number > numbered[0][0] else "="
        conditions.append(f"{column.name} {operator} ${number}::{column.type}")
    names = [column.attribute for column in filters]
    values = {
        "table": table.name,
        "id": table.identifier,
        "parameters": "".join(f"\n-- ${number} {column.type:7} {column.name}" for number, column in numbered),
        "predicate": "".join(f" and {condition}" for condition in conditions),
        "snapshots": _without_comment(templates["join_snapshots"]),
    }
    own_index = table.own_index
    if own_index is None or own_index.filter not in names:
        assert table.template is not None
        return templates[table.template].format(**values)
    return templates["list_objects_in_two_indexes"].format(
        **values, alone=own_index.alone, others=own_index.others
    )


def _heads(template: str) -> Iterator[str]:
    part = _without_comment(template)
    for kind, table in TABLES.items():
        if isinstance(kind, StoredKind) and table.has_heads:
            yield part.format(prefix=kind.prefix, number=kind.number, table=table.name, id=table.identifier)


def _event_statements() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the names, templates and values of the statements on events. Each direction has its own plan."""
    yield "load_events", "load_events", {"endpoints": "select_endpoints"}
    newest, oldest = {"direction": " desc", "near": _NEAR_END}, {"direction": "", "near": _NEAR_BEGINNING}
    for template in ("list_events", "list_rare_events"):
        for direction, values in (("down", newest), ("up", oldest)):
            yield f"{template}_{direction}", template, values
            yield (
                f"{template}_with_endpoints_{direction}",
                template,
                {**values, "endpoints": "select_endpoints"},
            )


def _events(templates: Mapping[str, str], name: str, values: Mapping[str, str]) -> str:
    selected = templates["select_events"]
    chosen = templates[values.get("endpoints", "has_endpoints")]
    part = _without_comment(chosen)
    parts = {"endpoints": "", "has_endpoints": part.rstrip("\n")}
    if "endpoints" in values:
        parts = {"endpoints": part, "has_endpoints": "null::integer"}
    lines = [*selected.splitlines(), *chosen.splitlines()]
    parameters = "".join(f"\n{line}" for line in lines if line.startswith("-- $"))
    events = _without_comment(selected).format(**parts)
    return templates[name].format(**{**values, "parameters": parameters, "events": events})


def _each(templates: Mapping[str, str], table: Table, owner: Column) -> str:
    return templates["list_each"].format(
        table=table.name,
        id=table.identifier,
        owner=owner.name,
        predicate=f" and {table.listed}" if table.listed else "",
        snapshots=_without_comment(templates["join_snapshots"]),
    )


def _due(template: str, table: Table, due: Column) -> str:
    return template.format(table=table.name, id=table.identifier, due=due.name)


def _write(template: str, table: Table, write: HeadWrite) -> str:
    scope = (Column("tenant_id", "uuid", ""), Column("livemode", "boolean", ""))
    columns = list(enumerate((*scope, *write.columns), 1))
    key = ("tenant_id", "livemode", table.identifier)
    return template.format(
        table=table.name,
        id=table.identifier,
        parameters="".join(f"\n-- ${number} {column.type}[] {column.name}" for number, column in columns),
        columns=", ".join(column.name for _, column in columns),
        values=", ".join(
            f"unnest(${number}::{column.type}[]) as {column.name}" for number, column in columns
        ),
        assignments=", ".join(
            f"{column.name} = changed.{column.name}" for _, column in columns if column.name not in key
        ),
    )


def _without_comment(text: str) -> str:
    return _COMMENTS.sub("", text, count=1)


_FOLDER = resources.files("fastpay.store") / "sql"
_FILES = _read(_FOLDER)
GENERATED: Final = dict(_generate(_read(_FOLDER / "templates")))
SQL: Final = _FILES | GENERATED
assert len(SQL) == len(_FILES) + len(GENERATED)


# What `combine` returns begins with this, and no other statement does.
BATCH_MARK: Final = "/* batch */ "


# Batches write to few different sets of tables. The driver prepares each combined statement.
@functools.lru_cache(maxsize=256)
def combine(names: tuple[str, ...]) -> str:
    """Return one statement that does what these statements do, with their parameters one after the other.

    All of them read the snapshot from before the combined statement. Constraints and triggers see the result
    of all of them. They must change different rows, since the result of two changes of one row is not
    defined. Two statements may share a table: one inserts new heads and one updates existing heads, and no
    row is both.
    """
    parts, offset = [], 0
    for name in names:
        text = _without_comment(SQL[name])
        parts.append(_shift(text, offset).strip())
        offset += max(map(int, _PARAMETER.findall(text)))
    first = [f"{name} as (\n{part}\n)" for name, part in zip(names, parts, strict=True)][:-1]
    return BATCH_MARK + ("with " + ",\n".join(first) + "\n" if first else "") + parts[-1]


def array_types(name: str) -> tuple[str, ...]:
    """Return the element types of a statement's array parameters, in their order."""
    found = {int(number): element for number, element in _ARRAY.findall(SQL[name])}
    assert sorted(found) == list(range(1, len(found) + 1)), name
    return tuple(found[number] for number in sorted(found))


def _shift(text: str, by: int) -> str:
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + by}", text)
