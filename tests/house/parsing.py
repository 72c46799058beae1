"""The syntax tree of a file, parsed once for all rules that look at it one after the other."""

import ast
import functools


@functools.lru_cache(maxsize=1)
def parse(source: str) -> ast.Module:
    """Return the tree of a module. It is shared: do not change it."""
    return ast.parse(source)


@functools.lru_cache(maxsize=1)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """Return all nodes of the tree."""
    return tuple(ast.walk(parse(source)))
