"""Carries out what administrators ask for: tenants, API keys and their signing secrets."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from fastpay import limits
from fastpay.admin.console.ports import Done, Operator, Order
from fastpay.clock import Clock
from fastpay.errors import InvalidRequest, NotFound
from fastpay.operations.console.rules import describe, read_changes, seen_of
from fastpay.store import keys, signing_secrets, tenants
from fastpay.store.administration import note, transaction
from fastpay.store.connections import database_clock
from fastpay.store.key_records import KeyName, Kind
from fastpay.store.pool import ReaderPool
from fastpay.store.sealing import Vault

STALE = "This was changed since the page was opened. Look at it again, and repeat what you want to do."


class _Task(NamedTuple):
    """An order, with the transaction that it is carried out in."""

    order: Order
    connection: Any
    clock: Clock
    vault: Vault

    def key_name(self) -> KeyName:
        """Return the name of the API key that the order is about. Raises: NotFound."""
        try:
            key_id = uuid.UUID(self.order.subject)
        except ValueError:
            raise NotFound("There is no such key.") from None
        return KeyName(uuid.UUID(self.order.tenant_id), self.order.livemode, key_id)

    def overlap(self) -> timedelta:
        """Return how long the old key or secret stays valid. Raises: InvalidRequest."""
        typed = self.order.fields.get("hours", "").strip() or "0"
        if not typed.isascii() or not typed.isdigit() or int(typed[:9]) > limits.overlap_hours_max:
            raise InvalidRequest(f"Type a whole number of hours, from 0 to {limits.overlap_hours_max}.")
        return timedelta(hours=int(typed))


class _Noted(NamedTuple):
    """What was done, and the note of it."""

    action: str
    subject: str
    detail: str
    done: Done = Done()


class Administrator:
    """Does in one transaction what an order asks for, and notes it."""

    def __init__(self, pool: ReaderPool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError."""
        work = _WORK.get((order.folder, order.action))
        if work is None:
            raise NotFound("There is no such action.")
        async with transaction(self._pool) as connection:
            # Keys expire by the database's time.
            task = _Task(order, connection, await database_clock(connection), self._vault)
            noted = await work(task)
            await note(
                connection,
                operator,
                order,
                action=noted.action,
                subject=noted.subject,
                detail=noted.detail,
                tenant_id=uuid.UUID(order.tenant_id or noted.subject),
            )
        return noted.done


async def _create_tenant(task: _Task) -> _Noted:
    name = task.order.fields.get("name", "").strip()
    if await keys.find_tenant(task.connection, name) is not None:
        raise InvalidRequest(f"There is a tenant named {name!r} already.", param="name")
    made = await keys.create_tenant(task.connection, name, clock=task.clock, vault=task.vault)
    done = Done(path=f"/console/settings/{made.hex}/test")
    return _Noted("tenant.created", made.hex, name, done)


async def _rename_tenant(task: _Task) -> _Noted:
    tenant = await _current(task)
    name = task.order.fields.get("name", "").strip()
    if name == tenant.name:
        raise InvalidRequest("This is the tenant's name already.", param="name")
    await tenants.rename_tenant(task.connection, tenant.tenant_id, name)
    return _Noted("tenant.renamed", tenant.tenant_id.hex, f"{tenant.name} to {name}")


async def _set_rules(task: _Task) -> _Noted:
    tenant, livemode = await _current(task), task.order.livemode
    rules = tenant.live if livemode else tenant.test
    changes = read_changes(task.order.fields, rules)
    if changes == tenants.RuleChanges():
        raise InvalidRequest("Nothing was changed: these are the tenant's rules already.")
    await tenants.set_rules(task.connection, tenant.tenant_id, changes, livemodes=[livemode])
    return _Noted("tenant.rules_set", tenant.tenant_id.hex, f"{_mode(task)}: {describe(changes, rules)}")


async def _current(task: _Task) -> tenants.ListedTenant:
    """Lock the tenant of an order, and return it. Raises: NotFound; InvalidRequest if it has changed."""
    tenant_id = uuid.UUID(task.order.tenant_id)
    tenant = await tenants.read_tenant(task.connection, tenant_id, is_locked=True)
    if tenant is None:
        raise NotFound("There is no such tenant.")
    if seen_of(tenant, livemode=task.order.livemode) != task.order.fields.get("seen"):
        raise InvalidRequest(STALE)
    return tenant


async def _create_key(task: _Task) -> _Noted:
    tenant_id, livemode = uuid.UUID(task.order.tenant_id), task.order.livemode
    if await tenants.read_tenant(task.connection, tenant_id) is None:
        raise NotFound("There is no such tenant.")
    kind: Kind = "publishable" if task.order.fields.get("kind") == "publishable" else "secret"
    made = await keys.create_key(task.connection, tenant_id, livemode=livemode, clock=task.clock, kind=kind)
    return _noted_key(task, "key.created", made, f"{kind} key")


async def _roll_key(task: _Task) -> _Noted:
    name, overlap = task.key_name(), task.overlap()
    made = await keys.roll_key(
        task.connection,
        name.tenant_id,
        name.key_id,
        livemode=name.livemode,
        clock=task.clock,
        overlap=overlap,
        vault=task.vault,
    )
    return _noted_key(
        task, "key.rolled", made, f"instead of {name.key_id}, which is valid for {overlap} more"
    )


def _noted_key(task: _Task, action: str, made: keys.NewKey, detail: str) -> _Noted:
    path = f"/console/keys/{task.order.tenant_id}/{_mode(task)}/{made.key_id}"
    done = Done(path=path, label="The API key", secret=made.key)
    return _Noted(action, str(made.key_id), f"{_of(task)}: {detail}", done)


async def _revoke_key(task: _Task) -> _Noted:
    name = task.key_name()
    listed = await keys.list_keys(task.connection, name.tenant_id, livemode=name.livemode, clock=task.clock)
    known = next((key for key in listed if key.key_id == name.key_id), None)
    if known is not None and known.revoked_at is not None:
        raise InvalidRequest(f"This key was revoked already, at {known.revoked_at:%Y-%m-%d %H:%M:%S} UTC.")
    await keys.revoke_key(
        task.connection, name.tenant_id, name.key_id, livemode=name.livemode, clock=task.clock
    )
    return _Noted("key.revoked", str(name.key_id), _of(task))


async def _create_secret(task: _Task) -> _Noted:
    secret = await signing_secrets.create_secret(
        task.connection, task.key_name(), vault=task.vault, clock=task.clock
    )
    return _noted_secret(task, "signing_secret.created", secret, "")


async def _roll_secret(task: _Task) -> _Noted:
    overlap = task.overlap()
    secret = await signing_secrets.roll_secret(
        task.connection, task.key_name(), vault=task.vault, clock=task.clock, overlap=overlap
    )
    return _noted_secret(task, "signing_secret.rolled", secret, f": the older ones for {overlap} more")


def _noted_secret(task: _Task, action: str, secret: str, detail: str) -> _Noted:
    done = Done(label="The signing secret", secret=secret)
    return _Noted(action, task.order.subject, f"{_of(task)}{detail}", done)


async def _remove_secrets(task: _Task) -> _Noted:
    removed = await signing_secrets.remove_secrets(task.connection, task.key_name(), clock=task.clock)
    return _Noted("signing_secret.removed", task.order.subject, f"{_of(task)}: {removed}")


async def _require_signatures(task: _Task, *, required: bool) -> _Noted:
    await signing_secrets.require_signatures(
        task.connection, task.key_name(), required=required, clock=task.clock
    )
    action = "key.signatures_required" if required else "key.signatures_waived"
    return _Noted(action, task.order.subject, _of(task))


async def _require(task: _Task) -> _Noted:
    return await _require_signatures(task, required=True)


async def _release(task: _Task) -> _Noted:
    return await _require_signatures(task, required=False)


def _mode(task: _Task) -> str:
    return "live" if task.order.livemode else "test"


def _of(task: _Task) -> str:
    return f"tenant {task.order.tenant_id} {_mode(task)}"


_WORK: Mapping[tuple[str, str], Callable[[_Task], Awaitable[_Noted]]] = {
    ("tenants", "create"): _create_tenant,
    ("tenants", "rename"): _rename_tenant,
    ("tenants", "rules"): _set_rules,
    ("keys", "create"): _create_key,
    ("keys", "roll"): _roll_key,
    ("keys", "revoke"): _revoke_key,
    ("keys", "sign"): _create_secret,
    ("keys", "roll-secret"): _roll_secret,
    ("keys", "remove-secrets"): _remove_secrets,
    ("keys", "must-sign"): _require,
    ("keys", "need-not-sign"): _release,
}
