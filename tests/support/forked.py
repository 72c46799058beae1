"""Runs commands of the command line in a fork of this process, which has loaded the package already.

Starting Python and loading the package takes longer than most commands. What needs another
user or another clock gets a process of its own. Servers are forks of a process without tests: see `forks.py`.
"""

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import NoReturn, TextIO

import fastpay.cli

_UNSHOWN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
_MAIN = Path(fastpay.cli.__file__).parents[1] / "__main__.py"


def run_forked(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    *,
    timeout_s: float,
    given: str = "",
    folder: Path = Path(),
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end and return what it printed and its status, negative after a signal.

    `given` is its standard input, and `folder` its working directory.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        source, output, errors = files
        source.write(given.encode())
        source.seek(0)
        pid = os.fork()
        if pid == 0:
            become(arguments, environment, *(file.fileno() for file in files), folder=folder)
        status = _wait(pid, timeout_s)
        output.seek(0)
        errors.seek(0)
        said, complained = output.read().decode(), errors.read().decode()
    return subprocess.CompletedProcess(["fastpay", *arguments], status, said, complained)


def _wait(pid: int, timeout_s: float) -> int:
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select([descriptor], [], [], timeout_s)[0]:
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(descriptor)


def become(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    source: int,
    output: int,
    errors: int,
    *,
    folder: Path = Path(),
) -> NoReturn:
    """Do in the child what `python -m fastpay` does in a folder, and end it."""
    status = 1
    try:
        os.chdir(folder)
        os.dup2(source, 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        # The parent has its own of all these.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout, sys.stderr = _open(1, buffering=-1), _open(2, buffering=1)
        logging.root.handlers.clear()
        # What Python shows by itself: the filters of the tests are not for programs.
        warnings.resetwarnings()
        for category in _UNSHOWN:
            warnings.simplefilter("ignore", category)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        sys.argv = [str(_MAIN), *arguments]
        sys.orig_argv = [sys.executable, "-m", "fastpay", *arguments]
        fastpay.cli.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  as the interpreter does at the end of a program
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _open(descriptor: int, *, buffering: int) -> TextIO:
    return open(descriptor, "w", buffering=buffering, closefd=False)
