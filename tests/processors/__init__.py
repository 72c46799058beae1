"""Payments that others carry out: real engines and servers, and processors that fail in every way."""
