"""A database whose clock a test can move, for jumps and for a standby that shows another time."""

from fastpay.store.connections import connected

# Found before PostgreSQL's own by all statements, which name neither.
_CLOCK = """
create schema moved;
create table moved.clock (ahead interval not null);
insert into moved.clock values (interval '0');
create function moved.now() returns timestamptz language sql stable
    return (select pg_catalog.now() + ahead from moved.clock);
create function moved.clock_timestamp() returns timestamptz language sql volatile
    return (select pg_catalog.clock_timestamp() + ahead from moved.clock);
"""


async def give_clock(database_url: str) -> None:
    """Give a test's own database a clock that can be moved; for connections that are opened after this."""
    async with connected(database_url) as connection:
        await connection.execute(_CLOCK)
        name = await connection.fetchval("select current_database()")
        await connection.execute(f"alter database {name} set search_path = moved, pg_catalog, public")


async def move_clock(database_url: str, *, hours: float = 0, seconds: float = 0) -> None:
    """Set how far the database's clock is ahead."""
    async with connected(database_url) as connection:
        await connection.execute(
            "update moved.clock set ahead = $1 * interval '1 second'", hours * 3_600 + seconds
        )
