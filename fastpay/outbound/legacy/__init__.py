"""Requests that are passed to the legacy API."""
