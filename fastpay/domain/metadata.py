"""Metadata: key-value pairs that a merchant stores on an object."""

from collections.abc import Mapping

from fastpay import limits
from fastpay.errors import InvalidRequest


def merge(present: dict[str, str], change: Mapping[str, str] | None) -> dict[str, str]:
    """Return metadata after a change: "" removes a key, None removes all keys.

    Raises: InvalidRequest if the result has too many keys.
    """
    if change is None:
        return {}
    if not change:
        return present
    merged = {**present, **change} if present else dict(change)
    if "" in change.values():
        merged = {key: value for key, value in merged.items() if value != ""}
    if len(merged) > limits.metadata_keys_max:
        raise InvalidRequest(
            f"An object can carry at most {limits.metadata_keys_max} metadata keys.",
            code="parameter_invalid",
            param="metadata",
        )
    return merged
