"""SQL stands in files of its own, and this is what such a file looks like."""

import ast
import re

from tests.house.parsing import nodes

_STATEMENT = re.compile(
    r"""\s*(
        select\b.*\bfrom\b | select\s+[\w.]+\( | insert\s+into\s | update\s+[\w.]+\s+(as\s+\w+\s+)?set\s
        | delete\s+from\s | with\s+(recursive\s+)?\w+\b.*\bas\s*(not\s+)?(materialized\s*)?\(
        | (create|alter|drop)\s+(table|index|unique|type|schema|role|user|database|function|view|extension)\s
        | truncate\s+\w | lock\s+table\s | merge\s+into\s
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_KEYWORDS = re.compile(
    r"""\b(
        SELECT | INSERT | INTO | UPDATE | DELETE | FROM | WHERE | AND | OR | NOT | NULL | IS | IN | ANY |
        ALL | AS | ON | JOIN | LEFT | RIGHT | INNER | OUTER | LATERAL | GROUP | BY | ORDER | HAVING | LIMIT
        | OFFSET | VALUES | SET | RETURNING | CONFLICT | DO | NOTHING | WITH | CASE | WHEN | THEN | ELSE |
        END | FOR | SHARE | SKIP | LOCKED | CREATE | ALTER | DROP | TABLE | INDEX | BEGIN | COMMIT |
        ROLLBACK | EXISTS | BETWEEN | UNION | DISTINCT | USING | CROSS | ROW | ROWS | ONLY | UNNEST |
        COALESCE | TRUE | FALSE | DEFAULT | ASC | DESC
    )\b""",
    re.VERBOSE,
)


_PARAMETER = re.compile(r"\$(\d+):?\s+([\w\[\]]+):?[ \t]+([\w\[\]]+)")
_TYPES = re.compile(
    r"(uuid|text|bigint|integer|int|smallint|boolean|bytea|timestamptz|date|interval|jsonb?|xid8|oid|tid|numeric)"
    r"(\[\])?"
)


def check_strings(path: str, source: str) -> list[str]:
    """Find statements written as strings in Python or Cython."""
    if path.endswith(".pyx"):
        strings = [
            (source.count("\n", 0, match.start()) + 1, match[2])
            for match in re.finditer(r"(\"\"\"|'''|\"|')(.*?)\1", source, re.DOTALL)
            if source[: match.start()].rpartition("\n")[2].strip() or len(match[1]) == 1
        ]
    else:
        found = nodes(source)
        docstrings = {id(node.value) for node in found if isinstance(node, ast.Expr)}
        strings = [
            (node.lineno, node.value)
            for node in found
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        ]
    return [
        f"{path}:{line}: SQL belongs into store/sql/, one statement a file"
        for line, text in strings
        if _is_statement(text)
    ]


def _is_statement(text: str) -> bool:
    match = _STATEMENT.match(text)
    # A sentence that begins with Select or Update is prose.
    return match is not None and not match[1].split()[0].istitle()


def check_file(path: str, source: str) -> list[str]:
    """Find what is wrong with a file of store/sql/.

    It opens with comment lines, and in them stands `$n name type`, or `$n type name`, for each
    parameter; then comes one statement in lower case.
    """
    faults = []
    header = re.match(r"(--[^\n]*\n)+", source)
    if header is None:
        faults.append(f"{path}: no comment at the top says what the statement is for")
    body = _without_literals(source)
    statements = [part for part in body.split(";") if part.strip()]
    if len(statements) != 1:
        faults.append(f"{path}: {len(statements)} statements, exactly one is allowed")
    loud = set(_KEYWORDS.findall(body))
    if loud:
        faults.append(f"{path}: keywords in upper case: {', '.join(sorted(loud))}")
    used = set(re.findall(r"\$(\d+)", body))
    parameters = _PARAMETER.findall(header[0] if header else "")
    described = [number for number, *words in parameters if any(map(_TYPES.fullmatch, words))]
    if used != set(described) or len(described) != len(set(described)):
        faults.append(f"{path}: parameters used {sorted(used)}, named and typed {sorted(described)}")
    return faults


def _without_literals(source: str) -> str:
    """Blank out comments, strings and quoted names, whose words are not the statement's."""
    pattern = r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*[a-z_]\w*|)\$.*?\$\1\$"
    return re.sub(pattern, " ", source, flags=re.DOTALL)
