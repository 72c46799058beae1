"""Webhooks: a reader of the tenant's sequence that delivers its events."""
