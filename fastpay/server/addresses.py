"""Limits by client address: what counts as one client, and a bounded number of token buckets."""

import ipaddress

# One IPv6 client commonly has a whole /64 of addresses (RFC 6177, RFC 8981).
_IPV6_HOST_BITS = 64


def group_of(host: str | None) -> str:
    """Return the name that limits count a client under.

    That is an IPv4 address, the /64 network of an IPv6 address, or "" for a client of a Unix socket. An
    IPv4 address inside an IPv6 one (RFC 4291 2.5.5.2) counts as itself.
    """
    if host is None or ":" not in host:
        return host or ""
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    network = int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS
    return f"{ipaddress.IPv6Address(network)}/{128 - _IPV6_HOST_BITS}"


class TokenBuckets:
    """A token bucket for each group of addresses, and for at most `groups_max` of them.

    A bucket holds `burst` tokens and gains `per_second`. Each is one number, the time at which it is full
    again (the generic cell rate algorithm, ITU-T I.371): a full bucket needs no entry. Beyond `groups_max`
    the least recently used bucket is dropped, which makes it full. A client with more groups than that is
    not limited by address, so there must also be a limit for all clients together.
    """

    def __init__(self, *, burst: int, per_second: int, groups_max: int) -> None:
        assert burst >= 1
        assert per_second >= 1
        assert groups_max >= 1
        self._cost_ns = 1_000_000_000 // per_second
        self._capacity_ns = burst * self._cost_ns
        self._groups_max = groups_max
        # Least recently used first: a bucket moves to the end whenever a token is taken.
        self._full_at_ns: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many buckets are not known to be full."""
        return len(self._full_at_ns)

    def take(self, group: str, now_ns: int) -> bool:
        """Take one token; return False if there is none."""
        full_at_ns = max(self._full_at_ns.get(group, 0), now_ns) + self._cost_ns
        if full_at_ns - now_ns > self._capacity_ns:
            return False
        self._full_at_ns.pop(group, None)
        if len(self._full_at_ns) >= self._groups_max:
            del self._full_at_ns[next(iter(self._full_at_ns))]
        self._full_at_ns[group] = full_at_ns
        return True

    def has_token(self, group: str, now_ns: int) -> bool:
        """Return whether a token could be taken now."""
        return self.wait_ns(group, now_ns) == 0

    def wait_ns(self, group: str, now_ns: int) -> int:
        """Return the time until there is a token, 0 if there is one."""
        full_at_ns = max(self._full_at_ns.get(group, 0), now_ns) + self._cost_ns
        return max(0, full_at_ns - now_ns - self._capacity_ns)
