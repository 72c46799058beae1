"""A compiled table from method and path to endpoint: literal segments and one-segment parameters."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

Endpoint = TypeVar("Endpoint")

class Table(Generic[Endpoint]):
    """Finds the endpoint of a request.

    `routes`: (method, path, endpoint), such as ("GET", "/v1/charges/{id}", endpoint). A literal segment has
    precedence over a parameter in the same segment, for every method. Raises: ValueError for a malformed or
    repeated route.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Endpoint]]) -> None: ...
    def lookup(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the endpoint and the parameters, or None if no route has this method and path.

        `path` is the decoded path of the scope. A parameter is never empty and has no slash.
        """

    def route(self, scope: dict[str, Any]) -> Endpoint | None:
        """Return the endpoint of a request, and put its parameters and its route's number into the scope.

        Numbers count from 1, in the order of `routes`. None if no route has this method and path.
        """

    def methods(self, path: str) -> set[str]:
        """Return the methods of this path; empty for an unknown path."""
