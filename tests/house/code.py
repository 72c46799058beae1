"""What a file of code must look like, and what the domain must not hold."""

import ast
import re

from tests.house.parsing import nodes, parse

LINES_MAX = 400
FUNCTION_LINES_MAX = 70

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def check_purity(path: str, source: str) -> list[str]:
    """Find waiting and fractions in a module of the domain."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    faults = []
    for node in nodes(source):
        reason = None
        if isinstance(node, waiting):
            reason = "the domain never waits"
        elif isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            reason = f"{node.value} is no integer"
        elif isinstance(node, ast.Name) and node.id in {"float", "complex"}:
            reason = f"there is no {node.id} in money"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            reason = "a division must be //, which stays whole"
        if reason is not None:
            faults.append(f"{path}:{getattr(node, 'lineno', 0)}: {reason}")
    return faults


def check_size(path: str, source: str) -> list[str]:
    """Find files and functions that are too long. Comments do not count: a hard file needs more of them."""
    faults = []
    count = sum(not line.lstrip().startswith("#") for line in source.splitlines())
    if count > LINES_MAX:
        faults.append(f"{path}: {count} lines, at most {LINES_MAX}")
    functions = _compiled_functions(source) if path.endswith(".pyx") else _functions(source)
    for name, line, length in functions:
        if length > FUNCTION_LINES_MAX:
            faults.append(f"{path}:{line}: {name} has {length} lines, at most {FUNCTION_LINES_MAX}")
    return faults


def check_module_docstring(path: str, source: str) -> list[str]:
    """Find modules that do not say what they are for."""
    if path.endswith(".pyx"):
        opening = re.sub(r"\A(\s*#[^\n]*\n|\s*\n)*", "", source)
        found = opening.startswith(('"""', 'r"""'))
    else:
        found = bool(ast.get_docstring(parse(source)))
    return [] if found else [f"{path}: the module has no docstring"]


def check_docstrings(path: str, source: str) -> list[str]:
    """Find public functions, classes and methods without a docstring."""
    return _undocumented(path, parse(source).body)


def _undocumented(path: str, body: list[ast.stmt]) -> list[str]:
    faults = []
    for node in body:
        if not isinstance(node, (*_Function, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _needs_none(node):
            faults.append(f"{path}:{node.lineno}: {node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            faults += _undocumented(path, node.body)
    return faults


def _needs_none(node: ast.stmt) -> bool:
    """A setter shares the docstring of its property, an overload that of the function itself."""
    if not isinstance(node, _Function):
        return False
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(decorators & {"setter", "overload", "override"})


def _functions(source: str) -> list[tuple[str, int, int]]:
    found = []
    for node in nodes(source):
        if isinstance(node, _Function):
            assert node.end_lineno is not None
            found.append((node.name, node.lineno, node.end_lineno - node.lineno + 1))
    return found


def _compiled_functions(source: str) -> list[tuple[str, int, int]]:
    """Measure the functions of a .pyx: each ends before the next line that is indented no deeper."""
    lines = source.splitlines()
    found = []
    for start, line in enumerate(lines):
        match = re.match(r"(\s*)(?:async\s+)?(?:def|cdef|cpdef)\b[^=]*?(\w+)\s*\(", line)
        if match is None or re.match(r"\s*cdef\s+(extern|class|struct|enum)\b", line):
            continue
        depth = len(match[1])
        last = start
        for position in range(start + 1, len(lines)):
            text = lines[position]
            closing = text.strip().startswith(")")
            if text.strip() and len(text) - len(text.lstrip()) <= depth and not closing:
                break
            last = position if text.strip() else last
        found.append((match[2], start + 1, last - start + 1))
    return found
