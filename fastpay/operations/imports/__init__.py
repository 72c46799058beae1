"""What `fastpay rollout import` does: objects and balances of an older API, and a report on them."""
