"""The lists and the balance of an older API that speaks the dialect, and a model of what both sides list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.rollout.recorded import answer_of

Object = dict[str, Any]
Query = Mapping[str, str]


@dataclass
class OldLists:
    """What it has, by path, the newest first. It gives no more than `limit_max` objects at once."""

    objects: dict[str, list[Object]] = field(default_factory=dict)
    balance: Object = field(default_factory=dict)
    limit_max: int = 100

    def answer(self, target: str) -> bytes:
        """Return the bytes of an answer."""
        path, _, query = target.partition("?")
        if path == "/v1/balance":
            return answer_of(self.balance)
        if path in self.objects:
            asked = dict(parse_qsl(query))
            asked["limit"] = str(min(int(asked.get("limit", "10")), self.limit_max))
            return answer_of(page_of(self.objects[path], asked, url=path))
        parent, _, identifier = path.rpartition("/")
        for one in self.objects.get(parent, ()):
            if one["id"] == unquote(identifier):
                return answer_of(one)
        return answer_of({"error": {"code": "resource_missing"}}, "404 Not Found")


def page_of(objects: Sequence[Object], query: Query, url: str) -> Object:
    """Return a page of objects that are newest first, as the dialect has it."""
    begin, end = 0, len(objects)
    for place, one in enumerate(objects):
        if one["id"] == query.get("starting_after"):
            begin = place + 1
        if one["id"] == query.get("ending_before"):
            end = place
    fitting = [one for one in objects[begin:end] if _fits(one, query)]
    limit = int(query.get("limit", "10"))
    data = fitting[-limit:] if "ending_before" in query else fitting[:limit]
    return {"object": "list", "url": url, "has_more": len(fitting) > limit, "data": data}


def both(fastpay: Iterable[Object], legacy: Iterable[Object]) -> list[Object]:
    """Return what both list: newest first, in the same second fastpay's before the older API's."""
    placed = [
        (side, place, one) for side, own in enumerate((fastpay, legacy)) for place, one in enumerate(own)
    ]
    return [one for *_, one in sorted(placed, key=lambda row: (-row[2]["created"], row[0], row[1]))]


def made_at(prefix: str, moments: Iterable[int], **more: Any) -> list[Object]:
    """Return objects of an older API that were made at these seconds, the newest first."""
    return [
        {"id": f"{prefix}_Old{number:08}", "created": created, **more}
        for number, created in enumerate(sorted(moments, reverse=True))
    ]


def _fits(one: Object, query: Query) -> bool:
    created: int = one["created"]
    return (
        int(query.get("created[gte]", 0)) <= created
        and int(query.get("created[gt]", -1)) < created
        and created < int(query.get("created[lt]", 1 << 60))
        and created <= int(query.get("created[lte]", 1 << 60))
    )
