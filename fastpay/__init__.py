"""A payment API to host yourself."""

__version__ = "0.1.0"
