"""Setting routes as an operator does, and waiting until all instances know."""

import time

import httpx

from tests.support.servers import PATIENCE_SECONDS, RunningServer, execute, run_fastpay


def run_rollout(server: RunningServer, *arguments: str, fails: bool = False) -> str:
    """Run `fastpay rollout` on a server's database; return what it says."""
    return run_command(server, "rollout", *arguments, fails=fails)


def run_command(server: RunningServer, *command: str, fails: bool = False) -> str:
    """Run a command on a server's database; return what it says."""
    done = run_fastpay(*command, environment={"FASTPAY_DATABASE_URL": server.database_url})
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def insert(server: RunningServer, route: str, state: str) -> None:
    """Set a route as `fastpay rollout set` does, in a moment."""
    name, _, percent = state.partition("=")
    execute(
        server.database_url,
        "insert into rollout_change (route, state, percent, changed_by) "
        f"values ('{route}', '{name}', {percent or 0}, 'tester')",
    )


def set_all(state: str, *clients: httpx.Client, server: RunningServer, route: str = "*") -> None:
    """Set a route, and return once each instance answers by it, which a list of charges shows.

    A list that is split is of both sides, and none is answered from here while it is in shadow.
    """
    name = state.partition("=")[0]
    # To whom the key is not known gets the older API's.
    shown = {"fastpay": {"fastpay"}, "split": {"both", "legacy"}}.get(name, {"legacy"})
    insert(server, route, state)
    end_s = time.monotonic() + PATIENCE_SECONDS
    for client in clients:
        while side_of(client.get("/v1/charges")) not in shown:
            assert time.monotonic() < end_s, f"{state} did not come"
            time.sleep(0.02)


def side_of(answer: httpx.Response) -> str:
    """Return who has answered."""
    side: str = answer.headers["fastpay-served-by"]
    return side
