"""Calls that fastpay makes to others."""
