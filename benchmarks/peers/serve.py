"""Starts one HTTP server, ours or a peer: `python -m benchmarks.peers.serve NAME APP PORT`."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from benchmarks.holding import raise_open_files
from benchmarks.peers import bare

TARGET = "benchmarks.peers.bare"


def main(name: str, app: str, port: int, cert: str | None = None, key: str | None = None) -> None:
    """Serve until killed."""
    raise_open_files()
    match name:
        case "fastpay":
            _serve_fastpay(app, port, cert, key)
        case "granian":
            from granian import Granian  # noqa: PLC0415 - only the peer that is asked for
            from granian.constants import Interfaces, Loops  # noqa: PLC0415

            options: dict[str, Any] = (
                {} if cert is None else {"ssl_cert": Path(cert), "ssl_key": Path(str(key))}
            )
            server = Granian(
                f"{TARGET}:{app}",
                port=port,
                interface=Interfaces.ASGI,
                loop=Loops.uvloop,
                # By default a worker takes 1,024 connections, and lets all others wait for ever.
                backlog=4096,
                backpressure=20_000,
                **options,
            )
            server.serve()
        case "uvicorn":
            import uvicorn  # noqa: PLC0415

            uvicorn.run(
                f"{TARGET}:{app}",
                port=port,
                loop="uvloop",
                http="httptools",
                access_log=False,
                # The default closes idle connections before a crowd of them can be weighed.
                timeout_keep_alive=600,
                backlog=4096,
                ssl_certfile=cert,
                ssl_keyfile=key,
            )
        case "hypercorn":
            _serve_hypercorn(app, port, cert, key)


def _load(app: str) -> Any:
    if app != "cached_app":
        return getattr(bare, app)
    from benchmarks.cached import cached_app  # noqa: PLC0415 - its imports would slow the start of a peer

    return cached_app()


def _serve_fastpay(app: str, port: int, cert: str | None, key: str | None) -> None:
    import uvloop  # noqa: PLC0415

    from fastpay.server.listener import Server, ServerSettings  # noqa: PLC0415

    async def serve() -> None:
        # The load generator is one address that stands for many clients.
        settings = ServerSettings(
            port=port,
            tls_cert=cert,
            tls_key=key,
            address_connections_max=1 << 20,
            address_connections_per_second=1 << 20,
            address_handshakes_max=1 << 20,
            address_handshakes_per_second=1 << 20,
        )
        server = Server(_load(app), settings)
        await server.start()
        await asyncio.Event().wait()

    uvloop.run(serve())


def _serve_hypercorn(app: str, port: int, cert: str | None, key: str | None) -> None:
    import uvloop  # noqa: PLC0415
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = cert, key
    # Its default closes busy connections, which the load generator would count as errors.
    config.keep_alive_max_requests = 1 << 40
    uvloop.run(serve(_load(app), config))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:6])
