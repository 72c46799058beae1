"""Routing by regular expressions, one route after another, literal routes first."""

import re
from collections.abc import Iterable
from typing import Any


class Table:
    """Finds the endpoint of a request by trying every route."""

    def __init__(self, routes: Iterable[tuple[str, str, Any]]) -> None:
        self.routes = sorted(routes, key=lambda route: [part.startswith("{") for part in route[1].split("/")])

    def lookup(self, method: str, path: str) -> tuple[Any, dict[str, str]] | None:
        """Return the endpoint and the parameters, or None."""
        for route_method, route_path, endpoint in self._routes_at(path):
            match = _pattern(route_path).fullmatch(path)
            if match is not None and method == route_method:
                return endpoint, match.groupdict()
        return None

    def methods(self, path: str) -> set[str]:
        """Return the methods that this path has."""
        return {method for method, _, _ in self._routes_at(path)}

    def _routes_at(self, path: str) -> list[tuple[str, str, Any]]:
        """Return the routes of the first place that the path leads to."""
        fitting = [route for route in self.routes if _pattern(route[1]).fullmatch(path)]
        return [route for route in fitting if _place(route[1]) == _place(fitting[0][1])]


def _place(path: str) -> str:
    """Return what two routes of one place share, however their parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", path)
    text = "".join(
        f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
    )
    return re.compile(text, re.DOTALL)
