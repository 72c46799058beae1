"""Homes without servers."""
