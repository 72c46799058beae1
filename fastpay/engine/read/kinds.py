"""What the read path does with the objects of each kind."""

from fastpay.domain import kinds

# Every change of a cached object is a version that a commit announces, and its identifier carries the time of
# the request that created it. Accounts that payments move have neither, and transfers have no snapshots: the
# ledger is read from the database each time.
_LEDGER = frozenset((kinds.LEDGER_ACCOUNT, kinds.LEDGER_BATCH))
CACHED = frozenset(kind.prefix for kind in kinds.STORED.values() if kind not in _LEDGER)

# Most payments create one of each, and few of them are ever read by themselves: they are not cached when they
# are created, only once they are read.
CACHED_ONCE_READ = frozenset(kind.prefix for kind in (kinds.CHARGE, kinds.PAYMENT_METHOD))
