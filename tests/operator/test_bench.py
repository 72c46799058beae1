"""`fastpay bench` from the outside: what it asks for, and what it says of it."""

import pytest

from tests.support.servers import RunningServer, run_fastpay


def bench(*arguments: str) -> tuple[int, str]:
    """Run it and return its status and all that it said."""
    done = run_fastpay("bench", *arguments)
    return done.returncode, done.stdout + done.stderr


def counts(output: str) -> dict[str, int]:
    """Return how many requests of each kind the table tells of."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    return {row[0]: int(row[1].replace(",", "")) for row in rows if len(row) == 7}


def test_it_asks_as_often_as_it_was_told_to(server: RunningServer) -> None:
    arguments = ("--rate", "100", "--seconds", "1", "--payments", "40", "--refunds", "20")
    status, output = bench("--url", server.url, "--key", server.test_key, *arguments)
    assert status == 0, output
    found = counts(output)
    assert sum(found.values()) == 100
    assert set(found) == {"payment", "read", "refund"}
    assert "failed" not in output


def test_a_share_of_nothing_leaves_reads_alone(server: RunningServer) -> None:
    arguments = ("--rate", "50", "--seconds", "0.4", "--payments", "0", "--refunds", "0")
    status, output = bench("--url", server.url, "--key", server.test_key, *arguments)
    assert (status, counts(output)) == (0, {"read": 20})


def test_answers_that_are_no_success_are_told_and_make_the_status(server: RunningServer) -> None:
    """Every refund gives one minor unit back: the two thousand of the one payment are soon used up."""
    arguments = ("--rate", "3000", "--seconds", "0.8", "--payments", "0", "--refunds", "100")
    status, output = bench("--url", server.url, "--key", server.test_key, *arguments)
    assert status == 1
    assert "failed: refund: 400" in output


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--url", "ftp://x"], "ftp://x is not the URL of a server"),
        (["--payments", "60", "--refunds", "60"], "together at most 100"),
        (["--key", "sk_test_" + "0" * 32], "the server takes no payments: 401"),
        (["--signing-secret", "not the secret"], "the server takes no payments: 401"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_status(
    server: RunningServer, arguments: list[str], part: str
) -> None:
    status, output = bench("--url", server.url, "--key", server.test_key, *arguments)
    assert status == 2
    assert part in " ".join(output.split())
    assert "Traceback" not in output
