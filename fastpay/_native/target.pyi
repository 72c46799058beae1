"""What a request is for: its host and its path, and what neither may be."""

from typing import Any

def read_target(target: bytes, host: bytes, method: str, scope: dict[str, Any]) -> int:
    """Put path, raw path and query of a target into a scope; return 0 or the refusal."""

def check_host(value: bytes) -> bool:
    """Tell whether this can be the host of a request."""
