"""How a database is used, as the settings say."""

from fastpay.config import Settings
from fastpay.store.postgres import DatabaseSettings


def database_settings(settings: Settings, url: str) -> DatabaseSettings:
    """Return how the database at this address, or a replica of it, is used."""
    return DatabaseSettings(
        url=url,
        session_state=not settings.transaction_pooling,
        reader_connections_max=settings.reader_connections_max,
    )
