"""What the read path does with the objects of each kind."""

from fastpay.domain import kinds

# Nor has a tenant's balance, or what was imported, an identifier with a time.
# Every change of a cached object is a version that a commit announces, and its identifier carries the time of
# the request that created it. Accounts that payments move have neither, and transfers have no snapshots: the
# ledger is read from the database each time.
_NOT_TIMED = frozenset((kinds.LEDGER_ACCOUNT, kinds.LEDGER_BATCH, kinds.BALANCE, kinds.IMPORTED))
COPIED = frozenset(kind.prefix for kind in kinds.STORED.values() if kind not in _NOT_TIMED)
# An event is no stored object, and its count of pending webhooks changes. So instances do not share it.
CACHED = COPIED | {kinds.EVENT.prefix}
# Which events are pending changes with the endpoints: with one of these, everything is read anew.
ENDPOINT = kinds.WEBHOOK_ENDPOINT.prefix

# Most payments create one of each, live ones an attempt too, and few of them are ever read by themselves:
# they are not cached when they are created, only once they are read.
CACHED_ONCE_READ = frozenset(kind.struct for kind in (kinds.ATTEMPT, kinds.CHARGE, kinds.PAYMENT_METHOD))
