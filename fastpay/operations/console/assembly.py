"""Assembles the operator's console. Imported at its first page: its libraries take as long as a start."""

from contextlib import AsyncExitStack

from fastpay import limits
from fastpay.admin.console.app import Console
from fastpay.admin.console.audit_views import AuditViews
from fastpay.admin.console.challenges import Challenges
from fastpay.admin.console.entrance import Entrance
from fastpay.admin.console.operator_pages import OperatorPages
from fastpay.admin.console.own_access import OwnAccess
from fastpay.admin.console.own_pages import OwnPages
from fastpay.admin.console.pages import make_pages
from fastpay.admin.console.passkeys import Passkeys
from fastpay.admin.console.passwords import Passwords
from fastpay.admin.console.ports import ProcessState
from fastpay.admin.console.rollout_views import RolloutViews
from fastpay.admin.console.sign_in import SignIn
from fastpay.admin.console.tenant_views import TenantViews
from fastpay.admin.console.views import Views
from fastpay.api.context import Services
from fastpay.clock import Clock
from fastpay.domain.money import show_amount
from fastpay.operations.console.administrator import Administrator
from fastpay.operations.console.desk import PaymentDesk, Reception
from fastpay.operations.console.endpoint_desk import EndpointDesk
from fastpay.operations.console.histories import Histories
from fastpay.operations.console.routes import RouteDesk, RouteReports
from fastpay.operations.console.tenants import TenantPages
from fastpay.store.operator_access import PostgresAccess
from fastpay.store.operators import PostgresOperators
from fastpay.store.passkeys import PostgresPasskeys
from fastpay.store.pool import ReaderPool
from fastpay.store.postgres import DatabaseSettings
from fastpay.store.reads import PostgresReads
from fastpay.store.roster import Roster
from fastpay.store.sealing import Vault


def open_console(
    stack: AsyncExitStack,
    database: DatabaseSettings,
    *,
    services: Services,
    vault: Vault,
    clock: Clock,
    url: str | None,
    state: ProcessState,
) -> Console:
    """Open the console, on connections of its own: what people look at takes nothing from payments."""
    pool = ReaderPool(database, connections_max=limits.console_connections_max)
    stack.push_async_callback(pool.close)
    reads, operators = PostgresReads(pool, pool), PostgresOperators(pool, vault)
    histories = Histories(reads)
    desk = Reception(
        PaymentDesk(services, reads),
        EndpointDesk(services, reads, vault),
        Administrator(pool, vault),
        RouteDesk(pool),
    )
    tenants = TenantViews(histories, TenantPages(pool, reads, clock), clock)
    rollout = RolloutViews(RouteReports(pool), clock, is_in_front=services.front is not None)
    fixed = {**AuditViews(operators).views(), **rollout.views()}
    views = Views(histories, operators, tenants, fixed, clock, state=state)
    passwords = Passwords(clock)
    sign_in = SignIn(operators, passwords, clock)
    challenges = Challenges(lambda: vault.derive("console challenge"), clock)
    passkeys = Passkeys(PostgresPasskeys(pool, clock), challenges, clock)
    access = OwnAccess(PostgresAccess(pool, vault), sign_in, passwords)
    people = (
        OwnPages(access, passkeys, clock, url),
        OperatorPages(Roster(pool.fetch, clock), url),
    )
    entrance = Entrance(sign_in, passkeys, clock, url)
    return Console(sign_in, entrance, make_pages(show_amount, clock), views, people, desk, operators, url=url)
