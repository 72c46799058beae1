"""Compiled code. The .pyi file of each module is its contract."""
