"""Compiled code. Each module has its contract in the .pyi file beside it."""
