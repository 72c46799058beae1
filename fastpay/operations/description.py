"""The description of the API as a file."""

import msgspec

from fastpay.api.app import RESOURCES, ROUTES
from fastpay.api.openapi import document


def render() -> str:
    """Return the OpenAPI document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document.make(ROUTES, RESOURCES)), indent=2).decode()
