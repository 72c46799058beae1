"""The operator's listener against a running server."""
