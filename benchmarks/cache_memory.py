"""How many bytes does a cached object take, alone, with its answer, and with that in another coding?

Run: python -m benchmarks.cache_memory [--entries 50000]

The growth of resident memory by so many entries, in a process of its own for each row, beside what the cache
believes that they take: that is what `cache_bytes_max` bounds.
"""

import gc
import os
import subprocess
import sys
import uuid

import click
import msgspec
from rich.console import Console

from benchmarks import samples
from benchmarks.load.report import Table
from benchmarks.transport_load import resident_bytes
from fastpay._native.cache import Cache
from fastpay.api.app import RESOURCES
from fastpay.api.cached_responses import form_of, make_response
from fastpay.domain.objects import Customer, StoredObject
from fastpay.domain.plan import Versioned
from fastpay.engine.read.object_cache import weigh
from fastpay.store import rows

STAGES = ("plain", "rendered", "encoded")
_PATHS = {
    "pi": "/v1/payment_intents/",
    "ch": "/v1/charges/",
    "pm": "/v1/payment_methods/",
    "cus": "/v1/customers/",
}


@click.command()
@click.option("--entries", default=50_000, show_default=True)
@click.option("--one", help="A kind and a stage, measured in this process.")
def main(entries: int, one: str | None) -> None:
    """Measure each kind of object in each stage."""
    if one is not None:
        kind, _, stage = one.partition(",")
        held, believed = measure(objects()[kind], stage, entries)
        click.echo(f"{held} {believed}")
        return
    table = Table("object", "kept", "bytes", "the cache believes", "of that")
    for kind in objects():
        for stage in STAGES:
            if kind == "pi" and stage == "encoded":
                # It holds a secret, and has no other form.
                continue
            command = [sys.executable, "-m", "benchmarks.cache_memory", "--entries", str(entries)]
            done = subprocess.run(
                [*command, "--one", f"{kind},{stage}"], capture_output=True, text=True, check=True
            )
            held, believed = map(int, done.stdout.split())
            table.add_row(kind, stage, f"{held:,}", f"{believed:,}", f"{believed / held:.2f}")
    Console().print(table)


def objects() -> dict[str, StoredObject]:
    """Return an ordinary object of each kind."""
    decided = samples.decide(samples.new_workspace(), samples.new_command())
    made = {versioned.object.id.partition("_")[0]: versioned.object for versioned in decided.versions}
    made["cus"] = Customer(id="cus_" + "0" * 32, created=1, name="Ada Lovelace", email="ada@example.com")
    return made


def measure(stored: StoredObject, stage: str, entries: int) -> tuple[int, int]:
    """Return by how many bytes each entry makes the process grow, and what the cache believes."""
    snapshots = copies(stored, entries)
    gc.collect()
    before = resident_bytes(os.getpid())
    cache = fill(stored, stage, snapshots)
    return round((resident_bytes(os.getpid()) - before) / entries), round(cache.bytes_held / entries)


def copies(stored: StoredObject, count: int) -> list[bytes]:
    """Return snapshots of objects that are alike but for their identifiers."""
    stem = stored.id[:-32]
    return [rows.encode(msgspec.structs.replace(stored, id=stem + uuid.uuid4().hex)) for _ in range(count)]


def fill(stored: StoredObject, stage: str, snapshots: list[bytes]) -> Cache:
    """Return a cache that holds these objects as reading them would have left them there."""
    decoder = msgspec.msgpack.Decoder(type(stored))
    path = _PATHS[stored.id.partition("_")[0]]
    cache = Cache(1 << 40)
    partition = cache.partition("tenant")
    for sequence, snapshot in enumerate(snapshots, start=1_000):
        versioned = Versioned(decoder.decode(snapshot), 1, sequence)
        entry = cache.put(partition, versioned.object.id, 1, versioned, weigh(versioned))
        assert entry is not None
        if stage != "plain":
            response = make_response(RESOURCES.of_object(stored), path, versioned, livemode=False)
            cache.render(entry, response)
            if stage == "encoded":
                form_of(cache, entry, response, "gzip")
    return cache


if __name__ == "__main__":
    main()
