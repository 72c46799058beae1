"""Access to the embedded database for commands, whether the server runs or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastpay.operations.embedded.directory import (
    DataDirectory,
    DirectoryInUseError,
    read_addresses,
    require_cluster,
)
from fastpay.operations.embedded.servers import EmbeddedServers


@contextmanager
def open_database(data_dir: str | Path, *, create: bool) -> Iterator[str]:
    """Yield the URL of the data directory's PostgreSQL: the running one, or one started for the block.

    Directory and database are created only with `create`. Raises: ConfigurationError if there is none;
    DirectoryInUseError if a process holds the directory without a PostgreSQL in it.
    """
    if not create:
        require_cluster(data_dir)
    try:
        directory = DataDirectory(data_dir)
    except DirectoryInUseError:
        addresses = read_addresses(data_dir)
        if addresses is None or addresses.database_url is None:
            raise
        yield addresses.database_url
        return
    with directory, run_servers(directory, with_postgres=True, with_redis=False) as servers:
        servers.wait_ready()
        assert servers.database_url is not None
        yield servers.database_url


@contextmanager
def run_servers(
    directory: DataDirectory, *, with_postgres: bool, with_redis: bool
) -> Iterator[EmbeddedServers]:
    """Launch the servers for a `with` block and stop them at its end. Wait for them before use."""
    servers = EmbeddedServers(directory, with_postgres=with_postgres, with_redis=with_redis)
    try:
        servers.launch()
        yield servers
    finally:
        servers.stop()
