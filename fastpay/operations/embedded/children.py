"""Child processes: started in their own session, found again after a crash, and stopped."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastpay import limits
from fastpay.operations.embedded.account import Account

POLL_SECONDS = 0.005
PR_SET_PDEATHSIG = 1
# Our own environment is not meant for servers of another user.
PLAIN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def launch(
    command: Sequence[str],
    *,
    account: Account | None,
    log: Path,
    death_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a server in the background, and append its output to `log`.

    It has its own session, so that a terminal's Ctrl-C reaches only the parent, which stops it in order. If
    the parent dies, the kernel sends `death_signal`. The kernel counts the calling thread as the parent:
    call this from the main thread.
    """
    if log.exists() and log.stat().st_size > limits.embedded_log_bytes_max:
        log.replace(log.with_name(log.name + ".old"))
    set_option = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        set_option(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)

    # Server logs may quote statements, so only the owner may read them.
    with open(log, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - a program that we found
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment or PLAIN_ENVIRONMENT,
            start_new_session=True,
            # Set after the change of user, which clears it.
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one call to prctl, looked up before the fork
            **identity(account),
        )
    return process


def run(
    command: Sequence[str], *, account: Account | None, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end as the account and return its output."""
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - a program that we found
        command,
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env=PLAIN_ENVIRONMENT,
        timeout=limits.embedded_start_timeout_ms / 1000,
        **identity(account),
    )
    return done


def identity(account: Account | None) -> dict[str, Any]:
    """Return the arguments that make subprocess start a child as the account.

    `Any` because the stubs of subprocess accept no mapping of options whose values differ in type.
    """
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": [account.gid]}


def living_in(directory: Path) -> list[int]:
    """Return the pids of processes whose working directory is `directory`, as that of these servers is."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                folder = os.readlink(f"/proc/{entry.name}/cwd")
            except OSError:
                continue  # It ended meanwhile, or it is not ours to look at.
            if folder == str(directory):
                found.append(int(entry.name))
    return found


def clear_orphans(directory: Path, gentle: Callable[[], int | None]) -> bool:
    """Stop every process that an earlier run left in `directory`; return whether there was one.

    First the process that `gentle` names gets SIGINT, then all get SIGQUIT, then SIGKILL.
    """
    if not living_in(directory):
        return False
    leader = gentle()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        left = living_in(directory)
        for pid in [leader] if number == signal.SIGINT and leader in left else left:
            send(pid, number)
        if wait_until(lambda: not living_in(directory), timeout_ms=limits.embedded_stop_timeout_ms):
            break
    return True


def send(pid: int | None, number: signal.Signals) -> None:
    """Signal a process that may be gone."""
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def wait_until(condition: Callable[[], bool], *, timeout_ms: float) -> bool:
    """Poll until the condition holds; return whether it did in time."""
    deadline = time.monotonic() + timeout_ms / 1000
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
