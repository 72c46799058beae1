"""What is around objects: lists and search results."""

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Raw

# An object to be encoded with what is around it, or encoded already.
Item: TypeAlias = dict[str, object] | Raw


def render_list(url: str, items: Sequence[Item], has_more: bool) -> dict[str, object]:
    """Return one page of a list. `url` is the path that the list is served at, without a query."""
    return {"object": "list", "url": url, "has_more": has_more, "data": list(items)}


def render_search_result(
    url: str, items: Sequence[Item], has_more: bool, next_page: str | None
) -> dict[str, object]:
    """Return one page of a search. `next_page` is what to send as `page` for the next one."""
    return {
        "object": "search_result",
        "url": url,
        "has_more": has_more,
        "next_page": next_page,
        "data": list(items),
    }
