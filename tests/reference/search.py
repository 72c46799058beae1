"""Searches the slow, plain way: conditions held against an object as a client sees it."""

from typing import Any, NamedTuple


class Condition(NamedTuple):
    """One condition of a query. `path` is the field's; a `wanted` of None asks for what is not there."""

    path: str
    operator: str
    wanted: str | int | None
    key: str | None = None
    negated: bool = False

    def text(self) -> str:
        """Return the condition in the query language."""
        field = self.path if self.key is None else f"{self.path}[{quoted(self.key)}]"
        if self.wanted is None:
            value = "null"
        else:
            value = str(self.wanted) if isinstance(self.wanted, int) else quoted(self.wanted)
        return f"{'-' * self.negated}{field}{self.operator}{value}"

    def holds(self, shown: dict[str, Any]) -> bool:
        """Tell whether the condition holds of an object."""
        found: Any = shown
        for name in self.path.split("."):
            found = found[name]
        if self.key is not None:
            found = found.get(self.key)
        return self._meets(found) != self.negated

    def _meets(self, found: Any) -> bool:
        wanted = self.wanted
        if wanted is None or found is None:
            return wanted is None and found is None
        if isinstance(wanted, int):
            number = int(found)
            relations = {":": number == wanted, ">": number > wanted, "<": number < wanted}
            relations |= {">=": number >= wanted, "<=": number <= wanted}
            return relations[self.operator]
        words = {True: "true", False: "false"}
        there = (words[found] if isinstance(found, bool) else str(found)).casefold()
        return wanted.casefold() in there if self.operator == "~" else wanted.casefold() == there


def finds(conditions: list[Condition], is_any: bool, shown: dict[str, Any]) -> bool:
    """Tell whether a query of these conditions finds an object."""
    held = [condition.holds(shown) for condition in conditions]
    return any(held) if is_any else all(held)


def query_text(conditions: list[Condition], is_any: bool) -> str:
    """Return the query of these conditions."""
    return (" OR " if is_any else " AND ").join(condition.text() for condition in conditions)


def quoted(text: str) -> str:
    """Return a text in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
