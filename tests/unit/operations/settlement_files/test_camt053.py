"""Settlement files in camt.053: what is read, and what is refused."""

import contextlib
import io
import random

import pytest

from fastpay import limits
from fastpay.domain.settlement_rows import SettlementRow
from fastpay.operations.settlement_files.camt053 import read_camt053
from fastpay.operations.settlement_files.reading import BadFile

DETAILS = """<NtryDtls><TxDtls>
<Refs><EndToEndId>att_1</EndToEndId><TxId>T1</TxId></Refs><Amt Ccy="EUR">9.50</Amt>
<Chrgs><Rcrd><Amt Ccy="EUR">0.30</Amt></Rcrd><Rcrd><Amt Ccy="EUR">0.20</Amt></Rcrd></Chrgs>
</TxDtls><TxDtls>
<Refs><EndToEndId>NOTPROVIDED</EndToEndId><AcctSvcrRef>B2</AcctSvcrRef></Refs>
<AmtDtls><TxAmt><Amt Ccy="EUR">1</Amt></TxAmt></AmtDtls><CdtDbtInd>DBIT</CdtDbtInd>
</TxDtls></NtryDtls>"""
ENTRY = """<Ntry><Amt Ccy="EUR">8.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<ValDt><Dt>2026-01-02</Dt></ValDt><AcctSvcrRef>B1</AcctSvcrRef>{details}</Ntry>"""


def document(*entries: str) -> str:
    """Return a file of entries."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>\n'
        f"<Bal><Amt Ccy='EUR'>1.00</Amt></Bal>{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    )


def read(text: str | bytes) -> list[SettlementRow]:
    """Read a whole file."""
    return list(read_camt053(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def test_the_details_of_an_entry_are_rows() -> None:
    rows = read(document(ENTRY.format(details=DETAILS)))
    assert [
        (row.type, row.gross, row.fee, row.net, row.reference, row.processor_id, row.currency) for row in rows
    ] == [
        ("payment", 1000, 50, 950, "att_1", "T1", "eur"),
        ("refund", -100, 0, -100, None, "B2", "eur"),
    ]
    assert {str(row.value_date) for row in rows} == {"2026-01-02"}


def test_an_entry_without_details_is_a_row() -> None:
    plain = ENTRY.format(details="")
    back = plain.replace("<Sts>", "<RvslInd>true</RvslInd><Sts>")
    awaited = plain.replace("BOOK", "PDNG")
    timed = plain.replace("<Dt>2026-01-02</Dt>", "<DtTm>2026-01-02T10:00:00Z</DtTm>")
    rows = read(document(plain, back, awaited, timed))
    assert [(row.type, row.net, row.processor_id) for row in rows] == [
        ("payment", 850, "B1"),
        ("refund", -850, "B1"),
        ("payment", 850, "B1"),
    ]


@pytest.mark.parametrize(
    ("file", "place", "reason"),
    [
        ("<Document/>", "line 1, column 1:", "no camt.053"),
        (document().replace("camt.053", "camt.052"), "line 2, column 1:", "no camt.053"),
        (document()[:-5], "line 3,", "unclosed token"),
        ("", "line 1, column 1:", "no element found"),
        (document(ENTRY.format(details="").replace("8.50", "x")), "line 3,", "'x' is no amount"),
        (document(ENTRY.format(details="").replace("8.50", "8.505")), "line 3,", "decimals"),
        (document(ENTRY.format(details="").replace('Ccy="EUR"', "")), "line 3,", "no currency"),
        (document(ENTRY.format(details="").replace("CRDT", "X")), "line 4,", "CRDT or DBIT"),
        (document(ENTRY.format(details="").replace("ValDt", "X")), "line 4,", "no ValDt"),
        (document(ENTRY.format(details="").replace("2026-01", "x")), "line 4,", "no date"),
        (document("<A>" * limits.settlement_depth_max), "line 3,", "within each other"),
        (document("x" * (limits.settlement_line_bytes_max + 1)), "line 3,", "more than"),
        ("<!DOCTYPE a [<!ENTITY a 'b'>]>" + document()[39:], "line 1,", "document type"),
        (
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + document()[39:],
            "line 1,",
            "document type",
        ),
        (document("&#0;"), "line 3,", "invalid character"),
        (document("&lol;"), "line 3,", "undefined entity"),
        (document().replace("UTF-8", "UTF-S"), "line 1,", "encoding"),
        (b"\xff\xfe\xfd", "line 1, column", ""),
    ],
)
def test_what_is_wrong_has_a_line_and_a_column(file: str | bytes, place: str, reason: str) -> None:
    with pytest.raises(BadFile) as refused:
        read(file)
    assert str(refused.value).startswith(place), refused.value
    assert reason in str(refused.value)


def test_whatever_comes_is_read_or_refused_with_its_place() -> None:
    chance = random.Random("camt.053")
    good = document(ENTRY.format(details=DETAILS)).encode()
    for _ in range(2_000):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(broken))
            if chance.random() < 0.5:
                broken[at] = chance.randrange(256)
            else:
                del broken[at : at + chance.randint(1, 9)]
        # Whatever else is raised fails the test. The message of this begins with the place.
        with contextlib.suppress(BadFile):
            read(bytes(broken))
