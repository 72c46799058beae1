"""Payments that others carry out: attempts, and outcomes that are not known yet."""
