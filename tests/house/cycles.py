"""The graph of the package's modules: there must be no circle in it."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from tests.house.imports import all_imports

Graph = dict[str, set[str]]


def module_graph(sources: Mapping[str, str], *, with_types: bool) -> Graph:
    """Return which module imports which, from paths relative to the package and their texts.

    Imports inside functions count. Those under `if TYPE_CHECKING` count `with_types`.
    """
    modules = {_module_of(path) for path in sources}
    graph: Graph = {module: set() for module in modules}
    for path, source in sources.items():
        text = source if with_types else _without_types(path, source)
        for _, name in all_imports(path, text):
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules and target != _module_of(path):
                graph[_module_of(path)].add(target)
    return graph


def find_cycles(graph: Graph) -> list[list[str]]:
    """Return each group of modules that reach each other, sorted."""
    reached = {module: set(_reach(graph, module)) for module in graph}
    cycles = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return [list(cycle) for cycle in sorted(cycles)]


def _reach(graph: Graph, start: str) -> Iterator[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            yield module
            waiting += graph[module]


def _module_of(path: str) -> str:
    parts = PurePath(path).with_suffix("").parts
    return ".".join(("fastpay", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _without_types(path: str, source: str) -> str:
    """Return the source without what stands under `if TYPE_CHECKING`."""
    if not path.endswith(".py") or not re.search(r"^if TYPE_CHECKING", source, re.MULTILINE):
        return source
    tree = ast.parse(source)
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
    ]
    return ast.unparse(tree)
