"""The suite's mixed load: reads, payments and refunds at fixed rates, of merchants by Zipf's law."""

from collections.abc import Callable, Mapping

from benchmarks import payments
from benchmarks.load.machine import Machine, execute
from benchmarks.load.open_loop import FAILURES, Phase, count_failures, summarize
from benchmarks.load.several import Load, run_several
from benchmarks.load.signing import make_secrets
from benchmarks.suite_figures import SHARES, Mixed, Plan, Servers
from benchmarks.suite_processes import cpu_of

# Of what a server can do, judged by its peaks of payments and of reads.
SHARE_OF_PEAK = 0.5
_PROCESSES = 2
SIGNED = "fastpay, signed"


def measure(
    machine: Machine,
    servers: Servers,
    peaks: Mapping[str, tuple[float, float]],
    plan: Plan,
    advance: Callable[[], None],
) -> list[Mixed]:
    """Load every server at a rate that all can bear and at half of its own peak; fastpay signed as well.

    `peaks` are payments and reads a second.
    """
    rates = {name: _capacity(*both) * SHARE_OF_PEAK for name, both in peaks.items()}
    stored = {
        name: {
            key: [str(payments.make_payment(target.port, key)["id"]) for _ in range(plan.objects)]
            for key in database.keys
        }
        for name, (target, database) in servers.items()
    }
    target, database = servers["fastpay"]
    signing = {"fastpay": {}, SIGNED: make_secrets(database, machine.directory)}
    found = []
    labels = [(name, label) for name in servers for label in _labels(name)]
    for name, label in labels:
        target, database = servers[name]
        for rate in sorted({min(rates.values()), rates[name]}):
            execute(database.url, "checkpoint")
            load = Load(
                port=target.port,
                phases=(Phase(rate, plan.seconds),),
                shares=SHARES,
                payments=stored[name],
                signing=signing.get(label, {}),
                tolerant=True,
            )
            before = cpu_of(target, machine)
            records = run_several(load, _PROCESSES)
            after = cpu_of(target, machine)
            found.append(
                Mixed(
                    server=label,
                    rate=rate,
                    latencies={
                        kind: summarize(record.latencies, rate)
                        for kind, record in records.items()
                        if kind not in FAILURES
                    },
                    failed=count_failures(records),
                    server_cpu_seconds=after[0] - before[0],
                    database_cpu_seconds=after[1] - before[1],
                )
            )
            advance()
    return found


def _labels(name: str) -> tuple[str, ...]:
    return (name, SIGNED) if name == "fastpay" else (name,)


def _capacity(payments_a_second: float, reads_a_second: float) -> float:
    """Return the requests a second of the mix, a refund being as dear as a payment."""
    writes = SHARES.payments + SHARES.refunds
    # A server may have answered nothing in a short round; then it is asked as good as nothing.
    dear, cheap = max(1.0, payments_a_second), max(1.0, reads_a_second)
    return 1 / (writes / dear + (1 - writes) / cheap)
