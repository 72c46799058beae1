"""What is around objects, or stands for one that is gone: lists, search results, deletions."""

from collections.abc import Sequence


def render_list(url: str, items: Sequence[dict[str, object]], has_more: bool) -> dict[str, object]:
    """Return one page of a list. `url` is the path that the list is served at, without a query."""
    return {"object": "list", "url": url, "has_more": has_more, "data": list(items)}


def render_search_result(
    url: str, items: Sequence[dict[str, object]], has_more: bool, next_page: str | None
) -> dict[str, object]:
    """Return one page of a search. `next_page` is what to send as `page` for the next one."""
    return {
        "object": "search_result",
        "url": url,
        "has_more": has_more,
        "next_page": next_page,
        "data": list(items),
    }


def render_deleted(identifier: str, object_name: str) -> dict[str, object]:
    """Return what is left of a deleted object. `object_name` is the dialect's, such as "customer"."""
    return {"id": identifier, "object": object_name, "deleted": True}
