"""What the predicates of searches mean to PostgreSQL, over documents as they are stored."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from fastpay.api.search import parse, predicate

CUSTOMERS: dict[str, dict[str, Any]] = {
    "ada": {
        "created": 100,
        "email": "Ada.Lovelace@example.com",
        "name": "Ada Lovelace",
        "phone": "+44 (20) 1",
        "metadata": {"plan": "Gold", 'odd "key"]': "x"},
    },
    "bob": {"created": 200, "email": "adaXlovelace@example.com", "name": None, "phone": None, "metadata": {}},
    "zoe": {
        "created": 300,
        "email": None,
        "name": 'Zoë "\\" [^$.*+?()|{}]',
        "phone": "line\nbreak",
        "metadata": {"plan": "silver"},
    },
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("email:'ada.lovelace@EXAMPLE.com'", ["ada"]),
        ("email:'ada.lovelace'", []),
        ("email~'LOVELACE'", ["ada", "bob"]),
        ("email~'a.l'", ["ada"]),
        ("-email~'a.l'", ["bob", "zoe"]),
        ("name:'.*'", []),
        ("name~'.*'", ["zoe"]),
        (r"""name:'Zoë "\\" [^$.*+?()|{}]'""", ["zoe"]),
        (r"""name~'"\\" [^$.*+?()|{}]'""", ["zoe"]),
        ("phone:'+44 (20) 1'", ["ada"]),
        ("phone:'line'", []),
        ("phone:'line\nbreak'", ["zoe"]),
        ("phone~'e\nb'", ["zoe"]),
        ("metadata['plan']:'gold'", ["ada"]),
        ("-metadata['plan']:'gold'", ["bob", "zoe"]),
        ("metadata['plan']:null", ["bob"]),
        ("-metadata['plan']:null", ["ada", "zoe"]),
        ("""metadata['odd "key"]']:'x'""", ["ada"]),
        ("created>100 AND created<300", ["bob"]),
        ("created>=100 created<=200", ["ada", "bob"]),
        ("created:300 OR name~'love'", ["ada", "zoe"]),
        ("-created:300", ["ada", "bob"]),
        ('name:"\\"))) || ((1 == 1"', []),
        ('metadata["\\" ? (1 == 1)"]:\'x\'', []),
        ("name:'\U0001f600' OR name:'\x01'", []),
    ],
)
def test_a_query_finds_whom_it_describes(postgres_url: str, text: str, found: Sequence[str]) -> None:
    assert asyncio.run(_search(postgres_url, predicate(parse(text)))) == found


async def _search(url: str, path: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select key from jsonb_each($1::text::jsonb) where value @@ $2::text::jsonpath order by key",
            json.dumps(CUSTOMERS),
            path,
        )
    finally:
        await connection.close()
    return [row["key"] for row in rows]
