"""The target of a request: its host and its path, and what is not allowed in them."""

from typing import Any

def read_target(target: bytes, host: bytes, method: str, scope: dict[str, Any]) -> int:
    """Store path, raw path and query of a target in a scope; return 0 or the refusal."""

def check_host(value: bytes) -> bool:
    """Return whether this is a valid host of a request."""
