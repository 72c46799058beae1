"""Processors: services that move money, and how each kind of them is called."""
