"""Settlement files in CSV: what is read, and where an error is."""

import contextlib
import datetime as dt
import io
import random

import pytest

from fastpay import limits
from fastpay.domain.settlement_rows import SettlementRow
from fastpay.errors import ConfigurationError
from fastpay.operations.settlement_files.csv_file import read_csv
from fastpay.operations.settlement_files.mapping import Mapping, parse_mapping
from fastpay.operations.settlement_files.reading import BadFile

HEADING = "reference,id,type,gross,fee,net,currency,value_date\n"
ROW = "att_1,ch_1,charge,20.00,0.88,19.12,usd,2026-01-02\n"


def read(text: str | bytes, mapping: Mapping | None = None) -> list[SettlementRow]:
    """Read a whole file."""
    content = text if isinstance(text, bytes) else text.encode()
    return list(read_csv(io.BytesIO(content), mapping or Mapping()))


def test_a_row_is_read_in_the_smallest_unit() -> None:
    (row,) = read(HEADING + ROW)
    assert row == SettlementRow(
        line=2,
        type="payment",
        currency="usd",
        gross=2000,
        fee=88,
        net=1912,
        value_date=dt.date(2026, 1, 2),
        reference="att_1",
        processor_id="ch_1",
    )


@pytest.mark.parametrize(
    ("row", "amounts"),
    [
        (",re_1,refund,-5,0,-5,usd,2026-01-02", ("refund", -500, 0, -500)),
        (",,stripe_fee,-0.30,0,-0.30,usd,2026-01-02", ("fee", 0, 30, -30)),
        (",,adjustment,-3.5,0,-3.50,usd,2026-01-02", ("other", -350, 0, -350)),
        (",,charge,+500,0.000,500,JPY,2026-01-02", ("payment", 500, 0, 500)),
        (",,charge,1.005,0,1.005,bhd,2026-01-02", ("payment", 1005, 0, 1005)),
        ('"a, ""b""",,charge,1,0,1,usd,2026-01-02', ("payment", 100, 0, 100)),
    ],
)
def test_types_and_amounts(row: str, amounts: tuple[str, int, int, int]) -> None:
    (found,) = read(HEADING + row + "\n")
    assert (found.type, found.gross, found.fee, found.net) == amounts


@pytest.mark.parametrize(
    ("file", "place", "reason"),
    [
        ("", "line 1, column 1:", "empty"),
        ("reference,type\n", "line 1, column 1:", "no column named 'id'"),
        (HEADING.replace("fee", "net"), "line 1, column 1:", "no column named 'fee'"),
        (HEADING.replace("id", "net"), "line 1, column 1:", "no column named 'id'"),
        (HEADING + ROW + ROW.replace("0.88", "0.89"), "line 3, column 4 (gross):", "together"),
        (HEADING + ROW.replace("0.88", "a"), "line 2, column 5 (fee):", "'a' is no amount"),
        (HEADING + ROW.replace("0.88", "1e9"), "line 2, column 5 (fee):", "is no amount"),
        (HEADING + ROW.replace("0.88", "٣"), "line 2, column 5 (fee):", "is no amount"),
        (HEADING + ROW.replace("0.88", "0.881"), "line 2, column 5 (fee):", "more than 2 decimals"),
        (HEADING + ROW.replace("0.88", "9" * 5000), "line 2, column 5 (fee):", "too large"),
        (HEADING + ROW.replace("20.00", "-20.00"), "line 2, column 4 (gross):", "together"),
        (HEADING + ROW.replace("charge", "refund"), "line 2, column 4 (gross):", "refunds are below"),
        (HEADING + ROW.replace("charge", "loan"), "line 2, column 3 (type):", "'loan'"),
        (HEADING + ROW.replace("usd", "xxx"), "line 2, column 7 (currency):", "no currency"),
        (HEADING + ROW.replace("01-02", "02-30"), "line 2, column 8 (value_date):", "no date"),
        (HEADING + ROW.replace("att_1", "a\x07"), "line 2, column 1 (reference):", "printable"),
        (HEADING + ROW.replace("att_1", "a" * 256), "line 2, column 1 (reference):", "255"),
        (HEADING + "a,b\n", "line 2, column 2:", "2 columns instead of 8"),
        (HEADING + 'a"b,"c"d\n', "line 2, column 1:", "expected after"),
        (HEADING + '"never ended', "line 2, column 1:", "unexpected end"),
        (HEADING.encode() + b"\xff\n", "line 2, column 1:", "no UTF-8"),
        (HEADING + "a" * (limits.settlement_line_bytes_max + 1), "line 2, column 1:", "more than"),
    ],
)
def test_what_is_wrong_has_a_line_and_a_column(file: str | bytes, place: str, reason: str) -> None:
    with pytest.raises(BadFile) as refused:
        read(file)
    assert str(refused.value).startswith(place), refused.value
    assert reason in str(refused.value)


def test_a_mapping_says_how_a_file_is_written() -> None:
    mapping = parse_mapping(
        """
        delimiter = ";"
        decimal = ","
        dates = "%d.%m.%Y"
        currency = "eur"
        ignored = ["Auszahlung"]
        types = {Zahlung = "payment", Erstattung = "refund"}
        [columns]
        reference = "Referenz"
        id = ""
        type = "Art"
        gross = ""
        fee = "Entgelt"
        net = "Betrag"
        value_date = "Valuta"
        """
    )
    rows = read(
        "\ufeffValuta;Art;Referenz;Entgelt;Betrag\n"
        "02.01.2026;Zahlung;att_1;0,50;1000,00\n"
        "\n"
        "02.01.2026;Auszahlung;;0;-1000\n"
        "03.01.2026;Erstattung;att_2;0;-10,00\n",
        mapping,
    )
    assert [(row.line, row.gross, row.fee, row.net, row.processor_id) for row in rows] == [
        (2, 100_050, 50, 100_000, None),
        (5, -1000, 0, -1000, None),
    ]
    with pytest.raises(BadFile, match="decimal sign ','"):
        read("Valuta;Art;Referenz;Entgelt;Betrag\n02.01.2026;Zahlung;a;0;1.000\n", mapping)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("delimiter = ", "cannot be read"),
        ("delimiter = ';;'", "cannot be read"),
        ("unknown = 1", "cannot be read"),
        ("lag_days = 61", "cannot be read"),
        ("types = {charge = 'loan'}", "cannot be read"),
        ("decimal = ','", "delimiter is the decimal sign"),
        ("[columns]\ngross = ''\nnet = ''", "neither a gross nor a net"),
        ("[columns]\nvalue_date = ''", "no value_date"),
        ("[columns]\ncurrency = ''", "no currency"),
    ],
)
def test_a_mapping_that_says_too_little_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        parse_mapping(text)


def test_whatever_comes_is_read_or_refused_with_its_place() -> None:
    chance = random.Random("settlement files")
    good = (HEADING + ROW * 3).encode()
    for _ in range(2_000):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(broken))
            match chance.randrange(3):
                case 0:
                    broken[at] = chance.randrange(256)
                case 1:
                    del broken[at : at + chance.randint(1, 9)]
                case _:
                    broken[at:at] = chance.randbytes(chance.randint(1, 9))
        # Whatever else is raised fails the test. The message of this begins with the place.
        with contextlib.suppress(BadFile):
            rows = read(bytes(broken))
            assert all(row.gross == row.fee + row.net for row in rows)
