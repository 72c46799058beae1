"""How endpoints are spread over the instances that live: evenly, and nothing moves without need."""

from fastpay.engine.relay.lease_ports import Spread


def quota(spread: Spread, instance_id: str) -> int:
    """Return how many endpoints a live instance should hold.

    What cannot be divided evenly stays with those that hold the most. So an instance that comes, goes or
    comes back moves as few endpoints as an even spread allows.
    """
    least, left_over = divmod(spread.endpoints, len(spread.held))
    own = (-spread.held[instance_id], instance_id)
    before = sum((-held, other) < own for other, held in spread.held.items())
    return least + (before < left_over)
