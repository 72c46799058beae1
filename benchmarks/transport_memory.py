"""How many bytes does an idle keep-alive connection hold in user space?

`python -m benchmarks.transport_memory [connections]`: how much the server's resident memory grows.
"""

import asyncio
import resource
import ssl
import sys

from benchmarks.transport_load import resident_bytes, serving

GET = b"GET /v1/payment_intents/pi_1 HTTP/1.1\r\nHost: a\r\n\r\n"


async def hold(port: int, count: int, process: int, context: ssl.SSLContext | None = None) -> float:
    """Open connections, make one request on each, and return what each costs while they wait."""
    writers = []

    async def open_one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(120)
        writers.append(writer)

    for _ in range(min(200, count)):
        await open_one()
    before = resident_bytes(process)
    warm = len(writers)
    while len(writers) < count + warm:
        await asyncio.gather(*(open_one() for _ in range(min(200, count + warm - len(writers)))))
    await asyncio.sleep(1)
    after = resident_bytes(process)
    for writer in writers:
        writer.transport.abort()
    return (after - before) / count


def main(count: int = 9000) -> None:
    """Measure the servers one after another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 1000)), hard))
    for name in ("fastpay", "granian", "uvicorn"):
        with serving(name, "app") as (process, port):
            print(f"{name:10} {asyncio.run(hold(port, count, process)):8.0f} bytes a connection")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
