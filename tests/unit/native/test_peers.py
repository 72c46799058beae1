"""Peers: how many connections each has, and which connection makes room for another."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.peers import Guest, Peers
from tests.reference import peers as plain

_NAMES = ("a", "b", "c")
# Which of the members that there are is meant by a number: whatever remains of dividing by how many.
_STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "exit", "wait", "work", "evict"]), st.integers(0, 30)), max_size=60
)


def _never(host: str | None) -> bool:
    return False


@given(_STEPS)
def test_counts_and_victims_are_those_of_plain_lists(steps: list[tuple[str, int]]) -> None:
    peers, oracle = Peers(20, _never), plain.Peers()
    members: list[Guest] = []
    evicted: list[Guest] = []

    def leave(member: Guest) -> None:
        peers.exit(member)
        members.remove(member)
        evicted.append(member)

    for action, number in steps:
        if action == "enter":
            name = _NAMES[number % len(_NAMES)]
            member = _make_member(leave)
            members.append(member)
            peers.enter(member, peers.find_or_make(name, name))
            oracle.enter(member, name)
        elif action == "evict":
            allowed = oracle.candidates()
            assert peers.make_room() == bool(allowed)
            if allowed:
                assert evicted[-1] in allowed
                oracle.exit(evicted[-1])
        elif members:
            member = members[number % len(members)]
            if action == "exit":
                peers.exit(member)
                members.remove(member)
                oracle.exit(member)
            elif action == "wait":
                peers.note_waiting(member)
                oracle.note_waiting(member)
            else:
                peers.note_working(member)
                oracle.note_working(member)
        found = {name: peer.connections for name in _NAMES if (peer := peers.get(name)) is not None}
        assert found == oracle.counts()
        assert len(peers) == len(found)
    for member in list(members):
        peers.exit(member)


def _make_member(leave: Callable[[Guest], Any]) -> Guest:
    made: list[Guest] = []
    made.append(Guest(lambda: None, lambda: leave(made[0])))
    return made[0]


def test_more_connections_than_the_bound_are_counted_too() -> None:
    peers = Peers(2, _never)
    members = [Guest(lambda: None, lambda: None) for _ in range(5)]
    for member in members:
        peers.enter(member, peers.find_or_make("a", "a"))
    peer = peers.get("a")
    assert peer is not None
    assert peer.connections == 5
    for member in members:
        peers.exit(member)
    assert peers.get("a") is None
    assert not peers.make_room()


def test_a_peer_knows_whether_it_is_exempt() -> None:
    peers = Peers(2, lambda host: host == "10.0.0.1")
    assert peers.find_or_make("10.0.0.1", "10.0.0.1").is_exempt
    assert not peers.find_or_make("10.0.0.2", "10.0.0.2").is_exempt
