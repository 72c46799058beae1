"""Metadata: the merchant's own key-value pairs on an object."""

from collections.abc import Mapping

from fastpay import limits
from fastpay.errors import InvalidRequest


def merge(present: dict[str, str], change: Mapping[str, str] | None) -> dict[str, str]:
    """Return metadata after a change: "" takes a key away, None takes all of them.

    Raises: InvalidRequest when more keys would stand than are allowed.
    """
    if change is None:
        return {}
    merged = present.copy()
    for key, value in change.items():
        if value == "":
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > limits.metadata_keys_max:
        raise InvalidRequest(
            f"An object can carry at most {limits.metadata_keys_max} metadata keys.",
            code="parameter_invalid",
            param="metadata",
        )
    return merged
