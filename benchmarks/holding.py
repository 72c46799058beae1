"""A crowd of idle connections, held by a process of its own: open files are limited by the process.

`python -m benchmarks.holding PORT COUNT TLS FIRST` makes one request on each connection, says how many are
open, and holds them until its standard input ends. Addresses of the loopback network follow each other, since
one address has too few ports for a large crowd.
"""

import contextlib
import resource
import select
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator

GET = b"GET /v1/payment_intents/pi_1 HTTP/1.1\r\nHost: a\r\n\r\n"
# Well below what one address has for connections to one port.
CONNECTIONS_AN_ADDRESS = 20_000
# How long one connection may take with its answer, and all of them.
_ANSWER_SECONDS, OPENING_SECONDS = 10, 60
# Files that a process needs beside its connections.
RESERVED_FILES = 300


def raise_open_files() -> int:
    """Raise the limit of open files as far as may be, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def holding(port: int, count: int, *, tls: bool = False, first: int = 0) -> Iterator[int]:
    """Hold so many connections for the block, each with one request answered; yield how many there are.

    `first` says how many connections others hold already, so that addresses are shared fairly.
    Raises: TimeoutError where they could not all be opened, or not in time.
    """
    command = [sys.executable, "-m", "benchmarks.holding", str(port), str(count), str(int(tls)), str(first)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not select.select([process.stdout], [], [], OPENING_SECONDS)[0]:
                process.kill()
                raise TimeoutError(f"{count} connections were not open after {OPENING_SECONDS} s")
            said = process.stdout.readline().strip()
            if said != str(count):
                raise TimeoutError(f"{said or 'none'} of {count} connections could be opened")
            yield count
        finally:
            process.stdin.close()


def open_one(port: int, number: int, context: ssl.SSLContext | None) -> socket.socket:
    """Open a connection, make a request on it and read the answer."""
    connection = socket.socket()
    source = f"127.0.0.{2 + number // CONNECTIONS_AN_ADDRESS}"
    # A port is chosen when both ends are known, so that they last longer.
    connection.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
    connection.bind((source, 0))
    connection.settimeout(_ANSWER_SECONDS)
    connection.connect(("127.0.0.1", port))
    if context is not None:
        connection = context.wrap_socket(connection)
    connection.sendall(GET)
    answer = b""
    while not answer.rstrip().endswith(b"}"):
        piece = connection.recv(4096)
        if not piece:
            raise SystemExit(f"connection {number} was closed: {answer!r}")
        answer += piece
    return connection


def main(port: int, count: int, tls: bool, first: int) -> None:
    """Open, say so, and wait for the end of standard input."""
    raise_open_files()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []
    try:
        for number in range(first, first + count):
            held.append(open_one(port, number, context))
    finally:
        print(len(held), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", int(sys.argv[4]))
