"""A way to PostgreSQL that breaks at the worst moment: when COMMIT was sent and its answer is due."""

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Literal

Fault = Literal["request lost", "answer lost", "answer is fatal", "answer lost and nobody there"]

_COMMIT = b"Q\x00\x00\x00\x0bcommit\x00"
# ErrorResponse with severity, SQLSTATE and message. Source: PostgreSQL's protocol, message formats.
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
_FATAL = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS


class CommitProxy:
    """Passes bytes between a Unix socket of its own and the database's; `fault` strikes at one COMMIT."""

    def __init__(self, directory: Path, database_url: str, fault: Fault | None = None) -> None:
        target = re.search(r"host=([^&]+)", database_url)
        assert target is not None
        self._target = f"{target[1]}/.s.PGSQL.5432"
        self._own = directory / ".s.PGSQL.5432"
        self.url = database_url.replace(target[1], str(directory))
        self.fault = fault
        self.struck = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "CommitProxy":
        self._server = await asyncio.start_unix_server(self._serve, str(self._own))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        to_database: asyncio.StreamWriter | None = None
        try:
            if self.struck and self.fault == "answer lost and nobody there":
                return
            database, to_database = await asyncio.open_unix_connection(self._target)
            answers = asyncio.create_task(self._pass_answers(database, to_client))
            try:
                await self._pass_requests(client, to_database, answers=answers, database=database,
                                          to_client=to_client)  # fmt: skip
            finally:
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
        finally:
            for writer in (to_client, to_database):
                if writer is not None:
                    writer.transport.abort()

    async def _pass_requests(
        self,
        client: asyncio.StreamReader,
        to_database: asyncio.StreamWriter,
        *,
        answers: "asyncio.Task[None]",
        database: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
    ) -> None:
        while data := await client.read(65_536):
            if self.fault is None or self.struck or not data.endswith(_COMMIT):
                to_database.write(data)
                continue
            self.struck += 1
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            if self.fault == "request lost":
                return
            to_database.write(data)
            answer = await database.read(65_536)
            assert b"COMMIT" in answer
            if self.fault == "answer is fatal":
                to_client.write(_FATAL)
                await to_client.drain()
                to_client.write_eof()
            return

    @staticmethod
    async def _pass_answers(database: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await database.read(65_536):
                to_client.write(data)
        to_client.close()
