"""A compiled table from method and path to endpoint: literal segments and one-segment parameters."""

from collections.abc import Iterable
from typing import Generic, TypeVar

Endpoint = TypeVar("Endpoint")

class Table(Generic[Endpoint]):
    """Finds the endpoint of a request.

    `routes`: (method, path, endpoint), as in ("GET", "/v1/charges/{id}", endpoint). A literal segment is
    preferred to a parameter at the same place, whatever the method. Raises: ValueError for a path that the
    table cannot hold, or that is there twice.
    """

    def __init__(self, routes: Iterable[tuple[str, str, Endpoint]]) -> None: ...
    def lookup(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the endpoint and the parameters, or None where no route has this method and path.

        `path` is the decoded path of the scope. A parameter is never empty and holds no slash.
        """

    def methods(self, path: str) -> set[str]:
        """Return the methods that this path has; empty where it is unknown."""
