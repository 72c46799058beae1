"""Peers: how many connections each has, and which connection makes room for another."""

import subprocess
import sys
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


_COLLECTED = """
import gc
from fastpay._native.peers import Guest, Peers

peers, evicted = Peers(10, lambda host: False), []
peer = peers.find_or_make("a", "a")

def enter(name):
    # The guest is older than what it is in a cycle with, so the collector clears it first.
    guest = Guest.__new__(Guest)
    cycle = [guest]
    guest.__init__(cycle, lambda: (evicted.append(name), peers.exit(guest)))
    peers.enter(guest, peer)
    return guest

kept = [enter("first"), enter("second"), enter("third")]
del kept[1]
gc.collect()
fillers = [bytes(size) for size in range(64, 192) for _ in range(100)]
while peers.make_room():
    pass
print(*evicted)
"""


def test_a_member_that_the_collector_takes_leaves_the_list_intact() -> None:
    # In a process of its own: with a neighbour that still points to the freed member, it dies.
    ended = subprocess.run([sys.executable, "-c", _COLLECTED], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["first", "third"])
